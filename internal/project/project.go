// Package project holds projects: what groups agents, and who works on them:
// people by themselves, and the members of the teams that it has.
package project

import (
	"context"
	"errors"
	"slices"
	"time"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/org"
	"atrium/internal/team"
)

// Project as the API shows it.
type Project struct {
	Facts
	Teams []TeamName `json:"teams" nullable:"false" doc:"Its teams, as far as you may see them."`
}

// Detailed is a project with its teams in full.
type Detailed struct {
	Facts
	Teams []team.Team `json:"teams" nullable:"false" doc:"Its teams, as far as you may see them."`
}

// Facts are a project without its teams.
type Facts struct {
	ID           int64     `json:"id" db:"id"`
	Name         string    `json:"name" db:"name"`
	Description  string    `json:"description" db:"description"`
	IsDefault    bool      `json:"is_default" db:"is_default" doc:"Whether agents go here whose maker names no project. Everybody in the organization sees it."`
	AgentsCount  int       `json:"agents_count" db:"agents_count"`
	MembersCount int       `json:"members_count" doc:"The members of its teams included."`
	Role         *string   `json:"role" db:"role" nullable:"true" enum:"Owner,Admin,Member" doc:"Yours in it; null when you are no member."`
	IsDeleted    bool      `json:"is_deleted" db:"is_deleted"`
	CreatedBy    string    `json:"created_by" db:"created_by"`
	CreatedOn    time.Time `json:"created_on" db:"created_on"`
	ModifiedBy   string    `json:"modified_by" db:"modified_by"`
	ModifiedOn   time.Time `json:"modified_on" db:"modified_on"`
}

// TeamName is a team in short.
type TeamName struct {
	ID   int64  `json:"id" db:"id"`
	Name string `json:"name" db:"name"`
}

// Draft is a project to be made.
type Draft struct {
	Name        string  `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Description *string `json:"description,omitempty" nullable:"true" maxLength:"2000"`
	TeamIDs     []int64 `json:"team_ids,omitempty" nullable:"true" maxItems:"200" doc:"Teams whose members are to be Members of it."`
}

// Patch changes a project: only what is sent.
type Patch struct {
	Name        *string `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Description *string `json:"description,omitempty" nullable:"true" maxLength:"2000"`
	TeamIDs     []int64 `json:"team_ids,omitempty" nullable:"true" maxItems:"200" doc:"Replaces the teams; an empty list takes all out. Needs the permission to manage the project."`
}

// Projects is everything about projects.
type Projects struct{ db *db.DB }

// New makes Projects.
func New(d *db.DB) *Projects { return &Projects{db: d} }

// Visible is the scoped loader for whoever refers to a project: 404 when it is
// unknown or not visible, 403 when it is visible but the action is not allowed.
func (s *Projects) Visible(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) error {
	_, err := org.Projects.Load(ctx, q, sc, id, a)
	return err
}

// Create makes a project that the caller owns.
func (s *Projects) Create(ctx context.Context, sc authz.Scope, d Draft) (Project, error) {
	var id int64
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		name, err := org.Projects.CleanName(d.Name)
		if err != nil {
			return err
		}
		description := ""
		if d.Description != nil {
			description = *d.Description
		}
		now := time.Now()
		id, err = db.One[int64](ctx, tx, `INSERT INTO project (org_id, name, description, is_default, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, FALSE, FALSE, ?, ?, ?, ?) RETURNING id`, sc.Org(), name, description, sc.Email(), now, sc.Email(), now)
		if err != nil {
			return org.Projects.Taken(err, name)
		}
		audit.About(ctx, id)
		if err := org.Projects.Claim(ctx, tx, sc, id); err != nil {
			return err
		}
		return setTeams(ctx, tx, sc, id, d.TeamIDs)
	})
	if err != nil {
		return Project{}, err
	}
	return s.Get(ctx, sc, id)
}

