package db_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestBothEnginesHaveTheSameTablesAndColumns(t *testing.T) {
	t.Parallel()
	type field struct {
		Table string `db:"t"`
		Name  string `db:"c"`
	}
	schema := map[db.Engine][]field{}
	for _, e := range dbtest.Engines {
		d := dbtest.Open(t, e)
		// Shadow tables of SQLite's full text have no match in PostgreSQL.
		got, err := db.All[field](t.Context(), d, d.Pick(
			`SELECT m.name AS t, c.name AS c FROM sqlite_schema m, pragma_table_info(m.name) c
			 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name NOT LIKE 'goose\_%' ESCAPE '\'
			   AND m.name NOT LIKE '%\_fts%' ESCAPE '\' ORDER BY t, c`,
			`SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns
			 WHERE table_schema = 'public' AND table_name NOT LIKE 'goose\_%' ORDER BY table_name COLLATE "C", column_name COLLATE "C"`))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < 20 {
			t.Fatalf("%s: only %d columns were found", e, len(got))
		}
		schema[e] = got
	}
	if diff := cmp.Diff(schema[db.SQLite], schema[db.Postgres]); diff != "" {
		t.Errorf("-sqlite +postgres\n%s", diff)
	}
}

func TestADataFolderBelongsToOneServer(t *testing.T) {
	t.Parallel()
	o := dbtest.Options(t, db.SQLite)
	first, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "in use by another server") {
		t.Errorf("the second server got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// As after a kill, when what the server was just starting has its open files.
func TestADataFolderWhoseServerIsGoingIsWaitedFor(t *testing.T) {
	t.Parallel()
	o := dbtest.Options(t, db.SQLite)
	first, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	going := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() { going <- first.Close() })
	second, err := db.Open(t.Context(), o)
	if err := errors.Join(err, <-going); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatWasCommittedIsThereAfterOpeningAgain(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			o := dbtest.Options(t, e)
			for round := range 2 {
				d, err := db.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if round == 0 {
					table(t, d)
					write(t, d, `INSERT INTO thing (name) VALUES ('kept')`)
				}
				if diff := cmp.Diff([]string{"kept"}, names(t, d)); diff != "" {
					t.Errorf("round %d: %s", round, diff)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestSeveralServersMayMigrateOneDatabaseAtOnce(t *testing.T) {
	t.Parallel()
	o := db.Options{URL: dbtest.PostgresURL(t), Log: slog.New(slog.DiscardHandler)}
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			d, err := db.Open(t.Context(), o)
			if err == nil {
				_, err = db.All[int64](t.Context(), d, `SELECT id FROM job`)
				err = errors.Join(err, d.Close())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestABadAddressIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for _, o := range []db.Options{
		{},
		{URL: "postgres://nobody@127.0.0.1:1/none"},
		{URL: "postgres://localhost/x?pool_max_conns=many"},
		{URL: "postgres://localhost/x?pool_max_conns=1"},
		{URL: "postgres://localhost/x?sslmode=perhaps"},
		{URL: "post\x00gres://"},
	} {
		if d, err := db.Open(t.Context(), o); err == nil {
			t.Errorf("%q was opened", o.URL)
			d.Close()
		}
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	table(t, d)
	if _, err := db.One[int64](t.Context(), d, `INSERT INTO thing (name) VALUES ('x') RETURNING id`); err == nil {
		t.Error("a read pool took a write")
	}
}

func TestAWaitingWriterLeavesWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Tx(t.Context(), func(context.Context, *db.Tx) error {
		done := make(chan error)
		go func() { done <- d.Tx(ctx, func(context.Context, *db.Tx) error { return nil }) }()
		cancel()
		return <-done
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAReadStopsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := db.One[int64](ctx, d, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n`)
		if err == nil {
			t.Error("it ran to its end")
		}
		if got, err := db.One[int64](t.Context(), d, `SELECT 7`); err != nil || got != 7 {
			t.Errorf("the next read answered %d, %v", got, err)
		}
	})
}
