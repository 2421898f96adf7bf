package api

import (
	"context"
	"slices"
	"strings"

	"atrium/internal/db"
)

// Listing says how a list is read; Page reads a page of it.
type Listing struct {
	Columns string   // what is read of a row
	Tables  string   // behind FROM
	Counted string   // as Tables, without those that only Columns needs; empty: Tables
	Where   string   // which rows the caller gets
	Given   []any    // the arguments of Columns
	Args    []any    // the arguments of Tables and Where
	Search  []string // the texts that are searched; none: Where sees to it
	Order   map[string]string
	ID      string // ties go by it
}

// Page is a page of a list, each row in the shape it is answered in, and how many there
// are in all.
func Page[T, U any](ctx context.Context, q db.Querier, p Paging, l Listing, shape func(T) U) ([]U, int, error) {
	rows, total, err := Rows[T](ctx, q, p, l)
	return Shaped(rows, shape), total, err
}

// Shaped are rows in the shape they are answered in.
func Shaped[T, U any](rows []T, shape func(T) U) []U {
	out := make([]U, len(rows))
	for i, r := range rows {
		out[i] = shape(r)
	}
	return out
}

// Rows is Page where rows are answered as they are read.
func Rows[T any](ctx context.Context, q db.Querier, p Paging, l Listing) ([]T, int, error) {
	order, err := p.Order(l.Order, l.ID)
	if err != nil {
		return nil, 0, err
	}
	where, args := l.Where, slices.Clip(l.Args)
	if p.Search != "" && len(l.Search) > 0 {
		var holds []string
		for _, text := range l.Search {
			holds, args = append(holds, `lower(`+text+`) LIKE lower(?) ESCAPE '\'`), append(args, db.Like(p.Search))
		}
		where += ` AND (` + strings.Join(holds, " OR ") + `)`
	}
	rows, err := db.All[T](ctx, q, `SELECT `+l.Columns+` FROM `+l.Tables+` WHERE `+where+` ORDER BY `+order+` LIMIT ? OFFSET ?`,
		slices.Concat(l.Given, args, []any{p.Limit(), p.Offset()})...)
	if n := len(rows); err != nil || n < p.Limit() && (n > 0 || p.Offset() == 0) {
		return rows, p.Offset() + n, err // the last page tells how many there are
	}
	counted := l.Counted
	if counted == "" {
		counted = l.Tables
	}
	total, err := db.One[int](ctx, q, `SELECT COUNT(*) FROM `+counted+` WHERE `+where, args...)
	return rows, total, err
}
