package user

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/planted"
)

const (
	cookieName = "atrium_session"
	keyHeader  = "Ocp-Apim-Subscription-Key"
)

// Authenticate finds the principal of a request (contract §2): a platform token
// or a personal API key as the bearer, beside it the calling application's key;
// or the console's cookie. It answers nil when the request carries neither.
func (u *Users) Authenticate(r *http.Request, noKey bool) (*authz.Principal, error) {
	bearer, hasBearer := bearerOf(r)
	if !hasBearer {
		c, err := r.Cookie(cookieName)
		if err != nil || c.Value == "" {
			return nil, nil //nolint:nilerr // no cookie
		}
		if err := u.origin.Check(r); err != nil {
			return nil, fail.Forbidden("this request comes from another site; open the console at its own address").Because(err)
		}
		p, err := u.principal(r.Context(), c.Value, false)
		if err != nil || p == nil {
			return nil, orBad(err)
		}
		return p.as(authz.ByCookie), nil
	}
	if noKey && strings.Count(bearer, ".") == 2 { // an access token is for the authentication service alone
		p, err := u.byAccess(r.Context(), bearer)
		if errors.Is(err, db.ErrNone) {
			err = orBad(nil)
		}
		return p, err
	}
	p, err := u.principal(r.Context(), bearer, true)
	if err != nil || p == nil {
		return nil, orBad(err)
	}
	keys := r.Header.Values(keyHeader)
	if len(keys) == 0 {
		if p.KeyID == 0 && u.needKey && !noKey {
			return nil, fail.Unauthenticated("send the calling application's API key as %s beside the token", keyHeader)
		}
		return p.Principal, nil
	}
	app, err := u.principal(r.Context(), keys[0], true)
	if err != nil {
		return nil, err
	}
	if app == nil || app.KeyID == 0 || app.OrgID != p.OrgID {
		return nil, fail.Unauthenticated("the API key in %s is not valid; check it, or make a new one in the console", keyHeader)
	}
	return p.Principal, nil
}

func orBad(err error) error {
	if err != nil {
		return err
	}
	return fail.Unauthenticated("this token or key is not valid any more; sign in again")
}

