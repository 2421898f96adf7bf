// Package team holds teams: people who belong together, and so reach the
// projects, corpora and agents that their team was given.
package team

import "atrium/internal/db"

// Teams is everything about teams.
type Teams struct{ db *db.DB }

// New makes Teams.
func New(d *db.DB) *Teams { return &Teams{db: d} }
