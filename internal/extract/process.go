package extract

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"atrium/internal/extract/doc"
)

// worker is the parent's side of a worker process.
type worker struct {
	pool        *Pool
	cmd         *exec.Cmd
	conn        *net.UnixConn
	stderr      *tail
	protections Protections
	served      int
	held        int64       // memory after the last file
	timer       *time.Timer // while idle
	exited      chan struct{}
	once        sync.Once
}

// startTime bounds how long a new worker may take to get ready.
const startTime = 20 * time.Second

func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// start starts a worker, with as much isolation as the machine allows.
func (p *Pool) start(ctx context.Context) (*worker, error) {
	p.mu.Lock()
	level := p.level
	p.mu.Unlock()
	for ; ; level++ {
		attr, last := isolation(level)
		w, err := p.spawn(ctx, attr)
		if err == nil {
			p.mu.Lock()
			p.level = max(p.level, level)
			p.mu.Unlock()
			w.protections.Namespaces = !last
			return w, nil
		}
		if last || ctx.Err() != nil || !refused(err) {
			return nil, err
		}
	}
}

// refused tells errors of the kernel that forbid namespaces from others.
func refused(err error) bool {
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.ENOSPC, unix.ENOSYS, unix.EUSERS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (p *Pool) spawn(ctx context.Context, attr *syscall.SysProcAttr) (*worker, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	w := &worker{pool: p, conn: ours, stderr: &tail{}, exited: make(chan struct{})}
	w.cmd = exec.CommandContext(context.WithoutCancel(ctx), p.opt.Command[0], p.opt.Command[1:]...)
	w.cmd.Env = []string{} // not nil: a worker knows no secrets
	w.cmd.Dir = "/"
	w.cmd.Stderr = w.stderr
	w.cmd.ExtraFiles = []*os.File{theirs}
	w.cmd.SysProcAttr = attr
	// Helpers that outlive a worker hold its standard error open.
	w.cmd.WaitDelay = 2 * time.Second
	err = w.cmd.Start()
	_ = theirs.Close() // else its end would not be noticed
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	go func() {
		_ = w.cmd.Wait()
		close(w.exited)
	}()
	stop := context.AfterFunc(ctx, w.kill)
	defer stop()
	_ = ours.SetReadDeadline(time.Now().Add(startTime))
	var a answer
	if err := readFrame(ours, &a); err != nil || a.Ready == nil {
		w.stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("worker did not get ready: %w: %s", errors.Join(err), w.stderr.String())
	}
	_ = ours.SetReadDeadline(time.Time{})
	w.protections = *a.Ready
	return w, nil
}

func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	// Held so that no other process starts between making the pair and marking it.
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		syscall.ForkLock.RUnlock()
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	syscall.ForkLock.RUnlock()
	theirs = os.NewFile(uintptr(fds[1]), "worker")
	f := os.NewFile(uintptr(fds[0]), "pool")
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}

// kill ends the worker and its helpers at once.
func (w *worker) kill() {
	_ = unix.Kill(-w.cmd.Process.Pid, unix.SIGKILL)
}

// stop kills the worker and waits until it is gone.
func (w *worker) stop() {
	w.once.Do(func() {
		w.kill()
		_ = w.conn.Close()
		<-w.exited
	})
}

// watchEvery is how often the memory is looked at. A process that grows faster
// than this sees runs into its own limit, set by WorkerMain.
const watchEvery = 20 * time.Millisecond

// extract has the worker read one file.
func (w *worker) extract(ctx context.Context, f *os.File, r Request) (Document, Usage, error) {
	l := w.pool.opt.Limits
	begin := time.Now()
	var cause atomic.Pointer[Error] // why the worker was killed
	var peak atomic.Int64
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				w.kill()
				return
			case <-tick.C:
			}
			m := w.memory()
			if m > peak.Load() {
				peak.Store(m)
			}
			switch {
			case m > l.Memory-l.Memory/8: // it grows on between two looks
				cause.Store(tooMuch(l))
				w.kill()
				return
			case time.Since(begin) > l.Time-l.Time/50:
				cause.Store(tooLong(l))
				w.kill()
				return
			}
		}
	})
	d, err := w.talk(f, r, l)
	w.held = w.memory()
	close(done)
	watching.Wait()
	use := Usage{Time: time.Since(begin), Memory: max(w.held, peak.Load())}
	if err == nil {
		return d, use, nil
	}
	if ctx.Err() != nil {
		return Document{}, use, ctx.Err()
	}
	if c := cause.Load(); c != nil {
		return Document{}, use, c
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return Document{}, use, e
	}
	w.stop()
	return Document{}, use, w.postMortem(err, l)
}

func tooMuch(l Limits) *Error {
	return doc.Fail(OutOfMemory, "reading the file took more than %d MB of memory; split it or save it in a simpler format", l.Memory>>20)
}

func tooLong(l Limits) *Error {
	return doc.Fail(TimedOut, "reading the file took longer than %.0f seconds; split it or save it in a simpler format", l.Time.Seconds())
}

// postMortem tells why a worker that nobody killed is gone.
func (w *worker) postMortem(err error, l Limits) *Error {
	said := w.stderr.String()
	// The runtime of Go faults, rather than says so, where the system refuses
	// memory to its collector; nothing else in a worker can fault.
	for _, sign := range []string{"out of memory", "cannot allocate memory", "cannot map pages", "failed to allocate", "SIGSEGV: segmentation violation\nPC="} {
		if strings.Contains(said, sign) {
			return tooMuch(l)
		}
	}
	w.pool.opt.Log.Warn("extract: worker failed", "error", err, "state", fmt.Sprint(w.cmd.ProcessState), "stderr", said)
	if strings.Contains(said, "stack exceeds") {
		return doc.Fail(Damaged, "the file nests its parts deeper than any document does; save it again with the program that made it")
	}
	return doc.Fail(WorkerFailed, "the file broke the program that reads it; save it in another format, such as PDF, and add that")
}

// talk sends the request and collects the answer.
func (w *worker) talk(f *os.File, r Request, l Limits) (Document, error) {
	b, err := json.Marshal(request{ //nolint:gosec // the worker needs the file's password; it goes through a socket of our own
		Name: r.Name, MediaType: r.MediaType, Mode: r.Mode, Password: r.Password, Languages: w.pool.opt.Languages,
		Helpers: !w.pool.opt.NoHelpers, Time: l.Time * 9 / 10, Limits: l,
	})
	if err != nil {
		return Document{}, err
	}
	// The worker answers in words a little before it would be killed.
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
	n, _, err := w.conn.WriteMsgUnix(frame, unix.UnixRights(int(f.Fd())), nil)
	if err == nil && n < len(frame) {
		_, err = w.conn.Write(frame[n:])
	}
	if err != nil {
		return Document{}, err
	}
	c := collector{limits: l}
	for {
		var a answer
		if err := readFrame(w.conn, &a); err != nil {
			return Document{}, err
		}
		if a.Error != nil {
			if !a.Error.Reason.Known() {
				return Document{}, fmt.Errorf("unknown reason %q", a.Error.Reason)
			}
			return Document{}, a.Error
		}
		if err := c.add(a); err != nil {
			return Document{}, err
		}
		if a.Done != nil {
			a.Done.Blocks = c.blocks
			return *a.Done, nil
		}
		if a.Blocks == nil {
			return Document{}, errors.New("an answer without content")
		}
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailBytes { // the first lines name the cause, the last the place
		t.b = append(t.b[:tailBytes:tailBytes], t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
