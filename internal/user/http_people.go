package user

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
)

// ID is the person in an address.
type ID struct {
	User int64 `path:"user_id" minimum:"1"`
}

// OfOrganization is the organization in an address.
type OfOrganization struct {
	Organization int64 `path:"organization_id" minimum:"1" doc:"Your own."`
}

type byEmail struct {
	Email string `query:"user_email" required:"true" minLength:"1" maxLength:"254"`
}

type many struct {
	Body struct {
		IDs []int64 `json:"user_ids" minItems:"1" maxItems:"200"`
	}
}

type results struct {
	Results []Result `json:"results" doc:"One for each id, in the order sent."`
}

type organizationUsers struct {
	OfOrganization
	Filter
}

type permissionsOf struct {
	ID
	api.Paging
}

// PermissionID is a permission of the person in an address.
type PermissionID struct {
	ID
	Permission int64 `path:"permission_id" minimum:"1"`
}

type sessionList struct{ api.Paging }

type sessionID struct {
	ID int64 `path:"session_id" minimum:"1"`
}

type ending struct {
	All bool `query:"all" doc:"Also the session that asks."`
}

// mountPeople declares the operations on people.
func (u *Users) mountPeople(a *api.API) {
	const group = "Users"
	fields := []string{"created_on", "modified_on", "email", "name", "last_sign_in_on"}
	api.Do(a, api.Op{ID: "getMe", Route: "GET /api/v2/users/me", Title: "Get authenticated User", Group: group, Doc: "Who you are to the server.", Needs: authz.To(authz.View, authz.User)},
		func(ctx context.Context, _ *struct{}) (User, error) { return u.Me(ctx, authz.From(ctx)) })
	api.Do(a, api.Op{ID: "getUserByEmail", Route: "GET /api/v2/users/by-email", Title: "Get a specific User by user_email", Group: group,
		Doc: "For admins, and oneself.", Needs: authz.To(authz.View, authz.User)},
		func(ctx context.Context, in *byEmail) (User, error) { return u.ByEmail(ctx, authz.From(ctx), in.Email) })
	api.Many(a, api.Op{ID: "listUsers", Route: "GET /api/v2/users", Title: "Get all Users", Group: group,
		Doc: "The people of your organization.", Sort: fields, Needs: authz.To(authz.View, authz.User)}, "users",
		func(ctx context.Context, in *Filter) ([]User, int, error) { return u.List(ctx, authz.From(ctx), *in) })
	api.Do(a, api.Op{ID: "deleteUsers", Route: "DELETE /api/v2/users", Title: "Delete multiple Users", Group: group,
		Doc: "Deletes those that you may, and answers for each id what became of it.", Needs: authz.To(authz.Delete, authz.User)},
		func(ctx context.Context, in *many) (results, error) {
			out, err := u.DeleteMany(ctx, authz.From(ctx), in.Body.IDs)
			return results{out}, err
		})
	api.Do(a, api.Op{ID: "getUser", Route: "GET /api/v2/users/{user_id}", Title: "Get a User", Group: group, Needs: authz.To(authz.View, authz.User)},
		func(ctx context.Context, in *ID) (User, error) { return u.Get(ctx, authz.From(ctx), in.User) })
	api.Do(a, api.Op{ID: "updateUser", Route: "PUT /api/v2/users/{user_id}", Title: "Update a User", Group: group, Message: "User updated",
		Doc: "Changes only what is sent. One's own name is one's own to change; who is active is for admins, and a role for Global Admins. Deactivating ends sessions, keys and open streams at once.", Needs: authz.To(authz.Edit, authz.User)},
		func(ctx context.Context, in *struct {
			ID
			Body Patch
		}) (User, error) {
			return u.Update(ctx, authz.From(ctx), in.User, in.Body)
		})
	api.None(a, api.Op{ID: "deleteUser", Route: "DELETE /api/v2/users/{user_id}", Title: "Delete a User", Group: group, Message: "User deleted",
		Doc: "Ends their sessions and keys and takes them out of teams, projects, agents and corpora. What they own stays. Oneself and the last Global Admin cannot be deleted.", Needs: authz.To(authz.Delete, authz.User)},
		func(ctx context.Context, in *ID) error { return u.Delete(ctx, authz.From(ctx), in.User) })

	api.Many(a, api.Op{ID: "listOrganizationUsers", Route: "GET /api/v2/organizations/{organization_id}/users", Title: "Get all Users in an Organization", Group: "Organizations",
		Doc: "The people of your own organization.", Sort: fields, Needs: authz.To(authz.View, authz.User)}, "users",
		func(ctx context.Context, in *organizationUsers) ([]User, int, error) {
			if err := ownOrganization(authz.From(ctx), in.Organization); err != nil {
				return nil, 0, err
			}
			return u.List(ctx, authz.From(ctx), in.Filter)
		})
	api.Do(a, api.Op{ID: "createOrganizationUser", Route: "POST /api/v2/organizations/{organization_id}/users", Title: "Create a User in an Organization", Group: "Organizations", Status: 201, Message: "User created",
		Doc: "Makes a person of your own organization, and sends an invitation mail unless told not to.", Needs: authz.To(authz.Create, authz.User)},
		func(ctx context.Context, in *struct {
			OfOrganization
			Body Invitation
		}) (User, error) {
			if err := ownOrganization(authz.From(ctx), in.Organization); err != nil {
				return User{}, err
			}
			return u.Invite(ctx, authz.From(ctx), in.Body)
		})
}

