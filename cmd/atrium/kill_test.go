package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"atrium/internal/bench"
	"atrium/internal/db/dbtest"
	"atrium/internal/llm/fake"
	"atrium/internal/sse"
)

const (
	testKey    = "kill-test-key-0123456789"
	killsHere  = 50 // on SQLite
	killsThere = 10 // on PostgreSQL, where a lease must expire first
)

// binary builds the program once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "atrium-test-*")
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, "atrium")
	cmd := exec.Command("go", "build", "-o", exe, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return exe, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if exe, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(exe))
	}
	os.Exit(code)
}

// victim is a server that is killed and started again on the same data.
type victim struct {
	t    *testing.T
	exe  string
	addr string
	env  []string
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

func newVictim(t *testing.T, env ...string) *victim {
	t.Helper()
	exe, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	addr, err := bench.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, exe: exe, addr: addr, env: append([]string{"PATH=" + os.Getenv("PATH"), "ATRIUM_LISTEN=" + addr, "ATRIUM_DATA=" + t.TempDir(),
		"ATRIUM_ADMIN_PASSWORD=Kill-Test-9", "ATRIUM_API_KEY=" + testKey}, env...)}
	v.start()
	t.Cleanup(v.kill)
	return v
}

func (v *victim) start() {
	v.log = &bytes.Buffer{}
	v.cmd = exec.Command(v.exe, "serve")
	v.cmd.Env, v.cmd.Stderr = v.env, v.log
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	for range 6000 {
		if res, err := http.Get("http://" + v.addr + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	v.t.Fatalf("the server is not ready after a kill: %s", v.log)
}

func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

// send answers the status and body; an error means that the connection broke.
func (v *victim) send(ctx context.Context, method, path, kind string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+v.addr+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

func (v *victim) json(method, path string, in, out any) (int, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	status, got, err := v.send(context.Background(), method, path, "application/json", bytes.NewReader(b))
	if err == nil && out != nil {
		err = json.Unmarshal(got, &struct {
			Data any `json:"data"`
		}{out})
	}
	return status, err
}

// ledger is what the server has acknowledged, kept outside of it.
type ledger struct {
	mu        sync.Mutex
	documents map[int64]string // id → name
	answers   map[int64]string // id of a response → the answer that its stream ended with
	promised  map[int64]bool   // responses whose stream has begun
	edits     int              // the last description that was acknowledged
}

func (l *ledger) write(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

type crash struct {
	*victim
	ledger
	agent, corpus int64
	stop          chan struct{}
}

func (c *crash) stopped() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); survive(t, killsHere) })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		survive(t, killsThere, "ATRIUM_DATABASE_URL="+dbtest.PostgresURL(t))
	})
}

func survive(t *testing.T, kills int, env ...string) {
	model := httptest.NewServer(fake.Server(fake.Options{FirstToken: 5 * time.Millisecond, PerToken: 2 * time.Millisecond, Tokens: 60}))
	defer model.Close()
	c := &crash{victim: newVictim(t, append(env, "ATRIUM_LLM_BASE_URL="+model.URL+"/v1", "ATRIUM_LLM_MODEL=any")...), stop: make(chan struct{})}
	c.documents, c.answers, c.promised = map[int64]string{}, map[int64]string{}, map[int64]bool{}
	var made struct {
		ID int64 `json:"id"`
	}
	if status, err := c.json("POST", "/api/v2/agents", map[string]any{"name": "Crash"}, &made); err != nil || status != 201 {
		t.Fatal(status, err)
	}
	c.agent = made.ID
	if status, err := c.json("POST", "/api/v2/corpora", map[string]any{"name": "Crash"}, &made); err != nil || status != 201 {
		t.Fatal(status, err)
	}
	c.corpus = made.ID
	if status, err := c.json("POST", fmt.Sprintf("/api/v2/agents/%d/corpora/%d", c.agent, c.corpus), map[string]any{}, nil); err != nil || status != 201 {
		t.Fatal(status, err)
	}
	var work sync.WaitGroup
	work.Go(c.upload)
	work.Go(c.edit)
	work.Go(func() { c.ask(1) })
	work.Go(func() { c.ask(2) })
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for range kills {
		time.Sleep(time.Duration(50+r.IntN(350)) * time.Millisecond)
		c.victim.kill()
		c.victim.start()
	}
	close(c.stop)
	work.Wait()
	c.check()
}

