package openai_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/fake"
	"atrium/internal/llm/openai"
	"atrium/internal/llm/wire"
)

func provider(t testing.TB, h http.Handler) *openai.Provider {
	t.Helper()
	s := httptest.NewServer(h)
	g := egress.New(egress.Options{})
	t.Cleanup(func() { g.Close(); s.CloseClientConnections(); s.Close() })
	p, err := openai.New(openai.Config{BaseURL: s.URL + "/v1/", Model: "m", Client: g.Operator(egress.Limits{}), Limits: wire.Limits{Backoff: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hello() llm.Request {
	return llm.Request{Messages: []llm.Message{{Role: llm.User, Text: "hello"}}}
}

// TestServersThatDifferAreUnderstood holds what real servers were seen to send.
func TestServersThatDifferAreUnderstood(t *testing.T) {
	t.Parallel()
	const stop = `{"choices":[{"delta":{},"finish_reason":"stop"}]}`
	call := func(s string) string { return `{"choices":[{"delta":{"tool_calls":[` + s + `]}}]}` }
	for _, c := range []struct {
		name, kind, body string
		text, thought    string
		calls            string
		finish           llm.Finish
		fails            fail.Code
	}{
		{name: "a plain stream", body: sse(word("a"), word("b"), stop, "[DONE]"), text: "ab", finish: llm.Stopped},
		{name: "no closing mark", body: sse(word("a"), stop), text: "a", finish: llm.Stopped},
		{name: "no finish reason", body: sse(word("a"), "[DONE]"), text: "a", finish: llm.Stopped},
		{name: "neither is a cut", body: sse(word("a")), fails: fail.CodeProvider},
		{name: "comments, CRLF and no space", body: ": waiting\r\n\r\ndata:" + word("a") + "\r\n\r\nid: 7\r\nretry: 1\r\ndata: [DONE]\r\n\r\n", text: "a", finish: llm.Stopped},
		{name: "data over two lines", body: "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n", text: "a", finish: llm.Stopped},
		{name: "a last event without a blank line", body: "data: " + word("a") + "\n\ndata: [DONE]", text: "a", finish: llm.Stopped},
		{name: "reasoning under its other name", body: sse(`{"choices":[{"delta":{"content":null,"reasoning":"hm"}}]}`, word("a"), "[DONE]"), text: "a", thought: "hm", finish: llm.Stopped},
		{name: "reasoning under both names is told once", body: sse(`{"choices":[{"delta":{"reasoning":"hm","reasoning_content":"hm"}}]}`, word("a"), "[DONE]"), text: "a", thought: "hm", finish: llm.Stopped},
		{name: "content in parts", body: sse(`{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}`, "[DONE]"), text: "ab", finish: llm.Stopped},
		{name: "a refusal is text", body: sse(`{"choices":[{"delta":{"refusal":"no"}}]}`, "[DONE]"), text: "no", finish: llm.Stopped},
		{name: "escapes and half a surrogate", body: sse(word(`\u00e9\n\ud83d`), "[DONE]"), text: "é\n\ufffd", finish: llm.Stopped},
		{name: "bytes that are not UTF-8", body: sse(word("a\xffb"), "[DONE]"), text: "a\ufffdb", finish: llm.Stopped},
		{name: "cut off by length", body: sse(word("a"), `{"choices":[{"delta":{},"finish_reason":"length"}]}`, "[DONE]"), text: "a", finish: llm.Truncated},
		{name: "filtered", body: sse(`{"choices":[{"delta":{},"finish_reason":"content_filter"}]}`, "[DONE]"), finish: llm.Filtered},
		{name: "calls without index, whole, with stop", body: sse(call(`{"id":"a","function":{"name":"f","arguments":"{}"}}`), call(`{"id":"b","function":{"name":"g","arguments":{"x":1}}}`), stop, "[DONE]"), calls: `a f {} b g {"x":1}`, finish: llm.WantTools},
		{name: "call fragments interleaved", body: sse(call(`{"index":1,"id":"b","function":{"name":"g","arguments":"{"}},{"index":0,"id":"a","function":{"name":"f"}}`), call(`{"index":1,"function":{"arguments":"}"}}`), "[DONE]"), calls: `b g {} a f {}`, finish: llm.WantTools},
		{name: "a call without id", body: sse(call(`{"index":0,"function":{"name":"f","arguments":"{}"}}`), "[DONE]"), calls: `call_0 f {}`, finish: llm.WantTools},
		{name: "a call cut off by length", body: sse(call(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), `{"choices":[{"delta":{},"finish_reason":"length"}]}`, "[DONE]"), fails: fail.CodeProvider},
		{name: "a stream that is not streamed", kind: "application/json", body: `{"model":"x","choices":[{"message":{"content":"ab"},"finish_reason":"stop"}]}`, text: "ab", finish: llm.Stopped},
		{name: "status 200 with an error", kind: "application/json", body: `{"error":{"type":"rate_limit_error"}}`, fails: fail.CodeTooMany},
		{name: "an error that is a string", body: sse(`{"error":"out of memory at 0x7f"}`), fails: fail.CodeProvider},
		{name: "an error with a number", body: sse(`{"error":{"code":500,"type":null}}`), fails: fail.CodeProvider},
		{name: "JSON of something else", kind: "application/json", body: `{"hello":"world"}`, fails: fail.CodeProvider},
		{name: "JSON that is an array", kind: "application/json", body: `[]`, fails: fail.CodeProvider},
		{name: "nothing at all", body: "", fails: fail.CodeProvider},
		{name: "an empty answer", body: sse(stop, "[DONE]"), fails: fail.CodeProvider},
		{name: "wrong types", body: sse(`{"choices":"x"}`), fails: fail.CodeProvider},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := provider(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.kind == "" {
					c.kind = "text/event-stream"
				}
				w.Header().Set("Content-Type", c.kind)
				w.Header().Set("Connection", "close")
				_, _ = io.WriteString(w, c.body)
			}))
			r, err := p.Stream(t.Context(), hello(), func(llm.Delta) error { return nil })
			if c.fails != "" {
				if !fail.Is(err, c.fails) || strings.Contains(err.Error(), "0x7f") {
					t.Errorf("got %v, want %s", err, c.fails)
				}
				return
			}
			var calls []string
			for _, k := range r.Calls {
				calls = append(calls, k.ID, k.Name, string(k.Arguments))
			}
			if err != nil || r.Text != c.text || r.Reasoning != c.thought || r.Finish != c.finish || strings.Join(calls, " ") != c.calls {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

func word(s string) string {
	return `{"choices":[{"index":0,"delta":{"content":"` + s + `"},"finish_reason":null}]}`
}

func sse(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		fmt.Fprintf(&b, "data: %s\n\n", d)
	}
	return b.String()
}

func TestAParameterThatAServerRefusesIsLeftOutFromThenOn(t *testing.T) {
	t.Parallel()
	asked := 0
	h := fake.Server(fake.Options{})
	p := provider(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; h.ServeHTTP(w, r) }))
	req := hello()
	req.Model, req.MaxTokens = fake.Strict, 50
	for _, want := range []int{3, 4} { // both parameters are learned once
		if _, err := p.Stream(t.Context(), req, func(llm.Delta) error { return nil }); err != nil || asked != want {
			t.Errorf("asked %d times, want %d: %v", asked, want, err)
		}
	}
}

func TestABadAddressOrKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	g := egress.New(egress.Options{})
	for _, c := range []openai.Config{
		{BaseURL: "localhost:11434"}, {BaseURL: "ftp://x/"}, {BaseURL: "http://"}, {BaseURL: "http://x/?key=1"}, {APIKey: "a\nb"},
	} {
		c.Client = g.Operator(egress.Limits{})
		if _, err := openai.New(c); !fail.Is(err, fail.CodeInvalid) || strings.Contains(err.Error(), "a\nb") {
			t.Errorf("%q: %v", c.BaseURL, err)
		}
	}
	if _, err := openai.New(openai.Config{}); err == nil {
		t.Error("a provider without a client was made")
	}
}

// BenchmarkChunk is the whole cost of one streamed token, from socket to
// listener, the sending server not counted: it writes one prepared block.
func BenchmarkChunk(b *testing.B) {
	const chunks = 2000
	line := `data: {"id":"chatcmpl-abc123","object":"chat.completion.chunk","created":1700000000,"model":"gpt-x","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	block := strings.Repeat(line, chunks) + "data: [DONE]\n\n"
	p := provider(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, block)
	}))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if _, err := p.Stream(b.Context(), hello(), func(llm.Delta) error { n++; return nil }); err != nil || n != chunks {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
}

// BenchmarkFlushedChunk has each token in its own write, as models send them.
func BenchmarkFlushedChunk(b *testing.B) {
	const chunks = 2000
	p := provider(b, fake.Server(fake.Options{Tokens: chunks}))
	req := hello()
	for b.Loop() {
		if _, err := p.Stream(b.Context(), req, func(llm.Delta) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
}
