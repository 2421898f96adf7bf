package model_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/egress"
	"atrium/internal/llm"
	"atrium/internal/llm/fake"
	"atrium/internal/model"
	"atrium/internal/org/orgtest"
	"atrium/internal/secret"
)

const (
	mine = "/api/v2/organizations/me/llm-configurations"
	key  = "sk-very-secret"
)

func box(t *testing.T, b byte) *secret.Box {
	t.Helper()
	x, err := secret.New(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// mounted has a client that may call this machine, unless strict.
func mounted(t *testing.T, h *orgtest.House, strict bool) *model.Models {
	t.Helper()
	o := egress.Options{}
	if !strict {
		o.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	guard := egress.New(o)
	t.Cleanup(guard.Close)
	m := model.New(model.Options{DB: h.DB, Box: box(t, 1), Client: guard.Client(egress.Limits{}), Server: model.Deployment{Provider: model.OpenAI, Model: "server-model"}})
	m.Mount(h.API)
	return m
}

func each(t *testing.T, run func(*testing.T, *orgtest.House)) {
	t.Helper()
	orgtest.Each(t, func(t *testing.T, h *orgtest.House) { mounted(t, h, false) }, run)
}

func draft(name string, more ...any) map[string]any {
	m := map[string]any{"name": name, "provider": "openai", "model": "gpt-x", "endpoint": "https://models.example.com/v1", "key": key}
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

func one(id int64) string { return fmt.Sprintf("%s/%d", mine, id) }

func TestAConfigurationIsKeptWithoutEverShowingItsKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		made := h.Do("root", "POST", mine, draft("Fast", "parameters", map[string]any{"temperature": 0.2}, "prompt_price", 1.5, "completion_price", 6)).Want(201,
			"data.name", "Fast", "data.provider", "openai", "data.has_key", true, "data.is_active", false, "data.parameters.temperature", 0.2, "data.prompt_price", 1.5, "data.created_by", "root@example.com")
		id := made.ID("data.id")
		for _, a := range []orgtest.Answer{made, h.Do("ann", "GET", mine, nil).Want(200, "data.pagination.total", 1), h.Do("ann", "GET", one(id), nil).Want(200, "data.model", "gpt-x")} {
			if strings.Contains(a.Body, key) || strings.Contains(a.Body, "v1.") {
				t.Errorf("shows the key: %s", a.Body)
			}
		}
		for _, table := range []string{`SELECT key_sealed FROM llm_configuration`, `SELECT detail FROM audit_event`} {
			all, err := db.All[string](t.Context(), h.DB, table)
			if err != nil || len(all) == 0 || strings.Contains(strings.Join(all, " "), key) {
				t.Errorf("%s: %q, %v", table, all, err)
			}
		}
		h.Do("root", "PUT", one(id), map[string]any{"model": "gpt-y", "parameters": map[string]any{"max_tokens": 10}}).Want(200,
			"data.model", "gpt-y", "data.name", "Fast", "data.has_key", true, "data.parameters", map[string]any{"max_tokens": 10})
		h.Do("root", "PUT", one(id), map[string]any{"endpoint": "https://models.example.com/v1/"}).Want(200, "data.has_key", true, "data.endpoint", "https://models.example.com/v1")
		h.Do("root", "PUT", one(id), map[string]any{"endpoint": "https://elsewhere.example.com/v1"}).Want(200, "data.has_key", false)
		h.Do("root", "PUT", one(id), map[string]any{"key": "other"}).Want(200, "data.has_key", true)
		h.Do("root", "PUT", one(id), map[string]any{"provider": "anthropic", "key": "third"}).Want(200, "data.has_key", true)
		h.Do("root", "PUT", one(id), map[string]any{"key": ""}).Want(200, "data.has_key", false)
		second := h.Do("root", "POST", mine, draft("Slow")).Want(201).ID("data.id")
		h.Do("root", "POST", mine, draft("Slow")).Want(409)
		h.Do("root", "PUT", one(second), map[string]any{"name": "Fast"}).Want(409)
		h.Do("eve", "POST", mine, draft("Slow")).Want(201)
		h.Do("ann", "GET", mine+"?search=slow&sort=name", nil).Want(200, "data.pagination.total", 1)
		h.Do("root", "DELETE", one(second), nil).Want(200)
		h.Do("root", "POST", mine, draft("Slow")).Want(201)
		for _, who := range []string{"ann", "hand"} {
			h.Do(who, "POST", mine, draft("Mine")).Want(403)
			h.Do(who, "PUT", one(id), map[string]any{"name": "Mine"}).Want(403)
			h.Do(who, "DELETE", one(id), nil).Want(403)
			h.Do(who, "POST", one(id)+"/activate", nil).Want(403)
			h.Do(who, "POST", one(id)+"/test", nil).Want(403)
		}
		for _, gone := range []int64{second, 999999} {
			h.Do("root", "GET", one(gone), nil).Want(404)
			h.Do("root", "PUT", one(gone), map[string]any{"name": "x"}).Want(404)
			h.Do("root", "POST", one(gone)+"/test", nil).Want(404)
		}
		for _, method := range []string{"GET", "DELETE"} {
			h.Do("eve", method, one(id), nil).Want(404)
		}
		h.Do("eve", "PUT", one(id), map[string]any{"name": "x"}).Want(404)
		h.Do("eve", "POST", one(id)+"/activate", nil).Want(404)
	})
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		for _, more := range [][]any{
			{"model", " "}, {"provider", "other"}, {"name", " "}, {"endpoint", "ftp://models.example.com"}, {"endpoint", "models.example.com"}, {"endpoint", "https://a:b@models.example.com"},
			{"endpoint", "https://models.example.com?x=1"}, {"endpoint", "http://models.example.com/v1"}, {"endpoint", "https://0x7f000001/"}, {"key", "has space"}, {"key", "ümlaut"},
			{"provider", "offline"}, {"prompt_price", -1}, {"parameters", map[string]any{"temperature": 3}}, {"parameters", map[string]any{"max_tokens": 0}},
		} {
			h.Do("root", "POST", mine, draft("Bad", more...)).Want(400)
		}
		h.Do("root", "POST", mine, draft("Plain", "endpoint", "http://models.example.com/v1", "key", nil)).Want(201)
		h.Do("root", "POST", mine, map[string]any{"name": "Quotes", "provider": "offline"}).Want(201, "data.has_key", false, "data.endpoint", "")
	})
}

func TestOneConfigurationAnswersForTheOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		ours := fmt.Sprintf("/api/v2/organizations/%d", h.Org)
		h.Do("ann", "GET", ours+"/configurations/active", nil).Want(404)
		h.Do("ann", "GET", ours+"/model-deployment", nil).Want(200, "data.provider", "openai", "data.model", "server-model", "data.configuration_id", nil, "data.source", "server settings")
		first := h.Do("root", "POST", mine, draft("First", "is_active", true)).Want(201, "data.is_active", true).ID("data.id")
		second := h.Do("root", "POST", mine, draft("Second", "provider", "anthropic", "model", "claude-x")).Want(201).ID("data.id")
		h.Do("ann", "GET", ours+"/configurations/active", nil).Want(200, "data.id", first)
		h.Do("root", "POST", one(second)+"/activate", nil).Want(200, "data.is_active", true)
		h.Do("ann", "GET", ours+"/configurations/active", nil).Want(200, "data.id", second, "data.model", "claude-x", "data.name", "Second")
		h.Do("ann", "GET", ours+"/model-deployment", nil).Want(200, "data.provider", "anthropic", "data.configuration_id", second, "data.source", "configuration")
		h.Do("ann", "GET", one(first), nil).Want(200, "data.is_active", false)
		for _, p := range []string{ours + "/configurations", "/api/v2/organizations/me/configurations"} {
			h.Do("ann", "GET", p+"?sort=name", nil).Want(200, "data.pagination.total", 2, "data.configurations.1.is_active", true, "data.configurations.0.name", "First")
		}
		h.Do("eve", "GET", "/api/v2/organizations/me/configurations", nil).Want(200, "data.pagination.total", 0)
		h.Do("root", "DELETE", one(second), nil).Want(409)
		h.Do("root", "PUT", one(second), map[string]any{"is_active": false}).Want(200, "data.is_active", false)
		h.Do("ann", "GET", ours+"/model-deployment", nil).Want(200, "data.source", "server settings")
		h.Do("root", "DELETE", one(second), nil).Want(200)
		for _, p := range []string{"/configurations", "/configurations/active", "/model-deployment"} {
			foreign, none := h.Do("root", "GET", fmt.Sprintf("/api/v2/organizations/%d%s", h.Rival, p), nil).Want(404), h.Do("root", "GET", "/api/v2/organizations/999999"+p, nil).Want(404)
			if strings.ReplaceAll(foreign.Body, fmt.Sprint(h.Rival), "999999") != none.Body {
				t.Errorf("%s and %s", foreign.Body, none.Body)
			}
		}
	})
}

func TestTheTestAsksTheModelOneWordAndAnswersTheReasonWhenItFails(t *testing.T) {
	t.Parallel()
	models := httptest.NewServer(fake.Server(fake.Options{APIKey: key, Script: func(fake.Request) (fake.Reply, bool) { return fake.Reply{Text: "ready"}, true }}))
	t.Cleanup(models.Close)
	each(t, func(t *testing.T, h *orgtest.House) {
		try := func(more ...any) orgtest.Answer {
			t.Helper()
			made := h.Do("root", "POST", mine, draft(fmt.Sprint(more...), append([]any{"endpoint", models.URL + "/v1"}, more...)...)).Want(201)
			a := h.Do("root", "POST", one(made.ID("data.id"))+"/test", nil).Want(200)
			if strings.Contains(a.Body, key) || strings.Contains(a.Body, fake.Secret) {
				t.Errorf("leaks: %s", a.Body)
			}
			return a
		}
		try("provider", "openai").Want(200, "data.ok", true, "data.message", "ready", "data.model", "gpt-x")
		try("provider", "anthropic", "endpoint", models.URL).Want(200, "data.ok", true, "data.message", "ready")
		for want, more := range map[string][]any{
			"refused the API key": {"key", "wrong"}, "does not know the model": {"model", fake.NoModel}, "cannot be reached": {"endpoint", "http://127.0.0.1:1/v1"},
		} {
			a := try(more...).Want(200, "data.ok", false)
			if !strings.Contains(a.At("data.message").(string), want) {
				t.Errorf("%v: %s", more, a.Body)
			}
		}
		n, err := db.One[int](t.Context(), h.DB, `SELECT COUNT(*) FROM audit_event WHERE action = 'testLLMConfiguration'`)
		if err != nil || n != 5 {
			t.Errorf("%d audit events, %v", n, err)
		}
	})
}