// Update changes what is sent.
func (s *Projects) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Project, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := org.Projects.Load(ctx, tx, sc, id, authz.Edit)
		if err != nil {
			return err
		}
		if p.Name != nil {
			if found.Name, err = org.Projects.CleanName(*p.Name); err != nil {
				return err
			}
		}
		if p.TeamIDs != nil {
			if err := replaceTeams(ctx, tx, sc, id, p.TeamIDs); err != nil {
				return err
			}
		}
		_, err = db.Exec(ctx, tx, `UPDATE project SET name = ?, description = COALESCE(?, description), modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
			found.Name, p.Description, sc.Email(), time.Now(), id, sc.Org())
		return org.Projects.Taken(err, found.Name)
	})
	if err != nil {
		return Project{}, err
	}
	return s.Get(ctx, sc, id)
}

// replaceTeams: the teams say who belongs to the project, so changing them is
// managing it. Those that it has may stay without being looked at.
func replaceTeams(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, teams []int64) error {
	if d := sc.Can(authz.To(authz.Manage, authz.Project)); !d.Allowed {
		return fail.Forbidden("%s", d.Reason)
	}
	if _, err := org.Projects.Load(ctx, tx, sc, id, authz.Manage); err != nil {
		return err
	}
	had, err := db.All[int64](ctx, tx, `SELECT team_id FROM project_team WHERE org_id = ? AND project_id = ? ORDER BY team_id`, sc.Org(), id)
	if err != nil {
		return err
	}
	audit.Tell(ctx, "from", map[string]any{"team_ids": had})
	for _, t := range had {
		if slices.Contains(teams, t) {
			continue
		}
		if _, err := db.Exec(ctx, tx, `DELETE FROM project_team WHERE org_id = ? AND project_id = ? AND team_id = ?`, sc.Org(), id, t); err != nil {
			return err
		}
	}
	return setTeams(ctx, tx, sc, id, slices.DeleteFunc(slices.Clone(teams), func(t int64) bool { return slices.Contains(had, t) }))
}

// setTeams adds teams that the caller may see.
func setTeams(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, teams []int64) error {
	teams = slices.Clone(teams)
	slices.Sort(teams) // locked in one order by everybody
	for _, t := range slices.Compact(teams) {
		if _, err := org.Teams.Load(ctx, tx, sc, t, authz.View); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, `INSERT INTO project_team (org_id, project_id, team_id) VALUES (?, ?, ?)`, sc.Org(), id, t); err != nil {
			return err
		}
	}
	return nil
}

// Delete takes a project away; while it has agents, it stays, and the default
// project always does.
func (s *Projects) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := org.Projects.Load(ctx, tx, sc, id, authz.Delete)
		if err != nil {
			return err
		}
		type use struct {
			IsDefault bool `db:"is_default"`
			Agents    int  `db:"agents"`
		}
		u, err := db.One[use](ctx, tx, `SELECT p.is_default, (SELECT COUNT(*) FROM agent a WHERE a.project_id = p.id AND a.is_deleted = FALSE) AS agents
			FROM project p WHERE p.id = ? AND p.org_id = ?`, id, sc.Org())
		switch {
		case err != nil:
			return err
		case u.IsDefault:
			return fail.Conflict("%s is the organization's default project, where agents go that name none; it stays", found.Name)
		case u.Agents > 0:
			return fail.Conflict("the project %s has %d agents; move or delete them first", found.Name, u.Agents)
		}
		if _, err := db.Exec(ctx, tx, `DELETE FROM project_team WHERE org_id = ? AND project_id = ?`, sc.Org(), id); err != nil {
			return err
		}
		if err := org.Projects.Clear(ctx, tx, sc, id); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, `UPDATE project SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), id, sc.Org())
		return err
	})
}

// Get is one project that the caller may see.
func (s *Projects) Get(ctx context.Context, sc authz.Scope, id int64) (Project, error) {
	see, args := sc.Where(authz.View, authz.Project, "p")
	_, err := db.One[int64](ctx, s.db, `SELECT p.id FROM project p WHERE p.id = ? AND p.is_deleted = FALSE AND `+see, slices.Concat([]any{id}, args)...)
	if errors.Is(err, db.ErrNone) {
		return Project{}, org.Projects.NotFound(id)
	}
	if err != nil {
		return Project{}, err
	}
	facts, err := s.facts(ctx, sc, []int64{id})
	if err != nil {
		return Project{}, err
	}
	out, err := s.named(ctx, sc, facts)
	if err != nil {
		return Project{}, err
	}
	return out[0], nil
}
