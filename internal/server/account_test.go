package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"atrium/internal/api"
	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

var pathParam = regexp.MustCompile(`\{[a-z_]+\}`)

// body is a JSON object for methods that take one; the gate must answer before it is read.
func bodyFor(o api.Op) any {
	if o.Method() == http.MethodPost || o.Method() == http.MethodPut || o.Method() == http.MethodPatch {
		return map[string]any{}
	}
	return nil
}

// The accounting: what must hold for each operation there is, and for each that comes.
func TestEveryOperationIsGuarded(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite)
	admin, anon := h.Admin(t), h.Anonymous(t)
	none := admin.Do("POST", "/api/v2/api-keys", map[string]any{"name": "nothing", "scopes": []string{"organization:create"}}).Want(t, 201).String("data.key")
	revoked := admin.Do("POST", "/api/v2/api-keys", map[string]any{"name": "revoked"}).Want(t, 201)
	admin.Do("DELETE", fmt.Sprintf("/api/v2/api-keys/%d", revoked.ID("data.id")), nil).Want(t, 200)
	for _, o := range h.Server.API().Ops() {
		t.Run(o.ID, func(t *testing.T) {
			t.Parallel()
			path := pathParam.ReplaceAllString(o.Path(), "999999999")
			if o.Needs.IsPublic() {
				if o.Needs.Why() == "" {
					t.Error("a public operation gives no reason")
				}
				return
			}
			for who, c := range map[string]*servertest.Client{
				"no credentials":        anon,
				"an unknown token":      anon.With("Authorization", "Bearer atrs_unknown"),
				"another scheme":        anon.With("Authorization", "Basic YTpi"),
				"a revoked key":         anon.With("Authorization", "Bearer "+revoked.String("data.key")),
				"a token and a bad key": admin.With("Ocp-Apim-Subscription-Key", "no-such-key"),
			} {
				a := c.Do(o.Method(), path, bodyFor(o)).Want(t, 401)
				if a.String("detail") == "" || a.String("error.code") != "unauthenticated" {
					t.Errorf("%s: %s", who, a.Body)
				}
			}
			a := anon.With("Authorization", "Bearer "+none).Do(o.Method(), path, "{broken").Want(t, 403)
			if a.String("error.code") != "forbidden" {
				t.Errorf("without the scope: %s", a.Body)
			}
			bare := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(path, "/auth-service"), "/response-service"), "/indexing-service")
			for _, prefix := range []string{"", "/auth-service", "/response-service", "/indexing-service"} {
				anon.Do(o.Method(), prefix+bare, bodyFor(o)).Want(t, 401)
			}
		})
	}
}

// What openapi.json must say of each operation.
func TestEveryOperationIsDescribed(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite)
	raw := h.Anonymous(t).Do("GET", "/openapi.json", nil).Want(t, 200).Body
	var spec struct {
		Paths map[string]map[string]struct {
			OperationID string                    `json:"operationId"`
			Summary     string                    `json:"summary"`
			Permission  string                    `json:"x-permission"`
			Responses   map[string]map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	for _, o := range h.Server.API().Ops() {
		d := spec.Paths[o.Path()][strings.ToLower(o.Method())]
		if d.OperationID != o.ID || d.Summary != o.Title || d.Permission != o.Needs.String() {
			t.Errorf("%s %s is described as %q, %q, %q", o.Method(), o.Path(), d.OperationID, d.Summary, d.Permission)
		}
		_, answer := d.Responses[fmt.Sprint(o.Status)]
		_, content := d.Responses[fmt.Sprint(o.Status)]["content"]
		if !answer || content == (o.Status == http.StatusFound) || d.Responses["default"] == nil {
			t.Errorf("%s: its answer or its failure is not described", o.ID)
		}
	}
}

func TestUnknownAddressesAndMethodsAnswerInTheEnvelope(t *testing.T) {
	t.Parallel()
	c := servertest.Start(t, db.SQLite).Admin(t)
	if a := c.Do("GET", "/api/v2/nothing", nil).Want(t, 404); a.At("success") != false || a.String("error.code") != "not_found" {
		t.Errorf("unknown address: %s", a.Body)
	}
	a := c.Do("PATCH", "/api/v2/agents", nil).Want(t, 405)
	if allow := a.Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") || a.String("error.code") != "method_not_allowed" {
		t.Errorf("wrong method: Allow %q, %s", allow, a.Body)
	}
	for name, x := range map[string]struct {
		contentType, body string
		status            int
	}{
		"broken JSON":          {"application/json", `{"name":`, 400},
		"a list for an object": {"application/json", `[]`, 400},
		"a wrong type":         {"application/json", `{"name": 7}`, 400},
		"no body":              {"application/json", ``, 400},
		"another content type": {"application/xml", `<a/>`, 415},
		"too large":            {"application/json", `{"name": "` + strings.Repeat("x", 2<<20) + `"}`, 413},
		"a NUL":                {"application/json", `{"name": "a\u0000b"}`, 400},
		"a bad choice":         {"application/json", `{"name": "a", "access": "Anyone"}`, 400},
	} {
		a := c.Raw("POST", "/api/v2/agents", x.contentType, strings.NewReader(x.body))
		if a.Status != x.status || a.At("success") != false || a.String("message") == "" || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d, want %d: %s", name, a.Status, x.status, a.Body)
		}
	}
	if a := c.Do("POST", "/api/v2/agents", map[string]any{"name": 7}); a.String("error.fields.0.field") != "name" {
		t.Errorf("a field of the wrong type is not named: %s", a.Body)
	}
}
