package db

import (
	"context"
	"database/sql"
	"strings"
)

// Tx is a transaction. It belongs to one goroutine and ends with the function it
// was given to.
type Tx struct {
	d       *DB
	pg      *sql.Tx // nil on SQLite
	err     error   // the first failure; nothing runs or commits after it
	ended   bool
	hooks   []func()
	relaxed bool
	wrote   int // statements, which may have written
}

type txKey struct{}

// Engine is the database underneath.
func (tx *Tx) Engine() Engine { return tx.d.engine }

// Pick chooses between the two texts of a query that cannot be portable.
func (tx *Tx) Pick(sqlite, postgres string) string { return tx.d.Pick(sqlite, postgres) }

// AfterCommit runs f once the transaction is committed and its writer is free;
// never when it is rolled back. The functions run in order, before Tx returns.
func (tx *Tx) AfterCommit(f func()) { tx.hooks = append(tx.hooks, f) }

// Tx runs f in a transaction and commits durably before it returns nil. It rolls back
// when f answers an error (which is returned as it is) or panics, when a statement
// failed although f hid it, and when ctx has ended. On PostgreSQL f is run again, three
// times at most, when the engine gave it up to resolve a deadlock: effects outside
// of the database belong into AfterCommit.
func (d *DB) Tx(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.run(ctx, false, f)
}

// Relaxed is Tx for progress and stream events: what it committed survives the death
// of the process, but perhaps not a power cut.
func (d *DB) Relaxed(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.run(ctx, true, f)
}

func (d *DB) run(ctx context.Context, relaxed bool, f func(ctx context.Context, tx *Tx) error) error {
	if outer, ok := ctx.Value(txKey{}).(*Tx); ok && outer.d == d && !outer.ended {
		return errNested
	}
	if err := d.failure(); err != nil {
		return err
	}
	once := d.runSQLite
	if d.engine == Postgres {
		once = d.runPostgres
	}
	tx, err := once(ctx, relaxed, f)
	for try := 1; try < 3 && retryable(err); try++ {
		tx, err = once(ctx, relaxed, f)
	}
	if err != nil {
		return room(err)
	}
	if d.engine == SQLite && tx.wrote > 0 && !relaxed {
		if err := d.write.sync.wait(); err != nil {
			return d.breakDown(err)
		}
	}
	for _, hook := range tx.hooks {
		hook()
	}
	return nil
}

// call runs f inside the begun transaction and tells whether it may be committed.
func (tx *Tx) call(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	if err := f(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
		return err
	}
	if tx.err != nil {
		return tx.err
	}
	if last, ok := ctx.Value(lastKey{}).(func(context.Context, *Tx) error); ok && !tx.relaxed {
		if err := last(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
			return err
		}
	}
	if tx.err != nil {
		return tx.err
	}
	return ctx.Err()
}

type lastKey struct{}

// WithLast is a context in which f is the last thing that every transaction of
// Tx does before it commits; the audit log is written so.
// What an outer context asked for comes after it.
func WithLast(ctx context.Context, f func(context.Context, *Tx) error) context.Context {
	if outer, ok := ctx.Value(lastKey{}).(func(context.Context, *Tx) error); ok {
		inner := f
		f = func(ctx context.Context, tx *Tx) error {
			if err := inner(ctx, tx); err != nil {
				return err
			}
			return outer(ctx, tx)
		}
	}
	return context.WithValue(ctx, lastKey{}, f)
}

func (tx *Tx) query(ctx context.Context, text string, args []any) (*sql.Rows, func(), error) {
	if err := tx.ready(ctx); err != nil {
		return nil, nil, err
	}
	if !strings.HasPrefix(text, "SELECT") {
		tx.wrote++
	}
	var rows *sql.Rows
	var err error
	if tx.pg != nil {
		rows, err = tx.pg.QueryContext(ctx, rebind(text), args...)
	} else {
		var stmt *sql.Stmt
		if stmt, err = tx.d.write.stmt(text); err == nil {
			rows, err = stmt.QueryContext(context.Background(), args...)
		}
	}
	if err != nil {
		tx.note(err)
		return nil, nil, err
	}
	return rows, nothing, nil
}

func (tx *Tx) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := tx.ready(ctx); err != nil {
		return nil, err
	}
	tx.wrote++
	var res sql.Result
	var err error
	if tx.pg != nil {
		res, err = tx.pg.ExecContext(ctx, rebind(text), args...)
	} else {
		var stmt *sql.Stmt
		if stmt, err = tx.d.write.stmt(text); err == nil {
			res, err = stmt.ExecContext(context.Background(), args...)
		}
	}
	if err != nil {
		tx.note(err)
	}
	return res, err
}

// ready refuses statements after a failure: SQLite may have rolled back by itself,
// and the next statement would then commit alone.
func (tx *Tx) ready(ctx context.Context) error {
	switch {
	case tx.ended:
		return sql.ErrTxDone
	case tx.err != nil:
		return tx.err
	}
	return ctx.Err()
}

func (tx *Tx) note(err error) {
	if tx.err == nil {
		tx.err = err
	}
}
