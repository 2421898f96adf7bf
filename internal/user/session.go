package user

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/planted"
)

// Tokens is what a sign-in answers.
type Tokens struct {
	AccessToken   string `json:"access_token" doc:"For the authentication service: refreshing, and one's own account."`
	PlatformToken string `json:"ejento_access_token" doc:"For every other operation, as Authorization: Bearer."`
	TokenType     string `json:"token_type" enum:"bearer"`
	ExpiresIn     int    `json:"expires_in" doc:"Seconds until both end."`
	session       int64
}

const (
	sessionLife   = 7 * 24 * time.Hour
	rotationGrace = time.Minute // the replaced platform token goes on for requests under way
	issuer        = "atrium"
	audience      = "auth-service"
)

// How says in which way somebody signs in, and from where; it is what the list
// of their sessions shows.
type How struct {
	Way     string // password, setup, application, or what else signs in
	Agent   string // the program, as it calls itself
	Address string
}

// By is How of the request under way.
func By(ctx context.Context, way string) How {
	return How{Way: way, Agent: api.Header(ctx, "User-Agent"), Address: api.RemoteIP(ctx)}
}

const maxAgent = 200 // bytes of what a program calls itself

// SignIn checks a password and opens a session. It answers alike for an
// unknown address and a wrong password.
func (u *Users) SignIn(ctx context.Context, email, password string, how How) (Tokens, error) {
	key := strings.ToLower(strings.TrimSpace(email))
	succeeded, err := attempt(u.attempts, key, how.Address)
	if err != nil {
		return Tokens{}, err
	}
	type row struct {
		ID    int64  `db:"id"`
		OrgID int64  `db:"org_id"`
		Hash  string `db:"password_hash"`
	}
	r, err := db.One[row](ctx, u.db, `SELECT id, org_id, password_hash FROM users WHERE email_key = ? AND is_active = TRUE AND is_deleted = FALSE`, key)
	if err != nil && !errors.Is(err, db.ErrNone) {
		return Tokens{}, err
	}
	ok, err := u.hashing.matches(ctx, password, r.Hash)
	if err != nil {
		return Tokens{}, err
	}
	if !ok {
		if r.ID != 0 {
			u.noteFailure(audit.Entry{OrgID: r.OrgID, UserID: r.ID, Actor: key, Carrier: how.Way, Address: how.Address, RequestID: api.RequestID(ctx),
				Action: "signInFailed", Resource: string(authz.Session)})
		}
		return Tokens{}, fail.Unauthenticated("the e-mail address or the password is wrong; check both and try again")
	}
	succeeded()
	var t Tokens
	err = u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		t, err = u.Open(ctx, tx, r.OrgID, r.ID, how)
		return err
	})
	return t, err
}

// noteFailure records a failed sign-in after it was answered, so that the time
// an answer takes does not tell which addresses exist.
func (u *Users) noteFailure(e audit.Entry) {
	u.done.Go(func() {
		err := u.db.Tx(context.Background(), func(ctx context.Context, tx *db.Tx) error { return audit.Record(ctx, tx, e) })
		if err != nil {
			u.log.Warn("could not record a failed sign-in", slog.Any("error", err))
		}
	})
}

// Open signs a person in whose proof was checked: it writes the session and
// the audit entry. The person must be active, which Open checks once more.
func (u *Users) Open(ctx context.Context, tx *db.Tx, orgID, userID int64, how How) (Tokens, error) {
	email, err := db.One[string](ctx, tx, `UPDATE users SET last_sign_in_on = ? WHERE id = ? AND org_id = ? AND is_active = TRUE AND is_deleted = FALSE RETURNING email`,
		time.Now(), userID, orgID)
	if errors.Is(err, db.ErrNone) {
		return Tokens{}, fail.Unauthenticated("this account is not active; ask an administrator")
	}
	if err != nil {
		return Tokens{}, err
	}
	// A session that ended proves nothing any more, not even reuse.
	if _, err := db.Exec(ctx, tx, `DELETE FROM session WHERE user_id = ? AND org_id = ? AND expires_on < ?`, userID, orgID, time.Now().Add(-24*time.Hour)); err != nil {
		return Tokens{}, err
	}
	t, err := u.open(ctx, tx, orgID, userID, rand.Text(), how)
	if err != nil {
		return Tokens{}, err
	}
	return t, audit.Record(ctx, tx, audit.Entry{OrgID: orgID, UserID: userID, Actor: email, Carrier: how.Way, Address: how.Address, RequestID: api.RequestID(ctx),
		Action: "signIn", Resource: string(authz.Session), ResourceID: strconv.FormatInt(t.session, 10)})
}

