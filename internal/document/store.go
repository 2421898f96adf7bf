package document

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// shownText is how many characters of a text stand in Document.Source.
const shownText = "200"

const columns = `d.id, d.corpus_id, d.name, d.content_type,
	CASE WHEN d.content_type = 'text' THEN substr(COALESCE((SELECT v.text FROM document_version v WHERE v.document_id = d.id AND v.number = d.version AND v.pii_redaction <> ''), d.source), 1, ` + shownText + `)
		ELSE d.source END AS source,
	d.media_type, d.size, d.step, d.is_failed, d.failure_code, d.failure_reason, d.warnings, d.version, d.pieces, d.pages, d.redactions,
	d.tags, d.is_attachment, d.source_id, d.weblink_type, d.is_removed_at_source, d.checked_on, d.check_result, d.is_deleted, d.created_by, d.created_on, d.modified_by, d.modified_on,
	COALESCE((SELECT v.id FROM document_version v WHERE v.document_id = d.id AND v.number = d.version), 0) AS version_id`

// one is db.One with an answer for no row.
func one[T any](ctx context.Context, q db.Querier, query string, none error, args ...any) (T, error) {
	v, err := db.One[T](ctx, q, query, args...)
	if errors.Is(err, db.ErrNone) {
		err = none
	}
	return v, err
}

// dress fills what is not in the table.
func (s *Documents) dress(d *Document) {
	if d.IsRemoved {
		d.Warnings = append(d.Warnings, "its address no longer has it; this is how it was last read")
	}
	switch {
	case d.ContentType == Weblink:
		d.AccessURL = d.Source
	case d.VersionID != 0:
		d.AccessURL = s.CitationURL(d.VersionID, d.Name)
	default:
		d.AccessURL = s.PublicURL + "/api/v2/documents/" + strconv.FormatInt(d.ID, 10)
	}
}

// Get is a document that the caller may see.
func (s *Documents) Get(ctx context.Context, sc authz.Scope, id int64) (Document, error) {
	where, args := sc.Where(authz.View, authz.Document, "d")
	d, err := one[Document](ctx, s.DB, `SELECT `+columns+` FROM document d WHERE d.id = ? AND d.is_deleted = FALSE AND `+where,
		unknown(id), append([]any{id}, args...)...)
	s.dress(&d)
	return d, err
}

// load reads documents by id, in the order given, without asking for rights:
// whoever calls it has resolved the ids through a scope.
func (s *Documents) load(ctx context.Context, q db.Querier, orgID int64, ids []int64) ([]Document, error) {
	byID := make(map[int64]Document, len(ids))
	for from := 0; from < len(ids); from += 500 {
		part := ids[from:min(from+500, len(ids))]
		marks, args := db.In(part)
		found, err := db.All[Document](ctx, q, `SELECT `+columns+` FROM document d WHERE d.org_id = ? AND d.id IN (`+marks+`)`, append([]any{orgID}, args...)...)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			s.dress(&d)
			byID[d.ID] = d
		}
	}
	out := make([]Document, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out, nil
}

// Filter narrows a list; empty fields do not.
type Filter struct {
	ContentType string
	Step        string
	Failed      *bool
}

var sortable = map[string]string{
	"created_on": "d.created_on", "modified_on": "d.modified_on", "name": "d.name", "size": "d.size",
	"step": "d.step", "pieces": "d.pieces", "id": "d.id",
}

// Sortable are the fields that lists of documents can be ordered by.
func Sortable() []string { return slices.Sorted(maps.Keys(sortable)) }

// List is a page of a corpus's documents, and how many there are.
func (s *Documents) List(ctx context.Context, sc authz.Scope, corpusID int64, p api.Paging, f Filter) ([]Document, int, error) {
	if err := MayOn(ctx, s.DB, sc, corpusID, authz.View); err != nil {
		return nil, 0, err
	}
	where, args := sc.Where(authz.View, authz.Document, "d")
	where = `d.corpus_id = ? AND d.is_deleted = FALSE AND ` + where
	args = append([]any{corpusID}, args...)
	if f.ContentType != "" {
		where += ` AND d.content_type = ?`
		args = append(args, f.ContentType)
	}
	if f.Step != "" {
		where += ` AND d.step = ?`
		args = append(args, f.Step)
	}
	if f.Failed != nil {
		where += ` AND d.is_failed = ?`
		args = append(args, *f.Failed)
	}
	out, total, err := api.Rows[Document](ctx, s.DB, p, api.Listing{
		Columns: columns, Tables: `document d`, Where: where, Args: args, Search: []string{"d.name"}, Order: sortable, ID: "d.id",
	})
	for i := range out {
		s.dress(&out[i])
	}
	return out, total, err
}

