package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"atrium/internal/fail"
)

func store(t *testing.T) *Disk {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "deep", "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Disk, org int64, text string) Blob {
	t.Helper()
	b, err := s.Put(t.Context(), org, strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files answers every file below the store.
func files(t *testing.T, s *Disk) (out []string) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestABlobIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	s := store(t)
	for _, text := range []string{"", "text", strings.Repeat("many bytes ", 100_000)} {
		b := put(t, s, 7, text)
		sum := sha256.Sum256([]byte(text))
		if b.Size != int64(len(text)) || b.SHA256 != hex.EncodeToString(sum[:]) || !WellFormed(b.Key) {
			t.Errorf("Put answered %+v", b)
		}
		again, err := Open(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		f, err := again.Open(t.Context(), 7, b.Key)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // it can be read anew
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(f); err != nil || string(got) != text {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		path, err := s.path(7, b.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("at its path: %d bytes, %v", len(got), err)
		}
	}
}

func TestWhatCannotBeStoredLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is cut")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	cases := map[string]struct {
		ctx  context.Context
		r    io.Reader
		want func(error) bool
	}{
		"a byte too many":    {t.Context(), strings.NewReader("12345"), func(err error) bool { return fail.Is(err, fail.CodeTooLarge) }},
		"an endless file":    {t.Context(), endless{}, func(err error) bool { return fail.Is(err, fail.CodeTooLarge) }},
		"a reader that cuts": {t.Context(), io.MultiReader(strings.NewReader("12"), iotest.ErrReader(broken)), func(err error) bool { return errors.Is(err, broken) }},
		"a caller that left": {ended, strings.NewReader("12"), func(err error) bool { return errors.Is(err, context.Canceled) }},
		"a full disk": {t.Context(), iotest.ErrReader(&os.PathError{Op: "write", Err: syscall.ENOSPC}), func(err error) bool {
			return fail.Is(err, fail.CodeUnavailable) && errors.Is(err, syscall.ENOSPC)
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store(t)
			if b, err := s.Put(c.ctx, 1, c.r, 4); !c.want(err) || b != (Blob{}) {
				t.Errorf("Put answered %+v, %v", b, err)
			}
			if left := files(t, s); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAKeyOpensNothingElse(t *testing.T) {
	t.Parallel()
	s := store(t)
	mine, other := put(t, s, 1, "mine"), put(t, s, 2, "other's")
	if err := os.WriteFile(filepath.Join(s.dir, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{
		"another organization's": other.Key,
		"unknown":                strings.Repeat("A", 26),
		"empty":                  "",
		"a way out":              "../2/" + other.Key,
		"a way up":               "../secret",
		"an absolute path":       filepath.Join(s.dir, "secret"),
		"lower case":             strings.ToLower(mine.Key),
		"dots of a key's length": strings.Repeat(".", 26),
		"a NUL":                  mine.Key[:25] + "\x00",
	} {
		if f, err := s.Open(t.Context(), 1, key); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if err := s.Delete(1, key); err != nil {
			t.Errorf("deleting %s: %v", name, err)
		}
	}
	if left := files(t, s); len(left) != 3 {
		t.Errorf("a foreign file was deleted: %v", left)
	}
}

func TestADeletedBlobIsGone(t *testing.T) {
	t.Parallel()
	s := store(t)
	b := put(t, s, 1, "text")
	for range 2 { // again is no error
		if err := s.Delete(1, b.Key); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Open(t.Context(), 1, b.Key); !fail.Is(err, fail.CodeNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestSweepRemovesOldOrphansOnly(t *testing.T) {
	t.Parallel()
	s := store(t)
	now := time.Now()
	age := func(path string) {
		t.Helper()
		old := now.Add(-2 * time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	blob := func(org int64, text string, old bool) Blob {
		b := put(t, s, org, text)
		if path, err := s.path(org, b.Key); err != nil {
			t.Fatal(err)
		} else if old {
			age(path)
		}
		return b
	}
	named, orphan := blob(1, "named", true), blob(1, "orphan", true)
	foreign, fresh := blob(2, "of another", true), blob(2, "just uploaded", false)
	// What a process leaves that dies while it writes, and one that is at it now.
	for _, name := range []string{strings.Repeat("A", 26), strings.Repeat("B", 26)} {
		path := filepath.Join(s.dir, partial, name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name[0] == 'A' {
			age(path)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	age(filepath.Join(s.dir, "README"))

	asked := map[string]int64{}
	err := s.Sweep(now.Add(-time.Hour), func(org int64, key string) bool {
		asked[key] = org
		return key == named.Key
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || asked[named.Key] != 1 || asked[orphan.Key] != 1 || asked[foreign.Key] != 2 {
		t.Errorf("asked for %v", asked)
	}
	var left bytes.Buffer
	for _, path := range files(t, s) {
		left.WriteString(filepath.Base(path) + " ")
	}
	for name, want := range map[string]bool{named.Key: true, orphan.Key: false, foreign.Key: false, fresh.Key: true,
		strings.Repeat("A", 26): false, strings.Repeat("B", 26): true, "README": true} {
		if got := strings.Contains(left.String(), name); got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	t.Parallel()
	s := store(t)
	results := make(chan error)
	const n = 32
	for i := range n {
		go func() {
			_, err := s.Put(t.Context(), int64(i%4), strings.NewReader("text"), 4)
			results <- err
		}()
	}
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := len(files(t, s)); got != n {
		t.Errorf("%d files", got)
	}
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "blobs")); err == nil {
		t.Error("it was opened")
	}
}
