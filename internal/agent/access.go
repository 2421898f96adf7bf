package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/permission"
)

// The roles on an agent.
const (
	RoleOwner  = "Owner"  // made it; stays
	RoleAdmin  = "Admin"  // changes it, says who may use it
	RoleMember = "Member" // uses it
)

// Sharing says who may use an agent.
type Sharing struct {
	AgentID    int64    `json:"agent_id"`
	Access     Access   `json:"access" enum:"Only me,Team,Everyone,Public"`
	SharedWith []Shared `json:"shared_with" nullable:"false" doc:"Its owner and the first 200 people who were added, whatever the access is."`
	ShareLink  *string  `json:"share_link" nullable:"true" doc:"Where anyone may ask it; null while there is none."`
}

// Shared is a person an agent is shared with.
type Shared struct {
	Membership
	Reason string `json:"reason"`
}

// Membership is a person with their role on an agent.
type Membership struct {
	User permission.Person `json:"user"`
	Role string            `json:"role" enum:"Owner,Admin,Member"`
}

// Joining says who is to be added to an agent.
type Joining struct {
	UserID  *int64  `json:"user_id,omitempty" nullable:"true" minimum:"1" doc:"The person to add."`
	UserIDs []int64 `json:"user_ids,omitempty" nullable:"true" maxItems:"200" doc:"Or several; all or none are added."`
	Role    *string `json:"role,omitempty" nullable:"true" enum:"Admin,Member" doc:"Who is new becomes a Member when it is left out; who was added already keeps their role."`
}

// Joined are the people who were named, with the roles they have now.
type Joined struct {
	Users []Membership `json:"users" nullable:"false"`
}

// Staff is an agent with the people on it.
type Staff struct {
	Agent      Short        `json:"agent"`
	Access     Access       `json:"access" enum:"Only me,Team,Everyone,Public"`
	UsersCount int          `json:"users_count"`
	Users      []Membership `json:"users" nullable:"false" doc:"The owner first; at most 100."`
}

// UserRights is what somebody may do with an agent, and why.
type UserRights struct {
	User        permission.Person    `json:"user"`
	Agent       Short                `json:"agent"`
	Permissions []permission.Verdict `json:"permissions" nullable:"false"`
}

// TeamRole is what the caller is in the teams of an agent's project.
type TeamRole struct {
	Role  *string   `json:"role" nullable:"true" enum:"Owner,Admin,Member" doc:"The strongest; null when you are in none of the teams."`
	Teams []InATeam `json:"teams" nullable:"false"`
}

// InATeam is a team with the caller's role in it.
type InATeam struct {
	ID   int64  `json:"id" db:"id"`
	Name string `json:"name" db:"name"`
	Role string `json:"role" db:"role" enum:"Owner,Admin,Member"`
}

type memberRow struct {
	permission.Person
	AgentID int64  `db:"agent_id"`
	Role    string `db:"role"`
}

// members is a table of the people on these agents, which were loaded by scope.
func members(ids ...int64) (string, []any) {
	marks, args := db.In(ids)
	return `(SELECT o.id AS agent_id, o.owner_id AS user_id, 'Owner' AS role, 0 AS place FROM agent o WHERE o.id IN (` + marks + `)
		UNION ALL SELECT au.agent_id, au.user_id, au.role, 1 AS place FROM agent_user au JOIN agent o ON o.id = au.agent_id
			WHERE au.agent_id IN (` + marks + `) AND au.user_id <> o.owner_id)`, slices.Concat(args, args)
}

const memberColumns = `u.id, u.email, u.first_name, u.last_name, m.agent_id, m.role`

func (r memberRow) membership() Membership { return Membership{r.Person, r.Role} }

// Sharing is who may use an agent that the caller may see.
func (s *Agents) Sharing(ctx context.Context, sc authz.Scope, id int64) (Sharing, error) {
	r, err := load(ctx, s.db, sc, id, authz.View)
	if err != nil {
		return Sharing{}, err
	}
	table, args := members(id)
	rows, err := db.All[memberRow](ctx, s.db, `SELECT `+memberColumns+` FROM `+table+` m JOIN users u ON u.id = m.user_id AND u.is_deleted = FALSE ORDER BY m.place, u.email LIMIT 201`, args...)
	out := Sharing{AgentID: id, Access: Access(r.Access), SharedWith: make([]Shared, len(rows))}
	why := map[string]string{RoleOwner: "owns it", RoleAdmin: "was added to it as an Admin", RoleMember: "was added to it"}
	for i, r := range rows {
		out.SharedWith[i] = Shared{r.membership(), why[r.Role]}
	}
	return out, err
}

