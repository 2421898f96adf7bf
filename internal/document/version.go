package document

import (
	"context"
	"slices"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
)

// Version is one state of a document.
type Version struct {
	Number    int       `json:"number" db:"number"`
	IsCurrent bool      `json:"is_current" db:"is_current" doc:"Whether it is the one that new answers use."`
	MediaType string    `json:"media_type" db:"media_type"`
	Size      int64     `json:"size" db:"size" doc:"Bytes."`
	SHA256    string    `json:"sha256" db:"sha256" doc:"Of the bytes, in hexadecimal."`
	Pages     int       `json:"pages" db:"pages" doc:"0 when the format has none."`
	AccessURL string    `json:"access_url" db:"-" doc:"Where this version can be downloaded."`
	CreatedOn time.Time `json:"created_on" db:"created_on"`

	ID   int64  `json:"-" db:"id"`
	Name string `json:"-" db:"name"`
}

var versionOrder = map[string]string{"number": "v.number", "created_on": "v.created_on", "size": "v.size"}

// Versions is a page of a document's versions, and how many there are.
func (s *Documents) Versions(ctx context.Context, sc authz.Scope, id int64, p api.Paging) ([]Version, int, error) {
	see, args := sc.Where(authz.View, authz.Document, "d")
	args = append([]any{id}, args...)
	total, err := one[int](ctx, s.DB, `SELECT (SELECT COUNT(*) FROM document_version v WHERE v.document_id = d.id) FROM document d WHERE d.id = ? AND d.is_deleted = FALSE AND `+see,
		unknown(id), args...)
	if err != nil {
		return nil, 0, err
	}
	order, err := p.Order(versionOrder, "v.id")
	if err != nil {
		return nil, 0, err
	}
	out, err := db.All[Version](ctx, s.DB, `SELECT v.id, d.name, v.number, CASE WHEN v.number = d.version THEN TRUE ELSE FALSE END AS is_current, v.media_type, v.size, v.sha256, v.pages, v.created_on
		FROM document d JOIN document_version v ON v.document_id = d.id AND v.org_id = d.org_id
		WHERE d.id = ? AND d.is_deleted = FALSE AND `+see+` ORDER BY `+order+` LIMIT ? OFFSET ?`, slices.Concat(args, []any{p.Limit(), p.Offset()})...)
	for i := range out {
		out[i].AccessURL = s.CitationURL(out[i].ID, out[i].Name)
	}
	return out, total, err
}

// Batch is the documents that were asked for by their ids.
type Batch struct {
	Documents []Document `json:"documents" nullable:"false" doc:"In the order of the ids."`
	NotFound  []int64    `json:"not_found_ids" nullable:"false" doc:"Unknown, deleted, or not visible to you."`
}

// GetMany is Get for several documents, answered id by id.
func (s *Documents) GetMany(ctx context.Context, sc authz.Scope, ids []int64) (Batch, error) {
	out := Batch{Documents: []Document{}, NotFound: []int64{}}
	marks, args := db.In(padded(ids))
	see, seeArgs := sc.Where(authz.View, authz.Document, "d")
	found, err := db.All[Document](ctx, s.DB, `SELECT `+columns+` FROM document d WHERE d.id IN (`+marks+`) AND d.is_deleted = FALSE AND `+see, append(args, seeArgs...)...)
	if err != nil {
		return out, err
	}
	byID := map[int64]*Document{}
	for i := range found {
		s.dress(&found[i])
		byID[found[i].ID] = &found[i]
	}
	seen := map[int64]bool{}
	for _, id := range ids {
		switch d := byID[id]; {
		case seen[id]:
		case d == nil:
			out.NotFound = append(out.NotFound, id)
		default:
			out.Documents = append(out.Documents, *d)
		}
		seen[id] = true
	}
	return out, nil
}
