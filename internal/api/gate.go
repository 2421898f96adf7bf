package api

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/fail"
	"atrium/internal/planted"
)

// gate finds the principal, decides on the operation's need, and opens the
// scope, all before the body is read.
func (a *API) gate(o Op) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		if o.Needs.IsPublic() {
			next(hc)
			return
		}
		p, err := a.admit(r, o)
		if err == nil {
			err = a.unsaid(o, r)
		}
		if err != nil {
			a.writeFailure(r.Context(), w, err)
			return
		}
		ctx := authz.With(r.Context(), authz.For(p))
		if o.audited() {
			ctx = audit.Watch(ctx, entry(ctx, o, p, r))
		} else {
			defer func(began time.Time) { a.load.add(time.Since(began)) }(time.Now())
		}
		next(huma.WithContext(hc, ctx))
	}
}

// admit is the principal of a request, if they may do the operation now.
func (a *API) admit(r *http.Request, o Op) (*authz.Principal, error) {
	p, err := a.opts.Auth.Authenticate(r, o.NoKey)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fail.Unauthenticated("sign in first: send Authorization: Bearer with a platform token or a personal API key")
	}
	if d := authz.Decide(p, o.Needs); !d.Allowed && !planted.Bug(planted.Gate) {
		return nil, fail.Forbidden("%s", d.Reason)
	}
	return p, a.featured(r.Context(), o, p)
}

// featured refuses what the organization has switched off.
func (a *API) featured(ctx context.Context, o Op, p *authz.Principal) error {
	if o.Feature == "" || a.opts.Feature == nil {
		return nil
	}
	on, err := a.opts.Feature(ctx, p.OrgID, o.Feature)
	if err == nil && !on {
		err = fail.Forbidden("the feature %s is switched off in your organization; ask a Global Admin", o.Feature)
	}
	return err
}

// unsaid refuses a query parameter that is there without a value, where text
// could not be empty; the framework would take it for absent.
func (a *API) unsaid(o Op, r *http.Request) error {
	if !strings.Contains(r.URL.RawQuery+"&", "=&") {
		return nil
	}
	q := r.URL.Query()
	for _, p := range a.operation(o).Parameters {
		empty := p.In == "query" && q.Has(p.Name) && q.Get(p.Name) == ""
		if empty && (p.Schema.Type != huma.TypeString || p.Schema.Enum != nil) && p.Schema.Type != huma.TypeArray {
			return fail.InvalidField(p.Name, "%s: it has no value; give one or leave it out", p.Name)
		}
	}
	return nil
}

type requestKey struct{}

// exchange is what a handler may want of the HTTP exchange.
type exchange struct {
	id     string
	remote string
	w      http.ResponseWriter
	r      *http.Request
}

// RequestID is the id that the answer carries as X-Request-Id.
func RequestID(ctx context.Context) string {
	if x, ok := ctx.Value(requestKey{}).(*exchange); ok {
		return x.id
	}
	return ""
}

// Header is a header of the request, as sent.
func Header(ctx context.Context, name string) string {
	return ctx.Value(requestKey{}).(*exchange).r.Header.Get(name)
}

// RemoteIP is the address the request came from: of the first in the chain
// that is no trusted proxy.
func RemoteIP(ctx context.Context) string { return ctx.Value(requestKey{}).(*exchange).remote }

// SetCookie adds a cookie to the answer.
func SetCookie(ctx context.Context, c *http.Cookie) {
	http.SetCookie(ctx.Value(requestKey{}).(*exchange).w, c)
}

// Cookie is the value of a cookie of the request, or empty.
func Cookie(ctx context.Context, name string) string {
	c, err := ctx.Value(requestKey{}).(*exchange).r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// ServeHTTP serves the operations and answers the unknown in the envelope.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if !requestIDForm.MatchString(id) {
		id = rand.Text()
	}
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	rec := &recorder{ResponseWriter: w}
	x := &exchange{id: id, remote: remote(r, a.opts.Proxies), w: rec}
	start := time.Now()
	ctx := context.WithValue(r.Context(), requestKey{}, x)
	r = r.WithContext(ctx)
	x.r = r
	if path := trimService(r.URL.Path); path != r.URL.Path {
		u := *r.URL
		u.Path, u.RawPath = path, ""
		r.URL = &u
	}
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			a.opts.Log.ErrorContext(ctx, "panic in an operation", slog.Any("panic", v), slog.String("request_id", id), slog.String("stack", string(debug.Stack())))
			if rec.status == 0 {
				a.writeFailure(ctx, rec, fail.As(nil))
			}
		}
		observe(r.Pattern, rec.status, time.Since(start))
		if rec.status >= 500 || a.opts.Log.Enabled(ctx, slog.LevelDebug) {
			a.opts.Log.InfoContext(ctx, "request", slog.String("method", r.Method), slog.String("route", r.Pattern),
				slog.Int("status", rec.status), slog.Duration("took", time.Since(start)), slog.String("request_id", id))
		}
	}()
	if _, pattern := a.mux.Handler(r); pattern == "" || a.refused[pattern] {
		a.unknown(ctx, rec, r)
		return
	}
	a.mux.ServeHTTP(rec, r)
}

// unknown answers a request that no operation takes: 405 with the methods that
// the address does take, as its description lists them, or 404.
func (a *API) unknown(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	var best string // the most particular route of the address
	var routes []string
	for _, m := range methods {
		if _, pattern := a.mux.Handler(&http.Request{Method: m, URL: r.URL, Host: r.Host}); pattern != "" && !a.refused[pattern] {
			routes = append(routes, pattern)
			if _, path, _ := strings.Cut(pattern, " "); best == "" || strings.Count(path, "{") < strings.Count(best, "{") {
				best = path
			}
		}
	}
	if best == "" {
		a.writeFailure(ctx, w, fail.NotFound("there is no such address; see /docs for the operations"))
		return
	}
	var taken []string
	for _, route := range routes {
		if method, path, _ := strings.Cut(route, " "); path == best {
			taken = append(taken, method)
		}
	}
	if slices.Contains(taken, http.MethodGet) {
		taken = append(taken, http.MethodHead)
	}
	allow := strings.Join(taken, ", ")
	w.Header().Set("Allow", allow)
	a.writeFailure(ctx, w, &fail.Error{Code: fail.CodeNoMethod, Message: "this address does not take " + r.Method + "; it takes " + allow})
}

// Knows tells whether a path belongs to an operation, whatever the method.
func (a *API) Knows(r *http.Request) bool {
	path := trimService(r.URL.Path)
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/v2/api/") || path != r.URL.Path || path == "/user-token"
}

func (a *API) writeFailure(ctx context.Context, w http.ResponseWriter, err error) {
	out := a.failure(ctx, err)
	if he, ok := errors.AsType[huma.HeadersError](out); ok {
		maps.Copy(w.Header(), he.GetHeaders())
	}
	f, ok := errors.AsType[*failure](out)
	if !ok {
		panic("api: an error that is no failure: " + out.Error())
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	b := mustJSON(f)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(f.status)
	_, _ = w.Write(b)
}

// recorder remembers the status, for the log and the figures.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(s int) {
	if r.status == 0 {
		r.status = s
	}
	r.ResponseWriter.WriteHeader(s)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
