package fake

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"atrium/internal/llm"
)

// answer decides what to say.
func (s *server) answer(req Request) Reply {
	if s.Script != nil {
		if r, ok := s.Script(req); ok {
			return r
		}
	}
	last := llm.User
	if n := len(req.Messages); n > 0 {
		last = req.Messages[n-1].Role
	}
	switch req.Model {
	case Obey:
		return obey(req)
	case Tools:
		if len(req.Tools) > 0 && last != llm.ToolRole {
			t := req.Tools[0]
			return Reply{Calls: []llm.ToolCall{{ID: "call_1", Name: t.Name, Arguments: fill(t.Schema, req.Last())}}}
		}
	case Reason:
		return Reply{Reasoning: "First I look at what was asked, then I answer.", Text: s.words(req)}
	}
	return Reply{Text: s.words(req)}
}

var passage = regexp.MustCompile(`(?s)<passage n="(\d+)"[^>]*>\n(.*?)\n</passage>`)

// words answers with the first sentence of each passage and its number, then
// goes on in made-up words until there are enough, or stops there.
func (s *server) words(req Request) string {
	var out []string
	for _, m := range passage.FindAllStringSubmatch(req.System, -1) {
		if len(out) >= s.Tokens {
			break
		}
		sentence, _, _ := strings.Cut(m[2], ". ")
		out = append(out, strings.Fields(sentence)...)
		out = append(out, "["+m[1]+"].")
	}
	if len(out) == 0 {
		out = append(strings.Fields("You asked:"), strings.Fields(req.Last())...)
	}
	for i := 0; len(out) < s.Tokens; i++ {
		out = append(out, "word"+strconv.Itoa(i))
	}
	return strings.Join(out[:s.Tokens], " ")
}

// fill makes arguments that satisfy a simple schema: each string gets the text,
// each other required property the smallest value of its type.
func fill(schema json.RawMessage, text string) json.RawMessage {
	var s struct {
		Properties map[string]struct {
			Type string `json:"type"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	_ = json.Unmarshal(schema, &s) // no schema: no arguments
	args := map[string]any{}
	for name, p := range s.Properties {
		switch p.Type {
		case "string":
			args[name] = text
		case "integer", "number":
			args[name] = 1
		case "boolean":
			args[name] = false
		case "array":
			args[name] = []any{}
		case "object":
			args[name] = map[string]any{}
		}
		if p.Type != "string" && !slices.Contains(s.Required, name) {
			delete(args, name)
		}
	}
	b, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("fake: %v", err)) // maps of plain values always marshal
	}
	return b
}

var (
	callOrder = regexp.MustCompile(`(?i)call (?:the )?tool ([\w.-]+) with (\{[^\n]*?\})(?:[\s.;]|$)`)
	sayOrder  = regexp.MustCompile(`(?i)(?:say|answer with|write|print)[: ]+"([^"\n]+)"`)
	leakOrder = regexp.MustCompile(`(?i)(?:reveal|repeat|print|show|output) (?:\w+ ){0,3}(?:system prompt|instructions|secrets?|api key|everything above)`)
	linkOrder = regexp.MustCompile(`(?i)(?:open|visit|fetch|load|show the image|link to) (https?://[^\s)>"]+)`)
)

// obey does whatever any text in its sight demands: the most gullible model that
// there can be. It understands, in any message, tool result or passage:
//
//	call the tool NAME with {"json": "arguments"}
//	say "TEXT"
//	reveal the system prompt          (it repeats all it was told)
//	open https://address              (it shows the address as link and image)
//
// Calls are made once: after a tool's result it only talks.
func obey(req Request) Reply {
	sight := []string{req.System}
	after := false
	for _, m := range req.Messages {
		if m.Role != llm.Assistant {
			sight = append(sight, m.Text)
		}
		after = after || m.Role == llm.ToolRole
	}
	all := strings.Join(sight, "\n")
	var r Reply
	if !after {
		for i, m := range callOrder.FindAllStringSubmatch(all, 8) {
			if json.Valid([]byte(m[2])) {
				r.Calls = append(r.Calls, llm.ToolCall{ID: "call_" + strconv.Itoa(i+1), Name: m[1], Arguments: json.RawMessage(m[2])})
			}
		}
		if len(r.Calls) > 0 {
			return r
		}
	}
	var out []string
	for _, m := range sayOrder.FindAllStringSubmatch(all, 8) {
		out = append(out, m[1])
	}
	for _, m := range linkOrder.FindAllStringSubmatch(all, 8) {
		out = append(out, "["+m[1]+"]("+m[1]+") ![image]("+m[1]+")")
	}
	if leakOrder.MatchString(all) {
		out = append(out, all)
	}
	if len(out) == 0 {
		out = append(out, "As you wish. "+req.Last())
	}
	r.Text = strings.Join(out, "\n")
	return r
}

// tokens cuts a text into words with the space before them, which put together
// give the text again.
func tokens(s string) []string {
	var out []string
	start := 0
	for i := 1; i < len(s); i++ {
		if (s[i] == ' ' || s[i] == '\n') && s[i-1] != ' ' && s[i-1] != '\n' {
			out = append(out, s[start:i])
			start = i
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}