// SetAccess says who may use an agent; it counts at once.
func (s *Agents) SetAccess(ctx context.Context, sc authz.Scope, id int64, access Access) (Sharing, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := load(ctx, tx, sc, id, authz.Manage)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "from", map[string]string{"access": r.Access})
		_, err = db.Exec(ctx, tx, `UPDATE agent SET access = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, string(access), sc.Email(), time.Now(), id, sc.Org())
		return err
	})
	if err != nil {
		return Sharing{}, err
	}
	return s.Sharing(ctx, sc, id)
}

var peopleBy = map[string]string{"created_on": "u.created_on", "email": "u.email", "first_name": "lower(u.first_name)", "last_name": "lower(u.last_name)"}

// Users is a page of the people on an agent that the caller may see.
func (s *Agents) Users(ctx context.Context, sc authz.Scope, id int64, p api.Paging) ([]Membership, int, error) {
	if _, err := load(ctx, s.db, sc, id, authz.View); err != nil {
		return nil, 0, err
	}
	table, args := members(id)
	return api.Page(ctx, s.db, p, api.Listing{
		Columns: memberColumns, Tables: table + ` m JOIN users u ON u.id = m.user_id`, Where: `u.is_deleted = FALSE`, Args: args,
		Search: []string{"u.email", "u.first_name || ' ' || u.last_name"}, Order: peopleBy, ID: "u.id",
	}, memberRow.membership)
}

func (j Joining) ids() ([]int64, error) {
	ids := slices.Clone(j.UserIDs)
	if j.UserID != nil {
		ids = append(ids, *j.UserID)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil, fail.InvalidField("user_id", "user_id: name whom to add, here or in user_ids")
	}
	return ids, nil
}

// AddUsers lets people use an agent, or change it: all who are named or none.
func (s *Agents) AddUsers(ctx context.Context, sc authz.Scope, id int64, j Joining) (Joined, error) {
	ids, err := j.ids()
	if err != nil {
		return Joined{}, err
	}
	role, then := RoleMember, "DO NOTHING"
	if j.Role != nil {
		role, then = *j.Role, "DO UPDATE SET role = excluded.role"
	}
	var out Joined
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := load(ctx, tx, sc, id, authz.Manage)
		if err != nil {
			return err
		}
		for _, user := range ids {
			if _, err := permission.FindPerson(ctx, tx, sc, user); err != nil {
				return err
			}
			if user == r.OwnerID {
				return fail.Conflict("user %d owns the agent %s already; leave them out", user, r.Name)
			}
			if _, err := db.Exec(ctx, tx, `INSERT INTO agent_user (org_id, agent_id, user_id, role) VALUES (?, ?, ?, ?) ON CONFLICT (agent_id, user_id) `+then,
				sc.Org(), id, user, role); err != nil {
				return err
			}
		}
		marks, named := db.In(ids)
		table, args := members(id)
		rows, err := db.All[memberRow](ctx, tx, `SELECT `+memberColumns+` FROM `+table+` m JOIN users u ON u.id = m.user_id WHERE u.id IN (`+marks+`) ORDER BY u.id`, append(args, named...)...)
		out.Users = api.Shaped(rows, memberRow.membership)
		return err
	})
	return out, err
}

// RemoveUser takes a person off an agent. Everybody may take off themselves.
func (s *Agents) RemoveUser(ctx context.Context, sc authz.Scope, id, user int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		needs := authz.Manage
		if user == sc.User() {
			needs = authz.View
		}
		r, err := load(ctx, tx, sc, id, needs)
		if err != nil {
			return err
		}
		if user == r.OwnerID {
			return fail.Conflict("user %d owns the agent %s and cannot be taken off it", user, r.Name)
		}
		old, err := db.One[string](ctx, tx, `DELETE FROM agent_user WHERE org_id = ? AND agent_id = ? AND user_id = ? RETURNING role`, sc.Org(), id, user)
		if errors.Is(err, db.ErrNone) {
			return fail.NotFound("user %d was not added to the agent; check the id", user)
		}
		audit.Tell(ctx, "from", map[string]string{"role": old})
		return err
	})
}

// shown is how many people of an agent stand in a list of agents.
const shown = 100

// Staffs is a page of the agents whose people the caller decides on.
func (s *Agents) Staffs(ctx context.Context, sc authz.Scope, p api.Paging) ([]Staff, int, error) {
	where, args := sc.Among(authz.Manage, authz.Agent, "a")
	type line struct {
		ID     int64  `db:"id"`
		Name   string `db:"name"`
		Access string `db:"access"`
	}
	agents, total, err := api.Rows[line](ctx, s.db, p, api.Listing{
		Columns: `a.id, a.name, a.access`, Tables: `agent a`, Where: `a.is_deleted = FALSE AND ` + where, Args: args,
		Search: []string{"a.name", "a.description"}, Order: orders, ID: "a.id",
	})
	if err != nil {
		return nil, 0, err
	}
	out := make([]Staff, len(agents))
	at, ids := map[int64]*Staff{}, make([]int64, len(agents))
	for i, a := range agents {
		out[i] = Staff{Agent: Short{a.ID, a.Name}, Access: Access(a.Access), Users: []Membership{}}
		at[a.ID], ids[i] = &out[i], a.ID
	}
	type numbered struct {
		memberRow
		Count int `db:"users_count"`
	}
	table, args := members(ids...)
	rows, err := db.All[numbered](ctx, s.db, `SELECT id, email, first_name, last_name, agent_id, role, users_count FROM (
		SELECT `+memberColumns+`, m.place, COUNT(*) OVER (PARTITION BY m.agent_id) AS users_count, ROW_NUMBER() OVER (PARTITION BY m.agent_id ORDER BY m.place, u.email) AS n
		FROM `+table+` m JOIN users u ON u.id = m.user_id AND u.is_deleted = FALSE) x WHERE n <= ? ORDER BY agent_id, n`, append(args, shown)...)
	for _, r := range rows {
		a := at[r.AgentID]
		a.UsersCount, a.Users = r.Count, append(a.Users, r.membership())
	}
	return out, total, err
}

// UserRights is what somebody may do with an agent, and why: asked about
// oneself, or by whoever may manage the agent, or by an administrator.
func (s *Agents) UserRights(ctx context.Context, sc authz.Scope, id, user int64) (UserRights, error) {
	needs := authz.View
	if user != sc.User() && sc.Principal().Role == authz.Member {
		needs = authz.Manage
	}
	r, err := load(ctx, s.db, sc, id, needs)
	if err != nil {
		return UserRights{}, err
	}
	person, err := permission.FindPerson(ctx, s.db, sc, user)
	if err != nil {
		return UserRights{}, err
	}
	p := sc.Principal()
	if user != sc.User() {
		if p, err = s.people.Principal(ctx, s.db, sc.Org(), user); err != nil {
			return UserRights{}, err
		}
	}
	found, err := permission.Of(ctx, s.db, sc, p, authz.Agent, id)
	return UserRights{person, Short{r.ID, r.Name}, found}, err
}

// Reach is a page of the people who may reach an agent, and why: for whoever
// may manage it.
func (s *Agents) Reach(ctx context.Context, sc authz.Scope, id int64, f permission.Asked) ([]permission.Reach, int, error) {
	if _, err := load(ctx, s.db, sc, id, authz.Manage); err != nil {
		return nil, 0, err
	}
	return permission.Who(ctx, s.db, sc, authz.Agent, id, f)
}

// TeamRole is what the caller is in the teams of an agent's project.
func (s *Agents) TeamRole(ctx context.Context, sc authz.Scope, id int64) (TeamRole, error) {
	r, err := load(ctx, s.db, sc, id, authz.View)
	if err != nil {
		return TeamRole{}, err
	}
	teams, err := db.All[InATeam](ctx, s.db, `SELECT t.id, t.name, tu.role FROM project_team pt JOIN team t ON t.id = pt.team_id AND t.is_deleted = FALSE
		JOIN team_user tu ON tu.team_id = t.id WHERE pt.project_id = ? AND pt.org_id = ? AND tu.user_id = ?
		ORDER BY CASE tu.role WHEN 'Owner' THEN 0 WHEN 'Admin' THEN 1 ELSE 2 END, t.name, t.id LIMIT 200`, r.ProjectID, sc.Org(), sc.User())
	out := TeamRole{Teams: teams}
	if len(teams) > 0 {
		out.Role = &teams[0].Role
	}
	return out, err
}

type accessing struct {
	AgentID
	Body struct {
		Access Access `json:"access" enum:"Only me,Team,Everyone,Public" doc:"Only me: the owner and the people added. Team: also the members of the project and of its teams. Everyone: the organization. Public: also anyone with the share link."`
	}
}

type usersOf struct {
	AgentID
	api.Paging
}

type joining struct {
	AgentID
	Body Joining
}

// AgentAndUser are an agent and a person in a path.
type AgentAndUser struct {
	AgentID
	UserID int64 `path:"user_id" minimum:"1"`
}

type staffs struct{ api.Paging }

type reaching struct {
	AgentID
	permission.Asked
}

// mountAccess declares the operations on who may use an agent.
func (s *Agents) mountAccess(a *api.API) {
	const access, users = "Agents / Agent Access", "Agents / Agent User"
	view, manage := authz.To(authz.View, authz.Agent), authz.To(authz.Manage, authz.Agent)
	api.Do(a, api.Op{ID: "getAgentAccess", Route: "GET /api/v2/agents/{agent_id}/access", Title: "Get Agent Access", Group: access, Doc: "Who may use an agent that you may see.", Needs: view},
		func(ctx context.Context, in *AgentID) (Sharing, error) {
			return s.Sharing(ctx, authz.From(ctx), in.ID)
		})
	api.Do(a, api.Op{ID: "updateAgentAccess", Route: "PUT /api/v2/agents/{agent_id}/access", Title: "Update Agent Access", Group: access, Message: "Agent access updated",
		Doc: "Says who may use the agent; roles say who may change it. It counts at once, also for answers under way. You need to be its Owner or Admin, or an Admin of its project.", Needs: manage},
		func(ctx context.Context, in *accessing) (Sharing, error) {
			return s.SetAccess(ctx, authz.From(ctx), in.ID, in.Body.Access)
		})
	api.Many(a, api.Op{ID: "listAgentRights", Route: "GET /api/v2/agents/{agent_id}/rights", Title: "Get who can reach an Agent, and why", Group: access, Sort: permission.PeopleSort(),
		Doc: "The people of the organization who may do the action with the agent, with all that each may do and the reason. For whoever may manage the agent.", Needs: view}, "users",
		func(ctx context.Context, in *reaching) ([]permission.Reach, int, error) {
			return s.Reach(ctx, authz.From(ctx), in.ID, in.Asked)
		})
	api.Many(a, api.Op{ID: "listAgentUsers", Route: "GET /api/v2/agents/{agent_id}/users", Title: "Get Users of an Agent", Group: users, Sort: permission.PeopleSort(),
		Doc: "The owner and the people who were added. Others may reach it through its access, its project or their role.", Needs: view}, "users",
		func(ctx context.Context, in *usersOf) ([]Membership, int, error) {
			return s.Users(ctx, authz.From(ctx), in.ID, in.Paging)
		})
	api.Do(a, api.Op{ID: "addAgentUser", Route: "POST /api/v2/agents/{agent_id}/users", Title: "Add user to Agent", Group: users, Status: 201, Message: "User added to the agent",
		Doc: "Lets people use the agent as Members, or also change it as Admins. Who was added already gets the role that is sent. Naming its owner is refused with 409.", Needs: manage},
		func(ctx context.Context, in *joining) (Joined, error) {
			return s.AddUsers(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "removeAgentUser", Route: "DELETE /api/v2/agents/{agent_id}/users/{user_id}", Title: "Delete User from Agent", Group: users, Message: "User removed from the agent",
		Doc: "Takes a person off the agent; everybody may take off themselves. The owner stays: 409.", Needs: manage},
		func(ctx context.Context, in *AgentAndUser) error {
			return s.RemoveUser(ctx, authz.From(ctx), in.ID, in.UserID)
		})
	api.Many(a, api.Op{ID: "listAgentsUsers", Route: "GET /api/v2/agent-users", Title: "Get all Agents Users", Group: users, Sort: orderNames(),
		Doc: "The agents whose people you decide on, each with its people.", Needs: view}, "agent_users",
		func(ctx context.Context, in *staffs) ([]Staff, int, error) {
			return s.Staffs(ctx, authz.From(ctx), in.Paging)
		})
	api.Do(a, api.Op{ID: "getUserAgentPermission", Route: "GET /api/v2/agents/{agent_id}/users/{user_id}/permissions", Title: "Get User Agent Permission", Group: "Agents / Agent User Permission",
		Doc: "What somebody may do with the agent, and why. About oneself; about others for whoever may manage the agent, and for administrators.", Needs: view},
		func(ctx context.Context, in *AgentAndUser) (UserRights, error) {
			return s.UserRights(ctx, authz.From(ctx), in.ID, in.UserID)
		})
	api.Do(a, api.Op{ID: "getAgentTeamRole", Route: "GET /api/v2/agents/{agent_id}/team-role", Title: "Get User's Team Role for an Agent", Group: "Agents",
		Doc: "What you are in the teams of the agent's project.", Needs: view},
		func(ctx context.Context, in *AgentID) (TeamRole, error) {
			return s.TeamRole(ctx, authz.From(ctx), in.ID)
		})
}
