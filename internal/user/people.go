package user

import (
	"context"
	"errors"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// row is a person as stored, joined with their organization.
type row struct {
	ID         int64      `db:"id"`
	Email      string     `db:"email"`
	FirstName  string     `db:"first_name"`
	LastName   string     `db:"last_name"`
	Role       string     `db:"role"`
	IsActive   bool       `db:"is_active"`
	OrgID      int64      `db:"org_id"`
	OrgName    string     `db:"org_name"`
	Domain     string     `db:"domain"`
	SignedIn   *time.Time `db:"last_sign_in_on"`
	Invited    *time.Time `db:"invited_on"`
	CreatedBy  string     `db:"created_by"`
	CreatedOn  time.Time  `db:"created_on"`
	ModifiedBy string     `db:"modified_by"`
	ModifiedOn time.Time  `db:"modified_on"`
	Allowed    bool       `db:"allowed"`
}

const columns = `u.id, u.email, u.first_name, u.last_name, u.role, u.is_active, u.org_id, o.name AS org_name, o.domain, u.last_sign_in_on, u.invited_on,
	u.created_by, u.created_on, u.modified_by, u.modified_on`

func (r row) user() User {
	role := authz.Role(r.Role)
	return User{
		ID: r.ID, Email: r.Email, FirstName: r.FirstName, LastName: r.LastName, FullName: fullName(r.FirstName, r.LastName, r.Email),
		IsStaff: role != authz.Member, IsSuperuser: role == authz.GlobalAdmin, Role: role, IsActive: r.IsActive,
		Organization: Organization{ID: r.OrgID, Name: r.OrgName, Domain: r.Domain}, LastSignInOn: r.SignedIn, InvitedOn: r.Invited,
		CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn,
	}
}

// one finds a visible person, and whether the action is allowed on them.
func one(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (row, error) {
	can, canArgs := sc.Where(a, authz.User, "u")
	see, seeArgs := sc.Where(authz.View, authz.User, "u")
	args := append(canArgs, id)
	r, err := db.One[row](ctx, q, `SELECT `+columns+`, (`+can+`) AS allowed FROM users u JOIN organization o ON o.id = u.org_id
		WHERE u.id = ? AND u.is_deleted = FALSE AND `+see, append(args, seeArgs...)...)
	if errors.Is(err, db.ErrNone) {
		return row{}, notFound(id)
	}
	return r, err
}

// allowed is one for an action that not everybody may do who sees the person.
func allowed(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (row, error) {
	r, err := one(ctx, q, sc, id, a)
	if err == nil && !r.Allowed {
		err = fail.Forbidden("you may not %s this user; ask a Global Admin", a)
	}
	return r, err
}

// Get is one person of the organization.
func (u *Users) Get(ctx context.Context, sc authz.Scope, id int64) (User, error) {
	r, err := one(ctx, u.db, sc, id, authz.View)
	return r.user(), err
}

// Me is the person who acts.
func (u *Users) Me(ctx context.Context, sc authz.Scope) (User, error) {
	return u.Get(ctx, sc, sc.User())
}

// ByEmail is the person with an address: for admins, and oneself.
func (u *Users) ByEmail(ctx context.Context, sc authz.Scope, email string) (User, error) {
	none := fail.NotFound("no user with this address is known or visible to you; check it")
	key := strings.ToLower(strings.TrimSpace(email))
	if !isAdmin(sc) && key != strings.ToLower(sc.Email()) {
		return User{}, none
	}
	id, err := db.One[int64](ctx, u.db, `SELECT id FROM users WHERE email_key = ? AND org_id = ? AND is_deleted = FALSE`, key, sc.Org())
	if errors.Is(err, db.ErrNone) {
		return User{}, none
	}
	if err != nil {
		return User{}, err
	}
	return u.Get(ctx, sc, id)
}

func isAdmin(sc authz.Scope) bool {
	return sc.IsAdmin() || sc.Principal().Role == authz.ApplicationAdmin
}

// Filter chooses people of a list.
type Filter struct {
	api.Paging
	Role     string `query:"role" enum:"Global Admin,Application Admin,User" doc:"Only people with this role."`
	IsActive string `query:"is_active" enum:"true,false" doc:"Only people who may sign in, or may not."`
}

// sorting are the fields that people can be ordered by.
var sorting = map[string]string{
	"created_on": "u.created_on", "modified_on": "u.modified_on", "email": "u.email_key", "name": "lower(u.first_name || ' ' || u.last_name)",
	"last_sign_in_on": "COALESCE(u.last_sign_in_on, 0)",
}

// List is a page of the people of the organization.
func (u *Users) List(ctx context.Context, sc authz.Scope, f Filter) ([]User, int, error) {
	where, args := sc.Where(authz.View, authz.User, "u")
	where = "u.is_deleted = FALSE AND " + where
	if f.Role != "" {
		where += ` AND u.role = ?`
		args = append(args, f.Role)
	}
	if f.IsActive != "" {
		where += ` AND u.is_active = ?`
		args = append(args, f.IsActive == "true")
	}
	return api.Page(ctx, u.db, f.Paging, api.Listing{
		Columns: columns, Tables: `users u JOIN organization o ON o.id = u.org_id`, Counted: `users u`, Where: where, Args: args,
		Search: []string{"u.first_name || ' ' || u.last_name", "u.email"}, Order: sorting, ID: "u.id",
	}, row.user)
}

// Patch changes what is sent of a person.
type Patch struct {
	FirstName *string `json:"first_name,omitempty" nullable:"true" maxLength:"100"`
	LastName  *string `json:"last_name,omitempty" nullable:"true" maxLength:"100"`
	Role      *string `json:"role,omitempty" nullable:"true" enum:"Global Admin,Application Admin,User" doc:"Changed by Global Admins only, and never one's own."`
	IsActive  *bool   `json:"is_active,omitempty" nullable:"true" doc:"Whether they may act; changed by admins only, and never one's own. False ends their sessions, keys and streams."`
}

// Update changes a person.
func (u *Users) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (User, error) {
	err := u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := allowed(ctx, tx, sc, id, authz.Edit)
		if err != nil {
			return err
		}
		if p.Role != nil && *p.Role != r.Role {
			if err := u.setRole(ctx, tx, sc, id, authz.Role(*p.Role)); err != nil {
				return err
			}
		}
		if p.IsActive != nil && *p.IsActive != r.IsActive {
			if err := u.setActive(ctx, tx, sc, r, *p.IsActive); err != nil {
				return err
			}
		}
		audit.Tell(ctx, "from", map[string]any{"first_name": r.FirstName, "last_name": r.LastName, "role": r.Role, "is_active": r.IsActive})
		for field, text := range map[*string]*string{&r.FirstName: p.FirstName, &r.LastName: p.LastName} {
			if text != nil {
				*field = strings.TrimSpace(*text)
			}
		}
		_, err = db.Exec(ctx, tx, `UPDATE users SET first_name = ?, last_name = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
			r.FirstName, r.LastName, sc.Email(), time.Now(), id, sc.Org())
		return err
	})
	if err != nil {
		return User{}, err
	}
	return u.Get(ctx, sc, id)
}

func (u *Users) setActive(ctx context.Context, tx *db.Tx, sc authz.Scope, r row, active bool) error {
	switch {
	case r.ID == sc.User():
		return fail.Forbidden("you cannot deactivate yourself; ask another admin")
	case !isAdmin(sc):
		return fail.Forbidden("only admins say who may act; ask one")
	}
	if !active {
		if err := keepAnAdmin(ctx, tx, r); err != nil {
			return err
		}
		if err := u.end(ctx, tx, r.ID, ""); err != nil {
			return err
		}
	}
	tx.AfterCommit(u.cache.forget)
	_, err := db.Exec(ctx, tx, `UPDATE users SET is_active = ? WHERE id = ? AND org_id = ?`, active, r.ID, sc.Org())
	return err
}

// end ends all sessions of a person but those of one family, and what was
// mailed to them to sign in with.
func (u *Users) end(ctx context.Context, tx *db.Tx, userID int64, butFamily string) error {
	now := time.Now()
	tx.AfterCommit(u.cache.forget)
	if _, err := db.Exec(ctx, tx, `UPDATE session SET revoked_on = ? WHERE user_id = ? AND family <> ? AND revoked_on IS NULL`, now, userID, butFamily); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE user_id = ? AND used_on IS NULL`, now, userID)
	return err
}

// setRole gives a person a role, in the two places where it stands. Only those
// who may manage permissions give and take roles, for every change concerns an
// admin's.
func (u *Users) setRole(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, role authz.Role) error {
	if d := sc.Can(authz.To(authz.Manage, authz.Permission)); !d.Allowed {
		return fail.Forbidden("%s", d.Reason)
	}
	r, err := one(ctx, tx, sc, id, authz.View)
	if err != nil {
		return err
	}
	if role != authz.GlobalAdmin {
		if err := keepAnAdmin(ctx, tx, r); err != nil {
			return err
		}
	}
	if id == sc.User() {
		return fail.Forbidden("you cannot change your own role; ask another Global Admin")
	}
	now := time.Now()
	tx.AfterCommit(u.cache.forget)
	if _, err := db.Exec(ctx, tx, `UPDATE users SET role = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, string(role), sc.Email(), now, id, sc.Org()); err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE user_permission SET name = ?, modified_by = ?, modified_on = ? WHERE user_id = ? AND org_id = ? AND kind = ?`,
		string(role), sc.Email(), now, id, sc.Org(), kindRole)
	return err
}

// keepAnAdmin refuses what would leave the organization without a Global Admin
// who may act. It holds their rows, so that two cannot remove each other.
func keepAnAdmin(ctx context.Context, tx *db.Tx, r row) error {
	if authz.Role(r.Role) != authz.GlobalAdmin {
		return nil
	}
	ids, err := db.All[int64](ctx, tx, `SELECT id FROM users WHERE org_id = ? AND role = ? AND is_active = TRUE AND is_deleted = FALSE ORDER BY id`+tx.Pick("", " FOR UPDATE"),
		r.OrgID, string(authz.GlobalAdmin))
	if err == nil && len(ids) == 1 && ids[0] == r.ID {
		err = fail.Conflict("this is the last Global Admin of the organization; make somebody else one first")
	}
	return err
}

// memberships are where a person is entered by their id. What they own stays
// and goes on naming them.
var memberships = []string{"team_user", "project_user", "agent_user", "corpus_grant", "user_identity"}

// Delete takes a person out of the organization.
func (u *Users) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return u.remove(ctx, tx, sc, id) })
}

