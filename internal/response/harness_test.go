package response

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/document"
	"atrium/internal/event"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/llm"
	"atrium/internal/org"
	"atrium/internal/project"
	"atrium/internal/sse"
	"atrium/internal/thread"
	"atrium/internal/user"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// plain reads text: paragraphs parted by blank lines, "# " before a heading.
type plain struct{}

func (plain) Extract(_ context.Context, r extract.Request) (extract.Document, error) {
	b, err := os.ReadFile(r.Path)
	if err != nil {
		return extract.Document{}, err
	}
	out := extract.Document{MediaType: r.MediaType}
	var heading []string
	page := 0
	if r.MediaType == "application/pdf" {
		page, out.Pages = 3, 3
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		if h, ok := strings.CutPrefix(part, "# "); ok {
			out.Blocks = append(out.Blocks, extract.Block{Kind: "heading", Text: h, Page: page})
			heading = []string{h}
			continue
		}
		out.Blocks = append(out.Blocks, extract.Block{Kind: "paragraph", Text: part, Heading: heading, Page: page})
	}
	return out, nil
}

// said is what a script's model says in one turn.
type said struct {
	text      []string // deltas
	reasoning []string // before them
	calls     []llm.ToolCall
	err       error         // behind them
	wait      chan struct{} // before every delta of text one is taken, until it is closed
	usage     llm.Usage
}

// script is a provider that says what a test tells it to.
type script struct {
	name string
	say  func(n int, req llm.Request) said

	mu   sync.Mutex
	seen []llm.Request
}

func (p *script) Name() string { return p.name }

func (p *script) asked() []llm.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]llm.Request(nil), p.seen...)
}

func (p *script) Stream(ctx context.Context, req llm.Request, emit func(llm.Delta) error) (llm.Result, error) {
	p.mu.Lock()
	p.seen = append(p.seen, req)
	n := len(p.seen)
	p.mu.Unlock()
	s := p.say(n, req)
	res := llm.Result{Calls: s.calls, Usage: s.usage, Finish: llm.Stopped, Model: "scripted"}
	for _, t := range s.reasoning {
		res.Reasoning += t
		if err := emit(llm.Delta{Reasoning: t}); err != nil {
			return res, err
		}
	}
	for _, t := range s.text {
		if s.wait != nil {
			select {
			case <-s.wait:
			case <-ctx.Done():
				return res, ctx.Err()
			}
		}
		res.Text += t
		if err := emit(llm.Delta{Text: t}); err != nil {
			return res, err
		}
	}
	if s.err != nil {
		return res, s.err
	}
	return res, ctx.Err()
}

func says(deltas ...string) *script {
	return &script{name: "scripted", say: func(int, llm.Request) said { return said{text: deltas} }}
}

// fixed gives every agent the same provider.
type fixed struct {
	provider llm.Provider
	price    Price
}

func (f fixed) Pick(context.Context, authz.Scope, agent.Settings) (Choice, error) {
	return Choice{f.provider, f.price, f.provider.Name()}, nil
}

// bench is the whole capability over one database, behind HTTP.
type bench struct {
	t       testing.TB
	d       *db.DB
	dir     string
	jobs    *job.Queue
	events  *event.Log
	docs    *document.Documents
	corpora *corpus.Corpora
	agents  *agent.Agents
	threads *thread.Threads
	s       *Responses
	url     string
	stop    func()
	people  *people
}

// people are known by the header X-Who.
type people struct {
	mu  sync.Mutex
	all map[string]*authz.Principal
}

func (p *people) Authenticate(r *http.Request, _ bool) (*authz.Principal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[r.Header.Get("X-Who")], nil
}

func (p *people) scope(who string) authz.Scope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return authz.For(p.all[who])
}

// each runs a test on both engines.
func each(t *testing.T, m llm.Provider, run func(*testing.T, *bench)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { run(t, newBench(t, d, m)) })
}

