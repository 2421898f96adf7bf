package wire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/llm/wire"
)

func client(t *testing.T, h http.HandlerFunc, l wire.Limits) *wire.Client {
	t.Helper()
	s := httptest.NewServer(h)
	g := egress.New(egress.Options{})
	t.Cleanup(func() { g.Close(); s.CloseClientConnections(); s.Close() })
	c, err := wire.New("the model", s.URL, g.Operator(egress.Limits{}), nil, l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func discard(r *wire.Reply) error { return r.JSON(new(any)) }

func TestRetriesAreFewAndObeyTheServersWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, after string
		status      int
		limits      wire.Limits
		deadline    time.Duration
		asked       int64
		code        fail.Code
		wait        time.Duration
	}{
		{name: "a server's failure is retried twice", status: 500, asked: 3, code: fail.CodeProvider},
		{name: "never more than twice", status: 500, limits: wire.Limits{Retries: 9}, asked: 3, code: fail.CodeProvider},
		{name: "not at all when told so", status: 500, limits: wire.Limits{Retries: -1}, asked: 1, code: fail.CodeProvider},
		{name: "a short wait is kept", status: 429, after: "0.01", asked: 3, code: fail.CodeTooMany, wait: 10 * time.Millisecond},
		{name: "a long wait is passed on", status: 429, after: "60", asked: 1, code: fail.CodeTooMany, wait: time.Minute},
		{name: "a wait beyond the deadline is passed on", status: 503, after: "4", deadline: time.Second, asked: 1, code: fail.CodeUnavailable, wait: 4 * time.Second},
		{name: "no wait said", status: 503, asked: 3, code: fail.CodeUnavailable, wait: 5 * time.Second},
		{name: "the caller's fault is not retried", status: 400, asked: 1, code: fail.CodeProvider},
		{name: "too long is not retried", status: 413, asked: 1, code: fail.CodeProvider},
		{name: "a redirect is not followed", status: 307, asked: 1, code: fail.CodeProvider},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			c.limits.Backoff = time.Millisecond
			w := client(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if b, _ := io.ReadAll(r.Body); strings.TrimSpace(string(b)) != `{"a":"<b>"}` {
					t.Errorf("the body is %q", b)
				}
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
			}, c.limits)
			ctx := t.Context()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			err := w.Do(ctx, wire.Call{Path: "/x", Body: map[string]string{"a": "<b>"}, Handle: discard})
			f := fail.As(err)
			if f.Code != c.code || f.RetryAfter != c.wait || asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d; %v after %v", asked.Load(), c.asked, err, f.RetryAfter)
			}
		})
	}
}

func TestKnownErrorCodesAreWordedAndOthersHidden(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`{"error":{"code":"context_length_exceeded","message":"SECRET"}}`: "too long",
		`{"error":{"code":"model_not_found","message":"SECRET"}}`:         "does not know the model",
		`{"error":{"code":"insufficient_quota","type":"x"}}`:              "no credit",
		`{"error":{"type":"authentication_error"}}`:                       "API key",
		`{"error":{"code":"content_filter"}}`:                             "content rules",
		`{"error":{"code":400,"type":"SECRET","message":"SECRET"}}`:       "did not accept",
		`SECRET`:                      "did not accept",
		`{"error":"SECRET"}`:          "did not accept",
		strings.Repeat("SECRET", 1e5): "did not accept",
	} {
		w := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		}, wire.Limits{})
		err := w.Do(t.Context(), wire.Call{Handle: discard})
		if !fail.Is(err, fail.CodeProvider) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}

func TestAnAnswerThatHasBegunIsNeverAskedForAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	w := client(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: a\n\n")
	}, wire.Limits{Backoff: time.Millisecond})
	err := w.Do(t.Context(), wire.Call{Handle: func(r *wire.Reply) error {
		for {
			if _, err := r.Next(); err != nil {
				return r.Cut()
			}
			r.Progress()
		}
	}})
	if !fail.Is(err, fail.CodeProvider) || asked.Load() != 1 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestTheContextEndsAWaitForTheNextTry(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		time.AfterFunc(20*time.Millisecond, cancel)
	}, wire.Limits{MaxWait: 2 * time.Hour})
	if err := w.Do(ctx, wire.Call{Handle: discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestARefusalByTheDialerIsNotRetriedAndNotReworded(t *testing.T) {
	t.Parallel()
	g := egress.New(egress.Options{})
	c, err := wire.New("the model", "http://127.0.0.1:1", g.Client(egress.Limits{}), nil, wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), wire.Call{Handle: discard}); !fail.Is(err, fail.CodeInvalid) || !strings.Contains(err.Error(), egress.Setting) {
		t.Errorf("got %v", err)
	}
}

func TestABodyThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	w := client(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }, wire.Limits{})
	if err := w.Do(t.Context(), wire.Call{Body: make(chan int), Handle: discard}); !fail.Is(err, fail.CodeInvalid) {
		t.Errorf("got %v", err)
	}
}
