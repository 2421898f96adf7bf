package project

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/org"
)

// ByID is the project in a path.
type ByID struct {
	ID int64 `path:"project_id" minimum:"1"`
}

type listed struct{ api.Paging }

type filtered struct {
	api.Paging
	Filter
}

type batch struct {
	api.LongPaging
	IDs []string `query:"project_ids,explode" required:"true" minItems:"1" maxItems:"200" doc:"Ids with commas between them, or the parameter several times; 200 at most."`
}

type ofTeam struct {
	TeamID int64 `path:"team_id" minimum:"1"`
	api.Paging
}

type ofUser struct {
	UserID int64 `path:"user_id" minimum:"1"`
	api.Paging
}

type paged struct {
	ByID
	api.Paging
}

type member struct {
	ByID
	UserID int64 `path:"user_id" minimum:"1"`
}

// Mount declares the operations.
func (s *Projects) Mount(a *api.API) {
	const group = "Projects"
	api.Do(a, api.Op{ID: "createProject", Route: "POST /api/v2/projects", Title: "Create a Project", Group: group, Status: 201,
		Doc: "You become its Owner. A name can be used once in the organization.", Message: "Project created", Needs: authz.To(authz.Create, authz.Project)},
		func(ctx context.Context, in *struct{ Body Draft }) (Project, error) {
			return s.Create(ctx, authz.From(ctx), in.Body)
		})
	api.Do(a, api.Op{ID: "getProject", Route: "GET /api/v2/projects/{project_id}", Title: "Get a Project", Group: group, Needs: authz.To(authz.View, authz.Project)},
		func(ctx context.Context, in *ByID) (Project, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateProject", Route: "PUT /api/v2/projects/{project_id}", Title: "Update a Project", Group: group,
		Doc: "Changes only what is sent.", Message: "Project updated", Needs: authz.To(authz.Edit, authz.Project)},
		func(ctx context.Context, in *struct {
			ByID
			Body Patch
		}) (Project, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteProject", Route: "DELETE /api/v2/projects/{project_id}", Title: "Delete a Project", Group: group,
		Doc:     "A project that has agents is refused with 409, and so is the organization's default project.",
		Message: "Project deleted", Needs: authz.To(authz.Delete, authz.Project)},
		func(ctx context.Context, in *ByID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	s.mountLists(a, group)
	s.mountMembers(a, group)
	s.mountRecent(a, group)
	s.mountWorkflows(a, group)
}

// list declares an operation that answers a page of projects.
func list[In any](a *api.API, s *Projects, o api.Op, run func(context.Context, authz.Scope, *In) ([]Facts, int, error)) {
	o.Needs = authz.To(authz.View, authz.Project)
	if o.Sort == nil {
		o.Sort = []string{"created_on", "modified_on", "name"}
	}
	api.Many(a, o, "projects", func(ctx context.Context, in *In) ([]Project, int, error) {
		sc := authz.From(ctx)
		facts, total, err := run(ctx, sc, in)
		if err != nil {
			return nil, 0, err
		}
		out, err := s.named(ctx, sc, facts)
		return out, total, err
	})
}

func (s *Projects) mountLists(a *api.API, group string) {
	list(a, s, api.Op{ID: "listProjects", Route: "GET /api/v2/projects", Title: "Retrieve all Projects", Group: group, Doc: "The projects that you may see: the default one, those that you or a team of yours belong to; Global Admins see all."},
		func(ctx context.Context, sc authz.Scope, in *listed) ([]Facts, int, error) {
			return s.List(ctx, sc, in.Paging, Filter{})
		})
	list(a, s, api.Op{ID: "filterProjects", Route: "GET /api/v2/projects/filter", Title: "Get Projects based on filters", Group: group, Doc: "The projects that you may see and that fit all that is sent."},
		func(ctx context.Context, sc authz.Scope, in *filtered) ([]Facts, int, error) {
			return s.List(ctx, sc, in.Paging, in.Filter)
		})
	list(a, s, api.Op{ID: "batchProjects", Route: "GET /api/v2/projects/batch", Title: "Get multiple Projects by their IDs", Group: group, Doc: "Those that are unknown or not visible to you are left out."},
		func(ctx context.Context, sc authz.Scope, in *batch) ([]Facts, int, error) {
			return s.ByIDs(ctx, sc, in.IDs, in.Slice())
		})
	list(a, s, api.Op{ID: "listTeamProjects", Route: "GET /api/v2/teams/{team_id}/projects", Title: "Get all Projects of a Team", Group: "Teams", Doc: "Of its projects those that you may see."},
		func(ctx context.Context, sc authz.Scope, in *ofTeam) ([]Facts, int, error) {
			return s.List(ctx, sc, in.Paging, Filter{TeamID: in.TeamID})
		})
	list(a, s, api.Op{ID: "listMyProjects", Route: "GET /api/v2/users/me/projects", Title: "Get User Projects", Group: "Users", Doc: "The projects that you belong to, by yourself or through a team, and the default one."},
		func(ctx context.Context, sc authz.Scope, in *listed) ([]Facts, int, error) {
			return s.OfUser(ctx, sc, sc.User(), in.Paging)
		})
	list(a, s, api.Op{ID: "listUserProjects", Route: "GET /api/v2/users/{user_id}/projects", Title: "Get Projects of a User", Group: "Users", Doc: "The projects that they belong to, as far as you may see them too."},
		func(ctx context.Context, sc authz.Scope, in *ofUser) ([]Facts, int, error) {
			return s.OfUser(ctx, sc, in.UserID, in.Paging)
		})
	api.Many(a, api.Op{ID: "listProjectsWithTeams", Route: "GET /api/v2/projects/with-teams", Title: "Get Projects with Team Details", Group: group, Sort: []string{"created_on", "modified_on", "name"},
		Doc: "The projects that you may see, with their teams in full.", Needs: authz.To(authz.View, authz.Project)}, "projects",
		func(ctx context.Context, in *listed) ([]Detailed, int, error) {
			sc := authz.From(ctx)
			facts, total, err := s.List(ctx, sc, in.Paging, Filter{})
			if err != nil {
				return nil, 0, err
			}
			out, err := s.detailed(ctx, sc, facts)
			return out, total, err
		})
}

func (s *Projects) mountMembers(a *api.API, group string) {
	api.Many(a, api.Op{ID: "listProjectUsers", Route: "GET /api/v2/projects/{project_id}/users", Title: "Get all Users in a Project", Group: group, Sort: org.SortMembers(),
		Doc: "Who belongs to it by themselves or through a team.", Needs: authz.To(authz.View, authz.Project)}, "users",
		func(ctx context.Context, in *paged) ([]org.Membership, int, error) {
			return org.Projects.Members(ctx, s.db, authz.From(ctx), in.ID, in.Paging)
		})
	api.Do(a, api.Op{ID: "addProjectUsers", Route: "POST /api/v2/projects/{project_id}/users", Title: "Add Users to a Project", Group: group, Status: 201,
		Doc: "All of them or none. Who is a member already gets the role that is sent; the Owner stays Owner.", Message: "Users added", Needs: authz.To(authz.Manage, authz.Project)},
		func(ctx context.Context, in *struct {
			ByID
			Body org.Joining
		}) (org.Joined, error) {
			return org.Projects.Add(ctx, s.db, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "removeProjectUser", Route: "DELETE /api/v2/projects/{project_id}/users/{user_id}", Title: "Remove a User from a Project", Group: group,
		Doc: "Everybody may take out themselves, except the Owner. Who belongs to it through a team is refused with 409.", Message: "User removed", Needs: authz.To(authz.Manage, authz.Project)},
		func(ctx context.Context, in *member) error {
			return org.Projects.Remove(ctx, s.db, authz.From(ctx), in.ID, in.UserID)
		})
	api.Do(a, api.Op{ID: "updateProjectUserRole", Route: "PUT /api/v2/projects/{project_id}/users/{user_id}/role", Title: "Update User Role in a Project", Group: group,
		Doc: "The Owner stays Owner.", Message: "Role updated", Needs: authz.To(authz.Manage, authz.Project)},
		func(ctx context.Context, in *struct {
			ByID
			UserID int64 `path:"user_id" minimum:"1"`
			Body   org.Role
		}) (org.Membership, error) {
			return org.Projects.SetRole(ctx, s.db, authz.From(ctx), in.ID, in.UserID, in.Body.Role)
		})
}

func (s *Projects) mountRecent(a *api.API, group string) {
	api.Do(a, api.Op{ID: "createRecentProject", Route: "POST /api/v2/projects/{project_id}/recent", Title: "Add a Recent Project for a User", Group: group, Status: 201,
		Doc: "Puts the project on top of your list of recent ones, which keeps twenty.", Message: "Project remembered", Needs: authz.To(authz.Use, authz.Project)},
		func(ctx context.Context, in *ByID) (Project, error) {
			sc := authz.From(ctx)
			if err := org.Projects.Remember(ctx, s.db, sc, in.ID); err != nil {
				return Project{}, err
			}
			return s.Get(ctx, sc, in.ID)
		})
	list(a, s, api.Op{ID: "listRecentProjects", Route: "GET /api/v2/projects/recent", Title: "Get Recent Projects for a User", Group: group, Sort: []string{"created_on"},
		Doc: "Those that you opened last, newest first: created_on is when you did."},
		func(ctx context.Context, sc authz.Scope, in *listed) ([]Facts, int, error) {
			return s.Recent(ctx, sc, in.Paging)
		})
}
