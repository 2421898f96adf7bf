// Package servertest runs the whole server in a test, on either engine, behind
// a real listener, with real extraction workers.
package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/extract"
	"atrium/internal/server"
	"atrium/internal/sse"
)

// The credentials of a server that Start made.
const (
	AdminEmail    = "admin@example.com"
	AdminPassword = "Correct-Horse-9"
	APIKey        = "test-key-0123456789abcdef"
	AppSecret     = "test-secret-0123456789abcdef"
)

// Main is TestMain's body: a test binary is its own extraction worker.
func Main(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "extract-worker" {
		extract.WorkerMain()
		return
	}
	os.Exit(m.Run())
}

// Harness is a running server.
type Harness struct {
	Server *server.Server
	URL    string
	Config server.Config
}

// Engines are the databases that every scenario runs on.
var Engines = []db.Engine{db.SQLite, db.Postgres}

// Each runs a test on both engines, side by side; change adjusts the settings.
func Each(t *testing.T, run func(*testing.T, *Harness), change ...func(*server.Config)) {
	t.Helper()
	for _, e := range Engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			run(t, Start(t, e, change...))
		})
	}
}

// Start runs a server until the test ends; change adjusts its settings.
func Start(t testing.TB, e db.Engine, change ...func(*server.Config)) *Harness {
	t.Helper()
	c := server.Defaults()
	o := dbtest.Options(t, e)
	c.Data, c.DatabaseURL = o.Dir, o.URL
	c.AdminEmail, c.AdminPassword, c.APIKey, c.AppSecret = AdminEmail, AdminPassword, APIKey, AppSecret
	h := &Harness{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Server.Handler().ServeHTTP(w, r) }))
	c.PublicURL = front.URL
	for _, f := range change {
		f(&c)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h.URL, h.Config = front.URL, c
	h.Server, err = server.New(t.Context(), server.Options{Config: c, Log: slog.New(slog.DiscardHandler), Worker: []string{exe, "extract-worker"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.Server.Close(ctx); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return h
}

// Client sends requests with one set of credentials.
type Client struct {
	t      testing.TB
	base   string
	Header http.Header
}

// Anonymous has no credentials.
func (h *Harness) Anonymous(t testing.TB) *Client {
	return &Client{t: t, base: h.URL, Header: http.Header{}}
}

// Admin is the first admin, signed in, behind the first application's key.
func (h *Harness) Admin(t testing.TB) *Client {
	t.Helper()
	c := h.Anonymous(t)
	a := c.Form("POST", "/auth-service/api/v2/login/access-token", url.Values{"username": {AdminEmail}, "password": {AdminPassword}})
	a.Want(t, 200)
	return c.With("Authorization", "Bearer "+a.String("data.ejento_access_token")).With("Ocp-Apim-Subscription-Key", APIKey)
}

// Person is somebody with the role User, signed in by the application.
func (h *Harness) Person(t testing.TB, email string) *Client {
	t.Helper()
	c := h.Anonymous(t)
	a := c.With("ejento-auth-key", AppSecret).Do("POST", "/user-token", map[string]any{"email": email, "full_name": "Some Body"})
	a.Want(t, 201)
	return c.With("Authorization", "Bearer "+a.String("token")).With("Ocp-Apim-Subscription-Key", APIKey)
}

// With is the client with one more header.
func (c *Client) With(name, value string) *Client {
	h := c.Header.Clone()
	h.Set(name, value)
	return &Client{t: c.t, base: c.base, Header: h}
}

// Answer is what came back, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	value  any
}

// Do sends JSON; body nil sends none.
func (c *Client) Do(method, path string, body any) Answer {
	c.t.Helper()
	if body == nil {
		return c.Raw(method, path, "", nil)
	}
	b, ok := body.(string)
	if !ok {
		j, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		b = string(j)
	}
	return c.Raw(method, path, "application/json", strings.NewReader(b))
}

// Form sends url-encoded fields.
func (c *Client) Form(method, path string, v url.Values) Answer {
	c.t.Helper()
	return c.Raw(method, path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
}

// Upload sends a multipart form with one file in the field source.
func (c *Client) Upload(path, name string, content []byte, fields map[string]string) Answer {
	c.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		_ = w.WriteField(k, v)
	}
	if name != "" {
		p, err := w.CreateFormFile("source", name)
		if err != nil {
			c.t.Fatal(err)
		}
		_, _ = p.Write(content)
	}
	_ = w.Close()
	return c.Raw("POST", path, w.FormDataContentType(), &b)
}

// Raw sends anything.
func (c *Client) Raw(method, path, contentType string, body io.Reader) Answer {
	c.t.Helper()
	res := c.open(method, path, contentType, body)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s %s: read the answer: %v", method, path, err)
	}
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: b}
	_ = json.Unmarshal(b, &a.value)
	return a
}

