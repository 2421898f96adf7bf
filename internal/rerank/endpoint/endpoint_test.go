package endpoint_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/llm/wire"
	"atrium/internal/rerank"
	"atrium/internal/rerank/endpoint"
	"atrium/internal/rerank/reranktest"
)

const key = "rk-the-right-key"

func open(t *testing.T, h http.Handler, change ...func(*endpoint.Config)) *endpoint.Reranker {
	t.Helper()
	s := httptest.NewServer(h)
	g := egress.New(egress.Options{})
	t.Cleanup(func() { g.Close(); s.CloseClientConnections(); s.Close() })
	c := endpoint.Config{BaseURL: s.URL + "/v1/", APIKey: key, Model: "judge", Client: g.Operator(egress.Limits{}), Limits: wire.Limits{Backoff: time.Millisecond, MaxWait: 20 * time.Millisecond}}
	for _, f := range change {
		f(&c)
	}
	r, err := endpoint.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheEndpointKeepsTheContract(t *testing.T) {
	t.Parallel()
	reranktest.Contract(t, func(t *testing.T) rerank.Reranker { return open(t, reranktest.Server(key)) })
}

// says answers with a status and a body, and counts how often it is asked.
func says(asked *atomic.Int64, status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestTheRequestIsTheOneThatServersShare(t *testing.T) {
	t.Parallel()
	r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		const want = `{"model":"judge","query":"who & what?","documents":["one","."],"top_n":2,"return_documents":false}`
		if got := strings.TrimSpace(string(b)); got != want || r.URL.Path != "/v1/rerank" || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("%s was asked for %s", r.URL.Path, got)
		}
		_, _ = io.WriteString(w, `{"id":"x","results":[{"index":1,"relevance_score":0.75,"document":{"text":"."}},{"index":0,"relevance_score":-2}],"meta":{}}`)
	}))
	got, err := r.Scores(t.Context(), "who & what?", []string{"one", " \n"})
	if err != nil || !slices.Equal(got, []float64{-2, 0.75}) {
		t.Errorf("got %v, %v", got, err)
	}
	if r.Name() == "" || strings.Contains(r.Name(), key) {
		t.Errorf("the name is %q", r.Name())
	}
}

func TestAnAnswerThatFitsNotIsRefused(t *testing.T) {
	t.Parallel()
	for body, words := range map[string]string{
		`{"results":[{"index":0,"relevance_score":1}]}`: "1 scores for 2 passages",
		`{"results":[]}`:     "0 scores for 2 passages",
		`{"error":"SECRET"}`: "0 scores for 2 passages",
		`{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":2}]}`:     "do not belong",
		`{"results":[{"index":0,"relevance_score":1},{"index":2,"relevance_score":2}]}`:     "do not belong",
		`{"results":[{"index":-1,"relevance_score":1},{"index":1,"relevance_score":2}]}`:    "do not belong",
		`{"results":[{"relevance_score":1},{"index":1,"relevance_score":2}]}`:               "do not belong",
		`{"results":[{"index":0},{"index":1,"relevance_score":2}]}`:                         "no number",
		`{"results":[{"index":0,"relevance_score":null},{"index":1,"relevance_score":2}]}`:  "no number",
		`{"results":[{"index":0,"relevance_score":NaN},{"index":1,"relevance_score":2}]}`:   "JSON",
		`{"results":[{"index":0,"relevance_score":1e999},{"index":1,"relevance_score":2}]}`: "JSON",
		`[{"index":0,"score":1},{"index":1,"score":2}]`:                                     "JSON",
		`<html>SECRET`: "JSON",
		`{"results":[{"index":0,"relevance_score":1},{"index":1,"relevance_score":2}],"rest":"` + strings.Repeat("x", 3000) + `"}`: "larger than the limit",
	} {
		var asked atomic.Int64
		r := open(t, says(&asked, 200, body), func(c *endpoint.Config) { c.Limits.MaxBytes = 2000 })
		got, err := r.Scores(t.Context(), "q", []string{"a", "b"})
		if got != nil || !fail.Is(err, fail.CodeProvider) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "SECRET") || asked.Load() != 1 {
			t.Errorf("%.90s: %v, %v, asked %d times", body, got, err, asked.Load())
		}
	}
}

