package retrieval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestKinAreFoundBehindTheWordItself(t *testing.T) {
	t.Parallel()
	x := indexOf(t, texts(
		"die versicherung zahlt den schaden",
		"eine krankenversicherung für alle",
		"methylation of the promoter",
		"hypomethylation was seen there",
		"immunoglobulins of the mother",
		"a report about the weather",
	))
	for question, want := range map[string][]int64{
		"versicherung":        {1, 2},
		"krankenversicherung": {2, 1},
		"methylation":         {3, 4},
		"hypomethylation":     {4, 3},
		"immunoglobulinaemia": {5}, // what it begins as stands nowhere else
		"unfallversicherung":  {1}, // its end is a word; that of the other is too little of it
		"sicher":              {},  // in the middle of words
	} {
		if got := ids(find(t, Query{Text: question}, x)); !slices.Equal(got, want) {
			t.Errorf("%q gives %v, not %v", question, got, want)
		}
	}
	hits := find(t, Query{Text: "versicherung"}, x)
	if h := hits[1]; h.Coverage != 0 || h.Terms[0].Found || h.Parts.Related != h.Lexical || !slices.Equal(h.Related, []string{"krankenversicherung"}) {
		t.Errorf("kin are explained as %+v", h)
	}
	if hits := find(t, Query{Text: "versicherung", Allow: func(id int64) bool { return id > 2 }}, x); len(hits) > 0 {
		t.Errorf("kin that the caller may not see find %v", ids(hits))
	}
}

func TestKinAreLentWithoutFeedbackToo(t *testing.T) {
	t.Parallel()
	x := indexOf(t, texts("die versicherung zahlt", "eine krankenversicherung für alle"))
	without := tuned
	without.feedbackPieces = 0
	hits, err := search(t.Context(), []*Index{x}, Query{Text: "versicherung"}, &without)
	if err != nil || !slices.Equal(ids(hits), []int64{1, 2}) {
		t.Errorf("got %v, %v", ids(hits), err)
	}
}

func TestFormsGiveWhatALookAtEachTermGives(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "b", "ö", "д", "中"}
	var terms []string
	for range 5000 {
		var w strings.Builder
		for range 1 + r.IntN(7) {
			w.WriteString(letters[r.IntN(len(letters))])
		}
		terms = append(terms, fmt.Sprintf("%s%d", w.String(), r.IntN(10)), w.String())
	}
	var f forms
	for n := 0; n <= len(terms); n += 1 + r.IntN(900) {
		f = f.grown(terms[:n])
		if late := n - len(f.heads); late >= 1024+len(f.heads)/64 || len(f.heads) != len(f.tails) {
			t.Fatalf("of %d terms %d are not in order", n, late)
		}
		if n == 0 {
			continue
		}
		part := terms[r.IntN(n)]
		check := func(what string, give func([]string, string, func(string)), has func(string, string) bool) {
			var got, want []string
			give(terms[:n], part, func(w string) { got = append(got, w) })
			for _, w := range terms[:n] {
				if has(w, part) {
					want = append(want, w)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("of %d terms these %s %q: %q, not %q", n, what, part, got, want)
			}
		}
		check("begin with", f.beginning, strings.HasPrefix)
		check("end with", f.ending, strings.HasSuffix)
	}
}
