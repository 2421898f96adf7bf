package org

import (
	"context"
	"errors"
	"slices"
	"strings"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// The roles on a place.
const (
	Owner  = "Owner" // made it; stays
	Admin  = "Admin" // edits, deletes, says who belongs to it
	Member = "Member"
)

// Person is a user in short.
type Person struct {
	ID        int64  `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	FullName  string `json:"full_name"`
}

// Membership is a person with their role on a place.
type Membership struct {
	User     Person `json:"user"`
	Role     string `json:"role" enum:"Owner,Admin,Member"`
	ViaTeams bool   `json:"via_teams" doc:"Whether they belong to it only because a team of theirs does; always false for a team."`
}

// Joining says who is to belong to a place.
type Joining struct {
	UserIDs []int64  `json:"user_ids,omitempty" nullable:"true" maxItems:"200" doc:"People to add, all with the role beside."`
	Role    *string  `json:"role,omitempty" nullable:"true" enum:"Admin,Member" doc:"Of user_ids. Who is new becomes a Member when it is left out; who belongs to it already keeps their role."`
	Users   []Joiner `json:"users,omitempty" nullable:"true" maxItems:"200" doc:"People to add, each with a role of their own."`
}

// Joiner is a person to be added.
type Joiner struct {
	UserID int64   `json:"user_id" minimum:"1"`
	Role   *string `json:"role,omitempty" nullable:"true" enum:"Admin,Member"`
}

// Joined are the people who were named, as they belong to the place now.
type Joined struct {
	Users []Membership `json:"users" nullable:"false"`
}

// Role is a new role of a member.
type Role struct {
	Role string `json:"role" enum:"Admin,Member"`
}

// SortMembers are the fields that members can be ordered by.
func SortMembers() []string { return []string{"created_on", "email", "first_name", "last_name"} }

// everyone is a table of who belongs to the place with the id, with the
// arguments it takes. A team's members are Members of its projects.
func (p Place) everyone(id int64) (string, []any) {
	direct := `SELECT m.user_id, m.role, FALSE AS via_teams FROM ` + p.members() + ` m WHERE m.` + p.column() + ` = ?`
	if p != Projects {
		return "(" + direct + ")", []any{id}
	}
	return `(` + direct + ` UNION ALL SELECT DISTINCT tu.user_id, 'Member' AS role, TRUE AS via_teams
		FROM project_team pt JOIN team_user tu ON tu.team_id = pt.team_id WHERE pt.project_id = ?
		AND NOT EXISTS (SELECT 1 FROM project_user pu WHERE pu.project_id = pt.project_id AND pu.user_id = tu.user_id))`, []any{id, id}
}

type memberRow struct {
	ID        int64  `db:"id"`
	Email     string `db:"email"`
	FirstName string `db:"first_name"`
	LastName  string `db:"last_name"`
	Role      string `db:"role"`
	ViaTeams  bool   `db:"via_teams"`
}

func (r memberRow) membership() Membership {
	full := strings.TrimSpace(r.FirstName + " " + r.LastName)
	if full == "" {
		full = r.Email
	}
	return Membership{Person{r.ID, r.Email, r.FirstName, r.LastName, full}, r.Role, r.ViaTeams}
}

// Members is a page of who belongs to a place that the caller may see.
func (p Place) Members(ctx context.Context, q db.Querier, sc authz.Scope, id int64, page api.Paging) ([]Membership, int, error) {
	if _, err := p.Load(ctx, q, sc, id, authz.View); err != nil {
		return nil, 0, err
	}
	people, args := p.everyone(id)
	see, seeArgs := sc.Where(authz.View, authz.User, "u")
	return api.Page(ctx, q, page, api.Listing{
		Columns: `u.id, u.email, u.first_name, u.last_name, x.role, x.via_teams`,
		Tables:  people + ` x JOIN users u ON u.id = x.user_id`, Where: `u.is_deleted = FALSE AND ` + see, Args: append(args, seeArgs...),
		Search: []string{"u.email", "u.first_name", "u.last_name"},
		Order:  map[string]string{"created_on": "u.created_on", "email": "u.email", "first_name": "lower(u.first_name)", "last_name": "lower(u.last_name)"}, ID: "u.id",
	}, memberRow.membership)
}

// Claim makes the caller the Owner of a place that they have just made.
func (p Place) Claim(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64) error {
	_, err := db.Exec(ctx, tx, `INSERT INTO `+p.members()+` (org_id, `+p.column()+`, user_id, role) VALUES (?, ?, ?, 'Owner')`, sc.Org(), id, sc.User())
	return err
}

// joiners is everybody named, once.
func (j Joining) joiners() ([]Joiner, error) {
	var out []Joiner
	at := map[int64]int{}
	for _, id := range j.UserIDs {
		at[id] = len(out)
		out = append(out, Joiner{id, j.Role})
	}
	for _, u := range j.Users {
		if i, twice := at[u.UserID]; twice {
			out[i].Role = u.Role
			continue
		}
		at[u.UserID] = len(out)
		out = append(out, u)
	}
	if len(out) == 0 {
		return nil, fail.InvalidField("user_ids", "user_ids: name whom to add, here or in users")
	}
	return out, nil
}

// Add lets people belong to a place: all of them or none. Whoever belongs to it
// already gets the role that is sent.
func (p Place) Add(ctx context.Context, d *db.DB, sc authz.Scope, id int64, j Joining) (Joined, error) {
	var out Joined
	err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		place, err := p.Load(ctx, tx, sc, id, authz.Manage)
		if err != nil {
			return err
		}
		who, err := j.joiners()
		if err != nil {
			return err
		}
		ids := make([]int64, len(who))
		for i, x := range who {
			ids[i] = x.UserID
		}
		if err := People(ctx, tx, sc, ids...); err != nil {
			return err
		}
		for _, x := range who {
			if err := p.join(ctx, tx, sc, place, x); err != nil {
				return err
			}
		}
		out.Users, err = p.named(ctx, tx, id, ids)
		return err
	})
	return out, err
}

func (p Place) join(ctx context.Context, tx *db.Tx, sc authz.Scope, place Found, x Joiner) error {
	role := Member
	then := "DO NOTHING"
	if x.Role != nil {
		role, then = *x.Role, "DO UPDATE SET role = excluded.role"
		if err := p.unlessOwner(ctx, tx, place, x.UserID); err != nil {
			return err
		}
	}
	_, err := db.Exec(ctx, tx, `INSERT INTO `+p.members()+` (org_id, `+p.column()+`, user_id, role) VALUES (?, ?, ?, ?)
		ON CONFLICT (`+p.column()+`, user_id) `+then, sc.Org(), place.ID, x.UserID, role)
	return err
}

// named are the members with these ids.
func (p Place) named(ctx context.Context, q db.Querier, id int64, ids []int64) ([]Membership, error) {
	people, args := p.everyone(id)
	marks, more := db.In(ids)
	rows, err := db.All[memberRow](ctx, q, `SELECT u.id, u.email, u.first_name, u.last_name, x.role, x.via_teams FROM `+people+` x
		JOIN users u ON u.id = x.user_id WHERE u.id IN (`+marks+`) ORDER BY u.id`, append(args, more...)...)
	return api.Shaped(rows, memberRow.membership), err
}

// People is the scoped loader of the users that a body names: 404 when one of
// them is unknown or not visible.
func People(ctx context.Context, q db.Querier, sc authz.Scope, ids ...int64) error {
	lock := ""
	if tx, ok := q.(*db.Tx); ok {
		lock = tx.Pick("", " FOR SHARE OF u") // nobody is deleted meanwhile
	}
	see, args := sc.Where(authz.View, authz.User, "u")
	marks, more := db.In(ids)
	found, err := db.All[int64](ctx, q, `SELECT u.id FROM users u WHERE u.is_deleted = FALSE AND `+see+` AND u.id IN (`+marks+`)`+lock, slices.Concat(args, more)...)
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, id := range found {
		known[id] = true
	}
	for _, id := range ids {
		if !known[id] {
			return fail.NotFound("user %d is unknown or not visible to you; check the id", id)
		}
	}
	return nil
}

// role is what somebody is on the place by themselves, empty for nothing.
func (p Place) role(ctx context.Context, q db.Querier, place, user int64) (string, error) {
	r, err := db.One[string](ctx, q, `SELECT role FROM `+p.members()+` WHERE `+p.column()+` = ? AND user_id = ?`, place, user)
	if errors.Is(err, db.ErrNone) {
		return "", nil
	}
	return r, err
}

func (p Place) unlessOwner(ctx context.Context, tx *db.Tx, place Found, user int64) error {
	r, err := p.role(ctx, tx, place.ID, user)
	if err == nil && r == Owner {
		err = fail.Conflict("user %d made the %s %s and stays its Owner; add others as Admin instead", user, p.table(), place.Name)
	}
	return err
}

// member is the role of a member who can be changed: not the Owner, and not
// one who only belongs to a team.
func (p Place) member(ctx context.Context, tx *db.Tx, place Found, user int64) (string, error) {
	r, err := p.role(ctx, tx, place.ID, user)
	if err != nil {
		return "", err
	}
	if r != "" {
		return r, p.unlessOwner(ctx, tx, place, user)
	}
	others, err := p.named(ctx, tx, place.ID, []int64{user})
	if err == nil && len(others) > 0 {
		return "", fail.Conflict("user %d belongs to the project %s through a team; change the team, or add them to the project by themselves", user, place.Name)
	}
	if err == nil {
		err = fail.NotFound("user %d is unknown or no member of the %s; check the id", user, p.table())
	}
	return "", err
}

// SetRole gives a member another role.
func (p Place) SetRole(ctx context.Context, d *db.DB, sc authz.Scope, id, user int64, role string) (Membership, error) {
	var out Membership
	err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		place, err := p.Load(ctx, tx, sc, id, authz.Manage)
		if err != nil {
			return err
		}
		old, err := p.member(ctx, tx, place, user)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "from", old)
		if _, err := db.Exec(ctx, tx, `UPDATE `+p.members()+` SET role = ? WHERE org_id = ? AND `+p.column()+` = ? AND user_id = ?`, role, sc.Org(), id, user); err != nil {
			return err
		}
		now, err := p.named(ctx, tx, id, []int64{user})
		if err == nil {
			out = now[0]
		}
		return err
	})
	return out, err
}

// Remove takes a member out. Everybody may take out themselves.
func (p Place) Remove(ctx context.Context, d *db.DB, sc authz.Scope, id, user int64) error {
	return d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		needs := authz.Manage
		if user == sc.User() {
			needs = authz.View
		}
		place, err := p.Load(ctx, tx, sc, id, needs)
		if err != nil {
			return err
		}
		old, err := p.member(ctx, tx, place, user)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "from", old)
		_, err = db.Exec(ctx, tx, `DELETE FROM `+p.members()+` WHERE org_id = ? AND `+p.column()+` = ? AND user_id = ?`, sc.Org(), id, user)
		return err
	})
}

// Clear takes everybody out of a place that is going away, and the place off
// their lists.
func (p Place) Clear(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64) error {
	if _, err := db.Exec(ctx, tx, `DELETE FROM `+p.members()+` WHERE org_id = ? AND `+p.column()+` = ?`, sc.Org(), id); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, `DELETE FROM recent WHERE org_id = ? AND kind = ? AND item_id = ?`, sc.Org(), p.table(), id)
	return err
}
