package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"atrium/internal/db"
	"atrium/internal/job"
	"atrium/internal/mail"
)

// letterKind is the kind of the jobs that send mails.
const letterKind = "mail"

// What a letter is for; most are the purpose of the token in it, too.
const (
	forInvite = "invite"
	forReset  = "reset"
	forVerify = "verify"
	forCode   = "otp"  // a code and a link
	forLink   = "link" // a token to paste; the same as in the link beside a code
)

// letter is a mail to be written and sent. It names somebody by id, or by an
// address that may be nobody's.
type letter struct {
	For    string    `json:"for"`
	UserID int64     `json:"user_id,omitempty"`
	Email  string    `json:"email,omitempty"`
	By     string    `json:"by,omitempty"`     // who invites
	Handle string    `json:"handle,omitempty"` // hash of what names the attempt
	Next   string    `json:"next,omitempty"`
	Until  time.Time `json:"until"` // no use in trying after it
}

const (
	codeLife    = 10 * time.Minute
	resetLife   = time.Hour
	verifyLife  = 24 * time.Hour
	inviteLife  = 7 * 24 * time.Hour
	deliverable = 24 * time.Hour // how long a mail server may be down
)

// post puts a letter into the queue, in the caller's transaction.
func (s *SignIn) post(ctx context.Context, tx *db.Tx, orgID int64, l letter) error {
	_, err := s.o.Jobs.Enqueue(ctx, tx, job.Spec{Kind: letterKind, OrgID: orgID, Payload: l})
	return err
}

// person is who a letter goes to.
type person struct {
	ID       int64      `db:"id"`
	OrgID    int64      `db:"org_id"`
	Email    string     `db:"email"`
	First    string     `db:"first_name"`
	OrgName  string     `db:"org_name"`
	Active   bool       `db:"is_active"`
	SignedIn *time.Time `db:"last_sign_in_on"`
}

// deliver writes and sends a letter. Nobody to send it to is no failure.
func (s *SignIn) deliver(ctx context.Context, j *job.Job) error {
	var l letter
	if err := j.Decode(&l); err != nil {
		return err
	}
	if s.o.Mail == nil {
		return job.Permanent(errors.New("this server cannot send mail any more: ATRIUM_SMTP_URL is not set"))
	}
	p, err := s.addressee(ctx, l)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	m, made, err := s.write(ctx, l, p)
	if err != nil {
		return err
	}
	err = s.o.Mail.Send(ctx, m)
	if err == nil {
		return nil
	}
	s.o.Log.WarnContext(ctx, "a mail could not be sent", slog.String("for", l.For), slog.Int("attempt", j.Attempt), slog.Any("error", err))
	// What nobody was told must not stay good.
	undo := s.o.DB.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *db.Tx) error {
		for _, id := range made {
			if _, err := db.Exec(ctx, tx, `DELETE FROM one_time_token WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, mail.ErrAddress) || time.Now().After(l.Until) {
		err = job.Permanent(err)
	}
	return errors.Join(err, undo)
}

// addressee finds who a letter goes to; db.ErrNone when nobody should get it.
func (s *SignIn) addressee(ctx context.Context, l letter) (person, error) {
	where, arg := `p.id = ?`, any(l.UserID)
	if l.Email != "" {
		where, arg = `p.email_key = ?`, l.Email
	}
	p, err := db.One[person](ctx, s.o.DB, `SELECT p.id, p.org_id, p.email, p.first_name, p.is_active, p.last_sign_in_on, o.name AS org_name
		FROM users p JOIN organization o ON o.id = p.org_id WHERE `+where+` AND p.is_deleted = FALSE`, arg)
	if err != nil {
		return p, err
	}
	wanted := p.Active
	switch l.For {
	case forInvite:
		wanted = p.Active && p.SignedIn == nil
	case forVerify:
		wanted = !p.Active
	}
	if !wanted {
		return p, db.ErrNone
	}
	return p, nil
}

// write makes the tokens of a letter and puts them into it.
func (s *SignIn) write(ctx context.Context, l letter, p person) (m mail.Message, made []int64, err error) {
	token, code := newToken(), newCode()
	err = s.o.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		made = made[:0]
		keep := func(purpose, hash string, life time.Duration) error {
			id, err := db.One[int64](ctx, tx, `INSERT INTO one_time_token (org_id, user_id, purpose, hash, expires_on, handle, next) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
				p.OrgID, p.ID, purpose, hash, time.Now().Add(life), l.Handle, l.Next)
			made = append(made, id)
			return err
		}
		if err := s.outdate(ctx, tx, p.ID, l.For); err != nil {
			return err
		}
		switch l.For {
		case forCode:
			return errors.Join(keep(forCode, s.codeDigest(l.Handle, code), codeLife), keep(forLink, digest(token), codeLife))
		case forLink:
			return keep(forLink, digest(token), codeLife)
		case forReset:
			return keep(forReset, digest(token), resetLife)
		case forVerify:
			return keep(forVerify, digest(token), verifyLife)
		case forInvite:
			return keep(forInvite, digest(token), inviteLife)
		}
		return job.Permanent(fmt.Errorf("signin: nobody knows what a mail for %q is", l.For))
	})
	return s.word(l, p, token, code), made, err
}

