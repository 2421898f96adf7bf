package org

import (
	"context"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
)

// remembered is how many places a person's list of recent ones keeps.
const remembered = 20

// Remember puts a place on top of the caller's list of recent ones.
func (p Place) Remember(ctx context.Context, d *db.DB, sc authz.Scope, id int64) error {
	return d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := p.Load(ctx, tx, sc, id, authz.Use); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, `INSERT INTO recent (org_id, user_id, kind, item_id, opened_on) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id, kind, item_id) DO UPDATE SET opened_on = excluded.opened_on`, sc.Org(), sc.User(), p.table(), id, time.Now()); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `DELETE FROM recent WHERE org_id = ? AND user_id = ? AND kind = ? AND item_id NOT IN (
			SELECT r.item_id FROM recent r WHERE r.user_id = ? AND r.kind = ? ORDER BY r.opened_on DESC, r.item_id DESC LIMIT ?)`,
			sc.Org(), sc.User(), p.table(), sc.User(), p.table(), remembered)
		return err
	})
}

// Recent is a join with the caller's list of recent places, as r, whose
// opened_on orders it; x is the alias of the place.
func (p Place) Recent(sc authz.Scope, x string) (string, []any) {
	return ` JOIN recent r ON r.item_id = ` + x + `.id AND r.user_id = ? AND r.kind = ?`, []any{sc.User(), p.table()}
}
