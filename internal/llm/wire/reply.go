package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"atrium/internal/fail"
)

// watch ends a call whose server is silent. Time counts only while we wait for
// the server, not while the answer is being used.
type watch struct {
	limits   Limits
	timer    *time.Timer
	end      time.Time // of the attempt
	deadline time.Time // of the event that is awaited
	flowing  bool
	cause    error // why the timer would fire
	cancel   context.CancelCauseFunc
}

var (
	errFirst = fail.Provider("the model did not begin to answer in time; try again, or an administrator raises the time limit")
	errIdle  = fail.Provider("the model stopped in the middle of its answer; try again")
	errTotal = fail.Provider("the model's answer took too long and was ended; ask for less")
	errSize  = fail.Provider("the model's answer is larger than the limit and was ended; ask for less")
	errLine  = fail.Provider("the model's server sent a piece that is too large; an administrator has to check the address")
)

func newWatch(l Limits, cancel context.CancelCauseFunc) *watch {
	w := &watch{limits: l, end: time.Now().Add(l.Total), cancel: cancel}
	w.next()
	return w
}

// next starts the wait for the next event.
func (w *watch) next() {
	now := time.Now()
	d, cause := w.limits.FirstByte, errFirst
	if w.flowing {
		d, cause = w.limits.Idle, errIdle
	}
	w.deadline, w.cause = now.Add(d), cause
	if w.end.Before(w.deadline) {
		w.deadline, w.cause = w.end, errTotal
	}
}

// arm lets the timer run towards the deadline; stop halts it.
func (w *watch) arm() {
	left := time.Until(w.deadline)
	if w.timer == nil {
		w.timer = time.AfterFunc(left, func() { w.cancel(errSilent) })
		return
	}
	w.timer.Reset(left)
}

// errSilent stands for watch.cause, which only the reading goroutine may touch.
var errSilent = errors.New("wire: the server is silent")

func (w *watch) stop() { w.timer.Stop() }

// input reads a body under the watch, counting bytes.
type input struct {
	r     io.Reader
	left  int64
	watch *watch
	err   error
}

func (in *input) reset(r io.Reader, limit int64, w *watch) { in.r, in.left, in.watch = r, limit, w }

func (in *input) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	in.watch.arm()
	n, err := in.r.Read(p)
	in.watch.stop()
	in.left -= int64(n)
	if in.left < 0 {
		err = errSize
	}
	in.err = err
	return n, err
}

// Reply is a server's answer with a good status.
type Reply struct {
	client  *Client
	call    Call
	parent  context.Context
	ctx     context.Context
	res     *http.Response
	watch   *watch
	in      input
	buf     []byte // read and not yet used: buf[start:]
	start   int
	joined  []byte // of an event with several data lines
	started bool
	events  int
}

// Progress says that something of the answer was passed on: from here on
// nothing is retried, and the shorter limit between chunks counts.
func (r *Reply) Progress() { r.started, r.watch.flowing = true, true }

// Event is one event of a stream; its bytes are valid until the next.
type Event struct {
	Name string
	Data []byte
}

// Stream tells whether the answer is an event stream; false: it is JSON. A web
// page is an error.
func (r *Reply) Stream() (bool, error) {
	switch mediaType(r.res.Header) {
	case "text/html", "application/xhtml+xml":
		return false, r.Garbage("answered with a web page", nil)
	case "application/json":
		return false, nil
	}
	return true, nil
}

// Garbage is the failure for an answer that is not what the protocol says.
func (r *Reply) Garbage(what string, cause error) error {
	f := fail.Provider("%s %s; an administrator has to check that the address is the one of its API", r.client.who, what)
	if cause != nil {
		return f.Because(cause)
	}
	return f
}

// Cut is the failure for a stream that ended too early.
func (r *Reply) Cut() error {
	if r.events == 0 {
		return r.Garbage("did not answer with an event stream", nil)
	}
	return transient{fail.Provider("%s broke off its answer; try again", r.client.who)}
}

