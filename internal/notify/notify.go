// Package notify holds notifications: short messages to a person, a team or
// everybody in an organization, each with its reader's own read state, shown
// live by a stream.
package notify

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/org"
)

// Recipients.
const (
	ToUser         = "user"
	ToTeam         = "team"
	ToOrganization = "organization"
)

// Recipient is whom a notification is for.
type Recipient struct {
	Kind string `json:"kind" enum:"user,team,organization"`
	ID   int64  `json:"id" doc:"Of the user, team or organization."`
}

// Notification as its reader sees it.
type Notification struct {
	ID         int64     `json:"id"`
	Title      string    `json:"title"`
	Message    string    `json:"message"`
	Link       string    `json:"link" doc:"A path on this server, an https address, or empty."`
	Level      string    `json:"level" enum:"info,success,warning,error"`
	Recipient  Recipient `json:"recipient"`
	IsRead     bool      `json:"is_read" doc:"Whether you have read it."`
	CreatedBy  string    `json:"created_by"`
	CreatedOn  time.Time `json:"created_on"`
	ModifiedBy string    `json:"modified_by"`
	ModifiedOn time.Time `json:"modified_on"`
}

// Draft is a notification to be sent. It is for everybody in the organization
// unless it names a user or a team.
type Draft struct {
	Title   string  `json:"title" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Message string  `json:"message" minLength:"1" maxLength:"4000" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Link    *string `json:"link,omitempty" nullable:"true" maxLength:"2000" doc:"A path on this server such as /agents/7, or an https address."`
	Level   *string `json:"level,omitempty" nullable:"true" enum:"info,success,warning,error" doc:"info unless sent."`
	UserID  *int64  `json:"user_id,omitempty" nullable:"true" minimum:"1"`
	TeamID  *int64  `json:"team_id,omitempty" nullable:"true" minimum:"1"`
}

// Filter narrows a list of notifications.
type Filter struct {
	api.Paging
	IsRead string `query:"is_read" enum:"true,false" doc:"Only those that you have read, or have not."`
}

// Marks say which of one's notifications become read or unread.
type Marks struct {
	IsRead *bool   `json:"is_read,omitempty" nullable:"true" doc:"true unless sent."`
	IDs    []int64 `json:"notification_ids,omitempty" nullable:"true" maxItems:"1000" doc:"All of yours unless sent; an empty list is none."`
}

// Marked is how many changed.
type Marked struct {
	Updated int64 `json:"updated"`
}

// Unread is how many wait to be read.
type Unread struct {
	Unread int `json:"unread"`
}

// Notifications is everything about notifications.
type Notifications struct {
	db   *db.DB
	live live
}

// New makes Notifications.
func New(d *db.DB) *Notifications { return &Notifications{db: d, live: live{at: map[int64]*board{}}} }

// row is a notification as stored, with the reader's state.
type row struct {
	ID         int64     `db:"id"`
	OrgID      int64     `db:"org_id"`
	UserID     *int64    `db:"user_id"`
	TeamID     *int64    `db:"team_id"`
	Title      string    `db:"title"`
	Message    string    `db:"message"`
	Link       string    `db:"link"`
	Level      string    `db:"level"`
	CreatedBy  string    `db:"created_by"`
	CreatedOn  time.Time `db:"created_on"`
	ModifiedBy string    `db:"modified_by"`
	ModifiedOn time.Time `db:"modified_on"`
	IsRead     bool      `db:"is_read"`
	Mine       bool      `db:"mine"`    // addressed to the reader
	Allowed    bool      `db:"allowed"` // what is about to be done
}

func (r row) notification() Notification {
	n := Notification{
		ID: r.ID, Title: r.Title, Message: r.Message, Link: r.Link, Level: r.Level, Recipient: Recipient{ToOrganization, r.OrgID}, IsRead: r.IsRead,
		CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn,
	}
	switch {
	case r.UserID != nil:
		n.Recipient = Recipient{ToUser, *r.UserID}
	case r.TeamID != nil:
		n.Recipient = Recipient{ToTeam, *r.TeamID}
	}
	return n
}

const (
	columns = `n.id, n.org_id, n.user_id, n.team_id, n.title, n.message, n.link, n.level, n.created_by, n.created_on, n.modified_by, n.modified_on`
	isRead  = `EXISTS (SELECT 1 FROM notification_read nr WHERE nr.notification_id = n.id AND nr.user_id = ?)`
)

