package thread

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
)

// row is a thread as stored, joined with its agent and its owner.
type row struct {
	Thread
	AgentID   int64  `db:"agent_id"`
	AgentName string `db:"agent_name"`
	UserID    int64  `db:"user_id"`
	Email     string `db:"email"`
	FirstName string `db:"first_name"`
	LastName  string `db:"last_name"`
}

func (r row) thread() Thread {
	t := r.Thread
	t.Agent = agent.Short{ID: r.AgentID, Name: r.AgentName}
	t.User = Person{r.UserID, r.Email, r.FirstName, r.LastName}
	return t
}

const columns = `t.id, t.title, t.corpus_id, t.chat_id, t.created_by, t.created_on, t.modified_by, t.modified_on, t.is_deleted,
	a.id AS agent_id, a.name AS agent_name, u.id AS user_id, u.email, u.first_name, u.last_name`

const joined = `chat_thread t JOIN agent a ON a.id = t.agent_id JOIN users u ON u.id = t.user_id`

func one(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (row, error) {
	see, args := sc.Where(authz.View, authz.Thread, "t")
	return db.One[row](ctx, q, `SELECT `+columns+` FROM `+joined+` WHERE t.id = ? AND t.is_deleted = FALSE AND `+see, append([]any{id}, args...)...)
}

func opened(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (Opened, error) {
	see, args := sc.Where(authz.View, authz.Thread, "t")
	o, err := db.One[Opened](ctx, q, `SELECT t.id, t.agent_id, t.title, t.corpus_id FROM chat_thread t WHERE t.id = ? AND t.is_deleted = FALSE AND `+see,
		append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		return o, notFound(id)
	}
	return o, err
}

func insert(ctx context.Context, tx *db.Tx, sc authz.Scope, agentID int64, title, source string) (int64, error) {
	now := time.Now()
	return db.One[int64](ctx, tx, `INSERT INTO chat_thread (org_id, agent_id, user_id, title, chat_id, query_source, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), agentID, sc.User(), title, rand.Text(), source, sc.Email(), now, sc.Email(), now)
}

func touch(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, title string) error {
	_, err := db.Exec(ctx, tx, `UPDATE chat_thread SET title = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
		title, sc.Email(), time.Now(), id, sc.Org())
	return err
}

// link sets the corpus of attachments; nil takes it away.
func link(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, corpusID *int64) error {
	_, err := db.Exec(ctx, tx, `UPDATE chat_thread SET corpus_id = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
		corpusID, sc.Email(), time.Now(), id, sc.Org())
	return err
}

func remove(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64) error {
	now := time.Now()
	_, err := db.Exec(ctx, tx, `UPDATE agent_response SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE thread_id = ? AND org_id = ? AND is_deleted = FALSE`,
		sc.Email(), now, id, sc.Org())
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE chat_thread SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), now, id, sc.Org())
	return err
}

// List is a page of the caller's threads.
func (s *Threads) List(ctx context.Context, sc authz.Scope, f Filter) ([]Thread, int, error) {
	where, args := sc.Where(authz.View, authz.Thread, "t")
	where = "t.is_deleted = FALSE AND " + where
	if f.AgentID != 0 {
		where += " AND t.agent_id = ?"
		args = append(args, f.AgentID)
	}
	return api.Page(ctx, s.db, f.Slice(), api.Listing{
		Columns: columns, Tables: joined, Counted: `chat_thread t`, Where: where, Args: args, Search: []string{"t.title"},
		Order: map[string]string{"created_on": "t.created_on", "modified_on": "t.modified_on", "title": "lower(t.title)"}, ID: "t.id",
	}, row.thread)
}