// Fault is the failure that a server reports inside its answer; kinds are its
// words for it, of which known ones are understood and none is repeated.
func (r *Reply) Fault(kinds ...string) error {
	if f := r.client.coded(r.call.Model, kinds...); f != nil {
		if f.Code == fail.CodeProvider {
			return f
		}
		return transient{f}
	}
	return transient{fail.Provider("%s reported a failure of its own; try again, and tell an administrator if it stays", r.client.who)}
}

// Next reads the next event. io.EOF is the end of the stream. Once the caller's context
// has ended nothing more is given, though it may have come.
func (r *Reply) Next() (Event, error) {
	if err := r.parent.Err(); err != nil {
		return Event{}, err
	}
	r.watch.next()
	var ev Event
	for {
		line, err := r.line()
		if err != nil {
			if ev.Data != nil && errors.Is(err, io.EOF) { // a last event without its blank line
				r.events++
				return ev, nil
			}
			return Event{}, err
		}
		if len(line) == 0 {
			if ev.Data != nil {
				r.events++
				return ev, nil
			}
			ev.Name = ""
			continue
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
		switch string(name) {
		case "": // a comment keeps the connection alive
			r.watch.next()
		case "event":
			ev.Name = eventName(value)
		case "data":
			if ev.Data == nil {
				r.joined = append(r.joined[:0], value...)
			} else {
				r.joined = append(append(r.joined, '\n'), value...)
			}
			if len(r.joined) > maxLine {
				return Event{}, errLine
			}
			ev.Data = r.joined
			if ev.Data == nil {
				ev.Data = []byte{}
			}
		}
	}
}

// eventName spares an allocation for the names that come with every chunk.
func eventName(b []byte) string {
	for _, n := range [...]string{"content_block_delta", "message", "ping"} {
		if string(b) == n {
			return n
		}
	}
	return string(b)
}

// line reads one line without its end; valid until the next call.
func (r *Reply) line() ([]byte, error) {
	searched := r.start
	for {
		if i := bytes.IndexByte(r.buf[searched:], '\n'); i >= 0 {
			line := r.buf[r.start : searched+i]
			r.start = searched + i + 1
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			return line, nil
		}
		if len(r.buf)-r.start > maxLine {
			return nil, errLine
		}
		if r.start > 0 {
			r.buf = r.buf[:copy(r.buf, r.buf[r.start:])]
			r.start = 0
		}
		searched = len(r.buf)
		r.buf = slices.Grow(r.buf, 4<<10)
		n, err := r.in.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if err == nil || n > 0 {
			continue // an error comes again when the rest is used
		}
		if !errors.Is(err, io.EOF) {
			return nil, r.fault(err)
		}
		if len(r.buf) > r.start {
			line := r.buf[r.start:]
			r.start = len(r.buf)
			return line, nil
		}
		return nil, io.EOF
	}
}

// fault words an error of reading.
func (r *Reply) fault(err error) error {
	if perr := r.parent.Err(); perr != nil {
		return perr
	}
	if f, ok := errors.AsType[*fail.Error](err); ok {
		return f
	}
	if errors.Is(context.Cause(r.ctx), errSilent) {
		return r.watch.cause
	}
	return r.client.broken(r.parent, err, false)
}

// JSON decodes a whole answer of at most the client's limit into v.
func (r *Reply) JSON(v any) error {
	data, err := io.ReadAll(&r.in)
	if err != nil {
		return r.fault(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return r.Garbage("did not answer with the JSON of its API", err)
	}
	return nil
}

// drain reads what is left after a good end, so that the connection can be used
// again; a server that does not end within a second loses it.
func (r *Reply) drain(cancel context.CancelCauseFunc) {
	t := time.AfterFunc(time.Second, func() { cancel(nil) })
	_, _ = io.CopyN(io.Discard, r.res.Body, 4<<10)
	_ = r.res.Body.Close()
	t.Stop()
	cancel(nil)
}
