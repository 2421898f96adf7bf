package db_test

import (
	"context"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/fail"
)

func TestAFullDiskIsToldInWordsAndPasses(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	table(t, d)
	add := func(times int) error {
		return d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for range times {
				if _, err := db.Exec(ctx, tx, `INSERT INTO thing (doc) VALUES (?)`, strings.Repeat("x", 4_000)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	limit := func(pages string) {
		t.Helper()
		err := d.Relaxed(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := db.One[int](ctx, tx, `PRAGMA max_page_count = `+pages)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := add(3); err != nil {
		t.Fatal(err)
	}
	limit("1") // of what is there
	if err := add(500); !fail.Is(err, fail.CodeUnavailable) || !strings.Contains(err.Error(), "disk") {
		t.Errorf("got %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("a full disk has stopped the server: %v", err)
	}
	limit("1000000")
	if err := add(500); err != nil {
		t.Error(err)
	}
	if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM thing`); err != nil || n != 503 {
		t.Errorf("%d rows, %v", n, err)
	}
}
