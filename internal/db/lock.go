package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockWait is how long a folder's lock may be held before another server has it.
const lockWait = 2 * time.Second

// fileLock keeps a second server out of a data folder. The kernel drops it with the
// process, so a crash leaves nothing to clean up.
type fileLock struct{ f *os.File }

func lockDir(ctx context.Context, dir string) (*fileLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "atrium.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("db: the lock of the data folder cannot be opened: %w", err)
	}
	// A server that was killed while it started a helper leaves the lock to that for a
	// moment, until the helper has become another program.
	take := func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	err = take()
	for end := time.Now().Add(lockWait); errors.Is(err, syscall.EWOULDBLOCK) && ctx.Err() == nil && time.Now().Before(end); err = take() {
		time.Sleep(lockWait / 100)
	}
	if err != nil {
		holder := make([]byte, 32)
		n, _ := f.Read(holder)
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("db: the data folder %s cannot be locked: %w", dir, err)
		}
		return nil, fmt.Errorf("db: the data folder %s is in use by another server (process %s); stop it or choose another folder",
			dir, strings.TrimSpace(string(holder[:n])))
	}
	// Only for the message above; the lock holds without it.
	if err := f.Truncate(0); err == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return &fileLock{f}, nil
}

func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}
