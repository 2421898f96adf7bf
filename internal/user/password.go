package user

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

//go:embed leaked.txt.gz
var leakedList []byte

// leaked holds, in lower case, the passwords that could satisfy the other rules
// and are on every list of leaked ones. See NOTICE.
var leaked = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	r, err := gzip.NewReader(bytes.NewReader(leakedList))
	if err != nil {
		panic("user: read the leaked passwords: " + err.Error())
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		out[lines.Text()] = true
	}
	if lines.Err() != nil {
		panic("user: read the leaked passwords: " + lines.Err().Error())
	}
	return out
})

// checkPassword holds a new password, sent as the field, to the rules.
func checkPassword(p, field string) error {
	var lower, upper bool
	for _, r := range p {
		lower = lower || unicode.IsLower(r)
		upper = upper || unicode.IsUpper(r)
	}
	switch {
	case len([]rune(p)) < 8 || !lower || !upper:
		return fail.InvalidField(field, "%s: use at least 8 characters, with upper and lower case letters", field)
	case len(p) > 256:
		return fail.InvalidField(field, "%s: use at most 256 bytes", field)
	case leaked()[strings.ToLower(p)]:
		return fail.InvalidField(field, "%s: this one is on every list of leaked passwords; choose another", field)
	}
	return nil
}

func (u *Users) newHash(ctx context.Context, password, field string) (string, error) {
	if err := checkPassword(password, field); err != nil {
		return "", err
	}
	return u.hashing.hash(ctx, password)
}

// ChangePassword replaces one's own password and ends all other sessions.
func (u *Users) ChangePassword(ctx context.Context, sc authz.Scope, current, next, address string) error {
	succeeded, err := attempt(u.attempts, strings.ToLower(sc.Email()), address)
	if err != nil {
		return err
	}
	old, err := db.One[string](ctx, u.db, `SELECT password_hash FROM users WHERE id = ? AND org_id = ? AND is_deleted = FALSE`, sc.User(), sc.Org())
	if err != nil {
		return err
	}
	ok, err := u.hashing.matches(ctx, current, old)
	if err != nil {
		return err
	}
	if !ok {
		e := fail.Forbidden("this is not your password; correct it, or reset it if you have none")
		e.Fields = []fail.Field{{Field: "current_password", Message: e.Message}}
		return e
	}
	succeeded()
	hash, err := u.newHash(ctx, next, "new_password")
	if err != nil {
		return err
	}
	return u.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		family, err := db.One[string](ctx, tx, `SELECT family FROM session WHERE id = ? AND user_id = ?`, sc.Principal().SessionID, sc.User())
		if err != nil && !errors.Is(err, db.ErrNone) {
			return err
		}
		n, err := db.Exec(ctx, tx, `UPDATE users SET password_hash = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ? AND password_hash = ?`,
			hash, sc.Email(), time.Now(), sc.User(), sc.Org(), old)
		if err == nil && n == 0 {
			err = fail.Conflict("your password was changed somewhere else just now; sign in again")
		}
		if err != nil {
			return err
		}
		return u.end(ctx, tx, sc.User(), family)
	})
}

// SetPassword gives a person a password whose proof was checked otherwise, such
// as by a link that was mailed to them, and ends all their sessions.
func (u *Users) SetPassword(ctx context.Context, tx *db.Tx, orgID, userID int64, hash NewPassword) error {
	if err := u.end(ctx, tx, userID, ""); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, `UPDATE users SET password_hash = ?, modified_on = ? WHERE id = ? AND org_id = ? AND is_deleted = FALSE`, string(hash), time.Now(), userID, orgID)
	return err
}

// NewPassword is the hash of a password that was held to the rules.
type NewPassword string

// HashPassword holds a password to the rules and hashes it, which takes long
// and so is done before a transaction begins.
func (u *Users) HashPassword(ctx context.Context, password string) (NewPassword, error) {
	h, err := u.newHash(ctx, password, "password")
	return NewPassword(h), err
}