func (c *Client) open(method, path, contentType string, body io.Reader) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.Header.Clone()
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res
}

// Event is one event of a stream.
type Event struct {
	ID, Name string
	Data     map[string]any
	Raw      string
}

// Stream sends JSON and reads the event stream that comes back to its end.
func (c *Client) Stream(method, path string, body any) []Event {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	res := c.open(method, path, "application/json", in)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		b, _ := io.ReadAll(res.Body)
		c.t.Fatalf("%s %s: %d %s: %s", method, path, res.StatusCode, res.Header.Get("Content-Type"), b)
	}
	var out []Event
	err := sse.Read(res.Body, func(e sse.Event) error {
		v := Event{ID: e.ID, Name: e.Name, Raw: string(e.Data)}
		out = append(out, v)
		return json.Unmarshal(e.Data, &out[len(out)-1].Data)
	})
	if err != nil {
		c.t.Fatalf("%s %s: read the stream: %v", method, path, err)
	}
	return out
}

// Want fails the test when the status is another.
func (a Answer) Want(t testing.TB, status int) Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// At finds a value by a dotted path; numbers index lists. nil when absent.
func (a Answer) At(path string) any { return At(a.value, path) }

// At finds a value in decoded JSON by a dotted path.
func At(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// String is the string at a path.
func (a Answer) String(path string) string {
	s, _ := a.At(path).(string)
	return s
}

// ID is the integer at a path.
func (a Answer) ID(path string) int64 {
	f, _ := a.At(path).(float64)
	return int64(f)
}

// Len is the length of the list at a path; -1 when there is none.
func (a Answer) Len(path string) int {
	l, ok := a.At(path).([]any)
	if !ok {
		return -1
	}
	return len(l)
}

// Indexed waits until a document is completed or has failed, and answers it.
func (c *Client) Indexed(id int64) Answer {
	c.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		a := c.Do("GET", "/api/v2/documents/"+strconv.FormatInt(id, 10), nil).Want(c.t, 200)
		if a.String("data.step") == "completed" || a.At("data.is_failed") == true {
			return a
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("document %d is not indexed: %s", id, a.Body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Neighbour is the admin of another organization on the same server.
func (h *Harness) Neighbour(t testing.TB) *Client {
	t.Helper()
	token, err := h.Server.AddOrganization(t.Context(), "Neighbour", "admin@neighbour.example")
	if err != nil {
		t.Fatal(err)
	}
	c := h.Anonymous(t)
	in := c.With("X-Atrium-Console", "1").Do("POST", "/auth-service/api/v2/setup", map[string]any{"token": token, "password": AdminPassword}).Want(t, 200)
	cookie := (&http.Response{Header: in.Header}).Cookies()[0]
	key := c.With("Cookie", cookie.Name+"="+cookie.Value).Do("POST", "/api/v2/api-keys", map[string]any{"name": "mine"}).Want(t, 201)
	return c.With("Authorization", "Bearer "+key.String("data.key"))
}
