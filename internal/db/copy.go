package db

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Copied is a table that Copy has copied and found the same on both sides.
type Copied struct {
	Table  string
	Rows   int64
	Digest string // of all rows, whatever their order
}

// Copy copies everything from a SQLite database into an empty PostgreSQL one, both
// opened by Open and so of one schema. It is one transaction: the counts and digests
// of every table are compared before it commits, and what differs ends it. told hears of
// each table; nobody may write to either side meanwhile.
func Copy(ctx context.Context, from, to *DB, told func(Copied)) error {
	if from.engine != SQLite || to.engine != Postgres {
		return errors.New("db: copying goes from SQLite to PostgreSQL")
	}
	tables, err := from.tablesInOrder(ctx)
	if err != nil {
		return fmt.Errorf("db: reading the tables: %w", err)
	}
	if err := to.empty(ctx, tables); err != nil {
		return err
	}
	return to.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		for _, t := range tables {
			done, err := copyTable(ctx, from, tx, t)
			if err != nil {
				return fmt.Errorf("db: copying the table %s: %w", t, err)
			}
			told(done)
		}
		return nil
	})
}

// tablesInOrder lists the tables, each behind those that it refers to.
func (d *DB) tablesInOrder(ctx context.Context) ([]string, error) {
	names, err := All[string](ctx, d, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'goose\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	var out []string
	visiting := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if visiting[name] {
			return nil
		}
		visiting[name] = true
		above, err := All[string](ctx, d, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?) ORDER BY 1`, name)
		if err != nil {
			return err
		}
		for _, a := range above {
			if err := visit(a); err != nil {
				return err
			}
		}
		out = append(out, name)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// empty refuses a database that somebody uses already.
func (d *DB) empty(ctx context.Context, tables []string) error {
	for _, t := range tables {
		some, err := One[bool](ctx, d, `SELECT EXISTS (SELECT 1 FROM `+quoted(t)+`)`)
		if err != nil {
			return fmt.Errorf("db: the target has no table %s: %w", t, err)
		}
		if some {
			return fmt.Errorf("db: the target is not empty: its table %s has rows; name a new, empty database", t)
		}
	}
	return nil
}

// target is a column on PostgreSQL.
type target struct {
	Name     string `db:"column_name"`
	Type     string `db:"data_type"`
	Identity string `db:"is_identity"`
}

const (
	maxMarks  = 60_000
	maxChunk  = 500
	chunkSize = 4 << 20
)

func copyTable(ctx context.Context, from *DB, tx *Tx, table string) (Copied, error) {
	columns, err := All[target](ctx, tx, `SELECT column_name, data_type, is_identity FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position`, table)
	if err != nil {
		return Copied{}, err
	}
	there, err := All[string](ctx, from, `SELECT name FROM pragma_table_info(?)`, table)
	if err != nil {
		return Copied{}, err
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		if !slices.Contains(there, c.Name) {
			return Copied{}, fmt.Errorf("the column %s is on one side only", c.Name)
		}
		names[i] = quoted(c.Name)
	}
	if len(there) != len(columns) {
		return Copied{}, errors.New("the two sides have different columns")
	}
	query := `SELECT ` + strings.Join(names, ", ") + ` FROM ` + quoted(table)
	in := inserter{tx: tx, head: `INSERT INTO ` + quoted(table) + ` (` + strings.Join(names, ", ") + `) VALUES `, columns: len(columns)}
	sent, err := digest(ctx, from, query, columns, func(row []any) error { return in.add(ctx, row) })
	if err == nil {
		err = in.flush(ctx)
	}
	if err != nil {
		return Copied{}, err
	}
	for _, c := range columns {
		if c.Identity == "YES" {
			if err := sequence(ctx, from, tx, table, c.Name); err != nil {
				return Copied{}, err
			}
		}
	}
	got, err := digest(ctx, tx, query, columns, func([]any) error { return nil })
	if err != nil {
		return Copied{}, err
	}
	if got != sent {
		return Copied{}, fmt.Errorf("%d rows were read and %d are there, or their contents differ; nothing was kept", sent.rows, got.rows)
	}
	return Copied{table, got.rows, hex.EncodeToString(got.sum[:])}, nil
}

// sequence makes the ids that are given next begin behind all that ever were.
func sequence(ctx context.Context, from *DB, tx *Tx, table, column string) error {
	last, err := One[int64](ctx, from, `SELECT MAX(COALESCE((SELECT MAX(`+quoted(column)+`) FROM `+quoted(table)+`), 0),
		COALESCE((SELECT seq FROM sqlite_sequence WHERE name = ?), 0))`, table)
	if err != nil || last == 0 {
		return err
	}
	_, err = One[int64](ctx, tx, `SELECT setval(pg_get_serial_sequence(?, ?), ?)`, quoted(table), column, last)
	return err
}

// inserter gathers rows for statements of several.
type inserter struct {
	tx      *Tx
	head    string
	columns int
	args    []any
	size    int
}

func (in *inserter) add(ctx context.Context, row []any) error {
	in.args = append(in.args, row...)
	for _, v := range row {
		switch x := v.(type) {
		case string:
			in.size += len(x)
		case []byte:
			in.size += len(x)
		}
	}
	if n := len(in.args) / in.columns; n < maxChunk && len(in.args)+in.columns <= maxMarks && in.size < chunkSize {
		return nil
	}
	return in.flush(ctx)
}

func (in *inserter) flush(ctx context.Context) error {
	n := len(in.args) / in.columns
	if n == 0 {
		return nil
	}
	row := "(" + strings.Repeat("?, ", in.columns-1) + "?)"
	_, err := Exec(ctx, in.tx, in.head+strings.Repeat(row+", ", n-1)+row, in.args...)
	in.args, in.size = in.args[:0], 0
	return err
}

// figures are what two sides are compared by.
type figures struct {
	rows int64
	sum  [sha256.Size]byte // of the hashes of the rows, added up
}

// digest reads rows and gives each, with its values as PostgreSQL takes them.
func digest(ctx context.Context, q Querier, query string, columns []target, take func([]any) error) (figures, error) {
	var f figures
	rows, release, err := q.query(ctx, query, nil)
	if err != nil {
		return f, err
	}
	defer release()
	defer rows.Close()
	cells := make([]any, len(columns))
	dests := make([]any, len(columns))
	for i := range cells {
		dests[i] = &cells[i]
	}
	var buf []byte
	for rows.Next() {
		if err := rows.Scan(dests...); err != nil {
			return f, err
		}
		row := make([]any, len(cells))
		buf = buf[:0]
		for i, v := range cells {
			if row[i], err = typed(v, columns[i]); err != nil {
				return f, err
			}
			buf = appendValue(buf, row[i])
		}
		f.add(sha256.Sum256(buf))
		if err := take(row); err != nil {
			return f, err
		}
	}
	return f, errors.Join(rows.Err(), rows.Close())
}

func (f *figures) add(h [sha256.Size]byte) {
	f.rows++
	for i := 0; i < len(f.sum); i += 8 {
		binary.LittleEndian.PutUint64(f.sum[i:], binary.LittleEndian.Uint64(f.sum[i:])+binary.LittleEndian.Uint64(h[i:]))
	}
}

// typed is a value as the column has it: SQLite keeps no types of its own.
func typed(v any, c target) (any, error) {
	switch x := v.(type) {
	case nil, bool:
		return v, nil
	case int64:
		switch c.Type {
		case "boolean":
			return x != 0, nil
		case "double precision":
			return float64(x), nil
		}
		return x, nil
	case float64:
		return x, nil
	case string:
		if c.Type == "bytea" {
			return []byte(x), nil
		}
		return x, nil
	case []byte:
		if c.Type != "bytea" {
			return string(x), nil
		}
		return append([]byte{}, x...), nil // an empty one comes as nil, which is NULL
	}
	return nil, fmt.Errorf("a %T in the column %s cannot be copied", v, c.Name)
}

// appendValue makes of a value what no other value makes.
func appendValue(b []byte, v any) []byte {
	switch x := v.(type) {
	case bool:
		if x {
			return append(b, 'T')
		}
		return append(b, 'F')
	case int64:
		return binary.LittleEndian.AppendUint64(append(b, 'I'), uint64(x))
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, 'D'), math.Float64bits(x))
	case string:
		return append(binary.AppendUvarint(append(b, 'S'), uint64(len(x))), x...)
	case []byte:
		return append(binary.AppendUvarint(append(b, 'B'), uint64(len(x))), x...)
	}
	return append(b, 'N')
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