// Verifier mails somebody who registered a link that proves their address;
// whoever follows it is activated by Activate.
type Verifier interface {
	Verify(ctx context.Context, tx *db.Tx, orgID, userID int64) error
}

// SetVerifier says who mails such links; without one nobody can register.
func (u *Users) SetVerifier(v Verifier) { u.verifier = v }

// Activate makes active whoever registered and proved their address.
func (u *Users) Activate(ctx context.Context, tx *db.Tx, orgID, userID int64) error {
	tx.AfterCommit(u.cache.forget)
	n, err := db.Exec(ctx, tx, `UPDATE users SET is_active = TRUE, modified_on = ? WHERE id = ? AND org_id = ? AND is_deleted = FALSE AND `+registered, time.Now(), userID, orgID)
	if err == nil && n == 0 {
		err = fail.Conflict("this account waits for nothing; sign in, or ask an administrator")
	}
	return err
}

// registered is whoever registered and has not proved the address yet.
const registered = `is_active = FALSE AND last_sign_in_on IS NULL AND created_by = email AND modified_by = email`

// Registration is somebody who makes an account for themselves.
type Registration struct {
	Email     string `json:"email" minLength:"3" maxLength:"254"`
	Password  string `json:"password" minLength:"8" maxLength:"256"`
	FirstName string `json:"first_name,omitempty" maxLength:"100"`
	LastName  string `json:"last_name,omitempty" maxLength:"100"`
}

// Register makes an account in the organization that has the domain of the
// address, to be activated by a link that is mailed there. It answers alike
// whether or not the address is known or has an organization.
func (u *Users) Register(ctx context.Context, in Registration, address string) error {
	email := strings.TrimSpace(in.Email)
	switch {
	case !u.openRegistration:
		return fail.Forbidden("registration is closed on this server; ask an administrator for an invitation")
	case u.verifier == nil:
		return fail.Forbidden("registration needs mail, and this server cannot send any; ask an administrator for an invitation")
	case !validEmail(email):
		return fail.InvalidField("email", "email: %q is not an e-mail address", in.Email)
	}
	key := strings.ToLower(email)
	// Never taken back: each registration may send a mail.
	if _, err := attempt(u.attempts, "registration "+key, address); err != nil {
		return err
	}
	hash, err := u.newHash(ctx, in.Password, "password")
	if err != nil {
		return err
	}
	d := Draft{Email: email, FirstName: strings.TrimSpace(in.FirstName), LastName: strings.TrimSpace(in.LastName), Role: authz.Member, By: email, hash: hash, inactive: true}
	// Done after the answer, so that the time it takes tells nothing either.
	u.done.Go(func() {
		if err := u.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *db.Tx) error { return u.register(ctx, tx, d) }); err != nil && !fail.Is(err, fail.CodeConflict) {
			u.log.Error("could not register somebody", "error", err)
		}
	})
	return nil
}

func (u *Users) register(ctx context.Context, tx *db.Tx, d Draft) error {
	_, domain, _ := strings.Cut(strings.ToLower(d.Email), "@")
	var err error
	if d.OrgID, err = db.One[int64](ctx, tx, `SELECT id FROM organization WHERE lower(domain) = ? ORDER BY id LIMIT 1`, domain); errors.Is(err, db.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	// Somebody who registered and never came back tries anew: the last password
	// counts, and links mailed before do not.
	id, err := db.One[int64](ctx, tx, `UPDATE users SET password_hash = ?, first_name = ?, last_name = ? WHERE email_key = ? AND org_id = ? AND is_deleted = FALSE AND `+registered+` RETURNING id`,
		d.hash, d.FirstName, d.LastName, strings.ToLower(d.Email), d.OrgID)
	switch {
	case errors.Is(err, db.ErrNone):
		if id, err = u.Create(ctx, tx, d); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{OrgID: d.OrgID, UserID: id, Actor: d.Email, Action: "registerUser", Resource: string(authz.User), ResourceID: strconv.FormatInt(id, 10)}); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := u.end(ctx, tx, id, ""); err != nil {
			return err
		}
	}
	return u.verifier.Verify(ctx, tx, d.OrgID, id)
}
