package retrieval

import (
	"fmt"
	"slices"
	"testing"
)

func TestNearDuplicatesAreFolded(t *testing.T) {
	t.Parallel()
	z := newZipf(5, 2000)
	body := z.text(80)
	docs := texts(
		"zebra "+body,
		"zebra "+body+" lastly",
		"zebra "+z.text(80),
		"zebra zebra "+body,
		"",
	)
	for layout, in := range map[string][]*Index{"one index": {indexOf(t, docs)}, "two indexes": {indexOf(t, docs[:1]), indexOf(t, docs[1:])}} {
		hits := find(t, Query{Text: "zebra", Fold: true}, in...)
		if got := ids(hits); !slices.Equal(got, []int64{4, 1, 3}) && !slices.Equal(got, []int64{4, 3}) && len(got) != 2 {
			t.Errorf("%s: got %v", layout, got)
		}
		folded := 0
		for _, h := range hits {
			folded += len(h.Doubles)
		}
		if folded != 2 || len(hits) != 2 {
			t.Errorf("%s: %d hits stand for %d others", layout, len(hits), folded)
		}
		if all := find(t, Query{Text: "zebra"}, in...); len(all) != 4 || all[0].Doubles != nil {
			t.Errorf("%s: without folding got %+v", layout, all)
		}
	}
}

func TestWhatDiffersInANumberIsNotFolded(t *testing.T) {
	t.Parallel()
	body := newZipf(6, 2000).text(90)
	x := indexOf(t, texts("zebra counts in 2023 "+body+" were 14", "zebra counts in 2024 "+body+" were 17"))
	if hits := find(t, Query{Text: "zebra counts", Fold: true}, x); len(hits) != 2 {
		t.Errorf("got %+v", hits)
	}
}

func TestFoldingStillFillsTheLimit(t *testing.T) {
	t.Parallel()
	z := newZipf(7, 5000)
	body := z.text(60)
	var docs []string
	for i := range 40 {
		if i%4 == 0 {
			docs = append(docs, "zebra "+body)
		} else {
			docs = append(docs, fmt.Sprintf("zebra %s", z.text(60)))
		}
	}
	hits := find(t, Query{Text: "zebra", Fold: true, Limit: 20}, indexOf(t, texts(docs...)))
	if len(hits) != 20 {
		t.Errorf("%d hits", len(hits))
	}
}

func TestEveryNearDuplicateIsFound(t *testing.T) {
	t.Parallel()
	z := newZipf(8, 5000)
	var docs []string
	for range 40 {
		body := z.text(150)
		for i := range 3 {
			docs = append(docs, fmt.Sprintf("zebra %s %s", body, []string{"first", "second", "last"}[i]))
		}
	}
	x := indexOf(t, texts(docs...))
	for _, round := range []string{"drawn", "kept"} {
		hits := find(t, Query{Text: "zebra", Fold: true, Limit: 60}, x)
		folded := 0
		for _, h := range hits {
			folded += len(h.Doubles)
		}
		if len(hits) != 40 || folded != 80 {
			t.Errorf("%s: %d hits stand for %d others", round, len(hits), folded)
		}
	}
}
