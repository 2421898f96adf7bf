package corpus_test

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
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/document"
	"atrium/internal/egress"
	"atrium/internal/extract"
	"atrium/internal/job"
	"atrium/internal/source/web"
)

var pool *extract.Pool

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "extract-worker" {
		extract.WorkerMain()
		return
	}
	pool = extract.NewPool(extract.Options{Workers: 2})
	code := m.Run()
	pool.Close()
	os.Exit(code)
}

// house is an API with corpora and documents, and people by their names.
type house struct {
	t       *testing.T
	db      *db.DB
	api     *api.API
	corpora *corpus.Corpora
	org     int64
	people  map[string]*authz.Principal
}

const maxUpload = 100_000

// Authenticate takes a person's name for their token.
func (h *house) Authenticate(r *http.Request, _ bool) (*authz.Principal, error) {
	return h.people[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")], nil
}

// each runs a scenario on both engines.
func each(t *testing.T, run func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { run(t, newHouse(t, d)) })
}

func newHouse(t *testing.T, d *db.DB, change ...func(*document.Options)) *house {
	t.Helper()
	blobs, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	guard := egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	q := job.New(d, log)
	o := document.Options{DB: d, Blobs: blobs, Jobs: q, Extract: pool, Fetch: guard, Web: web.New(web.Options{Guard: guard, Delay: time.Microsecond}), PublicURL: "https://atrium.example", Log: log}
	for _, f := range change {
		f(&o)
	}
	docs := document.New(o)
	h := &house{t: t, db: d, corpora: corpus.New(corpus.Options{DB: d, Documents: docs, MaxUpload: maxUpload}), people: map[string]*authz.Principal{}}
	h.api = api.New(api.Options{Version: "test", PublicURL: "https://atrium.example", Auth: h, Log: log})
	h.corpora.Mount(h.api)
	docs.Mount(h.api)
	h.api.Seal()
	h.org = h.insert(`INSERT INTO organization (name, domain, created_on) VALUES ('Acme', 'acme.example', 0) RETURNING id`)
	rival := h.insert(`INSERT INTO organization (name, domain, created_on) VALUES ('Rival', 'rival.example', 0) RETURNING id`)
	for _, name := range []string{"ann", "bob", "vera", "ed"} {
		h.person(h.org, name, authz.Member)
	}
	h.person(h.org, "root", authz.GlobalAdmin)
	h.person(rival, "eve", authz.GlobalAdmin)
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
		guard.Close()
	})
	return h
}

func (h *house) insert(query string, args ...any) int64 {
	h.t.Helper()
	var id int64
	if err := h.db.Tx(h.t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = db.One[int64](ctx, tx, query, args...)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func (h *house) person(org int64, name string, role authz.Role) {
	email := name + "@example.com"
	id := h.insert(`INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, 'Person', ?, '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, org, email, email, name, string(role))
	h.people[name] = &authz.Principal{UserID: id, OrgID: org, Email: email, Role: role, Scopes: []string{"*"}}
}

func (h *house) grant(corpusID int64, name, role string) {
	h.insert(`INSERT INTO corpus_grant (org_id, corpus_id, user_id, role, created_by, created_on) VALUES (?, ?, ?, ?, '', 0) RETURNING id`, h.org, corpusID, h.people[name].UserID, role)
}

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// at reads a value of the JSON by its path, such as data.documents.0.id.
func (a answer) at(path string) any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("not JSON: %s", a.body)
	}
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[key]; !ok {
				a.t.Fatalf("there is no %s in %s", path, a.body)
			}
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				a.t.Fatalf("there is no %s in %s", path, a.body)
			}
			v = x[i]
		default:
			a.t.Fatalf("there is no %s in %s", path, a.body)
		}
	}
	return v
}

func (a answer) id(path string) int64 { a.t.Helper(); return int64(a.at(path).(float64)) }

func (a answer) len(path string) int { a.t.Helper(); return len(a.at(path).([]any)) }

// want fails the test on another status, or a value that differs: pairs of path
// and value as fmt prints it.
func (a answer) want(status int, pairs ...any) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for i := 0; i < len(pairs); i += 2 {
		if got := a.at(pairs[i].(string)); fmt.Sprint(got) != fmt.Sprint(pairs[i+1]) {
			a.t.Errorf("%s is %v, want %v, in %s", pairs[i], got, pairs[i+1], a.body)
		}
	}
	return a
}

func (h *house) send(who, method, path, contentType string, body io.Reader) answer {
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
	h.api.ServeHTTP(w, r)
	return answer{h.t, w.Code, w.Header(), w.Body.String()}
}

func (h *house) do(who, method, path, body string) answer {
	h.t.Helper()
	if body == "" {
		return h.send(who, method, path, "", http.NoBody)
	}
	return h.send(who, method, path, "application/json", strings.NewReader(body))
}

// part is a field of a form, a file when it has a name.
type part struct{ field, file, value string }

func (h *house) upload(who string, corpusID int64, parts ...part) answer {
	h.t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range parts {
		var to io.Writer
		var err error
		if p.file != "" {
			to, err = w.CreateFormFile(p.field, p.file)
		} else {
			to, err = w.CreateFormField(p.field)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		io.WriteString(to, p.value)
	}
	w.Close()
	return h.send(who, "POST", fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpusID), w.FormDataContentType(), &buf)
}

func (h *house) corpus(who string) int64 {
	h.t.Helper()
	return h.do(who, "POST", "/api/v2/corpora", `{"name": "Animals"}`).want(201).id("data.id")
}

// file uploads a file and waits until it is read.
func (h *house) file(who string, corpusID int64, name, content string) int64 {
	h.t.Helper()
	id := h.upload(who, corpusID, part{"content_type", "", "file"}, part{"source", name, content}).want(201).id("data.id")
	h.completed(id)
	return id
}

func (h *house) completed(id int64) answer {
	h.t.Helper()
	for range 3000 {
		a := h.do("root", "GET", fmt.Sprintf("/api/v2/documents/%d", id), "").want(200)
		if a.at("data.step") == "completed" || a.at("data.is_failed") == true {
			return a
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.t.Fatalf("document %d does not end", id)
	return answer{}
}
