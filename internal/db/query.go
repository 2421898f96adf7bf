package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// All answers every row of the query as a T: a struct with `db:"column"` tags, or a
// scalar when there is one column. Without rows the slice is empty, never nil.
func All[T any](ctx context.Context, q Querier, query string, args ...any) ([]T, error) {
	out := []T{}
	err := each(ctx, q, query, args, func(s *scanner[T], rows *sql.Rows) (bool, error) {
		var v T
		if err := s.scan(rows, &v); err != nil {
			return false, err
		}
		out = append(out, v)
		return true, nil
	})
	if err != nil {
		return []T{}, err
	}
	return out, nil
}

// One answers the first row of the query as a T (see All), or ErrNone.
func One[T any](ctx context.Context, q Querier, query string, args ...any) (T, error) {
	var v T
	found := false
	err := each(ctx, q, query, args, func(s *scanner[T], rows *sql.Rows) (bool, error) {
		found = true
		return false, s.scan(rows, &v)
	})
	if err == nil && !found {
		err = ErrNone
	}
	return v, err
}

func each[T any](ctx context.Context, q Querier, query string, args []any, f func(*scanner[T], *sql.Rows) (bool, error)) error {
	vals, err := values(args)
	if err != nil {
		return explain(err, query)
	}
	rows, release, err := q.query(ctx, query, vals)
	if err != nil {
		return explain(err, query)
	}
	defer release()
	defer rows.Close()
	var s scanner[T]
	if err := s.prepare(rows); err != nil {
		return explain(err, query)
	}
	for rows.Next() {
		more, err := f(&s, rows)
		if err != nil {
			return explain(err, query)
		}
		if !more {
			break
		}
	}
	// Closing before asking: an INSERT … RETURNING may fail after its first row.
	err = rows.Close()
	if e := rows.Err(); e != nil {
		err = e
	}
	if err != nil {
		q.note(err)
		return explain(err, query)
	}
	return nil
}

// Exec runs a statement and answers how many rows it changed.
func Exec(ctx context.Context, tx *Tx, query string, args ...any) (int64, error) {
	vals, err := values(args)
	if err != nil {
		return 0, explain(err, query)
	}
	res, err := tx.exec(ctx, query, vals)
	if err != nil {
		return 0, explain(err, query)
	}
	return res.RowsAffected()
}

// explain adds the query to an error, for the log.
func explain(err error, query string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	query = strings.Join(strings.Fields(query), " ")
	if len(query) > 120 {
		query = query[:120] + "…"
	}
	return fmt.Errorf("db: %w (in %s)", err, query)
}

// In answers the marks and arguments of `x IN (…)`: "?,?,?". For an empty list the
// marks are "NULL", so that nothing matches. SQLite takes 32,766 marks a statement,
// PostgreSQL 65,535.
func In[T any](xs []T) (marks string, args []any) {
	if len(xs) == 0 {
		return "NULL", nil
	}
	args = make([]any, len(xs))
	for i, x := range xs {
		args[i] = x
	}
	return strings.Repeat("?,", len(xs)-1) + "?", args
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Like answers the pattern that finds s anywhere: use it with LIKE ? ESCAPE '\'.
func Like(s string) string { return "%" + likeEscaper.Replace(s) + "%" }

// IsUnique tells whether err says that a unique key is taken.
func IsUnique(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505"
}

// retryable tells whether PostgreSQL gave the transaction up for another's sake.
func retryable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}
