package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/pii"
	"atrium/internal/retrieval"
)

// Portable is a document as a bundle carries it. What it is called elsewhere
// (its ids, its corpus) is left out. Blob names the bytes within the bundle.
type Portable struct {
	ID            int64      `json:"-" db:"id"`
	Name          string     `json:"name" db:"name"`
	ContentType   string     `json:"content_type" db:"content_type"`
	Source        string     `json:"source" db:"source"`
	MediaType     string     `json:"media_type" db:"media_type"`
	Size          int64      `json:"size" db:"size"`
	SHA256        string     `json:"sha256" db:"sha256"`
	ETag          string     `json:"etag" db:"etag"`
	LastModified  string     `json:"last_modified" db:"last_modified"`
	Step          string     `json:"step" db:"step"`
	IsFailed      bool       `json:"is_failed" db:"is_failed"`
	FailureCode   string     `json:"failure_code" db:"failure_code"`
	FailureReason string     `json:"failure_reason" db:"failure_reason"`
	Warnings      []string   `json:"warnings" db:"warnings,json"`
	Version       int        `json:"version" db:"version"`
	Pieces        int        `json:"pieces" db:"pieces"`
	Pages         int        `json:"pages" db:"pages"`
	Tags          []string   `json:"tags" db:"tags,json"`
	IsAttachment  bool       `json:"is_attachment" db:"is_attachment"`
	WeblinkType   string     `json:"weblink_type" db:"weblink_type"`
	IsRemoved     bool       `json:"is_removed_at_source" db:"is_removed_at_source"`
	CheckedOn     *time.Time `json:"checked_on" db:"checked_on"`
	CheckResult   string     `json:"check_result" db:"check_result"`
	Redactions    pii.Counts `json:"redactions" db:"redactions,json"`
	CreatedOn     time.Time  `json:"created_on" db:"created_on"`
	ModifiedOn    time.Time  `json:"modified_on" db:"modified_on"`
	Blob          string     `json:"blob" db:"blob_key"`
	// Fetched: a source has fetched the bytes, so they are read and not asked for.
	Fetched bool `json:"-" db:"-"`
}

// PortableVersion is a version with its pieces. Only the newest has an index.
type PortableVersion struct {
	Number     int             `json:"number" db:"number"`
	MediaType  string          `json:"media_type" db:"media_type"`
	Size       int64           `json:"size" db:"size"`
	SHA256     string          `json:"sha256" db:"sha256"`
	Title      string          `json:"title" db:"title"`
	ModeID     int             `json:"indexing_mode_id" db:"indexing_mode_id"`
	Pages      int             `json:"pages" db:"pages"`
	Text       string          `json:"text" db:"text"`
	Embedder   string          `json:"embedder" db:"embedder"`
	Encoded    []byte          `json:"encoded" db:"encoded"`
	Redaction  string          `json:"pii_redaction" db:"pii_redaction"`
	Redactions pii.Counts      `json:"redactions" db:"redactions,json"`
	CreatedOn  time.Time       `json:"created_on" db:"created_on"`
	Blob       string          `json:"blob" db:"blob_key"`
	Pieces     []PortablePiece `json:"pieces" db:"-"`
}

// PortablePiece is a piece with the id it had; of ids only the order matters.
type PortablePiece struct {
	ID      int64  `json:"id" db:"id"`
	Page    int    `json:"page" db:"page"`
	Heading string `json:"heading" db:"heading"`
	Start   int    `json:"start" db:"start_at"`
	End     int    `json:"end" db:"end_at"`
	Text    string `json:"text" db:"text"`
	Context string `json:"context,omitempty" db:"context"`
}

// PortableColumns are the columns of each table that a bundle carries, and
// Unported those it does not, with the reason; together they are all there are.
func PortableColumns() map[string][]string {
	return map[string][]string{
		"document": strings.Fields(`name content_type source media_type size sha256 blob_key etag last_modified step is_failed failure_code failure_reason
			warnings version pieces pages tags is_attachment weblink_type is_removed_at_source checked_on check_result redactions created_on modified_on`),
		"document_version": strings.Fields(`number blob_key media_type size sha256 title indexing_mode_id pages text embedder encoded pii_redaction redactions created_on`),
		"piece":            strings.Fields(`id ordinal page heading start_at end_at text context`),
	}
}

