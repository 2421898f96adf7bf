package permission

import (
	"context"
	"net/http"

	"atrium/internal/api"
	"atrium/internal/authz"
)

// ByID is the set in a path.
type ByID struct {
	ID int64 `path:"permission_set_id" minimum:"1"`
}

type listed struct{ api.Paging }

type drafted struct{ Body Draft }

type patched struct {
	ByID
	Body Patch
}

type rightsOf struct {
	UserID   int64  `path:"user_id" minimum:"1"`
	Resource string `query:"resource" enum:"agent,corpus,project,team,document" doc:"With id: the rights on that one thing."`
	ID       int64  `query:"id" minimum:"1" doc:"Id of the thing."`
}

// Mount declares the operations.
func (s *Permissions) Mount(a *api.API) {
	const group = "Permission Sets"
	api.Many(a, api.Op{ID: "listPermissionSets", Route: "GET /api/v2/permission-sets", Title: "Get all Permission Sets", Group: group, Sort: []string{"created_on", "modified_on", "name"},
		Doc: "Administrators see all of the organization's; others see those that they hold.", Needs: authz.To(authz.View, authz.Permission)}, "permission_sets",
		func(ctx context.Context, in *listed) ([]Set, int, error) {
			return s.List(ctx, authz.From(ctx), in.Paging)
		})
	api.Do(a, api.Op{ID: "createPermissionSet", Route: "POST /api/v2/permission-sets", Title: "Create a Permission Set", Group: group, Status: http.StatusCreated, Message: "Permission set created",
		Doc:   "A named list of rules: an action on a resource, in the whole organization or within one project or team. People get it through their permissions; what they hold adds up. Only Global Admins change permission sets.",
		Needs: authz.To(authz.Create, authz.Permission)},
		func(ctx context.Context, in *drafted) (Set, error) { return s.Create(ctx, authz.From(ctx), in.Body) })
	api.Do(a, api.Op{ID: "getPermissionSet", Route: "GET /api/v2/permission-sets/{permission_set_id}", Title: "Get a Permission Set", Group: group, Needs: authz.To(authz.View, authz.Permission)},
		func(ctx context.Context, in *ByID) (Set, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updatePermissionSet", Route: "PUT /api/v2/permission-sets/{permission_set_id}", Title: "Update a Permission Set", Group: group, Message: "Permission set updated",
		Doc: "Changes only what is sent. Whoever holds it has the new rules at once.", Needs: authz.To(authz.Edit, authz.Permission)},
		func(ctx context.Context, in *patched) (Set, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deletePermissionSet", Route: "DELETE /api/v2/permission-sets/{permission_set_id}", Title: "Delete a Permission Set", Group: group, Message: "Permission set deleted",
		Doc: "Also takes it from those who hold it.", Needs: authz.To(authz.Delete, authz.Permission)},
		func(ctx context.Context, in *ByID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "getUserRights", Route: "GET /api/v2/users/{user_id}/rights", Title: "Get the effective rights of a User", Group: "Users",
		Doc: "What somebody may do and why: to every kind of thing, as far as each one of them allows, or with resource and id to that one. " +
			"About oneself; administrators ask about everybody, as far as they see the thing themselves.",
		Needs: authz.To(authz.View, authz.Permission)},
		func(ctx context.Context, in *rightsOf) (Rights, error) {
			return s.Rights(ctx, authz.From(ctx), in.UserID, authz.Resource(in.Resource), in.ID)
		})
}
