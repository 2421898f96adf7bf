// Package anthropic talks to Anthropic's messages API and servers compatible
// with it.
package anthropic

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/wire"
)

// DefaultBaseURL is Anthropic's own.
const DefaultBaseURL = "https://api.anthropic.com"

// defaultMaxTokens is sent when a request sets no limit, because the API wants one.
const defaultMaxTokens = 4096

const maxBlocks = 256

// Config says where the model is.
type Config struct {
	Name    string       // for messages and Provider.Name; default "anthropic"
	BaseURL string       // up to and without /v1/messages; default DefaultBaseURL
	APIKey  string       // empty: none is sent
	Model   string       // for requests that name none
	Client  *http.Client // of package egress, without a time limit of its own
	Limits  wire.Limits
}

// Provider answers with one endpoint's models.
type Provider struct {
	name, model string
	wire        *wire.Client
}

// New makes a Provider; a bad address is a *fail.Error with code invalid_input.
func New(c Config) (*Provider, error) {
	c.Name = cmp.Or(c.Name, "anthropic")
	base := strings.TrimSuffix(strings.TrimRight(cmp.Or(c.BaseURL, DefaultBaseURL), "/"), "/v1")
	h := http.Header{"Anthropic-Version": {"2023-06-01"}}
	if c.APIKey != "" {
		h.Set("X-Api-Key", c.APIKey)
	}
	w, err := wire.New(c.Name, base, c.Client, h, c.Limits)
	if err != nil {
		return nil, err
	}
	return &Provider{name: c.Name, model: c.Model, wire: w}, nil
}

// Name is the configured name.
func (p *Provider) Name() string { return p.name }

// Stream implements llm.Provider.
func (p *Provider) Stream(ctx context.Context, req llm.Request, emit func(llm.Delta) error) (llm.Result, error) {
	req.Model = cmp.Or(req.Model, p.model)
	if req.Model == "" {
		return llm.Result{}, fail.Provider("no model is set for %s; an administrator has to name one", p.name)
	}
	var a answer
	err := p.wire.Do(ctx, wire.Call{
		Path:  "/v1/messages",
		Model: req.Model,
		Body:  render(req),
		Handle: func(r *wire.Reply) error {
			a = answer{reply: r, emit: emit, same: wire.Same{Key: "text"}}
			return a.read()
		},
	})
	if err != nil {
		return llm.Result{}, err
	}
	return a.result(req)
}

// event is any event of the stream.
type event struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message *struct {
		Model string `json:"model"`
		Usage usage  `json:"usage"`
	} `json:"message"`
	Block *struct {
		Type     string          `json:"type"`
		Text     wire.Text       `json:"text"`
		Thinking wire.Text       `json:"thinking"`
		ID       string          `json:"id"`
		Name     string          `json:"name"`
		Input    json.RawMessage `json:"input"`
	} `json:"content_block"`
	Delta struct {
		Text       wire.Text `json:"text"`
		Thinking   wire.Text `json:"thinking"`
		JSON       wire.Text `json:"partial_json"`
		StopReason string    `json:"stop_reason"`
	} `json:"delta"`
	Usage *usage `json:"usage"`
	Error *struct {
		Type string `json:"type"`
	} `json:"error"`
}

type usage struct {
	Input      int `json:"input_tokens"`
	CacheWrite int `json:"cache_creation_input_tokens"`
	CacheRead  int `json:"cache_read_input_tokens"`
	Output     int `json:"output_tokens"`
}

type building struct {
	index     int
	id, name  string
	arguments strings.Builder
}

// answer gathers one attempt's answer.
type answer struct {
	reply           *wire.Reply
	emit            func(llm.Delta) error
	text, reasoning strings.Builder
	calls           []*building
	usage           usage
	stop, model     string
	same            wire.Same
}

