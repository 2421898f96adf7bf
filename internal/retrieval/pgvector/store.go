// Package pgvector keeps the vectors of pieces in PostgreSQL, by its extension of
// that name, so that no server process needs them in its memory.
//
// What it holds is derived: the encoded documents of the caller stay the truth. A
// corpus is brought up to date by CatchUp, which follows the caller's feed of
// changes in short transactions; any of several servers may do it, break off, and
// go on with what another began. View gives a search what retrieval.Vectors asks
// for. Few pieces are compared one by one, many by an HNSW index, which Tend makes
// when there is a reason to.
//
// Tables:
//
//	vector_space  a number for each embedder and length of its vectors
//	vector_index  up to which change a corpus is in, for an embedder
//	vector_sum    the sum of a corpus's vectors, for their mean
//	piece_vector  the vectors, of unit length, 16 bits a component
//
// They are made when a server is first started in this mode, and not by the
// migrations, because the extension need not be there otherwise.
package pgvector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"atrium/internal/db"
)

// Options configure a Store.
type Options struct {
	DB  *db.DB
	Log *slog.Logger // slog.Default() when nil
	// Exact is up to how many pieces all are compared, though there be an index;
	// 20,000 when 0.
	Exact int
}

// Store is the vectors in a database. It is safe for concurrent use.
type Store struct {
	Options
	// dearer is how many rows are compared one by one in the time in which an index
	// gives one.
	dearer float64
	// lookups is up to how many times rows are looked up by document instead of reading
	// all of the corpora.
	lookups int

	mu     sync.Mutex
	spaces map[space]int64
	locks  map[Key]chan struct{} // held by the one of this process who catches up
	// done is up to which change a corpus was seen to be in. What is forgotten comes
	// back with a higher number only.
	done map[Key]int64
}

// space is what makes vectors comparable.
type space struct {
	embedder string
	dims     int
}

// Name is that of the extension.
const Name = "vector"

// least is the first version that goes on scanning an index until a narrowed search
// has its pieces.
var least = [2]int{0, 8}

// Open makes the extension and the tables in a PostgreSQL database where they are
// missing. What it cannot do it says in words.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.DB.Engine() != db.Postgres {
		return nil, Fit(false, "", "")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Exact <= 0 {
		o.Exact = 20_000
	}
	s := &Store{Options: o, dearer: 20, lookups: 2000, spaces: map[space]int64{}, locks: map[Key]chan struct{}{}, done: map[Key]int64{}}
	return s, o.DB.Alone(ctx, s.install)
}

// Fit tells in words why vectors cannot be kept in a database, given whether it is
// PostgreSQL and the versions of the extension that it has and could make; empty means
// none.
func Fit(postgres bool, has, could string) error {
	const or = ", or set ATRIUM_VECTORS=memory"
	switch {
	case !postgres:
		return fmt.Errorf("ATRIUM_VECTORS is pgvector, but the database is SQLite; set ATRIUM_DATABASE_URL to a PostgreSQL with the extension vector (pgvector) %d.%d or newer"+or, least[0], least[1])
	case has == "" && fits(could):
		return nil // it can be made, where the role may
	case has == "" && could == "":
		return fmt.Errorf("ATRIUM_VECTORS is pgvector, but the PostgreSQL server has no extension vector; install pgvector %d.%d or newer on it"+or, least[0], least[1])
	case !fits(has) && fits(could):
		return fmt.Errorf("ATRIUM_VECTORS is pgvector, but the extension vector in the database is of version %s; as its owner, run ALTER EXTENSION vector UPDATE in the database"+or, has)
	case !fits(has):
		return fmt.Errorf("ATRIUM_VECTORS is pgvector, but the extension vector is of version %s; install pgvector %d.%d or newer on the PostgreSQL server, and where the database has the extension, run ALTER EXTENSION vector UPDATE"+or, cmp.Or(has, could), least[0], least[1])
	}
	return nil
}

func fits(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major > least[0] || major == least[0] && minor >= least[1])
}

type versions struct {
	Has   string `db:"has"`
	Could string `db:"could"`
}

