package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/egress"
	"atrium/internal/llm"
	"atrium/internal/llm/anthropic"
	"atrium/internal/llm/offline"
	"atrium/internal/llm/openai"
	"atrium/internal/model"
	"atrium/internal/response"
)

// OfflineModel is what DescribeModel says when no model is configured.
const OfflineModel = "offline: extracts quoted from the documents, without a language model"

const (
	openaiURL      = "https://api.openai.com/v1"
	anthropicURL   = "https://api.anthropic.com"
	openaiModel    = "gpt-5-mini"
	anthropicModel = "claude-sonnet-4-5"
)

// chosen is the endpoint that the settings name: what is set for Atrium wins
// over the keys that other programs use too.
func chosen(c Config) (m Model, isAnthropic, offline bool) {
	m = c.LLM
	switch {
	case m.BaseURL != "":
	case m.APIKey != "":
		m.BaseURL = openaiURL
		if strings.HasPrefix(m.APIKey, "sk-ant-") {
			m.BaseURL = anthropicURL
		}
	case c.OpenAIKey != "":
		m.BaseURL, m.APIKey = openaiURL, c.OpenAIKey
	case c.AnthropicKey != "":
		m.BaseURL, m.APIKey = anthropicURL, c.AnthropicKey
	default:
		return m, false, true
	}
	u, err := url.Parse(m.BaseURL)
	isAnthropic = err == nil && u.Hostname() == "api.anthropic.com"
	if m.Model == "" {
		m.Model = openaiModel
		if isAnthropic {
			m.Model = anthropicModel
		}
	}
	return m, isAnthropic, false
}

// DescribeModel says in words which model answers.
func DescribeModel(c Config) string {
	m, _, off := chosen(c)
	if off {
		return OfflineModel
	}
	return fmt.Sprintf("%s at %s", m.Model, m.BaseURL)
}

// models picks the model that answers for an agent: the one of its
// configuration, the organization's, or the server's.
type models struct {
	provider   llm.Provider
	price      response.Price
	deployed   model.Deployment
	configured *model.Models
}

func newModels(c Config, guard *egress.Guard) (*models, error) {
	m, isAnthropic, off := chosen(c)
	if off {
		return &models{provider: offline.New(), deployed: model.Deployment{Provider: model.Offline, Model: offline.Model}}, nil
	}
	out := &models{price: response.Price{Prompt: m.PromptPrice, Completion: m.CompletionPrice}, deployed: model.Deployment{Provider: model.OpenAI, Model: m.Model}}
	client := guard.Operator(egress.Limits{})
	var err error
	if isAnthropic {
		out.deployed.Provider = model.Anthropic
		out.provider, err = anthropic.New(anthropic.Config{BaseURL: m.BaseURL, APIKey: m.APIKey, Model: m.Model, Client: client})
	} else {
		out.provider, err = openai.New(openai.Config{BaseURL: m.BaseURL, APIKey: m.APIKey, Model: m.Model, Client: client})
	}
	return out, err
}

// modelTime is the longest that a configured model may take for an answer.
const modelTime = 15 * time.Minute

// modelClient reaches the models that people configure, on the public internet
// only: ATRIUM_EGRESS_ALLOW is for documents, and a model is sent a key.
func modelClient(g *egress.Guard) *http.Client {
	return g.Client(egress.Limits{Timeout: modelTime, MaxRedirects: -1})
}

// Pick is the model that answers for an agent.
func (m *models) Pick(ctx context.Context, sc authz.Scope, a agent.Settings) (response.Choice, error) {
	c, found, err := m.configured.For(ctx, sc.Org(), a.LLMConfig)
	if err != nil {
		return response.Choice{}, err
	}
	if !found {
		return response.Choice{Provider: m.provider, Price: m.price, Version: m.provider.Name()}, nil
	}
	return response.Choice{Provider: c.Provider, Price: response.Price{Prompt: c.PromptPrice, Completion: c.CompletionPrice}, Version: c.Version}, nil
}

// Draft is the model that writes for an organization, when it has one.
func (m *models) Draft(ctx context.Context, orgID int64) (llm.Provider, string, error) {
	c, found, err := m.configured.For(ctx, orgID, nil)
	switch {
	case err != nil:
		return nil, "", err
	case !found:
		c.Provider, c.Version = m.provider, m.provider.Name()
	}
	if c.Provider.Name() == offline.New().Name() {
		return nil, "", nil
	}
	return c.Provider, c.Version, nil
}

// Answers says in words which model answers.
func (s *Server) Answers() string { return DescribeModel(s.cfg) }

// PublicURL is the address that people type.
func (s *Server) PublicURL() string { return s.cfg.PublicURL }