func (a *answer) read() error {
	stream, err := a.reply.Stream()
	if err != nil {
		return err
	}
	if !stream {
		return a.reply.Garbage("did not stream its answer", nil)
	}
	var e event
	for {
		ev, err := a.reply.Next()
		if errors.Is(err, io.EOF) {
			return a.reply.Cut()
		}
		if err != nil {
			return err
		}
		if text, ok := a.same.Match(ev.Data); ok {
			if err := a.say("", text); err != nil {
				return err
			}
			continue
		}
		e = event{}
		if err := json.Unmarshal(ev.Data, &e); err != nil {
			return a.reply.Garbage("sent a piece that is not the JSON of its API", err)
		}
		switch e.Type {
		case "message_stop":
			return nil
		case "error":
			if e.Error == nil {
				return a.reply.Fault()
			}
			return a.reply.Fault(e.Error.Type)
		}
		if err := a.add(&e); err != nil {
			return err
		}
		if e.Type == "content_block_delta" && e.Delta.Thinking+e.Delta.JSON == "" {
			a.same.Learn(ev.Data, string(e.Delta.Text))
		}
	}
}

func (a *answer) add(e *event) error {
	switch e.Type {
	case "message_start":
		if e.Message != nil {
			a.model, a.usage = e.Message.Model, e.Message.Usage
		}
	case "content_block_start":
		if e.Block == nil {
			return nil
		}
		if e.Index < 0 || e.Index >= maxBlocks {
			return a.reply.Garbage("sent too many pieces", nil)
		}
		if e.Block.Type == "tool_use" {
			a.reply.Progress()
			b := &building{index: e.Index, id: e.Block.ID, name: e.Block.Name}
			if in := string(e.Block.Input); in != "{}" && in != "null" {
				b.arguments.WriteString(in) // some servers send the whole at once
			}
			a.calls = append(a.calls, b)
		}
		return a.say(string(e.Block.Thinking), string(e.Block.Text))
	case "content_block_delta":
		if e.Delta.JSON != "" {
			for _, b := range a.calls {
				if b.index == e.Index {
					b.arguments.WriteString(string(e.Delta.JSON))
				}
			}
		}
		return a.say(string(e.Delta.Thinking), string(e.Delta.Text))
	case "message_delta":
		a.stop = cmp.Or(e.Delta.StopReason, a.stop)
		if e.Usage != nil {
			a.usage.Output = e.Usage.Output // the sum so far
			a.usage.Input = max(a.usage.Input, e.Usage.Input)
		}
	}
	return nil
}

func (a *answer) say(thought, text string) error {
	if thought != "" {
		a.reply.Progress()
		a.reasoning.WriteString(thought)
		if err := a.emit(llm.Delta{Reasoning: thought}); err != nil {
			return err
		}
	}
	if text != "" {
		a.reply.Progress()
		a.text.WriteString(text)
		return a.emit(llm.Delta{Text: text})
	}
	return nil
}

func (a *answer) result(req llm.Request) (llm.Result, error) {
	r := llm.Result{Text: a.text.String(), Reasoning: a.reasoning.String(), Model: cmp.Or(a.model, req.Model)}
	for _, b := range a.calls {
		args, err := wire.Arguments(b.name, b.arguments.String())
		if err != nil {
			if a.stop == "max_tokens" {
				return llm.Result{}, fail.Provider("the model's answer was cut off in the middle of a tool call; raise the limit of tokens").Because(err)
			}
			return llm.Result{}, err
		}
		r.Calls = append(r.Calls, llm.ToolCall{ID: b.id, Name: b.name, Arguments: args})
	}
	switch a.stop {
	case "max_tokens", "model_context_window_exceeded":
		r.Finish = llm.Truncated
	case "refusal":
		r.Finish = llm.Filtered
	default:
		r.Finish = llm.Stopped
		if len(r.Calls) > 0 {
			r.Finish = llm.WantTools
		}
	}
	r.Usage = llm.Usage{PromptTokens: a.usage.Input + a.usage.CacheWrite + a.usage.CacheRead, CompletionTokens: a.usage.Output}
	if r.Usage.PromptTokens == 0 || r.Usage.CompletionTokens == 0 {
		r.Usage = llm.Estimate(req, r.Text+r.Reasoning, r.Calls)
	}
	if r.Text == "" && r.Reasoning == "" && len(r.Calls) == 0 && r.Finish == llm.Stopped {
		return llm.Result{}, fail.Provider("the model answered nothing; try again")
	}
	return r, nil
}
