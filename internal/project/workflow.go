package project

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/org"
)

// Workflow is a workflow or a table of one. There are none yet, so their lists
// are empty, for whoever may see the place that they would be of.
type Workflow struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (s *Projects) mountWorkflows(a *api.API, group string) {
	const doc = "There are none yet: the list is empty."
	api.Many(a, api.Op{ID: "listProjectWorkflows", Route: "GET /api/v2/projects/{project_id}/workflows", Title: "Get all Workflows for a Project", Group: group,
		Doc: doc, Needs: authz.To(authz.View, authz.Project)}, "workflows",
		func(ctx context.Context, in *paged) ([]Workflow, int, error) {
			return nil, 0, s.Visible(ctx, s.db, authz.From(ctx), in.ID, authz.View)
		})
	for _, x := range []struct{ id, path, title, name string }{
		{"listUserWorkflows", "workflows", "Get all Workflows for a User", "workflows"},
		{"listUserWorkflowTables", "workflow-tables", "Get all Workflow Tables for a User", "workflow_tables"},
	} {
		api.Many(a, api.Op{ID: x.id, Route: "GET /api/v2/users/{user_id}/" + x.path, Title: x.title, Group: "Users", Doc: doc, Needs: authz.To(authz.View, authz.User)}, x.name,
			func(ctx context.Context, in *ofUser) ([]Workflow, int, error) {
				return nil, 0, org.People(ctx, s.db, authz.From(ctx), in.UserID)
			})
	}
}
