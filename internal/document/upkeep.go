package document

import (
	"context"
	"sync"
	"time"

	"atrium/internal/db"
)

const (
	// retention is how long a deleted document's content is kept.
	retention  = 30 * 24 * time.Hour
	sweepEvery = time.Hour
	orphanAge  = 24 * time.Hour // an upload under way is younger
	warmPieces = 20_000         // in the corpora that are loaded at the start
)

// Background loads small corpora so that the first question is quick, then
// removes what is no longer needed, until ctx ends. It sees, too, that all vectors
// are those of the embedder that is set.
func (s *Documents) Background(ctx context.Context) {
	if s.Vectors != nil {
		var tending sync.WaitGroup
		defer tending.Wait()
		tending.Go(func() { s.tendVectors(ctx) })
	}
	s.reembedAll(ctx)
	if err := s.WarmUp(ctx); err != nil && ctx.Err() == nil {
		s.Log.Warn("corpora could not be loaded ahead", "error", err)
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.reembedAll(ctx)
			s.followEveryone(ctx)
			if err := s.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
				s.Log.Warn("what is no longer needed could not be removed", "error", err)
			}
		}
	}
}

func (s *Documents) reembedAll(ctx context.Context) {
	if err := s.Reembed(ctx); err != nil && ctx.Err() == nil {
		s.Log.Warn("the vectors of another embedder could not be looked for", "error", err)
	}
}

type weighed struct {
	ID     int64 `db:"id"`
	OrgID  int64 `db:"org_id"`
	Seq    int64 `db:"index_seq"`
	Pieces int64 `db:"pieces"`
}

// WarmUp loads the indexes of the smallest corpora, as many as are cheap.
func (s *Documents) WarmUp(ctx context.Context) error {
	all, err := db.All[weighed](ctx, s.DB, `SELECT c.id, c.org_id, c.index_seq, CAST(SUM(d.pieces) AS BIGINT) AS pieces
		FROM corpus c JOIN document d ON d.corpus_id = c.id AND d.is_deleted = FALSE
		WHERE c.is_deleted = FALSE GROUP BY c.id, c.org_id, c.index_seq ORDER BY pieces, c.id LIMIT 100`)
	if err != nil {
		return err
	}
	left := int64(warmPieces)
	for _, c := range all {
		if left -= c.Pieces; left < 0 {
			return nil
		}
		active, err := s.active(ctx, s.DB, c.OrgID)
		if err != nil {
			return err
		}
		if _, err := s.indexes.at(ctx, c.OrgID, c.ID, c.Seq, active); err != nil {
			return err
		}
	}
	return nil
}

// Sweep removes the content of documents that were deleted long before now, and
// stored bytes that no row names, such as those of an upload that broke off.
func (s *Documents) Sweep(ctx context.Context, now time.Time) error {
	for {
		n, err := s.purge(ctx, now.Add(-retention))
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	return s.Blobs.Sweep(now.Add(-orphanAge), func(orgID int64, key string) bool {
		n, err := db.One[int64](ctx, s.DB, `SELECT (SELECT COUNT(*) FROM document WHERE blob_key = ? AND org_id = ?) + (SELECT COUNT(*) FROM document_version WHERE blob_key = ? AND org_id = ?)
			+ (SELECT COUNT(*) FROM organization WHERE logo_key = ? AND id = ?)`, key, orgID, key, orgID, key, orgID)
		return err != nil || n > 0
	})
}

const purgeBatch = 50

// purge empties some of the documents that were deleted before a time. The row
// stays, for what names it.
func (s *Documents) purge(ctx context.Context, before time.Time) (int, error) {
	ids, err := db.All[int64](ctx, s.DB, `SELECT d.id FROM document d WHERE d.is_deleted = TRUE AND d.modified_on < ?
		AND (d.blob_key <> '' OR d.source <> '' OR EXISTS (SELECT 1 FROM document_version v WHERE v.document_id = d.id AND v.sha256 <> '')) ORDER BY d.id LIMIT ?`, before, purgeBatch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return len(ids), s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		marks, args := db.In(ids)
		for _, q := range []string{
			`DELETE FROM reembedded WHERE version_id IN (SELECT v.id FROM document_version v WHERE v.document_id IN (` + marks + `))`,
			`DELETE FROM piece WHERE document_id IN (` + marks + `)`,
			`DELETE FROM document_starter WHERE document_id IN (` + marks + `)`,
			`UPDATE document_version SET blob_key = '', sha256 = '', title = '', text = '' WHERE document_id IN (` + marks + `)`,
			`UPDATE document SET blob_key = '', source = '', sha256 = '' WHERE id IN (` + marks + `)`,
		} {
			if _, err := db.Exec(ctx, tx, q, args...); err != nil {
				return err
			}
		}
		_, err := db.Exec(ctx, tx, `UPDATE document_version SET encoded = ? WHERE document_id IN (`+marks+`)`, append([]any{[]byte{}}, args...)...)
		return err
	})
}
