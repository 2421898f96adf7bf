package pgvector

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"atrium/internal/db"
)

// maxIndexed is the most dimensions that the extension indexes of a halfvec.
const maxIndexed = 4000

const indexNames = "piece_vector_hnsw_"

func indexName(space int64) string { return indexNames + strconv.FormatInt(space, 10) }

// Room is how many bytes the indexes in the database at an address have, and how many of
// all its tables the PostgreSQL server keeps in its own memory. Where they do not fit,
// searches take twice the time and more.
func Room(ctx context.Context, address string) (indexes, kept int64, err error) {
	err = db.Row(ctx, address, `SELECT CAST(COALESCE(SUM(pg_relation_size(oid)), 0) AS BIGINT), pg_size_bytes(current_setting('shared_buffers'))
		FROM pg_class WHERE relkind = 'i' AND starts_with(relname, $1)`, []any{indexNames}, &indexes, &kept)
	return indexes, kept, err
}

// indexed is how many rows a space's index has, roughly; 0 without one.
func (s *Store) indexed(ctx context.Context, q db.Querier, space int64) (float64, error) {
	return db.One[float64](ctx, q, `SELECT COALESCE((SELECT GREATEST(c.reltuples, 1) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE i.indexrelid = to_regclass(?) AND i.indisvalid), 0)`, indexName(space))
}

// Tend makes the indexes that are worth while, and drops those of spaces that nothing
// is left of. It may take minutes; searches go on meanwhile. What another server is at
// is left to it.
func (s *Store) Tend(ctx context.Context) error {
	ctx = db.WithOrg(ctx, 0)
	spaces, err := db.All[struct {
		ID    int64 `db:"id"`
		Dims  int   `db:"dims"`
		Most  int64 `db:"most"`  // pieces of one organization
		There bool  `db:"there"` // an index, be it broken
		Valid bool  `db:"valid"` // and made as one is now
	}](ctx, s.DB, `SELECT x.id, x.dims, CAST(COALESCE((SELECT SUM(n.pieces) AS pieces FROM vector_sum n WHERE n.space_id = x.id GROUP BY n.org_id ORDER BY pieces DESC LIMIT 1), 0) AS BIGINT) AS most,
			i.indexrelid IS NOT NULL AS there, COALESCE(i.indisvalid AND array_to_string(c.reloptions, ', ') = ?, FALSE) AS valid
		FROM vector_space x LEFT JOIN pg_index i ON i.indexrelid = to_regclass('`+indexNames+`' || x.id) LEFT JOIN pg_class c ON c.oid = i.indexrelid ORDER BY x.id`, graph)
	if err != nil {
		return err
	}
	var errs []error
	for _, x := range spaces {
		wanted := x.Dims <= maxIndexed && x.Most > int64(s.Exact)
		switch {
		case wanted && !x.Valid:
			errs = append(errs, s.build(ctx, x.ID, x.Dims))
		case x.There && x.Most == 0:
			_, err := s.DB.Apart(ctx, indexName(x.ID), func(exec func(string) error) error {
				return exec(`DROP INDEX CONCURRENTLY IF EXISTS ` + indexName(x.ID))
			})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// graphMemory is what one vector takes of memory beside itself while an index is made,
// in bytes, and maxMemory the most that is asked of the server, in MiB, unless it gives
// more of its own accord (maintenance_work_mem). Beyond it the rest is made on disk,
// several times as slowly.
const (
	graphMemory = 2048
	maxMemory   = 2048
)

// graph is how many neighbours a vector of an index has, and how many candidates are
// looked at for them. More of both than is usual take twice the time to make, and then
// fewer of the nearest are missed by a search half as broad.
const graph = "m=24, ef_construction=128"

// build makes the index of a space. One process makes it, because several would share
// memory of which containers have little.
func (s *Store) build(ctx context.Context, space int64, dims int) error {
	name := indexName(space)
	_, err := s.DB.Apart(ctx, name, func(exec func(string) error) error {
		all, err := db.One[int64](ctx, s.DB, `SELECT CAST(COALESCE(SUM(pieces), 0) AS BIGINT) FROM vector_sum WHERE space_id = ?`, space)
		if err != nil {
			return err
		}
		memory := min(all*int64(2*dims+graphMemory)>>20+1, maxMemory)
		for _, q := range []string{
			`DROP INDEX CONCURRENTLY IF EXISTS ` + name, // one whose making broke off
			fmt.Sprintf(`SELECT set_config('maintenance_work_mem', GREATEST(%d, pg_size_bytes(current_setting('maintenance_work_mem')) / 1024) || 'kB', false)`, memory<<10),
			`SET max_parallel_maintenance_workers = 0`,
			fmt.Sprintf(`CREATE INDEX CONCURRENTLY %s ON piece_vector USING hnsw ((CAST(v AS halfvec(%d))) halfvec_cosine_ops) WITH (%s) WHERE space_id = %d`, name, dims, graph, space),
		} {
			if err := exec(q); err != nil {
				return fmt.Errorf("the index of the vectors: %w", err)
			}
		}
		s.Log.InfoContext(ctx, "vectors are searched by an index from now on", "pieces", all, "dimensions", dims)
		return nil
	})
	return err
}

// Keys are the corpora and embedders that vectors are stored of.
func (s *Store) Keys(ctx context.Context) ([]Key, error) {
	return db.All[Key](db.WithOrg(ctx, 0), s.DB, `SELECT org_id, corpus_id, embedder FROM vector_index ORDER BY org_id, corpus_id, embedder`)
}

const clearBatch = 1000

// Forget removes a corpus's vectors of an embedder, some at a time. Whoever searches
// them after all brings them in anew, and then they stay.
func (s *Store) Forget(ctx context.Context, k Key) error {
	ctx = db.WithOrg(ctx, k.OrgID)
	s.mu.Lock()
	delete(s.done, k)
	s.mu.Unlock()
	err := s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `UPDATE vector_index SET seq = ?, cursor_seq = 0, cursor_document = 0 WHERE org_id = ? AND corpus_id = ? AND embedder = ?`, forgotten, k.OrgID, k.CorpusID, k.Embedder); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `DELETE FROM vector_sum WHERE org_id = ? AND corpus_id = ? AND space_id IN (SELECT id FROM vector_space WHERE embedder = ?)`, k.OrgID, k.CorpusID, k.Embedder)
		return err
	})
	for more := true; more && err == nil; {
		err = s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
			more = false
			now, err := s.state(ctx, tx, k)
			if err != nil || now.Seq != forgotten {
				return err
			}
			if more, err = s.clear(ctx, tx, k); err != nil || more {
				return err
			}
			_, err = db.Exec(ctx, tx, `DELETE FROM vector_index WHERE org_id = ? AND corpus_id = ? AND embedder = ?`, k.OrgID, k.CorpusID, k.Embedder)
			return err
		})
	}
	return err
}

// clear removes some of a corpus's rows, and tells whether there may be more.
func (s *Store) clear(ctx context.Context, tx *db.Tx, k Key) (more bool, err error) {
	n, err := db.Exec(ctx, tx, `DELETE FROM piece_vector WHERE ctid IN (SELECT ctid FROM piece_vector WHERE org_id = ? AND corpus_id = ?
		AND space_id IN (SELECT id FROM vector_space WHERE embedder = ?) LIMIT `+strconv.Itoa(clearBatch)+`)`, k.OrgID, k.CorpusID, k.Embedder)
	return n == clearBatch, err
}
