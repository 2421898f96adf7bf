// Package org holds organizations and their projects: the places that people
// and agents belong to. Every other table carries the organization's id.
package org

import (
	"context"
	"time"

	"atrium/internal/db"
)

// Organization is a tenant: nothing of it is ever seen by another.
type Organization struct {
	ID     int64  `json:"id" db:"id"`
	Name   string `json:"org_name" db:"name"`
	Domain string `json:"domain" db:"domain"`
}

// Project groups agents within an organization.
type Project struct {
	ID          int64  `json:"id" db:"id"`
	Name        string `json:"name" db:"name"`
	Description string `json:"description" db:"description"`
}

// First is the organization that the first start made; db.ErrNone before it.
func First(ctx context.Context, q db.Querier) (Organization, error) {
	return db.One[Organization](ctx, q, `SELECT id, name, domain FROM organization ORDER BY id LIMIT 1`)
}

// Create makes an organization with its default project.
func Create(ctx context.Context, tx *db.Tx, name, domain, by string) (Organization, Project, error) {
	now := time.Now()
	id, err := db.One[int64](ctx, tx, `INSERT INTO organization (name, domain, created_on) VALUES (?, ?, ?) RETURNING id`, name, domain, now)
	if err != nil {
		return Organization{}, Project{}, err
	}
	p := Project{Name: "General", Description: "Agents that belong to no other project."}
	p.ID, err = db.One[int64](ctx, tx, `INSERT INTO project (org_id, name, description, is_default, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, TRUE, FALSE, ?, ?, ?, ?) RETURNING id`, id, p.Name, p.Description, by, now, by, now)
	return Organization{ID: id, Name: name, Domain: domain}, p, err
}

// DefaultProject is where an agent goes whose maker names no project.
func DefaultProject(ctx context.Context, q db.Querier, orgID int64) (int64, error) {
	return db.One[int64](ctx, q, `SELECT id FROM project WHERE org_id = ? AND is_default = TRUE ORDER BY id LIMIT 1`, orgID)
}
