package db_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

// replaceWAL puts /dev/null in the place of the open write-ahead log: writes succeed
// and fsync fails, as on a disk that is going.
func replaceWAL(t *testing.T, o db.Options) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	wal, err := filepath.EvalSymlinks(filepath.Join(o.Dir, "atrium.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != wal {
			continue
		}
		n, err := strconv.Atoi(filepath.Base(fd))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(null.Fd()), n, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		replaced++
	}
	if replaced == 0 {
		t.Fatal("the write-ahead log is not open")
	}
}

func TestAFailedFsyncIsNotAcknowledgedAndStopsWriting(t *testing.T) {
	t.Parallel()
	o := dbtest.Options(t, db.SQLite)
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	table(t, d)
	write(t, d, `INSERT INTO thing (name) VALUES ('before')`)
	replaceWAL(t, o)
	insert := func(run func(context.Context, func(context.Context, *db.Tx) error) error) error {
		return run(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			tx.AfterCommit(func() { t.Error("a hook ran after a commit that failed") })
			_, err := db.Exec(ctx, tx, `INSERT INTO thing (name) VALUES ('lost')`)
			return err
		})
	}
	if err := insert(d.Tx); err == nil {
		t.Error("a commit that was not synced was acknowledged")
	}
	if err := insert(d.Relaxed); err == nil || !strings.Contains(err.Error(), "the disk failed") {
		t.Errorf("a later write got %v", err)
	}
	if err := d.Ping(t.Context()); err == nil {
		t.Error("Ping still answers")
	}
	_ = d.Close() // its checkpoint may fail, as the log is gone
}