func bearerOf(r *http.Request) (string, bool) {
	h := r.Header.Get("Authorization")
	if h == "" {
		return "", false
	}
	scheme, token, _ := strings.Cut(h, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}

// cached is a principal with the moment until which it may be believed.
type cached struct {
	*authz.Principal
	until time.Time
}

func (c *cached) as(by authz.Carrier) *authz.Principal {
	p := *c.Principal
	p.Carrier = by
	return &p
}

// believed is how long a credential is trusted without looking again; what is
// revoked in another process counts after it, in this process at once.
const believed = 750 * time.Millisecond

// principals remembers credentials for a moment, so that a busy client does
// not cost two queries a request.
type principals struct {
	m atomic.Pointer[sync.Map]
	n atomic.Int64
}

func (c *principals) get(token string) *cached {
	m := c.m.Load()
	if m == nil {
		return nil
	}
	if v, ok := m.Load(token); ok && time.Now().Before(v.(*cached).until) {
		return v.(*cached)
	}
	return nil
}

func (c *principals) put(in *sync.Map, token string, p *cached) {
	if in == nil || c.m.Load() != in {
		return // forgotten while we looked
	}
	if c.n.Add(1) > 20_000 {
		c.forget()
		return
	}
	in.Store(token, p)
}

// begin is the map to put into what is read from now on.
func (c *principals) begin() *sync.Map {
	if m := c.m.Load(); m != nil {
		return m
	}
	c.m.CompareAndSwap(nil, &sync.Map{})
	return c.m.Load()
}

func (c *principals) forget() {
	if planted.Bug(planted.Cache) {
		return
	}
	c.n.Store(0)
	c.m.Store(&sync.Map{})
}

// principal looks a token or key up; nil when it is unknown, ended or its
// owner may not act.
func (u *Users) principal(ctx context.Context, token string, keysToo bool) (*cached, error) {
	if token == "" || len(token) > 512 {
		return nil, nil
	}
	if p := u.cache.get(token); p != nil && (keysToo || p.KeyID == 0) {
		return p, nil
	}
	if mistyped(token) {
		return nil, nil
	}
	in := u.cache.begin()
	p, err := u.bySession(ctx, token)
	if errors.Is(err, db.ErrNone) && keysToo {
		p, err = u.byKey(ctx, token)
	}
	if errors.Is(err, db.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &cached{p, time.Now().Add(believed)}
	if planted.Bug(planted.Cache) {
		c.until = c.until.Add(time.Hour)
	}
	u.cache.put(in, token, c)
	return c, nil
}

// actor is the person behind a credential.
type actor struct {
	UserID int64  `db:"user_id"`
	OrgID  int64  `db:"org_id"`
	Email  string `db:"email"`
	Role   string `db:"role"`
}

const (
	actorColumns = `p.id AS user_id, p.org_id, p.email, p.role`
	isThere      = `p.is_deleted = FALSE`
)

// mayAct is the condition that a person is there and not suspended.
var mayAct = func() string {
	if planted.Bug(planted.Suspended) {
		return isThere
	}
	return `p.is_active = TRUE AND ` + isThere
}()

// principal is the person with all that their permissions allow.
func (a actor) principal(ctx context.Context, q db.Querier, by authz.Carrier, scopes []string) (*authz.Principal, error) {
	rules, err := held(ctx, q, a.OrgID, a.UserID)
	return &authz.Principal{UserID: a.UserID, OrgID: a.OrgID, Email: a.Email, Role: authz.Role(a.Role), Carrier: by, Scopes: scopes, Rules: rules}, err
}

func (u *Users) bySession(ctx context.Context, token string) (*authz.Principal, error) {
	return u.byHash(ctx, "platform_hash", token, rotationGrace)
}

// byAccess takes an access token, which ends when it is replaced.
func (u *Users) byAccess(ctx context.Context, token string) (*authz.Principal, error) {
	if u.readAccess(token) != nil {
		return nil, db.ErrNone
	}
	return u.byHash(ctx, "access_hash", token, 0)
}

// byHash finds the session of a token; column is one of our own words.
func (u *Users) byHash(ctx context.Context, column, token string, grace time.Duration) (*authz.Principal, error) {
	type row struct {
		actor
		ID       int64      `db:"id"`
		Rotated  *time.Time `db:"rotated_on"`
		LastUsed *time.Time `db:"last_used_on"`
	}
	now := time.Now()
	r, err := db.One[row](ctx, u.db, `SELECT s.id, s.rotated_on, s.last_used_on, `+actorColumns+` FROM session s JOIN users p ON p.id = s.user_id
		WHERE s.`+column+` = ? AND s.revoked_on IS NULL AND s.expires_on > ? AND `+mayAct, digest(token), now)
	if err != nil {
		return nil, err
	}
	if r.Rotated != nil && now.Sub(*r.Rotated) > grace {
		return nil, db.ErrNone
	}
	if r.LastUsed == nil || now.Sub(*r.LastUsed) > 30*time.Second {
		u.sessionsUsed.note(r.ID, now)
	}
	p, err := r.principal(ctx, u.db, authz.ByToken, []string{"*"})
	if err == nil {
		p.SessionID = r.ID
	}
	return p, err
}

func (u *Users) byKey(ctx context.Context, token string) (*authz.Principal, error) {
	type row struct {
		actor
		ID     int64    `db:"id"`
		Scopes []string `db:"scopes,json"`
	}
	now := time.Now()
	r, err := db.One[row](ctx, u.db, `SELECT k.id, k.scopes, `+actorColumns+` FROM api_key k JOIN users p ON p.id = k.user_id
		WHERE k.hash = ? AND k.revoked_on IS NULL AND (k.expires_on IS NULL OR k.expires_on > ?) AND `+mayAct, digest(token), now)
	if err != nil {
		return nil, err
	}
	u.keysUsed.note(r.ID, now)
	p, err := r.principal(ctx, u.db, authz.ByKey, r.Scopes)
	if err == nil {
		p.KeyID = r.ID
	}
	return p, err
}

// lastUsed gathers when keys or sessions were used, to be written now and then.
type lastUsed struct {
	mu sync.Mutex
	at map[int64]time.Time
}

func (l *lastUsed) note(id int64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[int64]time.Time{}
	}
	l.at[id] = at
}

func (l *lastUsed) take() map[int64]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.at
	l.at = nil
	return at
}

func (u *Users) noteLastUse() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			u.writeLastUse()
		case <-u.stop:
			u.writeLastUse()
			return
		}
	}
}

func (u *Users) writeLastUse() {
	at := map[string]map[int64]time.Time{"api_key": u.keysUsed.take(), "session": u.sessionsUsed.take()}
	if len(at["api_key"])+len(at["session"]) == 0 {
		return
	}
	err := u.db.Relaxed(context.Background(), func(ctx context.Context, tx *db.Tx) error {
		for table, used := range at {
			for id, t := range used {
				if _, err := db.Exec(ctx, tx, `UPDATE `+table+` SET last_used_on = ? WHERE id = ?`, t, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		u.log.Warn("could not note when API keys and sessions were used", slog.Any("error", err))
	}
}
