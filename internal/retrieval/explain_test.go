package retrieval

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*math.Max(1, math.Abs(b)) }

// The parts of a score are what it is the sum of, whatever was asked of whatever.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		z := newZipf(rapid.Uint64().Draw(r, "seed"), rapid.Uint64Range(20, 300).Draw(r, "words"))
		x := NewIndex()
		for _, d := range corpus(z, 25, 15, 8) {
			if err := x.Put(d.id, Encode(d.title, d.pieces)); err != nil {
				r.Fatal(err)
			}
		}
		q := Query{Text: z.text(5), Limit: 40}
		if rapid.Bool().Draw(r, "vector") {
			q.Vector = z.vector(8)
		}
		hits, err := Search(t.Context(), []*Index{x}, q)
		if err != nil {
			r.Fatal(err)
		}
		for _, h := range hits {
			p := h.Parts
			if sum := p.Words + p.Titles + p.Neighbours + p.Near + p.Related; !near(sum, h.Lexical) {
				r.Fatalf("the parts %+v make %v, lexical is %v", p, sum, h.Lexical)
			}
			terms := 0.0
			for _, term := range slices.Concat(h.Terms, h.Guessed) {
				terms += term.Score
			}
			if !near(terms, p.Words+p.Titles+p.Neighbours) {
				r.Fatalf("the terms make %v of %+v", terms, p)
			}
			switch {
			case q.Vector == nil && (h.Score != h.Lexical || p.Vector != 0 || p.Lexical != 0):
				r.Fatalf("without vectors %+v", h)
			case q.Vector != nil && !near(p.Lexical+p.Vector, h.Score):
				r.Fatalf("%+v is not made of %+v", h.Score, p)
			}
			if (p.Related > 0) != (len(h.Related) > 0) {
				r.Fatalf("%v of related words %v", p.Related, h.Related)
			}
		}
	})
}

func TestTermsTellWhereTheyCount(t *testing.T) {
	t.Parallel()
	x := indexOf(t, []testDoc{
		{id: 1, title: "Engines", pieces: []Piece{{ID: 1, Text: "The valve, a good valve."}, {ID: 2, Text: "Its spring is of steel."}}},
		{id: 2, title: "Weather", pieces: []Piece{{ID: 3, Text: "A mild day."}}},
	})
	hits := find(t, Query{Text: "engine valve spring"}, x)
	first := hits[0]
	engine, valve, spring := first.Terms[0], first.Terms[1], first.Terms[2]
	if first.PieceID != 1 || engine.Times != 0 || !engine.Found || engine.Score <= 0 || valve.Times != 2 || valve.Score <= 0 {
		t.Errorf("got %+v", first)
	}
	if spring.Found || spring.Score <= 0 || first.Parts.Neighbours != spring.Score || first.Parts.Titles < engine.Score {
		t.Errorf("got %+v with %+v", spring, first.Parts)
	}
}

func TestMistypedWordsFindTheNearest(t *testing.T) {
	t.Parallel()
	x := indexOf(t, texts("the coatomer complex", "a weather report", "compare the mammal", "mammoth", "Кенгуру живет здесь"))
	for question, want := range map[string]int64{
		"wether": 2, "waether": 2, "coattomer": 1, "кенгюру": 5,
		"weathers": 2, // no mistake
		"cot":      0, // too short to tell
		"comxare":  3,
		"boatomer": 0, // the first letter is right
		"2weather": 0,
	} {
		hits := find(t, Query{Text: question}, x)
		if want == 0 && len(hits) > 0 || want > 0 && (len(hits) == 0 || hits[0].PieceID != want) {
			t.Errorf("%q gives %v", question, ids(hits))
			continue
		}
		if want > 0 && question != "weathers" {
			if h := hits[0]; h.Coverage != 0 || len(h.Guessed) != 1 || h.Terms[0].Found || h.Parts.Words <= 0 {
				t.Errorf("%q gives %+v", question, h)
			}
		}
	}
	// A word that stands only where the caller may not look is not guessed either.
	if hits := find(t, Query{Text: "coattomer", Allow: func(id int64) bool { return id != 1 }}, x); len(hits) > 0 {
		t.Errorf("got %v", ids(hits))
	}
}

func TestDistances(t *testing.T) {
	t.Parallel()
	var room distances
	for _, c := range []struct {
		a, b string
		want int
	}{{"zebra", "zebra", 0}, {"zebra", "zebr", 1}, {"zebra", "zerba", 1}, {"zebra", "zxbrx", 2}, {"zebra", "horse", 3}, {"кенгуру", "кенгуро", 1}, {"abc", "abcdefgh", 3}} {
		if got := room.between([]rune(c.a), c.b, 2); got != c.want {
			t.Errorf("from %s to %s it is %d, not %d", c.a, c.b, got, c.want)
		}
	}
}
