package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/user"
)

// refusal is why an issuer's word lets nobody in. The code stands in the
// address of the sign-in page, which has the words.
type refusal struct {
	code string
	err  error // for the log
}

func (r *refusal) Error() string { return fmt.Sprintf("single sign-on: %s: %v", r.code, r.err) }
func (r *refusal) Unwrap() error { return r.err }

const (
	codeUnconfigured = "not_configured"
	codeExpired      = "expired"        // the attempt is unknown, used, too old or another browser's
	codeDenied       = "denied"         // the issuer or the person said no
	codeRefused      = "refused"        // what the issuer sent does not hold
	codeUnavailable  = "issuer_down"    // it does not answer
	codeUnverified   = "unverified"     // the issuer does not vouch for the address
	codeUnknown      = "unknown_person" // nobody here has the address
	codeInactive     = "inactive"
	codeOther        = "other_account" // the address belongs to another account of that issuer
	codeTooMany      = "too_many"
	codeFailed       = "failed" // our own fault
)

func refused(err error) error     { return &refusal{codeRefused, err} }
func unavailable(err error) error { return &refusal{codeUnavailable, err} }

// attemptLife is how long somebody may take at the issuer.
const attemptLife = 10 * time.Minute

// signInPage is where a browser is sent that was not let in.
func (s *SignIn) signInPage(ctx context.Context, err error) string {
	code := codeFailed
	if r, ok := errors.AsType[*refusal](err); ok {
		code = r.code
	} else if fail.Is(err, fail.CodeTooMany) {
		code = codeTooMany
	} else if fail.Is(err, fail.CodeUnauthenticated) {
		code = codeInactive
	}
	s.o.Log.WarnContext(ctx, "single sign-on failed", slog.String("code", code), slog.Any("error", err), slog.String("request_id", api.RequestID(ctx)))
	return "/sign-in?error=" + code
}

// cookieName binds an attempt to the browser it began in. Each attempt has its
// own, so that two tabs do not disturb each other.
func cookieName(state string) string { return "atrium_sso_" + state[:min(len(state), 12)] }

func (s *SignIn) setCookie(ctx context.Context, state, value string, maxAge int) {
	api.SetCookie(ctx, &http.Cookie{Name: cookieName(state), Value: value, Path: "/auth-service/api/v2/sso/", MaxAge: maxAge, //nolint:gosec // without TLS, as on one's own machine, a browser refuses Secure
		HttpOnly: true, Secure: strings.HasPrefix(s.o.PublicURL, "https://"), SameSite: http.SameSiteLaxMode})
}

// Begin sends the browser to an issuer.
func (s *SignIn) Begin(ctx context.Context, provider, next string) string {
	to, err := s.begin(ctx, provider, next)
	if err != nil {
		return s.signInPage(ctx, err)
	}
	return to
}

