package document

import (
	"context"
	"errors"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
)

func nullable(id int64) *int64 {
	if id == 0 {
		return nil
	}
	return &id
}

// Found puts what a source has fetched into a corpus, in the transaction that
// notes the visit, and tells whether that is Changed or Unchanged and whether
// the document is new. The blob of an unchanged one is the caller's to remove.
func (s *Documents) Found(ctx context.Context, tx *db.Tx, orgID, corpusID int64, d Draft) (id int64, result string, added bool, err error) {
	drafts := []Draft{d}
	if err := check(drafts); err != nil {
		return 0, "", false, err
	}
	d = drafts[0]
	sc := authz.System(orgID)
	if err := lockCorpus(ctx, tx, corpusID); err != nil {
		return 0, "", false, err
	}
	was, err := s.find(ctx, tx, orgID, corpusID, d)
	switch {
	case errors.Is(err, db.ErrNone):
		id, err = s.insert(ctx, tx, sc, corpusID, d)
		added = true
	case err != nil:
		return 0, "", false, err
	case was.SHA256 == d.Blob.SHA256 && !was.IsFailed:
		return was.ID, Unchanged, false, s.Checked(ctx, tx, orgID, was.ID, Unchanged)
	default:
		id = was.ID
		if _, err = db.Exec(ctx, tx, `UPDATE document SET etag = ?, last_modified = ? WHERE org_id = ? AND id = ?`,
			clip(d.ETag, maxETag), clip(d.LastModified, maxDate), orgID, id); err == nil {
			err = s.replace(ctx, tx, sc, was, d)
		}
	}
	if err != nil {
		return 0, "", false, err
	}
	return id, Changed, added, s.Checked(ctx, tx, orgID, id, Changed)
}

// lockCorpus makes additions to one corpus wait for one another, so that two of
// one name do not become two documents.
func lockCorpus(ctx context.Context, tx *db.Tx, corpusID int64) error {
	lock := tx.Pick("", `SELECT id FROM corpus WHERE id = ? FOR NO KEY UPDATE`)
	if lock == "" {
		return nil
	}
	_, err := db.One[int64](ctx, tx, lock, corpusID)
	return err
}

// Checked notes what came of looking for a document at its source.
func (s *Documents) Checked(ctx context.Context, tx *db.Tx, orgID, id int64, result string) error {
	_, err := db.Exec(ctx, tx, `UPDATE document SET checked_on = ?, check_result = ?, is_removed_at_source = ? WHERE org_id = ? AND id = ? AND is_deleted = FALSE`,
		time.Now(), result, result == Removed, orgID, id)
	return err
}

// RefreshBatch is how many documents one RefreshSome queues at most.
const RefreshBatch = 200

// RefreshSome has documents of a corpus looked at again, those with an id above
// the given one, and answers the last id, 0 when there are no more. Addresses
// that were asked after the given time are left alone, as is what a source
// looks after. With everything, files and texts are read again too that failed,
// or were read in another mode than now.
func (s *Documents) RefreshSome(ctx context.Context, tx *db.Tx, orgID, corpusID, after int64, since time.Time, everything bool) (last int64, err error) {
	which := `d.content_type = 'weblink' AND d.source_id IS NULL AND (d.checked_on IS NULL OR d.checked_on < ?)`
	args := []any{orgID, corpusID, after, since}
	if everything {
		which = `(` + which + `) OR d.content_type <> 'weblink' AND (d.is_failed = TRUE AND d.modified_on < ? OR d.is_failed = FALSE AND EXISTS (SELECT 1 FROM document_version v
			WHERE v.document_id = d.id AND v.number = d.version AND v.indexing_mode_id <> c.indexing_mode_id))
			OR d.source_id IS NOT NULL AND d.is_failed = FALSE AND EXISTS (SELECT 1 FROM document_version v
			WHERE v.document_id = d.id AND v.number = d.version AND v.indexing_mode_id <> c.indexing_mode_id)`
		args = append(args, since)
	}
	found, err := db.All[target](ctx, tx, `SELECT d.id, d.corpus_id, d.step, d.is_failed, d.is_attachment, d.revision, TRUE AS may
		FROM document d JOIN corpus c ON c.id = d.corpus_id AND c.is_deleted = FALSE
		WHERE d.org_id = ? AND d.corpus_id = ? AND d.id > ? AND d.is_deleted = FALSE AND (d.step = 'completed' OR d.is_failed = TRUE) AND (`+which+`)
		ORDER BY d.id LIMIT ?`, append(args, RefreshBatch)...)
	if err != nil {
		return 0, err
	}
	for _, t := range found {
		revision, err := db.One[int64](ctx, tx, `UPDATE document SET revision = revision + 1, step = 'pending', is_failed = FALSE, failure_code = '', failure_reason = ''
			WHERE org_id = ? AND id = ? RETURNING revision`, orgID, t.ID)
		if err != nil {
			return 0, err
		}
		if err := s.enqueue(ctx, tx, orgID, task{DocumentID: t.ID, Revision: revision, Force: true}, false); err != nil {
			return 0, err
		}
		last = t.ID
	}
	if len(found) < RefreshBatch {
		last = 0
	}
	return last, nil
}

// RemoveOf takes the documents of a source away, or lets them stand for themselves.
func (s *Documents) RemoveOf(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID, sourceID int64, keep bool) error {
	if keep {
		_, err := db.Exec(ctx, tx, `UPDATE document SET source_id = NULL WHERE org_id = ? AND source_id = ?`, sc.Org(), sourceID)
		return err
	}
	seq, err := nextSeq(ctx, tx, sc.Org(), corpusID, 1)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE document SET is_deleted = TRUE, index_seq = ?, modified_by = ?, modified_on = ? WHERE org_id = ? AND source_id = ? AND is_deleted = FALSE`,
		seq, sc.Email(), time.Now(), sc.Org(), sourceID)
	return err
}
