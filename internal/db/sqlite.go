package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

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
	lock, err := lockDir(ctx, o.Dir)
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

	waiting atomic.Int32 // for the turn
	batch   *batch       // the transaction that is open; nil: none
	written int          // statements since the checkpointer was called
}

// batch is one transaction of SQLite that holds those of several callers who came
// at the same time: what they write shares pages and one commit.
type batch struct {
	members int
	done    chan struct{} // closed when err is known
	err     error
}

// maxBatch bounds how long the first of a batch waits for the others.
const maxBatch = 32

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

// take answers once the caller holds the writer.
func (w *writer) take(ctx context.Context) error {
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		// The last one may have left the commit to us.
		go func() {
			w.turn <- struct{}{}
			w.pass()
		}()
		return ctx.Err()
	}
}

// pass gives the writer to the next, who also commits; without a next, or when the
// batch is full, it is committed here.
func (w *writer) pass() {
	if b := w.batch; b != nil && (b.members >= maxBatch || w.waiting.Load() == 0) {
		w.commit()
	}
	<-w.turn
}

// commit ends the batch that is open.
func (w *writer) commit() {
	if w.batch != nil {
		w.end(w.do(`COMMIT`))
	}
}

// end tells all members how their transaction has ended.
func (w *writer) end(err error) {
	b := w.batch
	w.batch = nil
	b.err = err
	close(b.done)
	if err != nil {
		// Answers an error when SQLite has rolled back by itself.
		_ = w.do(`ROLLBACK`)
	}
}

// runSQLite runs one transaction on the writer. Statements do not see ctx: an
// interrupted statement costs the connection, and ctx is checked between them.
func (d *DB) runSQLite(ctx context.Context, relaxed bool, f func(ctx context.Context, tx *Tx) error) (*Tx, error) {
	w := d.write
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	tx, b, err := d.member(ctx, relaxed, f)
	if err != nil {
		return nil, err
	}
	<-b.done
	if b.err != nil {
		return nil, d.sqliteFailed(b.err)
	}
	return tx, nil
}

// member runs a transaction as a part of the open batch, or begins one, and gives
// the writer back.
func (d *DB) member(ctx context.Context, relaxed bool, f func(ctx context.Context, tx *Tx) error) (_ *Tx, _ *batch, err error) {
	w := d.write
	defer w.pass()
	if err := d.failure(); err != nil {
		return nil, nil, err
	}
	first := w.batch == nil
	begin := `SAVEPOINT member`
	if first {
		begin = `BEGIN IMMEDIATE`
	}
	if err := w.do(begin); err != nil {
		return nil, nil, d.sqliteFailed(err)
	}
	if first {
		w.batch = &batch{done: make(chan struct{})}
	}
	b := w.batch
	tx := &Tx{d: d, relaxed: relaxed}
	joined := false
	defer func() {
		tx.ended = true
		switch {
		case joined:
			b.members++
			d.check.wrote(tx.wrote)
		case first:
			w.end(errRolledBack)
		default:
			undo := w.do(`ROLLBACK TO member`)
			if undo == nil {
				undo = w.do(`RELEASE member`)
			}
			if undo != nil { // SQLite has rolled everything back
				w.end(cmp.Or(tx.err, undo))
			}
		}
	}()
	if err := tx.call(ctx, f); err != nil {
		if tx.err != nil {
			_ = d.sqliteFailed(tx.err)
		}
		return nil, nil, err
	}
	if !first {
		if err := w.do(`RELEASE member`); err != nil {
			return nil, nil, d.sqliteFailed(err)
		}
	}
	joined = true
	return tx, b, nil
}

// errRolledBack is for nobody: the first member failed before there was a second.
var errRolledBack = errors.New("db: rolled back")

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
