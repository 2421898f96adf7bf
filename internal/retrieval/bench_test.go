package retrieval

import (
	"fmt"
	"testing"
)

// benchIndex holds n pieces of 120 words, four a document.
func benchIndex(b *testing.B, n, dims int) (*Index, *zipf) {
	b.Helper()
	z := newZipf(42, 300_000)
	x := NewIndex()
	for i := range n / 4 {
		d := testDoc{id: int64(i + 1), title: z.text(5)}
		for j := range 4 {
			p := Piece{ID: int64(i*4 + j), Text: z.text(120)}
			if dims > 0 {
				p.Vector = z.vector(dims)
			}
			d.pieces = append(d.pieces, p)
		}
		d.put(b, x)
	}
	return x, z
}

// BenchmarkSearch asks questions of eight words; an index is built once a size.
func BenchmarkSearch(b *testing.B) {
	const dims = 384
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("pieces=%d", n), func(b *testing.B) {
			x, z := benchIndex(b, n, dims)
			lexical, vector, fused := make([]Query, 64), make([]Query, 64), make([]Query, 64)
			for i := range fused {
				lexical[i].Text, vector[i].Vector = z.text(8), z.vector(dims)
				fused[i] = Query{Text: lexical[i].Text, Vector: vector[i].Vector}
			}
			for name, queries := range map[string][]Query{"lexical": lexical, "vector": vector, "fused": fused} {
				b.Run(name, func(b *testing.B) {
					for i := range b.N {
						if _, err := Search(b.Context(), []*Index{x}, queries[i%len(queries)]); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			s := x.Stats()
			b.Logf("%d pieces in %d MiB", s.Pieces, s.Bytes>>20)
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	z := newZipf(1, 50_000)
	d := corpus(z, 1, 120, 0)[0]
	for b.Loop() {
		Encode(d.title, d.pieces)
	}
}

func BenchmarkPut(b *testing.B) {
	z := newZipf(1, 50_000)
	var encoded [][]byte
	for _, d := range corpus(z, 500, 120, 0) {
		encoded = append(encoded, Encode(d.title, d.pieces))
	}
	x := NewIndex()
	b.ResetTimer()
	for i := range b.N {
		if err := x.Put(int64(i), encoded[i%len(encoded)]); err != nil {
			b.Fatal(err)
		}
	}
}
