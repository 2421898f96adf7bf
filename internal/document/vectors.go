package document

import (
	"context"
	"errors"
	"slices"
	"time"

	"atrium/internal/db"
	"atrium/internal/retrieval"
	"atrium/internal/retrieval/pgvector"
)

// Where Vectors are in the database they follow the same changes as the indexes in
// memory, with the encoded documents as the truth. A search brings in what it needs;
// the job that read a document does it before, so that searches seldom wait.

// vectorsOf are the vectors of a search with all changes of its corpora in them; nil
// when some are not made by the embedder yet.
func (s *Documents) vectorsOf(ctx context.Context, orgID int64, open []searchable, embedder string) (retrieval.Vectors, error) {
	ids := make([]int64, len(open))
	for i, c := range open {
		ids[i] = c.ID
		err := s.catchUp(ctx, orgID, c.ID, c.IndexSeq, embedder)
		if errors.Is(err, pgvector.ErrBehind) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return s.Vectors.View(pgvector.View{OrgID: orgID, Corpora: padded(ids), Embedder: embedder}), nil
}

func (s *Documents) catchUp(ctx context.Context, orgID, corpusID, seq int64, embedder string) error {
	return s.Vectors.CatchUp(ctx, pgvector.Key{OrgID: orgID, CorpusID: corpusID, Embedder: embedder}, seq, s.feed(orgID, corpusID, embedder))
}

// feed gives a corpus's changes up to the first document without vectors of the
// embedder.
func (s *Documents) feed(orgID, corpusID int64, embedder string) pgvector.Feed {
	return func(ctx context.Context, tx *db.Tx, after pgvector.Cursor, limit int) ([]pgvector.Change, int64, error) {
		found, err := changes(ctx, tx, orgID, corpusID, embedder, after.Seq, after.DocumentID, limit)
		out := make([]pgvector.Change, 0, len(found))
		for _, d := range found {
			c := pgvector.Change{Seq: d.Seq, DocumentID: d.ID}
			if !d.Deleted && len(d.Encoded) > 0 {
				if d.Embedder != embedder {
					return out, d.Seq - 1, nil
				}
				c.Encoded = d.Encoded
			}
			out = append(out, c)
		}
		if err != nil || len(found) == limit {
			return out, 0, err
		}
		return out, pgvector.End, nil
	}
}

// follow brings in a document that was just read.
func (s *Documents) follow(ctx context.Context, r *reading) {
	if s.Vectors == nil || r.seq == 0 || r.vectors == "" {
		return
	}
	err := s.catchUp(ctx, r.OrgID, r.CorpusID, r.seq, r.vectors)
	if err != nil && !errors.Is(err, pgvector.ErrBehind) && ctx.Err() == nil {
		s.Log.Warn("the vectors of a document could not be brought into the database; the next search does it", "document", r.ID, "error", err)
	}
}

// followAll brings in all corpora of an organization.
func (s *Documents) followAll(ctx context.Context, orgID int64, embedder string) error {
	if s.Vectors == nil {
		return nil
	}
	all, err := db.All[searchable](ctx, s.DB, `SELECT id, index_seq FROM corpus WHERE org_id = ? AND is_deleted = FALSE ORDER BY id`, orgID)
	for _, c := range all {
		if err = s.catchUp(ctx, orgID, c.ID, c.IndexSeq, embedder); err != nil && !errors.Is(err, pgvector.ErrBehind) {
			return err
		}
		err = nil
	}
	return err
}

// tendEvery is how often indexes are looked after.
const tendEvery = time.Minute

// tendVectors brings in what is not there at the start, then makes indexes and removes
// what is no longer searched, until ctx ends.
func (s *Documents) tendVectors(ctx context.Context) {
	warn := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			s.Log.Warn(what, "error", err)
		}
	}
	s.followEveryone(ctx)
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		warn("vectors that are no longer searched could not be removed", s.sweepVectors(ctx))
		warn("an index of vectors could not be made; all are compared until then", s.Vectors.Tend(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// followEveryone brings in all corpora, so that the first search of one need not wait
// and of a deleted document nothing is left though nobody searches.
func (s *Documents) followEveryone(ctx context.Context) {
	if s.Vectors == nil {
		return
	}
	orgs, err := db.All[int64](ctx, s.DB, `SELECT id FROM organization ORDER BY id`)
	for _, id := range orgs {
		active, bad := s.active(ctx, s.DB, id)
		if bad == nil && active != "" {
			bad = s.followAll(ctx, id, active)
		}
		err = errors.Join(err, bad)
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("vectors could not be brought into the database; searches do it", "error", err)
	}
}

// sweepVectors removes those of deleted corpora, and of embedders that an organization
// neither searches with nor changes to.
func (s *Documents) sweepVectors(ctx context.Context) error {
	keys, err := s.Vectors.Keys(ctx)
	if err != nil || s.Embed == nil {
		return err
	}
	for _, k := range keys {
		gone, err := db.One[bool](ctx, s.DB, `SELECT NOT EXISTS (SELECT 1 FROM corpus WHERE org_id = ? AND id = ? AND is_deleted = FALSE)`, k.OrgID, k.CorpusID)
		if err != nil {
			return err
		}
		active, err := s.active(ctx, s.DB, k.OrgID)
		if err != nil {
			return err
		}
		targets, err := db.All[string](ctx, s.DB, `SELECT target FROM embedding WHERE org_id = ?`, k.OrgID)
		if err != nil {
			return err
		}
		if gone || k.Embedder != active && !slices.Contains(targets, k.Embedder) {
			if err := s.Vectors.Forget(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}
