package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// migrateLock is the advisory lock under which one process migrates.
const migrateLock = 0x61747269756d // "atrium"

// aloneLock is the one of Alone.
const aloneLock = migrateLock + 1

func openPostgres(ctx context.Context, o Options) (*DB, error) {
	address, conns, err := poolSize(o.URL)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("db: the database address cannot be read: %w", err)
	}
	d := &DB{engine: Postgres, log: o.Log, read: sql.OpenDB(walls{stdlib.GetConnector(*cfg)})}
	d.read.SetMaxOpenConns(conns)
	d.read.SetMaxIdleConns(conns)
	d.read.SetConnMaxIdleTime(5 * time.Minute)
	if err := d.migratePostgres(ctx); err != nil {
		return nil, errors.Join(err, d.read.Close())
	}
	stands, err := wallStands(ctx, d.read)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("db: asking for the database role: %w", err), d.read.Close())
	}
	if !stands {
		d.log.Warn(NoWall)
	}
	return d, nil
}

// poolSize takes pool_max_conns, which the server would refuse, out of the address.
func poolSize(address string) (string, int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", 0, errors.New("db: the database address is not a postgres:// URL")
	}
	q := u.Query()
	conns := 16
	if s := q.Get("pool_max_conns"); s != "" {
		if conns, err = strconv.Atoi(s); err != nil || conns < 2 {
			return "", 0, fmt.Errorf("db: pool_max_conns is %q; it must be a number from 2", s)
		}
		q.Del("pool_max_conns")
		u.RawQuery = q.Encode()
	}
	return u.String(), conns, nil
}

func (d *DB) migratePostgres(ctx context.Context) error {
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return fmt.Errorf("db: the database cannot be reached: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return fmt.Errorf("db: waiting for another server's migration: %w", err)
	}
	err = migrate(ctx, Postgres, d.read)
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(migrateLock))
	return errors.Join(err, unlock)
}

func (d *DB) runPostgres(ctx context.Context, relaxed bool, f func(ctx context.Context, tx *Tx) error) (*Tx, error) {
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Statements see ctx, the commit does not: given up half-way, nobody would know how
	// it ended.
	pg, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, err
	}
	tx := &Tx{d: d, pg: pg, relaxed: relaxed}
	defer func() {
		tx.ended = true
		// Does nothing after a commit.
		_ = pg.Rollback()
	}()
	if relaxed {
		if _, err := pg.ExecContext(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return nil, err
		}
	}
	if err := tx.call(ctx, f); err != nil {
		return nil, err
	}
	if err := pg.Commit(); err != nil {
		return nil, err
	}
	return tx, nil
}

// Alone runs f while no other process on the same database runs one: what
// several servers must not do at once, such as making the first organization.
func (d *DB) Alone(ctx context.Context, f func(context.Context) error) error {
	if d.engine == SQLite {
		return f(ctx) // one process owns the folder
	}
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(aloneLock)); err != nil {
		return fmt.Errorf("db: waiting for another server: %w", err)
	}
	err = f(ctx)
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(aloneLock))
	return errors.Join(err, unlock)
}

// Apart runs what PostgreSQL takes outside of transactions only, such as CREATE INDEX
// CONCURRENTLY, on a connection of its own that is thrown away afterwards with all that
// was set on it. While another process runs one of the same name nothing is run; it tells
// whether f was. SQLite refuses it.
func (d *DB) Apart(ctx context.Context, name string, f func(exec func(query string) error) error) (ran bool, err error) {
	if d.engine == SQLite {
		return false, errors.New("db: SQLite has nothing that is run apart")
	}
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, name).Scan(&ran); err != nil || !ran {
		return false, err
	}
	err = f(func(query string) error {
		_, err := conn.ExecContext(ctx, query)
		return err
	})
	// The lock would end with the connection, but not at once. One that broke is closed.
	_, _ = conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtextextended($1, 0))`, name)
	if bad := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(bad, driver.ErrBadConn) && !errors.Is(bad, sql.ErrConnDone) {
		err = errors.Join(err, bad)
	}
	return true, err
}

// Extension tells which version of an extension the database at an address has, and which
// its server could make; empty means none.
func Extension(ctx context.Context, address, name string) (has, could string, err error) {
	err = Row(ctx, address, `SELECT COALESCE((SELECT extversion FROM pg_extension WHERE extname = $1), ''),
		COALESCE((SELECT default_version FROM pg_available_extensions WHERE name = $1), '')`, []any{name}, &has, &could)
	return has, could, err
}

// Row reads one row from the PostgreSQL database at an address, which need not be opened
// as Atrium's own.
func Row(ctx context.Context, address, query string, args []any, into ...any) error {
	address, _, err := poolSize(address)
	if err != nil {
		return err
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return fmt.Errorf("db: the database address cannot be read: %w", err)
	}
	pool := stdlib.OpenDB(*cfg)
	return errors.Join(pool.QueryRowContext(ctx, query, args...).Scan(into...), pool.Close())
}
