package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"atrium/internal/fail"
)

// Engine names the database underneath.
type Engine string

const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// ErrNone is the answer of One when the query has no row.
var ErrNone = errors.New("db: no row")

var errNested = errors.New("db: a transaction was opened inside a transaction; use the tx that is there")

// Options say which database to open.
type Options struct {
	// URL is a postgres:// address; empty means SQLite in Dir. It may carry
	// pool_max_conns, the most connections to hold (16 unless said).
	URL string
	// Dir is the data folder: SQLite keeps Dir/atrium.db. Made when missing.
	Dir string
	// Log gets what an operator must know; nil means slog.Default().
	Log *slog.Logger
}

// DB is an open, migrated database. It is safe for concurrent use.
type DB struct {
	engine Engine
	log    *slog.Logger
	read   *sql.DB // SQLite: the readers; PostgreSQL: the pool
	stmts  *stmtCache
	write  *writer // SQLite only
	check  *checkpointer
	lock   *fileLock
	broken atomic.Pointer[error] // the failure after which nothing is acknowledged
	close  sync.Once
}

// Open opens the database and brings its schema up to date. A folder that another
// server is using is refused with an error that says so.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.URL != "" {
		return openPostgres(ctx, o)
	}
	return openSQLite(ctx, o)
}

// Engine is the database underneath.
func (d *DB) Engine() Engine { return d.engine }

// Pick chooses between the two texts of a query that cannot be portable.
func (d *DB) Pick(sqlite, postgres string) string { return d.engine.pick(sqlite, postgres) }

func (e Engine) pick(sqlite, postgres string) string {
	if e == Postgres {
		return postgres
	}
	return sqlite
}

// Ping answers an error when the database cannot be reached or a failed disk has
// stopped writing.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.failure(); err != nil {
		return err
	}
	return d.read.PingContext(ctx)
}

// Close releases the database. Call it when nothing uses it any more.
func (d *DB) Close() error {
	var err error
	d.close.Do(func() {
		if d.stmts != nil {
			d.stmts.close()
		}
		if d.check != nil {
			err = d.check.close()
		}
		if d.write != nil {
			err = errors.Join(err, d.write.close())
		}
		err = errors.Join(err, d.read.Close(), d.lock.release())
	})
	return err
}

func (d *DB) failure() error {
	if p := d.broken.Load(); p != nil {
		return *p
	}
	return nil
}

func (d *DB) breakDown(cause error) error {
	err := fmt.Errorf("db: the disk failed, nothing is written any more; check the disk and restart: %w", cause)
	if d.broken.CompareAndSwap(nil, &err) {
		d.log.Error("the disk failed under a commit; writes are refused until a restart", "error", cause)
	}
	return d.failure()
}

// room says in words that there is no room left on the disk; any other error stays
// as it is.
func room(err error) error {
	full := false
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		full = e.Code()&0xff == sqlite3.SQLITE_FULL
	} else if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		full = e.Code == "53100"
	}
	if !full {
		return err
	}
	return fail.Unavailable("the disk of the database is full, so nothing was stored; free space on it, then try again").Because(err)
}

// Querier is what a read runs on: a *DB or a *Tx.
type Querier interface {
	Engine() Engine
	Pick(sqlite, postgres string) string
	query(ctx context.Context, text string, args []any) (*sql.Rows, func(), error)
	// note tells the querier that reading rows failed.
	note(error)
}

var (
	_ Querier = (*DB)(nil)
	_ Querier = (*Tx)(nil)
)

func (d *DB) query(ctx context.Context, text string, args []any) (*sql.Rows, func(), error) {
	if d.engine == Postgres {
		rows, err := d.read.QueryContext(ctx, rebind(text), args...)
		return rows, nothing, err
	}
	stmt, release, err := d.stmts.take(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		release()
		return nil, nil, err
	}
	return rows, release, nil
}

func (d *DB) note(error) {}

func nothing() {}