func (u *Users) remove(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64) error {
	r, err := allowed(ctx, tx, sc, id, authz.Delete)
	if err != nil {
		return err
	}
	if err := keepAnAdmin(ctx, tx, r); err != nil {
		return err
	}
	if id == sc.User() {
		return fail.Conflict("you cannot delete your own account; ask another admin")
	}
	if err := u.end(ctx, tx, id, ""); err != nil {
		return err
	}
	now := time.Now()
	for _, table := range memberships {
		if _, err := db.Exec(ctx, tx, `DELETE FROM `+table+` WHERE user_id = ? AND org_id = ?`, id, sc.Org()); err != nil {
			return err
		}
	}
	if _, err := db.Exec(ctx, tx, `DELETE FROM user_permission WHERE user_id = ? AND org_id = ? AND kind <> ?`, id, sc.Org(), kindRole); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, `UPDATE api_key SET revoked_on = ? WHERE user_id = ? AND org_id = ? AND revoked_on IS NULL`, now, id, sc.Org()); err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE users SET is_deleted = TRUE, is_active = FALSE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), now, id, sc.Org())
	return err
}

// Result is what became of one of several.
type Result struct {
	ID      int64  `json:"id"`
	Success bool   `json:"success"`
	Message string `json:"message" doc:"Why not, when it is not."`
}

