package corpus

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/permission"
)

// Grant lets a person or the members of a team reach a corpus. The owner's is
// there from the beginning and has no id.
type Grant struct {
	ID        *int64             `json:"id" nullable:"true" doc:"Null for the owner, who stays."`
	Role      string             `json:"role" enum:"Owner,Admin,Editor,Viewer"`
	User      *permission.Person `json:"user,omitempty" doc:"The person; left out when it is a team's."`
	Team      *GrantedTeam       `json:"team,omitempty" doc:"The team, whose members it follows; left out when it is a person's."`
	CreatedBy string             `json:"created_by"`
	CreatedOn time.Time          `json:"created_on"`
}

// GrantedTeam is a team in short.
type GrantedTeam struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Granting says who is to reach a corpus.
type Granting struct {
	UserID    *int64  `json:"user_id,omitempty" nullable:"true" minimum:"1"`
	UserEmail *string `json:"user_email,omitempty" nullable:"true" maxLength:"254" doc:"Instead of user_id."`
	TeamID    *int64  `json:"team_id,omitempty" nullable:"true" minimum:"1" doc:"Instead of a person: all members of the team, as they come and go."`
	Role      string  `json:"role" enum:"Viewer,Editor,Admin" doc:"Viewer sees it and searches it, Editor changes it and its documents, Admin also says who else may, and deletes it."`
}

type grantRow struct {
	ID        int64     `db:"id"` // 0 for the owner
	Role      string    `db:"role"`
	UserID    *int64    `db:"user_id"`
	Email     *string   `db:"email"`
	FirstName *string   `db:"first_name"`
	LastName  *string   `db:"last_name"`
	TeamID    *int64    `db:"team_id"`
	TeamName  *string   `db:"team_name"`
	CreatedBy string    `db:"created_by"`
	CreatedOn time.Time `db:"created_on"`
}

func (r grantRow) grant() Grant {
	g := Grant{Role: r.Role, CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn}
	if r.ID != 0 {
		g.ID = &r.ID
	}
	if r.UserID != nil && r.Email != nil {
		g.User = &permission.Person{ID: *r.UserID, Email: *r.Email, FirstName: *r.FirstName, LastName: *r.LastName}
	}
	if r.TeamID != nil && r.TeamName != nil {
		g.Team = &GrantedTeam{*r.TeamID, *r.TeamName}
	}
	return g
}

// granted are the grants of one corpus, its owner's among them; takes its id twice.
const granted = ` FROM ` + grants + ` WHERE ` + whose

const grants = `(SELECT 0 AS id, o.owner_id AS user_id, CAST(NULL AS BIGINT) AS team_id, 'Owner' AS role, o.created_by, o.created_on FROM corpus o WHERE o.id = ?
	UNION ALL SELECT cg.id, cg.user_id, cg.team_id, cg.role, cg.created_by, cg.created_on FROM corpus_grant cg WHERE cg.corpus_id = ?) g
	LEFT JOIN users u ON u.id = g.user_id LEFT JOIN team t ON t.id = g.team_id`

const whose = `COALESCE(u.is_deleted, t.is_deleted) = FALSE`

const grantColumns = `g.id, g.role, g.user_id, u.email, u.first_name, u.last_name, g.team_id, t.name AS team_name, g.created_by, g.created_on`

// Grants is a page of who may reach a corpus that the caller sees; of one
// person, through their teams too, when userID is not 0.
func (s *Corpora) Grants(ctx context.Context, sc authz.Scope, id, userID int64, p api.Paging) ([]Grant, int, error) {
	if err := document.MayOn(ctx, s.db, sc, id, authz.View); err != nil {
		return nil, 0, err
	}
	where, args := whose, []any{id, id}
	if userID != 0 {
		if _, err := permission.FindPerson(ctx, s.db, sc, userID); err != nil {
			return nil, 0, err
		}
		where += ` AND (g.user_id = ? OR g.team_id IN (SELECT tu.team_id FROM team_user tu WHERE tu.user_id = ?))`
		args = append(args, userID, userID)
	}
	return api.Page(ctx, s.db, p, api.Listing{
		Columns: grantColumns, Tables: grants, Where: where, Args: args,
		Search: []string{"COALESCE(u.email, t.name)", "u.first_name || ' ' || u.last_name"},
		Order:  map[string]string{"created_on": "g.created_on", "role": "g.role"}, ID: "g.id",
	}, grantRow.grant)
}

