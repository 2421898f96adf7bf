package server

import (
	"context"
	"fmt"

	"atrium/internal/db"
	"atrium/internal/retrieval/pgvector"
)

// Where vectors are searched.
const (
	vectorsMemory   = "memory"
	vectorsDatabase = "pgvector"
)

func (c *Config) checkVectors() error {
	switch {
	case c.Vectors == vectorsDatabase && c.DatabaseURL == "":
		return pgvector.Fit(false, "", "")
	case c.Vectors != vectorsMemory && c.Vectors != vectorsDatabase:
		return fmt.Errorf("ATRIUM_VECTORS is %q; it must be %s or %s", c.Vectors, vectorsMemory, vectorsDatabase)
	}
	return nil
}

// openVectors makes the store of vectors in the database; nil when they are in memory.
func (s *Server) openVectors(ctx context.Context) (*pgvector.Store, error) {
	if s.cfg.Vectors != vectorsDatabase {
		return nil, nil
	}
	return pgvector.Open(ctx, pgvector.Options{DB: s.db, Log: s.log})
}

// DescribeVectors says where vectors are searched, and whether it is well so; an error
// tells what keeps the server from it.
func DescribeVectors(ctx context.Context, c Config) (where string, well bool, err error) {
	if c.Vectors != vectorsDatabase {
		return "in the memory of the server", true, nil
	}
	has, could, err := db.Extension(ctx, c.DatabaseURL, pgvector.Name)
	if err == nil {
		err = pgvector.Fit(true, has, could)
	}
	if err != nil {
		return "", false, err
	}
	if has == "" {
		return "in PostgreSQL, by pgvector " + could + ", which is not in the database yet; the next start makes it, if the role may", true, nil
	}
	indexes, kept, err := pgvector.Room(ctx, c.DatabaseURL)
	where, well = roomy(indexes, kept)
	return "in PostgreSQL, by pgvector " + has + where, well, err
}

// roomy tells whether PostgreSQL keeps an index of so many bytes in memory beside
// everything else, and what to do when not.
func roomy(indexes, kept int64) (note string, well bool) {
	const mega = 1 << 20
	if indexes <= kept/4*3 {
		return "", true
	}
	return fmt.Sprintf(", whose index has %d MB, but PostgreSQL keeps only %d MB of all tables in its memory, so that searches by meaning take twice the time and more; set shared_buffers of PostgreSQL to %d MB or more",
		indexes/mega, kept/mega, (indexes/3*4/mega+256)/256*256), false
}
