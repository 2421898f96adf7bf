package retrieval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

func texts(of ...string) []testDoc {
	var out []testDoc
	for i, s := range of {
		out = append(out, testDoc{id: int64(i + 1), pieces: []Piece{{ID: int64(i + 1), Text: s}}})
	}
	return out
}

func TestSearchFinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		docs  []testDoc
		query string
		want  []int64 // the first hits
	}{
		{"other forms of a word", texts("The library was closed.", "He opens libraries for reading."), "library reads", []int64{2, 1}},
		{"a rare word before a common one", texts("report on report", "report on zebras", "a report"), "zebra report", []int64{2}},
		{"ties by piece id", texts("same words here", "same words here", "same words here"), "words", []int64{1, 2, 3}},
		{"an identifier by its part", texts("call parseURL first", "call nothing"), "url", []int64{1}},
		{"joined and parted compounds", texts("email server", "e-mail server", "the server"), "e-mail", []int64{2, 1}},
		{"Chinese text", texts("知识库管理", "天气预报"), "知识库", []int64{1}},
		{"stop words when there is nothing else", texts("to be or not to be", "zebra crossing"), "to be or not to be", []int64{1}},
		{"words standing together", texts("card and library, lost to the member of another", "the library card was lost to another member"), "library card", []int64{2, 1}},
		{"nothing for no words", texts("something"), " ?! ", nil},
		{"nothing for unknown words", texts("something"), "zebra", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ids(find(t, Query{Text: c.query}, indexOf(t, c.docs)))
			if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) || c.want == nil && len(got) > 0 {
				t.Errorf("got %v, want first %v", got, c.want)
			}
		})
	}
}

func TestTitleAndHeadingCount(t *testing.T) {
	t.Parallel()
	x := indexOf(t, []testDoc{
		{id: 1, title: "Gardens", pieces: []Piece{{ID: 1, Text: "Notes on pruning roses in spring and on soil."}}},
		{id: 2, title: "Roses", pieces: []Piece{{ID: 2, Text: "Notes on pruning roses in spring and on soil."}}},
		{id: 3, title: "Gardens", pieces: []Piece{{ID: 3, Heading: "Plants > Roses", Text: "Notes on pruning roses in spring and on soil."}}},
	})
	got := ids(find(t, Query{Text: "roses"}, x))
	if len(got) != 3 || got[2] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestNeighboursHelp(t *testing.T) {
	t.Parallel()
	x := indexOf(t, []testDoc{
		{id: 1, pieces: []Piece{{ID: 1, Text: "The engine has a valve."}, {ID: 2, Text: "Its spring is of steel."}}},
		{id: 2, pieces: []Piece{{ID: 3, Text: "The weather was mild."}, {ID: 4, Text: "Its spring is of steel."}}},
	})
	hits := find(t, Query{Text: "valve spring"}, x)
	at := map[int64]float64{}
	for _, h := range hits {
		at[h.PieceID] = h.Score
	}
	if at[2] <= at[4] {
		t.Errorf("beside the valve %v, beside the weather %v", at[2], at[4])
	}
}

func TestHitsExplainThemselves(t *testing.T) {
	t.Parallel()
	x := indexOf(t, texts("the lost card costs five euros", "a card", "weather"))
	h := find(t, Query{Text: "What does a lost card cost in Zanzibar?"}, x)[0]
	var found, missing float64
	for _, term := range h.Terms {
		if term.Weight <= 0 {
			t.Errorf("%+v has no weight", term)
		}
		if term.Found {
			found += term.Weight
		} else {
			missing += term.Weight
		}
		if term.Found == (term.Text == "zanzibar") {
			t.Errorf("%+v", term)
		}
	}
	if want := found / (found + missing); math.Abs(h.Coverage-want) > 1e-12 || h.Coverage <= 0.5 || h.Coverage >= 1 {
		t.Errorf("coverage %v, want %v", h.Coverage, want)
	}
	if h.PieceID != 1 || h.DocumentID != 1 || h.Lexical <= 0 || h.Score != h.Lexical || h.Vector != 0 {
		t.Errorf("got %+v", h)
	}
}

func TestLimitIsKept(t *testing.T) {
	t.Parallel()
	z := newZipf(3, 20)
	x := indexOf(t, corpus(z, 500, 10, 0))
	for limit, want := range map[int]int{0: 10, -1: 10, 3: 3, 5000: MaxLimit} {
		if got := len(find(t, Query{Text: z.text(20), Limit: limit}, x)); got != want {
			t.Errorf("limit %d gives %d hits", limit, got)
		}
	}
}

// The same documents give the same bytes of a result, however the index came to
// hold them and however they are spread over indexes.
func TestHistoryAndLayoutChangeNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		z := newZipf(seed, 300)
		docs := corpus(z, 80, 20, 16)
		plain := indexOf(t, docs)

		lived := NewIndex()
		for _, i := range z.r.Perm(len(docs)) {
			other := docs[z.r.IntN(len(docs))]
			other.id = docs[i].id
			other.put(t, lived) // to be replaced
			gone := docs[i]
			gone.id += 1000
			gone.put(t, lived)
		}
		for _, i := range z.r.Perm(len(docs)) {
			lived.Remove(docs[i].id + 1000)
			docs[i].put(t, lived)
		}
		a, b := indexOf(t, docs[:30]), indexOf(t, docs[30:])
		for range 20 {
			q := Query{Text: z.text(6), Limit: 30}
			if z.r.IntN(2) == 0 {
				q.Vector = z.vector(16)
			}
			want := find(t, q, plain)
			if got := find(t, q, lived); !same(got, want) {
				t.Fatalf("after other documents %v, without them %v", ids(got), ids(want))
			}
			if got := find(t, q, b, a, nil, b); !same(got, want) {
				t.Fatalf("over two indexes %v, in one %v", ids(got), ids(want))
			}
		}
	}
}