// Send stores a notification in the caller's transaction and answers its id. It
// is for other packages; whether the sender may is theirs to know.
func (s *Notifications) Send(ctx context.Context, tx *db.Tx, sc authz.Scope, d Draft) (int64, error) {
	if d.UserID != nil && d.TeamID != nil {
		return 0, fail.InvalidField("team_id", "team_id: a notification is for a user or a team, not both; send one of user_id and team_id")
	}
	link, err := cleanLink(d.Link)
	if err != nil {
		return 0, err
	}
	level := "info"
	if d.Level != nil {
		level = *d.Level
	}
	// Ids of an organization become visible in their order, so that a stream
	// that has seen one has missed none below it.
	if err := org.Lock(ctx, tx, sc.Org()); err != nil {
		return 0, err
	}
	var author *int64
	if sc.User() != 0 {
		author = new(sc.User())
	}
	now := time.Now()
	id, err := db.One[int64](ctx, tx, `INSERT INTO notification (org_id, user_id, team_id, author_id, title, message, link, level, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), d.UserID, d.TeamID, author, strings.TrimSpace(d.Title), d.Message, link, level, sc.Email(), now, sc.Email(), now)
	if err == nil {
		tx.AfterCommit(func() { s.live.wake(sc.Org()) })
	}
	return id, err
}

// cleanLink takes what leads to this server or to an https address, and nothing
// that a browser would run or send elsewhere.
func cleanLink(link *string) (string, error) {
	if link == nil || *link == "" {
		return "", nil
	}
	s := *link
	u, err := url.Parse(s)
	path := err == nil && strings.HasPrefix(s, "/") && u.Host == "" && !strings.HasPrefix(s, "//")
	address := err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
	if !path && !address || strings.ContainsAny(s, "\\\t\r\n") {
		return "", fail.InvalidField("link", "link: give a path on this server that begins with one /, or an address that begins with https://")
	}
	return s, nil
}

// Create sends a notification: admins to anybody, Admins of a team to the team,
// everyone to themselves.
func (s *Notifications) Create(ctx context.Context, sc authz.Scope, d Draft) (Notification, error) {
	var out row
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := mayAddress(ctx, tx, sc, d); err != nil {
			return err
		}
		id, err := s.Send(ctx, tx, sc, d)
		if err != nil {
			return err
		}
		audit.About(ctx, id)
		out, err = db.One[row](ctx, tx, `SELECT `+columns+`, FALSE AS is_read, TRUE AS mine, TRUE AS allowed FROM notification n WHERE n.id = ? AND n.org_id = ?`, id, sc.Org())
		return err
	})
	return out.notification(), err
}

// mayAddress refuses a recipient that is not visible, or not the sender's to
// write to.
func mayAddress(ctx context.Context, tx *db.Tx, sc authz.Scope, d Draft) error {
	wide := broadcaster(sc.Principal())
	switch {
	case d.UserID != nil:
		where, args := sc.Where(authz.View, authz.User, "u")
		n, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM users u WHERE u.id = ? AND u.is_deleted = FALSE AND `+where, append([]any{*d.UserID}, args...)...)
		if err == nil && n == 0 {
			err = fail.NotFound("user %d is unknown or not visible to you; check the id", *d.UserID)
		}
		if err == nil && !wide && *d.UserID != sc.User() {
			err = fail.Forbidden("you may send notifications to yourself and to teams that you are an Admin of; ask an administrator to write to somebody else")
		}
		return err
	case d.TeamID != nil:
		see, seeArgs := sc.Where(authz.View, authz.Team, "t")
		can, canArgs := sc.Where(authz.Manage, authz.Team, "t")
		args := append(append(canArgs, *d.TeamID), seeArgs...)
		// Who may write to everybody sees the teams they write to.
		if wide {
			see, args = "t.org_id = ?", append(append(canArgs, *d.TeamID), sc.Org())
		}
		allowed, err := db.One[bool](ctx, tx, `SELECT (`+can+`) AS allowed FROM team t WHERE t.id = ? AND t.is_deleted = FALSE AND `+see, args...)
		if errors.Is(err, db.ErrNone) {
			return fail.NotFound("team %d is unknown or not visible to you; check the id", *d.TeamID)
		}
		if err == nil && !allowed && !wide {
			err = fail.Forbidden("only an Admin of the team may write to it; ask one of them")
		}
		return err
	case !wide:
		return fail.Forbidden("only administrators may write to everybody; name yourself as user_id, or a team that you are an Admin of as team_id")
	}
	return nil
}

// broadcaster tells who may write to anybody: admins, and who holds a right to
// create notifications.
func broadcaster(p *authz.Principal) bool {
	if p.Role != authz.Member {
		return true
	}
	for _, r := range p.Rules {
		if r.Resource == authz.Notification && r.Action == authz.Create {
			return true
		}
	}
	return false
}

