package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

// wallFree are the tables with an organization that the wall is not around, with the reason.
var wallFree = map[string]string{
	"job": "the queue serves all organizations; its handlers run behind the wall",
}

func TestEveryTableOfAnOrganizationIsBehindTheWall(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	type table struct {
		Name   string `db:"name"`
		Forced bool   `db:"forced"`
		Using  string `db:"using"`
	}
	tables, err := db.All[table](t.Context(), d, `SELECT c.relname::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
			COALESCE((SELECT string_agg(pg_get_expr(p.polqual, p.polrelid), ' ') FROM pg_policy p
				WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polwithcheck IS NULL), '') AS using
		FROM information_schema.columns i JOIN pg_class c ON c.relname = i.table_name AND c.relnamespace = 'public'::regnamespace
		WHERE i.table_schema = 'public' AND (i.column_name = 'org_id' OR i.table_name = 'organization' AND i.column_name = 'id') ORDER BY c.relname`)
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) < 30 {
		t.Fatalf("only %d tables were found", len(tables))
	}
	for _, x := range tables {
		if wallFree[x.Name] != "" {
			continue
		}
		column := "org_id"
		if x.Name == "organization" {
			column = "id"
		}
		if !x.Forced || !strings.Contains(x.Using, "("+column+" = ") || !strings.Contains(x.Using, "atrium.org") {
			t.Errorf("%s: forced %v, policy %q; its migration must SELECT atrium_wall('%s')", x.Name, x.Forced, x.Using, x.Name)
		}
	}
}

