package pgvector

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/retrieval"
)

func TestFigures(t *testing.T) {
	if os.Getenv("FIG") == "" {
		t.Skip()
	}
	const n, dims = 100_000, 384
	r := rand.New(rand.NewPCG(1, 2))
	near := func(v []float32, spread float64) []float32 {
		out := make([]float32, dims)
		sum := 0.0
		for i := range out {
			x := spread * r.NormFloat64() / math.Sqrt(dims)
			if v != nil {
				x += float64(v[i])
			}
			out[i] = float32(x)
			sum += x * x
		}
		for i := range out {
			out[i] /= float32(math.Sqrt(sum))
		}
		return out
	}
	var centres [][]float32
	for range 500 {
		centres = append(centres, near(nil, 1))
	}
	vector := func() []float32 { return near(centres[r.IntN(len(centres))], 0.8) }
	s := open(t)
	began := time.Now()
	seq := int64(0)
	const per = 20
	feed := func(_ context.Context, _ *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		var out []Change
		for range limit {
			if after.Seq >= n/per {
				break
			}
			after.Seq++
			var ps []retrieval.Piece
			for j := range per {
				ps = append(ps, retrieval.Piece{ID: after.Seq*100 + int64(j), Text: "", Vector: vector()})
			}
			out = append(out, Change{after.Seq, after.Seq, retrieval.Encode("", ps)})
		}
		seq = after.Seq
		if len(out) < limit {
			return out, End, nil
		}
		return out, 0, nil
	}
	k := Key{1, 1, embedder}
	if err := s.CatchUp(t.Context(), k, n/per, feed); err != nil {
		t.Fatal(err)
	}
	_ = seq
	t.Logf("catching up: %v", time.Since(began))
	v := s.View(View{1, []int64{1}, embedder}).(*view)
	ask := func(what string, q retrieval.Nearby, truth [][]retrieval.NearPiece, qs [][]float32) [][]retrieval.NearPiece {
		var took []time.Duration
		var out [][]retrieval.NearPiece
		hits := 0
		for i, x := range qs {
			q.Vector = x
			b := time.Now()
			got, err := v.Nearest(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(b))
			out = append(out, got.Pieces)
			if truth != nil {
				for _, p := range got.Pieces[:min(10, len(got.Pieces))] {
					if slices.ContainsFunc(truth[i][:10], func(x retrieval.NearPiece) bool { return x.PieceID == p.PieceID }) {
						hits++
					}
				}
			}
		}
		slices.Sort(took)
		t.Logf("%s: median %v p95 %v, recall@10 %.4f, n %d", what, took[len(took)/2], took[len(took)*95/100], float64(hits)/float64(10*len(qs)), len(out[0]))
		return out
	}
	var qs [][]float32
	for range 200 {
		qs = append(qs, vector())
	}
	truth := ask("exact 100k", retrieval.Nearby{N: 200, Admitted: n}, nil, qs)
	few := []int64{}
	for i := range 1000 {
		few = append(few, int64(i*5+1))
	}
	fewTruth := ask("exact 20k of 100k", retrieval.Nearby{N: 200, Admitted: 20000, Documents: few}, nil, qs)
	began = time.Now()
	if err := s.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("index: %v", time.Since(began))
	size, _ := db.One[string](t.Context(), s.DB, `SELECT pg_size_pretty(pg_relation_size('piece_vector_hnsw_1')) || ' ' || pg_size_pretty(pg_table_size('piece_vector'))`)
	t.Log(size)
	ask("hnsw 100k", retrieval.Nearby{N: 200, Admitted: n}, truth, qs)
	s.dearer = 0
	ask("hnsw 20k of 100k", retrieval.Nearby{N: 200, Admitted: 20001, Documents: few}, fewTruth, qs)
	fmt.Fprintln(os.Stderr)
	var ids []int64
	for i := range 200 {
		ids = append(ids, int64(i+1)*100)
	}
	b := time.Now()
	for range 50 {
		if _, err := v.Cosines(t.Context(), qs[0], ids); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("cosines of 200: %v", time.Since(b)/50)
	b = time.Now()
	if err := s.CatchUp(t.Context(), k, n/per, feed); err != nil {
		t.Fatal(err)
	}
	t.Logf("nothing to catch up: %v", time.Since(b))
	doc := func(_ context.Context, _ *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		if after.Seq >= n/per+20 {
			return nil, End, nil
		}
		var ps []retrieval.Piece
		for j := range per {
			ps = append(ps, retrieval.Piece{ID: 100000000 + after.Seq*100 + int64(j), Text: "", Vector: vector()})
		}
		return []Change{{after.Seq + 1, after.Seq + 1, retrieval.Encode("", ps)}}, End, nil
	}
	b = time.Now()
	for i := range 20 {
		if err := s.CatchUp(t.Context(), k, n/per+int64(i)+1, doc); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("a document of 20 pieces with the index: %v", time.Since(b)/20)
}
