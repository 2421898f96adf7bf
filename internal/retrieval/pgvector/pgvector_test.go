package pgvector

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/retrieval"
	"atrium/internal/retrieval/vectortest"
)

const embedder = "test"

// open is a store on a database of its own; change sets what it is tested with.
func open(t testing.TB, change ...func(*Store)) *Store {
	t.Helper()
	return openOn(t, dbtest.OpenVector(t), change...)
}

func openOn(t testing.TB, d *db.DB, change ...func(*Store)) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{DB: d, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// shelf is an organization's corpora: their words in memory, their vectors in the store.
type shelf struct {
	s   *Store
	org int64

	mu      sync.Mutex
	seq     int64
	words   map[int64]*retrieval.Index
	changes map[int64]map[int64]Change // by corpus and document
}

func newShelf(s *Store, org int64) *shelf {
	return &shelf{s: s, org: org, words: map[int64]*retrieval.Index{}, changes: map[int64]map[int64]Change{}}
}

func (h *shelf) change(corpus, document int64, encoded []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.words[corpus] == nil {
		h.words[corpus], h.changes[corpus] = retrieval.NewWordIndex(), map[int64]Change{}
	}
	h.seq++
	h.changes[corpus][document] = Change{Seq: h.seq, DocumentID: document, Encoded: encoded}
	if encoded == nil {
		h.words[corpus].Remove(document)
		return nil
	}
	return h.words[corpus].Put(document, encoded)
}

func (h *shelf) Put(corpus int64, d vectortest.Document) error {
	return h.change(corpus, d.ID, retrieval.Encode("", d.Pieces))
}

func (h *shelf) Remove(corpus, document int64) error { return h.change(corpus, document, nil) }

func (h *shelf) feed(corpus int64) Feed {
	return func(_ context.Context, _ *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		var out []Change
		for _, c := range h.changes[corpus] {
			if c.Seq > after.Seq || c.Seq == after.Seq && c.DocumentID > after.DocumentID {
				out = append(out, c)
			}
		}
		slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Seq, b.Seq) })
		if len(out) > limit {
			return out[:limit], 0, nil
		}
		return out, End, nil
	}
}

func (h *shelf) key(corpus int64) Key { return Key{h.org, corpus, embedder} }

func (h *shelf) catchUp(ctx context.Context, s *Store, corpus int64) error {
	h.mu.Lock()
	seq := h.seq
	h.mu.Unlock()
	return s.CatchUp(ctx, h.key(corpus), seq, h.feed(corpus))
}

func (h *shelf) Search(ctx context.Context, corpora []int64, q retrieval.Query) ([]retrieval.Hit, error) {
	var in []*retrieval.Index
	for _, id := range corpora {
		if h.words[id] == nil {
			continue
		}
		if err := h.catchUp(ctx, h.s, id); err != nil {
			return nil, err
		}
		in = append(in, h.words[id])
	}
	q.Vectors = h.s.View(View{h.org, corpora, embedder})
	return retrieval.Search(ctx, in, q)
}

// indexing makes and uses an index for however few pieces.
func indexing(s *Store) { s.Exact, s.dearer = 1, 0 }

// sifting takes however few pieces for many, of which no index is worth while.
func sifting(s *Store) { s.Exact, s.dearer, s.lookups = 1, 1e9, 0 }

func contract(t *testing.T, change ...func(*Store)) {
	vectortest.Contract(t, func(t *testing.T) (func(int64) vectortest.Engine, func()) {
		s := open(t, change...)
		shelves := map[int64]*shelf{}
		return func(org int64) vectortest.Engine {
				shelves[org] = newShelf(s, org)
				return shelves[org]
			}, func() {
				for _, h := range shelves {
					for corpus := range h.words {
						if err := h.catchUp(t.Context(), s, corpus); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := s.Tend(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
	})
}

func TestVectorsComparedOneByOne(t *testing.T) {
	t.Parallel()
	contract(t)
}

func TestVectorsComparedOneByOneThoughThereBeMany(t *testing.T) {
	t.Parallel()
	contract(t, sifting)
}

func TestVectorsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	contract(t, indexing)
}
