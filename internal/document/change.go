package document

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Patch changes a document; nil fields stay.
type Patch struct {
	Name *string  `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"\\S" doc:"What it is called in lists and citations. Its weight in search follows when the document is refreshed."`
	Tags []string `json:"tags,omitempty" nullable:"true" maxItems:"50" doc:"Replaces the tags; an empty list removes them."`
}

// target is a document about to be changed.
type target struct {
	ID           int64  `db:"id"`
	CorpusID     int64  `db:"corpus_id"`
	Step         string `db:"step"`
	IsFailed     bool   `db:"is_failed"`
	IsAttachment bool   `db:"is_attachment"`
	Revision     int64  `db:"revision"`
	ContentType  string `db:"content_type"`
	BlobKey      string `db:"blob_key"`
	May          bool   `db:"may"`
}

// targets loads those of the ids that the caller sees, with whether the action
// is allowed on them.
func (s *Documents) targets(ctx context.Context, tx *db.Tx, sc authz.Scope, a authz.Action, ids []int64) ([]target, error) {
	see, seeArgs := sc.Where(authz.View, authz.Document, "d")
	may, mayArgs := sc.Where(a, authz.Document, "d")
	marks, idArgs := db.In(ids)
	return db.All[target](ctx, tx, `SELECT d.id, d.corpus_id, d.step, d.is_failed, d.is_attachment, d.revision, d.content_type, d.blob_key, CASE WHEN `+may+` THEN TRUE ELSE FALSE END AS may
		FROM document d WHERE d.id IN (`+marks+`) AND d.is_deleted = FALSE AND `+see+` ORDER BY d.id`, slices.Concat(mayArgs, idArgs, seeArgs)...)
}

func (s *Documents) target(ctx context.Context, tx *db.Tx, sc authz.Scope, a authz.Action, id int64) (target, error) {
	found, err := s.targets(ctx, tx, sc, a, []int64{id})
	switch {
	case err != nil:
		return target{}, err
	case len(found) == 0:
		return target{}, unknown(id)
	case !found[0].May:
		return target{}, forbidden(id)
	}
	return found[0], nil
}

// Update changes a document's name and tags.
func (s *Documents) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Document, error) {
	set, args := []string{}, []any{}
	if p.Name != nil {
		set, args = append(set, "name = ?"), append(args, clip(strings.TrimSpace(*p.Name), maxName))
	}
	if p.Tags != nil {
		tags, err := CleanTags(p.Tags)
		if err != nil {
			return Document{}, err
		}
		set, args = append(set, "tags = ?"), append(args, db.JSON(tags))
	}
	return s.change(ctx, sc, authz.Edit, id, func(ctx context.Context, tx *db.Tx, t target) error {
		if len(set) == 0 {
			return nil
		}
		_, err := db.Exec(ctx, tx, `UPDATE document SET `+strings.Join(set, ", ")+`, modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ?`,
			append(args, sc.Email(), time.Now(), sc.Org(), t.ID)...)
		return err
	})
}

// Refresh has a document read again: a failed one is tried anew, an address is
// fetched anew. While it is being read already nothing changes.
func (s *Documents) Refresh(ctx context.Context, sc authz.Scope, id int64) (Document, error) {
	return s.change(ctx, sc, authz.Edit, id, func(ctx context.Context, tx *db.Tx, t target) error {
		if t.ContentType == File && t.BlobKey == "" {
			return fail.Conflict("the original of document %d was not kept, as its corpus asks, so it cannot be read again; upload the file again", t.ID)
		}
		return s.requeue(ctx, tx, sc, twin{ID: t.ID, Step: t.Step, IsFailed: t.IsFailed}, t.IsAttachment)
	})
}

