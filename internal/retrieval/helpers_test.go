package retrieval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// zipf makes text of made-up words, few of them common.
type zipf struct {
	r *rand.Rand
	z *rand.Zipf
}

func newZipf(seed uint64, words uint64) *zipf {
	r := rand.New(rand.NewPCG(seed, 1))
	return &zipf{r, rand.NewZipf(r, 1.1, 4, words-1)}
}

func (z *zipf) text(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word(z.z.Uint64()))
	}
	return b.String()
}

// word names a number; a third of the names are letters alone and kin of others.
func word(n uint64) string {
	if n%3 != 2 {
		return fmt.Sprintf("w%dx", n)
	}
	w := "grund"
	for ; n > 0; n /= 4 {
		w += []string{"ra", "ne", "lo", "tu"}[n%4]
	}
	return w
}

func (z *zipf) vector(dims int) []float32 {
	v := make([]float32, dims)
	sum := 0.0
	for i := range v {
		x := z.r.NormFloat64()
		v[i] = float32(x)
		sum += x * x
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// testDoc is a document of a few pieces.
type testDoc struct {
	id     int64
	title  string
	pieces []Piece
}

func (d testDoc) put(t testing.TB, x *Index) {
	t.Helper()
	if err := x.Put(d.id, Encode(d.title, d.pieces)); err != nil {
		t.Fatal(err)
	}
}

// corpus makes n documents of one to four pieces, with vectors when dims > 0.
func corpus(z *zipf, n, words, dims int) []testDoc {
	out := make([]testDoc, n)
	for i := range out {
		d := testDoc{id: int64(i + 1), title: z.text(4)}
		for j := range 1 + z.r.IntN(4) {
			p := Piece{ID: d.id*10 + int64(j), Heading: z.text(2), Text: z.text(words/2 + z.r.IntN(words))}
			if dims > 0 {
				p.Vector = z.vector(dims)
			}
			d.pieces = append(d.pieces, p)
		}
		out[i] = d
	}
	return out
}

func indexOf(t testing.TB, docs []testDoc) *Index {
	t.Helper()
	x := NewIndex()
	for _, d := range docs {
		d.put(t, x)
	}
	return x
}

func find(t testing.TB, q Query, in ...*Index) []Hit {
	t.Helper()
	hits, err := Search(t.Context(), in, q)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func same(a, b []Hit) bool {
	return slices.EqualFunc(a, b, func(a, b Hit) bool {
		return a.PieceID == b.PieceID && a.DocumentID == b.DocumentID && a.Score == b.Score && a.Lexical == b.Lexical &&
			a.Vector == b.Vector && a.Coverage == b.Coverage && slices.Equal(a.Terms, b.Terms) && a.Parts == b.Parts &&
			slices.Equal(a.Related, b.Related) && slices.Equal(a.Doubles, b.Doubles)
	})
}

func ids(hits []Hit) []int64 {
	out := make([]int64, len(hits))
	for i, h := range hits {
		out[i] = h.PieceID
	}
	return out
}