// What is not allowed might as well not exist, in every figure of a result.
func TestForbiddenDocumentsChangeNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		z := newZipf(seed+100, 200)
		docs := corpus(z, 90, 20, 8)
		allowed := map[int64]bool{}
		var mine []testDoc
		for _, d := range docs {
			if z.r.IntN(3) > 0 {
				allowed[d.id] = true
				mine = append(mine, d)
			}
		}
		all, only := indexOf(t, docs), indexOf(t, mine)
		for range 20 {
			q := Query{Text: z.text(5), Vector: z.vector(8), Limit: 40}
			want := find(t, q, only)
			asked := map[int64]int{}
			q.Allow = func(id int64) bool { asked[id]++; return allowed[id] }
			got := find(t, q, all)
			if !same(got, want) {
				t.Fatalf("got %v, want %v", ids(got), ids(want))
			}
			for id, n := range asked {
				if n > 1 {
					t.Fatalf("document %d was asked for %d times", id, n)
				}
			}
		}
		if got := find(t, Query{Text: z.text(5), Allow: func(int64) bool { return false }}, all); len(got) > 0 {
			t.Fatalf("got %v", ids(got))
		}
	}
}

func TestSearchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, q := range []Query{{Text: "zebra"}, {}, {Vector: []float32{1}}} {
		if hits, err := Search(ctx, []*Index{indexOf(t, texts("zebra"))}, q); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v", hits, err)
		}
	}
	if _, err := Search(ctx, nil, Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHugeQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	z := newZipf(9, 100000)
	x := indexOf(t, append(corpus(z, 50, 50, 0), testDoc{id: 999, pieces: []Piece{{ID: 9999, Text: "a zebra"}}}))
	hits := find(t, Query{Text: z.text(20000)}, x)
	if len(hits) == 0 || len(hits[0].Terms) != maxQueryTerms {
		t.Errorf("%d hits", len(hits))
	}
}

