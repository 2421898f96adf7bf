// Package signin proves who somebody is when no password does: by a code or a
// link that is mailed to them, or by an issuer that knows them. It also mails
// invitations and the links with which people choose a password. The session
// itself is opened by package user.
//
// A mailed token is made only when its mail is sent, so it stands nowhere but
// in the mail; the database has its hash. That also makes the answer to a
// request take the same time whether or not the address is known.
package signin

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/limit"
	"atrium/internal/mail"
	"atrium/internal/user"
)

// Sender sends a mail; *mail.Sender does.
type Sender interface {
	Send(ctx context.Context, m mail.Message) error
}

// Options configure a SignIn.
type Options struct {
	DB        *db.DB
	Jobs      *job.Queue
	Users     *user.Users
	Mail      Sender // nil: this server sends no mail
	Client    *http.Client
	Providers []Provider
	// CreateUsers makes a User of whoever an issuer vouches for, when their
	// address has an organization's domain.
	CreateUsers      bool
	OpenRegistration bool
	PublicURL        string
	MasterKey        []byte
	Log              *slog.Logger
	Backoff          func(attempt int) time.Duration // between tries of a mail; nil: 5 s to 10 min
	Tries            int                             // proofs that an address may fail a minute; 0: 60
}

// SignIn is every way to sign in but the password.
type SignIn struct {
	o         Options
	codeKey   []byte
	providers map[string]*issuer
	asking    *limit.Window // for mails
	proving   *limit.Window // with codes, tokens and at issuers
}

// New makes a SignIn. It tells package user who mails invitations.
func New(o Options) *SignIn {
	key, err := hkdf.Key(sha256.New, o.MasterKey, nil, "atrium sign-in code", 32)
	if err != nil {
		panic("signin: derive a key: " + err.Error())
	}
	s := &SignIn{
		o: o, codeKey: key, providers: map[string]*issuer{},
		asking: limit.New(10*time.Minute, tooOften), proving: limit.New(time.Minute, tooOften),
	}
	for _, p := range o.Providers {
		if p.ClientID != "" {
			s.providers[p.Name] = newIssuer(p, o.Client, o.PublicURL)
		}
	}
	o.Jobs.Handle(letterKind, job.Handler{Workers: 2, Timeout: time.Minute, MaxAttempts: 1000, Backoff: s.backoff, Run: s.deliver})
	if o.Mail != nil {
		o.Users.SetInviter(s)
		o.Users.SetVerifier(s)
	}
	return s
}

func (s *SignIn) backoff(attempt int) time.Duration {
	if s.o.Backoff != nil {
		return s.o.Backoff(attempt)
	}
	return min(5*time.Second<<min(attempt-1, 10), 10*time.Minute)
}

// newToken is 256 random bits.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest is how tokens are kept.
func digest(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// codeDigest is how codes are kept: with a key, because there are few enough
// codes to try them all, and bound to the attempt.
func (s *SignIn) codeDigest(handle, code string) string {
	h := hmac.New(sha256.New, s.codeKey)
	h.Write([]byte(handle + "\x00" + code))
	return hex.EncodeToString(h.Sum(nil))
}

// letters of a code are those that nobody takes for another; 32 of them, so
// that each byte chooses one evenly.
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

func newCode() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b[:])
}

func emailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// local tells whether next is a path on this server and nothing else.
func local(next string) bool {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || len(next) > 2000 ||
		strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return false
	}
	u, err := url.Parse(next)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && !strings.HasPrefix(u.Path, "//") && !strings.Contains(u.Path, `\`)
}

// owner is whose a token was.
type owner struct {
	ID     int64  `db:"id"`
	OrgID  int64  `db:"org_id"`
	UserID int64  `db:"user_id"`
	Handle string `db:"handle"`
}

var errSpent = errors.New("signin: no such token")

// spend uses a token up, and what was mailed together with it.
func spend(ctx context.Context, tx *db.Tx, purpose, token string) (owner, error) {
	now := time.Now()
	o, err := db.One[owner](ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE hash = ? AND purpose = ? AND used_on IS NULL AND expires_on > ?
		RETURNING id, org_id, user_id, handle`, now, digest(token), purpose, now)
	if errors.Is(err, db.ErrNone) {
		return owner{}, errSpent
	}
	if err == nil && o.Handle != "" {
		_, err = db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE handle = ? AND used_on IS NULL`, now, o.Handle)
	}
	return o, err
}

// good tells whether a token may be spent, so that nobody without one can keep
// the server busy with hashing passwords.
func (s *SignIn) good(ctx context.Context, purpose, token string) error {
	_, err := db.One[int64](ctx, s.o.DB, `SELECT id FROM one_time_token WHERE hash = ? AND purpose = ? AND used_on IS NULL AND expires_on > ?`, digest(token), purpose, time.Now())
	if errors.Is(err, db.ErrNone) {
		return errSpent
	}
	return err
}

// needMail refuses what is done by mail on a server that sends none.
func (s *SignIn) needMail() error {
	if s.o.Mail == nil {
		return fail.Forbidden("this server cannot send mail; sign in another way, or ask an administrator")
	}
	return nil
}

// How often is enough.
const (
	mailsPerAccount = 5 // in ten minutes, known or not
	mailsPerAddress = 60
	provesAMinute   = 60 // of an address; those that succeed are not counted
)

const tooOften = "that was tried too often just now; wait a while and try again"

// ask counts a mail that is asked for; an empty address is not counted.
func (s *SignIn) ask(account, address string) error {
	most := map[string]int{"u " + account: mailsPerAccount}
	if address != "" {
		most["a "+address] = mailsPerAddress
	}
	return s.asking.Enter(most)
}

// prove counts an attempt to sign in; an empty address is not counted.
func (s *SignIn) prove(address string) error {
	if address == "" {
		return nil
	}
	return s.proving.Enter(map[string]int{address: cmp.Or(s.o.Tries, provesAMinute)})
}

// proof runs what turns a proof into a session, and answers one and the same
// failure for every proof that is not good. An address that fails too often
// has to wait.
func (s *SignIn) proof(ctx context.Context, how user.How, bad *fail.Error, do func(context.Context, *db.Tx) (owner, error)) (user.Tokens, error) {
	if err := s.prove(how.Address); err != nil {
		return user.Tokens{}, err
	}
	return s.open(ctx, how, bad, do)
}

func (s *SignIn) open(ctx context.Context, how user.How, bad *fail.Error, do func(context.Context, *db.Tx) (owner, error)) (user.Tokens, error) {
	var t user.Tokens
	err := s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		o, err := do(ctx, tx)
		if err != nil {
			return err
		}
		t, err = s.o.Users.Open(ctx, tx, o.OrgID, o.UserID, how)
		return err
	})
	if errors.Is(err, errSpent) || fail.Is(err, fail.CodeUnauthenticated) {
		return user.Tokens{}, bad.Because(err)
	}
	if err == nil {
		s.proving.Forgive(how.Address)
	}
	return t, err
}
