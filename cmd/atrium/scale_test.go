package main

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"atrium/internal/bench"
	"atrium/internal/db/dbtest"
)

// The full size is `make bench ONLY=kills`.
const (
	tormented = 60
	torments  = 6
)

// Whatever is killed while it indexes, what is there in the end is what a run
// without kills leaves.
func TestIndexingIsTheSameHoweverOftenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	exe, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, o bench.KillOptions) bench.KillReport {
		t.Helper()
		o.Exe, o.Documents = exe, tormented
		r, err := bench.Kills(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Unfinished != 0 || r.Kills != o.Kills || !r.Seen || len(r.Pieces) != tormented {
			t.Errorf("%d kills, %d unfinished, %d documents with pieces, found everywhere: %v", r.Kills, r.Unfinished, len(r.Pieces), r.Seen)
		}
		return r
	}
	calm := sync.OnceValue(func() bench.KillReport { return run(t, bench.KillOptions{}) })
	t.Run("one server on SQLite", func(t *testing.T) {
		t.Parallel()
		if n := bench.Differing(calm(), run(t, bench.KillOptions{Kills: torments})); n != 0 {
			t.Errorf("%d documents differ", n)
		}
	})
	t.Run("two servers on one PostgreSQL and one bucket", func(t *testing.T) {
		t.Parallel()
		backend := s3mem.New()
		if err := backend.CreateBucket("files"); err != nil {
			t.Fatal(err)
		}
		store := httptest.NewServer(gofakes3.New(backend).Server())
		defer store.Close()
		r := run(t, bench.KillOptions{Servers: 2, Kills: torments, Env: []string{
			"ATRIUM_DATABASE_URL=" + dbtest.PostgresURL(t), "ATRIUM_MASTER_KEY=" + strings.Repeat("a1", 32),
			"ATRIUM_BLOB_URL=s3://files/atrium?region=eu-1&endpoint=" + store.URL, "ATRIUM_BLOB_ACCESS_KEY=key", "ATRIUM_BLOB_SECRET_KEY=secret",
		}})
		if n := bench.Differing(calm(), r); n != 0 {
			t.Errorf("%d documents differ", n)
		}
	})
}
