package notify

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
)

type byID struct {
	ID int64 `path:"notification_id" minimum:"1"`
}

type marking struct {
	ID   int64 `path:"notification_id" minimum:"1"`
	Body struct {
		IsRead *bool `json:"is_read,omitempty" nullable:"true"`
	}
}

type markingAll struct {
	UserID int64 `path:"user_id" minimum:"1"`
	Body   Marks
}

// Mount declares the operations. Reading is one's own business: it needs no
// more than seeing, and is not in the audit log.
func (s *Notifications) Mount(a *api.API) {
	const group, path = "Notifications", "/api/v2/notifications"
	see, use := authz.To(authz.View, authz.Notification), authz.To(authz.Use, authz.Notification)
	api.Many(a, api.Op{ID: "listNotifications", Route: "GET " + path, Title: "Get all Notifications", Group: group,
		Doc: "What is for you, for your teams and for everybody, the newest first.", Needs: see}, "notifications",
		func(ctx context.Context, in *Filter) ([]Notification, int, error) {
			return s.List(ctx, authz.From(ctx), *in)
		})
	api.Do(a, api.Op{ID: "createNotification", Route: "POST " + path, Title: "Create a new Notification", Group: group, Status: 201,
		Doc:     "For a user, a team, or everybody in the organization when neither is named. Administrators write to anybody, Admins of a team to the team, and everyone to themselves.",
		Message: "Notification created", Needs: authz.To(authz.Create, authz.Notification)},
		func(ctx context.Context, in *struct{ Body Draft }) (Notification, error) {
			return s.Create(ctx, authz.From(ctx), in.Body)
		})
	api.Do(a, api.Op{ID: "countUnreadNotifications", Route: "GET " + path + "/unread-count", Title: "Count unread Notifications", Group: group, Needs: see},
		func(ctx context.Context, _ *struct{}) (Unread, error) { return s.Unread(ctx, authz.From(ctx)) })
	api.Stream(a, api.Op{ID: "streamNotifications", Route: "GET " + path + "/stream", Title: "Follow Notifications", Group: group,
		Doc: "An event `notification` for each that is new for you, within a second, and `unread` with the count at the start, after each and now and then. Send Last-Event-ID to go on where a stream broke off.", Needs: see},
		func(ctx context.Context, in *streaming) (func(context.Context, *api.Events) error, error) {
			return s.Stream(ctx, authz.From(ctx), *in)
		})
	api.Do(a, api.Op{ID: "getNotification", Route: "GET " + path + "/{notification_id}", Title: "Get a Notification", Group: group, Needs: see},
		func(ctx context.Context, in *byID) (Notification, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateNotification", Route: "PUT " + path + "/{notification_id}", Title: "Update a Notification", Group: group,
		Doc: "Marks it as read or unread for you alone.", Message: "Notification updated", Needs: use},
		func(ctx context.Context, in *marking) (Notification, error) {
			return s.Mark(ctx, authz.From(ctx), in.ID, in.Body.IsRead)
		})
	api.Do(a, api.Op{ID: "updateUserNotifications", Route: "PUT /api/v2/users/{user_id}/notifications", Title: "Update Notifications by User ID", Group: group,
		Doc: "Marks your notifications as read or unread: those that are named, or all. The user has to be yourself.", Message: "Notifications updated", Needs: use},
		func(ctx context.Context, in *markingAll) (Marked, error) {
			return s.MarkAll(ctx, authz.From(ctx), in.UserID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteNotification", Route: "DELETE " + path + "/{notification_id}", Title: "Delete a Notification", Group: group,
		Doc: "Takes it away from everybody; its author and Global Admins may.", Message: "Notification deleted", Needs: authz.To(authz.Delete, authz.Notification)},
		func(ctx context.Context, in *byID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
}