func (s *SignIn) begin(ctx context.Context, provider, next string) (string, error) {
	i, ok := s.providers[provider]
	if !ok {
		return "", &refusal{code: codeUnconfigured}
	}
	if err := s.prove(api.RemoteIP(ctx)); err != nil {
		return "", err
	}
	if !local(next) {
		next = "/"
	}
	state, nonce, verifier, browser := newToken(), newToken(), oauth2.GenerateVerifier(), newToken()
	to, err := i.authorize(ctx, state, nonce, verifier)
	if err != nil {
		return "", err
	}
	now := time.Now()
	err = s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `DELETE FROM sso_attempt WHERE expires_on < ?`, now); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `INSERT INTO sso_attempt (state, provider, nonce, verifier, browser, next, expires_on) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			digest(state), provider, nonce, verifier, digest(browser), next, now.Add(attemptLife))
		return err
	})
	if err != nil {
		return "", err
	}
	s.setCookie(ctx, state, browser, int(attemptLife.Seconds()))
	return to, nil
}

// Return is what an issuer sends a browser back with.
type Return struct {
	Provider string `path:"provider" enum:"microsoft,google,linkedin,github,okta,oidc"`
	Code     string `query:"code" maxLength:"8000"`
	State    string `query:"state" maxLength:"1000"`
	Error    string `query:"error" maxLength:"1000"`
	Issuer   string `query:"iss" maxLength:"1000" doc:"Who sends the browser back, where issuers say it."`
}

// Finish signs in whoever comes back from an issuer.
func (s *SignIn) Finish(ctx context.Context, in Return) string {
	next, t, err := s.finish(ctx, in)
	if err != nil {
		return s.signInPage(ctx, err)
	}
	s.o.Users.GiveCookie(ctx, t)
	return next
}

func (s *SignIn) finish(ctx context.Context, in Return) (string, user.Tokens, error) {
	i, ok := s.providers[in.Provider]
	if !ok {
		return "", user.Tokens{}, &refusal{code: codeUnconfigured}
	}
	type attempt struct {
		Nonce    string `db:"nonce"`
		Verifier string `db:"verifier"`
		Next     string `db:"next"`
	}
	browser := api.Cookie(ctx, cookieName(in.State))
	if in.State == "" || browser == "" {
		return "", user.Tokens{}, &refusal{code: codeExpired}
	}
	var a attempt
	err := s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		a, err = db.One[attempt](ctx, tx, `DELETE FROM sso_attempt WHERE state = ? AND provider = ? AND browser = ? AND expires_on > ? RETURNING nonce, verifier, next`,
			digest(in.State), in.Provider, digest(browser), time.Now())
		return err
	})
	if errors.Is(err, db.ErrNone) {
		return "", user.Tokens{}, &refusal{code: codeExpired}
	}
	if err != nil {
		return "", user.Tokens{}, err
	}
	s.setCookie(ctx, in.State, "", -1)
	switch {
	case in.Error != "":
		return "", user.Tokens{}, &refusal{codeDenied, errors.New(in.Error)}
	case in.Code == "":
		return "", user.Tokens{}, &refusal{code: codeRefused}
	}
	if in.Issuer != "" && !i.tenants { // an answer of another issuer, mixed up
		if m, _, err := i.discover(ctx); err == nil && m.Issuer != in.Issuer {
			return "", user.Tokens{}, refused(errors.New("it came from " + in.Issuer))
		}
	}
	v, err := i.redeem(ctx, in.Code, a.Nonce, a.Verifier)
	if err != nil {
		return "", user.Tokens{}, err
	}
	t, err := s.admit(ctx, v, i.Name, user.By(ctx, i.Name))
	return a.Next, t, err
}

// Exchange turns a Microsoft ID token that was made for this server into a
// session.
func (s *SignIn) Exchange(ctx context.Context, idToken string, how user.How) (user.Tokens, error) {
	i, ok := s.providers["microsoft"]
	if !ok {
		return user.Tokens{}, fail.Forbidden("signing in with Microsoft is not configured on this server; ask an administrator")
	}
	if err := s.prove(how.Address); err != nil {
		return user.Tokens{}, err
	}
	c, id, err := i.verify(ctx, idToken)
	var t user.Tokens
	if err == nil {
		t, err = s.admit(ctx, i.vouch(id.Issuer, c), i.Name, how)
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		if r.code == codeUnavailable {
			return user.Tokens{}, fail.Provider("Microsoft does not answer; try again later").Because(err)
		}
		return user.Tokens{}, fail.Unauthenticated("this ID token lets nobody in: it has to be new, made for this server, and of somebody known here whose address is verified").Because(err)
	}
	if err == nil {
		s.proving.Forgive(how.Address)
	}
	return t, err
}

// admit signs in whom an issuer vouches for. An identity is linked once; a
// known address only when it is verified, and not to a second account of the
// same issuer.
func (s *SignIn) admit(ctx context.Context, v vouched, provider string, how user.How) (t user.Tokens, err error) {
	for range 3 { // two first sign-ins at once: the second finds what the first made
		err = s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			o, err := s.identify(ctx, tx, v, provider, how)
			if err == nil {
				t, err = s.o.Users.Open(ctx, tx, o.OrgID, o.UserID, how)
			}
			return err
		})
		if !db.IsUnique(err) && !fail.Is(err, fail.CodeConflict) {
			break
		}
	}
	if err == nil {
		s.proving.Forgive(how.Address)
	}
	return t, err
}

func (s *SignIn) identify(ctx context.Context, tx *db.Tx, v vouched, provider string, how user.How) (owner, error) {
	// The identity of somebody who was deleted is free again.
	if _, err := db.Exec(ctx, tx, `DELETE FROM user_identity WHERE issuer = ? AND subject = ? AND user_id IN (SELECT id FROM users WHERE is_deleted = TRUE)`, v.Issuer, v.Subject); err != nil {
		return owner{}, err
	}
	o, err := db.One[owner](ctx, tx, `SELECT id, org_id, user_id, '' AS handle FROM user_identity WHERE issuer = ? AND subject = ?`, v.Issuer, v.Subject)
	if !errors.Is(err, db.ErrNone) {
		return o, err
	}
	if v.Email == "" || !v.Verified {
		return owner{}, &refusal{code: codeUnverified}
	}
	type row struct {
		ID     int64 `db:"id"`
		OrgID  int64 `db:"org_id"`
		Active bool  `db:"active"`
		Linked bool  `db:"linked"`
	}
	r, err := db.One[row](ctx, tx, `SELECT p.id, p.org_id, p.is_active = TRUE AND p.is_deleted = FALSE AS active,
			EXISTS (SELECT 1 FROM user_identity x WHERE x.user_id = p.id AND x.issuer = ? AND x.subject <> ?) AS linked
		FROM users p WHERE p.email_key = ?`, v.Issuer, v.Subject, emailKey(v.Email))
	entry := audit.Entry{Actor: v.Email, Carrier: how.Way, Address: how.Address, RequestID: api.RequestID(ctx), Resource: string(authz.User),
		Detail: map[string]any{"issuer": v.Issuer, "subject": v.Subject}, Action: "linkIdentity"}
	switch {
	case errors.Is(err, db.ErrNone):
		if r.ID, r.OrgID, err = s.welcome(ctx, tx, v); err != nil {
			return owner{}, err
		}
		entry.Action = "createUserBySSO"
	case err != nil:
		return owner{}, err
	case !r.Active:
		return owner{}, &refusal{code: codeInactive}
	case r.Linked:
		return owner{}, &refusal{code: codeOther}
	}
	id, err := db.One[int64](ctx, tx, `INSERT INTO user_identity (org_id, user_id, provider, issuer, subject, email, created_on) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		r.OrgID, r.ID, provider, v.Issuer, v.Subject, v.Email, time.Now())
	if err != nil {
		return owner{}, err
	}
	entry.OrgID, entry.UserID, entry.ResourceID = r.OrgID, r.ID, strconv.FormatInt(r.ID, 10)
	return owner{ID: id, OrgID: r.OrgID, UserID: r.ID}, audit.Record(ctx, tx, entry)
}

