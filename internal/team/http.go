package team

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/org"
)

// ByID is the team in a path.
type ByID struct {
	ID int64 `path:"team_id" minimum:"1"`
}

type listed struct{ api.Paging }

type members struct {
	ByID
	api.Paging
}

type member struct {
	ByID
	UserID int64 `path:"user_id" minimum:"1"`
}

// Mount declares the operations.
func (s *Teams) Mount(a *api.API) {
	const group = "Teams"
	sorts := []string{"created_on", "modified_on", "name"}
	api.Many(a, api.Op{ID: "listTeams", Route: "GET /api/v2/teams", Title: "Get all Teams", Group: group, Sort: sorts,
		Doc: "The teams that you may see: your own; Global Admins see all.", Needs: authz.To(authz.View, authz.Team)}, "teams",
		func(ctx context.Context, in *listed) ([]Team, int, error) {
			return s.List(ctx, authz.From(ctx), in.Paging)
		})
	api.Many(a, api.Op{ID: "listMyTeams", Route: "GET /api/v2/teams/me", Title: "Get all Teams of the Authenticated User", Group: group, Sort: sorts,
		Doc: "The teams that you belong to.", Needs: authz.To(authz.View, authz.Team)}, "teams",
		func(ctx context.Context, in *listed) ([]Team, int, error) {
			return s.Mine(ctx, authz.From(ctx), in.Paging)
		})
	api.Do(a, api.Op{ID: "createTeam", Route: "POST /api/v2/teams", Title: "Create a Team", Group: group, Status: 201,
		Doc: "You become its Owner. A name can be used once in the organization.", Message: "Team created", Needs: authz.To(authz.Create, authz.Team)},
		func(ctx context.Context, in *struct{ Body Draft }) (Team, error) {
			return s.Create(ctx, authz.From(ctx), in.Body)
		})
	api.Do(a, api.Op{ID: "getTeam", Route: "GET /api/v2/teams/{team_id}", Title: "Get a Team", Group: group, Needs: authz.To(authz.View, authz.Team)},
		func(ctx context.Context, in *ByID) (Team, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateTeam", Route: "PUT /api/v2/teams/{team_id}", Title: "Update a Team", Group: group,
		Doc: "Changes only what is sent.", Message: "Team updated", Needs: authz.To(authz.Edit, authz.Team)},
		func(ctx context.Context, in *struct {
			ByID
			Body Patch
		}) (Team, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteTeam", Route: "DELETE /api/v2/teams/{team_id}", Title: "Delete a Team", Group: group,
		Doc:     "Its members and its grants on corpora go with it. A team that belongs to projects is refused with 409.",
		Message: "Team deleted", Needs: authz.To(authz.Delete, authz.Team)},
		func(ctx context.Context, in *ByID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	s.mountMembers(a, group)
	s.mountRecent(a, group)
}

func (s *Teams) mountMembers(a *api.API, group string) {
	api.Many(a, api.Op{ID: "listTeamUsers", Route: "GET /api/v2/teams/{team_id}/users", Title: "Get all Users in a Team", Group: group, Sort: org.SortMembers(),
		Needs: authz.To(authz.View, authz.Team)}, "users",
		func(ctx context.Context, in *members) ([]org.Membership, int, error) {
			return org.Teams.Members(ctx, s.db, authz.From(ctx), in.ID, in.Paging)
		})
	api.Do(a, api.Op{ID: "addTeamUsers", Route: "POST /api/v2/teams/{team_id}/users", Title: "Add Users to a Team", Group: group, Status: 201,
		Doc: "All of them or none. Who is a member already gets the role that is sent; the Owner stays Owner.", Message: "Users added", Needs: authz.To(authz.Manage, authz.Team)},
		func(ctx context.Context, in *struct {
			ByID
			Body org.Joining
		}) (org.Joined, error) {
			return org.Teams.Add(ctx, s.db, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "removeTeamUser", Route: "DELETE /api/v2/teams/{team_id}/users/{user_id}", Title: "Remove User from Team", Group: group,
		Doc: "Everybody may take out themselves, except the Owner.", Message: "User removed", Needs: authz.To(authz.Manage, authz.Team)},
		func(ctx context.Context, in *member) error {
			return org.Teams.Remove(ctx, s.db, authz.From(ctx), in.ID, in.UserID)
		})
	api.Do(a, api.Op{ID: "updateTeamUserRole", Route: "PUT /api/v2/teams/{team_id}/users/{user_id}/role", Title: "Update User Role in Team", Group: group,
		Doc: "The Owner stays Owner.", Message: "Role updated", Needs: authz.To(authz.Manage, authz.Team)},
		func(ctx context.Context, in *struct {
			ByID
			UserID int64 `path:"user_id" minimum:"1"`
			Body   org.Role
		}) (org.Membership, error) {
			return org.Teams.SetRole(ctx, s.db, authz.From(ctx), in.ID, in.UserID, in.Body.Role)
		})
}

func (s *Teams) mountRecent(a *api.API, group string) {
	api.Do(a, api.Op{ID: "createRecentTeam", Route: "POST /api/v2/teams/{team_id}/recent", Title: "Create a Recent Team", Group: group, Status: 201,
		Doc: "Puts the team on top of your list of recent ones, which keeps twenty.", Message: "Team remembered", Needs: authz.To(authz.Use, authz.Team)},
		func(ctx context.Context, in *ByID) (Team, error) {
			sc := authz.From(ctx)
			if err := org.Teams.Remember(ctx, s.db, sc, in.ID); err != nil {
				return Team{}, err
			}
			return s.Get(ctx, sc, in.ID)
		})
	api.Many(a, api.Op{ID: "listRecentTeams", Route: "GET /api/v2/teams/recent", Title: "Get Recent Teams", Group: group,
		Doc: "Those that you opened last, newest first: created_on is when you did.", Needs: authz.To(authz.View, authz.Team)}, "teams",
		func(ctx context.Context, in *listed) ([]Team, int, error) {
			return s.Recent(ctx, authz.From(ctx), in.Paging)
		})
}
