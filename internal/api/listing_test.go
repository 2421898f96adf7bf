package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"atrium/internal/api"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestEveryPageTellsHowManyThereAre(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, engine)
			rapid.Check(t, func(rt *rapid.T) {
				n := rapid.IntRange(0, 12).Draw(rt, "rows")
				p := api.Paging{Page: rapid.IntRange(1, 6).Draw(rt, "page"), PageSize: rapid.IntRange(1, 6).Draw(rt, "size"), Sort: "-id"}
				all, want := []string{`SELECT 0 AS id`}, []int{}
				for id := 1; id <= n; id++ {
					all = append(all, fmt.Sprintf(`SELECT %d`, id))
					want = append(want, n+1-id)
				}
				want = want[min(n, p.Offset()):min(n, p.Offset()+p.PageSize)]
				got, total, err := api.Rows[int](t.Context(), d, p, api.Listing{
					Columns: "t.id", Tables: "(" + strings.Join(all, " UNION ALL ") + ") t", Where: "t.id > 0",
					Order: map[string]string{"id": "t.id"}, ID: "t.id",
				})
				if err != nil || total != n || !slices.Equal(got, want) {
					rt.Errorf("it answers %v of %d, %v; want %v of %d", got, total, err, want, n)
				}
			})
		})
	}
}
