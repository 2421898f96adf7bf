package signin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/egress"
	"atrium/internal/job"
	"atrium/internal/mail"
	"atrium/internal/mail/mailtest"
	"atrium/internal/org"
	"atrium/internal/signin"
	"atrium/internal/user"
)

// world is a server with what signs people in, an inbox and an issuer.
type world struct {
	t      *testing.T
	db     *db.DB
	users  *user.Users
	inbox  *mailtest.Server
	issuer *theIssuer
	url    string
	org    int64
	admin  int64
}

const password = "Correct-Horse-9"

// each runs a test on both engines; change adjusts the options.
func each(t *testing.T, run func(t *testing.T, w *world), change ...func(*signin.Options)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { run(t, start(t, d, change...)) })
}

func start(t *testing.T, d *db.DB, change ...func(*signin.Options)) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, db: d, inbox: mailtest.New(t), issuer: newTheIssuer(t)}
	var handler http.Handler
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(front.Close)
	w.url = front.URL
	key := []byte(strings.Repeat("k", 32))
	w.users = user.New(user.Options{DB: d, Log: log, MasterKey: key, RequireAPIKey: false, OpenRegistration: true})
	t.Cleanup(w.users.Close)
	jobs := job.New(d, log)
	guard := egress.New(egress.Options{})
	t.Cleanup(guard.Close)
	sender, err := mail.New(mail.Options{URL: w.inbox.URL(), From: "Atrium <atrium@example.com>", Dial: guard.Dial})
	if err != nil {
		t.Fatal(err)
	}
	o := signin.Options{DB: d, Jobs: jobs, Users: w.users, Mail: sender, Client: guard.Operator(egress.Limits{Timeout: time.Minute, MaxBytes: 1 << 20}),
		CreateUsers: true, OpenRegistration: true, PublicURL: front.URL, MasterKey: key, Log: log, Backoff: func(int) time.Duration { return 20 * time.Millisecond }}
	for _, name := range []string{"google", "microsoft", "linkedin", "github", "oidc"} {
		o.Providers = append(o.Providers, signin.Provider{Name: name, ClientID: clientID, ClientSecret: clientSecret, Issuer: w.issuer.URL})
	}
	for _, f := range change {
		f(&o)
	}
	s := signin.New(o)
	a := api.New(api.Options{Version: "test", PublicURL: front.URL, Auth: w.users, Log: log})
	w.users.Mount(a)
	s.Mount(a)
	a.Seal()
	handler = a
	w.tx(func(ctx context.Context, tx *db.Tx) error {
		made, _, err := org.Create(ctx, tx, "Example", "example.com", "test")
		w.org = made.ID
		return err
	})
	w.admin = w.person("admin@example.com", authz.GlobalAdmin)
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := jobs.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) tx(do func(context.Context, *db.Tx) error) {
	w.t.Helper()
	if err := w.db.Tx(w.t.Context(), do); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
}

func (w *world) count(query string, args ...any) int64 {
	w.t.Helper()
	n, err := db.One[int64](w.t.Context(), w.db, query, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) person(email string, role authz.Role) (id int64) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = w.users.Create(ctx, tx, user.Draft{OrgID: w.org, Email: email, Role: role, By: "test"})
		return err
	})
	return id
}

// answer is what came back.
type answer struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   string
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// data is a string of the envelope's data.
func (a answer) data(name string) string {
	var v struct {
		Data map[string]any `json:"data"`
	}
	_ = json.Unmarshal([]byte(a.Body), &v)
	s, _ := v.Data[name].(string)
	return s
}

// send sends JSON, with headers as pairs.
func (w *world) send(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = strings.NewReader(string(b))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, in)
	if err != nil {
		t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{t, res.StatusCode, res.Header, string(b)}
}

type object = map[string]any

// post sends to the authentication service.
func (w *world) post(t *testing.T, path string, body any, headers ...string) answer {
	t.Helper()
	return w.send(t, "POST", "/auth-service/api/v2/"+path, body, headers...)
}

// me is who a platform token belongs to.
func (w *world) me(t *testing.T, token string) answer {
	t.Helper()
	return w.send(t, "GET", "/api/v2/users/me", nil, "Authorization", "Bearer "+token)
}

// token is what a mailed link carries.
func token(t *testing.T, l mailtest.Letter, page string) string {
	t.Helper()
	u, err := url.Parse(l.Link())
	if err != nil || !strings.HasSuffix(u.Path, "/sign-in/"+page) || u.Query().Get("token") == "" {
		t.Fatalf("the link is %q, in:\n%s", l.Link(), l.Text)
	}
	return u.Query().Get("token")
}

// browser follows redirects and keeps cookies, up to the console's pages.
type browser struct {
	t    *testing.T
	w    *world
	http http.Client
}

func (w *world) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, w, http.Client{Transport: http.DefaultTransport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// get is one request; it answers where it leads.
func (b *browser) get(address string) (status int, location string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.w.url + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("Location")
}

// signIn goes to an issuer and back, and answers the page where it ends.
func (b *browser) signIn(provider, next string) string {
	b.t.Helper()
	at := "/auth-service/api/v2/sso/" + provider + "/login?" + url.Values{"next": {next}}.Encode()
	for range 5 {
		status, to := b.get(at)
		if status != http.StatusFound {
			b.t.Fatalf("%s answers %d", at, status)
		}
		if strings.HasPrefix(to, "/") {
			return to
		}
		at = to
	}
	b.t.Fatal("the browser is sent round and round")
	return ""
}

// who is whom the browser's cookie signs in; empty for nobody.
func (b *browser) who() string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", b.w.url+"/api/v2/users/me", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		return ""
	}
	return answer{t: b.t, Body: string(body)}.data("email")
}
