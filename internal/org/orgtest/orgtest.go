// Package orgtest puts operations behind the real router in a test, on either
// engine, with two organizations and people in them who are known by name.
package orgtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/org"
)

// House is an API with people: root (Global Admin), hand (Application Admin),
// ann, bob and cleo (Users); and of the other organization eve (Global Admin)
// and ed (User).
type House struct {
	t      *testing.T
	DB     *db.DB
	API    *api.API
	Org    int64
	Rival  int64
	People map[string]*authz.Principal
	// Feature answers for feature flags; nil: all are on.
	Feature func(ctx context.Context, orgID int64, name string) (bool, error)
}

// Each runs a scenario on both engines; mount declares the operations.
func Each(t *testing.T, mount func(*testing.T, *House), run func(*testing.T, *House)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := New(t, d)
		mount(t, h)
		h.API.Seal()
		run(t, h)
	})
}

// New makes a House without operations.
func New(t *testing.T, d *db.DB) *House {
	t.Helper()
	h := &House{t: t, DB: d, People: map[string]*authz.Principal{}}
	h.API = api.New(api.Options{Version: "test", PublicURL: "https://atrium.example", Auth: h, Log: slog.New(slog.DiscardHandler), Feature: h.feature})
	err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		ours, _, err := org.Create(ctx, tx, "Acme", "acme.example", "test")
		if err != nil {
			return err
		}
		theirs, _, err := org.Create(ctx, tx, "Rival", "rival.example", "test")
		h.Org, h.Rival = ours.ID, theirs.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Person(h.Org, "root", authz.GlobalAdmin)
	h.Person(h.Org, "hand", authz.ApplicationAdmin)
	for _, name := range []string{"ann", "bob", "cleo"} {
		h.Person(h.Org, name, authz.Member)
	}
	h.Person(h.Rival, "eve", authz.GlobalAdmin)
	h.Person(h.Rival, "ed", authz.Member)
	return h
}

// Authenticate takes a person's name for their token.
func (h *House) Authenticate(r *http.Request, _ bool) (*authz.Principal, error) {
	return h.People[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")], nil
}

func (h *House) feature(ctx context.Context, orgID int64, name string) (bool, error) {
	if h.Feature == nil {
		return true, nil
	}
	return h.Feature(ctx, orgID, name)
}

// Insert runs a statement that answers an id.
func (h *House) Insert(query string, args ...any) int64 {
	h.t.Helper()
	var id int64
	err := h.DB.Tx(h.t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = db.One[int64](ctx, tx, query, args...)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

// Exec runs a statement.
func (h *House) Exec(query string, args ...any) {
	h.t.Helper()
	err := h.DB.Tx(h.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// Person adds somebody.
func (h *House) Person(orgID int64, name string, role authz.Role) {
	h.t.Helper()
	email := name + "@example.com"
	id := h.Insert(`INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, 'Person', ?, '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, orgID, email, email, name, string(role))
	h.People[name] = &authz.Principal{UserID: id, OrgID: orgID, Email: email, Role: role, Carrier: authz.ByToken, Scopes: []string{"*"}}
}

// Team adds a team with people in their roles.
func (h *House) Team(orgID int64, name string, roles map[string]string) int64 {
	h.t.Helper()
	id := h.Insert(`INSERT INTO team (org_id, name, description, is_deleted, created_by, created_on, modified_by, modified_on) VALUES (?, ?, '', FALSE, '', 0, '', 0) RETURNING id`, orgID, name)
	for person, role := range roles {
		h.Exec(`INSERT INTO team_user (org_id, team_id, user_id, role) VALUES (?, ?, ?, ?)`, orgID, id, h.ID(person), role)
	}
	return id
}

// ID is a person's.
func (h *House) ID(name string) int64 { return h.People[name].UserID }

// Scope is a person's.
func (h *House) Scope(name string) authz.Scope { return authz.For(h.People[name]) }

// Answer is what came back.
type Answer struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   string
}

// Do sends JSON as a person; body nil sends none, a string is sent as it is.
func (h *House) Do(who, method, path string, body any) Answer {
	h.t.Helper()
	if body == nil {
		return h.Raw(who, method, path, "", nil)
	}
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			h.t.Fatal(err)
		}
		text = string(b)
	}
	return h.Raw(who, method, path, "application/json", strings.NewReader(text))
}

// Upload sends a form with one file.
func (h *House) Upload(who, method, path, field, name string, content []byte) Answer {
	h.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	p, err := w.CreateFormFile(field, name)
	if err == nil {
		_, err = p.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return h.Raw(who, method, path, w.FormDataContentType(), &b)
}

// Raw sends anything.
func (h *House) Raw(who, method, path, contentType string, body io.Reader) Answer {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	r.Header.Set("X-Request-Id", "test-request")
	w := httptest.NewRecorder()
	h.API.ServeHTTP(w, r)
	return Answer{h.t, w.Code, w.Header(), w.Body.String()}
}

// Want fails the test on another status, or on a value that differs: pairs of a
// path such as data.items.0.id and a value as fmt prints it.
func (a Answer) Want(status int, pairs ...any) Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	for i := 0; i < len(pairs); i += 2 {
		if got := a.At(pairs[i].(string)); fmt.Sprint(got) != fmt.Sprint(pairs[i+1]) {
			a.t.Errorf("%s is %v, want %v, in %s", pairs[i], got, pairs[i+1], a.Body)
		}
	}
	return a
}

// At reads a value of the JSON by its path.
func (a Answer) At(path string) any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		a.t.Fatalf("not JSON: %s", a.Body)
	}
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			inner, ok := x[key]
			if !ok {
				a.t.Fatalf("there is no %s in %s", path, a.Body)
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				a.t.Fatalf("there is no %s in %s", path, a.Body)
			}
			v = x[i]
		default:
			a.t.Fatalf("there is no %s in %s", path, a.Body)
		}
	}
	return v
}

// ID is the integer at a path.
func (a Answer) ID(path string) int64 { a.t.Helper(); return int64(a.At(path).(float64)) }

// Len is the length of the list at a path.
func (a Answer) Len(path string) int { a.t.Helper(); return len(a.At(path).([]any)) }

// Serve is a real listener over the operations, for streams.
func (h *House) Serve() string {
	h.t.Helper()
	s := httptest.NewServer(h.API)
	h.t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// Soon waits until f is true, for at most a minute.
func (h *House) Soon(what string, f func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatal("it did not come to be that " + what)
		}
	}
}