// mountPermissions declares the operations on what people hold.
func (u *Users) mountPermissions(a *api.API) {
	const group = "Users"
	api.Many(a, api.Op{ID: "listUserPermissions", Route: "GET /api/v2/users/{user_id}/permissions", Title: "Get all User Permissions", Group: group,
		Doc: "The role, the permission sets and the rights that a person holds. One's own, or for admins anybody's.", Sort: []string{"created_on", "permission"}, Needs: authz.To(authz.View, authz.Permission)}, "permissions",
		func(ctx context.Context, in *permissionsOf) ([]Permission, int, error) {
			return u.Permissions(ctx, authz.From(ctx), in.User, in.Paging)
		})
	api.Do(a, api.Op{ID: "createUserPermission", Route: "POST /api/v2/users/{user_id}/permissions", Title: "Create a new User Organization Permission", Group: group, Status: 201, Message: "Permission given",
		Doc: "Gives a role, which replaces the present one, a permission set or a right.", Needs: authz.To(authz.Manage, authz.Permission)},
		func(ctx context.Context, in *struct {
			ID
			Body struct {
				Permission   string `json:"permission" minLength:"1" maxLength:"200" doc:"The name of a role or a permission set, or a right such as agent:edit."`
				Organization *int64 `json:"organization_id,omitempty" nullable:"true" minimum:"1" doc:"Your own."`
			}
		}) (Permission, error) {
			return u.Grant(ctx, authz.From(ctx), in.User, in.Body.Permission, in.Body.Organization)
		})
	api.Do(a, api.Op{ID: "updateUserPermission", Route: "PUT /api/v2/users/{user_id}/permissions/{permission_id}", Title: "Update the Organization Permission of a User", Group: group, Message: "Permission changed",
		Doc: "Changes it to another of its kind: a role, a permission set or a right.", Needs: authz.To(authz.Manage, authz.Permission)},
		func(ctx context.Context, in *struct {
			PermissionID
			Body struct {
				Permission string `json:"permission" minLength:"1" maxLength:"200" doc:"The name of a role or a permission set, or a right such as agent:edit."`
			}
		}) (Permission, error) {
			return u.Regrant(ctx, authz.From(ctx), in.User, in.Permission, in.Body.Permission)
		})
	api.None(a, api.Op{ID: "deleteUserPermission", Route: "DELETE /api/v2/users/{user_id}/permissions/{permission_id}", Title: "Delete a User Organization Permission", Group: group, Message: "Permission taken away",
		Doc: "Without a role of an admin a person is a User.", Needs: authz.To(authz.Manage, authz.Permission)},
		func(ctx context.Context, in *PermissionID) error {
			return u.Withdraw(ctx, authz.From(ctx), in.User, in.Permission)
		})
}

// mountSessions declares the operations on one's own sessions.
func (u *Users) mountSessions(a *api.API) {
	const group = "Users"
	api.Many(a, api.Op{ID: "listSessions", Route: "GET /api/v2/users/me/sessions", Title: "Get your sessions", Group: group,
		Doc: "Where you are signed in.", Sort: []string{"created_on", "last_used_on", "expires_on"}, Needs: authz.To(authz.View, authz.Session)}, "sessions",
		func(ctx context.Context, in *sessionList) ([]Session, int, error) {
			return u.Sessions(ctx, authz.From(ctx), in.Paging)
		})
	api.None(a, api.Op{ID: "endSession", Route: "DELETE /api/v2/users/me/sessions/{session_id}", Title: "End a session", Group: group, Message: "Session ended",
		Doc: "Its tokens stop working at once.", Needs: authz.To(authz.Delete, authz.Session)},
		func(ctx context.Context, in *sessionID) error { return u.EndSession(ctx, authz.From(ctx), in.ID) })
	api.None(a, api.Op{ID: "endSessions", Route: "DELETE /api/v2/users/me/sessions", Title: "Sign out everywhere", Group: group, Message: "Sessions ended",
		Doc: "Ends your other sessions, or all of them.", Needs: authz.To(authz.Delete, authz.Session)},
		func(ctx context.Context, in *ending) error { return u.EndSessions(ctx, authz.From(ctx), in.All) })
}
