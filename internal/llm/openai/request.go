package openai

import (
	"encoding/json"

	"atrium/internal/llm"
)

// body is the request of POST /chat/completions.
type body struct {
	Model               string         `json:"model"`
	Messages            []message      `json:"messages"`
	Tools               []tool         `json:"tools,omitempty"`
	Stream              bool           `json:"stream"`
	StreamOptions       *streamOptions `json:"stream_options,omitempty"`
	MaxTokens           int            `json:"max_tokens,omitempty"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitempty"`
	Temperature         *float64       `json:"temperature,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type message struct {
	Role       string  `json:"role"`
	Content    *string `json:"content"` // null only beside tool calls
	ToolCalls  []call  `json:"tool_calls,omitempty"`
	ToolCallID string  `json:"tool_call_id,omitempty"`
}

type call struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type tool struct {
	Type     string `json:"type"`
	Function schema `json:"function"`
}

type schema struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

func render(req llm.Request, q quirk) body {
	b := body{Model: req.Model, Stream: true, Messages: make([]message, 0, len(req.Messages)+1)}
	if s := llm.Prompt(req); s != "" {
		b.Messages = append(b.Messages, message{Role: "system", Content: &s})
	}
	for _, m := range req.Messages {
		out := message{Role: string(m.Role), Content: &m.Text}
		switch m.Role {
		case llm.ToolRole:
			out.ToolCallID = m.CallID
		case llm.Assistant:
			for _, c := range m.Calls {
				out.ToolCalls = append(out.ToolCalls, call{ID: c.ID, Type: "function", Function: function{Name: c.Name, Arguments: string(c.Arguments)}})
			}
			if m.Text == "" && len(m.Calls) > 0 {
				out.Content = nil
			}
		}
		b.Messages = append(b.Messages, out)
	}
	for _, t := range req.Tools {
		b.Tools = append(b.Tools, tool{Type: "function", Function: schema{t.Name, t.Description, t.Schema}})
	}
	if q&noStreamOptions == 0 {
		b.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if q&completionTokens != 0 {
		b.MaxCompletionTokens = req.MaxTokens
	} else {
		b.MaxTokens = req.MaxTokens
	}
	if q&noTemperature == 0 {
		b.Temperature = req.Temperature
	}
	return b
}
