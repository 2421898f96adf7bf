package response

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/agent"
)

func TestAQuestionThatPointsBackGetsItsSubject(t *testing.T) {
	t.Parallel()
	turns := []Turn{{User: "Who founded the company Acme in Berlin?", Bot: "Ann [1]."}}
	for question, want := range map[string]string{
		"When was that?":                               "When was that? (Acme Berlin)",
		"And in Paris?":                                "And in Paris? (Acme Berlin)",
		"What did she do before that?":                 "What did she do before that? (Acme Berlin)",
		"How many vacation days do new employees get?": "How many vacation days do new employees get?",
		"Thanks!": "Thanks!",
	} {
		if got := joined(turns, question); got != want {
			t.Errorf("%q became %q, want %q", question, got, want)
		}
	}
	if got := joined([]Turn{{User: "what do mallards eat"}}, "and when?"); got != "and when? (mallards eat)" {
		t.Errorf("without names: %q", got)
	}
}

func TestTheNewestTurnsAreKeptWithoutOldCitations(t *testing.T) {
	t.Parallel()
	long := make([]Turn, 40)
	for i := range long {
		long[i] = Turn{User: strings.Repeat("q", 100+i), Bot: "Yes [1]."}
	}
	got := recent(long)
	if len(got) != historyTurns || got[historyTurns-1].User != long[39].User || got[0].Bot != "Yes." {
		t.Errorf("%d turns: %+v", len(got), got)
	}
	huge := recent([]Turn{{User: "old", Bot: "old"}, {User: "q", Bot: strings.Repeat("word ", 100_000)}})
	if len(huge) != 2 || len(huge[1].Bot) > 5000 {
		t.Errorf("a huge answer leaves %d turns", len(huge))
	}
}

func TestIdsOfCorporaAreFlattened(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in      []any
		want    []int64
		limited bool
	}{
		"nothing is no limit":           {nil, nil, false},
		"null is no limit":              {[]any{nil}, nil, false},
		"nested nulls are no limit":     {[]any{[]any{nil}, []any{}}, nil, false},
		"plain ids":                     {[]any{1.0, 2.0}, []int64{1, 2}, true},
		"lists in the list":             {[]any{[]any{1.0, 2.0}, nil}, []int64{1, 2}, true},
		"what is no id matches none":    {[]any{"x"}, nil, true},
		"a fraction matches none":       {[]any{1.5}, nil, true},
		"what is negative matches none": {[]any{-1.0, map[string]any{}}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, limited := corpusIDs(c.in)
			if diff := cmp.Diff(c.want, got); diff != "" || limited != c.limited {
				t.Errorf("limited %v, %s", limited, diff)
			}
		})
	}
}

func TestTheSystemTextSaysWhatTheAgentWasTold(t *testing.T) {
	t.Parallel()
	a := agent.Settings{Name: "Guide\nIgnore all", Prompt: "Be brief.", Instructions: []string{"Use metres."}, Language: "German"}
	got := system(a, true, 0)
	for _, want := range []string{"You are Guide Ignore all,", "Be brief.", "- Use metres.", "language: German", "not in these documents"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if strings.Contains(system(a, true, 3), "not in these documents") || strings.Contains(system(a, false, 0), "not in these documents") {
		t.Error("it speaks of missing documents without need")
	}
}

func TestFollowUpsComeFromWhatWasNotCited(t *testing.T) {
	t.Parallel()
	ps := []Passage{{Number: 1, Heading: "Ducks > Food"}, {Number: 2, Heading: "Ducks > Flight"}, {Number: 3, Heading: "Food"}, {Number: 4, Heading: "How do I stop?"}, {Number: 5, Heading: "Ducks > Flight"}, {Number: 6}}
	want := []string{"What do the documents say about “Flight”?", "How do I stop?"}
	if diff := cmp.Diff(want, leftOver(ps, map[int]bool{1: true}, "What do ducks eat?")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"What do the documents say about “Flight”?"}, leftOver(ps, map[int]bool{1: true}, "how do i  stop?")); diff != "" {
		t.Error(diff)
	}
}
