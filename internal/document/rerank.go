package document

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"atrium/internal/authz"
	"atrium/internal/retrieval"
)

// Reranking tells what a reranker did for a search.
type Reranking string

// What it did.
const (
	NotReranked  Reranking = "none" // there is no reranker, or it was not to be asked
	Reranked     Reranking = "done"
	RerankFailed Reranking = "failed" // the order is the one without it
)

const (
	rerankBest = 50               // passages that a reranker looks at
	rerankWait = 3 * time.Second  // for its scores, since somebody waits
	rerankRest = 30 * time.Second // that searches go without one that was too slow
)

// rerank puts the best hits in the order of the reranker's scores, which it
// answers by piece. Those behind keep their order, and all do when it fails.
func (s *Documents) rerank(ctx context.Context, sc authz.Scope, f Find, phrases []string, hits []retrieval.Hit) (map[int64]float64, Reranking, error) {
	found, err := s.readable(ctx, sc, phrases, hits)
	if err != nil || len(found) == 0 {
		return nil, NotReranked, err
	}
	texts := make([]string, len(found))
	for i, p := range found {
		texts[i] = strings.TrimSpace(p.Title + "\n" + p.Heading + "\n" + p.Text)
	}
	if !s.respite.over(time.Now(), s.RerankWait) {
		s.rerankFailed.Add(1)
		return nil, RerankFailed, nil
	}
	limited, cancel := context.WithTimeout(ctx, s.RerankWait)
	defer cancel()
	scores, err := s.Rerank.Scores(limited, f.Query, texts)
	if err == nil && len(scores) != len(texts) {
		err = fmt.Errorf("%d scores came for %d passages", len(scores), len(texts))
	}
	if ctx.Err() != nil {
		return nil, NotReranked, ctx.Err()
	}
	s.respite.note(err != nil && limited.Err() != nil, time.Now())
	if err != nil {
		s.rerankFailed.Add(1)
		s.Log.WarnContext(ctx, "the passages could not be reranked; they stay in the order without it", "error", err)
		return nil, RerankFailed, nil
	}
	s.reranked.Add(1)
	by := make(map[int64]float64, len(found))
	for i, p := range found {
		by[p.PieceID] = scores[i]
	}
	slices.SortStableFunc(hits, func(a, b retrieval.Hit) int {
		x, first := by[a.PieceID]
		y, second := by[b.PieceID]
		if first != second {
			if first {
				return -1
			}
			return 1
		}
		return cmp.Compare(y, x)
	})
	return by, Reranked, nil
}

// respite spares searches a reranker that does not answer in time, for which each of
// them would wait.
type respite struct {
	mu    sync.Mutex
	slow  bool
	until time.Time
}

// over tells whether the reranker may be asked. When it was slow, one search tries,
// and those that come while it waits go without.
func (r *respite) over(now time.Time, wait time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.until) {
		return false
	}
	if r.slow {
		r.until = now.Add(wait)
	}
	return true
}

func (r *respite) note(slow bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow, r.until = slow, time.Time{}
	if slow {
		r.until = now.Add(rerankRest)
	}
}

// readable are the passages that a reranker is given: what the caller would be
// shown of the best hits, of those that hold the phrases.
func (s *Documents) readable(ctx context.Context, sc authz.Scope, phrases []string, hits []retrieval.Hit) ([]Passage, error) {
	if len(phrases) == 0 {
		hits = hits[:min(len(hits), rerankBest)]
	}
	alone := make([]retrieval.Hit, len(hits)) // what folding left out is not read
	for i, h := range hits {
		alone[i].PieceID = h.PieceID
	}
	found, err := s.passages(ctx, sc, alone)
	if len(phrases) > 0 {
		found = verbatim(found, phrases, rerankBest)
	}
	return found, err
}

// Rerankings counts the searches of this process that a reranker ordered, and
// those that it failed. asked is false when there is no reranker.
func (s *Documents) Rerankings() (done, failed int64, asked bool) {
	return s.reranked.Load(), s.rerankFailed.Load(), s.Rerank != nil
}
