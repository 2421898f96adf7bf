// Package reranktest holds what every rerank.Reranker must do, and one for the
// tests of those who use one.
package reranktest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"atrium/internal/rerank"
)

// near is how much the scores of one pair may differ between calls: what is
// computed together is summed in another order.
const near = 1e-4

// Contract checks a Reranker; each case opens its own, and all opened must be
// the same model.
func Contract(t *testing.T, open func(t *testing.T) rerank.Reranker) {
	t.Run("has a name", func(t *testing.T) {
		t.Parallel()
		if open(t).Name() == "" {
			t.Error("the name is empty")
		}
	})
	t.Run("gives a finite score for each passage, whatever it is", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		passages := []string{"a cat sleeps", "", " ", "日本語のテキスト", "!?", "line\nbreak\x00", string(make([]byte, 300)), "\xff\xfe", strings.Repeat("long ", 5000)}
		for _, question := range []string{"where is the cat?", "?", strings.Repeat("why ", 2000)} {
			scores, err := r.Scores(t.Context(), question, passages)
			if err != nil || len(scores) != len(passages) {
				t.Fatalf("%d scores, %v", len(scores), err)
			}
			for i, s := range scores {
				if math.IsNaN(s) || math.IsInf(s, 0) {
					t.Errorf("the score of passage %d is %v", i, s)
				}
			}
		}
	})
	t.Run("keeps the order of many passages", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		var passages []string
		for i := range 60 {
			passages = append(passages, strings.Repeat("cat ", i%7)+strings.Repeat("dog ", i%5)+fmt.Sprint("the ", i))
		}
		all, err := r.Scores(t.Context(), "does the cat sleep", passages)
		if err != nil || len(all) != len(passages) {
			t.Fatalf("%d scores, %v", len(all), err)
		}
		for _, i := range []int{0, 13, 31, 32, 59} {
			one, err := r.Scores(t.Context(), "does the cat sleep", passages[i:i+1])
			if err != nil || math.Abs(one[0]-all[i]) > near {
				t.Errorf("passage %d is not at its place: %v, %v", i, one, err)
			}
		}
		slices.Reverse(passages)
		turned, err := r.Scores(t.Context(), "does the cat sleep", passages)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range turned {
			if want := all[len(all)-1-i]; math.Abs(s-want) > near {
				t.Errorf("turned round, passage %d has %v, not %v", i, s, want)
			}
		}
	})
	t.Run("reads question and passage", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		a, err := r.Scores(t.Context(), "the cat", []string{"cat cat", "sleep"})
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Scores(t.Context(), "sleep", []string{"cat cat", "sleep"})
		if err != nil {
			t.Fatal(err)
		}
		if a[0] == a[1] || a[0] == b[0] {
			t.Errorf("the scores are %v and %v", a, b)
		}
	})
	t.Run("gives nothing for nothing", func(t *testing.T) {
		t.Parallel()
		if scores, err := open(t).Scores(t.Context(), "a", nil); err != nil || len(scores) != 0 {
			t.Errorf("got %v, %v", scores, err)
		}
	})
	t.Run("gives the same scores to many at once, and leaves the passages alone", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		passages := []string{"the cat", "", "a dog sleeps"}
		before := slices.Clone(passages)
		want, err := r.Scores(t.Context(), "cat", passages)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got, err := r.Scores(t.Context(), "cat", passages)
				if err != nil || len(got) != 3 || math.Abs(got[0]-want[0]) > near || math.Abs(got[2]-want[2]) > near {
					t.Errorf("got %v instead of %v, %v", got, want, err)
				}
			})
		}
		wg.Wait()
		if !slices.Equal(passages, before) {
			t.Errorf("the passages became %q", passages)
		}
	})
	t.Run("stops with its context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t).Scores(ctx, "a", []string{"b"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
