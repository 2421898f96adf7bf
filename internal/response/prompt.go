package response

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"atrium/internal/agent"
	"atrium/internal/llm"
	"atrium/internal/retrieval/analysis"
)

const (
	passageBudget = 12_000 // tokens of passages in a prompt, estimated
	historyBudget = 4_000  // tokens of the conversation
	historyTurns  = 10
	rewriteTokens = 160  // the most that a rewritten question may take
	longestQuery  = 1000 // code points of a query that the model wrote
)

// system is what the agent is told before the conversation.
func system(a agent.Settings, hasDocuments bool, passages int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "You are %s, an assistant that answers questions for the people of an organization.\n", oneLine(a.Name))
	if a.Prompt != "" {
		b.WriteString(a.Prompt)
		b.WriteByte('\n')
	}
	for i, s := range a.Instructions {
		if i == 0 {
			b.WriteString("Instructions:\n")
		}
		fmt.Fprintf(&b, "- %s\n", strings.TrimSpace(s))
	}
	if a.Language != "" {
		fmt.Fprintf(&b, "Answer in this language: %s.\n", oneLine(a.Language))
	}
	if hasDocuments && passages == 0 {
		b.WriteString("Nothing in the documents was found for this question. If it asks about them, say plainly that the answer is not in these documents; do not guess, and cite nothing.\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Turn is a question of the conversation and its answer.
type Turn struct {
	User string `json:"user,omitempty" doc:"What the person said."`
	Bot  string `json:"bot,omitempty" doc:"What was answered."`
}

// recent keeps the newest turns that fit the budget, oldest first; answers are
// cut before turns are dropped.
func recent(turns []Turn) []Turn {
	const longest = 4000 // bytes of one side of a turn
	from, left := len(turns), historyBudget
	out := make([]Turn, len(turns))
	for i := len(turns) - 1; i >= 0 && len(turns)-i <= historyTurns; i-- {
		t := Turn{clip(turns[i].User, longest), clip(withoutMarks(turns[i].Bot), longest)}
		left -= llm.EstimateTokens(t.User) + llm.EstimateTokens(t.Bot)
		if left < 0 {
			break
		}
		out[i], from = t, i
	}
	return out[from:]
}

// withoutMarks takes the citations out of an old answer: their numbers mean
// other passages now.
func withoutMarks(answer string) string {
	c := newCiter(func(int, string) bool { return false })
	return c.write(answer) + c.close()
}

func clip(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	return strings.ToValidUTF8(s[:bytes], "") + "…"
}

// conversation is the messages that a model gets.
func conversation(turns []Turn, question string) []llm.Message {
	out := make([]llm.Message, 0, 2*len(turns)+1)
	for _, t := range turns {
		if strings.TrimSpace(t.User) == "" || strings.TrimSpace(t.Bot) == "" {
			continue // roles must take turns
		}
		out = append(out, llm.Message{Role: llm.User, Text: t.User}, llm.Message{Role: llm.Assistant, Text: t.Bot})
	}
	return append(out, llm.Message{Role: llm.User, Text: question})
}

const rewriteSystem = `Rewrite the last question of the conversation so that it can be understood alone: put in what its pronouns and omissions stand for. Keep its language and its meaning. If it can be understood alone already, repeat it. Write the question and nothing else.`

// rewritten asks the model for the question as it stands alone; what the model
// says instead of a question is not used.
func rewritten(ctx context.Context, p llm.Provider, model string, turns []Turn, question string) (string, llm.Result, error) {
	res, err := p.Stream(ctx, llm.Request{
		Model: model, System: rewriteSystem, Messages: conversation(turns, question), MaxTokens: rewriteTokens,
	}, func(llm.Delta) error { return nil })
	if err != nil {
		return "", res, err
	}
	s := strings.Trim(oneLine(res.Text), `"“” `)
	if s == "" || len([]rune(s)) > longestQuery || res.Finish == llm.Truncated {
		s = question
	}
	return s, res, nil
}

// pointing are words that stand for something said before.
var pointing = map[string]bool{
	"it": true, "its": true, "they": true, "them": true, "their": true, "he": true, "him": true, "his": true, "she": true, "her": true,
	"that": true, "this": true, "those": true, "these": true, "there": true, "then": true, "one": true, "ones": true, "same": true, "else": true, "more": true,
}

// courtesy are words that what asks nothing begins with.
var courtesy = map[string]bool{
	"thank": true, "thanks": true, "ok": true, "okay": true, "great": true, "nice": true, "perfect": true, "cool": true, "good": true,
	"hello": true, "hi": true, "hey": true, "bye": true, "goodbye": true, "cheers": true, "welcome": true,
}

// joined makes a question stand alone without a model: when it points back, or
// says too little to be looked for, the subject of the question before it is
// put behind it.
func joined(turns []Turn, question string) string {
	points, polite, own := false, false, map[string]bool{}
	for i, t := range analysis.Tokens(question) {
		w := strings.ToLower(question[t.Start:t.End])
		points = points || pointing[w]
		polite = polite || i == 0 && courtesy[w] && !strings.Contains(question, "?")
		if !t.Stop && !t.Extra {
			own[t.Term] = true
		}
	}
	if polite || !points && len(own) > 2 {
		return question
	}
	for _, turn := range slices.Backward(turns) {
		if s := subject(turn.User, own); s != "" {
			return strings.TrimRight(question, " ") + " (" + s + ")"
		}
	}
	return question
}

// subject is what a question is about: its words that say something and that
// are not known yet, names alone where there are some.
func subject(question string, known map[string]bool) string {
	var all, names []string
	for _, t := range analysis.Tokens(question) {
		if t.Stop || t.Extra || known[t.Term] {
			continue
		}
		w := question[t.Start:t.End]
		all = append(all, w)
		if r := []rune(w)[0]; t.Start > 0 && (unicode.IsUpper(r) || unicode.IsDigit(r)) {
			names = append(names, w)
		}
	}
	if len(names) > 0 {
		return strings.Join(names, " ")
	}
	return strings.Join(all[:min(len(all), 8)], " ")
}

const followupSystem = `Suggest three short questions that the person could ask next and that the same documents may answer. Write one question a line, without numbers, in the language of the conversation, and nothing else.`

const maxFollowups = 3

// suggested asks the model for follow-up questions.
func suggested(ctx context.Context, p llm.Provider, model, question, answer string) ([]string, llm.Result, error) {
	res, err := p.Stream(ctx, llm.Request{
		Model: model, System: followupSystem, MaxTokens: rewriteTokens,
		Messages: []llm.Message{
			{Role: llm.User, Text: question}, {Role: llm.Assistant, Text: clip(withoutMarks(answer), 6000)}, {Role: llm.User, Text: "Suggest the questions."},
		},
	}, func(llm.Delta) error { return nil })
	out := []string{}
	for line := range strings.Lines(res.Text) {
		line = strings.TrimLeft(oneLine(line), "0123456789.)-*• ")
		if n := len([]rune(line)); n >= 5 && n <= 200 && len(out) < maxFollowups {
			out = append(out, line)
		}
	}
	return out, res, err
}

// leftOver makes follow-ups of the headings of passages that were found but
// not cited: what else the documents say on the matter.
func leftOver(passages []Passage, cited map[int]bool, question string) []string {
	out := []string{}
	seen := map[string]bool{strings.ToLower(oneLine(question)): true}
	for _, p := range passages {
		seen[strings.ToLower(lastHeading(p.Heading))] = seen[strings.ToLower(lastHeading(p.Heading))] || cited[p.Number]
	}
	for _, p := range passages {
		h := lastHeading(p.Heading)
		n := len([]rune(h))
		if cited[p.Number] || seen[strings.ToLower(h)] || n < 4 || n > 120 || len(out) == maxFollowups {
			continue
		}
		seen[strings.ToLower(h)] = true
		if !strings.HasSuffix(h, "?") {
			h = "What do the documents say about “" + h + "”?"
		}
		out = append(out, h)
	}
	return out
}

func lastHeading(h string) string {
	if i := strings.LastIndex(h, " > "); i >= 0 {
		h = h[i+3:]
	}
	return oneLine(h)
}
