package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers is how many queries SQLite answers at once. Each holds a page cache, so
// together with the writer's they are bounded to about 32 MB.
const (
	readers     = 4
	readerCache = 4 << 10 // KiB
	writerCache = 12 << 10
)

func openSQLite(ctx context.Context, o Options) (_ *DB, err error) {
	if o.Dir == "" {
		return nil, errors.New("db: no data folder was given")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("db: the data folder cannot be made: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(o.Dir, "atrium.db"))
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	d := &DB{engine: SQLite, log: o.Log, lock: lock}
	pool, err := sql.Open("sqlite", dsn(path, writerCache, "_txlock", "immediate", "_pragma", "wal_autocheckpoint(0)"))
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	pool.SetMaxOpenConns(1)
	// The writer comes first: it makes the file and turns WAL on, which a reader may not.
	if err := migrate(ctx, SQLite, pool); err != nil {
		return nil, errors.Join(err, pool.Close(), lock.release())
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close(), lock.release())
	}
	d.write = &writer{turn: make(chan struct{}, 1), pool: pool, conn: conn, stmts: map[string]*sql.Stmt{}, sync: &walSync{path: path + "-wal"}}
	d.read, err = sql.Open("sqlite", dsn(path, readerCache, "_query_only", "1"))
	if err != nil {
		return nil, errors.Join(err, d.write.close(), lock.release())
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	d.stmts = newStmtCache(d.read)
	if err := d.startCheckpointer(path); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.read.PingContext(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func dsn(path string, cacheKiB int, more ...string) string {
	q := url.Values{
		"_busy_timeout": {"10000"},
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"}, // walSync does the rest
		"_dqs":          {"0"},
		"_pragma":       {fmt.Sprintf("cache_size(-%d)", cacheKiB), "temp_store(memory)", "mmap_size(0)"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Add(more[i], more[i+1])
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// writer is the one connection that writes. It is held for good, with its own
// statements, so that a transaction costs no more than its statements.
type writer struct {
	turn  chan struct{} // holds one token while a transaction runs; waiters are served in order
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	sync  *walSync

	written int // statements since the checkpointer was called
}

func (w *writer) close() error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	for _, s := range w.stmts {
		s.Close()
	}
	clear(w.stmts)
	return errors.Join(w.sync.close(), w.conn.Close(), w.pool.Close())
}

func (w *writer) stmt(text string) (*sql.Stmt, error) {
	if s := w.stmts[text]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), planned(text))
	if err != nil {
		return nil, err
	}
	for old, o := range w.stmts {
		if len(w.stmts) < maxStmts {
			break
		}
		o.Close()
		delete(w.stmts, old)
	}
	w.stmts[text] = s
	return s, nil
}

func (w *writer) do(text string) error {
	s, err := w.stmt(text)
	if err == nil {
		_, err = s.ExecContext(context.Background())
	}
	return err
}

// runSQLite runs one transaction on the writer. Statements do not see ctx: an
// interrupted statement costs the connection, and ctx is checked between them.
func (d *DB) runSQLite(ctx context.Context, relaxed bool, f func(ctx context.Context, tx *Tx) error) (_ *Tx, err error) {
	w := d.write
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-w.turn }()
	if err := d.failure(); err != nil {
		return nil, err
	}
	if err := w.do(`BEGIN IMMEDIATE`); err != nil {
		return nil, d.sqliteFailed(err)
	}
	tx := &Tx{d: d, relaxed: relaxed}
	committed := false
	defer func() {
		tx.ended = true
		if !committed {
			// Answers an error when SQLite has rolled back by itself.
			_ = w.do(`ROLLBACK`)
		}
	}()
	if err := tx.call(ctx, f); err != nil {
		if tx.err != nil {
			_ = d.sqliteFailed(tx.err)
		}
		return nil, err
	}
	if err := w.do(`COMMIT`); err != nil {
		return nil, d.sqliteFailed(err)
	}
	committed = true
	d.check.wrote(tx.wrote)
	return tx, nil
}

// sqliteFailed stops all writing when the error says that the disk or the file is bad.
// A full disk is no such case: SQLite rolls back cleanly, and there may be room later.
func (d *DB) sqliteFailed(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return d.breakDown(err)
	}
	return err
}
