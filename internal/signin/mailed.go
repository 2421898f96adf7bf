package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"
	"time"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/user"
)

// Attempt names a sign-in by code that is under way.
type Attempt struct {
	ID string `json:"otp_session_id" doc:"To be sent with the code."`
}

// Ask mails a code and a link to an address, if somebody has it. A previous
// attempt of the same browser ends.
func (s *SignIn) Ask(ctx context.Context, email, next, previous, address string) (Attempt, error) {
	if err := s.needMail(); err != nil {
		return Attempt{}, err
	}
	if next != "" && !local(next) {
		return Attempt{}, fail.InvalidField("next", "next: give a path on this server, such as /agents")
	}
	a := Attempt{newToken()}
	return a, s.request(ctx, address, previous, letter{For: forCode, Email: emailKey(email), Next: next, Handle: digest(a.ID), Until: time.Now().Add(codeLife)})
}

// AskToken mails a token for a program to an address, if somebody has it.
func (s *SignIn) AskToken(ctx context.Context, email, address string) error {
	return s.request(ctx, address, "", letter{For: forLink, Email: emailKey(email), Until: time.Now().Add(codeLife)})
}

// AskReset mails a link for a new password to an address, if somebody has it.
func (s *SignIn) AskReset(ctx context.Context, email, address string) error {
	return s.request(ctx, address, "", letter{For: forReset, Email: emailKey(email), Until: time.Now().Add(resetLife)})
}