func newBench(t testing.TB, d *db.DB, m llm.Provider, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, d: d, dir: t.TempDir(), people: &people{all: map[string]*authz.Principal{}}}
	err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for _, who := range []struct{ name, org string }{{"ann", "one"}, {"bob", "one"}, {"eve", "two"}} {
			if err := b.person(ctx, tx, who.name, who.org); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.start(m, change...)
	return b
}

func (b *bench) person(ctx context.Context, tx *db.Tx, name, orgName string) error {
	id, err := db.One[int64](ctx, tx, `SELECT COALESCE(MAX(id), 0) FROM organization WHERE name = ?`, orgName)
	if err == nil && id == 0 {
		var o org.Organization
		o, _, err = org.Create(ctx, tx, orgName, orgName+".example", "test")
		id = o.ID
	}
	if err != nil {
		return err
	}
	email := name + "@" + orgName + ".example"
	user, err := db.One[int64](ctx, tx, `INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, '', 'User', '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, id, email, email, name)
	b.people.mu.Lock()
	defer b.people.mu.Unlock()
	b.people.all[name] = &authz.Principal{UserID: user, OrgID: id, Email: email, Role: authz.Member, Scopes: []string{"*"}}
	return err
}

// start builds everything over the database, as a new process would.
func (b *bench) start(m llm.Provider, change ...func(*Options)) {
	b.t.Helper()
	log := slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	blobs, err := blob.Open(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.jobs, b.events = job.New(b.d, log), event.New(b.d, log)
	b.docs = document.New(document.Options{DB: b.d, Blobs: blobs, Jobs: b.jobs, Extract: plain{}, PublicURL: "https://atrium.example", Log: log})
	b.corpora = corpus.New(corpus.Options{DB: b.d, Documents: b.docs})
	b.agents = agent.New(agent.Options{DB: b.d, Corpora: b.corpora, Projects: project.New(b.d)})
	b.threads = thread.New(b.d, b.agents, b.corpora, b.docs)
	users := user.New(user.Options{DB: b.d, Log: log, MasterKey: make([]byte, 32)})
	o := Options{DB: b.d, Jobs: b.jobs, Events: b.events, Agents: b.agents, Threads: b.threads, Projects: project.New(b.d), People: users, Documents: b.docs, Models: fixed{provider: m}, PublicURL: "https://atrium.example", Log: log}
	for _, f := range change {
		f(&o)
	}
	b.s = New(o)
	a := api.New(api.Options{Version: "test", Auth: b.people, Log: log})
	b.threads.Mount(a)
	b.s.Mount(a)
	a.Seal()
	if err := b.jobs.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	front := httptest.NewServer(a)
	b.url = front.URL
	b.stop = sync.OnceFunc(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // what runs is given back at once
		if err := b.jobs.Stop(ended); err != nil {
			b.t.Error(err)
		}
		if err := b.events.Close(); err != nil {
			b.t.Error(err)
		}
		front.CloseClientConnections()
		front.Close()
		users.Close()
	})
	b.t.Cleanup(b.stop)
}

// restart stops everything and starts it anew over the same data.
func (b *bench) restart(m llm.Provider) {
	b.t.Helper()
	b.stop()
	b.start(m)
}

const ducks = `# Ducks

Ducks sleep standing on one leg in the reeds. Their feathers are waterproof because of oil from the preen gland.

# Food

Mallards eat pondweed, seeds and small snails. They feed mostly at dawn.

# Flight

A mallard flies at eighty kilometres an hour. It can rise from the water without a run.`

// agent makes an agent of ann's over the ducks; change adjusts it.
func (b *bench) agent(change ...func(*agent.Draft)) int64 {
	b.t.Helper()
	d := agent.Draft{Name: "Ducks"}
	everyone := "Everyone"
	d.Access = &everyone
	for _, f := range change {
		f(&d)
	}
	sc := b.people.scope("ann")
	var id, corpusID int64
	err := b.d.Tx(b.t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, corpusID, err = b.agents.CreateIn(ctx, tx, sc, d)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.add("ann", corpusID, "ducks.md", "text/markdown", ducks)
	return id
}

// add puts a file into a corpus and waits until it is read.
func (b *bench) add(who string, corpusID int64, name, mediaType, text string) int64 {
	b.t.Helper()
	sc := b.people.scope(who)
	bl, err := b.docs.Blobs.Put(b.t.Context(), sc.Org(), strings.NewReader(text), 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	added, err := b.docs.Add(b.t.Context(), sc, corpusID, document.Draft{ContentType: document.File, Name: name, Blob: bl, MediaType: mediaType})
	if err != nil {
		b.t.Fatal(err)
	}
	for {
		d, err := b.docs.Get(b.t.Context(), sc, added.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		if d.IsFailed {
			b.t.Fatalf("document: %+v", d)
		}
		if d.Step == document.Completed {
			return d.ID
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// answer is what came back of a request.
type answer struct {
	Status int
	Header http.Header
	Body   string
	JSON   map[string]any
}

func (b *bench) open(ctx context.Context, who, method, path string, body any, header ...string) *http.Response {
	b.t.Helper()
	var in io.Reader
	switch x := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(x)
	default:
		j, err := json.Marshal(x)
		if err != nil {
			b.t.Fatal(err)
		}
		in = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, in)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("X-Who", who)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func (b *bench) do(who, method, path string, body any, header ...string) answer {
	b.t.Helper()
	res := b.open(b.t.Context(), who, method, path, body, header...)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{Status: res.StatusCode, Header: res.Header, Body: string(raw)}
	_ = json.Unmarshal(raw, &a.JSON)
	return a
}

func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// at finds a value by a dotted path.
func (a answer) at(path string) any { return at(a.JSON, path) }

func at(v any, path string) any {
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

func (a answer) text(path string) string {
	s, _ := a.at(path).(string)
	return s
}

func (a answer) id(path string) int64 {
	f, _ := a.at(path).(float64)
	return int64(f)
}

func (a answer) len(path string) int {
	l, ok := a.at(path).([]any)
	if !ok {
		return -1
	}
	return len(l)
}

// heard is one event of a stream.
type heard struct {
	ID, Name, Raw string
	Data          map[string]any
}

func (b *bench) read(res *http.Response, each func(heard) error) {
	b.t.Helper()
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		raw, _ := io.ReadAll(res.Body)
		b.t.Fatalf("%d %s: %s", res.StatusCode, res.Header.Get("Content-Type"), raw)
	}
	err := sse.Read(res.Body, func(e sse.Event) error {
		h := heard{ID: e.ID, Name: e.Name, Raw: string(e.Data)}
		if err := json.Unmarshal(e.Data, &h.Data); err != nil {
			return err
		}
		return each(h)
	})
	if err != nil && !errors.Is(err, errEnough) {
		b.t.Fatal(err)
	}
}

var errEnough = fail.Invalid("enough was read")

func (b *bench) stream(who, method, path string, body any, header ...string) []heard {
	b.t.Helper()
	var out []heard
	b.read(b.open(b.t.Context(), who, method, path, body, header...), func(h heard) error {
		out = append(out, h)
		return nil
	})
	return out
}

// spoken is the text of a stream's tokens.
func spoken(events []heard) string {
	var s strings.Builder
	for _, e := range events {
		if e.Name == evToken {
			s.WriteString(e.Data["delta"].(string))
		}
	}
	return s.String()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func askPath(agentID int64) string {
	return "/response-service/api/v2/agents/" + strconv.FormatInt(agentID, 10) + "/responses"
}

func onResponse(id int64, rest string) string {
	return "/api/v2/agent-responses/" + strconv.FormatInt(id, 10) + rest
}

func onThread(id int64, rest string) string {
	return "/api/v2/chat-threads/" + strconv.FormatInt(id, 10) + rest
}

// q is the body of a question.
func q(text string, more ...any) map[string]any {
	out := map[string]any{"user_query": text}
	for i := 0; i < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}
