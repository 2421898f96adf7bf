package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"atrium/internal/retrieval/eval"
)

const (
	shortTexts  = 10_000
	singleTexts = 3_000
	shortWords  = 40
)

// shorts are texts of made-up words, each a document.
func shorts(seed uint64, n int) []eval.Doc {
	r := rand.New(rand.NewPCG(seed, 4))
	words := make([]string, 5_000)
	for i := range words {
		words[i] = syllables(r)
	}
	zipf := rand.NewZipf(r, 1.1, 8, uint64(len(words)-1))
	out := make([]eval.Doc, n)
	for i := range out {
		var b strings.Builder
		for range shortWords {
			b.WriteString(words[zipf.Uint64()])
			b.WriteByte(' ')
		}
		out[i] = eval.Doc{ID: fmt.Sprint(i), Title: fmt.Sprintf("Note %d", i), Text: b.String()}
	}
	return out
}

// indexing measures how fast short texts come in over HTTP, each a document of its
// own, and what is left of reading and of searching meanwhile.
func indexing(ctx context.Context, o Options) ([]Row, error) {
	p, err := launch(ctx, o.Exe)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	e, err := newProduct(ctx, p)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := e.Ingest(ctx, shorts(1, shortTexts)); err != nil {
		return nil, err
	}
	rate := shortTexts / time.Since(began).Seconds()
	began, e.perRequest = time.Now(), 1
	if err := e.Ingest(ctx, shorts(0, singleTexts)); err != nil {
		return nil, err
	}
	single := singleTexts / time.Since(began).Seconds()
	e.perRequest = 0
	address := fmt.Sprintf("%s/api/v2/agents/%d", p.URL, e.agent)
	quiet, err := hammer(ctx, p, address)
	if err != nil {
		return nil, err
	}
	alone, err := searches(ctx, e)
	if err != nil {
		return nil, err
	}
	feeding, stop := context.WithCancel(ctx)
	defer stop()
	var fed sync.WaitGroup
	fed.Go(func() {
		for seed := uint64(2); e.Ingest(feeding, shorts(seed, shortTexts/10)) == nil; seed++ {
		}
	})
	began = time.Now()
	busy, err := hammer(ctx, p, address)
	if err != nil {
		return nil, err
	}
	came, err := e.completed(ctx)
	if err != nil {
		return nil, err
	}
	meanwhile := float64(came-shortTexts-singleTexts) / time.Since(began).Seconds()
	beside, err := searches(ctx, e)
	if err != nil {
		return nil, err
	}
	stop()
	fed.Wait()
	return []Row{
		{"indexing: short texts over HTTP, a hundred a request", fmt.Sprintf("%.0f/s", rate), "≥ 2,000/s", fmt.Sprintf("%d words each; one a request %.0f/s", shortWords, single)},
		{fmt.Sprintf("indexing: GET agent meanwhile, %d connections", connections), percent(busy / quiet), "≥ 70 %", fmt.Sprintf("%.0f/s, alone %.0f/s; %.0f texts/s came in", busy, quiet, meanwhile)},
		{"indexing: one search over HTTP meanwhile, 99th percentile", ms(beside[len(beside)*99/100]), "≤ 100 ms", fmt.Sprintf("median %s; without indexing %s, 99th percentile %s", ms(median(beside)), ms(median(alone)), ms(alone[len(alone)*99/100]))},
	}, nil
}

// searches are the times of one search after the other, sorted.
func searches(ctx context.Context, e *product) ([]time.Duration, error) {
	var took []time.Duration
	for _, d := range shorts(1, probes) {
		began := time.Now()
		if _, err := e.Search(ctx, strings.Join(strings.Fields(d.Text)[:8], " "), near); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took, nil
}
