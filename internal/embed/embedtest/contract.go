// Package embedtest holds what every embed.Embedder must do.
package embedtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"atrium/internal/embed"
)

// Contract checks an Embedder; each case opens its own, and all opened must be
// the same model.
func Contract(t *testing.T, open func(t *testing.T) embed.Embedder) {
	t.Run("has a name", func(t *testing.T) {
		t.Parallel()
		if open(t).Name() == "" {
			t.Error("the name is empty")
		}
	})
	t.Run("gives a vector of unit length for each text, as long as Dimensions says", func(t *testing.T) {
		t.Parallel()
		e := open(t)
		dims, err := e.Dimensions(t.Context())
		if err != nil || dims < 2 {
			t.Fatalf("%d dimensions, %v", dims, err)
		}
		texts := []string{"a cat sleeps", "", " ", "日本語のテキスト", "!?", "line\nbreak\x00", string(make([]byte, 300))}
		vs, err := e.Passages(t.Context(), texts)
		if err != nil || len(vs) != len(texts) {
			t.Fatalf("%d vectors, %v", len(vs), err)
		}
		q, err := e.Query(t.Context(), "where is the cat?")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range append(vs, q) {
			if len(v) != dims || math.Abs(Dot(v, v)-1) > 1e-4 {
				t.Errorf("vector %d has %d numbers and length² %v", i, len(v), Dot(v, v))
			}
		}
	})
	t.Run("keeps the order of many texts", func(t *testing.T) {
		t.Parallel()
		e := open(t)
		var texts []string
		for i := range 150 {
			texts = append(texts, fmt.Sprintf("the number %d is called n%d", i, i*i))
		}
		all, err := e.Passages(t.Context(), texts)
		if err != nil || len(all) != len(texts) {
			t.Fatalf("%d vectors, %v", len(all), err)
		}
		for _, i := range []int{0, 31, 32, 77, 149} {
			one, err := e.Passages(t.Context(), texts[i:i+1])
			if err != nil || Dot(one[0], all[i]) < 0.999 {
				t.Errorf("text %d is not at its place: %v", i, err)
			}
		}
	})
	t.Run("puts a question nearer to the text that answers it", func(t *testing.T) {
		t.Parallel()
		e := open(t)
		vs, err := e.Passages(t.Context(), []string{"The cat sleeps on the warm roof.", "Interest rates rose in spring.", "A ship sails to the island."})
		if err != nil {
			t.Fatal(err)
		}
		for i, question := range []string{"where does the cat sleep on the roof", "what happened to interest rates in spring", "which ship goes to the island"} {
			q, err := e.Query(t.Context(), question)
			if err != nil {
				t.Fatal(err)
			}
			for j := range vs {
				if j != i && Dot(q, vs[j]) >= Dot(q, vs[i]) {
					t.Errorf("%q is nearer to text %d than to %d", question, j, i)
				}
			}
		}
	})
	t.Run("gives nothing for nothing", func(t *testing.T) {
		t.Parallel()
		if vs, err := open(t).Passages(t.Context(), nil); err != nil || len(vs) != 0 {
			t.Errorf("got %v, %v", vs, err)
		}
	})
	t.Run("gives the same vectors to many at once, and leaves the texts alone", func(t *testing.T) {
		t.Parallel()
		e := open(t)
		texts := []string{"one text", "", "another text"}
		before := slices.Clone(texts)
		want, err := e.Passages(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got, err := e.Passages(t.Context(), texts)
				if err != nil || len(got) != 3 || Dot(got[2], want[2]) < 0.999 {
					t.Errorf("got %d vectors, %v", len(got), err)
				}
			})
		}
		wg.Wait()
		if !slices.Equal(texts, before) {
			t.Errorf("the texts became %q", texts)
		}
	})
	t.Run("stops with its context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e := open(t)
		if _, err := e.Passages(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
			t.Errorf("passages: %v", err)
		}
		if _, err := e.Query(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("query: %v", err)
		}
	})
}

// Dot is the product of two vectors, their likeness when both have unit length.
func Dot(a, b []float32) float64 {
	var s float64
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}
