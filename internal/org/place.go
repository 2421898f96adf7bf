package org

import (
	"context"
	"errors"
	"slices"
	"strings"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Place is a kind of place that people belong to. What teams and projects have
// in common is written once, over the tables that are named after the resource:
// the place's own, and its members' with the ending _user.
type Place struct{ resource authz.Resource }

// The kinds of places.
var (
	Teams    = Place{authz.Team}
	Projects = Place{authz.Project}
)

func (p Place) table() string   { return string(p.resource) }
func (p Place) members() string { return p.table() + "_user" }
func (p Place) column() string  { return p.table() + "_id" }

// Found is a place that the caller may see and act on.
type Found struct {
	ID      int64  `db:"id"`
	Name    string `db:"name"`
	Allowed bool   `db:"allowed"`
}

// NotFound is the answer for a place that is unknown or not visible.
func (p Place) NotFound(id int64) error {
	return fail.NotFound("%s %d is unknown or not visible to you; check the id", p.table(), id)
}

// CleanName is a place's name as it is kept.
func (p Place) CleanName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", fail.InvalidField("name", "name: give the %s a name", p.table())
	}
	return s, nil
}

// Taken says of a failed statement that the name belongs to another place.
func (p Place) Taken(err error, name string) error {
	if db.IsUnique(err) {
		return fail.Conflict("a %s named %s exists already; choose another name", p.table(), name)
	}
	return err
}

// Load is the scoped loader: 404 when the place is unknown or not visible, 403
// when it is visible but the action is not allowed. In a transaction it keeps
// the place as it is until the end: who looks keeps it from going away, who
// changes it keeps others from changing it.
func (p Place) Load(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (Found, error) {
	lock := ""
	if tx, ok := q.(*db.Tx); ok {
		lock = tx.Pick("", " FOR UPDATE OF x")
		if a == authz.View || a == authz.Use {
			lock = tx.Pick("", " FOR SHARE OF x")
		}
	}
	can, args := sc.Where(a, p.resource, "x")
	see, seeArgs := sc.Where(authz.View, p.resource, "x")
	f, err := db.One[Found](ctx, q, `SELECT x.id, x.name, (`+can+`) AS allowed FROM `+p.table()+` x
		WHERE x.id = ? AND x.is_deleted = FALSE AND `+see+lock, slices.Concat(args, []any{id}, seeArgs)...)
	if errors.Is(err, db.ErrNone) {
		return Found{}, p.NotFound(id)
	}
	if err != nil || f.Allowed {
		return f, err
	}
	ask, err := p.owner(ctx, q, id)
	if err != nil {
		return Found{}, err
	}
	return Found{}, fail.Forbidden("you may see the %s %s but not %s it; ask %s", p.table(), f.Name, a, ask)
}

// owner is whom to ask about a place.
func (p Place) owner(ctx context.Context, q db.Querier, id int64) (string, error) {
	email, err := db.One[string](ctx, q, `SELECT u.email FROM `+p.members()+` m JOIN users u ON u.id = m.user_id AND u.org_id = m.org_id
		WHERE m.`+p.column()+` = ? AND m.role = 'Owner' AND u.is_active = TRUE AND u.is_deleted = FALSE ORDER BY u.id LIMIT 1`, id)
	if errors.Is(err, db.ErrNone) {
		return "an administrator", nil
	}
	return "its owner " + email, err
}
