package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"atrium/internal/db"
	"atrium/internal/retrieval"
	"atrium/internal/retrieval/pgvector"
)

// inPostgres measures searches whose vectors lie in PostgreSQL and whose words are in
// memory, beside the same with both in memory.
func inPostgres(ctx context.Context, o Options) ([]Row, error) {
	const n = 100_000
	if o.Postgres[0] == "" {
		fmt.Fprintln(o.Log, "  left out, because no PostgreSQL is given")
		return nil, nil
	}
	d, err := db.Open(ctx, db.Options{URL: o.Postgres[0], Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	store, err := pgvector.Open(ctx, pgvector.Options{DB: d, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Log, "  indexing %d pieces …\n", n)
	l := newLibrary()
	both, words := retrieval.NewIndex(), retrieval.NewWordIndex()
	var vectors []float32
	changes := make([]pgvector.Change, 0, n/piecesEach)
	for i := range n / piecesEach {
		title, ps := l.document(int64(i * piecesEach))
		for _, p := range ps {
			vectors = append(vectors, p.Vector...)
		}
		encoded := retrieval.Encode(title, ps)
		for _, x := range []*retrieval.Index{both, words} {
			if err := x.Put(int64(i), encoded); err != nil {
				return nil, err
			}
		}
		changes = append(changes, pgvector.Change{Seq: int64(i + 1), DocumentID: int64(i), Encoded: encoded})
	}
	feed := func(_ context.Context, _ *db.Tx, after pgvector.Cursor, limit int) ([]pgvector.Change, int64, error) {
		if rest := changes[after.Seq:]; len(rest) > limit {
			return rest[:limit], 0, nil
		}
		return changes[after.Seq:], pgvector.End, nil
	}
	const embedder = "bench"
	began := time.Now()
	if err := store.CatchUp(ctx, pgvector.Key{OrgID: 1, CorpusID: 1, Embedder: embedder}, int64(len(changes)), feed); err != nil {
		return nil, err
	}
	brought := time.Since(began)
	began = time.Now()
	if err := store.Tend(ctx); err != nil {
		return nil, err
	}
	built := time.Since(began)

	afar := store.View(pgvector.View{OrgID: 1, Corpora: []int64{1}, Embedder: embedder})
	questions := make([]retrieval.Query, probes)
	recall := 0.0
	for i := range questions {
		questions[i] = l.question()
		questions[i].Vectors = afar
		want := scan(vectors, questions[i].Vector)
		hits, err := retrieval.Search(ctx, []*retrieval.Index{words}, retrieval.Query{Vector: questions[i].Vector, Vectors: afar})
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			if slices.Contains(want, h.PieceID) {
				recall++
			}
		}
	}
	name := fmt.Sprintf("pgvector, %d pieces: ", n)
	rows := []Row{
		{name + "brought in", fmt.Sprintf("%.0f pieces/s", n/brought.Seconds()), "", fmt.Sprintf("the index was then built in %.0f s", built.Seconds())},
		{name + "vector recall@10", fmt.Sprintf("%.4f", recall/near/probes), "≥ .99", "the plain scan is exact"},
	}
	for _, side := range []struct{ name, goal string }{{"vector", "≤ 15 ms"}, {"fused", "≤ 25 ms"}} {
		queries := slices.Clone(questions)
		if side.name == "vector" {
			for i := range queries {
				queries[i].Text = ""
			}
		}
		took, err := times(ctx, words, queries)
		if err != nil {
			return nil, err
		}
		for i := range queries {
			queries[i].Vectors = nil
		}
		memory, err := times(ctx, both, queries)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{name + side.name + ", median", ms(median(took)), side.goal,
			fmt.Sprintf("in memory %s; 99th percentile %s", ms(median(memory)), ms(took[len(took)*99/100]))})
	}
	return rows, nil
}