// upload sends small documents one after the other.
func (c *crash) upload() {
	for n := 0; !c.stopped(); n++ {
		name := fmt.Sprintf("note-%d.md", n)
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField("content_type", "file")
		p, _ := w.CreateFormFile("source", name)
		_, _ = fmt.Fprintf(p, "# Note %d\n\n%s", n, strings.Repeat(fmt.Sprintf("The lighthouse number %d stands on a rock and blinks twice. ", n), 40))
		_ = w.Close()
		status, got, err := c.send(context.Background(), "POST", fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", c.corpus), w.FormDataContentType(), &b)
		if err != nil || status != 201 {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		var out struct {
			Data struct {
				ID int64 `json:"id"`
			} `json:"data"`
		}
		if json.Unmarshal(got, &out) == nil {
			c.write(func() { c.documents[out.Data.ID] = name })
		}
	}
}

// edit counts up a description.
func (c *crash) edit() {
	for n := 1; !c.stopped(); n++ {
		status, err := c.json("PUT", fmt.Sprintf("/api/v2/agents/%d", c.agent), map[string]any{"description": fmt.Sprint(n)}, nil)
		if err == nil && status == 200 {
			c.write(func() { c.edits = n })
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// ask asks one question after the other and resumes each stream that breaks.
func (c *crash) ask(who int) {
	for n := 0; !c.stopped(); n++ {
		q, err := json.Marshal(map[string]any{"user_query": fmt.Sprintf("What does lighthouse number %d of asker %d do?", n, who)})
		if err != nil {
			c.t.Error(err)
			return
		}
		r := reader{crash: c}
		if err := r.follow("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses/stream", c.agent), bytes.NewReader(q)); err != nil && r.last == "" {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		c.write(func() { c.promised[r.id] = true })
		for tries := 0; !r.ended; tries++ {
			if tries == 3000 {
				c.t.Errorf("the stream of response %d cannot be resumed after %s", r.id, r.last)
				return
			}
			time.Sleep(20 * time.Millisecond)
			_ = r.follow("GET", fmt.Sprintf("/api/v2/agent-responses/%d/stream", r.id), nil)
		}
		if r.text != r.answer {
			c.t.Errorf("response %d: what was streamed is not the answer:\n%q\n%q", r.id, r.text, r.answer)
		}
		c.write(func() { c.answers[r.id] = r.answer })
	}
}

// reader is a client that assembles an answer over cuts.
type reader struct {
	*crash
	id           int64
	last         string
	text, answer string
	ended        bool
}

func (r *reader) follow(method, path string, body io.Reader) error {
	req, err := http.NewRequest(method, "http://"+r.addr+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	if r.last != "" {
		req.Header.Set("Last-Event-ID", r.last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return sse.Read(res.Body, r.take)
}

func (r *reader) take(e sse.Event) error {
	var d struct {
		Step   string `json:"step"`
		Delta  string `json:"delta"`
		Output struct {
			Answer string `json:"answer"`
		} `json:"output"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return nil //nolint:nilerr // a line that the kill cut; it comes again
	}
	if e.ID == "" {
		r.t.Errorf("an event has no id: %s", e.Data)
		return errors.New("no id")
	}
	r.last = e.ID
	if r.id == 0 {
		_, _ = fmt.Sscanf(e.ID, "%d-", &r.id)
	}
	switch d.Step {
	case "assistant_stream":
		r.text += d.Delta
	case "answer_reset":
		r.text = ""
	case "end":
		r.ended, r.answer = true, d.Output.Answer
	case "error":
		r.t.Errorf("response %d ended with an error: %s", r.id, e.Data)
		r.ended = true
	}
	return nil
}

// check holds the server to the ledger.
func (c *crash) check() {
	c.t.Helper()
	if len(c.documents) == 0 || len(c.answers) == 0 || c.edits == 0 {
		c.t.Fatalf("the test did too little: %d documents, %d answers, %d edits", len(c.documents), len(c.answers), c.edits)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for id, name := range maps.All(c.documents) {
		var d struct {
			Name   string `json:"name"`
			Step   string `json:"step"`
			Failed bool   `json:"is_failed"`
			Reason string `json:"failure_reason"`
			Pieces int    `json:"pieces"`
		}
		for d.Step != "completed" && !d.Failed {
			if status, err := c.json("GET", fmt.Sprintf("/api/v2/documents/%d", id), nil, &d); err != nil || status != 200 {
				c.t.Fatalf("document %d was acknowledged and is lost: %d %v", id, status, err)
			}
			if time.Now().After(deadline) {
				c.t.Fatalf("document %d does not end: it is %s", id, d.Step)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if d.Name != name || d.Failed || d.Pieces == 0 {
			c.t.Errorf("document %d: %+v, uploaded as %s", id, d, name)
		}
	}
	for id, answer := range c.answers {
		var a struct {
			Response struct {
				Success bool   `json:"success"`
				Answer  string `json:"answer"`
			} `json:"response"`
		}
		if status, err := c.json("GET", fmt.Sprintf("/api/v2/agent-responses/%d", id), nil, &a); err != nil || status != 200 || !a.Response.Success || a.Response.Answer != answer {
			c.t.Errorf("response %d ended with %q and is now %d %v %+v", id, answer, status, err, a)
		}
	}
	var agent struct {
		Description string `json:"description"`
	}
	if status, err := c.json("GET", fmt.Sprintf("/api/v2/agents/%d", c.agent), nil, &agent); err != nil || status != 200 {
		c.t.Fatal(status, err)
	}
	var n int
	if _, err := fmt.Sscan(agent.Description, &n); err != nil || n < c.edits {
		c.t.Errorf("the edit %d was acknowledged, and the agent has %q", c.edits, agent.Description)
	}
	c.t.Logf("%d documents, %d answers, %d edits acknowledged; none lost", len(c.documents), len(c.answers), c.edits)
}
