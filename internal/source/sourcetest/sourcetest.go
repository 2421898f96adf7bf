// Package sourcetest is the contract of source.Source: the same cases for every
// implementation.
package sourcetest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"atrium/internal/source"
)

// Stage is the other side of a source, whose things the contract changes.
type Stage interface {
	// Names are the things it can hold, at least one.
	Names() []string
	Put(name, text string)
	Remove(name string)
}

// Found is what a walk saw of an item.
type Found struct {
	source.Item
	source.Visit
	Text string
}

// Walk visits everything that a source leads to, as it was at the marks.
func Walk(ctx context.Context, s source.Source, before map[string]Found) (map[string]Found, error) {
	queue, err := s.Start(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]Found{}
	for len(queue) > 0 {
		it := queue[0]
		queue = queue[1:]
		if _, seen := out[it.Key]; seen {
			continue
		}
		if it.Removed {
			out[it.Key] = Found{Item: it, Visit: source.Visit{Outcome: source.Gone}}
			continue
		}
		was := before[it.Key]
		f := Found{Item: it}
		if f.Visit, err = s.Visit(ctx, it, was.Mark); err != nil {
			return nil, err
		}
		switch f.Outcome {
		case source.Fetched:
			b, err := io.ReadAll(f.Content.Body)
			if err = errors.Join(err, f.Content.Body.Close()); err != nil {
				return nil, err
			}
			f.Text = string(b)
		case source.Unchanged:
			f.Leads = was.Leads
		}
		out[it.Key] = f
		queue = append(queue, f.Leads...)
	}
	return out, nil
}

// Run holds an implementation to the contract.
func Run(t *testing.T, open func(t *testing.T) (source.Source, Stage)) {
	t.Helper()
	walk := func(t *testing.T, s source.Source, before map[string]Found) map[string]Found {
		t.Helper()
		out, err := Walk(t.Context(), s, before)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	keyOf := func(found map[string]Found, text string) (keys []string) {
		for k, f := range found {
			if strings.Contains(f.Text, text) {
				keys = append(keys, k)
			}
		}
		return keys
	}
	fill := func(s Stage) {
		for _, n := range s.Names() {
			s.Put(n, "What stands in "+n+".")
		}
	}
	t.Run("everything is found once, with its content", func(t *testing.T) {
		t.Parallel()
		s, stage := open(t)
		fill(stage)
		found := walk(t, s, nil)
		for _, n := range stage.Names() {
			keys := keyOf(found, "What stands in "+n+".")
			if len(keys) != 1 {
				t.Fatalf("%s is found under %v", n, keys)
			}
			if f := found[keys[0]]; f.Outcome != source.Fetched || f.Content.Name == "" || f.Content.MediaType == "" {
				t.Errorf("%s is %+v", n, f)
			}
		}
	})
	t.Run("a second walk gives the same keys and no news", func(t *testing.T) {
		t.Parallel()
		s, stage := open(t)
		fill(stage)
		before := walk(t, s, nil)
		after := walk(t, s, before)
		if len(after) != len(before) {
			t.Errorf("%d items, then %d", len(before), len(after))
		}
		for k, f := range after {
			if was, ok := before[k]; !ok || f.Outcome == source.Fetched && f.Text != was.Text {
				t.Errorf("%s is new: %+v", k, f)
			}
		}
	})
	t.Run("what changed is fetched, and only that", func(t *testing.T) {
		t.Parallel()
		s, stage := open(t)
		fill(stage)
		before := walk(t, s, nil)
		name := stage.Names()[0]
		stage.Put(name, "Something else stands here.")
		after := walk(t, s, before)
		keys := keyOf(after, "Something else stands here.")
		if len(keys) != 1 || !strings.Contains(before[keys[0]].Text, "What stands in "+name) {
			t.Fatalf("it changed under %v", keys)
		}
		for k, f := range after {
			if k != keys[0] && f.Outcome == source.Fetched && before[k].Text != f.Text {
				t.Errorf("%s changed too", k)
			}
		}
	})
	t.Run("what was removed is gone", func(t *testing.T) {
		t.Parallel()
		s, stage := open(t)
		fill(stage)
		name := stage.Names()[0]
		before := walk(t, s, nil)
		key := keyOf(before, "What stands in "+name+".")[0]
		stage.Remove(name)
		after := walk(t, s, before)
		if f, listed := after[key]; listed && f.Outcome != source.Gone {
			t.Errorf("it is still listed: %+v", f)
		}
		v, err := s.Visit(t.Context(), source.Item{Key: key}, before[key].Mark)
		if err != nil || v.Outcome != source.Gone || v.Reason == "" {
			t.Errorf("its visit is %+v, %v", v, err)
		}
	})
	t.Run("a key that never was is gone", func(t *testing.T) {
		t.Parallel()
		s, _ := open(t)
		if v, err := s.Visit(t.Context(), source.Item{Key: "://?"}, source.Mark{}); err != nil || v.Outcome != source.Gone {
			t.Errorf("its visit is %+v, %v", v, err)
		}
	})
	t.Run("a walk that is broken off ends", func(t *testing.T) {
		t.Parallel()
		s, stage := open(t)
		fill(stage)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Walk(ctx, s, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	})
}
