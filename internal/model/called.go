package model

import (
	"context"

	"atrium/internal/authz"
	"atrium/internal/db"
)

// Name is what a configuration of the organization is called.
func Name(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (string, error) {
	return db.One[string](ctx, q, `SELECT name FROM llm_configuration WHERE org_id = ? AND id = ?`, sc.Org(), id)
}

// Called finds a configuration that the caller sees by its name; db.ErrNone when
// there is none.
func Called(ctx context.Context, q db.Querier, sc authz.Scope, name string) (int64, error) {
	see, args := sc.Where(authz.View, authz.LLMConfig, "c")
	return db.One[int64](ctx, q, `SELECT c.id FROM llm_configuration c WHERE c.name = ? AND c.is_deleted = FALSE AND `+see, append([]any{name}, args...)...)
}