func TestSearchesSeeWholeDocumentsWhilePutRuns(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	doc := func(version int) testDoc {
		d := testDoc{id: 1}
		for i := range 3 {
			d.pieces = append(d.pieces, Piece{ID: int64(version*10 + i), Text: fmt.Sprintf("zebra v%dx", version)})
		}
		return d
	}
	doc(1).put(t, x)
	var wg sync.WaitGroup
	wg.Go(func() {
		for v := 2; v < 60; v++ {
			doc(v).put(t, x)
			texts("noise")[0].put(t, NewIndex())
			if err := x.Put(int64(v), Encode("", []Piece{{ID: int64(v * 1000), Text: "filler " + strings.Repeat("y", v)}})); err != nil {
				t.Error(err)
			}
			x.Remove(int64(v))
		}
	})
	for range 4 {
		wg.Go(func() {
			for range 100 {
				hits, err := Search(t.Context(), []*Index{x}, Query{Text: "zebra"})
				if err != nil || len(hits) != 3 || hits[0].PieceID/10 != hits[2].PieceID/10 {
					t.Errorf("got %v, %v", ids(hits), err)
					return
				}
				x.Stats()
			}
		})
	}
	wg.Wait()
}

func TestAHeadingThatSaysTheQuestionIsFoundFirst(t *testing.T) {
	t.Parallel()
	docs := []testDoc{{id: 1, title: "Start", pieces: []Piece{
		{ID: 1, Heading: "Start > What is Atrium?", Text: "A platform for agents."},
		{ID: 2, Heading: "Start > How is Atrium built?", Text: "With make."},
	}}, {id: 2, title: "What is Atrium", pieces: []Piece{{ID: 3, Text: "Another page."}}}}
	for i := range 300 {
		docs = append(docs, testDoc{id: int64(10 + i), title: "Atrium", pieces: []Piece{{ID: int64(10 + i), Heading: "Atrium", Text: "Atrium and Atrium's settings."}}})
	}
	x := indexOf(t, docs)
	got := find(t, Query{Text: "what is Atrium"}, x)
	if len(got) < 2 || got[0].PieceID != 3 || got[1].PieceID != 1 { // a title counts more than a heading
		t.Fatalf("got %v", ids(got))
	}
	if p := got[0].Parts; !near(p.Words+p.Titles+p.Neighbours+p.Near+p.Related, got[0].Score) {
		t.Errorf("the parts %+v are not the score %v", p, got[0].Score)
	}
	if got := find(t, Query{Text: "what is Atrium", Allow: func(doc int64) bool { return doc != 1 }}, x); got[0].PieceID != 3 {
		t.Errorf("without the document: %v", ids(got))
	}
	for _, q := range []string{"Atrium", "is Atrium what", "what is Atrium made of"} {
		if got := find(t, Query{Text: q}, x); got[0].Parts.Near > got[0].Score/2 {
			t.Errorf("%q: %+v", q, got[0])
		}
	}
}

func TestFeedbackDoesNotOutvoteAShortQuestion(t *testing.T) {
	t.Parallel()
	z := newZipf(7, 500)
	docs := corpus(z, 200, 30, 0)
	for i := range 12 {
		docs = append(docs, testDoc{id: int64(300 + i), pieces: []Piece{{ID: int64(30_000 + i), Text: "quokka burrow island grass dusk pouch leaf shade " + z.text(6)}}})
	}
	docs = append(docs, testDoc{id: 400, pieces: []Piece{{ID: 40_000, Text: "quokka vaccine " + z.text(50)}}})
	x := indexOf(t, docs)
	if got := find(t, Query{Text: "quokka vaccine", Limit: 20}, x); len(got) < 13 || got[0].DocumentID != 400 {
		t.Errorf("what says both words is not first of %v", ids(got))
	}
}
