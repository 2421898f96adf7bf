package document

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func asksOf(ts []topic) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.asks[0])
	}
	return out
}

func common(string) map[string]float64 { return nil }

func TestHeadingsBecomeQuestions(t *testing.T) {
	t.Parallel()
	text := "The rules of the house are for all. Returns are sent by post, and refunds of returns are paid in the month."
	for heading, want := range map[string]string{
		"Who pays for the coffee?":       "Who pays for the coffee?",
		"1.2 Install the server":         "How do I install the server?",
		"How to sign in":                 "How do I sign in?",
		"Why tests fail":                 "Why tests fail?",
		"Returns and refunds:":           "What should I know about returns and refunds?",
		"Berlin office":                  "What should I know about Berlin office?",
		"I get an error":                 "I get an error?",
		"Overview":                       "",
		"2024":                           "",
		"x = {y}":                        "",
		strings.Repeat("very long ", 20): "",
	} {
		got := asksOf(topics("", text, []mark{{Heading: heading}}, common))
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) == 0 || got[0] != want {
			t.Errorf("%q becomes %q, want %q", heading, got, want)
		}
	}
}

func TestTextsAreAskedInTheirLanguage(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"What is a lease?":                        "A lease is a claim on a job for a time. The lease ends by itself when the worker is gone from the queue.",
		"Was sollte ich über Reisekosten wissen?": "Die Kosten der Reise werden von der Firma bezahlt und sind mit dem Antrag für den Monat einzureichen.",
		"Que faut-il savoir sur Reisekosten ?":    "Les frais de voyage sont payés par la société et le salarié les déclare dans le mois avec des reçus.",
		"Reisekosten?":                            "出張費は会社が支払います。領収書を提出してください。",
	} {
		got := asksOf(topics("", text, []mark{{Heading: "Reisekosten"}}, common))
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

func TestPhrasesThatComeAgainAreAskedFor(t *testing.T) {
	t.Parallel()
	text := "The heat pump runs at night. A heat pump needs no gas. Whoever services the heat pump has a licence. The night is long. The night is dark."
	got := asksOf(topics("", text, nil, common))
	if !slices.Contains(got, "What should I know about the heat pump?") {
		t.Errorf("the phrase is missed: %q", got)
	}
}

// Whatever a document holds, its topics are few, whole and askable.
func TestTopicsOfAnyTextAreFewAndWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		marks := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) mark { return mark{Heading: rapid.String().Draw(r, "heading")} }), 0, 40).Draw(r, "marks")
		ts := topics(rapid.String().Draw(r, "title"), rapid.String().Draw(r, "text"), marks, common)
		if len(ts) > maxTopics {
			r.Fatalf("%d topics", len(ts))
		}
		for _, x := range ts {
			for _, q := range x.asks {
				if !utf8.ValidString(q) || strings.ContainsAny(q, "\n\x00{}") || utf8.RuneCountInString(q) > maxTopicLen+60 {
					r.Fatalf("the question %q", q)
				}
			}
		}
	})
}

func TestWhatAModelWritesIsRead(t *testing.T) {
	t.Parallel()
	want := []string{"What is a lease?", "Who owns the corpus?"}
	for _, text := range []string{
		`["What is a lease?", "Who owns the corpus?"]`,
		"Sure!\n```json\n[\"What is a lease?\", \"Who owns the corpus?\"]\n```",
		"1. What is a lease?\n2. Who owns the corpus?\nThese are mine.",
	} {
		if got := written(text); !slices.Equal(got, want) {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}