// DeleteMany deletes those it may, and says of each what became of it.
func (u *Users) DeleteMany(ctx context.Context, sc authz.Scope, ids []int64) ([]Result, error) {
	var out []Result
	err := u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		out = make([]Result, 0, len(ids))
		for _, id := range ids {
			err := u.remove(ctx, tx, sc, id)
			refused, ok := errors.AsType[*fail.Error](err)
			switch {
			case err == nil:
				out = append(out, Result{id, true, "User deleted"})
			case ok:
				out = append(out, Result{id, false, refused.Message})
			default:
				return err
			}
		}
		return nil
	})
	return out, err
}

// Invitation is a person to be made by an admin.
type Invitation struct {
	Email     string  `json:"email" minLength:"3" maxLength:"254"`
	FirstName string  `json:"first_name,omitempty" maxLength:"100"`
	LastName  string  `json:"last_name,omitempty" maxLength:"100"`
	Role      *string `json:"role,omitempty" nullable:"true" enum:"Global Admin,Application Admin,User" doc:"User when none is sent. Only Global Admins make admins."`
	Password  *string `json:"password,omitempty" nullable:"true" minLength:"8" maxLength:"256" doc:"Without one they choose it by the invitation, or sign in another way."`
	Send      *bool   `json:"send_invitation,omitempty" nullable:"true" doc:"Whether a mail invites them; it does unless this is false, when the server can send mail."`
}

