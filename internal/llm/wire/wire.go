// Package wire is what the clients of model servers share: a POST of JSON with
// time limits and a few retries, answered by an event stream or by JSON, whose
// failures are *fail.Error without the server's words.
//
// The public SDKs were measured and left out: decoding one streamed chunk cost
// 19 µs and 54 allocations (here 0.5 µs and one), and they added 26 MB to the binary.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
)

// Limits bound one call; a zero takes the default.
type Limits struct {
	FirstByte time.Duration // until the first token, connecting included; default 60 s
	Idle      time.Duration // between two chunks after it; default 30 s
	Total     time.Duration // of one attempt; default 15 min
	MaxBytes  int64         // of one answer; default 32 MiB
	Retries   int           // after the first attempt, before anything was answered; default 2, negative none
	Backoff   time.Duration // before the first retry, then doubled; default 500 ms
	MaxWait   time.Duration // longest Retry-After that is waited for instead of being passed on; default 5 s
}

const (
	tryAgain = 5 * time.Second // when the server does not say

	maxLine  = 1 << 20  // of one event; a chunk is a few hundred bytes
	maxError = 64 << 10 // of an error's body, of which only known codes are used
)

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&l.FirstByte, 60*time.Second)
	set(&l.Idle, 30*time.Second)
	set(&l.Total, 15*time.Minute)
	set(&l.Backoff, 500*time.Millisecond)
	set(&l.MaxWait, 5*time.Second)
	if l.MaxBytes <= 0 {
		l.MaxBytes = 32 << 20
	}
	if l.Retries == 0 {
		l.Retries = 2
	}
	l.Retries = min(l.Retries, 2)
	return l
}

// Client calls one server.
type Client struct {
	who    string
	base   string
	http   *http.Client
	header http.Header
	limits Limits
}

// New makes a Client. who names the server in messages, base is its address,
// header goes with each request. The http client is one of package egress.
func New(who, base string, client *http.Client, header http.Header, l Limits) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fail.Invalid("the address of %s has to be like https://host/path, without query", who)
	}
	if client == nil {
		return nil, errors.New("wire: a client of package egress is needed")
	}
	for _, vs := range header {
		for _, v := range vs {
			if strings.ContainsAny(v, "\r\n\x00") {
				return nil, fail.Invalid("the key of %s holds a line break; copy it again", who)
			}
		}
	}
	h := http.Header{
		"Content-Type": {"application/json"},
		"User-Agent":   {"Atrium"},
		// A compressed stream would be held back until a block is full.
		"Accept-Encoding": {"identity"},
	}
	for k, v := range header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	return &Client{who: who, base: strings.TrimRight(base, "/"), http: client, header: h, limits: l.withDefaults()}, nil
}

// Call is one request.
type Call struct {
	Path  string // below the base address
	Model string // for messages
	Body  any    // sent as JSON
	// Refused is asked after a 400 or 422 with the answer's first bytes; it may
	// change what Body points to and answer true to try once more without it
	// counting as a retry.
	Refused func(body []byte) bool
	// Handle reads a good answer. An error before Reply.Progress may be retried.
	Handle func(*Reply) error
}

// transient marks a failure that another attempt may mend.
type transient struct{ f *fail.Error }

func (t transient) Error() string { return t.f.Error() }
func (t transient) Unwrap() error { return t.f }