// request does the same work for every address, known or not.
func (s *SignIn) request(ctx context.Context, address, previous string, l letter) error {
	if err := s.needMail(); err != nil {
		return err
	}
	if err := s.ask(l.Email, address); err != nil {
		return err
	}
	return s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if previous != "" {
			if _, err := db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE handle = ? AND used_on IS NULL`, time.Now(), digest(previous)); err != nil {
				return err
			}
		}
		return s.post(ctx, tx, 0, l)
	})
}

// tries is how often a code may be typed.
const tries = 5

// Code signs in with a mailed code. Whether it was wrong, used, expired or
// tried too often is answered alike, and like an attempt that never was.
func (s *SignIn) Code(ctx context.Context, attempt, code string, how user.How) (user.Tokens, error) {
	bad := fail.Unauthenticated("this code is wrong or does not work any more; check it, or ask for a new one")
	if err := s.prove(how.Address); err != nil {
		return user.Tokens{}, err
	}
	type row struct {
		owner
		Hash string `db:"hash"`
	}
	handle := digest(attempt)
	want := s.codeDigest(handle, strings.ToUpper(strings.TrimSpace(code)))
	var r row
	err := s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		// The try counts whatever becomes of it.
		r, err = db.One[row](ctx, tx, `UPDATE one_time_token SET tries = tries + 1 WHERE handle = ? AND purpose = ? AND used_on IS NULL AND expires_on > ? AND tries < ?
			RETURNING id, org_id, user_id, handle, hash`, handle, forCode, time.Now(), tries)
		if !errors.Is(err, db.ErrNone) {
			return err
		}
		// An attempt for nobody's address is written down too: a durable write
		// that is missing would tell by the time it saves.
		_, err = db.Exec(ctx, tx, `INSERT INTO sso_attempt (state, provider, nonce, verifier, browser, next, expires_on) VALUES (?, '', '', '', '', '', ?)
			ON CONFLICT (state) DO UPDATE SET expires_on = excluded.expires_on`, handle, time.Now().Add(codeLife))
		return err
	})
	if err != nil {
		return user.Tokens{}, err
	}
	good := subtle.ConstantTimeCompare([]byte(r.Hash), []byte(want)) == 1
	return s.open(ctx, how, bad, func(ctx context.Context, tx *db.Tx) (owner, error) {
		if !good {
			return owner{}, errSpent
		}
		now := time.Now()
		n, err := db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE id = ? AND used_on IS NULL AND expires_on > ?`, now, r.ID, now)
		if err == nil && n == 0 {
			err = errSpent
		}
		if err == nil {
			_, err = db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE handle = ? AND used_on IS NULL`, now, handle)
		}
		return r.owner, err
	})
}

// Link signs in with a mailed token. email, when given, must be the owner's.
func (s *SignIn) Link(ctx context.Context, token, email string, how user.How) (user.Tokens, error) {
	bad := fail.Unauthenticated("this link or token was used already or has expired; ask for a new one")
	return s.proof(ctx, how, bad, func(ctx context.Context, tx *db.Tx) (owner, error) {
		o, err := spend(ctx, tx, forLink, token)
		if err != nil || email == "" {
			return o, err
		}
		n, err := db.One[int64](ctx, tx, `SELECT COUNT(*) FROM users WHERE id = ? AND email_key = ?`, o.UserID, emailKey(email))
		if err == nil && n == 0 {
			err = errSpent
		}
		return o, err
	})
}

// Verify mails a link that proves the address of somebody who registered. Links
// that were mailed before end, because the password may be another one now.
func (s *SignIn) Verify(ctx context.Context, tx *db.Tx, orgID, userID int64) error {
	if err := s.outdate(ctx, tx, userID, forVerify); err != nil {
		return err
	}
	return s.post(ctx, tx, orgID, letter{For: forVerify, UserID: userID, Until: time.Now().Add(deliverable)})
}

// Confirm activates whoever follows the link of a registration, and signs in.
func (s *SignIn) Confirm(ctx context.Context, token string, how user.How) (user.Tokens, error) {
	bad := fail.Unauthenticated("this link was used already or has expired; register again for a new one")
	return s.proof(ctx, how, bad, func(ctx context.Context, tx *db.Tx) (owner, error) {
		o, err := spend(ctx, tx, forVerify, token)
		if err == nil {
			err = s.o.Users.Activate(ctx, tx, o.OrgID, o.UserID)
		}
		if fail.Is(err, fail.CodeConflict) {
			err = errSpent
		}
		return o, err
	})
}

// Invite mails an invitation.
func (s *SignIn) Invite(ctx context.Context, tx *db.Tx, orgID, userID int64, by string) error {
	return s.post(ctx, tx, orgID, letter{For: forInvite, UserID: userID, By: by, Until: time.Now().Add(deliverable)})
}

// InviteAgain mails an invitation to somebody who has not come yet.
func (s *SignIn) InviteAgain(ctx context.Context, sc authz.Scope, userID int64) error {
	u, err := s.o.Users.Get(ctx, sc, userID)
	if err != nil {
		return err
	}
	where, args := sc.Where(authz.Manage, authz.User, "u")
	return s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := db.Exec(ctx, tx, `UPDATE users AS u SET invited_on = ? WHERE u.id = ? AND u.is_deleted = FALSE AND `+where, append([]any{time.Now(), userID}, args...)...)
		switch {
		case err != nil:
			return err
		case n == 0:
			return fail.Forbidden("you may not invite this user; ask a Global Admin")
		case u.LastSignInOn != nil:
			return fail.Conflict("%s has signed in before and needs no invitation; they can ask for a new password on the sign-in page", u.Email)
		case !u.IsActive:
			return fail.Conflict("%s is deactivated; activate them first", u.Email)
		}
		if err := s.needMail(); err != nil {
			return err
		}
		if err := s.ask("invitation "+emailKey(u.Email), ""); err != nil {
			return err
		}
		return s.Invite(ctx, tx, sc.Org(), userID, sc.Email())
	})
}

// Accept chooses the first password with an invitation, and signs in.
func (s *SignIn) Accept(ctx context.Context, token, password string, how user.How) (user.Tokens, error) {
	if err := s.prove(how.Address); err != nil {
		return user.Tokens{}, err
	}
	bad := fail.Unauthenticated("this invitation was used already or has expired; ask whoever invited you to send it again")
	if err := s.good(ctx, forInvite, token); errors.Is(err, errSpent) {
		return user.Tokens{}, bad
	} else if err != nil {
		return user.Tokens{}, err
	}
	hash, err := s.o.Users.HashPassword(ctx, password)
	if err != nil {
		return user.Tokens{}, err
	}
	return s.open(ctx, how, bad, func(ctx context.Context, tx *db.Tx) (owner, error) {
		o, err := spend(ctx, tx, forInvite, token)
		if err == nil {
			err = s.o.Users.SetPassword(ctx, tx, o.OrgID, o.UserID, hash)
		}
		return o, err
	})
}

// Reset chooses a new password with a mailed link, and ends all sessions.
func (s *SignIn) Reset(ctx context.Context, token, password string, how user.How) error {
	if err := s.prove(how.Address); err != nil {
		return err
	}
	spent := fail.Unauthenticated("this link was used already or has expired; ask for a new one")
	if err := s.good(ctx, forReset, token); errors.Is(err, errSpent) {
		return spent
	} else if err != nil {
		return err
	}
	hash, err := s.o.Users.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	err = s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		o, err := spend(ctx, tx, forReset, token)
		if err != nil {
			return err
		}
		email, err := db.One[string](ctx, tx, `SELECT email FROM users WHERE id = ? AND org_id = ? AND is_active = TRUE AND is_deleted = FALSE`, o.UserID, o.OrgID)
		if errors.Is(err, db.ErrNone) {
			return errSpent
		}
		if err != nil {
			return err
		}
		// Whatever else was mailed before the change is not good after it.
		if _, err := db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE user_id = ? AND used_on IS NULL`, time.Now(), o.UserID); err != nil {
			return err
		}
		if err := s.o.Users.SetPassword(ctx, tx, o.OrgID, o.UserID, hash); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{OrgID: o.OrgID, UserID: o.UserID, Actor: email, Carrier: how.Way, Address: how.Address, Action: "resetPassword", Resource: string(authz.User), ResourceID: strconv.FormatInt(o.UserID, 10)})
	})
	if errors.Is(err, errSpent) {
		return spent
	}
	if err == nil {
		s.proving.Forgive(how.Address)
	}
	return err
}
