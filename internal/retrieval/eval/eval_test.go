package eval

import (
	"compress/gzip"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atrium/internal/split"
)

func TestNDCG(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		found  []string
		grades map[string]int
		want   float64
	}{
		{"the best order is one", []string{"a", "b", "x"}, map[string]int{"a": 2, "b": 1}, 1},
		{"the second place counts less", []string{"x", "a"}, map[string]int{"a": 1}, 1 / math.Log2(3)},
		{"what is beyond k does not count", []string{"x", "y", "z", "a"}, map[string]int{"a": 1}, 0},
		{"a grade of 0 is no gain", []string{"a"}, map[string]int{"a": 0, "b": 1}, 0},
		{"nothing right is 0, not NaN", []string{"a"}, nil, 0},
		{"nothing found is 0", nil, map[string]int{"a": 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := NDCG(c.found, c.grades, 3); math.Abs(got-c.want) > 1e-12 {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRecall(t *testing.T) {
	t.Parallel()
	grades := map[string]int{"a": 1, "b": 2, "c": 0}
	if got := Recall([]string{"a", "c", "b"}, grades, 2); got != 0.5 {
		t.Errorf("got %v", got)
	}
	if got := Recall([]string{"a"}, nil, 2); got != 0 {
		t.Errorf("got %v", got)
	}
}

func TestReciprocal(t *testing.T) {
	t.Parallel()
	for want, found := range map[float64][]string{1: {"a", "b"}, 0.5: {"x", "a", "b"}, 0: {"x"}} {
		if got := Reciprocal(found, map[string]int{"a": 1, "b": 2, "x": 0}); got != want {
			t.Errorf("%v gives %v", found, got)
		}
	}
}

// folder writes a small test set of two articles of two paragraphs.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "corpus.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	var b strings.Builder
	for i, text := range []string{
		"The mill burned in 1932. The city bought the ruin from the miller.",
		"The reading room opens at nine in the morning.",
		"Zebras graze on the plain. A zebra foal stands within an hour.",
		"Giraffes sleep for thirty minutes a day.",
		"Copper melts at 1085 degrees.", "Tin melts at 232 degrees.", "Lead is soft.", "Gold is yellow.", "Iron rusts in rain.",
	} {
		title := []string{"Library", "Savanna", "Metals", "More metals", "Last metals"}[i/2]
		b.WriteString(`{"_id":"` + string(rune('0'+i/2)) + "-" + string(rune('0'+i%2)) + `","title":"` + title + `","text":"` + text + `"}` + "\n")
	}
	if _, err := z.Write([]byte(b.String())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	put("queries.jsonl", `{"_id":"q1","text":"When did the mill burn?"}
{"_id":"q2","text":"How long do giraffes sleep a day?"}
{"_id":"q3","text":"Does iron rust in rain?"}
{"_id":"unjudged","text":"What?"}
`)
	put("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\t0-0\t1\nq2\t1-1\t1\nq3\t4-0\t1\n")
	put("answers.jsonl", `{"_id":"q1","answers":["1932"]}
{"_id":"q2","answers":["thirty minutes","half an hour"]}
{"_id":"q3","answers":["rusts"]}
`)
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	set, err := Load(folder(t), "")
	if err != nil || len(set.Docs) != 9 || len(set.Questions) != 3 || set.Grades["q2"]["1-1"] != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
}

func TestLoadTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"no folder":  {"", "", "cannot be read"},
		"bad JSON":   {"queries.jsonl", "{\n", "queries.jsonl line 1"},
		"bad qrels":  {"qrels.tsv", "q\td\ts\nq1 0-0 1\n", "qrels.tsv line 2"},
		"bad grade":  {"qrels.tsv", "q\td\ts\nq1\td\t1\nq1\td\tgood\n", "qrels.tsv line 3"},
		"not zipped": {"corpus.jsonl.gz", "plain", "corpus.jsonl.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			if c.file == "" {
				dir = filepath.Join(dir, "none")
			} else if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRankMeasuresEitherEngine(t *testing.T) {
	t.Parallel()
	set, err := Load(folder(t), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]Engine{"plain": PlainBM25(), "direct": NewDirect(split.Exhaustive)} {
		r, err := Rank(t.Context(), set, e)
		if err != nil || r.NDCG10 != 1 || r.Recall100 != 1 || r.MRR != 1 || r.Questions != 3 || r.Documents != 9 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestPlainBM25IsTheKnownFormula(t *testing.T) {
	t.Parallel()
	p := PlainBM25()
	if err := p.Ingest(t.Context(), []Doc{{ID: "long", Text: "zebra " + strings.Repeat("filler ", 30)}, {ID: "short", Text: "zebra crossing"}, {ID: "other", Text: "weather"}}); err != nil {
		t.Fatal(err)
	}
	got, err := p.Search(t.Context(), "the zebras", 5)
	if err != nil || !slices.Equal(got, []string{"short", "long"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestXQuADMeasuresTheOfflineAnswerer(t *testing.T) {
	t.Parallel()
	r, err := XQuAD(t.Context(), folder(t), func() Answerer { return NewDirect(split.Standard) })
	if err != nil {
		t.Fatal(err)
	}
	if r.Questions != 3 || r.Answered != 3 || r.RightParagraph != 1 || r.RightFirst != 1 || r.HoldsSpan != 1 || r.Verbatim != 1 {
		t.Errorf("got %+v", r)
	}
	if r.Absent != 1 || r.AbsentDeclined != 1 || r.Present != 2 || r.PresentAnswered != 1 {
		t.Errorf("got %+v", r)
	}
}

// liar answers everything with a made-up quotation of the wrong document.
type liar struct{}

func (liar) Ingest(context.Context, []Doc) error { return nil }
func (liar) Answer(context.Context, string) (Answered, error) {
	return Answered{Citations: []Citation{{DocumentID: "2-0", Quote: "Made up."}}}, nil
}

func TestXQuADCatchesALiar(t *testing.T) {
	t.Parallel()
	r, err := XQuAD(t.Context(), folder(t), func() Answerer { return liar{} })
	if err != nil {
		t.Fatal(err)
	}
	if r.RightParagraph != 0 || r.RightFirst != 0 || r.HoldsSpan != 0 || r.Verbatim != 0 || r.AbsentDeclined != 0 || r.PresentAnswered != 1 {
		t.Errorf("got %+v", r)
	}
}