// Duplicate is a document that holds bytes which were asked for.
type Duplicate struct {
	SHA256     string `json:"sha256" db:"sha256"`
	DocumentID int64  `json:"document_id" db:"id"`
	Name       string `json:"name" db:"name"`
}

// Duplicates are what a corpus has already.
type Duplicates struct {
	Files   []string    `json:"duplicate_files" nullable:"false" doc:"The names asked for that the corpus has."`
	Content []Duplicate `json:"duplicate_content" nullable:"false" doc:"Documents that hold one of the contents asked for."`
}

// Duplicates tells which of the names, and which of the contents (SHA-256 in
// lower-case hexadecimal), a corpus has. Names are compared as upload cleans
// them and answered as they were asked.
func (s *Documents) Duplicates(ctx context.Context, sc authz.Scope, corpusID int64, names, sums []string) (Duplicates, error) {
	out := Duplicates{Files: []string{}, Content: []Duplicate{}}
	if err := MayOn(ctx, s.DB, sc, corpusID, authz.View); err != nil {
		return out, err
	}
	where, args := sc.Where(authz.View, authz.Document, "d")
	find := func(column string, keys []string) ([]Duplicate, error) {
		marks, keyArgs := db.In(keys)
		return db.All[Duplicate](ctx, s.DB, `SELECT d.sha256, d.id, d.name FROM document d
			WHERE d.corpus_id = ? AND d.is_deleted = FALSE AND `+where+` AND `+column+` IN (`+marks+`) ORDER BY d.id`,
			append(append([]any{corpusID}, args...), keyArgs...)...)
	}
	rule, err := redactionOf(ctx, s.DB, sc.Org(), corpusID)
	if err != nil {
		return out, err
	}
	clean := make([]string, len(names))
	for i, n := range names {
		clean[i] = rule.fileName(cleanName(n))
	}
	found, err := find("d.name", clean)
	if err != nil {
		return out, err
	}
	have := map[string]bool{}
	for _, d := range found {
		have[d.Name] = true
	}
	seen := map[string]bool{}
	for i, n := range names {
		if have[clean[i]] && !seen[n] {
			seen[n] = true
			out.Files = append(out.Files, n)
		}
	}
	if len(sums) == 0 {
		return out, nil
	}
	lowered := make([]string, len(sums))
	for i, sum := range sums {
		lowered[i] = strings.ToLower(sum)
	}
	out.Content, err = find("d.sha256", lowered)
	return out, err
}

// pieceIDs hands out ids of pieces before they are stored, so that a document
// can be encoded outside of the transaction that stores it. They are taken from
// the database a block at a time; a block's rest is lost when the process ends.
type pieceIDs struct {
	db   *db.DB
	mu   sync.Mutex
	next int64
	end  int64
}

const pieceBlock = 10_000

// take reserves n ids in a row and gives the first.
func (p *pieceIDs) take(ctx context.Context, n int) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end-p.next < int64(n) {
		size := int64(max(n, pieceBlock))
		var end int64
		err := p.db.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			end, err = db.One[int64](ctx, tx, `INSERT INTO setting (name, value) VALUES ('piece_ids', ?)
				ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(setting.value AS BIGINT) + `+strconv.FormatInt(size, 10)+` AS TEXT)
				RETURNING CAST(value AS BIGINT)`, strconv.FormatInt(size, 10))
			return err
		})
		if err != nil {
			return 0, err
		}
		p.next, p.end = end-size+1, end+1
	}
	first := p.next
	p.next += int64(n)
	return first, nil
}

// forbidden is the answer for a document that is seen but not to be changed.
func forbidden(id int64) error {
	return fail.Forbidden("you may see document %d but not change it; ask the owner of its corpus for the right", id)
}
