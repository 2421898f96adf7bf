package offline

import (
	"context"
	"errors"
	"strings"
	"testing"

	"atrium/internal/llm"
	"atrium/internal/llm/llmtest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	llmtest.Contract(t, func(*testing.T) llm.Provider { return New() })
}

var library = []llm.Passage{
	{Number: 3, Title: "Handbook", Heading: "Opening hours", Text: "The reading room on Birch Lane belongs to the city. It opens at nine in the morning on weekdays. On Sundays it stays closed."},
	{Number: 5, Title: "Fees", Text: "A lost card costs five euros. Members get a new card for free, as Dr. Amara Osei decided in 2011."},
	{Number: 8, Title: "History", Text: "The building was a mill. A fire destroyed the roof in 1932, and the city bought the ruin."},
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question, holds string
		number                int
	}{
		{"a fact in the first passage is quoted", "When does the reading room open on weekdays?", "nine in the morning", 3},
		{"a price is found by its subject", "How much does a lost card cost?", "five euros", 5},
		{"a person is found by what was decided", "Who decided that members get a new card for free?", "Amara Osei", 5},
		{"a year is found", "When did a fire destroy the roof?", "1932", 8},
		{"another form of the word is enough", "What year was the roof destroyed by fire?", "1932", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := Answer(c.question, library)
			if e.Declined || len(e.Sentences) == 0 || len(e.Sentences) > 2 {
				t.Fatalf("got %+v", e)
			}
			var said []string
			for _, s := range e.Sentences {
				said = append(said, s.Text)
				for _, p := range library {
					if p.Number == s.Number && p.Text[s.Start:s.End] != s.Text {
						t.Errorf("%q is not what stands at %d:%d", s.Text, s.Start, s.End)
					}
				}
			}
			if !strings.Contains(strings.Join(said, " "), c.holds) || e.Sentences[0].Number != c.number {
				t.Errorf("got %+v", e.Sentences)
			}
		})
	}
}

func TestALineThatIsNoSentenceIsSaidSecond(t *testing.T) {
	t.Parallel()
	e := Answer("How do I add documents?", []llm.Passage{
		{Number: 1, Heading: "How do I add documents?", Text: "atrium ingest add documents ./policies ./contracts"},
		{Number: 2, Heading: "How do I add documents?", Text: "To add documents, drop files on the page."},
	})
	if len(e.Sentences) != 2 || e.Sentences[0].Number != 2 {
		t.Errorf("got %+v", e.Sentences)
	}
}