func TestAPrivateAddressIsNotCalled(t *testing.T) {
	t.Parallel()
	called := false
	models := httptest.NewServer(fake.Server(fake.Options{Seen: func(fake.Request) { called = true }}))
	t.Cleanup(models.Close)
	orgtest.Each(t, func(t *testing.T, h *orgtest.House) { mounted(t, h, true) }, func(t *testing.T, h *orgtest.House) {
		id := h.Do("root", "POST", mine, draft("Near", "endpoint", models.URL+"/v1")).Want(201).ID("data.id")
		a := h.Do("root", "POST", one(id)+"/test", nil).Want(200, "data.ok", false)
		if called || !strings.Contains(a.At("data.message").(string), "public internet") {
			t.Errorf("called: %v, %s", called, a.Body)
		}
	})
}

func TestWhatIsAskedGoesToTheConfiguredModelWithItsParameters(t *testing.T) {
	t.Parallel()
	models := httptest.NewServer(fake.Server(fake.Options{APIKey: key, Tokens: 5}))
	t.Cleanup(models.Close)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := orgtest.New(t, d)
		m := mounted(t, h, false)
		h.API.Seal()
		ask := func(org int64, id *int64, want string) model.Answering {
			t.Helper()
			a, found, err := m.For(t.Context(), org, id)
			if err != nil || found != (want != "") {
				t.Fatalf("%v, %v", found, err)
			}
			if found {
				res, err := a.Stream(t.Context(), llm.Request{Model: "of the server", Messages: []llm.Message{{Role: llm.User, Text: "Hello"}}}, func(llm.Delta) error { return nil })
				if err != nil || res.Model != want {
					t.Errorf("%+v, %v", res, err)
				}
			}
			return a
		}
		ask(h.Org, nil, "")
		first := h.Do("root", "POST", mine, draft("First", "endpoint", models.URL+"/v1", "is_active", true, "prompt_price", 2, "completion_price", 3)).Want(201).ID("data.id")
		second := h.Do("root", "POST", mine, draft("Second", "endpoint", models.URL+"/v1", "model", "gpt-y")).Want(201).ID("data.id")
		a := ask(h.Org, nil, "gpt-x")
		if a.PromptPrice != 2 || a.CompletionPrice != 3 || a.Name() == "offline" {
			t.Errorf("%+v", a)
		}
		if b := ask(h.Org, &second, "gpt-y"); b.Version == a.Version {
			t.Error("two configurations have one version")
		}
		ask(h.Rival, nil, "")
		ask(h.Rival, &first, "")
		h.Do("root", "PUT", one(first), map[string]any{"model": "gpt-z"}).Want(200)
		if b := ask(h.Org, nil, "gpt-z"); b.Version == a.Version {
			t.Error("the version stayed")
		}
		h.Do("root", "DELETE", one(second), nil).Want(200)
		ask(h.Org, &second, "gpt-z")
		h.Exec(`UPDATE llm_configuration SET key_sealed = ? WHERE id = ?`, box(t, 2).Seal(key, secret.Place{Table: "llm_configuration", OrgID: h.Org, RowID: first}), first)
		h.Exec(`UPDATE llm_configuration SET modified_on = modified_on + 1 WHERE id = ?`, first)
		if _, _, err := m.For(t.Context(), h.Org, nil); err == nil || !strings.Contains(err.Error(), "enter it again") {
			t.Errorf("a key of another master key: %v", err)
		}
	})
}

func TestAKeyMovedToAnotherRowDoesNotOpen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		id := h.Do("root", "POST", mine, draft("Ours")).Want(201).ID("data.id")
		theirs := h.Do("eve", "POST", mine, draft("Theirs", "key", nil)).Want(201).ID("data.id")
		h.Exec(`UPDATE llm_configuration SET key_sealed = (SELECT x.key_sealed FROM llm_configuration x WHERE x.id = ?) WHERE id = ?`, id, theirs)
		a := h.Do("eve", "POST", one(theirs)+"/test", nil).Want(200, "data.ok", false)
		if !strings.Contains(a.At("data.message").(string), "enter it again") {
			t.Errorf("%s", a.Body)
		}
	})
}
