// Package vectortest holds what every place of vectors must do for a search.
package vectortest

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"atrium/internal/retrieval"
)

// Engine is the corpora of one organization with their vectors.
type Engine interface {
	// Put adds or replaces a document.
	Put(corpus int64, d Document) error
	Remove(corpus, document int64) error
	Search(ctx context.Context, corpora []int64, q retrieval.Query) ([]retrieval.Hit, error)
}

// Document is one with its pieces.
type Document struct {
	ID     int64
	Pieces []retrieval.Piece
}

// Contract checks how a search sees vectors. open gives an engine for each
// organization, all on one database; ready is called when documents are in and before
// they are searched for, to make what is made in the background.
func Contract(t *testing.T, open func(t *testing.T) (engine func(org int64) Engine, ready func())) {
	t.Run("the nearest are those that comparing all finds", func(t *testing.T) {
		t.Parallel()
		engine, ready := open(t)
		e := engine(1)
		c := newCloud(1, 48)
		docs := c.documents(600, 5)
		put(t, e, docs, 7, 8)
		ready()
		hits, want := 0, 0
		for range 40 {
			q := c.vector()
			exact := compare(docs, q, nil)
			mean := 0.0
			for _, x := range exact {
				mean += x.cosine / float64(len(exact))
			}
			for i, h := range search(t, e, retrieval.Query{Vector: q}, 7, 8) {
				want++
				if at := slices.IndexFunc(exact, func(x compared) bool { return x.piece == h.PieceID }); at < 10 {
					hits++
				} else if h.DocumentID != exact[at].document {
					t.Errorf("piece %d is of document %d, not %d", h.PieceID, exact[at].document, h.DocumentID)
				}
				if part := retrieval.VectorWeight * (h.Vector - mean) / (1 - mean); math.Abs(h.Vector-exact[i].cosine) > 2e-2 || math.Abs(h.Parts.Vector-part) > 2e-2 || h.Score != h.Parts.Vector {
					t.Errorf("hit %d has %v and counts %v; exact is %v, of which %v counts", i, h.Vector, h.Parts.Vector, exact[i].cosine, part)
				}
			}
		}
		if want != 400 || hits < 396 {
			t.Errorf("%d of %d hits are among the exact best", hits, want)
		}
	})
	t.Run("only what is asked for comes, and what is not changes nothing", func(t *testing.T) {
		t.Parallel()
		engine, ready := open(t)
		mine, theirs := engine(1), engine(2)
		c := newCloud(2, 16)
		docs := c.documents(300, 4)
		put(t, mine, docs, 1, 2, 3)
		q := c.vector()
		ready()
		before := search(t, mine, retrieval.Query{Vector: q, Limit: 20}, 1, 2)
		for i := range docs { // nearer than any, in the same corpora as far as these have numbers
			far := Document{ID: docs[i].ID + 10_000}
			for j := range docs[i].Pieces {
				far.Pieces = append(far.Pieces, retrieval.Piece{ID: docs[i].Pieces[j].ID + 100_000, Vector: q})
			}
			must(t, theirs.Put(int64(4+i%3), far))
		}
		ready()
		after := search(t, mine, retrieval.Query{Vector: q, Limit: 20}, 1, 2)
		if !slices.EqualFunc(before, after, func(a, b retrieval.Hit) bool { return a.PieceID == b.PieceID && a.Score == b.Score }) {
			t.Error("another organization's vectors changed what is found")
		}
		in := func(keep func(int) bool) []Document {
			var out []Document
			for i, d := range docs {
				if keep(i) {
					out = append(out, d)
				}
			}
			return out
		}
		same(t, "two corpora", before, compare(in(func(i int) bool { return i%3 != 2 }), q, nil))
		for _, every := range []int{2, 40} {
			allow := func(id int64) bool { return id%int64(every) == 0 }
			found := search(t, mine, retrieval.Query{Vector: q, Limit: 5, Allow: allow}, 1, 2)
			same(t, "documents that are admitted", found, compare(in(func(i int) bool { return i%3 != 2 && allow(docs[i].ID) }), q, nil))
		}
		if found := search(t, mine, retrieval.Query{Vector: q, Allow: func(int64) bool { return false }}, 1, 2); len(found) > 0 {
			t.Errorf("of none %d were found", len(found))
		}
		if found := search(t, mine, retrieval.Query{Vector: q}, 9); len(found) > 0 {
			t.Errorf("in a corpus without documents %d were found", len(found))
		}
	})
	t.Run("what was removed or replaced is gone", func(t *testing.T) {
		t.Parallel()
		engine, ready := open(t)
		e := engine(1)
		c := newCloud(3, 16)
		docs := c.documents(120, 3)
		put(t, e, docs, 1)
		for i, d := range docs {
			switch i % 3 {
			case 0:
				must(t, e.Remove(1, d.ID))
				docs[i].Pieces = nil
			case 1:
				docs[i].Pieces = []retrieval.Piece{{ID: d.ID*100 + 50, Text: "new", Vector: c.vector()}}
				must(t, e.Put(1, docs[i]))
			}
		}
		ready()
		for range 5 {
			q := c.vector()
			same(t, "after changes", search(t, e, retrieval.Query{Vector: q, Limit: 20}, 1), compare(docs, q, nil))
		}
	})
	t.Run("vectors of another length, or without direction, are left out", func(t *testing.T) {
		t.Parallel()
		engine, ready := open(t)
		e := engine(1)
		must(t, e.Put(1, Document{1, []retrieval.Piece{{ID: 1, Text: "zebra", Vector: []float32{1, 0}}, {ID: 2, Text: "zebra", Vector: []float32{0, 0}}, {ID: 3, Text: "zebra"}}}))
		must(t, e.Put(1, Document{2, []retrieval.Piece{{ID: 4, Text: "zebra", Vector: []float32{1, 0, 0}}}}))
		must(t, e.Put(1, Document{3, []retrieval.Piece{{ID: 5, Text: "zebra", Vector: []float32{0.6, 0.8}}}}))
		ready()
		hits := search(t, e, retrieval.Query{Vector: []float32{1, 0}}, 1)
		if len(hits) != 2 || hits[0].PieceID != 1 || hits[1].PieceID != 5 || math.Abs(hits[0].Vector-1) > 1e-3 || math.Abs(hits[1].Vector-0.6) > 1e-3 {
			t.Errorf("found %+v", hits)
		}
		for _, v := range [][]float32{{0, 0}, {1, 0, 0, 0}} {
			if hits := search(t, e, retrieval.Query{Vector: v}, 1); len(hits) > 0 {
				t.Errorf("by %v it found %+v", v, hits)
			}
			if hits := search(t, e, retrieval.Query{Text: "zebra", Vector: v}, 1); len(hits) != 5 || hits[0].Score != hits[0].Lexical {
				t.Errorf("by words and %v it found %+v", v, hits)
			}
		}
		must(t, e.Put(1, Document{3, []retrieval.Piece{{ID: 6, Vector: []float32{0, 0, 1}}}}))
		if hits := search(t, e, retrieval.Query{Vector: []float32{0, 0, 1}, Limit: 1}, 1); len(hits) != 1 || hits[0].PieceID != 6 {
			t.Errorf("with another length it found %+v", hits)
		}
	})
	t.Run("ties go by the piece's id", func(t *testing.T) {
		t.Parallel()
		engine, ready := open(t)
		e := engine(1)
		v := newCloud(4, 8).vector()
		for i := range 40 {
			id := int64(i*7%40 + 1)
			must(t, e.Put(id%2, Document{id, []retrieval.Piece{{ID: id, Vector: v}}}))
		}
		ready()
		for i, h := range search(t, e, retrieval.Query{Vector: v, Limit: 40}, 0, 1) {
			if h.PieceID != int64(i+1) {
				t.Errorf("hit %d is piece %d", i, h.PieceID)
			}
		}
	})
	t.Run("what was found by words is measured too, however far it is", func(t *testing.T) {
		t.Parallel()
		engine, ready := open(t)
		e := engine(1)
		c := newCloud(5, 16)
		q := c.vector()
		for i := range 500 {
			must(t, e.Put(1, Document{int64(i + 10), []retrieval.Piece{{ID: int64(i + 10), Text: "other", Vector: c.near(q, 0.1)}}}))
		}
		away := make([]float32, len(q))
		for i := range q {
			away[i] = -q[i]
		}
		must(t, e.Put(1, Document{1, []retrieval.Piece{{ID: 1, Text: "a zebra", Vector: away}, {ID: 2, Text: "a zebra without one"}}}))
		ready()
		for _, query := range []retrieval.Query{{Text: "zebra", Vector: q, Limit: 1000}, {Text: "zebra", Vector: q, Phrases: []string{"zebra"}}, {Vector: q, Phrases: []string{"zebra"}}} {
			hits := search(t, e, query, 1)
			at := func(id int64) int {
				return slices.IndexFunc(hits, func(h retrieval.Hit) bool { return h.PieceID == id })
			}
			if i := at(1); i < 0 || math.Abs(hits[i].Vector+1) > 1e-3 || hits[i].Parts.Vector >= 0 {
				t.Errorf("%+v: the far piece is at %d", query, i)
			}
			if i := at(2); query.Text != "" && (i < 0 || hits[i].Vector != 0 || hits[i].Parts.Vector != 0) {
				t.Errorf("%+v: the piece without a vector is at %d", query, i)
			}
			if query.Phrases != nil && len(hits) > 2 {
				t.Errorf("%+v: %d pieces hold the phrase", query, len(hits))
			}
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, e Engine, docs []Document, corpora ...int64) {
	t.Helper()
	for i, d := range docs {
		must(t, e.Put(corpora[i%len(corpora)], d))
	}
}

func search(t *testing.T, e Engine, q retrieval.Query, corpora ...int64) []retrieval.Hit {
	t.Helper()
	hits, err := e.Search(t.Context(), corpora, q)
	must(t, err)
	return hits
}

// same holds hits to what comparing all gives.
func same(t *testing.T, what string, hits []retrieval.Hit, exact []compared) {
	t.Helper()
	if len(hits) == 0 {
		t.Errorf("%s: nothing was found", what)
	}
	for i, h := range hits {
		if i >= len(exact) || math.Abs(h.Vector-exact[i].cosine) > 2e-3 || !slices.ContainsFunc(exact, func(x compared) bool { return x.piece == h.PieceID }) {
			t.Errorf("%s: hit %d is piece %d with %v, exact is %+v", what, i, h.PieceID, h.Vector, exact[min(i, len(exact)-1)])
		}
	}
}

type compared struct {
	document, piece int64
	cosine          float64
}

// compare compares a question with all pieces, best first.
func compare(docs []Document, q []float32, out []compared) []compared {
	for _, d := range docs {
		for _, p := range d.Pieces {
			x := compared{document: d.ID, piece: p.ID}
			for i, v := range p.Vector {
				x.cosine += float64(v) * float64(q[i])
			}
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b compared) int {
		return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.piece, b.piece))
	})
	return out
}

// cloud makes vectors in clusters, as those of texts are.
type cloud struct {
	r       *rand.Rand
	centres [][]float32
}

func newCloud(seed uint64, dims int) *cloud {
	c := &cloud{r: rand.New(rand.NewPCG(seed, 7))}
	for range 20 {
		c.centres = append(c.centres, c.near(make([]float32, dims), 1))
	}
	return c
}

// near is a vector of unit length some way from another.
func (c *cloud) near(v []float32, spread float64) []float32 {
	out := make([]float32, len(v))
	sum := 0.0
	for i := range v {
		x := float64(v[i]) + spread*c.r.NormFloat64()/math.Sqrt(float64(len(v)))
		out[i] = float32(x)
		sum += x * x
	}
	for i := range out {
		out[i] /= float32(math.Sqrt(sum))
	}
	return out
}

func (c *cloud) vector() []float32 { return c.near(c.centres[c.r.IntN(len(c.centres))], 0.8) }

func (c *cloud) documents(n, pieces int) []Document {
	out := make([]Document, n)
	for i := range out {
		out[i].ID = int64(i + 1)
		for j := range pieces {
			out[i].Pieces = append(out[i].Pieces, retrieval.Piece{ID: int64(100*(i+1) + j), Text: "words", Vector: c.vector()})
		}
	}
	return out
}

// Cloud makes documents of so many pieces each, with vectors in clusters as those of
// texts are, and a maker of questions.
func Cloud(seed uint64, dims, documents, pieces int) ([]Document, func() []float32) {
	c := newCloud(seed, dims)
	return c.documents(documents, pieces), c.vector
}