// load finds a notification that is for the caller, or that the caller may do
// the action to.
func load(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (row, error) {
	mine, mineArgs := sc.Where(authz.View, authz.Notification, "n")
	can, canArgs := sc.Where(a, authz.Notification, "n")
	args := append([]any{sc.User()}, mineArgs...)
	args = append(append(args, canArgs...), id, sc.Org())
	r, err := db.One[row](ctx, q, `SELECT `+columns+`, `+isRead+` AS is_read, (`+mine+`) AS mine, (`+can+`) AS allowed FROM notification n
		WHERE n.id = ? AND n.org_id = ? AND n.is_deleted = FALSE`, args...)
	if errors.Is(err, db.ErrNone) || err == nil && !r.Mine && !r.Allowed {
		return row{}, unknown(id)
	}
	if err == nil && !r.Allowed {
		return row{}, fail.Forbidden("only %s, who sent the notification, or a Global Admin may %s it; ask one of them", r.CreatedBy, a)
	}
	return r, err
}

// Get is one of the caller's notifications.
func (s *Notifications) Get(ctx context.Context, sc authz.Scope, id int64) (Notification, error) {
	r, err := load(ctx, s.db, sc, id, authz.View)
	return r.notification(), err
}

// List is a page of what is for the caller.
func (s *Notifications) List(ctx context.Context, sc authz.Scope, f Filter) ([]Notification, int, error) {
	where, args := sc.Where(authz.View, authz.Notification, "n")
	where = "n.is_deleted = FALSE AND " + where
	if f.IsRead != "" {
		where += map[string]string{"true": " AND ", "false": " AND NOT "}[f.IsRead] + isRead
		args = append(args, sc.User())
	}
	return api.Page(ctx, s.db, f.Paging, api.Listing{
		Columns: columns + `, ` + isRead + ` AS is_read`, Given: []any{sc.User()}, Tables: `notification n`, Where: where, Args: args,
		Search: []string{"n.title", "n.message"}, Order: map[string]string{"created_on": "n.created_on"}, ID: "n.id",
	}, row.notification)
}

// Unread counts what waits for the caller.
func (s *Notifications) Unread(ctx context.Context, sc authz.Scope) (Unread, error) {
	where, args := sc.Where(authz.View, authz.Notification, "n")
	n, err := db.One[int](ctx, s.db, `SELECT COUNT(*) FROM notification n WHERE n.is_deleted = FALSE AND `+where+` AND NOT `+isRead, append(args, sc.User())...)
	return Unread{n}, err
}

// Mark sets the caller's own read state of one notification; nil leaves it.
func (s *Notifications) Mark(ctx context.Context, sc authz.Scope, id int64, read *bool) (Notification, error) {
	var out Notification
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := load(ctx, tx, sc, id, authz.View)
		if err != nil {
			return err
		}
		if read != nil {
			r.IsRead = *read
			_, err = mark(ctx, tx, sc, *read, []int64{id})
		}
		out = r.notification()
		return err
	})
	return out, err
}

// MarkAll sets the read state of the caller's notifications, or of those named.
func (s *Notifications) MarkAll(ctx context.Context, sc authz.Scope, userID int64, m Marks) (Marked, error) {
	read := m.IsRead == nil || *m.IsRead
	var out Marked
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := oneself(ctx, tx, sc, userID); err != nil {
			return err
		}
		if err := visible(ctx, tx, sc, m.IDs); err != nil || m.IDs != nil && len(m.IDs) == 0 {
			return err
		}
		var err error
		out.Updated, err = mark(ctx, tx, sc, read, m.IDs)
		return err
	})
	return out, err
}

// visible refuses ids of notifications that are not for the caller.
func visible(ctx context.Context, tx *db.Tx, sc authz.Scope, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	where, args := sc.Where(authz.View, authz.Notification, "n")
	marks, more := db.In(ids)
	found, err := db.All[int64](ctx, tx, `SELECT n.id FROM notification n WHERE n.is_deleted = FALSE AND `+where+` AND n.id IN (`+marks+`)`, append(args, more...)...)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(found, id) {
			return unknown(id)
		}
	}
	return nil
}

func unknown(id int64) error {
	return fail.NotFound("notification %d is unknown or not visible to you; check the id", id)
}

func oneself(ctx context.Context, tx *db.Tx, sc authz.Scope, userID int64) error {
	if userID == sc.User() {
		return nil
	}
	where, args := sc.Where(authz.View, authz.User, "u")
	n, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM users u WHERE u.id = ? AND u.is_deleted = FALSE AND `+where, append([]any{userID}, args...)...)
	switch {
	case err != nil:
		return err
	case n == 0:
		return fail.NotFound("user %d is unknown or not visible to you; check the id", userID)
	}
	return fail.Forbidden("what somebody has read is their own to say; you may do this for yourself only")
}

// mark changes the caller's read state of the notifications with the ids, or of
// all that are theirs when there are none, and counts what it changed.
func mark(ctx context.Context, tx *db.Tx, sc authz.Scope, read bool, ids []int64) (int64, error) {
	where, args := sc.Where(authz.View, authz.Notification, "n")
	where = "n.is_deleted = FALSE AND " + where
	if len(ids) > 0 {
		marks, more := db.In(ids)
		where, args = where+" AND n.id IN ("+marks+")", append(args, more...)
	}
	if !read {
		return db.Exec(ctx, tx, `DELETE FROM notification_read WHERE user_id = ? AND org_id = ? AND notification_id IN (SELECT n.id FROM notification n WHERE `+where+`)`,
			append([]any{sc.User(), sc.Org()}, args...)...)
	}
	return db.Exec(ctx, tx, `INSERT INTO notification_read (org_id, notification_id, user_id, read_on)
		SELECT n.org_id, n.id, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM notification n WHERE `+where+` ON CONFLICT (user_id, notification_id) DO NOTHING`,
		append([]any{sc.User(), time.Now()}, args...)...)
}

// Delete takes a notification away from everybody.
func (s *Notifications) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, id, authz.Delete); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `UPDATE notification SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), id, sc.Org())
		return err
	})
}
