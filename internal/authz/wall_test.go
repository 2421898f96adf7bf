package authz_test

import (
	"testing"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestWhatIsDoneWithAScopeIsBehindTheWallOfItsOrganization(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	for want, s := range map[string]authz.Scope{"7": authz.For(&authz.Principal{OrgID: 7}), "8": authz.System(8)} {
		got, err := db.One[string](authz.With(t.Context(), s), d, `SELECT current_setting('atrium.org', TRUE)`)
		if err != nil || got != want {
			t.Errorf("the wall is that of organization %q, want %s: %v", got, want, err)
		}
	}
}
