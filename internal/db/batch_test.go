package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

// Transactions that come at once may share a commit; each still stands or falls by
// itself, and what one read of the table is what those before it left.
func TestTransactionsThatComeAtOnceStandAloneAllTheSame(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		table(t, d)
		errWanted := errors.New("wanted")
		var (
			wg      sync.WaitGroup
			mu      sync.Mutex
			stored  []string
			counted int
		)
		for w := range 24 {
			wg.Go(func() {
				for i := range 40 {
					name := fmt.Sprintf("%d-%d", w, i)
					ctx, cancel := context.WithCancel(t.Context())
					run := d.Tx
					if i%3 == 0 {
						run = d.Relaxed
					}
					hooked := false
					fault := func(ctx context.Context, tx *db.Tx) error {
						tx.AfterCommit(func() { hooked = true })
						if _, err := db.Exec(ctx, tx, `INSERT INTO thing (name) VALUES (?)`, name); err != nil {
							return err
						}
						switch (w + i) % 8 {
						case 0:
							return errWanted
						case 1:
							cancel()
						case 2:
							_, _ = db.Exec(ctx, tx, `INSERT INTO nowhere (name) VALUES (?)`, name)
						case 3:
							panic(errWanted)
						}
						return nil
					}
					if i%11 == 0 && d.Engine() == db.SQLite { // of PostgreSQL one does not know then
						go cancel() // perhaps while it waits
					}
					err := func() (err error) {
						defer func() {
							if p := recover(); p != nil {
								err = p.(error)
							}
						}()
						return run(ctx, fault)
					}()
					cancel()
					mu.Lock()
					if err == nil {
						stored = append(stored, name)
					}
					if hooked {
						counted++
					}
					mu.Unlock()
					if err == nil {
						if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM thing WHERE name = ?`, name); err != nil || n != 1 {
							t.Errorf("%s was acknowledged and is there %d times: %v", name, n, err)
						}
					}
				}
			})
		}
		wg.Wait()
		found, err := db.All[string](t.Context(), d, `SELECT name FROM thing ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(stored)
		slices.Sort(found)
		if !slices.Equal(found, stored) || counted != len(stored) {
			t.Errorf("%d rows are there, %d transactions were acknowledged, %d hooks ran", len(found), len(stored), counted)
		}
	})
}
