// Package web walks sites and sitemaps, and reads the transcripts of videos.
//
// It is a guest: it keeps to robots.txt and to what pages and headers say of
// indexing and following, asks one host for one thing at a time with a pause in
// between, and waits when it is told to. Everything goes through package egress.
package web

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
)

const (
	robot        = "atrium" // as robots.txt and pages name it
	agent        = "Atrium"
	pageTimeout  = time.Minute
	defaultDelay = 500 * time.Millisecond
	patience     = 30 * time.Second // how long one waits at most when told to
	robotsFor    = time.Hour        // a robots.txt is believed
	maxHosts     = 1_000
)

// Options make a Web.
type Options struct {
	Guard    *egress.Guard
	Delay    time.Duration // between two requests to a host; half a second when 0
	MaxBytes int64         // of one page or file; 64 MiB when 0
	// YouTube is where videos are watched; https://www.youtube.com when empty.
	YouTube string
}

// Web fetches politely. Its sources share what it knows of hosts.
type Web struct {
	Options

	mu    sync.Mutex
	hosts map[string]*host
}

// host is a server that is asked for one thing at a time.
type host struct {
	turn chan struct{} // holds the one who asks
	next time.Time     // not before; guarded by turn, as is the rest

	robots   robots
	robotsAt time.Time
}

// New makes a Web.
func New(o Options) *Web {
	if o.Delay <= 0 {
		o.Delay = defaultDelay
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.YouTube == "" {
		o.YouTube = "https://www.youtube.com"
	}
	return &Web{Options: o, hosts: map[string]*host{}}
}

func (w *Web) host(u *url.URL) *host {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := u.Scheme + "://" + u.Host
	h := w.hosts[key]
	if h == nil {
		for k, other := range w.hosts { // forget one that nobody asks now
			if len(w.hosts) < maxHosts {
				break
			}
			if len(other.turn) == 0 {
				delete(w.hosts, k)
			}
		}
		h = &host{turn: make(chan struct{}, 1)}
		w.hosts[key] = h
	}
	return h
}

// wait takes the turn and lets the pause pass.
func (h *host) wait(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if d := time.Until(h.next); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			<-h.turn
			return ctx.Err()
		}
	}
	return nil
}

// done gives the turn back.
func (h *host) done(pause time.Duration) {
	if next := time.Now().Add(pause); next.After(h.next) {
		h.next = next
	}
	<-h.turn
}

// knock finds out what a host's robots.txt says.
func (w *Web) knock(ctx context.Context, u *url.URL) (*host, robots, error) {
	h := w.host(u)
	if err := h.wait(ctx); err != nil {
		return nil, robots{}, err
	}
	if h.robotsAt.IsZero() || time.Since(h.robotsAt) > robotsFor {
		if err := w.readRobots(ctx, h, u); err != nil {
			h.done(w.Delay)
			return nil, robots{}, err
		}
	}
	r := h.robots
	h.done(0)
	return h, r, nil
}

// readRobots asks for robots.txt: where there is none everything is allowed,
// where the server fails nothing is for now.
func (w *Web) readRobots(ctx context.Context, h *host, u *url.URL) error {
	at := *u
	at.Path, at.RawPath, at.RawQuery = "/robots.txt", "", ""
	res, err := w.do(ctx, &at, nil, 1<<20)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	h.next = time.Now().Add(w.Delay)
	switch {
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return fail.Unavailable("%s cannot tell what robots may fetch: its robots.txt answers %d; try again later", u.Hostname(), res.StatusCode).
			After(egress.RetryAfter(res.Header, time.Now()))
	case res.StatusCode != http.StatusOK:
		h.robots = robots{}
	default:
		text, err := io.ReadAll(io.LimitReader(res.Body, maxRobots))
		if err != nil {
			return egress.Explain(err, u.Hostname())
		}
		h.robots = parseRobots(string(text), robot)
	}
	h.robotsAt = time.Now()
	return nil
}

// do sends a request; the caller has the host's turn.
func (w *Web) do(ctx context.Context, u *url.URL, header http.Header, maxBytes int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, fail.Invalid("the address is not a valid URL")
	}
	req.Header.Set("Accept", "text/html, application/xhtml+xml, application/xml;q=0.9, application/pdf;q=0.9, */*;q=0.8")
	req.Header.Set("User-Agent", agent)
	maps.Copy(req.Header, header)
	res, err := w.Guard.Client(egress.Limits{Timeout: pageTimeout, MaxBytes: maxBytes}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, egress.Explain(err, u.Hostname())
	}
	return res, nil
}

// get waits for the host's turn and asks. The turn lasts until the body is closed.
func (w *Web) get(ctx context.Context, h *host, u *url.URL, header http.Header) (*http.Response, error) {
	if err := h.wait(ctx); err != nil {
		return nil, err
	}
	pause := max(w.Delay, h.robots.delay)
	res, err := w.do(ctx, u, header, w.MaxBytes)
	if err != nil {
		h.done(pause)
		return nil, err
	}
	res.Body = &turn{ReadCloser: res.Body, done: func() { h.done(pause) }, host: u.Hostname()}
	switch code := res.StatusCode; {
	case code == http.StatusOK, code == http.StatusNotModified, code == http.StatusNotFound, code == http.StatusGone:
		return res, nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		err = fail.Forbidden("%s wants a sign-in for this address (%d); upload the file instead", u.Hostname(), code)
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		after := egress.RetryAfter(res.Header, time.Now())
		h.next = time.Now().Add(min(max(after, pause), patience))
		err = fail.Unavailable("%s is busy (%d); try again later", u.Hostname(), code).After(after)
	case code >= 500:
		err = fail.Provider("%s answered %d instead of the document; try again later", u.Hostname(), code)
	default:
		err = fail.Conflict("%s answered %d instead of the document; check the address", u.Hostname(), code)
	}
	_ = res.Body.Close()
	return nil, err
}

// turn gives the host's turn back when the body is closed, and explains errors.
type turn struct {
	io.ReadCloser
	once sync.Once
	done func()
	host string
}

func (t *turn) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is never wrapped
		err = egress.Explain(err, t.host)
	}
	return n, err
}

func (t *turn) Close() error {
	err := t.ReadCloser.Close()
	t.once.Do(t.done)
	return err
}
