package team

import (
	"context"
	"slices"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/org"
)

// Columns are those of a Team for the alias t; they take the caller's id.
const Columns = `t.id, t.name, t.description, t.is_deleted, t.created_by, t.created_on, t.modified_by, t.modified_on,
	(SELECT m.role FROM team_user m WHERE m.team_id = t.id AND m.user_id = ?) AS role,
	(SELECT COUNT(*) FROM team_user m WHERE m.team_id = t.id) AS members_count,
	(SELECT COUNT(*) FROM project_team pt JOIN project p ON p.id = pt.project_id WHERE pt.team_id = t.id AND p.is_deleted = FALSE) AS projects_count`

var sortable = map[string]string{"created_on": "t.created_on", "modified_on": "t.modified_on", "name": "lower(t.name)"}

// part is which teams a list is about.
type part struct {
	join  string // with its arguments
	args  []any
	order map[string]string
}

// List is a page of the teams that the caller may see.
func (s *Teams) List(ctx context.Context, sc authz.Scope, p api.Paging) ([]Team, int, error) {
	return s.page(ctx, sc, p, part{order: sortable})
}

// Mine is a page of the teams that the caller belongs to.
func (s *Teams) Mine(ctx context.Context, sc authz.Scope, p api.Paging) ([]Team, int, error) {
	return s.page(ctx, sc, p, part{` JOIN team_user me ON me.team_id = t.id AND me.user_id = ?`, []any{sc.User()}, sortable})
}

// Recent is the caller's list of recent teams.
func (s *Teams) Recent(ctx context.Context, sc authz.Scope, p api.Paging) ([]Team, int, error) {
	join, args := org.Teams.Recent(sc, "t")
	return s.page(ctx, sc, p, part{join, args, map[string]string{"created_on": "r.opened_on"}})
}

// page finds the page first and counts for its rows only.
func (s *Teams) page(ctx context.Context, sc authz.Scope, p api.Paging, of part) ([]Team, int, error) {
	see, seeArgs := sc.Among(authz.View, authz.Team, "t")
	ids, total, err := api.Rows[int64](ctx, s.db, p, api.Listing{
		Columns: `t.id`, Tables: `team t` + of.join, Where: `t.is_deleted = FALSE AND ` + see, Args: slices.Concat(of.args, seeArgs),
		Search: []string{"t.name", "t.description"}, Order: of.order, ID: "t.id",
	})
	if err != nil {
		return nil, 0, err
	}
	teams, err := s.byID(ctx, sc, ids)
	return teams, total, err
}

// byID are the teams in the order of the ids.
func (s *Teams) byID(ctx context.Context, sc authz.Scope, ids []int64) ([]Team, error) {
	marks, args := db.In(ids)
	teams, err := db.All[Team](ctx, s.db, `SELECT `+Columns+` FROM team t WHERE t.org_id = ? AND t.id IN (`+marks+`)`, slices.Concat([]any{sc.User(), sc.Org()}, args)...)
	slices.SortFunc(teams, func(a, b Team) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return teams, err
}
