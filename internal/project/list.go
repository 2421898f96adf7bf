package project

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/org"
	"atrium/internal/team"
)

// columns are those of Facts for the alias p; they take the caller's id twice.
const columns = `p.id, p.name, p.description, p.is_default, p.is_deleted, p.created_by, p.created_on, p.modified_by, p.modified_on,
	COALESCE((SELECT m.role FROM project_user m WHERE m.project_id = p.id AND m.user_id = ?),
		(SELECT 'Member' FROM project_team pt JOIN team_user tu ON tu.team_id = pt.team_id WHERE pt.project_id = p.id AND tu.user_id = ? LIMIT 1)) AS role,
	(SELECT COUNT(*) FROM agent a WHERE a.project_id = p.id AND a.is_deleted = FALSE) AS agents_count`

var sortable = map[string]string{"created_on": "p.created_on", "modified_on": "p.modified_on", "name": "lower(p.name)"}

// part is which projects a list is about.
type part struct {
	join  string
	where []string // the marks of join and where take args, in this order
	args  []any
	order map[string]string
}

// Filter narrows a list of projects.
type Filter struct {
	TeamID    int64  `query:"team_id" minimum:"1" doc:"Only projects of this team."`
	Name      string `query:"name" maxLength:"200" doc:"Only the project with this name, whatever the case."`
	IsDefault string `query:"is_default" enum:"true,false" doc:"Only the default project, or only the others."`
	CreatedBy string `query:"created_by" maxLength:"254" doc:"Only projects that the person with this address made."`
}

// List is a page of the projects that the caller may see.
func (s *Projects) List(ctx context.Context, sc authz.Scope, p api.Paging, f Filter) ([]Facts, int, error) {
	of := part{order: sortable}
	add := func(where string, arg any) { of.where, of.args = append(of.where, where), append(of.args, arg) }
	if f.TeamID != 0 {
		if _, err := org.Teams.Load(ctx, s.db, sc, f.TeamID, authz.View); err != nil {
			return nil, 0, err
		}
		add(`p.id IN (SELECT pt.project_id FROM project_team pt WHERE pt.team_id = ?)`, f.TeamID)
	}
	if f.Name != "" {
		add(`lower(p.name) = lower(?)`, f.Name)
	}
	if f.IsDefault != "" {
		add(`p.is_default = ?`, f.IsDefault == "true")
	}
	if f.CreatedBy != "" {
		add(`lower(p.created_by) = lower(?)`, f.CreatedBy)
	}
	return s.page(ctx, sc, p, of)
}

// OfUser is a page of the projects that somebody belongs to, as far as the
// caller may see them. Everybody belongs to the default project.
func (s *Projects) OfUser(ctx context.Context, sc authz.Scope, userID int64, p api.Paging) ([]Facts, int, error) {
	if err := org.People(ctx, s.db, sc, userID); err != nil {
		return nil, 0, err
	}
	return s.page(ctx, sc, p, part{order: sortable, args: []any{userID, userID}, where: []string{
		`(p.is_default = TRUE OR p.id IN (SELECT m.project_id FROM project_user m WHERE m.user_id = ?
			UNION SELECT pt.project_id FROM project_team pt JOIN team_user tu ON tu.team_id = pt.team_id WHERE tu.user_id = ?))`,
	}})
}

// maxBatch is how many projects can be asked for at once.
const maxBatch = 200

// ByIDs is a page of the projects with the ids; those that are unknown or not
// visible are left out. Each text holds ids with commas between them.
func (s *Projects) ByIDs(ctx context.Context, sc authz.Scope, texts []string, p api.Paging) ([]Facts, int, error) {
	var ids []int64
	for x := range strings.SplitSeq(strings.Join(texts, ","), ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64)
		if err != nil || id < 1 {
			return nil, 0, fail.InvalidField("project_ids", "project_ids: %q is not an id; send numbers with commas between them", x)
		}
		ids = append(ids, id)
	}
	if len(ids) > maxBatch {
		return nil, 0, fail.InvalidField("project_ids", "project_ids: %d ids are too many; send %d at most", len(ids), maxBatch)
	}
	marks, args := db.In(ids)
	return s.page(ctx, sc, p, part{order: sortable, args: args, where: []string{`p.id IN (` + marks + `)`}})
}

// Recent is the caller's list of recent projects.
func (s *Projects) Recent(ctx context.Context, sc authz.Scope, p api.Paging) ([]Facts, int, error) {
	join, args := org.Projects.Recent(sc, "p")
	return s.page(ctx, sc, p, part{join: join, args: args, order: map[string]string{"created_on": "r.opened_on"}})
}

