package eval

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// NDCG is the normalised discounted cumulative gain of the first k documents
// (0 to 1), with the grade itself as gain, as BEIR measures it.
func NDCG(found []string, grades map[string]int, k int) float64 {
	var got, ideal float64
	for i, id := range found[:min(k, len(found))] {
		got += float64(max(0, grades[id])) / math.Log2(float64(i)+2)
	}
	best := make([]int, 0, len(grades))
	for _, g := range grades {
		best = append(best, max(0, g))
	}
	slices.SortFunc(best, func(a, b int) int { return cmp.Compare(b, a) })
	for i, g := range best[:min(k, len(best))] {
		ideal += float64(g) / math.Log2(float64(i)+2)
	}
	if ideal == 0 {
		return 0
	}
	return got / ideal
}

// Recall is the share of the right documents that is among the first k (0 to 1).
func Recall(found []string, grades map[string]int, k int) float64 {
	right, got := 0, 0
	for _, g := range grades {
		if g > 0 {
			right++
		}
	}
	for _, id := range found[:min(k, len(found))] {
		if grades[id] > 0 {
			got++
		}
	}
	if right == 0 {
		return 0
	}
	return float64(got) / float64(right)
}

// Reciprocal is one over the place of the first right document, 0 when there is none.
func Reciprocal(found []string, grades map[string]int) float64 {
	for i, id := range found {
		if grades[id] > 0 {
			return 1 / float64(i+1)
		}
	}
	return 0
}

// Ranking is what Rank measured.
type Ranking struct {
	Documents, Questions int
	NDCG10, Recall100    float64       // means over the questions, 0 to 1
	MRR                  float64       // mean of Reciprocal among the first 100
	Ingest               time.Duration // of all documents
	Median, P99          time.Duration // of one search
}

// Rank ingests the set into an engine that is empty and asks it every question.
func Rank(ctx context.Context, set *Set, e Engine) (Ranking, error) {
	start := time.Now()
	if err := e.Ingest(ctx, set.Docs); err != nil {
		return Ranking{}, err
	}
	ingest := time.Since(start)
	r, err := Ask(ctx, set, e)
	r.Ingest = ingest
	return r, err
}

// Ask asks every question of a set that the engine holds.
func Ask(ctx context.Context, set *Set, e Engine) (Ranking, error) {
	r := Ranking{Documents: len(set.Docs), Questions: len(set.Questions)}
	took := make([]time.Duration, 0, len(set.Questions))
	for _, q := range set.Questions {
		start := time.Now()
		found, err := e.Search(ctx, q.Text, 100)
		if err != nil {
			return r, err
		}
		took = append(took, time.Since(start))
		r.NDCG10 += NDCG(found, set.Grades[q.ID], 10)
		r.Recall100 += Recall(found, set.Grades[q.ID], 100)
		r.MRR += Reciprocal(found, set.Grades[q.ID])
	}
	if n := len(took); n > 0 {
		r.NDCG10 /= float64(n)
		r.Recall100 /= float64(n)
		r.MRR /= float64(n)
		slices.Sort(took)
		r.Median, r.P99 = took[n/2], took[n*99/100]
	}
	return r, nil
}
