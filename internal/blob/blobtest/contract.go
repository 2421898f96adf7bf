// Package blobtest says what every blob.Store has to do.
package blobtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"atrium/internal/blob"
	"atrium/internal/fail"
)

// Contract runs the cases on a store that holds nothing else.
func Contract(t *testing.T, s blob.Store) {
	t.Helper()
	ctx := t.Context()
	put := func(org int64, content []byte) blob.Blob {
		t.Helper()
		b, err := s.Put(ctx, org, bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	read := func(org int64, key string) []byte {
		t.Helper()
		f, err := s.Open(ctx, org, key)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	all := func() map[string]int64 {
		t.Helper()
		found := map[string]int64{}
		if err := s.Sweep(time.Now().Add(time.Hour), func(org int64, key string) bool { found[key] = org; return true }); err != nil {
			t.Fatal(err)
		}
		return found
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 18<<16) // 18 MiB: more than one part
	kept := map[string][]byte{}
	for _, content := range [][]byte{{}, []byte("text"), large[:1<<20], large} {
		b := put(7, content)
		sum := sha256.Sum256(content)
		if b.Size != int64(len(content)) || b.SHA256 != hex.EncodeToString(sum[:]) || !blob.WellFormed(b.Key) {
			t.Errorf("Put answered %+v for %d bytes", b, len(content))
		}
		if got := read(7, b.Key); !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back of %d", len(got), len(content))
		}
		kept[b.Key] = content
	}
	one := put(7, []byte("0123456789"))

	t.Run("a place in it can be sought", func(t *testing.T) {
		f, err := s.Open(ctx, 7, one.Key)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if n, err := f.Seek(0, io.SeekEnd); err != nil || n != 10 {
			t.Fatal(n, err)
		}
		for range 2 {
			if _, err := f.Seek(4, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(f); err != nil || string(got) != "456789" {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
	t.Run("another program reads a file", func(t *testing.T) {
		path, done, err := s.Local(ctx, 7, one.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "0123456789" {
			t.Errorf("%q, %v", got, err)
		}
		done()
		if got := read(7, one.Key); string(got) != "0123456789" {
			t.Errorf("reading it has changed it to %q", got)
		}
	})
	t.Run("a key opens nothing elsewhere", func(t *testing.T) {
		for org, key := range map[int64]string{8: one.Key, 7: strings.Repeat("A", 26), 9: "../7/" + one.Key, 10: ""} {
			if f, err := s.Open(ctx, org, key); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("Open of %q in %d answered %v, %v", key, org, f, err)
			}
			if _, _, err := s.Local(ctx, org, key); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("Local of %q in %d answered %v", key, org, err)
			}
			if err := s.Delete(org, key); err != nil {
				t.Errorf("Delete of %q in %d answered %v", key, org, err)
			}
		}
		if got := read(7, one.Key); string(got) != "0123456789" {
			t.Errorf("another organization has changed it to %q", got)
		}
	})
	t.Run("what does not come whole is not stored", func(t *testing.T) {
		before := len(all())
		broken := errors.New("the line is cut")
		for _, size := range []int{3, 2 << 20} {
			if _, err := s.Put(ctx, 7, io.MultiReader(bytes.NewReader(large[:size]), iotest.ErrReader(broken)), 1<<30); !errors.Is(err, broken) {
				t.Errorf("a reader's error came back as %v", err)
			}
			if _, err := s.Put(ctx, 7, bytes.NewReader(large[:size]), int64(size)-1); !fail.Is(err, fail.CodeTooLarge) {
				t.Errorf("%d bytes above the limit: %v", size, err)
			}
		}
		if after := len(all()); after != before {
			t.Errorf("%d blobs before and %d after", before, after)
		}
	})
	t.Run("what nobody wants is removed", func(t *testing.T) {
		other := put(8, []byte("of another"))
		found := all()
		if len(found) != len(kept)+2 || found[one.Key] != 7 || found[other.Key] != 8 {
			t.Errorf("found: %v", found)
		}
		if err := s.Sweep(time.Now().Add(-time.Hour), func(int64, string) bool { return false }); err != nil || len(all()) != len(found) {
			t.Errorf("a young blob was removed (%v)", err)
		}
		if err := s.Sweep(time.Now().Add(time.Hour), func(_ int64, key string) bool { return kept[key] != nil }); err != nil {
			t.Fatal(err)
		}
		if now := all(); len(now) != len(kept) {
			t.Errorf("left: %v", now)
		}
		for key := range kept {
			if err := s.Delete(7, key); err != nil {
				t.Error(err)
			}
			if _, err := s.Open(ctx, 7, key); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("a removed blob opens: %v", err)
			}
		}
	})
}
