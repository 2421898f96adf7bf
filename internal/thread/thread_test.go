package thread_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/document"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/org"
	"atrium/internal/project"
	"atrium/internal/thread"
)

// bench is the capability behind its real router. Nothing is read in the
// background: the queue does not run.
type bench struct {
	t       *testing.T
	d       *db.DB
	api     *api.API
	people  map[string]*authz.Principal
	docs    *document.Documents
	corpora *corpus.Corpora
	agents  *agent.Agents
	threads *thread.Threads
}

func (b *bench) Authenticate(r *http.Request, _ bool) (*authz.Principal, error) {
	return b.people[r.Header.Get("X-Who")], nil
}

type unread struct{}

func (unread) Extract(context.Context, extract.Request) (extract.Document, error) {
	return extract.Document{}, fail.Invalid("nothing is read here")
}

func each(t *testing.T, run func(*testing.T, *bench)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log := slog.New(slog.DiscardHandler)
		b := &bench{t: t, d: d, people: map[string]*authz.Principal{}}
		blobs, err := blob.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b.docs = document.New(document.Options{DB: d, Blobs: blobs, Jobs: job.New(d, log), Extract: unread{}, PublicURL: "https://atrium.example", Log: log})
		b.corpora = corpus.New(corpus.Options{DB: d, Documents: b.docs})
		b.agents = agent.New(agent.Options{DB: d, Corpora: b.corpora, Projects: project.New(d)})
		b.threads = thread.New(d, b.agents, b.corpora, b.docs)
		b.api = api.New(api.Options{Version: "test", Auth: b, Log: log})
		b.threads.Mount(b.api)
		b.api.Seal()
		b.tx(func(ctx context.Context, tx *db.Tx) error {
			for _, name := range []string{"one", "two"} {
				o, _, err := org.Create(ctx, tx, name, name+".example", "test")
				if err != nil {
					return err
				}
				for _, who := range map[string][]string{"one": {"ann", "bob", "boss"}, "two": {"eve"}}[name] {
					role := authz.Member
					if who == "boss" {
						role = authz.GlobalAdmin
					}
					email := who + "@" + name + ".example"
					id, err := db.One[int64](ctx, tx, `INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
						VALUES (?, ?, ?, ?, '', ?, '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, o.ID, email, email, who, string(role))
					if err != nil {
						return err
					}
					b.people[who] = &authz.Principal{UserID: id, OrgID: o.ID, Email: email, Role: role, Scopes: []string{"*"}}
				}
			}
			return nil
		})
		run(t, b)
	})
}

func (b *bench) tx(f func(context.Context, *db.Tx) error) {
	b.t.Helper()
	if err := b.d.Tx(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) scope(who string) authz.Scope { return authz.For(b.people[who]) }

func (b *bench) agent(who string, access string) int64 {
	b.t.Helper()
	d := agent.Draft{Name: "Guide"}
	d.Access = &access
	a, err := b.agents.Create(b.t.Context(), b.scope(who), d)
	if err != nil {
		b.t.Fatal(err)
	}
	return a.ID
}

func (b *bench) corpus(who, kind string) int64 {
	b.t.Helper()
	var c corpus.Corpus
	b.tx(func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = b.corpora.Create(ctx, tx, b.scope(who), corpus.Draft{Name: "Files", Type: kind, ModeID: 3})
		return err
	})
	return c.ID
}

type answer struct {
	Status int
	Body   string
	JSON   any
}

func (b *bench) do(who, method, path string, body string) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Who", who)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	a := answer{Status: w.Code, Body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a.JSON); err != nil {
		b.t.Fatalf("%s %s: %q is no JSON", method, path, a.Body)
	}
	return a
}

func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

func (a answer) at(path string) any {
	v := a.JSON
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) id(path string) string {
	f, _ := a.at(path).(float64)
	return strconv.FormatInt(int64(f), 10)
}

func (a answer) count(path string) int {
	l, ok := a.at(path).([]any)
	if !ok {
		return -1
	}
	return len(l)
}

func str(id int64) string { return strconv.FormatInt(id, 10) }

func TestAThreadIsMadeListedRenamedAndDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		one, two := b.agent("ann", "Only me"), b.agent("ann", "Only me")
		threads := "/api/v2/agents/" + str(one) + "/chat-threads"
		first := b.do("ann", "POST", threads, `{}`).want(t, 201)
		if first.at("message") != "Chat Thread created successfully." || first.at("data.title") != thread.Untitled || first.at("data.corpus_id") != nil || first.at("data.chat_id") == "" ||
			first.at("data.user.email") != "ann@one.example" || first.id("data.agent.id") != str(one) || first.at("data.created_by") != "ann@one.example" || first.at("data.is_deleted") != false {
			t.Errorf("made: %s", first.Body)
		}
		b.do("ann", "POST", threads, ``).want(t, 201)
		b.do("ann", "POST", threads, `{"title": " Pond  water ", "query_source": "slack", "stray": 1}`).want(t, 201)
		b.do("ann", "POST", "/api/v2/agents/"+str(two)+"/chat-threads", `{"title": "Other"}`).want(t, 201)

		list := b.do("ann", "GET", threads+"?query_source=app", "").want(t, 200)
		if list.count("data.chat_threads") != 3 || list.at("data.chat_threads.0.title") != "Pond water" || list.at("data.pagination.page_size") != 200.0 {
			t.Errorf("of the agent: %s", list.Body)
		}
		if all := b.do("ann", "GET", "/api/v2/chat-threads", "").want(t, 200); all.count("data.chat_threads") != 4 || all.at("data.chat_threads.0.title") != "Other" {
			t.Errorf("all: %s", all.Body)
		}
		if some := b.do("ann", "GET", "/api/v2/chat-threads?search=POND&agent_id="+str(one)+"&sort=title", "").want(t, 200); some.count("data.chat_threads") != 1 {
			t.Errorf("some: %s", some.Body)
		}
		if page := b.do("ann", "GET", "/api/v2/chat-threads?page=2&page_size=3&sort=created_on", "").want(t, 200); page.count("data.chat_threads") != 1 || page.at("data.pagination.total") != 4.0 {
			t.Errorf("second page: %s", page.Body)
		}
		path := "/api/v2/chat-threads/" + first.id("data.id")
		if r := b.do("ann", "PUT", path, `{"title": "Ducks"}`).want(t, 200); r.at("data.title") != "Ducks" || r.at("message") != "Chat Thread Updated Successfully." {
			t.Errorf("renamed: %s", r.Body)
		}
		if r := b.do("ann", "PUT", path, `{"title": null}`).want(t, 200); r.at("data.title") != "Ducks" {
			t.Errorf("null changed it: %s", r.Body)
		}
		if r := b.do("ann", "DELETE", path, "").want(t, 200); r.at("data") != nil || r.at("message") != "Chat Thread Deleted Successfully." {
			t.Errorf("deleted: %s", r.Body)
		}
		for _, method := range []string{"GET", "DELETE"} {
			b.do("ann", method, path, "").want(t, 404)
		}
		if list := b.do("ann", "GET", threads, "").want(t, 200); list.count("data.chat_threads") != 2 {
			t.Errorf("after deleting: %s", list.Body)
		}
	})
}

func TestBadInputIsRefusedInWords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		a := b.agent("ann", "Only me")
		made := b.do("ann", "POST", "/api/v2/agents/"+str(a)+"/chat-threads", `{}`).want(t, 201)
		path := "/api/v2/chat-threads/" + made.id("data.id")
		for name, c := range map[string]struct {
			method, path, body string
			status             int
		}{
			"a title that is a number":    {"PUT", path, `{"title": 5}`, 400},
			"an empty title":              {"PUT", path, `{"title": ""}`, 400},
			"a blank title":               {"PUT", path, `{"title": "  "}`, 400},
			"a title that is too long":    {"PUT", path, `{"title": "` + strings.Repeat("x", 201) + `"}`, 400},
			"a NUL in the title":          {"PUT", path, `{"title": "a\u0000b"}`, 400},
			"a NUL in a new title":        {"POST", "/api/v2/agents/" + str(a) + "/chat-threads", `{"title": "\u0000"}`, 400},
			"a NUL in the source":         {"POST", "/api/v2/agents/" + str(a) + "/chat-threads", `{"query_source": "\u0000"}`, 400},
			"broken JSON":                 {"PUT", path, `{"title"`, 400},
			"an id that is a word":        {"GET", "/api/v2/chat-threads/x", ``, 404},
			"an id below one":             {"GET", "/api/v2/chat-threads/0", ``, 404},
			"an id too large for any":     {"GET", "/api/v2/chat-threads/99999999999999999999", ``, 404},
			"an order that is not known":  {"GET", "/api/v2/chat-threads?sort=chat_id", ``, 400},
			"an unknown agent":            {"POST", "/api/v2/agents/999999/chat-threads", `{}`, 404},
			"the list of an unknown one":  {"GET", "/api/v2/agents/999999/chat-threads", ``, 404},
			"an agent of another company": {"POST", "/api/v2/agents/" + str(b.agent("eve", "Public")) + "/chat-threads", `{}`, 404},
			"an agent of somebody else":   {"POST", "/api/v2/agents/" + str(b.agent("bob", "Only me")) + "/chat-threads", `{}`, 404},
		} {
			r := b.do("ann", c.method, c.path, c.body)
			if r.Status != c.status || r.at("success") != false || r.at("message") == "" || r.at("data") != nil {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
		b.do("nobody", "GET", path, "").want(t, 401)
	})
}

func TestAThreadOfAnotherAnswersLikeAnUnknownOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		a := b.agent("ann", "Everyone")
		id := b.do("ann", "POST", "/api/v2/agents/"+str(a)+"/chat-threads", `{"title": "Mine"}`).want(t, 201).id("data.id")
		const none = "999999"
		for _, who := range []string{"bob", "boss", "eve"} {
			for _, c := range []struct{ method, rest, body string }{
				{"GET", "", ""},
				{"PUT", "", `{"title": "Yours"}`},
				{"DELETE", "", ""},
				{"GET", "/corpora", ""},
				{"DELETE", "/corpora", ""},
				{"GET", "/corpora/1", ""},
				{"POST", "/corpora/1", ""},
				{"DELETE", "/corpora/1", ""},
				{"GET", "/documents", ""},
			} {
				foreign := b.do(who, c.method, "/api/v2/chat-threads/"+id+c.rest, c.body).want(t, 404)
				unknown := b.do(who, c.method, "/api/v2/chat-threads/"+none+c.rest, c.body).want(t, 404)
				if got, want := strings.ReplaceAll(foreign.Body, "thread "+id, "thread N"), strings.ReplaceAll(unknown.Body, "thread "+none, "thread N"); got != want {
					t.Errorf("%s %s %s: %s, want %s", who, c.method, c.rest, got, want)
				}
			}
			if list := b.do(who, "GET", "/api/v2/chat-threads", "").want(t, 200); list.count("data.chat_threads") != 0 {
				t.Errorf("%s lists %s", who, list.Body)
			}
		}
		if one := b.do("ann", "GET", "/api/v2/chat-threads/"+id, "").want(t, 200); one.at("data.title") != "Mine" {
			t.Errorf("%s", one.Body)
		}
	})
}

func TestOnlyAnAttachmentCorpusThatOneEditsIsLinked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		a := b.agent("ann", "Only me")
		path := "/api/v2/chat-threads/" + b.do("ann", "POST", "/api/v2/agents/"+str(a)+"/chat-threads", `{}`).want(t, 201).id("data.id")
		files, more, knowledge, foreign := b.corpus("ann", "attachment"), b.corpus("ann", "attachment"), b.corpus("ann", "document"), b.corpus("eve", "attachment")
		seen := b.corpus("bob", "attachment")
		b.tx(func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `INSERT INTO corpus_grant (org_id, corpus_id, user_id, role, created_by, created_on) VALUES (?, ?, ?, 'Viewer', '', 0)`, b.people["ann"].OrgID, seen, b.people["ann"].UserID)
			return err
		})
		b.do("ann", "GET", path+"/corpora", "").want(t, 404)
		b.do("ann", "DELETE", path+"/corpora", "").want(t, 404)
		if docs := b.do("ann", "GET", path+"/documents", "").want(t, 200); docs.count("data.documents") != 0 {
			t.Errorf("%s", docs.Body)
		}
		b.do("ann", "POST", path+"/corpora/"+str(knowledge), "").want(t, 409)
		b.do("ann", "POST", path+"/corpora/"+str(foreign), "").want(t, 404)
		b.do("ann", "POST", path+"/corpora/"+str(seen), "").want(t, 403)
		b.do("ann", "POST", path+"/corpora/999999", "").want(t, 404)
		if l := b.do("ann", "POST", path+"/corpora/"+str(files), "").want(t, 201); l.id("data.corpus.id") != str(files) {
			t.Errorf("%s", l.Body)
		}
		b.do("ann", "POST", path+"/corpora/"+str(more), "").want(t, 201)
		if l := b.do("ann", "GET", path+"/corpora", "").want(t, 200); l.id("data.corpus.id") != str(more) || l.at("data.corpus.corpus_type") != "attachment" {
			t.Errorf("%s", l.Body)
		}
		if th := b.do("ann", "GET", path, "").want(t, 200); th.id("data.corpus_id") != str(more) {
			t.Errorf("%s", th.Body)
		}
		b.do("ann", "GET", path+"/corpora/"+str(more), "").want(t, 200)
		b.do("ann", "GET", path+"/corpora/"+str(files), "").want(t, 404)
		b.do("ann", "DELETE", path+"/corpora/"+str(files), "").want(t, 404)

		text := document.Draft{ContentType: document.Text, Source: "The pond was dug in 1904.", IsAttachment: true}
		if _, err := b.docs.Add(t.Context(), b.scope("ann"), more, text); err != nil {
			t.Fatal(err)
		}
		if docs := b.do("ann", "GET", path+"/documents?search=pond", "").want(t, 200); docs.count("data.documents") != 1 || docs.at("data.pagination.page_size") != 200.0 {
			t.Errorf("%s", docs.Body)
		}
		b.do("ann", "DELETE", path+"/corpora/"+str(more), "").want(t, 200)
		b.do("ann", "GET", path+"/corpora", "").want(t, 404)

		b.do("ann", "POST", path+"/corpora/"+str(files), "").want(t, 201)
		b.tx(func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `UPDATE corpus SET is_deleted = TRUE WHERE id = ?`, files)
			return err
		})
		b.do("ann", "GET", path+"/corpora", "").want(t, 404)
		if docs := b.do("ann", "GET", path+"/documents", "").want(t, 200); docs.count("data.documents") != 0 {
			t.Errorf("%s", docs.Body)
		}
		b.do("ann", "DELETE", path+"/corpora", "").want(t, 200)
	})
}

func TestAQuestionOpensTheAskersThreadWithTheAgent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		a, other := b.agent("ann", "Everyone"), b.agent("ann", "Everyone")
		open := func(who string, agentID int64, id *int64, title string) (o thread.Opened, err error) {
			err = b.d.Relaxed(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
				o, err = b.threads.Open(ctx, tx, b.scope(who), agentID, id, title, "test")
				return err
			})
			return o, err
		}
		first, err := open("ann", a, nil, "First question")
		if err != nil || first.Title != "First question" {
			t.Fatalf("%+v %v", first, err)
		}
		if again, err := open("ann", a, &first.ID, "Second question"); err != nil || again.Title != "First question" {
			t.Errorf("%+v %v", again, err)
		}
		if _, err := open("bob", a, &first.ID, "x"); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("another's thread: %v", err)
		}
		if _, err := open("ann", other, &first.ID, "x"); !fail.Is(err, fail.CodeConflict) {
			t.Errorf("another agent's thread: %v", err)
		}
		empty, err := b.threads.Create(t.Context(), b.scope("ann"), a, thread.Draft{})
		if err != nil {
			t.Fatal(err)
		}
		if named, err := open("ann", a, &empty.ID, "Its first question"); err != nil || named.Title != "Its first question" {
			t.Errorf("%+v %v", named, err)
		}
	})
}

func TestATitleIsOneShortLine(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{
		"  What\n is this? ": "What is this?",
		"What does the handbook say about the number of vacation days of new people?": "What does the handbook say about the number of vacation days…",
		strings.Repeat("x", 100): strings.Repeat("x", 60) + "…",
		strings.Repeat("鸭", 61):  strings.Repeat("鸭", 60) + "…",
		"a\x00b":                 "ab",
	} {
		if got := thread.TitleOf(question); got != want {
			t.Errorf("%q is named %q, want %q", question, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := thread.TitleOf(rapid.String().Draw(t, "question"))
		if utf8.RuneCountInString(s) > 61 || strings.ContainsAny(s, "\n\x00") {
			t.Fatalf("%q", s)
		}
	})
}