// Do sends the call. It answers nil, what Handle answered, the context's error,
// or a *fail.Error.
func (c *Client) Do(ctx context.Context, call Call) error {
	refused := 0
	for try := 0; ; {
		again, err := c.attempt(ctx, call, refused < 3)
		if again {
			refused++
			continue
		}
		var t transient
		if !errors.As(err, &t) {
			return err
		}
		wait := t.f.RetryAfter
		if wait == 0 {
			wait = c.limits.Backoff << try
			wait -= rand.N(wait/4 + 1) //nolint:gosec // it only spreads the tries
		}
		if end, ok := ctx.Deadline(); try >= c.limits.Retries || wait > c.limits.MaxWait || ok && time.Until(end) < wait {
			if t.f.RetryAfter == 0 && t.f.Code != fail.CodeProvider {
				return t.f.After(tryAgain)
			}
			return t.f
		}
		try++
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func (c *Client) attempt(parent context.Context, call Call, mayRefuse bool) (again bool, err error) {
	if err := parent.Err(); err != nil {
		return false, err
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(call.Body); err != nil {
		return false, fail.Invalid("the request cannot be written as JSON").Because(err)
	}
	ctx, cancel := context.WithCancelCause(parent)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+call.Path, &body)
	if err != nil {
		cancel(nil)
		return false, fail.Invalid("the address of %s is not valid", c.who)
	}
	req.Header = c.header.Clone()

	w := newWatch(c.limits, cancel)
	w.arm()
	res, err := c.http.Do(req)
	if err != nil {
		w.stop()
		if parent.Err() == nil && errors.Is(context.Cause(ctx), errSilent) {
			err = w.cause
		} else {
			err = c.broken(parent, err, true)
		}
		cancel(nil)
		return false, err
	}
	r := &Reply{client: c, call: call, parent: parent, ctx: ctx, res: res, watch: w}
	r.in.reset(res.Body, c.limits.MaxBytes, w)
	defer func() {
		if err == nil && !again {
			go r.drain(cancel)
			return
		}
		w.stop()
		cancel(nil)
		_ = res.Body.Close()
	}()
	if res.StatusCode/100 != 2 {
		head, _ := io.ReadAll(io.LimitReader(&r.in, maxError))
		if err := parent.Err(); err != nil {
			return false, err
		}
		if (res.StatusCode == http.StatusBadRequest || res.StatusCode == http.StatusUnprocessableEntity) && mayRefuse && call.Refused != nil && call.Refused(head) {
			return true, nil
		}
		return false, c.status(call, res, head)
	}
	err = call.Handle(r)
	var t transient
	if errors.As(err, &t) && r.started {
		return false, t.f
	}
	return false, err
}

// broken words a failure below HTTP. early: nothing was answered yet.
func (c *Client) broken(parent context.Context, err error, early bool) error {
	if perr := parent.Err(); perr != nil {
		return perr
	}
	var known *fail.Error
	if errors.As(err, &known) {
		return known
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the URL says nothing that who does not
	}
	host := c.who
	if b, perr := url.Parse(c.base); perr == nil {
		host = b.Host
	}
	f := egress.Explain(err, host)
	if errors.As(f, &known) {
		if early {
			return transient{fail.Unavailable("%s cannot be reached at %s; check that it runs and that the address is right", c.who, host).Because(err)}
		}
		return transient{fail.Provider("%s broke off its answer; try again", c.who).Because(err)}
	}
	return f
}

// status words an HTTP status; of the body only known codes are looked at.
func (c *Client) status(call Call, res *http.Response, head []byte) error {
	var e struct {
		Error struct {
			Code any    `json:"code"`
			Type string `json:"type"`
		} `json:"error"`
	}
	_ = json.Unmarshal(head, &e) // a body that is not JSON has no code
	code, _ := e.Error.Code.(string)
	if f := c.coded(call.Model, code, e.Error.Type); f != nil && f.Code == fail.CodeProvider {
		return f
	}
	s := res.StatusCode
	after := egress.RetryAfter(res.Header, time.Now())
	switch {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return fail.Provider("%s refused the API key (%d); an administrator has to check the key and its rights", c.who, s)
	case s == http.StatusNotFound:
		return fail.Provider("%s does not know the model %q or the address (404); an administrator has to check both", c.who, call.Model)
	case s == http.StatusTooManyRequests:
		return transient{fail.TooMany("%s is asked too often right now; try again in a while", c.who).After(after)}
	case s == http.StatusRequestEntityTooLarge:
		return fail.Provider("the question with its documents is too long for %s; ask with fewer or shorter ones", c.who)
	case s == http.StatusServiceUnavailable, s == 529:
		return transient{fail.Unavailable("%s is overloaded or starting (%d); try again in a while", c.who, s).After(after)}
	case s == http.StatusRequestTimeout, s >= 500:
		f := fail.Provider("%s failed (%d); try again, and tell an administrator if it stays", c.who, s)
		return transient{f.After(after)}
	case s/100 == 3:
		return fail.Provider("%s redirects elsewhere (%d); an administrator has to set the final address", c.who, s)
	}
	return fail.Provider("%s did not accept the request for the model %q (%d); an administrator has to check the model's settings", c.who, call.Model, s)
}

// coded words the error codes that the common servers share; nil when unknown.
func (c *Client) coded(model string, codes ...string) *fail.Error {
	for _, code := range codes {
		switch code {
		case "context_length_exceeded", "string_above_max_length", "request_too_large":
			return fail.Provider("the question with its documents is too long for the model %q; ask with fewer or shorter ones", model)
		case "model_not_found", "not_found_error":
			return fail.Provider("%s does not know the model %q; an administrator has to check its name", c.who, model)
		case "insufficient_quota", "billing_error":
			return fail.Provider("the account at %s has no credit left; an administrator has to check it", c.who)
		case "invalid_api_key", "authentication_error", "permission_error":
			return fail.Provider("%s refused the API key; an administrator has to check the key and its rights", c.who)
		case "content_filter", "content_policy_violation":
			return fail.Provider("%s refused the question by its content rules; ask in another way", c.who)
		case "rate_limit_exceeded", "rate_limit_error":
			return fail.TooMany("%s is asked too often right now; try again in a while", c.who)
		case "overloaded_error":
			return fail.Unavailable("%s is overloaded; try again in a while", c.who)
		}
	}
	return nil
}

// mediaType is the answer's type in lower case; "" when not said.
func mediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}