// open writes a session: an access token and a platform token of one family.
func (u *Users) open(ctx context.Context, tx *db.Tx, orgID, userID int64, family string, how How) (Tokens, error) {
	now := time.Now()
	how.Agent = strings.ToValidUTF8(how.Agent[:min(len(how.Agent), maxAgent)], "")
	expires := now.Add(sessionLife)
	access, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: strconv.FormatInt(userID, 10), ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString(u.signKey)
	if err != nil {
		return Tokens{}, err
	}
	t := Tokens{AccessToken: access, PlatformToken: newToken(sessionPrefix), TokenType: "bearer", ExpiresIn: int(sessionLife.Seconds())}
	t.session, err = db.One[int64](ctx, tx, `INSERT INTO session (org_id, user_id, family, kind, access_hash, platform_hash, created_on, expires_on, way, agent, address, last_used_on)
		VALUES (?, ?, ?, 'user', ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, orgID, userID, family, digest(access), digest(t.PlatformToken), now, expires,
		how.Way, how.Agent, how.Address, now)
	return t, err
}

// Refresh rotates both tokens of the session that the access token names.
// Exactly one of several refreshes wins; a token that was replaced before ends
// its whole family.
func (u *Users) Refresh(ctx context.Context, access, address string) (Tokens, error) {
	bad := fail.Unauthenticated("this access token is not valid any more; sign in again")
	err := u.readAccess(access)
	if err != nil {
		return Tokens{}, bad.Because(err)
	}
	type row struct {
		actor
		ID      int64      `db:"id"`
		Family  string     `db:"family"`
		Rotated *time.Time `db:"rotated_on"`
		Way     string     `db:"way"`
		Agent   string     `db:"agent"`
		Address string     `db:"address"`
	}
	var t Tokens
	reused := false
	err = u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := time.Now()
		r, err := db.One[row](ctx, tx, `SELECT s.id, s.family, s.rotated_on, s.way, s.agent, s.address, `+actorColumns+` FROM session s JOIN users p ON p.id = s.user_id
			WHERE s.access_hash = ? AND s.revoked_on IS NULL AND s.expires_on > ? AND `+mayAct+tx.Pick("", " FOR UPDATE OF s"),
			digest(access), now)
		if errors.Is(err, db.ErrNone) {
			return bad
		}
		if err != nil {
			return err
		}
		if r.Rotated != nil && !planted.Bug(planted.Reuse) {
			reused = true
			if _, err := db.Exec(ctx, tx, `UPDATE session SET revoked_on = ? WHERE family = ? AND revoked_on IS NULL`, now, r.Family); err != nil {
				return err
			}
			return audit.Record(ctx, tx, audit.Entry{OrgID: r.OrgID, UserID: r.UserID, Actor: r.Email, Carrier: string(authz.ByToken), Address: address, RequestID: api.RequestID(ctx),
				Action: "refreshReused", Resource: string(authz.Session), ResourceID: strconv.FormatInt(r.ID, 10)})
		}
		if _, err := db.Exec(ctx, tx, `UPDATE session SET rotated_on = ? WHERE id = ?`, now, r.ID); err != nil {
			return err
		}
		t, err = u.open(ctx, tx, r.OrgID, r.UserID, r.Family, How{r.Way, r.Agent, r.Address})
		return err
	})
	u.cache.forget()
	if err == nil && reused {
		return Tokens{}, bad
	}
	return t, err
}

// readAccess checks what an access token says of itself.
func (u *Users) readAccess(token string) error {
	_, err := jwt.ParseWithClaims(token, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return u.signKey, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return err
}

// SignOut ends the family of the session that acts.
func (u *Users) SignOut(ctx context.Context, sc authz.Scope) error {
	defer u.cache.forget()
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `UPDATE session SET revoked_on = ? WHERE revoked_on IS NULL
			AND family = (SELECT family FROM session WHERE id = ? AND user_id = ?)`, time.Now(), sc.Principal().SessionID, sc.User())
		return err
	})
}

// AppToken is what /user-token answers.
type AppToken struct {
	Token     string     `json:"token"`
	UserID    int64      `json:"user_id"`
	Role      authz.Role `json:"role"`
	ExpiresOn time.Time  `json:"expires_on"`
}

// TokenFor opens a session for a person on the word of an application that
// knows the application secret; an unknown person is created.
func (u *Users) TokenFor(ctx context.Context, secret, email, fullName string, how How) (AppToken, error) {
	if u.appSecret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(u.appSecret)) != 1 {
		return AppToken{}, fail.Unauthenticated("the header ejento-auth-key does not hold this server's application secret; check ATRIUM_APP_SECRET")
	}
	type row struct {
		ID      int64  `db:"id"`
		OrgID   int64  `db:"org_id"`
		Role    string `db:"role"`
		Active  bool   `db:"is_active"`
		Deleted bool   `db:"is_deleted"`
	}
	var out AppToken
	err := u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		org, err := db.One[int64](ctx, tx, `SELECT id FROM organization ORDER BY id LIMIT 1`)
		if err != nil {
			return err
		}
		r, err := db.One[row](ctx, tx, `SELECT id, org_id, role, is_active, is_deleted FROM users WHERE email_key = ?`, strings.ToLower(strings.TrimSpace(email)))
		switch {
		case errors.Is(err, db.ErrNone):
			first, last := splitName(fullName)
			r = row{OrgID: org, Role: string(authz.Member), Active: true}
			if r.ID, err = u.Create(ctx, tx, Draft{OrgID: org, Email: email, FirstName: first, LastName: last, Role: authz.Member, By: "application"}); err != nil {
				return err
			}
		case err != nil:
			return err
		case r.OrgID != org || !r.Active || r.Deleted:
			return fail.Forbidden("this person may not sign in through the application; ask an administrator")
		}
		t, err := u.Open(ctx, tx, r.OrgID, r.ID, how)
		out = AppToken{Token: t.PlatformToken, UserID: r.ID, Role: authz.Role(r.Role), ExpiresOn: time.Now().Add(sessionLife).UTC().Truncate(time.Second)}
		return err
	})
	return out, err
}

// SetupToken makes the one-time token with which the first admin chooses a
// password.
func (u *Users) SetupToken(ctx context.Context, tx *db.Tx, orgID, userID int64) (string, error) {
	t := newToken(setupPrefix)
	_, err := db.Exec(ctx, tx, `INSERT INTO one_time_token (org_id, user_id, purpose, hash, expires_on) VALUES (?, ?, 'setup', ?, ?)`,
		orgID, userID, digest(t), time.Now().Add(24*time.Hour))
	return t, err
}

// Unset are people who have neither a password nor a way to get one but setup.
func (u *Users) Unset(ctx context.Context) (orgID, userID int64, err error) {
	type row struct {
		ID    int64 `db:"id"`
		OrgID int64 `db:"org_id"`
	}
	r, err := db.One[row](ctx, u.db, `SELECT id, org_id FROM users WHERE role = ? AND password_hash = '' AND is_deleted = FALSE
		AND NOT EXISTS (SELECT 1 FROM users o WHERE o.role = users.role AND o.password_hash <> '' AND o.is_deleted = FALSE) ORDER BY id LIMIT 1`, string(authz.GlobalAdmin))
	return r.OrgID, r.ID, err
}

// Setup uses a one-time token to choose the first password, and signs in.
func (u *Users) Setup(ctx context.Context, token, password string, how How) (Tokens, error) {
	hash, err := u.newHash(ctx, password, "password")
	if err != nil {
		return Tokens{}, err
	}
	type row struct {
		ID     int64 `db:"id"`
		OrgID  int64 `db:"org_id"`
		UserID int64 `db:"user_id"`
	}
	var t Tokens
	err = u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := db.One[row](ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE hash = ? AND purpose = 'setup' AND used_on IS NULL AND expires_on > ?
			RETURNING id, org_id, user_id`, time.Now(), digest(token), time.Now())
		if errors.Is(err, db.ErrNone) {
			return fail.Unauthenticated("this setup link was used already or has expired; restart the server for a new one")
		}
		if err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, `UPDATE users SET password_hash = ?, modified_on = ? WHERE id = ?`, hash, time.Now(), r.UserID); err != nil {
			return err
		}
		t, err = u.Open(ctx, tx, r.OrgID, r.UserID, how)
		return err
	})
	return t, err
}