// Unported are the columns that a bundle leaves out.
func Unported() map[string]string {
	return map[string]string{
		"org_id": "the other organization's", "id": "given anew", "corpus_id": "given anew", "document_id": "given anew", "version_id": "given anew",
		"source_id": "the items of its source name it", "revision": "counted anew", "index_seq": "counted anew", "is_deleted": "deleted ones stay", "created_by": "whoever imports it", "modified_by": "whoever imports it",
	}
}

// Porter takes what Export finds: each document, then its versions, oldest first.
type Porter interface {
	Document(d Portable) error
	Version(v PortableVersion) error
}

var errMoving = errors.New("document: a document is being read again and again while it is exported")

// Export gives the documents of a corpus that the caller may manage, oldest
// first. Each is as it was at one moment, though not all at the same.
func (s *Documents) Export(ctx context.Context, sc authz.Scope, corpusID int64, to Porter) error {
	if err := MayOn(ctx, s.DB, sc, corpusID, authz.Manage); err != nil {
		return err
	}
	var after int64
	for {
		ids, err := db.All[int64](ctx, s.DB, `SELECT id FROM document WHERE org_id = ? AND corpus_id = ? AND is_deleted = FALSE AND id > ? ORDER BY id LIMIT 500`, sc.Org(), corpusID, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := s.export(ctx, sc.Org(), id, to); err != nil {
				return err
			}
			after = id
		}
	}
}