// change does something to one document and answers it as it is then.
func (s *Documents) change(ctx context.Context, sc authz.Scope, a authz.Action, id int64, do func(context.Context, *db.Tx, target) error) (Document, error) {
	var out Document
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		t, err := s.target(ctx, tx, sc, a, id)
		if err != nil {
			return err
		}
		if err := do(ctx, tx, t); err != nil {
			return err
		}
		docs, err := s.load(ctx, tx, sc.Org(), []int64{id})
		if err == nil {
			out = docs[0]
		}
		return err
	})
	return out, err
}

// Delete removes a document: searches leave it out at once, its reading stops,
// its bytes go with the next sweep.
func (s *Documents) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		t, err := s.target(ctx, tx, sc, authz.Delete, id)
		if err != nil {
			return err
		}
		return s.remove(ctx, tx, sc, t.CorpusID, []target{t})
	})
}

// Deleted tells what became of each id of a DeleteMany.
type Deleted struct {
	Deleted  []int64 `json:"deleted_ids" nullable:"false"`
	NotFound []int64 `json:"not_found_ids" nullable:"false" doc:"Unknown, in another corpus, deleted before, or not visible to you."`
}

// DeleteMany is Delete for several documents of one corpus, answered id by id.
// It fails as a whole when one of them may not be deleted.
func (s *Documents) DeleteMany(ctx context.Context, sc authz.Scope, corpusID int64, ids []int64) (Deleted, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	out := Deleted{Deleted: []int64{}, NotFound: []int64{}}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := MayOn(ctx, tx, sc, corpusID, authz.View); err != nil {
			return err
		}
		found, err := s.targets(ctx, tx, sc, authz.Delete, ids)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(t target) bool { return t.CorpusID != corpusID })
		out.Deleted, out.NotFound = out.Deleted[:0], out.NotFound[:0]
		for _, t := range found {
			if !t.May {
				return forbidden(t.ID)
			}
			out.Deleted = append(out.Deleted, t.ID)
		}
		for _, id := range ids {
			if !slices.Contains(out.Deleted, id) {
				out.NotFound = append(out.NotFound, id)
			}
		}
		if len(found) == 0 {
			return nil
		}
		return s.remove(ctx, tx, sc, corpusID, found)
	})
	return out, err
}

func (s *Documents) remove(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64, ts []target) error {
	seq, err := nextSeq(ctx, tx, sc.Org(), corpusID, 1)
	if err != nil {
		return err
	}
	for _, t := range ts {
		if _, err := db.Exec(ctx, tx, `UPDATE document SET is_deleted = TRUE, index_seq = ?, modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ?`,
			seq, sc.Email(), time.Now(), sc.Org(), t.ID); err != nil {
			return err
		}
		if t.IsFailed || t.Step == Completed {
			continue
		}
		if err := s.Jobs.CancelKey(ctx, tx, jobKind, task{DocumentID: t.ID, Revision: t.Revision}.key()); err != nil {
			return err
		}
	}
	return nil
}

// nextSeq counts n changes of a corpus and answers the number of the last; on
// PostgreSQL it also makes the changes of one corpus wait for one another, so that
// a number is never seen before a lower one.
func nextSeq(ctx context.Context, tx *db.Tx, orgID, corpusID int64, n int) (int64, error) {
	return db.One[int64](ctx, tx, `UPDATE corpus SET index_seq = index_seq + ? WHERE org_id = ? AND id = ? RETURNING index_seq`, n, orgID, corpusID)
}

// RemoveCorpus takes all documents of a corpus away, in the transaction that
// deletes it. Readings under way find out when they end.
func (s *Documents) RemoveCorpus(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64) error {
	seq, err := nextSeq(ctx, tx, sc.Org(), corpusID, 1)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE document SET is_deleted = TRUE, index_seq = ?, modified_by = ?, modified_on = ? WHERE org_id = ? AND corpus_id = ? AND is_deleted = FALSE`,
		seq, sc.Email(), time.Now(), sc.Org(), corpusID)
	tx.AfterCommit(func() { s.indexes.forget(corpusID) })
	return err
}