// Inviter mails an invitation; it is sent if the transaction is committed.
type Inviter interface {
	Invite(ctx context.Context, tx *db.Tx, orgID, userID int64, by string) error
}

// SetInviter says who mails invitations; without one nothing is sent.
func (u *Users) SetInviter(i Inviter) { u.inviter = i }

// Invite makes a person of the organization and invites them.
func (u *Users) Invite(ctx context.Context, sc authz.Scope, in Invitation) (User, error) {
	role := authz.Member
	if in.Role != nil {
		role = authz.Role(*in.Role)
	}
	if d := sc.Can(authz.To(authz.Manage, authz.Permission)); role != authz.Member && !d.Allowed {
		return User{}, fail.Forbidden("only Global Admins make admins; ask one, or make a %s", authz.Member)
	}
	d := Draft{OrgID: sc.Org(), Email: in.Email, FirstName: strings.TrimSpace(in.FirstName), LastName: strings.TrimSpace(in.LastName), Role: role, By: sc.Email()}
	if in.Password != nil {
		hash, err := u.newHash(ctx, *in.Password, "password")
		if err != nil {
			return User{}, err
		}
		d.hash = hash
	}
	var id int64
	err := u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// The address of somebody who was deleted here is free again.
		_, err := db.Exec(ctx, tx, `UPDATE users SET email_key = 'deleted ' || id || ' ' || email_key WHERE email_key = ? AND org_id = ? AND is_deleted = TRUE`,
			strings.ToLower(strings.TrimSpace(in.Email)), sc.Org())
		if err != nil {
			return err
		}
		if id, err = u.Create(ctx, tx, d); err != nil {
			return err
		}
		audit.About(ctx, id)
		if u.inviter == nil || in.Send != nil && !*in.Send {
			return nil
		}
		if _, err := db.Exec(ctx, tx, `UPDATE users SET invited_on = ? WHERE id = ? AND org_id = ?`, time.Now(), id, sc.Org()); err != nil {
			return err
		}
		return u.inviter.Invite(ctx, tx, sc.Org(), id, sc.Email())
	})
	if err != nil {
		return User{}, err
	}
	return u.Get(ctx, sc, id)
}

// ownOrganization answers another's id like an unknown one.
func ownOrganization(sc authz.Scope, id int64) error {
	if id != sc.Org() {
		return fail.NotFound("organization %d is unknown or not visible to you; check the id", id)
	}
	return nil
}