func TestWhatStandsBelowTheVeryQuestionAnswersIt(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]llm.Passage{
		"in the text":    {Number: 3, Heading: "Start", Text: "What is Atrium?\n\nA platform for agents that is run at home. It has a console."},
		"as its heading": {Number: 3, Heading: "Start > What is Atrium?", Text: "A platform for agents that is run at home. It has a console."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Answer("what is atrium", []llm.Passage{
				{Number: 1, Heading: "Atrium", Text: "Atrium reads Atrium's settings when Atrium starts."},
				{Number: 2, Heading: "How is Atrium built?", Text: "How is Atrium built?\n\nTo build Atrium, run make."}, said,
			})
			if len(e.Sentences) == 0 || e.Sentences[0].Text != "A platform for agents that is run at home." {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestAnswerDeclines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question string
		passages       []llm.Passage
	}{
		{"without passages", "When does the reading room open?", nil},
		{"a question about something else", "Which enzyme unwinds the double helix during replication?", library},
		{"a question that shares only common words", "Who built the first railway in the morning mist of Bolivia?", library},
		{"nothing but punctuation", "?!", library},
		{"an empty question", "", library},
		{"empty passages", "When does the reading room open?", []llm.Passage{{Number: 1}, {Number: 2, Text: " \n"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if e := Answer(c.question, c.passages); !e.Declined || len(e.Sentences) != 0 || e.Confidence >= 0.5 {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestEvidenceDecidesWhatIsRare(t *testing.T) {
	t.Parallel()
	// Over the whole corpus "roof" says nothing and "hailstorm" everything.
	p := llm.Passage{Number: 1, Title: "History", Text: "A fire destroyed the roof in 1932."}
	p.Evidence = []llm.Evidence{{Term: "hailstorm", Weight: 9}, {Term: "roof", Weight: 0.3, Found: true}, {Term: "destroy", Weight: 0.5, Found: true}}
	if e := Answer("Did the hailstorm destroy the roof?", []llm.Passage{p}); !e.Declined {
		t.Errorf("got %+v", e)
	}
	p.Evidence[0].Weight, p.Evidence[1].Weight, p.Evidence[2].Weight = 0.3, 9, 9
	if e := Answer("Did the hailstorm destroy the roof?", []llm.Passage{p}); e.Declined {
		t.Errorf("declined: %+v", e)
	}
}

func TestLongRunsAreQuotedShort(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("alpha beta gamma delta ", 200) + "the zebra crossing opened in 1951 " + strings.Repeat("ε", 3000)
	e := Answer("When was the zebra crossing opened?", []llm.Passage{{Number: 1, Text: text}})
	if e.Declined {
		t.Fatal("declined")
	}
	said := ""
	for _, s := range e.Sentences {
		said += s.Text
		if len(s.Text) > longest || text[s.Start:s.End] != s.Text {
			t.Errorf("%d bytes at %d:%d", len(s.Text), s.Start, s.End)
		}
	}
	if !strings.Contains(said, "1951") {
		t.Errorf("got %q", said)
	}
}

func stream(t *testing.T, messages []llm.Message, passages []llm.Passage) llm.Result {
	t.Helper()
	r, err := New().Stream(t.Context(), llm.Request{Messages: messages, Passages: passages}, func(llm.Delta) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(text string) llm.Message { return llm.Message{Role: llm.User, Text: text} }

func TestStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		messages []llm.Message
		want     []string
		declined bool
	}{
		{"quotes with the passage's number", []llm.Message{user("How much does a lost card cost?")}, []string{"without a language model", "“A lost card costs five euros.” [5]"}, false},
		{"declines in words", []llm.Message{user("Who painted the ceiling of the Sistine Chapel?")}, []string{"not in these documents"}, true},
		{"greets without claims", []llm.Message{user("Hello!")}, []string{"Ask me about the documents"}, false},
		{"takes thanks", []llm.Message{user("ok, thank you very much")}, []string{"You are welcome"}, false},
		{"asks for a question when there is none", nil, []string{"Ask me"}, false},
		{"reads a follow-up with the question before", []llm.Message{user("How much does a lost card cost?"), {Role: llm.Assistant, Text: "Five euros."}, user("And for members, is it free?")}, []string{"[5]"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := stream(t, c.messages, library)
			for _, w := range c.want {
				if !strings.Contains(r.Text, w) {
					t.Errorf("%q lacks %q", r.Text, w)
				}
			}
			if (strings.TrimSpace(r.Text) == NotFound) != c.declined || r.Finish != llm.Stopped {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestStreamStops(t *testing.T) {
	t.Parallel()
	req := llm.Request{Messages: []llm.Message{user("How much does a lost card cost?")}, Passages: library}
	broken := errors.New("the reader left")
	n := 0
	_, err := New().Stream(t.Context(), req, func(llm.Delta) error { n++; return broken })
	if !errors.Is(err, broken) || n != 1 {
		t.Errorf("got %v after %d deltas", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	_, err = New().Stream(ctx, req, func(llm.Delta) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("got %v after %d deltas", err, n)
	}
}

func FuzzAnswerQuotesWhatStands(f *testing.F) {
	f.Add("When does it open?", "It opens at nine.\n\nOn Sundays… closed. 東京は首都。", "Title", 4.5)
	f.Add("\xff\xfe", "a\xffb c.", "", 0.0)
	f.Add("x x x", strings.Repeat("x", 2000), "x", -1.0)
	f.Fuzz(func(t *testing.T, question, text, title string, weight float64) {
		p := llm.Passage{Number: 2, Title: title, Text: text, Evidence: []llm.Evidence{{Term: "open", Weight: weight}}}
		e := Answer(question, []llm.Passage{p, {Number: 3, Text: text + text}})
		if e.Declined != (len(e.Sentences) == 0) || len(e.Sentences) > 2 {
			t.Fatalf("got %+v", e)
		}
		for _, s := range e.Sentences {
			whole := text
			if s.Number == 3 {
				whole = text + text
			}
			if whole[s.Start:s.End] != s.Text || s.Text == "" {
				t.Fatalf("%q is not at %d:%d", s.Text, s.Start, s.End)
			}
		}
	})
}

func TestAHeadingOrAQuestionIsNoAnswerButLendsItsWords(t *testing.T) {
	t.Parallel()
	got := Answer("How do I add documents?", []llm.Passage{{
		Number: 1, Title: "Handbook", Heading: "Knowledge",
		Text: "Knowledge\n\nHow do I add documents?\n\nOpen Knowledge, choose the corpus, and drop files on the page.\n\nWhich formats are read?\n\nMost of them are read well.",
	}})
	if got.Declined || len(got.Sentences) == 0 || !strings.HasPrefix(got.Sentences[0].Text, "Open Knowledge") {
		t.Errorf("got %+v", got)
	}
	for _, s := range got.Sentences {
		if strings.HasSuffix(s.Text, "?") || s.Text == "Knowledge" {
			t.Errorf("quoted %q", s.Text)
		}
	}
}
