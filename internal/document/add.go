package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/job"
)

// Draft is a document to be added: a stored file, an address or a text.
type Draft struct {
	ContentType  string    // File, Weblink or Text
	Name         string    // of a file; of a text its first line when empty; of an address what its page says
	Source       string    // the address or the text
	Blob         blob.Blob // the bytes of a file, stored already
	MediaType    string    // of a file, as its sender says
	Tags         []string
	IsAttachment bool
	WeblinkType  string // of an address: Page when empty
	// Of an address that a source has fetched: the source, the bytes in Blob, and
	// what they are asked for with the next time.
	SourceID           int64
	ETag, LastModified string
}

// Added is what became of a Draft. Known says that the corpus had exactly this
// already, and nothing is read again.
type Added struct {
	Document
	Known bool
}

// Add puts a document into a corpus that the caller may edit and queues its
// reading; when it returns, both are on the disk. The same file name with other
// bytes is a new version of that document; the same bytes, the same text or the
// same address are recognized (an address is fetched again). The blob of a
// draft belongs to Documents from here on, also when Add fails.
func (s *Documents) Add(ctx context.Context, sc authz.Scope, corpusID int64, d Draft) (Added, error) {
	out, err := s.AddAll(ctx, sc, corpusID, []Draft{d})
	if err != nil {
		return Added{}, err
	}
	return out[0], nil
}

// AddAll is Add for several documents at once: all of them or none.
func (s *Documents) AddAll(ctx context.Context, sc authz.Scope, corpusID int64, drafts []Draft) ([]Added, error) {
	var out []Added
	unused := map[string]bool{}
	err := func() error {
		if err := check(drafts); err != nil {
			return err
		}
		return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			clear(unused)
			out, err = s.add(ctx, tx, sc, corpusID, drafts, unused)
			return err
		})
	}()
	// After an error of the database it is not sure that nothing was stored; the
	// sweep looks.
	var refused *fail.Error
	for _, d := range drafts {
		if d.Blob.Key != "" && (errors.As(err, &refused) || err == nil && unused[d.Blob.Key]) {
			s.discard(sc.Org(), d.Blob.Key)
		}
	}
	return out, err
}

// discard removes a blob that no row names; the sweep finds what it cannot.
func (s *Documents) discard(orgID int64, key string) {
	if err := s.Blobs.Delete(orgID, key); err != nil {
		s.Log.Warn("a file cannot be removed now", "blob", key, "error", err)
	}
}

// check cleans the drafts in place.
func check(drafts []Draft) error {
	names := map[string]bool{}
	for i := range drafts {
		d := &drafts[i]
		tags, err := CleanTags(d.Tags)
		if err != nil {
			return err
		}
		d.Tags = tags
		switch d.ContentType {
		case File:
			d.Name = cleanName(d.Name)
			if d.Blob.Size == 0 {
				return fail.InvalidField("source", "source: the file %s is empty; choose one that has content", d.Name)
			}
			if names[d.Name] {
				return fail.InvalidField("source", "source: two files are called %s; send them one after the other, or rename one", d.Name)
			}
			names[d.Name] = true
		case Weblink:
			if d.Source, err = checkAddress(d.Source); err != nil {
				return err
			}
			if err := checkWeblink(d); err != nil {
				return err
			}
		case Text:
			if strings.TrimSpace(d.Source) == "" {
				return fail.InvalidField("source", "source: the text is empty")
			}
			if len(d.Source) > MaxText {
				return fail.TooLarge("the text is larger than %d MiB; upload it as a file", MaxText>>20)
			}
			d.Source = strings.ReplaceAll(strings.ToValidUTF8(d.Source, "\uFFFD"), "\x00", "\uFFFD")
			if d.Name = strings.TrimSpace(d.Name); d.Name == "" {
				d.Name = firstLine(d.Source)
			}
			d.Name = clip(strings.ToValidUTF8(d.Name, ""), maxName)
			sum := sha256.Sum256([]byte(d.Source))
			d.Blob = blob.Blob{Size: int64(len(d.Source)), SHA256: hex.EncodeToString(sum[:])}
			d.MediaType = "text/plain"
		default:
			return fail.InvalidField("content_type", "content_type: %q is not one of file, weblink, text", clip(d.ContentType, 40))
		}
		d.MediaType, _, _ = strings.Cut(d.MediaType, ";")
		d.MediaType = clip(strings.ToLower(strings.TrimSpace(d.MediaType)), 100)
	}
	return nil
}

// twin is the document of a corpus that a draft is, if it is there.
type twin struct {
	ID       int64  `db:"id"`
	SHA256   string `db:"sha256"`
	BlobKey  string `db:"blob_key"`
	Step     string `db:"step"`
	IsFailed bool   `db:"is_failed"`
}

const twinColumns = `SELECT id, sha256, blob_key, step, is_failed FROM document WHERE org_id = ? AND corpus_id = ? AND is_deleted = FALSE AND `

func (s *Documents) find(ctx context.Context, tx *db.Tx, orgID, corpusID int64, d Draft) (twin, error) {
	switch d.ContentType {
	case Weblink:
		return db.One[twin](ctx, tx, twinColumns+`content_type = 'weblink' AND source = ? ORDER BY id LIMIT 1`, orgID, corpusID, d.Source)
	case Text:
		return db.One[twin](ctx, tx, twinColumns+`content_type = 'text' AND sha256 = ? AND name = ? ORDER BY id LIMIT 1`, orgID, corpusID, d.Blob.SHA256, d.Name)
	}
	return db.One[twin](ctx, tx, twinColumns+`content_type = 'file' AND name = ? ORDER BY id LIMIT 1`, orgID, corpusID, d.Name)
}

