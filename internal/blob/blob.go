// Package blob keeps the bytes of files: Disk on the disk, as DIR/ORGANIZATION/KEY,
// and package s3 in a bucket, which several servers share.
//
// A key is random and found by nothing else, and it opens a blob of its own
// organization only. Blobs are never changed. What Put has answered survives a power
// cut; what it was writing when the process died is removed by Sweep.
package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"atrium/internal/fail"
)

// Blob is a stored file.
type Blob struct {
	Key    string // 26 characters A–Z and 2–7
	Size   int64  // bytes
	SHA256 string // of the bytes, in hexadecimal
}

// Store keeps blobs. It is safe for concurrent use; package blobtest says what it
// has to do.
type Store interface {
	// Put stores what r holds, at most limit bytes, and returns when it is there for
	// good. It answers fail.TooLarge above the limit, fail.Unavailable when there is no
	// room or the store does not answer, and r's own errors as they are; then nothing
	// is stored.
	Put(ctx context.Context, orgID int64, r io.Reader, limit int64) (Blob, error)
	// Open opens a blob for reading; the caller closes it. It answers fail.NotFound
	// for a key that is unknown or another organization's.
	Open(ctx context.Context, orgID int64, key string) (io.ReadSeekCloser, error)
	// Local gives a file with a blob's bytes for a process that reads them by itself.
	// done is called when it was read, after which the file may be gone.
	Local(ctx context.Context, orgID int64, key string) (path string, done func(), err error)
	// Delete removes a blob. One that is not there is no error.
	Delete(orgID int64, key string) error
	// Sweep removes blobs written before a time that keep does not want, and what was
	// left half-written. The time must be longer ago than the longest upload takes, for
	// a blob is stored before the row that names it.
	Sweep(before time.Time, keep func(orgID int64, key string) bool) error
}

// Disk is a folder of blobs.
type Disk struct {
	dir  string
	mu   sync.Mutex
	orgs map[int64]bool // organizations whose folder is there for good
}

// partial is the folder of files that are being written; no organization is called so.
const partial = "partial"

// Open opens the store in dir, which is made when missing.
func Open(dir string) (*Disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, partial), 0o700); err != nil {
		return nil, fmt.Errorf("blob: the folder cannot be made: %w", err)
	}
	if err := errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return &Disk{dir: dir, orgs: map[int64]bool{}}, nil
}

// Put returns when the blob is on the disk; see Store.
func (s *Disk) Put(ctx context.Context, orgID int64, r io.Reader, limit int64) (Blob, error) {
	b := Blob{Key: rand.Text()}
	tmp := filepath.Join(s.dir, partial, b.Key)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Blob{}, full(err)
	}
	// Does nothing once it is renamed.
	defer func() { _ = os.Remove(tmp) }()
	defer f.Close()
	h := sha256.New()
	b.Size, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(reader{ctx, r}, limit+1))
	if err != nil {
		return Blob{}, full(err)
	}
	if b.Size > limit {
		return Blob{}, TooLarge(limit)
	}
	b.SHA256 = hex.EncodeToString(h.Sum(nil))
	if err := f.Sync(); err != nil {
		return Blob{}, full(err)
	}
	if err := f.Close(); err != nil {
		return Blob{}, full(err)
	}
	dir, err := s.folder(orgID)
	if err != nil {
		return Blob{}, full(err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, b.Key)); err != nil {
		return Blob{}, full(err)
	}
	if err := syncDir(dir); err != nil {
		return Blob{}, full(err)
	}
	return b, nil
}

// Open opens a blob for reading; see Store.
func (s *Disk) Open(_ context.Context, orgID int64, key string) (io.ReadSeekCloser, error) {
	path, err := s.path(orgID, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Unknown(key)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Local is the file itself.
func (s *Disk) Local(_ context.Context, orgID int64, key string) (path string, done func(), err error) {
	if path, err = s.path(orgID, key); err == nil {
		if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			err = Unknown(key)
		}
	}
	return path, func() {}, err
}

func (s *Disk) path(orgID int64, key string) (string, error) {
	if !WellFormed(key) {
		return "", Unknown(key)
	}
	return filepath.Join(s.orgDir(orgID), key), nil
}

// Delete removes a blob; see Store.
func (s *Disk) Delete(orgID int64, key string) error {
	path, err := s.path(orgID, key)
	if err != nil {
		return nil //nolint:nilerr // nothing has such a key
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob: %w", err)
	}
	return nil
}

// Sweep removes what nobody wants; see Store.
func (s *Disk) Sweep(before time.Time, keep func(orgID int64, key string) bool) error {
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	var errs []error
	for _, d := range dirs {
		org, err := strconv.ParseInt(d.Name(), 10, 64)
		switch {
		case d.Name() == partial:
			errs = append(errs, sweep(filepath.Join(s.dir, partial), before, func(string) bool { return false }))
		case err == nil && d.IsDir():
			errs = append(errs, sweep(filepath.Join(s.dir, d.Name()), before, func(key string) bool { return keep(org, key) }))
		}
	}
	return errors.Join(errs...)
}

func sweep(dir string, before time.Time, keep func(key string) bool) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	defer f.Close()
	var errs []error
	for {
		// A part at a time: an organization may have very many.
		entries, err := f.ReadDir(1000)
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !WellFormed(e.Name()) || !info.Mode().IsRegular() || !info.ModTime().Before(before) || keep(e.Name()) {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("blob: %w", err))
			}
		}
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
}

func (s *Disk) orgDir(orgID int64) string {
	return filepath.Join(s.dir, strconv.FormatInt(orgID, 10))
}

// folder answers the organization's folder, which survives a power cut once made.
func (s *Disk) folder(orgID int64) (string, error) {
	dir := s.orgDir(orgID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orgs[orgID] {
		return dir, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := syncDir(s.dir); err != nil {
		return "", err
	}
	s.orgs[orgID] = true
	return dir, nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// WellFormed tells whether a key can be one of ours: nothing in it leads elsewhere.
func WellFormed(key string) bool {
	if len(key) != 26 {
		return false
	}
	for _, c := range []byte(key) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// Unknown is the answer for a key that opens nothing.
func Unknown(key string) error {
	return fail.NotFound("the file is not there any more").Because(fmt.Errorf("blob: no blob %q", key))
}

// TooLarge is the answer for more bytes than are allowed.
func TooLarge(limit int64) error {
	return fail.TooLarge("the file is larger than the %d bytes that are allowed", limit)
}

// full makes an error of a full disk one that the caller may see.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fail.Unavailable("the server has no room for the file; tell your administrator").Because(err)
	}
	return err
}

// reader stops reading when its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

var _ Store = (*Disk)(nil)
