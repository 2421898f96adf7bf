package model

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/anthropic"
	"atrium/internal/llm/offline"
	"atrium/internal/llm/openai"
)

// Answering is a model that answers, and what it costs.
type Answering struct {
	llm.Provider

	// Version changes with everything that could change an answer.
	Version                      string
	PromptPrice, CompletionPrice float64
}

// stored is a configuration as it is used.
type stored struct {
	ID              int64      `db:"id"`
	OrgID           int64      `db:"org_id"`
	Name            string     `db:"name"`
	Provider        string     `db:"provider"`
	Model           string     `db:"model"`
	Endpoint        string     `db:"endpoint"`
	Parameters      Parameters `db:"parameters,json"`
	PromptPrice     float64    `db:"prompt_price"`
	CompletionPrice float64    `db:"completion_price"`
	Key             string     `db:"key_sealed"`
	ModifiedOn      time.Time  `db:"modified_on"`
}

const used = `c.id, c.org_id, c.name, c.provider, c.model, c.endpoint, c.parameters, c.prompt_price, c.completion_price, c.key_sealed, c.modified_on`

// For is the model that answers in an organization: the configuration with the
// id, or the active one when it is nil or gone. found is false when the server's
// own model answers.
func (m *Models) For(ctx context.Context, orgID int64, id *int64) (a Answering, found bool, err error) {
	chosen := int64(0)
	if id != nil {
		chosen = *id
	}
	s, err := db.One[stored](ctx, m.DB, `SELECT `+used+` FROM llm_configuration c WHERE c.org_id = ? AND c.is_deleted = FALSE AND (c.id = ? OR c.is_active = TRUE)
		ORDER BY CASE WHEN c.id = ? THEN 0 ELSE 1 END, c.id LIMIT 1`, orgID, chosen, chosen)
	if errors.Is(err, db.ErrNone) {
		return Answering{}, false, nil
	}
	if err != nil {
		return Answering{}, false, err
	}
	p, err := m.provider(s)
	return Answering{p, fmt.Sprintf("configuration %d of %d", s.ID, s.ModifiedOn.UnixMicro()), s.PromptPrice, s.CompletionPrice}, true, err
}

// built is a provider that is kept, because it learns what its server lacks.
type built struct {
	modified time.Time
	provider llm.Provider
}

func (m *Models) provider(s stored) (llm.Provider, error) {
	m.mu.Lock()
	b, ok := m.built[s.ID]
	m.mu.Unlock()
	if ok && b.modified.Equal(s.ModifiedOn) {
		return b.provider, nil
	}
	p, err := m.build(s)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.built) > 1000 {
		clear(m.built)
	}
	m.built[s.ID] = built{s.ModifiedOn, p}
	return p, nil
}

func (m *Models) build(s stored) (llm.Provider, error) {
	if s.Provider == Offline {
		return offline.New(), nil
	}
	key := ""
	if s.Key != "" {
		k, err := m.Box.Open(s.Key, place(s.OrgID, s.ID))
		if err != nil {
			return nil, fail.Provider("the key of the model configuration %s cannot be read; an administrator has to enter it again", s.Name).Because(err)
		}
		key = string(k)
	}
	c := configured{name: s.Name, model: s.Model, parameters: s.Parameters}
	var err error
	if s.Provider == Anthropic {
		c.Provider, err = anthropic.New(anthropic.Config{Name: s.Name, BaseURL: s.Endpoint, APIKey: key, Model: s.Model, Client: m.Client})
	} else {
		c.Provider, err = openai.New(openai.Config{Name: s.Name, BaseURL: s.Endpoint, APIKey: key, Model: s.Model, Client: m.Client})
	}
	return c, err
}

// configured is a provider with what its configuration says.
type configured struct {
	llm.Provider

	name, model string
	parameters  Parameters
}

// Name says that a model answers, whatever people called the configuration.
func (c configured) Name() string { return "configuration " + c.name }

// Stream asks the configured model; the one that an agent names is of the
// server's provider.
func (c configured) Stream(ctx context.Context, req llm.Request, emit func(llm.Delta) error) (llm.Result, error) {
	req.Model = c.model
	if req.Temperature == nil {
		req.Temperature = c.parameters.Temperature
	}
	if most := c.parameters.MaxTokens; most != nil && (req.MaxTokens == 0 || req.MaxTokens > *most) {
		req.MaxTokens = *most
	}
	res, err := c.Provider.Stream(ctx, req, emit)
	if fail.Is(err, fail.CodeInvalid) {
		err = fail.Provider("the endpoint of the model configuration %s does not lead to the public internet, or cannot be called; an administrator has to change it. A model in the own network is set by the operator, with ATRIUM_LLM_BASE_URL", c.name).Because(err)
	}
	return res, err
}

// Trial is how a model answered.
type Trial struct {
	OK         bool    `json:"ok"`
	Message    string  `json:"message" doc:"What it answered, or why it did not."`
	Model      string  `json:"model" doc:"As the provider names it."`
	DurationMS float64 `json:"duration_ms"`
}

const (
	trialTime   = 30 * time.Second
	trialTokens = 64
	trialText   = 200
)

// Test asks a configuration for one word.
func (m *Models) Test(ctx context.Context, sc authz.Scope, id int64) (Trial, error) {
	s, err := load[stored](ctx, m.DB, sc, id, authz.Edit, used)
	if err != nil {
		return Trial{}, err
	}
	// What goes out to others is in the audit log, even if nothing changes.
	if err := m.DB.Tx(ctx, func(context.Context, *db.Tx) error { return nil }); err != nil {
		return Trial{}, err
	}
	start := time.Now()
	res, err := m.try(ctx, s)
	t := Trial{OK: err == nil, Message: cut(res.Text), Model: res.Model, DurationMS: float64(time.Since(start).Microseconds()) / 1000}
	if err != nil {
		f := fail.As(err)
		if f.Code == fail.CodeInternal && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			return Trial{}, err
		}
		t.Message = f.Message
		if errors.Is(err, context.DeadlineExceeded) {
			t.Message = fmt.Sprintf("the model did not answer within %s; try again, or check the endpoint", trialTime)
		}
	}
	return t, nil
}

func (m *Models) try(ctx context.Context, s stored) (llm.Result, error) {
	p, err := m.provider(s)
	if err != nil {
		return llm.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	return p.Stream(ctx, llm.Request{MaxTokens: trialTokens, Messages: []llm.Message{{Role: llm.User, Text: "Answer with the one word: ready"}}}, func(llm.Delta) error { return nil })
}

func cut(s string) string {
	if r := []rune(strings.TrimSpace(s)); len(r) > trialText {
		return string(r[:trialText]) + "…"
	}
	return strings.TrimSpace(s)
}
