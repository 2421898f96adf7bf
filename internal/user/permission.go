package user

import (
	"context"
	"errors"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Forget makes every change of people, credentials and permissions count at
// once in this process.
func (u *Users) Forget() { u.cache.forget() }

// Principal is what a person of the organization would be when signed in, for
// explaining what they may do.
func (u *Users) Principal(ctx context.Context, q db.Querier, orgID, userID int64) (*authz.Principal, error) {
	a, err := db.One[actor](ctx, q, `SELECT `+actorColumns+` FROM users p WHERE p.org_id = ? AND p.id = ? AND p.is_deleted = FALSE`, orgID, userID)
	if errors.Is(err, db.ErrNone) {
		return nil, notFound(userID)
	}
	if err != nil {
		return nil, err
	}
	return a.principal(ctx, q, authz.ByToken, []string{"*"})
}

func notFound(id int64) error {
	return fail.NotFound("user %d is unknown or not visible to you; check the id", id)
}

// held are the rules of the permission sets and rights that a person holds.
func held(ctx context.Context, q db.Querier, orgID, userID int64) ([]authz.Rule, error) {
	type row struct {
		Kind  string       `db:"kind"`
		Name  string       `db:"name"`
		Rules []authz.Rule `db:"rules,json"`
	}
	rows, err := db.All[row](ctx, q, `SELECT h.kind, COALESCE(ps.name, h.name) AS name, ps.rules FROM user_permission h
		LEFT JOIN permission_set ps ON ps.id = h.set_id AND ps.org_id = h.org_id AND ps.is_deleted = FALSE
		WHERE h.user_id = ? AND h.org_id = ? AND h.kind <> 'role' ORDER BY h.id`, userID, orgID)
	if err != nil {
		return nil, err
	}
	var out []authz.Rule
	for _, h := range rows {
		if h.Kind == kindRight {
			if r, err := authz.Right(h.Name); err == nil {
				out = append(out, r)
			}
		}
		for _, r := range h.Rules {
			r.From = "the permission set " + h.Name
			out = append(out, r)
		}
	}
	return out, nil
}

// What a row of user_permission is.
const (
	kindRole  = "role"  // of users.role, one a person
	kindSet   = "set"   // a permission set
	kindRight = "right" // one action on one resource
)
