package document

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/fail"
)

// names are the documents that a search finds, in the order of their names.
func (b *bench) names(f Find) []string {
	b.t.Helper()
	if f.CorpusIDs == nil {
		f.CorpusIDs = []int64{b.corpus}
	}
	found, _, err := b.Search(b.t.Context(), b.owner, f)
	if err != nil {
		b.t.Fatal(err)
	}
	out := make([]string, len(found))
	for i, p := range found {
		out[i] = p.Title
	}
	slices.Sort(out)
	return out
}

func TestASearchIsNarrowedToDocuments(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		tags := map[string][]string{"a": {"hr", "policy"}, "b": {"hr-old", `50%_"x"`}, "c": {"policy"}, "d": nil}
		ids := map[string]int64{}
		for name, list := range tags {
			ids[name] = b.add(Draft{ContentType: Text, Name: name, Source: "The quokka number " + name, Tags: list}).ID
		}
		for _, id := range ids {
			b.completed(id)
		}
		day := func(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }
		set := func(name, column string, at time.Time) {
			b.exec(`UPDATE document SET `+column+` = ? WHERE id = ?`, at, ids[name])
		}
		for i, name := range []string{"a", "b", "c", "d"} {
			set(name, "created_on", day(i+1))
			set(name, "modified_on", day(10-i))
		}
		for _, c := range []struct {
			name  string
			among Among
			want  string
		}{
			{"nothing said", Among{}, "a b c d"},
			{"one tag, whole", Among{Tags: []string{"hr"}}, "a"},
			{"any of two tags", Among{Tags: []string{"hr", "policy"}}, "a c"},
			{"a tag with signs of patterns", Among{Tags: []string{`50%_"x"`}}, "b"},
			{"a tag that nobody has", Among{Tags: []string{"%"}}, ""},
			{"documents", Among{IDs: []int64{ids["b"], ids["d"], 999_999}}, "b d"},
			{"added from a day on", Among{CreatedFrom: day(3)}, "c d"},
			{"added before a day", Among{CreatedBefore: day(3)}, "a b"},
			{"changed between two days", Among{ModifiedFrom: day(8), ModifiedBefore: day(10)}, "b c"},
			{"all at once", Among{Tags: []string{"policy"}, CreatedFrom: day(2), IDs: []int64{ids["a"], ids["c"]}}, "c"},
		} {
			if got := strings.Join(b.names(Find{Query: "quokka", Among: c.among}), " "); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		}
		both := Find{Query: "quokka", Among: Among{Tags: []string{"policy"}}, Allow: func(id int64) bool { return id != ids["a"] }}
		if got := b.names(both); !slices.Equal(got, []string{"c"}) {
			t.Errorf("with what is allowed got %q", got)
		}
		if err := b.Known(t.Context(), b.owner, []int64{ids["a"], ids["b"]}); err != nil {
			t.Error(err)
		}
		for who, err := range map[string]error{
			"unknown": b.Known(t.Context(), b.owner, []int64{ids["a"], 999_999}), "foreign": b.Known(t.Context(), b.alien, []int64{ids["a"]}),
		} {
			if !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("%s ids answer %v", who, err)
			}
		}
	})
}

func TestExactPhrasesStandAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	for name, text := range map[string]string{
		"runs": "The quokka runs fast.", "running": "A quokka was Running,\nfast and far.", "turned": "Fast, the quokka was running.",
		"Fast running": "Nothing else about a quokka.",
	} {
		b.completed(b.add(Draft{ContentType: Text, Name: name, Source: text}).ID)
	}
	for query, want := range map[string]string{
		`quokka "running fast"`:       "running",
		`quokka "fast running"`:       "Fast running", // it is in the title
		`quokka "runs" "fast"`:        "runs",
		`quokka "réunning fást"`:      "",
		`quokka "rúnning fast"`:       "running",
		`quokka "no such words here"`: "",
		`quokka "running fast`:        "Fast running running runs turned",
	} {
		if got := strings.Join(b.names(Find{Query: query, Exact: true}), " "); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if got := b.names(Find{Query: `quokka "running fast"`}); len(got) != 4 {
		t.Errorf("without exactness got %q", got)
	}
}

