// Package project holds projects: what groups agents, and who works on them.
package project

import (
	"context"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/org"
)

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
