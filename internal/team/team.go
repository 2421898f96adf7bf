// Package team holds teams: people who belong together, and so reach the
// projects, corpora and agents that their team was given.
package team

import (
	"context"
	"errors"
	"time"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/org"
)

// Team as the API shows it.
type Team struct {
	ID            int64     `json:"id" db:"id"`
	Name          string    `json:"name" db:"name"`
	Description   string    `json:"description" db:"description"`
	MembersCount  int       `json:"members_count" db:"members_count"`
	ProjectsCount int       `json:"projects_count" db:"projects_count"`
	Role          *string   `json:"role" db:"role" nullable:"true" enum:"Owner,Admin,Member" doc:"Yours in it; null when you are no member."`
	IsDeleted     bool      `json:"is_deleted" db:"is_deleted"`
	CreatedBy     string    `json:"created_by" db:"created_by"`
	CreatedOn     time.Time `json:"created_on" db:"created_on"`
	ModifiedBy    string    `json:"modified_by" db:"modified_by"`
	ModifiedOn    time.Time `json:"modified_on" db:"modified_on"`
}

// Draft is a team to be made.
type Draft struct {
	Name        string  `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Description *string `json:"description,omitempty" nullable:"true" maxLength:"2000"`
}

// Patch changes a team: only what is sent.
type Patch struct {
	Name        *string `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Description *string `json:"description,omitempty" nullable:"true" maxLength:"2000"`
}

// Teams is everything about teams.
type Teams struct{ db *db.DB }

// New makes Teams.
func New(d *db.DB) *Teams { return &Teams{db: d} }

// Create makes a team that the caller owns.
func (s *Teams) Create(ctx context.Context, sc authz.Scope, d Draft) (Team, error) {
	var id int64
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		name, err := org.Teams.CleanName(d.Name)
		if err != nil {
			return err
		}
		description := ""
		if d.Description != nil {
			description = *d.Description
		}
		now := time.Now()
		id, err = db.One[int64](ctx, tx, `INSERT INTO team (org_id, name, description, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, FALSE, ?, ?, ?, ?) RETURNING id`, sc.Org(), name, description, sc.Email(), now, sc.Email(), now)
		if err != nil {
			return org.Teams.Taken(err, name)
		}
		audit.About(ctx, id)
		return org.Teams.Claim(ctx, tx, sc, id)
	})
	if err != nil {
		return Team{}, err
	}
	return s.Get(ctx, sc, id)
}

// Update changes what is sent.
func (s *Teams) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Team, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		t, err := org.Teams.Load(ctx, tx, sc, id, authz.Edit)
		if err != nil {
			return err
		}
		if p.Name != nil {
			if t.Name, err = org.Teams.CleanName(*p.Name); err != nil {
				return err
			}
		}
		_, err = db.Exec(ctx, tx, `UPDATE team SET name = ?, description = COALESCE(?, description), modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
			t.Name, p.Description, sc.Email(), time.Now(), id, sc.Org())
		return org.Teams.Taken(err, t.Name)
	})
	if err != nil {
		return Team{}, err
	}
	return s.Get(ctx, sc, id)
}

// Delete takes a team away with what it was given; while it has projects, it stays.
func (s *Teams) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		t, err := org.Teams.Load(ctx, tx, sc, id, authz.Delete)
		if err != nil {
			return err
		}
		projects, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM project_team pt JOIN project p ON p.id = pt.project_id WHERE pt.org_id = ? AND pt.team_id = ? AND p.is_deleted = FALSE`, sc.Org(), id)
		if err != nil {
			return err
		}
		if projects > 0 {
			return fail.Conflict("the team %s belongs to %d projects; take it out of them first", t.Name, projects)
		}
		for _, q := range []string{`DELETE FROM project_team WHERE org_id = ? AND team_id = ?`, `DELETE FROM corpus_grant WHERE org_id = ? AND team_id = ?`} {
			if _, err := db.Exec(ctx, tx, q, sc.Org(), id); err != nil {
				return err
			}
		}
		if err := org.Teams.Clear(ctx, tx, sc, id); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, `UPDATE team SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), id, sc.Org())
		return err
	})
}

// Get is one team that the caller may see.
func (s *Teams) Get(ctx context.Context, sc authz.Scope, id int64) (Team, error) {
	see, args := sc.Where(authz.View, authz.Team, "t")
	args = append([]any{sc.User(), id}, args...)
	t, err := db.One[Team](ctx, s.db, `SELECT `+Columns+` FROM team t WHERE t.id = ? AND t.is_deleted = FALSE AND `+see, args...)
	if errors.Is(err, db.ErrNone) {
		err = org.Teams.NotFound(id)
	}
	return t, err
}
