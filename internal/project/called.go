package project

import (
	"context"

	"atrium/internal/authz"
	"atrium/internal/db"
)

// Name is what a project of the organization is called.
func Name(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (string, error) {
	return db.One[string](ctx, q, `SELECT name FROM project WHERE org_id = ? AND id = ?`, sc.Org(), id)
}

// Called finds a project that the caller may put agents into by its name;
// db.ErrNone when there is none.
func Called(ctx context.Context, q db.Querier, sc authz.Scope, name string) (int64, error) {
	use, args := sc.Where(authz.Use, authz.Project, "p")
	return db.One[int64](ctx, q, `SELECT p.id FROM project p WHERE p.name = ? AND p.is_deleted = FALSE AND `+use, append([]any{name}, args...)...)
}
