package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/read"
)

// helperDirs are where helpers are looked for: a worker has no PATH.
var helperDirs = []string{"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"}

// helperNames are the only programs that a worker may run.
var helperNames = []string{"pdftotext", "pdftoppm", "tesseract"}

func findHelpers() map[string]string {
	found := map[string]string{}
	for _, name := range helperNames {
		for _, dir := range helperDirs {
			path, err := filepath.EvalSymlinks(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				found[name] = path
				break
			}
		}
	}
	return found
}

// socketFD is where a worker finds its end of the socket.
const socketFD = 3

// heapTarget is where a worker starts to collect garbage eagerly, in bytes.
const heapTarget = 256 << 20

// garbage is how much a worker may leave behind, in percent of what it holds,
// before it collects: most files are read and forgotten without a collection.
const garbage = 400

const (
	// niceness lets whoever asks a question go before whoever reads files.
	niceness = 10
	// rested is after which pause a worker gives its memory back.
	rested = 500 * time.Millisecond
)

// WorkerMain is the worker process: it gives up what it does not need, reads
// the files that the pool hands over, and never returns. The program calls it
// before anything else when its first argument is "extract-worker".
func WorkerMain() {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness) // threads and what confine starts inherit it
	debug.SetMemoryLimit(heapTarget)
	debug.SetGCPercent(garbage)
	debug.SetTraceback("single")
	if len(os.Args) < 2 || !isSocket(socketFD) {
		die(2, errNotByHand)
	}
	helpers := findHelpers()
	prot := confine(helpers) // may start this program again, so it comes first
	conn, err := workerConn()
	if err != nil {
		die(2, err)
	}
	for _, n := range helperNames {
		if helpers[n] != "" {
			prot.Helpers = append(prot.Helpers, n)
		}
	}
	if err := writeFrame(conn, answer{Ready: &prot}); err != nil {
		die(0, nil)
	}
	type job struct {
		req  request
		file *os.File
	}
	jobs := make(chan job)
	// Reading goes on while a file is worked on, so that a worker whose pool is
	// gone ends at once.
	go func() {
		for {
			var j job
			var err error
			if j.req, j.file, err = receive(conn); err != nil {
				die(0, nil)
			}
			jobs <- j
		}
	}()
	idle := time.NewTimer(rested)
	for {
		select {
		case j := <-jobs:
			if err := serve(conn, j.req, j.file, helpers); err != nil {
				die(3, err)
			}
			idle.Reset(rested)
		case <-idle.C:
			debug.FreeOSMemory()
		}
	}
}

var errNotByHand = errors.New("extract-worker is started by Atrium itself and not by hand")

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

func die(status int, err error) {
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
	}
	os.Exit(status)
}

func workerConn() (*net.UnixConn, error) {
	f := os.NewFile(socketFD, "pool")
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, errNotByHand
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errNotByHand
	}
	return u, nil
}

// receive reads a request and the descriptor beside it.
func receive(c *net.UnixConn) (request, *os.File, error) {
	var r request
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, k, _, _, err := c.ReadMsgUnix(head[:], oob)
	if err != nil {
		return r, nil, err
	}
	if n == 0 {
		return r, nil, io.EOF
	}
	if _, err := io.ReadFull(c, head[n:]); err != nil {
		return r, nil, err
	}
	if binary.BigEndian.Uint32(head[:]) > maxFrame {
		return r, nil, errors.New("frame too large")
	}
	if err := readBody(c, head, &r); err != nil {
		return r, nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:k])
	if err != nil || len(msgs) == 0 {
		return r, nil, errors.New("request without a file")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) == 0 {
		return r, nil, errors.New("request without a file")
	}
	unix.CloseOnExec(fds[0])
	return r, os.NewFile(uintptr(fds[0]), "document"), nil
}

// serve reads one file and sends what it held. Its error means that the worker
// is of no more use.
func serve(conn io.Writer, r request, f *os.File, helpers map[string]string) error {
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	l := r.Limits
	if r.Time > 0 {
		l.Time = r.Time
	}
	j := read.Job{
		File: f, Size: st.Size(), Name: r.Name, MediaType: r.MediaType, Mode: r.Mode, Password: r.Password, Languages: r.Languages, Limits: l,
		Log: func(s string) { _, _ = os.Stderr.WriteString(s + "\n") },
	}
	if r.Helpers && len(helpers) > 0 {
		out := 3 * l.OrDefault().Text
		j.Helper = func(ctx context.Context, stdin io.Reader, name string, args ...string) ([]byte, error) {
			return runHelper(ctx, helpers[name], out, stdin, args)
		}
	}
	d, err := read.Document(context.Background(), j)
	if err != nil {
		return writeFrame(conn, answer{Error: doc.AsError(err, "file")})
	}
	return sendDocument(conn, d)
}

// helperEnv is all that a helper is told of its surroundings. The setting of glibc,
// which other libraries pass over, has poppler take and give back its many small
// pieces of memory without a search.
var helperEnv = []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C.UTF-8", "GLIBC_TUNABLES=glibc.malloc.tcache_count=2000"}

// runHelper runs a program with nothing but its standard streams.
func runHelper(ctx context.Context, path string, limit int64, stdin io.Reader, args []string) ([]byte, error) {
	if path == "" {
		return nil, doc.ErrNoHelper
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w, err := pipe()
	if err != nil {
		return nil, doc.ErrNoHelper
	}
	defer func() { _ = unix.Close(r) }()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = helperEnv
	cmd.Dir = "/"
	cmd.Stdin = stdin
	cmd.Stdout = w
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	_ = w.Close() // else its end would not be noticed
	if err != nil {
		return nil, doc.ErrNoHelper // it cannot be started here
	}
	out, over := collect(ctx, r, limit)
	if over {
		cancel()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case over:
		return nil, doc.Fail(TooLarge, "the document holds too much text; split it and add the parts")
	case err == nil, errors.As(err, &exit):
		return out, err
	case len(out) > 0: // it did not want to read the rest of its input
		return out, nil
	}
	return nil, doc.ErrNoHelper
}

// piece is how long a program's output gathers before it is read: to be woken for
// each of its 4 KiB writes costs more than to read them.
const piece = 4 * time.Millisecond

// collect reads the pipe until the program closes its end, or there are more bytes
// than the limit.
func collect(ctx context.Context, r int, limit int64) (out []byte, over bool) {
	out = make([]byte, 0, 64<<10)
	for ctx.Err() == nil {
		n, err := unix.Read(r, out[len(out):cap(out)])
		switch {
		case n > 0:
			if out = out[:len(out)+n]; int64(len(out)) > limit {
				return nil, true
			}
			if len(out) == cap(out) {
				out = slices.Grow(out, len(out))
			}
		case errors.Is(err, unix.EAGAIN):
			// Asked for nothing, it tells only of the end.
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(r)}}, int(piece.Milliseconds()))
		case !errors.Is(err, unix.EINTR):
			return out, false
		}
	}
	return out, false
}

// pipe makes a pipe whose reading end never blocks.
func pipe() (r int, w *os.File, err error) {
	var fds [2]int
	// Held so that no other process starts between making the pipe and marking it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(fds[:]); err != nil {
		return 0, nil, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	widen(fds[1])
	w = os.NewFile(uintptr(fds[1]), "helper")
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_, _ = unix.Close(fds[0]), w.Close()
		return 0, nil, err
	}
	return fds[0], w, nil
}
