package server_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
				if says, well, err := server.DescribeVectors(t.Context(), set); err != nil || !well || !strings.Contains(says, c.says) {
					t.Errorf("the doctor says %q, that it is well: %v, %v", says, well, err)
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

func TestTheDoctorTellsWhenPostgreSQLHasTooLittleMemoryForTheIndex(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	for _, c := range []struct {
		indexes, kept int64
		says          string // empty: nothing
	}{
		{0, 128 * mega, ""},
		{96 * mega, 128 * mega, ""},
		{116 * mega, 128 * mega, "has 116 MB, but PostgreSQL keeps only 128 MB"},
		{116 * mega, 128 * mega, "to 256 MB or more"},
		{1160 * mega, 1024 * mega, "to 1792 MB or more"},
	} {
		if says, well := server.Roomy(c.indexes, c.kept); well != (c.says == "") || !strings.Contains(says, c.says) {
			t.Errorf("of %d in %d it says %q, that it is well: %v", c.indexes, c.kept, says, well)
		}
	}
	// What is advised is enough.
	rapid.Check(t, func(t *rapid.T) {
		indexes := rapid.Int64Range(1, 1<<40).Draw(t, "indexes")
		says, _ := server.Roomy(indexes, 0)
		var advised int64
		if _, err := fmt.Sscanf(says[strings.LastIndex(says, "to ")+3:], "%d MB", &advised); err != nil {
			t.Fatal(err)
		}
		if _, well := server.Roomy(indexes, advised*mega); !well {
			t.Errorf("%d MB are advised for %d, which is not enough", advised, indexes)
		}
	})
}

func TestAServerStartsWithVectorsInPostgreSQL(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite, func(c *server.Config) { c.DatabaseURL, c.Vectors = dbtest.VectorOptions(t).URL, "pgvector" })
	there, err := db.One[bool](t.Context(), h.Server.DB(), `SELECT to_regclass('piece_vector') IS NOT NULL`)
	if err != nil || !there {
		t.Errorf("the table of vectors is there: %v, %v", there, err)
	}
}
