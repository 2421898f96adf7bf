// Package dbtest gives tests a fresh, migrated database of each engine.
//
//	func TestNamesAreUnique(t *testing.T) {
//		t.Parallel()
//		dbtest.Each(t, func(t *testing.T, d *db.DB) { … })
//	}
//
// PostgreSQL is the server named by TEST_POSTGRES_URL, else a temporary one that is
// started from what the machine has and ends with the test binary. A machine without
// PostgreSQL fails the test, for a skipped test proves nothing.
package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/migrations"
)

// Engines are the engines that every store is tested on.
var Engines = []db.Engine{db.SQLite, db.Postgres}

// Each runs f as parallel subtests "sqlite" and "postgres", each on a database of its own.
func Each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, e := range Engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			f(t, Open(t, e))
		})
	}
}

// Open answers a fresh, migrated database, closed and removed with the test.
func Open(t testing.TB, e db.Engine) *db.DB {
	t.Helper()
	return open(t, Options(t, e))
}

func open(t testing.TB, o db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Options says how to open a fresh, migrated database that is removed with the test: for
// tests that open it several times.
func Options(t testing.TB, e db.Engine) db.Options {
	t.Helper()
	o := db.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if e == db.Postgres {
		address, err := template()
		if err != nil {
			t.Fatal(err)
		}
		o.URL = create(t, address, templateName())
		return o
	}
	file, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "atrium.db"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// OpenVector is Open for PostgreSQL with the extension vector. A server that has none
// fails the test.
func OpenVector(t testing.TB) *db.DB {
	t.Helper()
	return open(t, VectorOptions(t))
}

// VectorOptions is Options for PostgreSQL with the extension vector, which only a
// superuser can make.
func VectorOptions(t testing.TB) db.Options {
	t.Helper()
	o := Options(t, db.Postgres)
	d, err := db.Open(t.Context(), db.Options{URL: Superuser(t, o.URL), Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `CREATE EXTENSION vector`)
		return err
	})
	if err != nil {
		t.Fatalf("the tests need pgvector: run scripts/deps.sh test, or set %s to a PostgreSQL that has it: %v", EnvURL, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// Superuser answers the address with the role that TEST_POSTGRES_URL names.
func Superuser(t testing.TB, address string) string {
	t.Helper()
	admin, err := server()
	if err != nil {
		t.Fatal(err)
	}
	a, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = a.User
	return u.String()
}

// PostgresURL answers the address of a fresh, empty database, dropped with the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	address, err := server()
	if err != nil {
		t.Fatal(err)
	}
	return create(t, address, "template0")
}

// server answers the address of the server, started once a process, with the role that
// tests use in it.
var server = sync.OnceValues(func() (address string, err error) {
	if address = os.Getenv(EnvURL); address == "" {
		if address, stopServer, err = StartPostgres(context.Background()); err != nil {
			return "", err
		}
	}
	return address, makeRole(address)
})

// role owns the databases of the tests and is an ordinary one, because row-level
// security does not hold a superuser.
const role = "atrium_test"

func makeRole(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%s is no address: %w", EnvURL, err)
	}
	pool, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	password, _ := u.User.Password()
	// Locked until the connection ends: several test binaries may come at once.
	for _, q := range []string{
		`SELECT pg_advisory_lock(hashtext('atrium role'))`,
		`DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '` + role + `') THEN CREATE ROLE ` + role + ` LOGIN NOSUPERUSER NOBYPASSRLS; END IF; END $$`,
		`ALTER ROLE ` + role + ` PASSWORD '` + strings.ReplaceAll(password, `'`, `''`) + `'`,
	} {
		if _, err := conn.ExecContext(context.Background(), q); err != nil {
			return fmt.Errorf("making the role of the tests: %w", err)
		}
	}
	return nil
}

// stopServer is never called: the server's watch stops it when this process ends. But it
// holds the pipe that the watch looks at, which the collector would close otherwise.
var stopServer func() //nolint:unused // see above

// sqliteTemplate answers the bytes of a migrated file, made once a process.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "atrium-db-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d, err := db.Open(context.Background(), db.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "atrium.db"))
})

// templateName is the same for every process with the same migrations.
var templateName = sync.OnceValue(func() string {
	h := sha256.New()
	err := fs.WalkDir(migrations.FS, "postgres", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // files built into the binary
	}
	return "atrium_template_" + hex.EncodeToString(h.Sum(nil)[:8])
})

// template makes the migrated database that the others are copied from, once a server.
var template = sync.OnceValues(func() (string, error) {
	address, err := server()
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	pool, err := sql.Open("pgx", address)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	// Held until the connection ends.
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtext('atrium template'))`); err != nil {
		return "", err
	}
	name := templateName()
	var there bool
	if err := conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
		return "", err
	}
	if there {
		return address, nil
	}
	raw := name + "_raw"
	for _, q := range []string{`DROP DATABASE IF EXISTS ` + raw + ` WITH (FORCE)`, `CREATE DATABASE ` + raw + ` TEMPLATE template0 OWNER ` + role} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return "", err
		}
	}
	d, err := db.Open(ctx, db.Options{URL: named(address, raw, "5")})
	if err != nil {
		return "", err
	}
	if err := d.Close(); err != nil {
		return "", err
	}
	// A name without "_raw" says that the migrations are through.
	_, err = conn.ExecContext(ctx, `ALTER DATABASE `+raw+` RENAME TO `+name)
	return address, err
})

func create(t testing.TB, address, from string) string {
	t.Helper()
	name, drop, err := createFrom(address, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return named(address, name, "5")
}

// Fresh makes an empty database that an ordinary role owns, with pgvector where the server
// has it, and answers its address and what drops it: for commands that are measured.
func Fresh(address string) (fresh string, drop func() error, err error) {
	if err := makeRole(address); err != nil {
		return "", nil, err
	}
	name, drop, err := createFrom(address, "template0")
	if err != nil {
		return "", nil, err
	}
	in, err := url.Parse(address)
	if err != nil {
		return "", nil, errors.Join(err, drop())
	}
	in.Path = "/" + name
	// Only a superuser may make the extension.
	if err := run(in.String(), `DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN CREATE EXTENSION vector; END IF; END $$`); err != nil {
		return "", nil, errors.Join(err, drop())
	}
	return named(address, name, ""), drop, nil
}

// run runs a statement outside of transactions.
func run(address, query string) error {
	pool, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.ExecContext(context.Background(), query); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

func createFrom(address, from string) (name string, drop func() error, err error) {
	name = "atrium_test_" + strings.ToLower(rand.Text()[:16])
	err = run(address, `CREATE DATABASE `+name+` TEMPLATE `+from+` OWNER `+role)
	return name, func() error { return run(address, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`) }, err
}

// named answers the server's address with another database, the tests' role and a pool of conns.
func named(address, name, conns string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // it was connected to before
	}
	u.Path = "/" + name
	if password, ok := u.User.Password(); ok {
		u.User = url.UserPassword(role, password)
	} else {
		u.User = url.User(role)
	}
	if conns != "" {
		q := u.Query()
		q.Set("pool_max_conns", conns)
		u.RawQuery = q.Encode()
	}
	return u.String()
}
