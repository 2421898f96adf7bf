package anthropic

import (
	"encoding/json"
	"strings"

	"atrium/internal/llm"
)

// body is the request of POST /v1/messages.
type body struct {
	Model       string    `json:"model"`
	MaxTokens   int       `json:"max_tokens"`
	System      string    `json:"system,omitempty"`
	Messages    []message `json:"messages"`
	Tools       []tool    `json:"tools,omitempty"`
	Temperature *float64  `json:"temperature,omitempty"`
	Stream      bool      `json:"stream"`
}

type message struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   string          `json:"content,omitempty"`
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema"`
}

func render(req llm.Request) body {
	b := body{Model: req.Model, MaxTokens: req.MaxTokens, System: llm.Prompt(req), Temperature: req.Temperature, Stream: true}
	if b.MaxTokens <= 0 {
		b.MaxTokens = defaultMaxTokens
	}
	if b.Temperature != nil && *b.Temperature > 1 {
		one := 1.0 // the API's range ends where others' goes to 2
		b.Temperature = &one
	}
	for _, m := range req.Messages {
		b.add(m)
	}
	for _, t := range req.Tools {
		schema := t.Schema
		if len(schema) == 0 {
			schema = json.RawMessage(`{"type":"object"}`)
		}
		b.Tools = append(b.Tools, tool{t.Name, t.Description, schema})
	}
	return b
}

// add appends a message; the API wants the roles to alternate, beginning with
// the user, and refuses empty texts.
func (b *body) add(m llm.Message) {
	role := "user"
	var blocks []block
	switch {
	case m.Role == llm.ToolRole:
		blocks = append(blocks, block{Type: "tool_result", ToolUseID: m.CallID, Content: m.Text})
	case strings.TrimSpace(m.Text) != "":
		blocks = append(blocks, block{Type: "text", Text: m.Text})
	}
	if m.Role == llm.Assistant {
		role = "assistant"
		for _, c := range m.Calls {
			in := c.Arguments
			if len(in) == 0 {
				in = json.RawMessage("{}")
			}
			blocks = append(blocks, block{Type: "tool_use", ID: c.ID, Name: c.Name, Input: in})
		}
	}
	if len(blocks) == 0 {
		return
	}
	if len(b.Messages) == 0 && role == "assistant" {
		b.Messages = append(b.Messages, message{"user", []block{{Type: "text", Text: "(The conversation goes on.)"}}})
	}
	if n := len(b.Messages); n > 0 && b.Messages[n-1].Role == role {
		b.Messages[n-1].Content = append(b.Messages[n-1].Content, blocks...)
		return
	}
	b.Messages = append(b.Messages, message{role, blocks})
}
