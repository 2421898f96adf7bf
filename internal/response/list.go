package response

import (
	"context"
	"slices"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/permission"
)

// Listed is a response in a list that is not its owner's alone.
type Listed struct {
	Response
	IsReduced bool `json:"is_reduced" doc:"Whether its texts are left out: question, answer, sources, titles and comments."`
}

// reduced is a response without what was said in it.
func (r Response) reduced() Response {
	r.Question, r.Thread.Title, r.Comments = "", "", []Comment{}
	r.Response.Answer, r.Response.Query, r.Response.Message, r.Response.ThreadName = "", "", "", ""
	r.Response.References, r.Response.FollowupQuestions = []Reference{}, []string{}
	r.Feedback = slices.Clone(r.Feedback)
	for i := range r.Feedback {
		r.Feedback[i].Comment = ""
	}
	return r
}

// OfUser is a page of somebody's responses: one's own in full; Global Admins
// may look at those of everybody.
func (s *Responses) OfUser(ctx context.Context, sc authz.Scope, userID int64, p api.Paging) ([]Listed, int, error) {
	if _, err := permission.FindPerson(ctx, s.DB, sc, userID); err != nil {
		return nil, 0, err
	}
	if userID != sc.User() && !sc.IsAdmin() {
		return nil, 0, fail.Forbidden("the conversations of others are theirs; ask a Global Admin for figures")
	}
	return s.list(ctx, sc, p, sc.IsAdmin(), `r.user_id = ?`, userID)
}

// OfProject is a page of the responses of a project's agents: those of everybody
// for who manages the project, and else one's own.
func (s *Responses) OfProject(ctx context.Context, sc authz.Scope, projectID int64, p api.Paging) ([]Listed, int, error) {
	if err := s.Projects.Visible(ctx, s.DB, sc, projectID, authz.View); err != nil {
		return nil, 0, err
	}
	err := s.Projects.Visible(ctx, s.DB, sc, projectID, authz.Manage)
	if fail.Is(err, fail.CodeForbidden) {
		return s.list(ctx, sc, p, false, `a.project_id = ? AND r.user_id = ?`, projectID, sc.User())
	}
	if err != nil {
		return nil, 0, err
	}
	return s.list(ctx, sc, p, sc.IsAdmin(), `a.project_id = ?`, projectID)
}

// list is a page of responses that the caller may list. The texts come along
// with one's own, and for Global Admins with those that were not cleared; only
// texts that come along are searched, so that searching tells nothing of others.
func (s *Responses) list(ctx context.Context, sc authz.Scope, p api.Paging, texts bool, where string, args ...any) ([]Listed, int, error) {
	where, args = `r.org_id = ? AND r.is_deleted = FALSE AND `+where, slices.Concat([]any{sc.Org()}, args)
	if p.Search != "" {
		like := db.Like(p.Search)
		where += ` AND (lower(a.name) LIKE lower(?) ESCAPE '\' OR lower(u.email) LIKE lower(?) ESCAPE '\' OR
			(r.user_id = ? OR ? AND r.is_cleared = FALSE) AND (lower(r.question) LIKE lower(?) ESCAPE '\' OR lower(r.answer) LIKE lower(?) ESCAPE '\'))`
		args = append(args, like, like, sc.User(), texts, like, like)
	}
	full, total, err := api.Page(ctx, s.DB, p, api.Listing{
		Columns: columns, Tables: joinedTables, Where: where, Args: args,
		Order: map[string]string{"created_on": "r.created_on", "modified_on": "r.modified_on"}, ID: "r.id",
	}, row.response)
	if err != nil {
		return nil, 0, err
	}
	if err := s.complete(ctx, full, false); err != nil {
		return nil, 0, err
	}
	out := make([]Listed, len(full))
	for i, r := range full {
		out[i] = Listed{Response: r}
		if r.User.ID != sc.User() && (!texts || r.IsCleared) {
			out[i] = Listed{r.reduced(), true}
		}
	}
	return out, total, nil
}

type ofUser struct {
	UserID int64 `path:"user_id" minimum:"1"`
	api.LongPaging
}

type ofProject struct {
	ProjectID int64 `path:"project_id" minimum:"1"`
	api.LongPaging
}

// mountLists declares the lists over threads.
func (s *Responses) mountLists(a *api.API) {
	const reduced = " Reduced means without question, answer, sources, titles and comments: who asked which agent when, from where, how it ended, its votes, tokens and cost. What its owner cleared is always reduced for others."
	view := authz.To(authz.View, authz.Response)
	sorts := []string{"created_on", "modified_on"}
	api.Many(a, api.Op{ID: "listUserAgentResponses", Route: "GET /api/v2/users/{user_id}/agent-responses", Title: "Get Agent Responses of a User", Group: "Users", Sort: sorts, Needs: view,
		Doc: "Conversations are their person's own: your own come in full; those of others only for Global Admins." + reduced}, "agent_responses",
		func(ctx context.Context, in *ofUser) ([]Listed, int, error) {
			return s.OfUser(ctx, authz.From(ctx), in.UserID, in.Slice())
		})
	api.Many(a, api.Op{ID: "listProjectAgentResponses", Route: "GET /api/v2/projects/{project_id}/agent-responses", Title: "Get Agent Responses using Project ID", Group: "Projects", Sort: sorts, Needs: view,
		Doc: "What the agents of the project were asked: your own in full; those of others for Admins of the project in the reduced form, and for Global Admins with the texts; for everybody else their own only." + reduced}, "agent_responses",
		func(ctx context.Context, in *ofProject) ([]Listed, int, error) {
			return s.OfProject(ctx, authz.From(ctx), in.ProjectID, in.Slice())
		})
}
