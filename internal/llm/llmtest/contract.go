// Package llmtest holds what every llm.Provider must do.
package llmtest

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/llm"
)

var passages = []llm.Passage{
	{Number: 1, Title: "Handbook", Heading: "Opening hours", Text: "The library opens at nine in the morning. It closes at six in the evening.", Page: 2},
	{Number: 2, Title: "Handbook", Heading: "Fees", Text: "A lost card costs five euros. A new card is free for members.", Page: 3},
}

// Question is a request that the passages answer, as each case sends it.
func Question() llm.Request {
	return llm.Request{
		System:   "You answer questions about the library.",
		Messages: []llm.Message{{Role: llm.User, Text: "When does the library open in the morning?"}},
		Passages: passages,
	}
}

// ask runs a request and gathers its deltas.
func ask(ctx context.Context, p llm.Provider, req llm.Request) (text, reasoning string, n int, r llm.Result, err error) {
	var t, th strings.Builder
	r, err = p.Stream(ctx, req, func(d llm.Delta) error {
		n++
		t.WriteString(d.Text)
		th.WriteString(d.Reasoning)
		return nil
	})
	return t.String(), th.String(), n, r, err
}

var citation = regexp.MustCompile(`\[(\d+)\]`)

// Contract checks what holds for all providers. Each case opens its own; it has
// to answer Question with citations.
func Contract(t *testing.T, open func(t *testing.T) llm.Provider) {
	t.Run("has a name", func(t *testing.T) {
		t.Parallel()
		if open(t).Name() == "" {
			t.Error("the name is empty")
		}
	})
	t.Run("the deltas put together are the answer", func(t *testing.T) {
		t.Parallel()
		text, reasoning, n, r, err := ask(t.Context(), open(t), Question())
		if err != nil {
			t.Fatal(err)
		}
		if text != r.Text || reasoning != r.Reasoning || text == "" || n < 2 {
			t.Errorf("%d deltas gave %q and %q, the result is %q and %q", n, text, reasoning, r.Text, r.Reasoning)
		}
		if r.Finish != llm.Stopped || r.Model == "" || r.Usage.PromptTokens <= 0 || r.Usage.CompletionTokens <= 0 || len(r.Calls) != 0 {
			t.Errorf("the result is %+v", r)
		}
	})
	t.Run("each delta holds one kind of text", func(t *testing.T) {
		t.Parallel()
		_, err := open(t).Stream(t.Context(), Question(), func(d llm.Delta) error {
			if (d.Text == "") == (d.Reasoning == "") {
				t.Errorf("got %+v", d)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("cites only passages that it was given", func(t *testing.T) {
		t.Parallel()
		_, _, _, r, err := ask(t.Context(), open(t), Question())
		if err != nil {
			t.Fatal(err)
		}
		cited := citation.FindAllStringSubmatch(r.Text, -1)
		if len(cited) == 0 {
			t.Errorf("nothing is cited in %q", r.Text)
		}
		for _, c := range cited {
			if n, _ := strconv.Atoi(c[1]); n < 1 || n > len(passages) {
				t.Errorf("%s is cited in %q", c[0], r.Text)
			}
		}
	})
	t.Run("the listener's error ends the answer and comes back", func(t *testing.T) {
		t.Parallel()
		enough, n := errors.New("enough"), 0
		_, err := open(t).Stream(t.Context(), Question(), func(llm.Delta) error { n++; return enough })
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("after %d deltas: %v", n, err)
		}
	})
	t.Run("a context that has ended is not asked for", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, n, _, err := ask(ctx, open(t), Question()); !errors.Is(err, context.Canceled) || n != 0 {
			t.Errorf("%d deltas, %v", n, err)
		}
	})
	t.Run("a context that ends while streaming ends the answer", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		_, err := open(t).Stream(ctx, Question(), func(llm.Delta) error {
			n++
			cancel()
			time.Sleep(50 * time.Millisecond) // in which the rest may come
			return nil
		})
		if !errors.Is(err, context.Canceled) || n != 1 {
			t.Errorf("after %d deltas: %v", n, err)
		}
	})
	t.Run("the same provider answers many at once, each its own", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		want, _, _, _, err := ask(t.Context(), p, Question())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got, _, _, _, err := ask(t.Context(), p, Question()); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			})
		}
		wg.Wait()
	})
	t.Run("the request is left as it was", func(t *testing.T) {
		t.Parallel()
		req := Question()
		if _, _, _, _, err := ask(t.Context(), open(t), req); err != nil {
			t.Fatal(err)
		}
		if q := Question(); req.System != q.System || req.Messages[0].Text != q.Messages[0].Text || !reflect.DeepEqual(req.Passages, q.Passages) {
			t.Errorf("it became %+v", req)
		}
	})
}
