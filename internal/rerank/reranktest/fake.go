package reranktest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Fake is a rerank.Reranker whose scores a test makes, by Score or as Shared does.
type Fake struct {
	Score func(question, passage string) float64
	// Do replaces what Scores does, for failures.
	Do func(ctx context.Context, question string, passages []string) ([]float64, error)

	mu   sync.Mutex
	seen [][]string
}

// Name names it.
func (*Fake) Name() string { return "fake" }

// Scores remembers the passages.
func (f *Fake) Scores(ctx context.Context, question string, passages []string) ([]float64, error) {
	f.mu.Lock()
	f.seen = append(f.seen, slices.Clone(passages))
	f.mu.Unlock()
	if f.Do != nil {
		return f.Do(ctx, question, passages)
	}
	score := f.Score
	if score == nil {
		score = Shared
	}
	out := make([]float64, len(passages))
	for i, p := range passages {
		out[i] = score(question, p)
	}
	return out, ctx.Err()
}

// Seen are the passages of each call so far.
func (f *Fake) Seen() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// Shared is the share of the passage's words that the question has too.
func Shared(question, passage string) float64 {
	asked, words := strings.Fields(strings.ToLower(question)), strings.Fields(strings.ToLower(passage))
	n := 0
	for _, w := range words {
		if slices.Contains(asked, w) {
			n++
		}
	}
	return float64(n) / float64(len(words)+1)
}

// Server answers POST …/rerank with Shared, best first, to whoever has the key.
func Server(key string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model     string
			Query     string
			Documents []string
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &in)
		}
		switch {
		case r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/rerank"):
			w.WriteHeader(http.StatusNotFound)
			return
		case r.Header.Get("Authorization") != "Bearer "+key:
			w.WriteHeader(http.StatusUnauthorized)
			return
		case err != nil || in.Model == "" || in.Query == "" || slices.Contains(in.Documents, ""):
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		type result struct {
			Index int     `json:"index"`
			Score float64 `json:"relevance_score"`
		}
		results := make([]result, len(in.Documents))
		for i, d := range in.Documents {
			results[i] = result{i, Shared(in.Query, d)}
		}
		slices.SortStableFunc(results, func(a, b result) int {
			switch {
			case a.Score > b.Score:
				return -1
			case a.Score < b.Score:
				return 1
			}
			return 0
		})
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"results": results})
	})
}
