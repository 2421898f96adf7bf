package extract

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"atrium/internal/extract/doc"
)

// Options say how a Pool runs its workers. Zero values take the defaults.
type Options struct {
	// Command starts a worker: a program that calls WorkerMain when its first
	// argument is "extract-worker". The default is this program itself.
	Command []string
	// Workers is how many files are read at once; 2 by default.
	Workers int
	// Documents is after how many files a worker is replaced; 200 by default.
	Documents int
	// Idle is after what time a worker without work is stopped; a minute by default.
	Idle time.Duration
	// Limits bound each file; see doc.DefaultLimits.
	Limits Limits
	// Languages are those that tesseract reads in pictures of text; by default the
	// ones that are installed, see package ocr.
	Languages []string
	// NoHelpers keeps workers from running pdftotext and the like.
	NoHelpers bool
	// Log is told about workers that fail; slog.Default by default.
	Log *slog.Logger
}

// Request is a file to read. Path must be a regular file that nobody changes
// meanwhile; Name, MediaType are what it is claimed to be, and only hints.
type Request struct {
	Path      string
	Name      string
	MediaType string
	Mode      Mode   // Standard when empty
	Password  string // of a protected PDF; empty when none is known
}

// Usage is what reading a file cost.
type Usage struct {
	Time   time.Duration
	Memory int64 // most bytes that the worker and its helpers held at once
}

// Protections tell what confines a worker on this machine.
type Protections struct {
	Namespaces bool     `json:"namespaces"` // own network and processes
	Files      bool     `json:"files"`      // Landlock: opens nothing but libraries, runs nothing but helpers
	Calls      bool     `json:"calls"`      // seccomp: opens no sockets, traces nobody
	Limits     bool     `json:"limits"`     // of memory, time, files
	User       bool     `json:"user"`       // runs without the rights of root
	Helpers    []string `json:"helpers"`    // programs found that read some formats better
}

// Pool reads files in separate processes that are stopped when they take too
// long or too much memory. It is safe for concurrent use.
type Pool struct {
	opt   Options
	slots chan struct{}

	mu     sync.Mutex
	idle   []*worker
	closed bool
	level  int // how far namespaces had to be given up; see start
}

// NewPool makes a pool; it starts no process before the first file.
func NewPool(o Options) *Pool {
	if len(o.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			self = os.Args[0]
		}
		o.Command = []string{self, "extract-worker"}
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	if o.Documents <= 0 {
		o.Documents = 200
	}
	if o.Idle <= 0 {
		o.Idle = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Limits = o.Limits.OrDefault()
	return &Pool{opt: o, slots: make(chan struct{}, o.Workers)}
}

// Extract reads a file. The error is an *Error, whose message says what a person
// can do, or the context's when it ended first.
func (p *Pool) Extract(ctx context.Context, r Request) (Document, error) {
	d, _, err := p.ExtractUsage(ctx, r)
	return d, err
}

// ExtractUsage is Extract that also tells what it cost.
func (p *Pool) ExtractUsage(ctx context.Context, r Request) (Document, Usage, error) {
	f, err := p.open(r.Path)
	if err != nil {
		return Document{}, Usage{}, err
	}
	defer func() { _ = f.Close() }()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return Document{}, Usage{}, ctx.Err()
	}
	defer func() { <-p.slots }()
	if r.Mode == "" {
		r.Mode = Standard
	}
	for {
		w, reused, err := p.take(ctx)
		if err != nil {
			return Document{}, Usage{}, err
		}
		d, use, err := w.extract(ctx, f, r)
		p.give(w, err)
		if reused && use.Memory == 0 && reason(err) == WorkerFailed && ctx.Err() == nil {
			continue // it had died while it was idle
		}
		return d, use, err
	}
}

func (p *Pool) open(path string) (*os.File, error) {
	f, err := openFile(path)
	if err != nil {
		p.opt.Log.Error("extract: open", "error", err)
		return nil, doc.Fail(WorkerFailed, "the stored file cannot be opened; try again, and tell your administrator if it stays")
	}
	st, err := f.Stat()
	switch {
	case err != nil || !st.Mode().IsRegular():
		err = doc.Fail(Unsupported, "this is not a file; add its files one by one or as a ZIP archive")
	case st.Size() == 0:
		err = doc.Fail(Empty, "the file is empty; check that it was saved")
	case st.Size() > p.opt.Limits.Bytes:
		err = doc.Fail(TooLarge, "the file is larger than %d MB; split it", p.opt.Limits.Bytes>>20)
	default:
		return f, nil
	}
	_ = f.Close()
	return nil, err
}

// Protections starts a worker and tells what confines it.
func (p *Pool) Protections(ctx context.Context) (Protections, error) {
	w, _, err := p.take(ctx)
	if err != nil {
		return Protections{}, err
	}
	p.give(w, nil)
	return w.protections, nil
}

// take answers a worker that is idle, or a new one.
func (p *Pool) take(ctx context.Context) (w *worker, reused bool, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, false, doc.Fail(WorkerFailed, "the server is stopping; try again later")
	}
	if n := len(p.idle); n > 0 {
		w = p.idle[n-1]
		p.idle = p.idle[:n-1]
		w.timer.Stop()
		p.mu.Unlock()
		return w, true, nil
	}
	p.mu.Unlock()
	w, err = p.start(ctx)
	if err != nil && ctx.Err() == nil {
		p.opt.Log.Error("extract: start worker", "error", err)
		err = doc.Fail(WorkerFailed, "the program that reads files cannot be started; tell your administrator")
	}
	return w, false, err
}

// reusable is the memory that a worker may keep while it waits.
const reusable = 96 << 20

// give keeps a worker for the next file, or stops it: after a failure that may
// have left something behind, after enough files, or when it stayed large.
func (p *Pool) give(w *worker, err error) {
	w.served++
	keep := w.served < p.opt.Documents
	switch reason(err) {
	case "":
		keep = keep && err == nil
	case Encrypted, Empty, Unsupported:
	default:
		keep = false
	}
	if keep {
		if w.held == 0 {
			w.held = w.memory()
		}
		keep = w.held > 0 && w.held < reusable
	}
	p.mu.Lock()
	if !keep || p.closed {
		p.mu.Unlock()
		w.stop()
		return
	}
	p.idle = append(p.idle, w)
	w.timer = time.AfterFunc(p.opt.Idle, func() { p.drop(w) })
	p.mu.Unlock()
}

// drop stops a worker that waited too long.
func (p *Pool) drop(w *worker) {
	p.mu.Lock()
	for i, o := range p.idle {
		if o == w {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.mu.Unlock()
			w.stop()
			return
		}
	}
	p.mu.Unlock()
}

// Close stops the idle workers, and the others when they are done. Later
// requests fail.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range idle {
		w.timer.Stop()
		w.stop()
	}
}

func reason(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}
