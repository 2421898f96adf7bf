package agent

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/permission"
)

// Tag changes an agent's tags.
func (s *Agents) Tag(ctx context.Context, sc authz.Scope, id int64, t document.Tagging) (Agent, error) {
	t, err := t.Check()
	if err != nil {
		return Agent{}, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, id, authz.Edit); err != nil {
			return err
		}
		return document.Retag(ctx, tx, sc, "agent", id, t)
	})
	if err != nil {
		return Agent{}, err
	}
	return s.Get(ctx, sc, id)
}

// Within narrows to the agents of a project or a team; both unset is the
// organization.
type Within struct {
	ProjectID int64 `query:"project_id" minimum:"1" doc:"Only agents of this project."`
	TeamID    int64 `query:"team_id" minimum:"1" doc:"Only agents of this team's projects. Name a project or a team, not both; without either it is the whole organization."`
}

// where is the condition on the agents that the caller sees there.
func (s *Agents) where(ctx context.Context, sc authz.Scope, w Within) (string, []any, error) {
	where, args := sc.Among(authz.View, authz.Agent, "a")
	where = "a.is_deleted = FALSE AND " + where
	switch {
	case w.ProjectID != 0 && w.TeamID != 0:
		return "", nil, fail.Invalid("name one of project_id and team_id")
	case w.ProjectID != 0:
		if err := s.projects.Visible(ctx, s.db, sc, w.ProjectID, authz.View); err != nil {
			return "", nil, err
		}
		return where + " AND a.project_id = ?", append(args, w.ProjectID), nil
	case w.TeamID != 0:
		if err := permission.Visible(ctx, s.db, sc, authz.Team, w.TeamID); err != nil {
			return "", nil, err
		}
		return where + " AND a.project_id IN (SELECT pt.project_id FROM project_team pt WHERE pt.org_id = ? AND pt.team_id = ?)", append(args, sc.Org(), w.TeamID), nil
	}
	return where, args, nil
}

// TagCount is a tag and how many agents have it.
type TagCount struct {
	Tag    string `json:"tag" db:"tag"`
	Agents int    `json:"agents_count" db:"agents" doc:"Agents that have it, of those that you may see."`
}

// TagFilter asks for the tags of a place.
type TagFilter struct {
	api.Paging
	Within
}

// tagOrder: a tag is as new as the newest agent that has it.
var tagOrder = map[string]string{"created_on": "MAX(t.created_on)", "tag": "lower(t.tag)", "agents_count": "agents"}

// Tags is a page of the tags of the agents that the caller sees.
func (s *Agents) Tags(ctx context.Context, sc authz.Scope, f TagFilter) ([]TagCount, int, error) {
	where, args, err := s.where(ctx, sc, f.Within)
	if err != nil {
		return nil, 0, err
	}
	from := ` FROM (SELECT a.id, a.created_on, ` + s.db.Pick(`j.value AS tag FROM agent a, json_each(a.tags) j`,
		`j.value AS tag FROM agent a CROSS JOIN LATERAL json_array_elements_text(a.tags::json) AS j(value)`) + ` WHERE ` + where + `) t`
	if f.Search != "" {
		from += ` WHERE lower(t.tag) LIKE lower(?) ESCAPE '\'`
		args = append(args, db.Like(f.Search))
	}
	total, err := db.One[int](ctx, s.db, `SELECT COUNT(DISTINCT t.tag)`+from, args...)
	if err != nil {
		return nil, 0, err
	}
	order, err := f.Order(tagOrder, "t.tag")
	if err != nil {
		return nil, 0, err
	}
	out, err := db.All[TagCount](ctx, s.db, `SELECT t.tag, COUNT(DISTINCT t.id) AS agents`+from+` GROUP BY t.tag ORDER BY `+order+` LIMIT ? OFFSET ?`, append(args, f.Limit(), f.Offset())...)
	return out, total, err
}

// Tagged is an agent with its tags.
type Tagged struct {
	Agent Short    `json:"agent"`
	Tags  []string `json:"tags" nullable:"false"`
}

// ByAgent is a page of the agents that the caller sees and that have tags.
func (s *Agents) ByAgent(ctx context.Context, sc authz.Scope, f TagFilter) ([]Tagged, int, error) {
	where, args, err := s.where(ctx, sc, f.Within)
	if err != nil {
		return nil, 0, err
	}
	type line struct {
		ID   int64    `db:"id"`
		Name string   `db:"name"`
		Tags []string `db:"tags,json"`
	}
	return api.Page(ctx, s.db, f.Paging, api.Listing{
		Columns: `a.id, a.name, a.tags`, Tables: `agent a`, Where: `a.tags <> '[]' AND ` + where, Args: args,
		Search: []string{"a.name", "a.tags"}, Order: orders, ID: "a.id",
	}, func(l line) Tagged { return Tagged{Short{l.ID, l.Name}, l.Tags} })
}

func (s *Agents) mountTags(a *api.API) {
	const group = "Agents / Agent Tags"
	api.Do(a, api.Op{ID: "tagAgent", Route: "PUT /api/v2/agents/{agent_id}/tags", Title: "Add or Remove Tags from an Agent", Group: group,
		Doc: "Adds tags and removes tags; the others stay.", Message: "Tags updated", Needs: authz.To(authz.Edit, authz.Agent)},
		func(ctx context.Context, in *struct {
			AgentID
			Body document.Tagging
		}) (Agent, error) {
			return s.Tag(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Many(a, api.Op{ID: "listAgentTags", Route: "GET /api/v2/agent-tags", Title: "Get all Tags for a given Project, Team, or Organization", Group: group, Sort: []string{"created_on", "tag", "agents_count"},
		Doc: "The tags of the agents that you may see, each with how many have it.", Needs: authz.To(authz.View, authz.Agent)}, "tags",
		func(ctx context.Context, in *TagFilter) ([]TagCount, int, error) {
			return s.Tags(ctx, authz.From(ctx), *in)
		})
	api.Many(a, api.Op{ID: "listTagsByAgent", Route: "GET /api/v2/agent-tags/by-agent", Title: "Get all Tags grouped by Agent for a given Project, Team, or Organization", Group: group, Sort: orderNames(),
		Doc: "The agents that you may see and that have tags, each with its own.", Needs: authz.To(authz.View, authz.Agent)}, "agents",
		func(ctx context.Context, in *TagFilter) ([]Tagged, int, error) {
			return s.ByAgent(ctx, authz.From(ctx), *in)
		})
}