// outdate forgets a person's old tokens, and ends those that the next letter
// replaces: of invitations and resets only the last one counts.
func (s *SignIn) outdate(ctx context.Context, tx *db.Tx, userID int64, purpose string) error {
	now := time.Now()
	if _, err := db.Exec(ctx, tx, `DELETE FROM one_time_token WHERE user_id = ? AND expires_on < ?`, userID, now.Add(-24*time.Hour)); err != nil {
		return err
	}
	if purpose == forCode || purpose == forLink {
		return nil // several places may be signed in to at once
	}
	_, err := db.Exec(ctx, tx, `UPDATE one_time_token SET used_on = ? WHERE user_id = ? AND purpose = ? AND used_on IS NULL`, now, userID, purpose)
	return err
}

// word is a letter in words.
func (s *SignIn) word(l letter, p person, token, code string) mail.Message {
	hello := "Hello,"
	if p.First != "" {
		hello = "Hello " + p.First + ","
	}
	link := func(page string) string {
		q := url.Values{"token": {token}}
		if l.Next != "" {
			q.Set("next", l.Next)
		}
		return s.o.PublicURL + "/sign-in/" + page + "?" + q.Encode()
	}
	m := mail.Message{To: p.Email}
	const notYou = "If this was not you, do nothing: nobody can sign in without this mail."
	switch l.For {
	case forCode:
		m.Subject = code + " is your code for " + p.OrgName
		m.Before = []string{hello, "type this code where you are signing in:"}
		m.Code, m.Link, m.Label = code, link("link"), "Or sign in on this device"
		m.After = []string{"The code and the link work once, for ten minutes. Give them to nobody.", notYou}
	case forLink:
		m.Subject = "Your token for " + p.OrgName
		m.Before = []string{hello, "paste this token into the program that you are signing in to:", token}
		m.After = []string{"It works once, for ten minutes. Give it to nobody.", notYou}
	case forReset:
		m.Subject = "Choose a new password for " + p.OrgName
		m.Before = []string{hello, "somebody asked for a new password for this address."}
		m.Link, m.Label = link("reset"), "Choose a new password"
		m.After = []string{"The link works once, for an hour. Choosing a new password signs you out everywhere.", "If this was not you, do nothing: your password stays as it is."}
	case forVerify:
		m.Subject = "Confirm your address for " + p.OrgName
		m.Before = []string{hello, "an account was made with this address. Confirm that it is yours."}
		m.Link, m.Label = link("verify"), "Confirm the address"
		m.After = []string{"The link works once, for a day.", "If this was not you, do nothing: without it the account stays closed."}
	case forInvite:
		m.Subject = "You are invited to " + p.OrgName
		m.Before = []string{hello, l.By + " invites you to " + p.OrgName + " on Atrium."}
		m.Link, m.Label = link("invitation"), "Accept the invitation"
		m.After = []string{"The link works once, for seven days.", "Your address for signing in is " + p.Email + "."}
	}
	return m
}