// shared are domains whose addresses anybody can have, so that they say nothing
// about an organization.
var shared = map[string]bool{
	"gmail.com": true, "googlemail.com": true, "outlook.com": true, "hotmail.com": true, "live.com": true, "msn.com": true, "yahoo.com": true, "ymail.com": true,
	"icloud.com": true, "me.com": true, "mac.com": true, "aol.com": true, "gmx.com": true, "gmx.de": true, "gmx.net": true, "web.de": true, "mail.com": true, "mail.ru": true,
	"yandex.com": true, "yandex.ru": true, "proton.me": true, "protonmail.com": true, "pm.me": true, "zoho.com": true, "fastmail.com": true, "qq.com": true, "163.com": true,
	"126.com": true, "localhost": true,
}

// welcome makes a User of whoever has an address of an organization's domain.
func (s *SignIn) welcome(ctx context.Context, tx *db.Tx, v vouched) (id, orgID int64, err error) {
	_, domain, _ := strings.Cut(emailKey(v.Email), "@")
	if !s.o.CreateUsers || domain == "" || shared[domain] {
		return 0, 0, &refusal{code: codeUnknown}
	}
	orgs, err := db.All[int64](ctx, tx, `SELECT id FROM organization WHERE lower(domain) = ? ORDER BY id LIMIT 2`, domain)
	if err != nil {
		return 0, 0, err
	}
	if len(orgs) != 1 { // which of several is meant nobody can tell
		return 0, 0, &refusal{code: codeUnknown}
	}
	id, err = s.o.Users.Create(ctx, tx, user.Draft{OrgID: orgs[0], Email: v.Email, FirstName: short(v.First), LastName: short(v.Last), Role: authz.Member, By: "single sign-on"})
	if fail.Is(err, fail.CodeInvalid) {
		err = refused(err)
	}
	return id, orgs[0], err
}

// short keeps a name from outside within what a name may be.
func short(name string) string {
	r := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, name)))
	return string(r[:min(len(r), 100)])
}