func TestWhereAPredicateIsForgottenEveryTableKeepsTheOrganizationsApart(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	keys, err := db.All[string](t.Context(), d, `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint WHERE contype = 'f'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range keys { // so that each table can be filled by itself
		write(t, d, q)
	}
	type column struct {
		Table string `db:"t"`
		Names string `db:"names"`
		One   string `db:"one"`
		Two   string `db:"two"`
	}
	value := func(n string) string {
		return `string_agg(CASE data_type WHEN 'boolean' THEN 'FALSE' WHEN 'text' THEN '''` + n + `''' WHEN 'bytea' THEN '''` + n + `''' ELSE '` + n + `' END, ',' ORDER BY ordinal_position)`
	}
	tables, err := db.All[column](t.Context(), d, `SELECT table_name::text AS t, string_agg(column_name, ',' ORDER BY ordinal_position) AS names,
			`+value("101")+` AS one, `+value("102")+` AS two FROM information_schema.columns
		WHERE table_schema = 'public' GROUP BY table_name HAVING bool_or(column_name = 'org_id') OR table_name = 'organization'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tables {
		if wallFree[x.Table] != "" {
			continue
		}
		write(t, d, `INSERT INTO `+x.Table+` (`+x.Names+`) VALUES (`+x.One+`), (`+x.Two+`)`)
		for org, want := range map[int64]int64{0: 2, 101: 1, 102: 1, 103: 0} {
			ctx := db.WithOrg(t.Context(), org)
			if n, err := db.One[int64](ctx, d, `SELECT COUNT(*) FROM `+x.Table); err != nil || n != want {
				t.Errorf("organization %d sees %d rows of %s, want %d: %v", org, n, x.Table, want, err)
			}
		}
	}
}

// walled makes a table behind the wall with a row of each of two organizations.
func walled(t *testing.T, d *db.DB) {
	t.Helper()
	for _, q := range []string{
		`CREATE TABLE thing (org_id BIGINT NOT NULL, name TEXT NOT NULL)`, `SELECT atrium_wall('thing')`,
		`INSERT INTO thing VALUES (1, 'one'), (2, 'two')`,
	} {
		write(t, d, q)
	}
}

func TestAStatementWithoutAPredicateReachesItsOrganizationOnly(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	walled(t, d)
	see := func(ctx context.Context, q db.Querier) string {
		t.Helper()
		got, err := db.All[string](ctx, q, `SELECT name FROM thing ORDER BY org_id`)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(got, " ")
	}
	one, two := db.WithOrg(t.Context(), 1), db.WithOrg(t.Context(), 2)
	for _, c := range []struct {
		ctx  context.Context
		want string
	}{{one, "one"}, {two, "two"}, {t.Context(), "one two"}, {db.WithOrg(one, 0), "one two"}, {db.WithOrg(t.Context(), 3), ""}} {
		if got := see(c.ctx, d); got != c.want {
			t.Errorf("saw %q, want %q", got, c.want)
		}
	}
	err := d.Tx(one, func(_ context.Context, tx *db.Tx) error {
		// The transaction's organization counts, not the statement's.
		for _, ctx := range []context.Context{one, two, t.Context()} {
			if got := see(ctx, tx); got != "one" {
				t.Errorf("saw %q in the transaction", got)
			}
		}
		for _, q := range []string{`UPDATE thing SET name = 'x' WHERE name = 'two'`, `DELETE FROM thing WHERE org_id = 2`} {
			if n, err := db.Exec(one, tx, q); n != 0 || err != nil {
				t.Errorf("%s: %d rows, %v", q, n, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`INSERT INTO thing VALUES (2, 'planted')`, `UPDATE thing SET org_id = 2`} {
		err := d.Tx(one, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, q)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("%s: %v", q, err)
		}
	}
	if got := see(t.Context(), d); got != "one two" {
		t.Errorf("left is %q", got)
	}
}

func TestAPooledConnectionForgetsTheOrganizationBefore(t *testing.T) {
	t.Parallel()
	for _, conns := range []string{"2", "3"} {
		t.Run(conns, func(t *testing.T) {
			t.Parallel()
			o := dbtest.Options(t, db.Postgres)
			u, err := url.Parse(o.URL)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			q.Set("pool_max_conns", conns)
			u.RawQuery = q.Encode()
			o.URL = u.String()
			d, err := db.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			walled(t, d)
			const n = 6
			errs := make(chan error, n)
			for i := range n {
				go func() { errs <- mixed(t.Context(), d, int64(i%3)) }()
			}
			for range n {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// mixed reads, writes, fails and gives up as an organization (0 is the server), and says
// when it saw what was not its own.
func mixed(ctx context.Context, d *db.DB, org int64) error {
	want := map[int64]string{0: "[1 2]", 1: "[1]", 2: "[2]"}[org]
	ctx = db.WithOrg(ctx, org)
	mine := errors.New("mine")
	for i := range 60 {
		look := func(ctx context.Context, q db.Querier) error {
			got, err := db.All[int64](ctx, q, `SELECT DISTINCT org_id FROM thing ORDER BY org_id`)
			if err == nil && fmt.Sprint(got) != want {
				err = fmt.Errorf("organization %d saw %v", org, got)
			}
			return err
		}
		if err := look(ctx, d); err != nil {
			return err
		}
		err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if err := look(ctx, tx); err != nil {
				return err
			}
			switch i % 3 {
			case 0:
				_, _ = db.Exec(ctx, tx, `SELECT nothing`)
			case 1:
				return mine
			}
			return nil
		})
		if i%3 == 2 && err != nil || i%3 == 1 && !errors.Is(err, mine) || i%3 == 0 && err == nil {
			return fmt.Errorf("round %d ended in %w", i, err)
		}
		short, cancel := context.WithCancel(ctx)
		go cancel()
		_ = look(short, d) // may be cut at any point
		cancel()
	}
	return nil
}

func TestTheServerIsToldWhenItsRoleIsNotHeldByTheWall(t *testing.T) {
	t.Parallel()
	stands, err := db.WallStands(t.Context(), dbtest.PostgresURL(t))
	if err != nil || !stands {
		t.Errorf("for the role of the tests the wall stands: %v, %v", stands, err)
	}
	for name, c := range map[string]struct {
		address string
		want    []string
	}{
		"an ordinary role": {dbtest.PostgresURL(t), nil},
		"a superuser":      {dbtest.Superuser(t, dbtest.PostgresURL(t)), []string{"level=WARN", "superuser", "ordinary role"}},
	} {
		var log bytes.Buffer
		d, err := db.Open(t.Context(), db.Options{URL: c.address, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if c.want == nil && log.Len() > 0 {
			t.Errorf("%s: the log says %s", name, log.String())
		}
		for _, w := range c.want {
			if !strings.Contains(log.String(), w) {
				t.Errorf("%s: the log does not say %q: %s", name, w, log.String())
			}
		}
	}
}

func TestMistakesOfTheAddressAreToldBeforeTheWall(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"post\x00gres://", "postgres://localhost/x?sslmode=perhaps", "postgres://nobody@127.0.0.1:1/none"} {
		if _, err := db.WallStands(t.Context(), address); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
}
