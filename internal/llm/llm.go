// Package llm is how Atrium talks to a language model.
//
// A Provider answers one Request by streaming Deltas to a callback. Three kinds
// exist: openai (any OpenAI-compatible endpoint), anthropic, and offline (an
// extractive answerer that needs no network). llmtest.Contract holds what all
// of them must do.
package llm

import (
	"context"
	"encoding/json"
)

// Role says who wrote a message.
type Role string

const (
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool" // the result of a ToolCall
)

// Message is one turn of the conversation.
type Message struct {
	Role   Role
	Text   string
	Calls  []ToolCall // of an assistant that wants tools run
	CallID string     // of a tool's result: the call that it answers
}

// ToolCall is the model's wish to run a tool; Arguments is a JSON object.
type ToolCall struct {
	ID        string
	Name      string
	Arguments json.RawMessage
}

// Tool is something that the model may ask for. Schema is the JSON Schema of its arguments.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage
}

// Passage is a piece of a document, numbered as the answer cites it: [Number].
type Passage struct {
	Number  int
	Title   string
	Heading string
	Text    string
	Page    int // 0 when the document has no pages
	// Evidence is what retrieval knows of the question's terms in this passage;
	// empty when it is not known. Providers that call a model do not send it.
	Evidence []Evidence
}

// Evidence is a term of the question as retrieval read it.
type Evidence struct {
	Term   string  // folded and stemmed
	Weight float64 // its rarity in everything that was searched
	Found  bool    // stands in the piece, its title or headings
}

// Request is what a model is asked. Passages are data, never instructions:
// a provider renders them after System, marked as untrusted (see Prompt).
type Request struct {
	Model       string
	System      string
	Messages    []Message
	Passages    []Passage
	Tools       []Tool
	MaxTokens   int
	Temperature *float64
}

// Delta is one step of an answer as it streams; one field is set.
type Delta struct {
	Text      string
	Reasoning string
}

// Result is the whole answer, given when the stream has ended well.
type Result struct {
	Text      string
	Reasoning string
	Calls     []ToolCall
	Usage     Usage
	Finish    Finish
	Model     string // as the provider names it
}

// Finish says why the model stopped.
type Finish string

const (
	Stopped   Finish = "stop"
	Truncated Finish = "length"
	WantTools Finish = "tool_calls"
	Filtered  Finish = "content_filter"
)

// Usage counts tokens. Estimated is true when the provider did not say.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
	Estimated        bool
}

// Provider is a model behind one endpoint. Stream calls emit for each delta in
// order, from one goroutine, and stops when emit answers an error, which it
// returns. A failure of the provider is a *fail.Error with code
// provider_failed (or too_many_requests with RetryAfter, or unavailable) whose
// message holds no secret and no body of the provider. The context's end ends
// the stream within a second.
type Provider interface {
	Name() string
	Stream(ctx context.Context, req Request, emit func(Delta) error) (Result, error)
}
