package offline

import (
	"context"
	"strconv"
	"strings"
	"unicode"

	"atrium/internal/llm"
	"atrium/internal/retrieval/analysis"
)

// Model is what results name as their model.
const Model = "offline-extract"

// NotFound is the whole text of an answer that declines.
const NotFound = "This is not in these documents: I found no passage that answers the question. Try other words, or add a document that says it. (Answered without a language model.)"

const (
	intro    = "Found in the documents, quoted word for word without a language model:"
	greeting = "Hello. Ask me about the documents, and I will quote the sentences that answer your question, with the place where they stand. (Answered without a language model.)"
	thanks   = "You are welcome. Ask me anything else about the documents. (Answered without a language model.)"
)

type provider struct{}

// New makes the provider. It needs nothing, keeps nothing and never fails but by
// its context or emit. Tools, model, temperature and token limit of a request
// are of no effect: an answer is at most two short quotations.
func New() llm.Provider { return provider{} }

func (provider) Name() string { return "offline" }

// Stream answers the last message of the user from the passages, word by word.
func (provider) Stream(ctx context.Context, req llm.Request, emit func(llm.Delta) error) (llm.Result, error) {
	text := reply(req)
	for rest := text; rest != ""; {
		if err := ctx.Err(); err != nil {
			return llm.Result{}, err
		}
		n := word(rest)
		if err := emit(llm.Delta{Text: rest[:n]}); err != nil {
			return llm.Result{}, err
		}
		rest = rest[n:]
	}
	return llm.Result{Text: text, Finish: llm.Stopped, Model: Model, Usage: usage(req, text)}, ctx.Err()
}

// word is the length of the next word with the space before it.
func word(s string) int {
	seen := false
	for i, r := range s {
		if unicode.IsSpace(r) {
			if seen {
				return i
			}
			continue
		}
		seen = true
	}
	return len(s)
}

func reply(req llm.Request) string {
	var asked []string
	for _, m := range req.Messages {
		if m.Role == llm.User {
			asked = append(asked, m.Text)
		}
	}
	if len(asked) == 0 {
		return greeting
	}
	last := asked[len(asked)-1]
	if s, ok := small(last); ok {
		return s
	}
	e := Answer(last, req.Passages)
	if e.Declined && len(asked) > 1 && follows(last) {
		// "and when did he die?" is about what was asked before.
		e = Answer(asked[len(asked)-2]+"\n"+last, req.Passages)
	}
	if e.Declined {
		return NotFound
	}
	var b strings.Builder
	b.WriteString(intro)
	for _, s := range e.Sentences {
		b.WriteString("\n\n“" + s.Text + "” [" + strconv.Itoa(s.Number) + "]")
	}
	return b.String()
}

// follows tells whether a question leans on the one before: it points back with
// a pronoun, or names hardly anything.
func follows(question string) bool {
	terms := 0
	for _, t := range analysis.Tokens(question) {
		if !t.Stop && !t.Extra {
			terms++
		}
		switch strings.ToLower(question[t.Start:t.End]) {
		case "he", "she", "it", "they", "him", "her", "his", "its", "their", "them", "this", "that", "these", "those", "there":
			return true
		}
	}
	return terms < 3
}

var (
	greets = words("hi hello hey hallo good morning afternoon evening day greetings there everyone how are you doing today please help me who what can do you is this your name how does work")
	opens  = words("hi hello hey hallo greetings help")
	thank  = words("thanks thank you very much so a lot many ok okay great good nice perfect cool bye goodbye cheers that all is was helpful")
	thanky = words("thanks thank bye goodbye cheers great perfect cool ok okay nice")
)

// small answers what is no question about documents.
func small(text string) (string, bool) {
	all := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' })
	if len(all) == 0 {
		return greeting, true
	}
	if len(all) > 7 {
		return "", false
	}
	every := func(known map[string]bool) bool {
		for _, w := range all {
			if !known[w] {
				return false
			}
		}
		return true
	}
	joined := strings.Join(all, " ")
	switch {
	case opens[all[0]] && every(greets), strings.HasPrefix(joined, "good ") && every(greets),
		joined == "who are you", joined == "what are you", joined == "what can you do", joined == "how are you", joined == "how does this work", joined == "what is this":
		return greeting, true
	case thanky[all[0]] && every(thank):
		return thanks, true
	}
	return "", false
}

// usage is an estimate by four bytes a token; nothing was paid for.
func usage(req llm.Request, text string) llm.Usage {
	n := len(req.System)
	for _, m := range req.Messages {
		n += len(m.Text)
	}
	for _, p := range req.Passages {
		n += len(p.Text)
	}
	return llm.Usage{PromptTokens: (n + 3) / 4, CompletionTokens: (len(text) + 3) / 4, Estimated: true}
}
