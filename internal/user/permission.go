package user

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
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

// Permission is what a person holds in the organization, as the API shows it.
type Permission struct {
	ID           int64     `json:"id"`
	Kind         string    `json:"kind" enum:"role,set,right"`
	Permission   string    `json:"permission" doc:"The name of the role or permission set, or the right as resource:action."`
	SetID        *int64    `json:"set_id" nullable:"true" doc:"Of the permission set."`
	Organization InShort   `json:"organization"`
	CreatedBy    string    `json:"created_by"`
	CreatedOn    time.Time `json:"created_on"`
	ModifiedBy   string    `json:"modified_by"`
	ModifiedOn   time.Time `json:"modified_on"`
}

// InShort is an organization by name.
type InShort struct {
	ID   int64  `json:"id"`
	Name string `json:"org_name"`
}

type permissionRow struct {
	ID         int64     `db:"id"`
	Kind       string    `db:"kind"`
	Name       string    `db:"name"`
	SetID      *int64    `db:"set_id"`
	OrgID      int64     `db:"org_id"`
	OrgName    string    `db:"org_name"`
	CreatedBy  string    `db:"created_by"`
	CreatedOn  time.Time `db:"created_on"`
	ModifiedBy string    `db:"modified_by"`
	ModifiedOn time.Time `db:"modified_on"`
}

func (r permissionRow) permission() Permission {
	return Permission{r.ID, r.Kind, r.Name, r.SetID, InShort{r.OrgID, r.OrgName}, r.CreatedBy, r.CreatedOn, r.ModifiedBy, r.ModifiedOn}
}

const (
	permissionColumns = `h.id, h.kind, COALESCE(ps.name, h.name) AS name, h.set_id, h.org_id, o.name AS org_name, h.created_by, h.created_on, h.modified_by, h.modified_on`
	permissionTables  = `user_permission h JOIN organization o ON o.id = h.org_id LEFT JOIN permission_set ps ON ps.id = h.set_id AND ps.org_id = h.org_id`
)

// Permissions is a page of what a person holds: one's own, or for admins
// anybody's.
func (u *Users) Permissions(ctx context.Context, sc authz.Scope, userID int64, p api.Paging) ([]Permission, int, error) {
	if err := seesPermissions(ctx, u.db, sc, userID); err != nil {
		return nil, 0, err
	}
	where, args := sc.Where(authz.View, authz.Permission, "h")
	return api.Page(ctx, u.db, p, api.Listing{
		Columns: permissionColumns, Tables: permissionTables, Where: `h.user_id = ? AND ` + where, Args: append([]any{userID}, args...),
		Search: []string{"COALESCE(ps.name, h.name)"}, Order: map[string]string{"created_on": "h.created_on", "permission": "COALESCE(ps.name, h.name)"}, ID: "h.id",
	}, permissionRow.permission)
}

// seesPermissions asks of the person what Where asks of their permissions.
func seesPermissions(ctx context.Context, q db.Querier, sc authz.Scope, userID int64) error {
	if _, err := one(ctx, q, sc, userID, authz.View); err != nil {
		return err
	}
	see, args := sc.Where(authz.View, authz.Permission, "h")
	_, err := db.One[int64](ctx, q, `SELECT h.user_id FROM (SELECT id AS user_id, org_id FROM users) h WHERE h.user_id = ? AND `+see, append([]any{userID}, args...)...)
	if errors.Is(err, db.ErrNone) {
		return fail.Forbidden("you may see your own permissions only; ask an administrator")
	}
	return err
}

// named is what a permission's name stands for.
type named struct {
	kind  string
	name  string
	setID *int64
}

// meant finds out whether a name is a role, a right or a permission set.
func meant(ctx context.Context, tx *db.Tx, sc authz.Scope, name string) (named, error) {
	name = strings.TrimSpace(name)
	if slices.Contains(authz.Roles(), authz.Role(name)) {
		return named{kind: kindRole, name: name}, nil
	}
	id, err := db.One[int64](ctx, tx, `SELECT id FROM permission_set WHERE org_id = ? AND name = ? AND is_deleted = FALSE`, sc.Org(), name)
	if err == nil {
		return named{kindSet, name, &id}, nil
	}
	if !errors.Is(err, db.ErrNone) {
		return named{}, err
	}
	if !strings.Contains(name, ":") {
		return named{}, fail.InvalidField("permission", "permission: %q is no role, permission set or right here; rights are written like agent:edit", name)
	}
	if _, err := authz.Right(name); err != nil {
		return named{}, fail.InvalidField("permission", "permission: %s", err.Error())
	}
	return named{kind: kindRight, name: name}, nil
}