func (s *Documents) export(ctx context.Context, orgID, id int64, to Porter) error {
	for range 10 {
		d, err := db.One[Portable](ctx, s.DB, `SELECT id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified, step, is_failed, failure_code,
			failure_reason, warnings, version, pieces, pages, tags, is_attachment, weblink_type, is_removed_at_source, checked_on, check_result, redactions, created_on, modified_on FROM document WHERE org_id = ? AND id = ? AND is_deleted = FALSE`, orgID, id)
		if errors.Is(err, db.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		newest, err := s.exportVersion(ctx, orgID, id, d.Version)
		if err != nil {
			return err
		}
		if d.Version > 0 && !newest.whole(true) {
			continue // replaced between the two
		}
		if err := to.Document(d); err != nil {
			return err
		}
		for n := 1; n < d.Version; n++ {
			v, err := s.exportVersion(ctx, orgID, id, n)
			if err != nil {
				return err
			}
			v.Encoded, v.Embedder = nil, ""
			if err := to.Version(v); err != nil {
				return err
			}
		}
		if d.Version == 0 {
			return nil
		}
		return to.Version(newest)
	}
	return fail.Unavailable("a document of the corpus is being read again and again; export it when its reading has ended").Because(errMoving)
}

func (s *Documents) exportVersion(ctx context.Context, orgID, documentID int64, number int) (PortableVersion, error) {
	if number == 0 {
		return PortableVersion{}, nil
	}
	v, err := db.One[PortableVersion](ctx, s.DB, `SELECT number, blob_key, media_type, size, sha256, title, indexing_mode_id, pages, text, embedder, encoded, pii_redaction, redactions, created_on
		FROM document_version WHERE org_id = ? AND document_id = ? AND number = ?`, orgID, documentID, number)
	if err != nil {
		return v, err
	}
	v.Pieces, err = db.All[PortablePiece](ctx, s.DB, `SELECT p.id, p.page, p.heading, p.start_at, p.end_at, p.text, p.context FROM piece p
		JOIN document_version v ON v.id = p.version_id WHERE p.org_id = ? AND v.document_id = ? AND v.number = ? ORDER BY p.ordinal`, orgID, documentID, number)
	return v, err
}

// whole tells whether the pieces are those of the index, their ids in a row.
func (v PortableVersion) whole(newest bool) bool {
	for i, p := range v.Pieces {
		if p.ID != v.Pieces[0].ID+int64(i) {
			return false
		}
	}
	if len(v.Pieces) == 0 || v.Pieces[0].ID < 1 {
		return false
	}
	if !newest {
		return len(v.Encoded) == 0
	}
	ids, err := retrieval.PieceIDs(v.Encoded)
	return err == nil && slices.EqualFunc(ids, v.Pieces, func(id int64, p PortablePiece) bool { return id == p.ID })
}

const (
	maxPortable = 1 << 40 // of a number that only counts
	maxVersions = 100_000

	maxPortableText = 256 << 20
)

// Check tells what of a document cannot be as it says.
func (d *Portable) Check() error {
	bad := func(what string) error {
		return fail.Conflict("the bundle is not well formed: a document has a %s that cannot be; export it again", what)
	}
	switch {
	case !slices.Contains([]string{File, Weblink, Text}, d.ContentType):
		return bad("content_type")
	case !slices.Contains([]string{Pending, Extracting, Chunking, Embedding, Completed}, d.Step):
		return bad("step")
	case d.Name == "" || !Fits(d.Name, maxName):
		return bad("name")
	case d.ContentType == Text && !Fits(d.Source, MaxText), d.ContentType != Text && !Fits(d.Source, 4096):
		return bad("source")
	case !Fits(d.MediaType, 100), !Fits(d.ETag, 500), !Fits(d.LastModified, 100), !Fits(d.FailureCode, 100), !Fits(d.FailureReason, 4000):
		return bad("field that is too long")
	case d.Size < 0, d.Size > maxPortable, d.Pages < 0, d.Pages > 1<<30, d.Pieces < 0, d.Pieces > 1<<30, d.Version < 0, d.Version > maxVersions:
		return bad("number")
	case !isSum(d.SHA256):
		return bad("sha256")
	case !fitsAll(d.Warnings, 1000, 4000):
		return bad("warning")
	case d.Step == Completed && d.Version == 0:
		return bad("step")
	}
	if !slices.Contains([]string{"", Page, YouTube}, d.WeblinkType) || !slices.Contains([]string{"", Changed, Unchanged, NotModified, Removed, Failed}, d.CheckResult) {
		return bad("state of its address")
	}
	if !d.Redactions.Valid() {
		return bad("count of redactions")
	}
	if d.ContentType == Weblink {
		if _, err := checkAddress(d.Source); err != nil {
			return bad("address")
		}
	}
	tags, err := CleanTags(d.Tags)
	if err != nil {
		return bad("tag")
	}
	if d.Redactions == nil {
		d.Redactions = pii.Counts{}
	}
	d.Tags, d.Warnings = tags, warnings(d.Warnings)
	return nil
}

// Check tells what of a version cannot be as it says; newest is the one that is searched.
func (v *PortableVersion) Check(newest bool) error {
	bad := func(what string) error {
		return fail.Conflict("the bundle is not well formed: a version of a document has %s that cannot be; export it again", what)
	}
	switch {
	case !v.whole(newest):
		return bad("pieces or an index")
	case modes[v.ModeID] == "":
		return bad("an indexing mode")
	case !Fits(v.MediaType, 100), !Fits(v.Title, 4000), !Fits(v.Embedder, 500), !Fits(v.Text, maxPortableText):
		return bad("a text")
	case v.Size < 0, v.Size > maxPortable, v.Pages < 0, v.Pages > 1<<30, !isSum(v.SHA256):
		return bad("a number")
	}
	if _, err := StoredRedaction(v.Redaction); err != nil || !v.Redactions.Valid() {
		return bad("a redaction")
	}
	if v.Redactions == nil {
		v.Redactions = pii.Counts{}
	}
	points := utf8.RuneCountInString(v.Text)
	for _, p := range v.Pieces {
		if p.Page < 0 || p.Page > 1<<30 || p.Start < 0 || p.End < p.Start || p.End > points || !Fits(p.Heading, 1<<16) || !Fits(p.Text, maxPortableText) || !Fits(p.Context, 1<<16) {
			return bad("a piece")
		}
	}
	return nil
}

// Fits tells whether a text can be stored as it is and has at most so many bytes
// a character.
func Fits(s string, most int) bool {
	return len(s) <= 4*most && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func fitsAll(list []string, count, most int) bool {
	return len(list) <= count && !slices.ContainsFunc(list, func(s string) bool { return !Fits(s, most) })
}

// isSum tells whether s may be a SHA-256 in hexadecimal, or is empty: an address
// that was not fetched has none.
func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && (len(b) == 0 || len(b) == sha256.Size)
}

// ReservePieces gives the first of n ids in a row for pieces that come from elsewhere.
func (s *Documents) ReservePieces(ctx context.Context, n int) (int64, error) {
	return s.ids.take(ctx, n)
}

// Import stores a document into a corpus that this transaction has made. Its Blob
// is the key that its bytes have here. Its versions follow by ImportVersion.
func (s *Documents) Import(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64, d Portable) (int64, error) {
	source := d.Source
	if d.ContentType == File {
		source = d.Name
	}
	seq := int64(0)
	if d.Version > 0 {
		var err error
		if seq, err = nextSeq(ctx, tx, sc.Org(), corpusID, 1); err != nil {
			return 0, err
		}
	}
	if !d.IsFailed && d.Step != Completed {
		d.Step = Pending
	}
	id, err := db.One[int64](ctx, tx, `INSERT INTO document (org_id, corpus_id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified,
			step, is_failed, failure_code, failure_reason, warnings, version, pieces, pages, tags, is_attachment,
			weblink_type, is_removed_at_source, checked_on, check_result, redactions, revision, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), corpusID, d.Name, d.ContentType, source, d.MediaType, d.Size, d.SHA256, d.Blob, d.ETag, d.LastModified,
		d.Step, d.IsFailed, d.FailureCode, d.FailureReason, db.JSON(d.Warnings), d.Version, d.Pieces, d.Pages, db.JSON(d.Tags), d.IsAttachment,
		d.WeblinkType, d.IsRemoved, d.CheckedOn, d.CheckResult, db.JSON(d.Redactions), seq,
		sc.Email(), d.CreatedOn, sc.Email(), d.ModifiedOn)
	if err != nil || d.Step != Pending || d.IsFailed {
		return id, err
	}
	return id, s.enqueue(ctx, tx, sc.Org(), task{DocumentID: id, Revision: 1, Stored: d.Fetched && d.Blob != ""}, false)
}

// ImportVersion stores a version of an imported document; its pieces get the
// ids from first on.
func (s *Documents) ImportVersion(ctx context.Context, tx *db.Tx, sc authz.Scope, documentID int64, v PortableVersion, first int64) error {
	encoded := []byte{}
	if len(v.Encoded) > 0 {
		var err error
		if encoded, err = retrieval.Renumber(v.Encoded, first); err != nil {
			return err
		}
	}
	id, err := db.One[int64](ctx, tx, `INSERT INTO document_version (org_id, document_id, number, blob_key, media_type, size, sha256, title, indexing_mode_id, pages, text, embedder, encoded, pii_redaction, redactions, created_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), documentID, v.Number, v.Blob, v.MediaType, v.Size, v.SHA256, v.Title, v.ModeID, v.Pages, v.Text, v.Embedder, encoded, v.Redaction, db.JSON(v.Redactions), v.CreatedOn)
	if err != nil {
		return err
	}
	var args []any
	for i := 0; i < len(v.Pieces); {
		n := pieceRows[slices.IndexFunc(pieceRows, func(n int) bool { return n <= len(v.Pieces)-i })]
		args = args[:0]
		for _, p := range v.Pieces[i : i+n] {
			args = append(args, first+int64(i), sc.Org(), documentID, id, i, p.Page, p.Heading, p.Start, p.End, p.Text, p.Context)
			i++
		}
		if _, err := db.Exec(ctx, tx, insertPieces()[n], args...); err != nil {
			return err
		}
	}
	return nil
}

// ImportDeleted stores that somebody deleted what a source found, so that the
// source leaves it alone; of the document nothing is left, as after a sweep.
func (s *Documents) ImportDeleted(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64) (int64, error) {
	now := time.Now()
	return db.One[int64](ctx, tx, `INSERT INTO document (org_id, corpus_id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified,
			step, is_failed, failure_code, failure_reason, warnings, version, pieces, pages, tags, is_attachment, revision, index_seq,
			is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, '', 'weblink', '', '', 0, '', '', '', '', 'completed', FALSE, '', '', '[]', 0, 0, 0, '[]', FALSE, 1, 0, TRUE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), corpusID, sc.Email(), now, sc.Email(), now)
}

// ImportOwner says which source an imported document comes from.
func (s *Documents) ImportOwner(ctx context.Context, tx *db.Tx, sc authz.Scope, id, sourceID int64) error {
	_, err := db.Exec(ctx, tx, `UPDATE document SET source_id = ? WHERE org_id = ? AND id = ?`, sourceID, sc.Org(), id)
	return err
}
