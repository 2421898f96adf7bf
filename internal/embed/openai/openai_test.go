package openai_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/egress"
	"atrium/internal/embed"
	"atrium/internal/embed/embedtest"
	"atrium/internal/embed/openai"
	"atrium/internal/fail"
	"atrium/internal/llm/fake"
	"atrium/internal/llm/wire"
)

const key = "sk-the-right-key"

func open(t *testing.T, h http.Handler, c openai.Config) *openai.Embedder {
	t.Helper()
	if h == nil {
		h = fake.Server(fake.Options{APIKey: key})
	}
	s := httptest.NewServer(h)
	g := egress.New(egress.Options{})
	t.Cleanup(func() { g.Close(); s.CloseClientConnections(); s.Close() })
	c.BaseURL, c.APIKey, c.Client = s.URL+"/v1", key, g.Operator(egress.Limits{})
	c.Limits = wire.Limits{Backoff: time.Millisecond, MaxWait: 20 * time.Millisecond}
	switch c.Model {
	case "":
		c.Model = "bag"
	case fake.Hang:
		c.Limits.FirstByte = 150 * time.Millisecond
	}
	e, err := openai.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheEmbedderKeepsTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Contract(t, func(t *testing.T) embed.Embedder { return open(t, nil, openai.Config{}) })
}

// recorder keeps the batches that a server was sent and how many were open at once.
type recorder struct {
	http.Handler
	mu        sync.Mutex
	batches   [][]string
	open, top int
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	data, _ := io.ReadAll(req.Body)
	var in struct{ Input []string }
	_ = json.Unmarshal(data, &in)
	r.mu.Lock()
	r.batches = append(r.batches, in.Input)
	r.open++
	r.top = max(r.top, r.open)
	r.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	req.Body = io.NopCloser(strings.NewReader(string(data)))
	r.Handler.ServeHTTP(w, req)
	r.mu.Lock()
	r.open--
	r.mu.Unlock()
}

func TestTextsAreSentInBatchesLimitedByCountTokensAndConcurrency(t *testing.T) {
	t.Parallel()
	r := &recorder{Handler: fake.Server(fake.Options{})}
	e := open(t, r, openai.Config{BatchSize: 4, BatchTokens: 100, Concurrency: 2, TextPrefix: "passage: ", QueryPrefix: "query: "})
	texts := []string{strings.Repeat("long ", 400)}
	for range 20 {
		texts = append(texts, "short", strings.Repeat("word ", 60))
	}
	if _, err := e.Passages(t.Context(), texts); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range r.batches {
		n += len(b)
		size := 0
		for _, s := range b {
			size += len(s) / 4
			if !strings.HasPrefix(s, "passage: ") {
				t.Errorf("%.20q has no prefix", s)
			}
		}
		if len(b) > 4 || (size > 100 && len(b) > 1) {
			t.Errorf("a batch of %d texts and %d tokens", len(b), size)
		}
	}
	if n != len(texts) || r.top > 2 {
		t.Errorf("%d of %d texts were sent, %d batches at once", n, len(texts), r.top)
	}
	if _, err := e.Query(t.Context(), "x"); err != nil || r.batches[len(r.batches)-1][0] != "query: x" {
		t.Errorf("the question was sent as %q, %v", r.batches[len(r.batches)-1], err)
	}
}

func TestEveryFaultIsAClearErrorWithoutTheServersWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		model string
		want  fail.Code
		says  string
	}{
		{fake.Hang, fail.CodeProvider, "in time"},
		{fake.Garbage, fail.CodeProvider, "JSON of its API"},
		{fake.HTML, fail.CodeProvider, "JSON of its API"},
		{fake.NoKey, fail.CodeProvider, "API key"},
		{fake.NoModel, fail.CodeProvider, "does not know"},
		{fake.TooMany, fail.CodeTooMany, "too often"},
		{fake.Broken, fail.CodeProvider, "failed (500)"},
		{fake.Busy, fail.CodeUnavailable, "overloaded"},
		{fake.Short, fail.CodeProvider, "1 vectors for 2 texts"},
		{fake.Ragged, fail.CodeProvider, "were expected"},
		{fake.Null, fail.CodeProvider, "without direction"},
	} {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, nil, openai.Config{Model: c.model}).Passages(t.Context(), []string{"one", "two"})
			var f *fail.Error
			if !errors.As(err, &f) || f.Code != c.want || !strings.Contains(f.Message, c.says) {
				t.Errorf("got %v, want %s that says %q", err, c.want, c.says)
			}
			if err != nil && (strings.Contains(err.Error(), fake.Secret) || strings.Contains(err.Error(), key)) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
	t.Run("a failure that passes is tried again", func(t *testing.T) {
		t.Parallel()
		if _, err := open(t, nil, openai.Config{Model: fake.Flaky}).Query(t.Context(), "one"); err != nil {
			t.Error(err)
		}
	})
	for name, body := range map[string]string{
		"an index twice":       `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"an index outside":     `{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}`,
		"an empty vector":      `{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[1]}]}`,
		"a number too large":   `{"data":[{"index":0,"embedding":[1e300]},{"index":1,"embedding":[1]}]}`,
		"words for numbers":    `{"data":[{"index":0,"embedding":["a"]},{"index":1,"embedding":[1]}]}`,
		"an answer about else": `{"hello":"world"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			if _, err := open(t, h, openai.Config{}).Passages(t.Context(), []string{"one", "two"}); !fail.Is(err, fail.CodeProvider) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAskedDimensionsAreSentAndHeldTo(t *testing.T) {
	t.Parallel()
	e := open(t, nil, openai.Config{Dimensions: 64})
	v, err := e.Query(t.Context(), "text")
	if n, derr := e.Dimensions(t.Context()); err != nil || derr != nil || len(v) != 64 || n != 64 {
		t.Errorf("%d numbers, %d dimensions, %v, %v", len(v), n, err, derr)
	}
	fixed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"index":0,"embedding":[1,2,3]}]}`)
	})
	if _, err := open(t, fixed, openai.Config{Dimensions: 64}).Query(t.Context(), "text"); !fail.Is(err, fail.CodeProvider) {
		t.Errorf("a server that ignores the dimensions: %v", err)
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	t.Parallel()
	c := egress.New(egress.Options{}).Operator(egress.Limits{})
	for _, bad := range []openai.Config{{Client: c}, {Client: c, Model: "m", BaseURL: "nowhere"}, {Client: c, Model: "m", Dimensions: -1}} {
		if _, err := openai.New(bad); !fail.Is(err, fail.CodeInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestTheNameTellsModelsEndpointsAndPrefixesApart(t *testing.T) {
	t.Parallel()
	c := egress.New(egress.Options{}).Operator(egress.Limits{})
	seen := map[string]bool{}
	for _, cfg := range []openai.Config{{Model: "a"}, {Model: "b"}, {Model: "a", BaseURL: "http://other/v1"}, {Model: "a", QueryPrefix: "query: "}, {Model: "a", Dimensions: 64}} {
		cfg.Client, cfg.APIKey = c, key
		e, err := openai.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if seen[e.Name()] || strings.Contains(e.Name(), key) {
			t.Errorf("the name %q", e.Name())
		}
		seen[e.Name()] = true
	}
}
