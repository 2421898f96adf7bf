package retrieval

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

func TestDotIsTheSumOfProducts(t *testing.T) {
	t.Parallel()
	z := newZipf(1, 10)
	for _, n := range []int{0, 1, 7, 15, 16, 17, 31, 32, 33, 48, 100, 384, 1024, maxDimensions} {
		a, b := make([]int16, n), make([]int8, n)
		for i := range a {
			a[i], b[i] = int16(z.r.IntN(2*queryLevels+1)-queryLevels), int8(z.r.IntN(255)-127)
		}
		if got, want := dot(a, b), dotGeneric(a, b); got != want {
			t.Errorf("%d components give %d, not %d", n, got, want)
		}
		for i := range a {
			a[i], b[i] = -queryLevels, -127
		}
		if got, want := int64(dot(a, b)), int64(n)*queryLevels*127; got != want {
			t.Errorf("%d largest components give %d, not %d", n, got, want)
		}
	}
}

func TestVectorsAloneRankByCosine(t *testing.T) {
	t.Parallel()
	z := newZipf(2, 50)
	docs := corpus(z, 400, 5, 48)
	x := indexOf(t, docs)
	found, asked := 0, 0
	for range 20 {
		q := z.vector(48)
		type exact struct {
			id  int64
			cos float64
		}
		var all []exact
		for _, d := range docs {
			for _, p := range d.pieces {
				sum := 0.0
				for i, v := range p.Vector {
					sum += float64(v) * float64(q[i])
				}
				all = append(all, exact{p.ID, sum})
			}
		}
		slices.SortFunc(all, func(a, b exact) int { return cmp.Compare(b.cos, a.cos) })
		hits := find(t, Query{Vector: q, Limit: 10}, x)
		for i, h := range hits {
			asked++
			if slices.ContainsFunc(all[:10], func(e exact) bool { return e.id == h.PieceID }) {
				found++
			}
			if math.Abs(h.Vector-all[i].cos) > 1e-3 || h.Lexical != 0 {
				t.Errorf("hit %d has %v, the exact one %v", i, h.Vector, all[i].cos)
			}
		}
	}
	if asked != 200 || found < 199 {
		t.Errorf("%d of %d hits are among the exact best", found, asked)
	}
}

func TestFusionPutsFirstWhatBothSidesLike(t *testing.T) {
	t.Parallel()
	x := indexOf(t, []testDoc{
		{id: 1, pieces: []Piece{{ID: 1, Text: "zebra crossing", Vector: []float32{0, 1}}}},
		{id: 2, pieces: []Piece{{ID: 2, Text: "zebra crossing", Vector: []float32{0.8, 0.6}}}},
		{id: 3, pieces: []Piece{{ID: 3, Text: "something else", Vector: []float32{1, 0}}}},
		{id: 4, pieces: []Piece{{ID: 4, Text: "zebra crossing without a vector"}}},
		{id: 5, pieces: []Piece{{ID: 5, Text: "zebra of three dimensions", Vector: []float32{1, 0, 0}}}},
	})
	hits := find(t, Query{Text: "zebra crossing", Vector: []float32{1, 0}}, x)
	if len(hits) != 5 || hits[0].PieceID != 2 || hits[0].Vector < 0.799 || hits[0].Lexical <= 0 {
		t.Errorf("got %+v", hits)
	}
	for _, h := range hits {
		if h.PieceID >= 4 && h.Vector != 0 || math.IsNaN(h.Score) {
			t.Errorf("got %+v", h)
		}
	}
}

func TestVectorsWithoutDirectionAreIgnored(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, v := range [][]float32{{0, 0}, {nan, 1}, {inf, 1}, {}, make([]float32, maxDimensions+1)} {
		x := indexOf(t, []testDoc{{id: 1, pieces: []Piece{{ID: 1, Text: "zebra", Vector: v}}}})
		if s := x.Stats(); s.Vectors != 0 {
			t.Errorf("%v was kept", v[:min(2, len(v))])
		}
		if hits := find(t, Query{Text: "zebra", Vector: v}, x); len(hits) != 1 || hits[0].Score != hits[0].Lexical {
			t.Errorf("got %+v", hits)
		}
	}
}