func TestOneOfAlikePassagesIsShown(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		body := "The quokka is a small marsupial that lives on an island in the west, eats leaves and grass, sleeps in the shade by day and looks for food by night, and is not afraid of people who visit it."
		for i := range 4 {
			text := body
			if i == 3 {
				text = "Another quokka text altogether, about a ship and its captain."
			}
			b.completed(b.add(Draft{ContentType: Text, Name: fmt.Sprint("n", i), Source: text}).ID)
		}
		found, _, err := b.Search(t.Context(), b.owner, Find{Query: "quokka island", CorpusIDs: []int64{b.corpus}, Fold: true})
		if err != nil || len(found) != 2 || len(found[0].Doubles) != 2 || found[0].Title != "n0" || found[0].Doubles[0].Title != "n1" || found[0].Doubles[0].End == 0 {
			t.Errorf("got %+v, %v", found, err)
		}
		if got := b.names(Find{Query: "quokka island"}); len(got) != 4 {
			t.Errorf("unfolded got %q", got)
		}
	})
}

func TestPassagesComeWithWhatIsAroundThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	var text strings.Builder
	text.WriteString("# Tiere\n\n")
	for i := range 60 {
		fmt.Fprintf(&text, "Über Satz %d steht hier nichts als ein paar Wörter, damit er lang wird. ", i)
	}
	text.WriteString("Das Quokka lebt auf einer Insel. ")
	for i := range 60 {
		fmt.Fprintf(&text, "Nach Satz %d kommt noch einer, der auch nicht viel sagt. ", i)
	}
	b.completed(b.text(text.String()).ID)
	found, _, err := b.Search(t.Context(), b.owner, Find{Query: "Quokka", CorpusIDs: []int64{b.corpus}, Around: 90, Limit: 1})
	if err != nil || len(found) != 1 {
		t.Fatalf("got %+v, %v", found, err)
	}
	p := found[0]
	whole, err := b.Passage(t.Context(), b.owner, p.DocumentID, 0, p.Start, p.End)
	if err != nil {
		t.Fatal(err)
	}
	if n := len([]rune(p.Before)); n == 0 || n > 90 || !strings.HasSuffix(whole.Before, p.Before) {
		t.Errorf("before it stands %q", p.Before)
	}
	if n := len([]rune(p.After)); n == 0 || n > 90 || !strings.HasPrefix(whole.After, p.After) {
		t.Errorf("after it stands %q", p.After)
	}
	if plain := b.search(b.owner, "Quokka"); plain[0].Before != "" || plain[0].After != "" {
		t.Errorf("unasked it gives %+v", plain[0])
	}
}

func TestASearchByMeaningNeedsAnEmbedder(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	b.completed(b.text(quokka).ID)
	_, _, err := b.Search(t.Context(), b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}, Side: Meaning})
	if !fail.Is(err, fail.CodeConflict) || !strings.Contains(err.Error(), "embedder") {
		t.Errorf("got %v", err)
	}
	for _, side := range []Side{Both, Words, ""} {
		if got := b.names(Find{Query: "quokka", Side: side}); len(got) != 1 {
			t.Errorf("%q finds %v", side, got)
		}
	}
}

func TestEitherSideOfASearchIsAskedAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite), withEmbedder(&fakeEmbedder{name: "one"}))
	b.completed(b.text(quokka).ID)
	for side, want := range map[Side][2]bool{Both: {true, true}, Words: {true, false}, Meaning: {false, true}} {
		found, _, err := b.Search(t.Context(), b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}, Side: side})
		if err != nil || len(found) != 1 || (found[0].Lexical > 0) != want[0] || (found[0].Vector != 0) != want[1] {
			t.Errorf("%s gives %+v, %v", side, found, err)
		}
	}
}
