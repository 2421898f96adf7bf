package user

import (
	"context"
	"errors"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Session is one sign-in of a person, however often its tokens were refreshed.
type Session struct {
	ID         int64      `json:"id" db:"id"`
	Way        string     `json:"way" db:"way" doc:"How it was opened: password, application, or what else signed in."`
	Agent      string     `json:"agent" db:"agent" doc:"The program, as it called itself."`
	Address    string     `json:"address" db:"address" doc:"Where it was opened from."`
	CreatedOn  time.Time  `json:"created_on" db:"created_on"`
	LastUsedOn *time.Time `json:"last_used_on" db:"last_used_on" nullable:"true" doc:"To half a minute."`
	ExpiresOn  time.Time  `json:"expires_on" db:"expires_on"`
	IsCurrent  bool       `json:"is_current" db:"is_current" doc:"Whether it is the one that asks."`
}

// Refreshing adds rows of the same family; together they are one session.
const families = `(SELECT MIN(s.id) AS id, s.family, MAX(s.way) AS way, MAX(s.agent) AS agent, MAX(s.address) AS address, MIN(s.created_on) AS created_on,
	MAX(s.last_used_on) AS last_used_on, MAX(s.expires_on) AS expires_on FROM session s WHERE s.revoked_on IS NULL AND `

// Sessions is a page of the caller's own sessions.
func (u *Users) Sessions(ctx context.Context, sc authz.Scope, p api.Paging) ([]Session, int, error) {
	see, args := sc.Where(authz.View, authz.Session, "s")
	return api.Rows[Session](ctx, u.db, p, api.Listing{
		Columns: `f.id, f.way, f.agent, f.address, f.created_on, f.last_used_on, f.expires_on,
			EXISTS (SELECT 1 FROM session c WHERE c.id = ? AND c.family = f.family) AS is_current`,
		Given:  []any{sc.Principal().SessionID},
		Tables: families + see + ` GROUP BY s.family) f`, Where: `f.expires_on > ?`, Args: append(args, time.Now()),
		Search: []string{"f.agent", "f.address", "f.way"},
		Order:  map[string]string{"created_on": "f.created_on", "last_used_on": "COALESCE(f.last_used_on, 0)", "expires_on": "f.expires_on"}, ID: "f.id",
	})
}

// EndSession ends one of the caller's sessions.
func (u *Users) EndSession(ctx context.Context, sc authz.Scope, id int64) error {
	may, args := sc.Where(authz.Delete, authz.Session, "s")
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		tx.AfterCommit(u.cache.forget)
		now := time.Now()
		n, err := db.Exec(ctx, tx, `UPDATE session SET revoked_on = ? WHERE revoked_on IS NULL AND expires_on > ? AND family = (SELECT s.family FROM session s WHERE s.id = ? AND `+may+`)`,
			append([]any{now, now, id}, args...)...)
		if err == nil && n == 0 {
			err = fail.NotFound("session %d is unknown, ended or not yours; check the id", id)
		}
		return err
	})
}

// EndSessions ends the caller's other sessions, or all of them.
func (u *Users) EndSessions(ctx context.Context, sc authz.Scope, all bool) error {
	may, args := sc.Where(authz.Delete, authz.Session, "session")
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		tx.AfterCommit(u.cache.forget)
		var spared string
		if !all {
			var err error
			spared, err = db.One[string](ctx, tx, `SELECT family FROM session WHERE id = ? AND user_id = ?`, sc.Principal().SessionID, sc.User())
			if err != nil && !errors.Is(err, db.ErrNone) {
				return err
			}
		}
		_, err := db.Exec(ctx, tx, `UPDATE session SET revoked_on = ? WHERE revoked_on IS NULL AND family <> ? AND `+may, append([]any{time.Now(), spared}, args...)...)
		return err
	})
}