func (s *Documents) add(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64, drafts []Draft, unused map[string]bool) ([]Added, error) {
	if err := MayOn(ctx, tx, sc, corpusID, authz.Edit); err != nil {
		return nil, err
	}
	if err := lockCorpus(ctx, tx, corpusID); err != nil {
		return nil, err
	}
	rule, err := redactionOf(ctx, tx, sc.Org(), corpusID)
	if err != nil {
		return nil, err
	}
	rule.hideNames(drafts)
	ids := make([]int64, len(drafts))
	known := make([]bool, len(drafts))
	for i, d := range drafts {
		was, err := s.find(ctx, tx, sc.Org(), corpusID, d)
		switch {
		case errors.Is(err, db.ErrNone):
			ids[i], err = s.insert(ctx, tx, sc, corpusID, d)
		case err != nil:
		case d.ContentType == Weblink:
			ids[i], known[i] = was.ID, true
			err = s.requeue(ctx, tx, sc, was, d.IsAttachment)
		case was.SHA256 == d.Blob.SHA256 && (!was.IsFailed || was.BlobKey != "" || d.ContentType == Text):
			ids[i], known[i] = was.ID, true
			unused[d.Blob.Key] = true
			if was.IsFailed {
				known[i] = false
				err = s.requeue(ctx, tx, sc, was, d.IsAttachment)
			}
		default:
			ids[i] = was.ID
			err = s.replace(ctx, tx, sc, was, d)
		}
		if err != nil {
			return nil, err
		}
	}
	docs, err := s.load(ctx, tx, sc.Org(), ids)
	out := make([]Added, len(docs))
	for i := range docs {
		out[i] = Added{docs[i], known[i]}
	}
	return out, err
}

func (s *Documents) insert(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64, d Draft) (int64, error) {
	now := time.Now()
	source := d.Source
	if d.ContentType == File {
		source = d.Name
	}
	id, err := db.One[int64](ctx, tx, `INSERT INTO document (org_id, corpus_id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified, source_id, weblink_type,
			step, is_failed, failure_code, failure_reason, warnings, version, pieces, pages, tags, is_attachment, revision, index_seq,
			is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', FALSE, '', '', '[]', 0, 0, 0, ?, ?, 1, 0, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), corpusID, d.Name, d.ContentType, source, d.MediaType, d.Blob.Size, d.Blob.SHA256, d.Blob.Key, clip(d.ETag, maxETag), clip(d.LastModified, maxDate), nullable(d.SourceID), d.WeblinkType,
		db.JSON(d.Tags), d.IsAttachment, sc.Email(), now, sc.Email(), now)
	if err != nil {
		return 0, err
	}
	return id, s.enqueue(ctx, tx, sc.Org(), task{DocumentID: id, Revision: 1, Stored: d.SourceID != 0}, d.IsAttachment)
}

// replace gives a document new bytes; the versions it has stay.
func (s *Documents) replace(ctx context.Context, tx *db.Tx, sc authz.Scope, was twin, d Draft) error {
	_, err := db.Exec(ctx, tx, `UPDATE document SET media_type = ?, size = ?, sha256 = ?, blob_key = ? WHERE org_id = ? AND id = ?`,
		d.MediaType, d.Blob.Size, d.Blob.SHA256, d.Blob.Key, sc.Org(), was.ID)
	if err != nil {
		return err
	}
	return s.queueAgain(ctx, tx, sc, task{DocumentID: was.ID, Stored: d.SourceID != 0}, d.IsAttachment)
}

// requeue has a document read again, unless that is under way.
func (s *Documents) requeue(ctx context.Context, tx *db.Tx, sc authz.Scope, was twin, urgent bool) error {
	if !was.IsFailed && was.Step != Completed {
		return nil
	}
	return s.queueAgain(ctx, tx, sc, task{DocumentID: was.ID, Force: true}, urgent)
}

func (s *Documents) queueAgain(ctx context.Context, tx *db.Tx, sc authz.Scope, t task, urgent bool) (err error) {
	t.Revision, err = db.One[int64](ctx, tx, `UPDATE document SET revision = revision + 1, step = 'pending', is_failed = FALSE, failure_code = '', failure_reason = '',
			modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ? RETURNING revision`, sc.Email(), time.Now(), sc.Org(), t.DocumentID)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, tx, sc.Org(), t, urgent)
}

// task is what the job reads. A revision counts how often reading was asked
// for; a run of an older one changes nothing any more.
type task struct {
	DocumentID int64 `json:"document_id"`
	Revision   int64 `json:"revision"`
	Force      bool  `json:"force,omitempty"`  // also when the bytes are the ones read before
	Stored     bool  `json:"stored,omitempty"` // the bytes of the address have been fetched
}

func (t task) key() string {
	return strconv.FormatInt(t.DocumentID, 10) + "." + strconv.FormatInt(t.Revision, 10)
}

func (s *Documents) enqueue(ctx context.Context, tx *db.Tx, orgID int64, t task, urgent bool) error {
	priority := 0
	if urgent {
		priority = 10 // somebody waits with a question
	}
	_, err := s.Jobs.Enqueue(ctx, tx, job.Spec{Kind: jobKind, OrgID: orgID, Key: t.key(), Payload: t, Priority: priority})
	return err
}