func (s *Store) install(ctx context.Context) error {
	v, err := db.One[versions](ctx, s.DB, `SELECT COALESCE((SELECT extversion FROM pg_extension WHERE extname = ?), '') AS has,
		COALESCE((SELECT default_version FROM pg_available_extensions WHERE name = ?), '') AS could`, Name, Name)
	if err != nil {
		return err
	}
	if err := Fit(true, v.Has, v.Could); err != nil {
		return err
	}
	if v.Has == "" {
		if err := s.run(ctx, `CREATE EXTENSION IF NOT EXISTS vector`); err != nil {
			return fmt.Errorf("ATRIUM_VECTORS is pgvector, but the extension vector is not in the database and this role may not make it; as a superuser, run CREATE EXTENSION vector in the database, or set ATRIUM_VECTORS=memory: %w", err)
		}
	}
	there, err := db.One[bool](ctx, s.DB, `SELECT to_regclass('piece_vector') IS NOT NULL`)
	if err != nil || there {
		return err
	}
	return s.run(ctx, schema...)
}

func (s *Store) run(ctx context.Context, statements ...string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, q := range statements {
			if _, err := db.Exec(ctx, tx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// No row refers to another table: what is derived holds nothing back.
var schema = []string{
	`CREATE TABLE vector_space (
		id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
		embedder TEXT NOT NULL,
		dims BIGINT NOT NULL,
		UNIQUE (embedder, dims)
	)`,
	// All changes up to seq are in; those up to the cursor are, too, when a catching
	// up broke off. A change is named by the number it got and the document. Where seq
	// is -1 the rows there are still have to go.
	`CREATE TABLE vector_index (
		org_id BIGINT NOT NULL,
		corpus_id BIGINT NOT NULL,
		embedder TEXT NOT NULL,
		seq BIGINT NOT NULL,
		cursor_seq BIGINT NOT NULL,
		cursor_document BIGINT NOT NULL,
		PRIMARY KEY (org_id, corpus_id, embedder)
	)`,
	// total is a 64-bit integer a component, in units of half's smallest number.
	`CREATE TABLE vector_sum (
		org_id BIGINT NOT NULL,
		corpus_id BIGINT NOT NULL,
		space_id BIGINT NOT NULL,
		pieces BIGINT NOT NULL,
		total BYTEA NOT NULL,
		PRIMARY KEY (org_id, corpus_id, space_id)
	)`,
	`CREATE TABLE piece_vector (
		org_id BIGINT NOT NULL,
		corpus_id BIGINT NOT NULL,
		document_id BIGINT NOT NULL,
		piece_id BIGINT NOT NULL,
		space_id BIGINT NOT NULL,
		v halfvec NOT NULL,
		PRIMARY KEY (piece_id, space_id)
	)`,
	// Beside the row as long as it fits: comparing all reads every one.
	`ALTER TABLE piece_vector ALTER COLUMN v SET STORAGE MAIN`,
	`CREATE INDEX piece_vector_corpus ON piece_vector (org_id, corpus_id, document_id)`,
	`SELECT atrium_wall('vector_index')`,
	`SELECT atrium_wall('vector_sum')`,
	`SELECT atrium_wall('piece_vector')`,
}

// space gives the number of what is comparable; 0 when nothing of it was ever stored.
func (s *Store) space(ctx context.Context, q db.Querier, x space) (int64, error) {
	s.mu.Lock()
	id := s.spaces[x]
	s.mu.Unlock()
	if id > 0 {
		return id, nil
	}
	return db.One[int64](ctx, q, `SELECT COALESCE(MAX(id), 0) FROM vector_space WHERE embedder = ? AND dims = ?`, x.embedder, x.dims)
}

// makeSpace is space, made in the transaction when it is new. Only a number that is
// committed is remembered.
func (s *Store) makeSpace(ctx context.Context, tx *db.Tx, x space) (int64, error) {
	id, err := s.space(ctx, tx, x)
	if err != nil || id > 0 {
		return id, err
	}
	id, err = db.One[int64](ctx, tx, `INSERT INTO vector_space (embedder, dims) VALUES (?, ?) ON CONFLICT (embedder, dims) DO UPDATE SET dims = excluded.dims RETURNING id`, x.embedder, x.dims)
	tx.AfterCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spaces[x] = id
	})
	return id, err
}