func TestAFailureIsTriedOnceMoreAtMost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, after string
		status      int
		deadline    time.Duration
		asked       int64
		code        fail.Code
	}{
		{name: "too many requests", status: 429, after: "0.01", asked: 2, code: fail.CodeTooMany},
		{name: "its own failure", status: 500, asked: 2, code: fail.CodeProvider},
		{name: "overloaded", status: 503, asked: 2, code: fail.CodeUnavailable},
		{name: "a wait that is too long", status: 429, after: "60", asked: 1, code: fail.CodeTooMany},
		{name: "a wait beyond the deadline", status: 503, after: "0.9", deadline: 500 * time.Millisecond, asked: 1, code: fail.CodeUnavailable},
		{name: "a wrong key", status: 401, asked: 1, code: fail.CodeProvider},
		{name: "an unknown model", status: 404, asked: 1, code: fail.CodeProvider},
		{name: "too long", status: 413, asked: 1, code: fail.CodeProvider},
		{name: "elsewhere", status: 307, after: "", asked: 1, code: fail.CodeProvider},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			var header []string
			if c.after != "" {
				header = []string{"Retry-After", c.after}
			}
			r := open(t, says(&asked, c.status, "SECRET", header...), func(e *endpoint.Config) {
				if c.deadline > 0 {
					e.Limits.MaxWait = time.Minute
				}
			})
			ctx := t.Context()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			_, err := r.Scores(ctx, "q", []string{"a"})
			if !fail.Is(err, c.code) || asked.Load() != c.asked || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), key) {
				t.Errorf("asked %d times, want %d: %v", asked.Load(), c.asked, err)
			}
		})
	}
}

func TestASecondTryMayAnswer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	good := reranktest.Server(key)
	r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		good.ServeHTTP(w, r)
	}))
	if got, err := r.Scores(t.Context(), "cat", []string{"the cat", "a dog"}); err != nil || got[0] <= got[1] {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestASilentServerEndsWithItsTime(t *testing.T) {
	t.Parallel()
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the client left
		<-r.Context().Done()
	})
	r := open(t, hang, func(c *endpoint.Config) { c.Limits.Total = 50 * time.Millisecond })
	if _, err := r.Scores(t.Context(), "q", []string{"a"}); !fail.Is(err, fail.CodeProvider) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := open(t, hang).Scores(ctx, "q", []string{"a"}); err == nil || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	t.Parallel()
	g := egress.New(egress.Options{})
	t.Cleanup(g.Close)
	for name, c := range map[string]endpoint.Config{
		"no model":           {BaseURL: "https://api.example.com/v1"},
		"no address":         {Model: "m"},
		"not an address":     {Model: "m", BaseURL: "api.example.com"},
		"a key of two lines": {Model: "m", BaseURL: "https://api.example.com/v1", APIKey: "a\nb"},
	} {
		c.Client = g.Operator(egress.Limits{})
		if _, err := endpoint.New(c); !fail.Is(err, fail.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"results":[{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":1}]}`))
	f.Add([]byte(`{"results":[{"index":9223372036854775807,"relevance_score":0.5},{}]}`))
	g := egress.New(egress.Options{})
	f.Cleanup(g.Close)
	f.Fuzz(func(t *testing.T, body []byte) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
		defer s.Close()
		r, err := endpoint.New(endpoint.Config{BaseURL: s.URL, Model: "m", Client: g.Operator(egress.Limits{}), Limits: wire.Limits{Retries: -1}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Scores(t.Context(), "q", []string{"a", "b"}); err == nil && (len(got) != 2 || !json.Valid(body)) {
			t.Fatal(fmt.Sprint(got))
		}
	})
}