// Grant gives a person a role, a permission set or a right.
func (u *Users) Grant(ctx context.Context, sc authz.Scope, userID int64, name string, orgID *int64) (Permission, error) {
	return u.change(ctx, sc, userID, func(ctx context.Context, tx *db.Tx) (int64, error) {
		if orgID != nil {
			if err := ownOrganization(sc, *orgID); err != nil {
				return 0, err
			}
		}
		n, err := meant(ctx, tx, sc, name)
		if err != nil {
			return 0, err
		}
		if err := free(ctx, tx, userID, n); err != nil {
			return 0, err
		}
		if n.kind == kindRole {
			return roleRow(ctx, tx, userID, u.setRole(ctx, tx, sc, userID, authz.Role(n.name)))
		}
		now := time.Now()
		id, err := db.One[int64](ctx, tx, `INSERT INTO user_permission (org_id, user_id, kind, set_id, name, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, sc.Org(), userID, n.kind, n.setID, n.name, sc.Email(), now, sc.Email(), now)
		audit.About(ctx, id)
		return id, err
	})
}

// Regrant changes a permission to another of the same kind.
func (u *Users) Regrant(ctx context.Context, sc authz.Scope, userID, id int64, name string) (Permission, error) {
	return u.change(ctx, sc, userID, func(ctx context.Context, tx *db.Tx) (int64, error) {
		old, err := u.permission(ctx, tx, sc, userID, id)
		if err != nil {
			return 0, err
		}
		n, err := meant(ctx, tx, sc, name)
		if err != nil || n.kind == old.Kind && n.name == old.Name {
			return id, err
		}
		if n.kind != old.Kind {
			return 0, fail.InvalidField("permission", "permission: this one is a %s and stays one; take it away and give %q instead", old.Kind, n.name)
		}
		audit.Tell(ctx, "from", old.Name)
		if n.kind == kindRole {
			return id, u.setRole(ctx, tx, sc, userID, authz.Role(n.name))
		}
		if err := free(ctx, tx, userID, n); err != nil {
			return 0, err
		}
		_, err = db.Exec(ctx, tx, `UPDATE user_permission SET set_id = ?, name = ?, modified_by = ?, modified_on = ? WHERE id = ? AND user_id = ? AND org_id = ?`,
			n.setID, n.name, sc.Email(), time.Now(), id, userID, sc.Org())
		return id, err
	})
}

// Withdraw takes a permission away; without their role a person has the least.
func (u *Users) Withdraw(ctx context.Context, sc authz.Scope, userID, id int64) error {
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		tx.AfterCommit(u.cache.forget)
		if _, err := one(ctx, tx, sc, userID, authz.View); err != nil {
			return err
		}
		old, err := u.permission(ctx, tx, sc, userID, id)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "from", old.Name)
		switch {
		case old.Kind == kindRole && authz.Role(old.Name) == authz.Member:
			return fail.Conflict("%s is the role that everybody has at least; deactivate or delete the user instead", authz.Member)
		case old.Kind == kindRole:
			return u.setRole(ctx, tx, sc, userID, authz.Member)
		}
		_, err = db.Exec(ctx, tx, `DELETE FROM user_permission WHERE id = ? AND user_id = ? AND org_id = ?`, id, userID, sc.Org())
		return err
	})
}

// change does something to the permissions of a person and answers the one
// that it names.
func (u *Users) change(ctx context.Context, sc authz.Scope, userID int64, do func(context.Context, *db.Tx) (int64, error)) (Permission, error) {
	var r permissionRow
	err := u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		tx.AfterCommit(u.cache.forget)
		if _, err := one(ctx, tx, sc, userID, authz.View); err != nil {
			return err
		}
		id, err := do(ctx, tx)
		if err != nil {
			return err
		}
		r, err = u.permission(ctx, tx, sc, userID, id)
		return err
	})
	return r.permission(), err
}

func (u *Users) permission(ctx context.Context, q db.Querier, sc authz.Scope, userID, id int64) (permissionRow, error) {
	where, args := sc.Where(authz.Manage, authz.Permission, "h")
	r, err := db.One[permissionRow](ctx, q, `SELECT `+permissionColumns+` FROM `+permissionTables+` WHERE h.id = ? AND h.user_id = ? AND `+where, append([]any{id, userID}, args...)...)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("permission %d of user %d is unknown or not visible to you; check the ids", id, userID)
	}
	return r, err
}

// free refuses what the person holds already.
func free(ctx context.Context, tx *db.Tx, userID int64, n named) error {
	// The person's row keeps two from giving the same at once.
	if _, err := db.Exec(ctx, tx, `UPDATE users SET modified_on = modified_on WHERE id = ?`, userID); err != nil {
		return err
	}
	count, err := db.One[int64](ctx, tx, `SELECT COUNT(*) FROM user_permission WHERE user_id = ? AND kind = ? AND name = ?`, userID, n.kind, n.name)
	if err == nil && count > 0 {
		err = fail.Conflict("the user holds %s already", n.name)
	}
	return err
}

func roleRow(ctx context.Context, tx *db.Tx, userID int64, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return db.One[int64](ctx, tx, `SELECT id FROM user_permission WHERE user_id = ? AND kind = ?`, userID, kindRole)
}
