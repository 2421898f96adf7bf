package user

import (
	"context"
	"errors"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Key is an API key, without its secret.
type Key struct {
	ID         int64      `json:"id" db:"id"`
	Name       string     `json:"name" db:"name"`
	Prefix     string     `json:"prefix" db:"prefix" doc:"The first characters, to tell keys apart."`
	Scopes     []string   `json:"scopes" db:"scopes,json"`
	ExpiresOn  *time.Time `json:"expires_on" db:"expires_on" nullable:"true"`
	LastUsedOn *time.Time `json:"last_used_on" db:"last_used_on" nullable:"true"`
	CreatedBy  string     `json:"created_by" db:"created_by"`
	CreatedOn  time.Time  `json:"created_on" db:"created_on"`
}

// NewKey is a Key with its secret, which is shown this once.
type NewKey struct {
	Key
	Secret string `json:"key" doc:"The key itself; it cannot be shown again."`
}

// KeyDraft is a key to be made.
type KeyDraft struct {
	Name      string     `json:"name" minLength:"1" maxLength:"100" doc:"What it is for."`
	Scopes    Scopes     `json:"scopes,omitempty" doc:"What it may do, as resource:action; all that you may when empty. Either half may be *."`
	ExpiresOn *time.Time `json:"expires_on,omitempty" nullable:"true" doc:"When it ends; never when empty."`
}

// Scopes are what a key may do.
type Scopes []string

// Schema lists every scope there is.
func (Scopes) Schema(api.Registry) *api.Schema {
	all, most := authz.Scopes(), 50
	names := make([]any, len(all))
	for i, s := range all {
		names[i] = s
	}
	return &api.Schema{Type: "array", MaxItems: &most, Items: &api.Schema{Type: "string", Enum: names}}
}

const keyColumns = `k.id, k.name, k.prefix, k.scopes, k.expires_on, k.last_used_on, k.created_by, k.created_on`

// CreateKey makes a key that acts as the caller.
func (u *Users) CreateKey(ctx context.Context, sc authz.Scope, d KeyDraft) (NewKey, error) {
	if len(d.Scopes) == 0 {
		d.Scopes = []string{"*"}
	}
	for _, s := range d.Scopes {
		if !authz.ValidScope(s) {
			return NewKey{}, fail.InvalidField("scopes", "scopes: %q is not a scope; write resource:action, such as agent:view", s)
		}
	}
	if d.ExpiresOn != nil && d.ExpiresOn.Before(time.Now()) {
		return NewKey{}, fail.Conflict("expires_on lies in the past; choose a time to come")
	}
	if p := sc.Principal(); p.KeyID != 0 {
		for _, s := range d.Scopes {
			if !covered(p.Scopes, s) {
				return NewKey{}, fail.Forbidden("a key cannot make another that may do more than itself")
			}
		}
	}
	var k NewKey
	err := u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := outlasts(ctx, tx, sc, d.ExpiresOn); err != nil {
			return err
		}
		var err error
		k, err = u.storeKey(ctx, tx, sc.Org(), sc.User(), sc.Email(), newToken(keyPrefix), d)
		audit.About(ctx, k.ID)
		return err
	})
	return k, err
}

// covered tells whether the scopes held include s.
func covered(held []string, s string) bool {
	resource, action := halves(s)
	for _, h := range held {
		r, a := halves(h)
		if (r == "*" || r == resource) && (a == "*" || a == action) {
			return true
		}
	}
	return false
}

func halves(scope string) (resource, action string) {
	if scope == "*" {
		return "*", "*"
	}
	resource, action, _ = strings.Cut(scope, ":")
	return resource, action
}

// outlasts refuses a key that would go on when the key that makes it has ended.
func outlasts(ctx context.Context, tx *db.Tx, sc authz.Scope, end *time.Time) error {
	if sc.Principal().KeyID == 0 {
		return nil
	}
	own, err := db.One[*time.Time](ctx, tx, `SELECT expires_on FROM api_key WHERE id = ? AND user_id = ?`, sc.Principal().KeyID, sc.User())
	if err == nil && own != nil && (end == nil || end.After(*own)) {
		err = fail.Forbidden("a key cannot make another that lasts longer than itself; set expires_on to %s or before", own.UTC().Format(time.RFC3339))
	}
	return err
}

func (u *Users) storeKey(ctx context.Context, tx *db.Tx, orgID, userID int64, by, secret string, d KeyDraft) (NewKey, error) {
	k := NewKey{Secret: secret, Key: Key{Name: d.Name, Prefix: secret[:min(len(secret)/2, 10)], Scopes: d.Scopes, ExpiresOn: d.ExpiresOn, CreatedBy: by, CreatedOn: time.Now().UTC().Truncate(time.Microsecond)}}
	var err error
	k.ID, err = db.One[int64](ctx, tx, `INSERT INTO api_key (org_id, user_id, name, prefix, hash, scopes, expires_on, created_by, created_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, orgID, userID, k.Name, k.Prefix, digest(secret), db.JSON(k.Scopes), k.ExpiresOn, by, k.CreatedOn)
	return k, err
}

// KeepKey stores a key that the operator chose; it stays as it is when known.
func (u *Users) KeepKey(ctx context.Context, tx *db.Tx, orgID, userID int64, name, secret string) error {
	if len(secret) < 16 {
		return fail.Invalid("an API key needs at least 16 characters")
	}
	if mistyped(secret) {
		return fail.Invalid("this API key looks like one of ours but its last characters do not match the rest; copy it again, or choose one with another beginning")
	}
	n, err := db.One[int64](ctx, tx, `SELECT COUNT(*) FROM api_key WHERE hash = ? AND revoked_on IS NULL`, digest(secret))
	if err != nil || n > 0 {
		return err
	}
	_, err = u.storeKey(ctx, tx, orgID, userID, "server", secret, KeyDraft{Name: name, Scopes: []string{"*"}})
	return err
}

// NewSecret makes the text of a key.
func NewSecret() string { return newToken(keyPrefix) }

// Keys are the caller's own keys.
func (u *Users) Keys(ctx context.Context, sc authz.Scope, p api.Paging) ([]Key, int, error) {
	where, args := sc.Where(authz.View, authz.APIKey, "k")
	return api.Rows[Key](ctx, u.db, p, api.Listing{
		Columns: keyColumns, Tables: `api_key k`, Where: `k.revoked_on IS NULL AND k.user_id = ? AND ` + where, Args: append([]any{sc.User()}, args...),
		Search: []string{"k.name"}, Order: map[string]string{"created_on": "k.created_on", "name": "k.name", "last_used_on": "k.last_used_on"}, ID: "k.id",
	})
}

// RevokeKey ends a key at once.
func (u *Users) RevokeKey(ctx context.Context, sc authz.Scope, id int64) error {
	defer u.cache.forget()
	where, args := sc.Where(authz.Delete, authz.APIKey, "api_key")
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.One[int64](ctx, tx, `UPDATE api_key SET revoked_on = ? WHERE id = ? AND revoked_on IS NULL AND `+where+` RETURNING id`,
			append([]any{time.Now(), id}, args...)...)
		if errors.Is(err, db.ErrNone) {
			return fail.NotFound("API key %d is unknown or not visible to you; check the id", id)
		}
		return err
	})
}
