package server_test

import (
	"log/slog"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

func TestVectorsAreSearchedWhereTheSettingSays(t *testing.T) {
	t.Parallel()
	with, without := dbtest.VectorOptions(t).URL, dbtest.PostgresURL(t)
	for name, c := range map[string]struct {
		vectors, database string
		says              string // of the doctor
		refused           string // by the doctor and at the start
	}{
		"memory":                       {"memory", "", "in the memory of the server", ""},
		"PostgreSQL that has it":       {"pgvector", with, "in PostgreSQL, by pgvector 0.", ""},
		"PostgreSQL that may not have": {"pgvector", without, "which is not in the database yet", "run CREATE EXTENSION vector in the database"},
		"SQLite":                       {"pgvector", "", "", "the database is SQLite; set ATRIUM_DATABASE_URL"},
		"another word":                 {"disk", with, "", `ATRIUM_VECTORS is "disk"; it must be memory or pgvector`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := server.Defaults()
			set.Data, set.DatabaseURL, set.Vectors = t.TempDir(), c.database, c.vectors
			if err := set.Check(); err == nil {
				if says, err := server.DescribeVectors(t.Context(), set); err != nil || !strings.Contains(says, c.says) {
					t.Errorf("the doctor says %q, %v", says, err)
				}
			}
			if c.refused == "" {
				return
			}
			s, err := server.New(t.Context(), server.Options{Config: set, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				err = s.Close(t.Context())
				t.Fatal("it starts", err)
			}
			if !strings.Contains(err.Error(), c.refused) {
				t.Errorf("it is refused by %v", err)
			}
		})
	}
}

func TestAServerStartsWithVectorsInPostgreSQL(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite, func(c *server.Config) { c.DatabaseURL, c.Vectors = dbtest.VectorOptions(t).URL, "pgvector" })
	there, err := db.One[bool](t.Context(), h.Server.DB(), `SELECT to_regclass('piece_vector') IS NOT NULL`)
	if err != nil || !there {
		t.Errorf("the table of vectors is there: %v, %v", there, err)
	}
}
