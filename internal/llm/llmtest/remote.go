package llmtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/fake"
	"atrium/internal/llm/wire"
)

// Endpoint is where a provider under test has to send its requests.
type Endpoint struct {
	URL    string // the server's root, without /v1
	APIKey string
	Model  string
	Client *http.Client
	Limits wire.Limits
}

// limits shows each fault soon. Only the faults that are silence get a short
// time, so that a busy machine is not taken for a silent server.
func limits(model string) wire.Limits {
	l := wire.Limits{MaxBytes: 4 << 20, Backoff: time.Millisecond, MaxWait: 20 * time.Millisecond}
	switch model {
	case fake.Hang, fake.Drip:
		l.FirstByte = 150 * time.Millisecond
	case fake.Stall:
		l.Idle = 150 * time.Millisecond
	}
	return l
}

const key = "sk-the-right-key"

// start runs a fake server and tells how often it was asked.
func start(t *testing.T, o fake.Options) (Endpoint, *atomic.Int64) {
	t.Helper()
	o.APIKey = key
	h := fake.Server(o)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		h.ServeHTTP(w, r)
	}))
	g := egress.New(egress.Options{})
	t.Cleanup(func() {
		g.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return Endpoint{URL: s.URL, APIKey: key, Model: "fake", Client: g.Operator(egress.Limits{}), Limits: wire.Limits{Backoff: time.Millisecond}}, &asked
}

// Remote checks a provider that talks to a server: Contract, tools, reasoning,
// and every fault, against package fake.
func Remote(t *testing.T, open func(t *testing.T, e Endpoint) llm.Provider) {
	t.Run("contract", func(t *testing.T) {
		t.Parallel()
		Contract(t, func(t *testing.T) llm.Provider {
			e, _ := start(t, fake.Options{PerToken: time.Millisecond})
			return open(t, e)
		})
	})
	t.Run("what is asked arrives whole", func(t *testing.T) {
		t.Parallel()
		arrives(t, open)
	})
	t.Run("tools", func(t *testing.T) {
		t.Parallel()
		tools(t, open)
	})
	t.Run("reasoning comes apart from the text", func(t *testing.T) {
		t.Parallel()
		e, _ := start(t, fake.Options{})
		req := Question()
		req.Model = fake.Reason
		text, reasoning, _, r, err := ask(t.Context(), open(t, e), req)
		if err != nil || reasoning == "" || reasoning != r.Reasoning || text != r.Text || strings.Contains(text, reasoning) {
			t.Errorf("got %q, %q, %v", text, reasoning, err)
		}
	})
	t.Run("usage is taken from the server, else estimated", func(t *testing.T) {
		t.Parallel()
		e, _ := start(t, fake.Options{})
		for model, estimated := range map[string]bool{"fake": false, fake.NoUsage: true} {
			req := Question()
			req.Model = model
			_, _, _, r, err := ask(t.Context(), open(t, e), req)
			if err != nil || r.Usage.Estimated != estimated || r.Usage.PromptTokens < 50 || r.Usage.CompletionTokens < 20 {
				t.Errorf("%s: %+v, %v", model, r.Usage, err)
			}
		}
	})
	t.Run("text in any script and with any sign arrives unchanged", func(t *testing.T) {
		t.Parallel()
		const text = "Grüße 日本語 👩‍👩‍👧 \"quoted\" back\\slash <b>&amp;</b>\nnew\tline \u2028 end"
		e, _ := start(t, fake.Options{Script: func(fake.Request) (fake.Reply, bool) { return fake.Reply{Text: text}, true }})
		if got, _, _, r, err := ask(t.Context(), open(t, e), Question()); err != nil || got != text || r.Text != text {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("a failure before the answer is tried again", func(t *testing.T) {
		t.Parallel()
		e, asked := start(t, fake.Options{})
		req := Question()
		req.Model = fake.Flaky
		if _, _, _, _, err := ask(t.Context(), open(t, e), req); err != nil || asked.Load() != 2 {
			t.Errorf("asked %d times: %v", asked.Load(), err)
		}
	})
	t.Run("the connection is used again", func(t *testing.T) {
		t.Parallel()
		e, _ := start(t, fake.Options{})
		var again atomic.Bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			if i.Reused {
				again.Store(true)
			}
		}})
		p := open(t, e)
		// The end of a body is read after its answer was given, so the very next
		// request may come too early.
		for range 100 {
			if _, _, _, _, err := ask(ctx, p, Question()); err != nil {
				t.Fatal(err)
			}
			if again.Load() {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Error("each answer took a new connection")
	})
	t.Run("faults", func(t *testing.T) {
		t.Parallel()
		faults(t, open)
	})
	t.Run("the context's end ends a silent call", func(t *testing.T) {
		t.Parallel()
		for _, model := range []string{fake.Hang, fake.Stall, fake.Drip, fake.TooMany} {
			e, _ := start(t, fake.Options{})
			e.Limits = wire.Limits{MaxWait: time.Minute}
			ctx, cancel := context.WithCancel(t.Context())
			stop := time.AfterFunc(50*time.Millisecond, cancel)
			req := Question()
			req.Model = model
			if _, _, _, _, err := ask(ctx, open(t, e), req); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", model, err)
			}
			stop.Stop()
			cancel()
		}
	})
	t.Run("a slow listener is not taken for a silent server", func(t *testing.T) {
		t.Parallel()
		e, _ := start(t, fake.Options{Tokens: 3})
		e.Limits = wire.Limits{Idle: time.Second}
		_, err := open(t, e).Stream(t.Context(), Question(), func(llm.Delta) error {
			time.Sleep(1200 * time.Millisecond)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// arrives checks that the server sees system, passages, history and tools.
func arrives(t *testing.T, open func(*testing.T, Endpoint) llm.Provider) {
	var seen fake.Request
	e, _ := start(t, fake.Options{Seen: func(r fake.Request) { seen = r }})
	req := Question()
	req.Model, req.MaxTokens = "another", 77
	call := llm.ToolCall{ID: "c1", Name: "clock", Arguments: json.RawMessage(`{"zone":"UTC"}`)}
	req.Messages = []llm.Message{
		{Role: llm.User, Text: "hello"},
		{Role: llm.Assistant, Text: "hi"},
		{Role: llm.User, Text: "what time is it?"},
		{Role: llm.Assistant, Calls: []llm.ToolCall{call}},
		{Role: llm.ToolRole, CallID: "c1", Text: "noon"},
	}
	req.Tools = []llm.Tool{{Name: "clock", Description: "tells the time", Schema: json.RawMessage(`{"type":"object"}`)}}
	if _, _, _, _, err := ask(t.Context(), open(t, e), req); err != nil {
		t.Fatal(err)
	}
	if seen.Model != "another" || seen.System != llm.Prompt(req) || len(seen.Messages) != 5 || len(seen.Tools) != 1 {
		t.Fatalf("the server saw %+v", seen)
	}
	for i, m := range req.Messages {
		got := seen.Messages[i]
		if got.Role != m.Role || got.Text != m.Text || got.CallID != m.CallID || len(got.Calls) != len(m.Calls) {
			t.Errorf("message %d arrived as %+v", i, got)
		}
	}
	if c := seen.Messages[3].Calls[0]; c.ID != call.ID || c.Name != call.Name || string(c.Arguments) != string(call.Arguments) {
		t.Errorf("the call arrived as %+v", c)
	}
	if tool := seen.Tools[0]; tool.Name != "clock" || tool.Description != "tells the time" || string(tool.Schema) != `{"type":"object"}` {
		t.Errorf("the tool arrived as %+v", tool)
	}
}

func tools(t *testing.T, open func(*testing.T, Endpoint) llm.Provider) {
	for _, c := range []struct {
		name  string
		calls []llm.ToolCall
		want  fail.Code
	}{
		{"one", []llm.ToolCall{{ID: "a", Name: "find", Arguments: json.RawMessage(`{"query":"opening \"hours\""}`)}}, ""},
		{"two at once", []llm.ToolCall{{ID: "a", Name: "find", Arguments: json.RawMessage(`{"n":1}`)}, {ID: "b", Name: "find", Arguments: json.RawMessage(`{}`)}}, ""},
		{"arguments cut off", []llm.ToolCall{{ID: "a", Name: "find", Arguments: json.RawMessage(`{"query":`)}}, fail.CodeProvider},
		{"arguments that are no object", []llm.ToolCall{{ID: "a", Name: "find", Arguments: json.RawMessage(`[1]`)}}, fail.CodeProvider},
	} {
		e, _ := start(t, fake.Options{Script: func(fake.Request) (fake.Reply, bool) { return fake.Reply{Text: "Let me look.", Calls: c.calls}, true }})
		text, _, _, r, err := ask(t.Context(), open(t, e), Question())
		if c.want != "" {
			if !fail.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || text != "Let me look." || r.Finish != llm.WantTools || len(r.Calls) != len(c.calls) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
			continue
		}
		for i, want := range c.calls {
			if got := r.Calls[i]; got.ID != want.ID || got.Name != want.Name || string(got.Arguments) != string(want.Arguments) {
				t.Errorf("%s: call %d is %+v", c.name, i, got)
			}
		}
	}
}

func faults(t *testing.T, open func(*testing.T, Endpoint) llm.Provider) {
	for _, c := range []struct {
		model string
		want  fail.Code
		says  string
		asked int64 // how often the server is asked in all
	}{
		{fake.Hang, fail.CodeProvider, "begin to answer", 1},
		{fake.Drip, fail.CodeProvider, "begin to answer", 1},
		{fake.Stall, fail.CodeProvider, "stopped in the middle", 1},
		{fake.Garbage, fail.CodeProvider, "event stream", 1},
		{fake.BadJSON, fail.CodeProvider, "not the JSON", 1},
		{fake.Cut, fail.CodeProvider, "broke off", 1},
		{fake.HTML, fail.CodeProvider, "web page", 1},
		{fake.LongLine, fail.CodeProvider, "too large", 1},
		{fake.Endless, fail.CodeProvider, "larger than the limit", 1},
		{fake.InStream, fail.CodeUnavailable, "overloaded", 3},
		{fake.NoKey, fail.CodeProvider, "API key", 1},
		{fake.NoModel, fail.CodeProvider, "does not know the model", 1},
		{fake.TooMany, fail.CodeTooMany, "too often", 1}, // its Retry-After is longer than we wait
		{fake.Broken, fail.CodeProvider, "failed (500)", 3},
		{fake.Busy, fail.CodeUnavailable, "overloaded", 3},
	} {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			e, asked := start(t, fake.Options{})
			e.Limits = limits(c.model)
			req := Question()
			req.Model = c.model
			_, _, _, r, err := ask(t.Context(), open(t, e), req)
			var f *fail.Error
			if !errors.As(err, &f) || f.Code != c.want || !strings.Contains(f.Message, c.says) {
				t.Fatalf("got %v, want %s that says %q", err, c.want, c.says)
			}
			if r.Text != "" || asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d; result %+v", asked.Load(), c.asked, r)
			}
			for _, secret := range []string{fake.Secret, key, "<title>"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
			}
			if (f.Code == fail.CodeTooMany || f.Code == fail.CodeUnavailable) && f.RetryAfter <= 0 {
				t.Error("it does not say when to try again")
			}
			if c.model == fake.TooMany && f.RetryAfter != 30*time.Second {
				t.Errorf("try again after %v, the server said 30 s", f.RetryAfter)
			}
		})
	}
	t.Run("a wrong key", func(t *testing.T) {
		t.Parallel()
		e, _ := start(t, fake.Options{})
		e.APIKey = "sk-wrong"
		if _, _, _, _, err := ask(t.Context(), open(t, e), Question()); !fail.Is(err, fail.CodeProvider) || strings.Contains(err.Error(), "sk-") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		e, _ := start(t, fake.Options{})
		e.URL = "http://127.0.0.1:1"
		if _, _, _, _, err := ask(t.Context(), open(t, e), Question()); !fail.Is(err, fail.CodeUnavailable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no model", func(t *testing.T) {
		t.Parallel()
		e, asked := start(t, fake.Options{})
		e.Model = ""
		if _, _, _, _, err := ask(t.Context(), open(t, e), Question()); !fail.Is(err, fail.CodeProvider) || asked.Load() != 0 {
			t.Errorf("asked %d times: %v", asked.Load(), err)
		}
	})
}