// to is whom a grant is for, found as the caller sees them.
func (g Granting) to(ctx context.Context, q db.Querier, sc authz.Scope) (userID, teamID *int64, err error) {
	named := 0
	for _, given := range []bool{g.UserID != nil, g.UserEmail != nil, g.TeamID != nil} {
		if given {
			named++
		}
	}
	switch {
	case named != 1:
		err = fail.Invalid("name one of user_id, user_email and team_id")
	case g.UserID != nil:
		_, err = permission.FindPerson(ctx, q, sc, *g.UserID)
		userID = g.UserID
	case g.TeamID != nil:
		err = permission.Visible(ctx, q, sc, authz.Team, *g.TeamID)
		teamID = g.TeamID
	default:
		see, args := sc.Where(authz.View, authz.User, "u")
		var id int64
		id, err = db.One[int64](ctx, q, `SELECT u.id FROM users u WHERE u.email_key = ? AND u.is_deleted = FALSE AND `+see, append([]any{strings.ToLower(strings.TrimSpace(*g.UserEmail))}, args...)...)
		if errors.Is(err, db.ErrNone) {
			err = fail.NotFound("nobody with the address %s is known in your organization; check it, or invite them first", *g.UserEmail)
		}
		userID = &id
	}
	return userID, teamID, err
}

