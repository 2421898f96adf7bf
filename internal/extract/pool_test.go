package extract

import (
	"context"
	"errors"

	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newPool(t *testing.T, o Options) *Pool {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet()
	}
	p := NewPool(o)
	t.Cleanup(p.Close)
	return p
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAWorkerReadsAFile(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{})
	path := file(t, "a.md", "# Top\n\nfirst\n\n## Below\n\nsecond\n")
	d, use, err := p.ExtractUsage(context.Background(), Request{Path: path, Name: "a.md"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Title != "Top" || d.MediaType != "text/markdown" || len(d.Blocks) != 4 {
		t.Fatalf("document %+v", d)
	}
	if b := d.Blocks[3]; b.Text != "second" || strings.Join(b.Heading, "/") != "Top/Below" {
		t.Errorf("last block %+v", b)
	}
	if use.Memory <= 0 || use.Time <= 0 {
		t.Errorf("usage %+v", use)
	}
}

func TestManySmallFilesShareAWorker(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{Workers: 1, Documents: 5})
	path := file(t, "a.txt", "words")
	pids := map[int]int{}
	for range 10 {
		if _, err := p.Extract(context.Background(), Request{Path: path, Name: "a.txt"}); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		for _, w := range p.idle {
			pids[w.cmd.Process.Pid]++
		}
		p.mu.Unlock()
	}
	// Each of the two workers is seen idle after all but its last file.
	if len(pids) != 2 {
		t.Errorf("workers by idle sightings: %v, want 2 workers", pids)
	}
}

func TestAFailureReplacesTheWorkerOnlyWhenItMayBeSpoilt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       Reason
		kept       bool
	}{
		{"an empty file", " \n ", Empty, true},
		{"a picture", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", Unsupported, true},
		{"a damaged archive", "PK\x03\x04 and no more", Damaged, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, Options{})
			_, err := p.Extract(context.Background(), Request{Path: file(t, "f.bin", c.text)})
			if reason(err) != c.want {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			p.mu.Lock()
			kept := len(p.idle) == 1
			p.mu.Unlock()
			if kept != c.kept {
				t.Errorf("worker kept: %v, want %v", kept, c.kept)
			}
		})
	}
}

func TestAHostileWorkerEndsWithAReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		how    string
		want   Reason
		limits Limits
	}{
		{"memory", OutOfMemory, Limits{Memory: 128 << 20}},
		{"child-memory", OutOfMemory, Limits{Memory: 128 << 20}},
		{"confined-memory", OutOfMemory, Limits{Memory: 64 << 30}},
		{"hang", TimedOut, Limits{Time: 300 * time.Millisecond}},
		{"crash", WorkerFailed, Limits{}},
		{"exit", WorkerFailed, Limits{}},
		{"garbage", WorkerFailed, Limits{}},
		{"huge-frame", WorkerFailed, Limits{}},
		{"kind", WorkerFailed, Limits{}},
		{"heading", WorkerFailed, Limits{}},
		{"reason", WorkerFailed, Limits{}},
		{"flood", TooLarge, Limits{Text: 4 << 20}},
		{"empty", WorkerFailed, Limits{}},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, Options{Command: []string{os.Args[0], "hostile-" + c.how}, Limits: c.limits})
			_, use, err := p.ExtractUsage(context.Background(), Request{Path: file(t, "a.txt", "words")})
			if reason(err) != c.want {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			if use.Memory > 600<<20 {
				t.Errorf("it held %d MB", use.Memory>>20)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.idle) != 0 {
				t.Error("the worker was kept")
			}
		})
	}
}

func TestAWorkerThatDiedIdleIsReplaced(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{})
	path := file(t, "a.txt", "words")
	for range 3 {
		if _, err := p.Extract(context.Background(), Request{Path: path}); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		w := p.idle[0]
		p.mu.Unlock()
		w.kill()
		<-w.exited
	}
}

func TestAnIdleWorkerIsStopped(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{Idle: time.Millisecond})
	if _, err := p.Extract(context.Background(), Request{Path: file(t, "a.txt", "words")}); err != nil {
		t.Fatal(err)
	}
	for {
		p.mu.Lock()
		n := len(p.idle)
		p.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCancellingEndsTheWorker(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hang", "silent"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, Options{Command: []string{os.Args[0], "hostile-" + how}})
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			if _, err := p.Extract(ctx, Request{Path: file(t, "a.txt", "words")}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWhatCannotBeOpenedIsRefusedBeforeAWorkerStarts(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{Command: []string{"/nonexistent"}, Limits: Limits{Bytes: 10}})
	for _, c := range []struct {
		name, path string
		want       Reason
	}{
		{"a missing file", filepath.Join(t.TempDir(), "none"), WorkerFailed},
		{"a folder", t.TempDir(), Unsupported},
		{"an empty file", file(t, "a.txt", ""), Empty},
		{"a large file", file(t, "b.txt", "more than ten bytes"), TooLarge},
		{"a program that is missing", file(t, "c.txt", "words"), WorkerFailed},
	} {
		if _, err := p.Extract(context.Background(), Request{Path: c.path}); reason(err) != c.want {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestAClosedPoolReadsNothing(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{})
	p.Close()
	if _, err := p.Extract(context.Background(), Request{Path: file(t, "a.txt", "words")}); reason(err) != WorkerFailed {
		t.Errorf("error %v", err)
	}
}

func TestManyFilesAtOnceComeBackEachAsItsOwn(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{Workers: 3, Documents: 4})
	errs := make(chan error)
	for i := range 24 {
		text := strings.Repeat(string(rune('a'+i)), 9)
		path := file(t, "a.txt", text)
		go func() {
			d, err := p.Extract(context.Background(), Request{Path: path, Name: "a.txt"})
			if err == nil && (len(d.Blocks) != 1 || d.Blocks[0].Text != text) {
				err = errors.New("another file's text: " + text)
			}
			errs <- err
		}()
	}
	for range 24 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
