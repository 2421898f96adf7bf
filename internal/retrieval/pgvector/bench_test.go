package pgvector

import (
	"context"
	"testing"

	"atrium/internal/db"
	"atrium/internal/retrieval"
	"atrium/internal/retrieval/vectortest"
)

// BenchmarkNearest looks for 200 of 20,000 pieces, by comparing all and by an index.
func BenchmarkNearest(b *testing.B) {
	const pieces, per, dims = 20_000, 20, 384
	s := open(b)
	docs, vector := vectortest.Cloud(1, dims, pieces/per, per)
	feed := func(_ context.Context, _ *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		var out []Change
		for _, d := range docs[after.Seq:min(int(after.Seq)+limit, len(docs))] {
			out = append(out, Change{Seq: d.ID, DocumentID: d.ID, Encoded: retrieval.Encode("", d.Pieces)})
		}
		if len(out) < limit {
			return out, End, nil
		}
		return out, 0, nil
	}
	if err := s.CatchUp(b.Context(), Key{1, 1, embedder}, int64(len(docs)), feed); err != nil {
		b.Fatal(err)
	}
	v := s.View(View{1, []int64{1}, embedder})
	for _, way := range []string{"compared", "indexed"} {
		if way == "indexed" {
			indexing(s)
			if err := s.Tend(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(way, func(b *testing.B) {
			for b.Loop() {
				near, err := v.Nearest(b.Context(), retrieval.Nearby{Vector: vector(), N: 200, Admitted: pieces})
				if err != nil || len(near.Pieces) != 200 {
					b.Fatal(len(near.Pieces), err)
				}
			}
		})
	}
	b.Run("cosines", func(b *testing.B) {
		var ids []int64
		for _, d := range docs[:200] {
			ids = append(ids, d.Pieces[0].ID)
		}
		for b.Loop() {
			if got, err := v.Cosines(b.Context(), vector(), ids); err != nil || len(got) != 200 {
				b.Fatal(len(got), err)
			}
		}
	})
}
