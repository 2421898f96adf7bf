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

// DescribeVectors says where vectors are searched; an error tells what keeps the server
// from it.
func DescribeVectors(ctx context.Context, c Config) (string, error) {
	if c.Vectors != vectorsDatabase {
		return "in the memory of the server", nil
	}
	has, could, err := db.Extension(ctx, c.DatabaseURL, pgvector.Name)
	if err != nil {
		return "", err
	}
	if err := pgvector.Fit(true, has, could); err != nil {
		return "", err
	}
	if has == "" {
		return "in PostgreSQL, by pgvector " + could + ", which is not in the database yet; the next start makes it, if the role may", nil
	}
	return "in PostgreSQL, by pgvector " + has, nil
}
