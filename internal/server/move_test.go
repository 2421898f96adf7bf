package server_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

func TestAServerAnswersAlikeAfterItMovedToPostgreSQL(t *testing.T) { //nolint:tparallel // one server after the other
	t.Parallel()
	data := t.TempDir()
	var agent, corpus int64
	var want, docs []string
	t.Run("on SQLite", func(t *testing.T) { // which stops its server at its end
		c := servertest.Start(t, db.SQLite, func(c *server.Config) { c.Data = data }).Admin(t)
		agent, corpus = addBirds(t, c)
		want, docs = birdsFound(t, c, corpus), birdsListed(t, c, corpus)
	})
	address := dbtest.PostgresURL(t)
	move := func() {
		t.Helper()
		from, err := db.Open(t.Context(), db.Options{Dir: data})
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		to, err := db.Open(t.Context(), db.Options{URL: address})
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		if err := db.Copy(t.Context(), from, to, func(db.Copied) {}); err != nil {
			t.Fatal(err)
		}
	}
	move()
	moved := servertest.Start(t, db.SQLite, func(c *server.Config) { c.DatabaseURL, c.Data = address, data })
	d := moved.Admin(t)
	if diff := cmp.Diff(want, birdsFound(t, d, corpus)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(docs, birdsListed(t, d, corpus)); diff != "" {
		t.Error(diff)
	}
	uploadBird(d, t, corpus, "storks.md", "# Storks\n\nStorks clatter with their bills.")
	d.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", agent), map[string]any{"user_query": "Where do herons stand?"}).Want(t, 200)
}