// page finds the page first and counts for its rows only.
func (s *Projects) page(ctx context.Context, sc authz.Scope, p api.Paging, of part) ([]Facts, int, error) {
	see, seeArgs := sc.Among(authz.View, authz.Project, "p")
	ids, total, err := api.Rows[int64](ctx, s.db, p, api.Listing{
		Columns: `p.id`, Tables: `project p` + of.join, Where: strings.Join(append(slices.Clone(of.where), "p.is_deleted = FALSE", see), " AND "), Args: slices.Concat(of.args, seeArgs),
		Search: []string{"p.name", "p.description"}, Order: of.order, ID: "p.id",
	})
	if err != nil {
		return nil, 0, err
	}
	facts, err := s.facts(ctx, sc, ids)
	return facts, total, err
}

// facts are the projects with the ids, which the caller may see, in that order.
func (s *Projects) facts(ctx context.Context, sc authz.Scope, ids []int64) ([]Facts, error) {
	marks, args := db.In(ids)
	facts, err := db.All[Facts](ctx, s.db, `SELECT `+columns+` FROM project p WHERE p.org_id = ? AND p.id IN (`+marks+`)`,
		slices.Concat([]any{sc.User(), sc.User(), sc.Org()}, args)...)
	if err != nil {
		return nil, err
	}
	type count struct {
		ID      int64 `db:"project_id"`
		Members int   `db:"members"`
	}
	counts, err := db.All[count](ctx, s.db, `SELECT x.project_id, COUNT(*) AS members FROM (
			SELECT m.project_id, m.user_id FROM project_user m WHERE m.project_id IN (`+marks+`)
			UNION SELECT pt.project_id, tu.user_id FROM project_team pt JOIN team_user tu ON tu.team_id = pt.team_id WHERE pt.project_id IN (`+marks+`)
		) x GROUP BY x.project_id`, slices.Concat(args, args)...)
	members := map[int64]int{}
	for _, c := range counts {
		members[c.ID] = c.Members
	}
	for i := range facts {
		facts[i].MembersCount = members[facts[i].ID]
	}
	slices.SortFunc(facts, func(a, b Facts) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return facts, err
}

// teams are those of the projects that the caller may see: their own, and all
// of a project that they manage. T is what is read of each.
func teams[T any](ctx context.Context, s *Projects, sc authz.Scope, projects []Facts, columns string, args ...any) ([]T, error) {
	ids := make([]int64, len(projects))
	for i, p := range projects {
		ids[i] = p.ID
	}
	marks, more := db.In(ids)
	see, seeArgs := sc.Where(authz.View, authz.Team, "t")
	manage, manageArgs := sc.Where(authz.Manage, authz.Project, "p")
	return db.All[T](ctx, s.db, `SELECT p.id AS project_id, `+columns+` FROM project_team x
		JOIN team t ON t.id = x.team_id AND t.org_id = x.org_id JOIN project p ON p.id = x.project_id AND p.org_id = x.org_id
		WHERE x.org_id = ? AND x.project_id IN (`+marks+`) AND t.is_deleted = FALSE AND (`+see+` OR `+manage+`) ORDER BY lower(t.name), t.id`,
		slices.Concat(args, []any{sc.Org()}, more, seeArgs, manageArgs)...)
}

// named are the projects with their teams in short.
func (s *Projects) named(ctx context.Context, sc authz.Scope, facts []Facts) ([]Project, error) {
	type row struct {
		ProjectID int64 `db:"project_id"`
		TeamName
	}
	rows, err := teams[row](ctx, s, sc, facts, `t.id, t.name`)
	of := map[int64][]TeamName{}
	for _, r := range rows {
		of[r.ProjectID] = append(of[r.ProjectID], r.TeamName)
	}
	out := make([]Project, len(facts))
	for i, f := range facts {
		out[i] = Project{f, append([]TeamName{}, of[f.ID]...)}
	}
	return out, err
}

// detailed are the projects with their teams in full.
func (s *Projects) detailed(ctx context.Context, sc authz.Scope, facts []Facts) ([]Detailed, error) {
	type row struct {
		ProjectID int64 `db:"project_id"`
		team.Team
	}
	rows, err := teams[row](ctx, s, sc, facts, team.Columns, sc.User())
	of := map[int64][]team.Team{}
	for _, r := range rows {
		of[r.ProjectID] = append(of[r.ProjectID], r.Team)
	}
	out := make([]Detailed, len(facts))
	for i, f := range facts {
		out[i] = Detailed{f, append([]team.Team{}, of[f.ID]...)}
	}
	return out, err
}
