// Package user holds people, how they sign in, and the credentials that act
// for them: sessions (two tokens each) and API keys. It is what the gate asks
// who sent a request. Tokens and keys are kept only as SHA-256 hashes.
package user

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/limit"
)

// User is a person of one organization, as the API shows them.
type User struct {
	ID           int64        `json:"id"`
	Email        string       `json:"email"`
	FirstName    string       `json:"first_name"`
	LastName     string       `json:"last_name"`
	FullName     string       `json:"full_name"`
	IsStaff      bool         `json:"is_staff" doc:"Whether they administer the organization in any way."`
	IsSuperuser  bool         `json:"is_superuser" doc:"Whether they are a Global Admin."`
	Role         authz.Role   `json:"role" enum:"Global Admin,Application Admin,User"`
	IsActive     bool         `json:"is_active" doc:"Whether they may act; who is not active cannot sign in."`
	Organization Organization `json:"organization"`
	LastSignInOn *time.Time   `json:"last_sign_in_on" nullable:"true"`
	InvitedOn    *time.Time   `json:"invited_on" nullable:"true" doc:"When they were last sent an invitation."`
	CreatedBy    string       `json:"created_by"`
	CreatedOn    time.Time    `json:"created_on"`
	ModifiedBy   string       `json:"modified_by"`
	ModifiedOn   time.Time    `json:"modified_on"`
}

// Organization is the user's, in short.
type Organization struct {
	ID     int64  `json:"id"`
	Name   string `json:"org_name"`
	Domain string `json:"domain"`
}

// Options configure Users.
type Options struct {
	DB            *db.DB
	Log           *slog.Logger
	MasterKey     []byte // 32 bytes; signs access tokens
	AppSecret     string // of /user-token; empty switches it off
	RequireAPIKey bool   // whether a token needs an API key beside it
	SecureCookies bool   // the public address is https
	// OpenRegistration lets people make accounts in the organization that has
	// the domain of their address.
	OpenRegistration bool
}

// Users is everything about people and credentials.
type Users struct {
	db               *db.DB
	log              *slog.Logger
	signKey          []byte
	appSecret        string
	needKey          bool
	secure           bool
	openRegistration bool
	inviter          Inviter
	verifier         Verifier
	hashing          *hasher
	attempts         *limit.Window
	origin           *http.CrossOriginProtection
	cache            principals
	keysUsed         lastUsed
	sessionsUsed     lastUsed
	stop             chan struct{}
	done             sync.WaitGroup
}

// New makes Users; Close ends its background work.
func New(o Options) *Users {
	u := &Users{
		db: o.DB, log: o.Log, signKey: derive(o.MasterKey, "access-token"), appSecret: o.AppSecret,
		needKey: o.RequireAPIKey, secure: o.SecureCookies, openRegistration: o.OpenRegistration,
		hashing: newHasher(), attempts: newAttempts(), origin: http.NewCrossOriginProtection(), stop: make(chan struct{}),
	}
	u.done.Go(u.noteLastUse)
	return u
}

// Close writes down what is still to be noted.
func (u *Users) Close() {
	close(u.stop)
	u.done.Wait()
}

// Draft is a person to be created.
type Draft struct {
	OrgID     int64
	Email     string
	FirstName string
	LastName  string
	Role      authz.Role
	Password  string // empty: cannot sign in by password
	By        string
	hash      string // of a password that was checked already
	inactive  bool
}

// Create makes a person.
func (u *Users) Create(ctx context.Context, tx *db.Tx, d Draft) (int64, error) {
	email := strings.TrimSpace(d.Email)
	if !validEmail(email) {
		return 0, fail.InvalidField("email", "email: %q is not an e-mail address", d.Email)
	}
	if d.Password != "" {
		var err error
		if d.hash, err = u.newHash(ctx, d.Password, "password"); err != nil {
			return 0, err
		}
	}
	now := time.Now()
	id, err := db.One[int64](ctx, tx, `INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, FALSE, ?, ?, ?, ?) RETURNING id`,
		d.OrgID, email, strings.ToLower(email), d.FirstName, d.LastName, string(d.Role), d.hash, !d.inactive, d.By, now, d.By, now)
	if db.IsUnique(err) {
		return 0, fail.Conflict("a user with the address %s exists already", email)
	}
	if err != nil {
		return 0, err
	}
	_, err = db.Exec(ctx, tx, `INSERT INTO user_permission (org_id, user_id, kind, name, created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		d.OrgID, id, kindRole, string(d.Role), d.By, now, d.By, now)
	return id, err
}

func validEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 254 && !strings.ContainsAny(s, " \t\r\n<>,;\x00")
}

func fullName(first, last, email string) string {
	if n := strings.TrimSpace(first + " " + last); n != "" {
		return n
	}
	return email
}

// splitName makes first and last name of a full one.
func splitName(full string) (first, last string) {
	first, last, _ = strings.Cut(strings.TrimSpace(full), " ")
	return first, strings.TrimSpace(last)
}
