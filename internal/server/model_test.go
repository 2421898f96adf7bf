package server_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"

	"atrium/internal/llm/fake"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

// An active configuration answers for the organization, an agent's own instead
// of it, at its price; without one the server's model answers.
func TestTheConfiguredModelAnswers(t *testing.T) {
	t.Parallel()
	models := httptest.NewServer(fake.Server(fake.Options{APIKey: "sk-models", Script: func(r fake.Request) (fake.Reply, bool) {
		return fake.Reply{Text: "This is " + r.Model + "."}, true
	}}))
	t.Cleanup(models.Close)
	for _, e := range servertest.Engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			h := servertest.Start(t, e, func(c *server.Config) { c.ModelAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
			c := h.Admin(t)
			const mine = "/api/v2/organizations/me/llm-configurations"
			made := func(name, base string, more ...any) int64 {
				body := map[string]any{"name": name, "provider": "openai", "model": name, "endpoint": models.URL + base, "key": "sk-models", "prompt_price": 1e6, "completion_price": 1e6}
				for i := 0; i < len(more); i += 2 {
					body[more[i].(string)] = more[i+1]
				}
				return c.Do("POST", mine, body).Want(t, 201).ID("data.id")
			}
			agent := c.Do("POST", "/api/v2/agents", map[string]any{"name": "Ours", "caching_enabled": true}).Want(t, 201).ID("data.id")
			ask := func(text, mode string) servertest.Answer {
				t.Helper()
				a := c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", agent), map[string]any{"user_query": "Who are you?"}).Want(t, 200)
				if text != "" && a.String("data.answer") != text || a.String("data.agent_mode") != mode {
					t.Errorf("%s", a.Body)
				}
				return a
			}
			ask("", "offline")
			first := made("first", "/v1", "is_active", true)
			a := ask("This is first.", "model")
			if cost, _ := a.At("data.cost").(float64); cost < 1 || cost != a.At("data.total_tokens") {
				t.Errorf("at a dollar a token: %s", a.Body)
			}
			if again := ask("This is first.", "model"); again.At("data.cache_hit") != true {
				t.Errorf("asked twice: %s", again.Body)
			}
			c.Do("PUT", fmt.Sprintf("%s/%d", mine, first), map[string]any{"model": "other"}).Want(t, 200)
			ask("This is other.", "model")
			second := made("second", "", "provider", "anthropic")
			address := fmt.Sprintf("/api/v2/agents/%d", agent)
			if got := c.Do("PUT", address, map[string]any{"llm_config_id": second}).Want(t, 200).ID("data.llm_config"); got != second {
				t.Errorf("llm_config is %d", got)
			}
			ask("This is second.", "model")
			c.Do("DELETE", fmt.Sprintf("%s/%d", mine, second), nil).Want(t, 409)
			c.Do("PUT", address, map[string]any{"llm_config_id": 999999}).Want(t, 404)
			foreign := h.Neighbour(t).Do("POST", mine, map[string]any{"name": "theirs", "provider": "offline"}).Want(t, 201).ID("data.id")
			c.Do("PUT", address, map[string]any{"llm_config_id": foreign}).Want(t, 404)
			if got := c.Do("PUT", address, map[string]any{"llm_config_id": 0}).Want(t, 200).At("data.llm_config"); got != nil {
				t.Errorf("llm_config is %v", got)
			}
			ask("This is other.", "model")
			c.Do("PUT", fmt.Sprintf("%s/%d", mine, first), map[string]any{"is_active": false}).Want(t, 200)
			ask("", "offline")
		})
	}
}

// A feature that is switched off makes its operations answer 403.
func TestSwitchedOffFeaturesAreRefused(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c, person := h.Admin(t), h.Person(t, "ann@example.com")
		agent := person.Do("POST", "/api/v2/agents", map[string]any{"name": "Mine"}).Want(t, 201).ID("data.id")
		address := fmt.Sprintf("/api/v2/agents/%d", agent)
		key := person.Do("POST", "/api/v2/api-keys", map[string]any{"name": "k"}).Want(t, 201).ID("data.id")
		for _, name := range []string{"chat-agent-creation", "share-agent", "developer-portal"} {
			c.Do("PUT", "/api/v2/feature-flags/"+name, map[string]any{"is_active": false}).Want(t, 200)
		}
		person.Do("POST", "/api/v2/agents", map[string]any{"name": "Another"}).Want(t, 403)
		person.Do("PUT", address, map[string]any{"access": "Public"}).Want(t, 403)
		person.Do("PUT", address, map[string]any{"access": "Everyone"}).Want(t, 200)
		person.Do("GET", "/api/v2/api-keys", nil).Want(t, 403)
		person.Do("POST", "/api/v2/api-keys", map[string]any{"name": "k"}).Want(t, 403)
		person.Do("DELETE", fmt.Sprintf("/api/v2/api-keys/%d", key), nil).Want(t, 200)
		for _, name := range []string{"chat-agent-creation", "share-agent"} {
			c.Do("PUT", "/api/v2/feature-flags/"+name, map[string]any{"is_active": true}).Want(t, 200)
		}
		person.Do("POST", "/api/v2/agents", map[string]any{"name": "Another"}).Want(t, 201)
		person.Do("PUT", address, map[string]any{"access": "Public"}).Want(t, 200)
	})
}