// Grant lets a person or a team reach a corpus.
func (s *Corpora) Grant(ctx context.Context, sc authz.Scope, id int64, g Granting) (out Grant, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := s.Visible(ctx, tx, sc, id, authz.Manage)
		if err != nil {
			return err
		}
		userID, teamID, err := g.to(ctx, tx, sc)
		if err != nil {
			return err
		}
		if userID != nil && *userID == c.Owner.ID {
			return fail.Conflict("user %d owns the corpus already and needs no permission", *userID)
		}
		old, err := db.All[int64](ctx, tx, `SELECT id FROM corpus_grant WHERE org_id = ? AND corpus_id = ? AND (user_id = ? OR team_id = ?)`, sc.Org(), id, userID, teamID)
		if err != nil {
			return err
		}
		if len(old) > 0 {
			return fail.Conflict("they have the permission %d on the corpus already; change its role with PUT", old[0])
		}
		grantID, err := db.One[int64](ctx, tx, `INSERT INTO corpus_grant (org_id, corpus_id, user_id, team_id, role, created_by, created_on) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			sc.Org(), id, userID, teamID, g.Role, sc.Email(), time.Now())
		if db.IsUnique(err) {
			return fail.Conflict("they were just given a permission on the corpus; change its role with PUT")
		}
		if err != nil {
			return err
		}
		out, err = grantOf(ctx, tx, id, grantID)
		return err
	})
	return out, err
}

func grantOf(ctx context.Context, q db.Querier, corpusID, id int64) (Grant, error) {
	r, err := db.One[grantRow](ctx, q, `SELECT `+grantColumns+granted+` AND g.id = ?`, corpusID, corpusID, id)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("the corpus has no permission %d; check the id", id)
	}
	return r.grant(), err
}

// Regrant gives a grant another role.
func (s *Corpora) Regrant(ctx context.Context, sc authz.Scope, id, grantID int64, role string) (out Grant, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := document.MayOn(ctx, tx, sc, id, authz.Manage); err != nil {
			return err
		}
		if out, err = grantOf(ctx, tx, id, grantID); err != nil {
			return err
		}
		audit.Tell(ctx, "from", out)
		_, err = db.Exec(ctx, tx, `UPDATE corpus_grant SET role = ? WHERE org_id = ? AND corpus_id = ? AND id = ?`, role, sc.Org(), id, grantID)
		out.Role = role
		return err
	})
	return out, err
}

// Revoke takes a grant away. Everybody may give up their own.
func (s *Corpora) Revoke(ctx context.Context, sc authz.Scope, id, grantID int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := document.MayOn(ctx, tx, sc, id, authz.View); err != nil {
			return err
		}
		g, err := grantOf(ctx, tx, id, grantID)
		if err != nil {
			return err
		}
		return s.drop(ctx, tx, sc, id, g)
	})
}

// RevokeUser takes away what a person was given by themselves; what they have
// through a team stays.
func (s *Corpora) RevokeUser(ctx context.Context, sc authz.Scope, id, userID int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := s.Visible(ctx, tx, sc, id, authz.View)
		if err != nil {
			return err
		}
		if userID == c.Owner.ID {
			return fail.Conflict("user %d owns the corpus, which cannot be taken away", userID)
		}
		r, err := db.One[grantRow](ctx, tx, `SELECT `+grantColumns+granted+` AND g.user_id = ?`, id, id, userID)
		if errors.Is(err, db.ErrNone) {
			return fail.NotFound("user %d has no permission of their own on the corpus; check the id", userID)
		}
		if err != nil {
			return err
		}
		return s.drop(ctx, tx, sc, id, r.grant())
	})
}

func (s *Corpora) drop(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, g Grant) error {
	if g.User == nil || g.User.ID != sc.User() {
		if err := document.MayOn(ctx, tx, sc, id, authz.Manage); err != nil {
			return err
		}
	}
	audit.Tell(ctx, "from", g)
	_, err := db.Exec(ctx, tx, `DELETE FROM corpus_grant WHERE org_id = ? AND corpus_id = ? AND id = ?`, sc.Org(), id, *g.ID)
	return err
}

// Reach is a page of the people who may reach a corpus, and why: for whoever
// may manage it.
func (s *Corpora) Reach(ctx context.Context, sc authz.Scope, id int64, f permission.Asked) ([]permission.Reach, int, error) {
	if err := document.MayOn(ctx, s.db, sc, id, authz.Manage); err != nil {
		return nil, 0, err
	}
	return permission.Who(ctx, s.db, sc, authz.Corpus, id, f)
}

type grantsOf struct {
	ByID
	api.Paging
}

type grantsOfUser struct {
	ByID
	UserID int64 `path:"user_id" minimum:"1"`
	api.Paging
}

type granting struct {
	ByID
	Body Granting
}

// GrantID is a corpus and a grant in a path.
type GrantID struct {
	ByID
	Grant int64 `path:"permission_id" minimum:"1"`
}

type regranting struct {
	GrantID
	Body struct {
		Role string `json:"role" enum:"Viewer,Editor,Admin"`
	}
}

type revoking struct {
	ByID
	UserID int64 `path:"user_id" minimum:"1"`
}

type reaching struct {
	ByID
	permission.Asked
}

func (s *Corpora) mountGrants(a *api.API) {
	const group, path = "Corpora", "/api/v2/corpora/{corpus_id}/permissions"
	view, manage := authz.To(authz.View, authz.Corpus), authz.To(authz.Manage, authz.Corpus)
	sorts := []string{"created_on", "role"}
	api.Many(a, api.Op{ID: "listCorpusPermissions", Route: "GET " + path, Title: "Get all Permissions for a Corpus", Group: group, Sort: sorts,
		Doc: "Its owner and the people and teams that it was shared with. Whoever may see the corpus sees who else may.", Needs: view}, "permissions",
		func(ctx context.Context, in *grantsOf) ([]Grant, int, error) {
			return s.Grants(ctx, authz.From(ctx), in.ID, 0, in.Paging)
		})
	api.Do(a, api.Op{ID: "createCorpusPermission", Route: "POST " + path, Title: "Create a new Permission for a Corpus", Group: group, Status: http.StatusCreated, Message: "Permission created",
		Doc: "Shares the corpus with a person or with a team. Whoever has a permission already is refused with 409; change that one.", Needs: manage},
		func(ctx context.Context, in *granting) (Grant, error) {
			return s.Grant(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Do(a, api.Op{ID: "updateCorpusPermission", Route: "PUT " + path + "/{permission_id}", Title: "Update a Permission for a Corpus", Group: group, Message: "Permission updated",
		Doc: "Gives it another role, which counts at once.", Needs: manage},
		func(ctx context.Context, in *regranting) (Grant, error) {
			return s.Regrant(ctx, authz.From(ctx), in.ID, in.Grant, in.Body.Role)
		})
	api.None(a, api.Op{ID: "deleteCorpusPermission", Route: "DELETE " + path + "/{permission_id}", Title: "Delete a Permission for a Corpus", Group: group, Message: "Permission deleted",
		Doc: "Counts at once. Everybody may give up their own.", Needs: manage},
		func(ctx context.Context, in *GrantID) error {
			return s.Revoke(ctx, authz.From(ctx), in.ID, in.Grant)
		})
	api.Many(a, api.Op{ID: "listCorpusUserPermissions", Route: "GET " + path + "/users/{user_id}", Title: "Get all user permissions for a corpus", Group: group, Sort: sorts,
		Doc: "What somebody was given on the corpus: as its owner, by themselves, and through their teams. Global Admins need none.", Needs: view}, "permissions",
		func(ctx context.Context, in *grantsOfUser) ([]Grant, int, error) {
			return s.Grants(ctx, authz.From(ctx), in.ID, in.UserID, in.Paging)
		})
	api.None(a, api.Op{ID: "deleteCorpusUserPermission", Route: "DELETE " + path + "/users/{user_id}", Title: "Delete a user permission for a corpus", Group: group, Message: "Permission deleted",
		Doc: "Takes away what the person was given by themselves; what they have through a team stays.", Needs: manage},
		func(ctx context.Context, in *revoking) error {
			return s.RevokeUser(ctx, authz.From(ctx), in.ID, in.UserID)
		})
	api.Many(a, api.Op{ID: "listCorpusRights", Route: "GET /api/v2/corpora/{corpus_id}/rights", Title: "Get who can reach a Corpus, and why", Group: group, Sort: permission.PeopleSort(),
		Doc: "The people of the organization who may do the action with the corpus, with all that each may do and the reason. For whoever may manage the corpus. Agents quote it to more people unless it is restricted to its viewers.", Needs: view}, "users",
		func(ctx context.Context, in *reaching) ([]permission.Reach, int, error) {
			return s.Reach(ctx, authz.From(ctx), in.ID, in.Asked)
		})
}
