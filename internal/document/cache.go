package document

import (
	"context"
	"sync/atomic"

	"atrium/internal/db"
	"atrium/internal/retrieval"
)

// indexes keeps the indexes of the corpora that were searched last.
type indexes struct {
	s   *Documents
	lru *lru[int64, *corpusIndex]
}

func newIndexes(s *Documents) *indexes {
	return &indexes{s: s, lru: newLRU[int64, *corpusIndex](s.IndexBytes)}
}

func (x *indexes) forget(corpusID int64) { x.lru.remove(corpusID) }

// corpusIndex is one corpus in memory, true as of a state of its index_seq.
type corpusIndex struct {
	*retrieval.Index
	embedder string       // whose vectors are in
	seq      atomic.Int64 // all changes up to it are in
	foreign  atomic.Int64 // documents whose vectors are of another embedder

	loading chan struct{} // held by the one who loads; the fields below are theirs
	cursor  struct{ seq, id int64 }
	others  map[int64]struct{} // the documents counted by foreign
	changed int                // documents put or removed since the size was taken
	sized   int                // documents there were then
}

func (x *indexes) fresh(embedder string) *corpusIndex {
	c := &corpusIndex{embedder: embedder, Index: retrieval.NewIndex(), loading: make(chan struct{}, 1), others: map[int64]struct{}{}}
	if x.s.Vectors != nil {
		c.Index = retrieval.NewWordIndex()
	}
	c.Spill(x.s.Dir, func(err error) {
		x.s.Log.Warn("a large index stays in memory as a whole, because its folder cannot be used", "folder", x.s.Dir, "error", err)
	})
	return c
}

// at gives the index of a corpus with all changes up to seq in it, and the
// embedder's vectors. Those who ask at the same time wait for one load; one that
// breaks off is gone on with.
func (x *indexes) at(ctx context.Context, orgID, corpusID, seq int64, embedder string) (*corpusIndex, error) {
	c := x.lru.getOr(corpusID, func() *corpusIndex { return x.fresh(embedder) })
	if c.embedder != embedder { // another one counts since it was loaded
		c = x.fresh(embedder)
		x.lru.put(corpusID, c, 0)
	}
	if c.seq.Load() >= seq {
		return c, nil
	}
	select {
	case c.loading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.loading }()
	if c.seq.Load() >= seq {
		return c, nil
	}
	return c, x.load(ctx, c, orgID, corpusID, seq)
}

// change is a document as an index needs it.
type change struct {
	ID       int64  `db:"id"`
	Seq      int64  `db:"index_seq"`
	Deleted  bool   `db:"is_deleted"`
	Embedder string `db:"embedder"`
	Encoded  []byte `db:"encoded"`
}

// changes are the documents of a corpus behind a change and a document, as an index
// with an embedder's vectors takes them. One that changes meanwhile gets a higher
// number and comes again.
func changes(ctx context.Context, q db.Querier, orgID, corpusID int64, embedder string, seq, id int64, limit int) ([]change, error) {
	return db.All[change](ctx, q, `SELECT d.id, d.index_seq, d.is_deleted, COALESCE(n.embedder, v.embedder, '') AS embedder, COALESCE(n.encoded, v.encoded) AS encoded
		FROM document d LEFT JOIN document_version v ON v.document_id = d.id AND v.number = d.version AND d.is_deleted = FALSE
			LEFT JOIN reembedded n ON n.version_id = v.id AND n.embedder = ?
		WHERE d.org_id = ? AND d.corpus_id = ? AND (d.index_seq > ? OR d.index_seq = ? AND d.id > ?)
		ORDER BY d.index_seq, d.id LIMIT ?`, embedder, orgID, corpusID, seq, seq, id, limit)
}

const loadBatch = 256

func (x *indexes) load(ctx context.Context, c *corpusIndex, orgID, corpusID, seq int64) error {
	for {
		part, err := changes(ctx, x.s.DB, orgID, corpusID, c.embedder, c.cursor.seq, c.cursor.id, loadBatch)
		if err != nil {
			return err
		}
		for _, d := range part {
			delete(c.others, d.ID)
			if d.Deleted || len(d.Encoded) == 0 {
				c.Remove(d.ID)
			} else if err := c.Put(d.ID, d.Encoded); err != nil {
				// One unreadable document must not hide the others.
				x.s.Log.Error("a document cannot be searched until it is refreshed", "document", d.ID, "error", err)
				c.Remove(d.ID)
			} else if d.Embedder != "" && d.Embedder != c.embedder {
				c.others[d.ID] = struct{}{}
			}
			c.cursor.seq, c.cursor.id = d.Seq, d.ID
		}
		c.changed += len(part)
		if len(part) < loadBatch {
			break
		}
	}
	c.foreign.Store(int64(len(c.others)))
	c.seq.Store(max(seq, c.cursor.seq))
	// Taking the size looks at everything, so not for every small change.
	if c.changed > 16+c.sized/8 || c.sized == 0 {
		st := c.Stats()
		c.changed, c.sized = 0, st.Documents
		x.lru.put(corpusID, c, st.Bytes+4096)
	}
	return nil
}
