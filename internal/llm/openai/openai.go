// Package openai talks to every server with OpenAI's chat completions: OpenAI,
// Azure, vLLM, Ollama, llama.cpp, LM Studio, Gemini's compatible endpoint and
// others. What some of them lack (usage, stream options, call ids, the name of a
// parameter) is noticed and done without.
package openai

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/wire"
)

// DefaultBaseURL is OpenAI's own.
const DefaultBaseURL = "https://api.openai.com/v1"

// Config says where the model is.
type Config struct {
	Name    string       // for messages and Provider.Name; default "openai"
	BaseURL string       // up to and without /chat/completions; default DefaultBaseURL
	APIKey  string       // empty: none is sent
	Model   string       // for requests that name none
	Client  *http.Client // of package egress, without a time limit of its own
	Limits  wire.Limits
}

// Provider answers with one endpoint's models.
type Provider struct {
	name, model string
	wire        *wire.Client
	quirks      atomic.Uint32
}

// quirk is something that this server was seen not to accept.
type quirk = uint32

const (
	noStreamOptions quirk = 1 << iota
	completionTokens
	noTemperature
)

// New makes a Provider; a bad address is a *fail.Error with code invalid_input.
func New(c Config) (*Provider, error) {
	if c.Name == "" {
		c.Name = "openai"
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	h := http.Header{}
	if c.APIKey != "" {
		h.Set("Authorization", "Bearer "+c.APIKey)
	}
	w, err := wire.New(c.Name, c.BaseURL, c.Client, h, c.Limits)
	if err != nil {
		return nil, err
	}
	p := &Provider{name: c.Name, model: c.Model, wire: w}
	if u, err := url.Parse(c.BaseURL); err == nil && (u.Hostname() == "api.openai.com" || strings.HasSuffix(u.Hostname(), ".openai.azure.com")) {
		p.quirks.Store(completionTokens)
	}
	return p, nil
}

// Name is the configured name.
func (p *Provider) Name() string { return p.name }

// Stream implements llm.Provider.
func (p *Provider) Stream(ctx context.Context, req llm.Request, emit func(llm.Delta) error) (llm.Result, error) {
	if req.Model == "" {
		req.Model = p.model
	}
	if req.Model == "" {
		return llm.Result{}, fail.Provider("no model is set for %s; an administrator has to name one", p.name)
	}
	quirks := p.quirks.Load()
	body := render(req, quirks)
	var a answer
	err := p.wire.Do(ctx, wire.Call{
		Path:  "/chat/completions",
		Model: req.Model,
		Body:  &body,
		Refused: func(head []byte) bool {
			q := quirkIn(head, body)
			if q == 0 {
				return false
			}
			quirks ^= q // the name of the limit may have to go either way
			for {
				old := p.quirks.Load()
				if p.quirks.CompareAndSwap(old, old&^q|quirks&q) {
					break
				}
			}
			body = render(req, quirks)
			return true
		},
		Handle: func(r *wire.Reply) error {
			a = answer{reply: r, emit: emit, same: wire.Same{Key: "content"}}
			return a.read()
		},
	})
	if err != nil {
		return llm.Result{}, err
	}
	return a.result(req)
}

// quirkIn finds the parameter that a refusal is about, among those sent.
func quirkIn(head []byte, b body) quirk {
	s := string(head)
	switch {
	case b.StreamOptions != nil && strings.Contains(s, "stream_options"):
		return noStreamOptions
	case b.MaxTokens > 0 && strings.Contains(s, "max_tokens"):
		return completionTokens
	case b.MaxCompletionTokens > 0 && strings.Contains(s, "max_completion_tokens"):
		return completionTokens
	case b.Temperature != nil && strings.Contains(s, "temperature"):
		return noTemperature
	}
	return 0
}
