package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"atrium/internal/fail"
)

// Events writes a text/event-stream. Real clients parse single lines and break
// on comments and on cut characters, so each event is written whole: an id
// line, an event line, one data line of JSON, a blank line, then a flush.
type Events struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf bytes.Buffer
}

// writeTimeout bounds one write to a client that does not read.
const writeTimeout = 30 * time.Second

// Add puts an event into the buffer; data is JSON without line breaks. An
// empty id writes no id line.
func (e *Events) Add(id, name string, data []byte) {
	if id != "" {
		e.buf.WriteString("id: ")
		e.buf.WriteString(id)
		e.buf.WriteByte('\n')
	}
	e.buf.WriteString("event: ")
	e.buf.WriteString(name)
	e.buf.WriteString("\ndata: ")
	e.buf.Write(data)
	e.buf.WriteString("\n\n")
}

// Flush sends what was added.
func (e *Events) Flush() error {
	if e.buf.Len() == 0 {
		return nil
	}
	_ = e.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := e.w.Write(e.buf.Bytes())
	e.buf.Reset()
	if err != nil {
		return err
	}
	return e.rc.Flush()
}

// eventSchema describes one event of a stream.
var eventSchema = &huma.Schema{
	Type: "object", Required: []string{"event", "data"},
	Properties: map[string]*huma.Schema{
		"id":    {Type: "string", Description: "To go on from, as Last-Event-ID."},
		"event": {Type: "string", Description: "What the event is."},
		"data":  {Type: "string", Description: "One line of JSON."},
	},
}

// Stream declares an operation that answers an event stream. start runs first
// and may still fail with an envelope; what it returns then writes the events,
// until it ends or the client goes away, which ends its context.
func Stream[In any](a *API, o Op, start func(context.Context, *In) (func(context.Context, *Events) error, error)) {
	h := a.declare(o, reflect.TypeFor[In]())
	o = a.last()
	h.Responses = map[string]*huma.Response{"200": {
		Description: "Events, each an id, a name and one line of JSON.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: eventSchema}},
	}}
	huma.Register(a.huma, h, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
		run, err := start(ctx, in)
		if err != nil {
			return nil, a.failure(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			_, w := humago.Unwrap(hc)
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("X-Accel-Buffering", "no")
			w.WriteHeader(http.StatusOK)
			e := &Events{w: w, rc: http.NewResponseController(w)}
			ctx, end := a.whileAllowed(ctx, o)
			defer end()
			if err := run(ctx, e); err != nil && ctx.Err() == nil {
				_ = a.failure(ctx, err)
			}
			_ = e.Flush()
		}}, nil
	})
}

// recheck is how often it is looked again whether an open stream is still
// allowed. With the time for which a principal is remembered it stays below a second.
const recheck = 200 * time.Millisecond

// whileAllowed is the context of a stream, which ends when the gate would not
// let the request in any more.
func (a *API) whileAllowed(ctx context.Context, o Op) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	x, ok := ctx.Value(requestKey{}).(*exchange)
	if !ok || o.Needs.IsPublic() {
		return ctx, cancel
	}
	go func() {
		tick := time.NewTicker(recheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if _, err := a.admit(x.r, o); fail.Is(err, fail.CodeUnauthenticated) || fail.Is(err, fail.CodeForbidden) {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}

// Content is a file to be downloaded.
type Content struct {
	Name      string
	MediaType string
	Modified  time.Time
	Body      io.ReadSeekCloser
}

// pictures are shown by a page that asks for them, and never run.
var pictures = map[string]bool{"image/png": true, "image/jpeg": true, "image/webp": true}

// Download declares an operation that answers raw bytes, always as an
// attachment that no browser runs.
func Download[In any](a *API, o Op, open func(context.Context, *In) (Content, error)) {
	h := a.declare(o, reflect.TypeFor[In]())
	h.Responses = map[string]*huma.Response{"200": {
		Description: "The bytes.",
		Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}}
	huma.Register(a.huma, h, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
		c, err := open(ctx, in)
		if err != nil {
			return nil, a.failure(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer func() { _ = c.Body.Close() }()
			r, w := humago.Unwrap(hc)
			w.Header().Set("Content-Type", "application/octet-stream")
			if pictures[c.MediaType] {
				w.Header().Set("Content-Type", c.MediaType)
			}
			w.Header().Set("Content-Disposition", disposition(c.Name))
			w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
			w.Header().Set("Cache-Control", "private, max-age=0, must-revalidate")
			http.ServeContent(w, r, "", c.Modified, c.Body)
		}}, nil
	})
}

// Redirect declares an operation that sends a browser on to another address.
func Redirect[In any](a *API, o Op, run func(context.Context, *In) (string, error)) {
	o.Status = http.StatusFound
	h := a.declare(o, reflect.TypeFor[In]())
	h.Responses = map[string]*huma.Response{"302": {
		Description: "The browser goes on.",
		Headers:     map[string]*huma.Param{"Location": {Description: "Where to.", Schema: &huma.Schema{Type: "string"}}},
	}}
	huma.Register(a.huma, h, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
		to, err := run(ctx, in)
		if err != nil {
			return nil, a.failure(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			_, w := humago.Unwrap(hc)
			w.Header().Set("Location", to)
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			w.WriteHeader(http.StatusFound)
		}}, nil
	})
}
