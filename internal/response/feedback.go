package response

import (
	"context"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Comment is a remark on a response.
type Comment struct {
	ID         int64     `json:"id" db:"id"`
	ResponseID int64     `json:"agent_response_id" db:"response_id"`
	Comment    string    `json:"comment" db:"comment"`
	CreatedBy  string    `json:"created_by" db:"created_by"`
	CreatedOn  time.Time `json:"created_on" db:"created_on"`
}

// Feedback is a person's vote on a response.
type Feedback struct {
	ID         int64     `json:"id" db:"id"`
	ResponseID int64     `json:"agent_response_id" db:"response_id"`
	IsUpvote   bool      `json:"is_upvote" db:"is_upvote"`
	IsDownvote bool      `json:"is_downvote" db:"is_downvote"`
	Comment    string    `json:"comment" db:"comment"`
	Category   string    `json:"category" db:"category"`
	CreatedBy  string    `json:"created_by" db:"created_by"`
	CreatedOn  time.Time `json:"created_on" db:"created_on"`
	ModifiedOn time.Time `json:"modified_on" db:"modified_on"`
}

// Vote is a vote to be given.
type Vote struct {
	VoteType string  `json:"vote_type" enum:"upvote,downvote"`
	Comment  *string `json:"comment,omitempty" nullable:"true" maxLength:"4000" doc:"Why; what was written before stays when this is not sent."`
	Category *string `json:"category,omitempty" nullable:"true" maxLength:"100"`
}

// Voted is the answer to a vote.
type Voted struct {
	ID         int64  `json:"id" doc:"The agent response's id."`
	FeedbackID int64  `json:"feedback_id"`
	VoteType   string `json:"vote_type" enum:"upvote,downvote"`
	IsUpvote   bool   `json:"is_upvote"`
	IsDownvote bool   `json:"is_downvote"`
}

// Remark is a comment to be made.
type Remark struct {
	Comment   string `json:"comment" minLength:"1" maxLength:"4000"`
	CreatedBy any    `json:"created_by,omitempty" doc:"Ignored: the author is the caller."`
}

func noNUL(field string, texts ...*string) error {
	for _, s := range texts {
		if s != nil && strings.ContainsRune(*s, 0) {
			return fail.InvalidField(field, "%s: the character NUL cannot be stored; take it out", field)
		}
	}
	return nil
}

// Vote keeps the caller's one vote on a response; a later one takes its place.
func (s *Responses) Vote(ctx context.Context, sc authz.Scope, id int64, v Vote) (Voted, error) {
	out := Voted{ID: id, VoteType: v.VoteType, IsUpvote: v.VoteType == "upvote", IsDownvote: v.VoteType == "downvote"}
	if err := noNUL("comment", v.Comment); err != nil {
		return out, err
	}
	if err := noNUL("category", v.Category); err != nil {
		return out, err
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		err := visible(ctx, tx, sc, id)
		if err != nil {
			return err
		}
		now := time.Now()
		text := func(p *string) string {
			if p == nil {
				return ""
			}
			return *p
		}
		out.FeedbackID, err = db.One[int64](ctx, tx, `INSERT INTO response_feedback (org_id, response_id, user_id, is_upvote, is_downvote, comment, category, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (response_id, user_id) DO UPDATE SET is_upvote = excluded.is_upvote, is_downvote = excluded.is_downvote,
				comment = CASE WHEN ? THEN excluded.comment ELSE response_feedback.comment END,
				category = CASE WHEN ? THEN excluded.category ELSE response_feedback.category END,
				modified_by = excluded.modified_by, modified_on = excluded.modified_on RETURNING id`,
			sc.Org(), id, sc.User(), out.IsUpvote, out.IsDownvote, text(v.Comment), text(v.Category), sc.Email(), now, sc.Email(), now,
			v.Comment != nil, v.Category != nil)
		return err
	})
	return out, err
}

func feedbackOf(ctx context.Context, q db.Querier, ids []int64) ([]Feedback, error) {
	marks, args := db.In(ids)
	return db.All[Feedback](ctx, q, `SELECT id, response_id, is_upvote, is_downvote, comment, category, created_by, created_on, modified_on
		FROM response_feedback WHERE response_id IN (`+marks+`) ORDER BY id`, args...)
}

// Comment adds a remark of the caller to a response.
func (s *Responses) Comment(ctx context.Context, sc authz.Scope, id int64, text string) (Comment, error) {
	if err := noNUL("comment", &text); err != nil {
		return Comment{}, err
	}
	c := Comment{ResponseID: id, Comment: text, CreatedBy: sc.Email(), CreatedOn: time.Now().UTC().Truncate(time.Microsecond)}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		err := visible(ctx, tx, sc, id)
		if err != nil {
			return err
		}
		c.ID, err = db.One[int64](ctx, tx, `INSERT INTO response_comment (org_id, response_id, user_id, comment, created_by, created_on) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
			sc.Org(), id, sc.User(), text, c.CreatedBy, c.CreatedOn)
		return err
	})
	return c, err
}

// Comments are a page of the remarks on a response, oldest first unless sorted otherwise.
func (s *Responses) Comments(ctx context.Context, sc authz.Scope, id int64, p api.Paging) ([]Comment, int, error) {
	if err := visible(ctx, s.DB, sc, id); err != nil {
		return nil, 0, err
	}
	return api.Rows[Comment](ctx, s.DB, p, api.Listing{
		Columns: `c.id, c.response_id, c.comment, c.created_by, c.created_on`, Tables: `response_comment c`, Where: `c.response_id = ? AND c.org_id = ?`, Args: []any{id, sc.Org()},
		Search: []string{"c.comment"}, Order: map[string]string{"created_on": "c.created_on"}, ID: "c.id",
	})
}

func commentsOf(ctx context.Context, q db.Querier, ids []int64) ([]Comment, error) {
	marks, args := db.In(ids)
	return db.All[Comment](ctx, q, `SELECT id, response_id, comment, created_by, created_on FROM response_comment WHERE response_id IN (`+marks+`) ORDER BY id`, args...)
}
