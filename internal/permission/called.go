package permission

import (
	"context"
	"strings"

	"atrium/internal/authz"
	"atrium/internal/db"
)

// PersonCalled finds somebody whom the caller sees by their address; db.ErrNone
// when there is nobody.
func PersonCalled(ctx context.Context, q db.Querier, sc authz.Scope, email string) (int64, error) {
	see, args := sc.Where(authz.View, authz.User, "u")
	return db.One[int64](ctx, q, `SELECT u.id FROM users u WHERE u.email_key = ? AND u.is_deleted = FALSE AND `+see,
		append([]any{strings.ToLower(strings.TrimSpace(email))}, args...)...)
}

// TeamCalled finds a team that the caller sees by its name.
func TeamCalled(ctx context.Context, q db.Querier, sc authz.Scope, name string) (int64, error) {
	see, args := sc.Where(authz.View, authz.Team, "t")
	return db.One[int64](ctx, q, `SELECT t.id FROM team t WHERE t.name = ? AND t.is_deleted = FALSE AND `+see, append([]any{name}, args...)...)
}
