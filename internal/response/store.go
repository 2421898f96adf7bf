package response

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/thread"
)

// row is a response as stored, joined with its thread, agent and owner; the
// passages are read apart, because they are large.
type row struct {
	ID               int64       `db:"id"`
	OrgID            int64       `db:"org_id"`
	AgentID          int64       `db:"agent_id"`
	AgentName        string      `db:"agent_name"`
	ThreadID         int64       `db:"thread_id"`
	ThreadTitle      string      `db:"thread_title"`
	ThreadCorpus     *int64      `db:"thread_corpus"`
	UserID           int64       `db:"user_id"`
	Email            string      `db:"email"`
	FirstName        string      `db:"first_name"`
	LastName         string      `db:"last_name"`
	Question         string      `db:"question"`
	Query            string      `db:"query"`
	QuerySource      string      `db:"query_source"`
	Request          request     `db:"request,json"`
	State            string      `db:"state"`
	Answer           string      `db:"answer"`
	Message          string      `db:"message"`
	References       []Reference `db:"reference_list,json"`
	Followups        []string    `db:"followup_questions,json"`
	AgentMode        string      `db:"agent_mode"`
	RunID            string      `db:"run_id"`
	CacheHit         bool        `db:"cache_hit"`
	Blocked          bool        `db:"blocked"`
	Guardrail        bool        `db:"guardrail_triggered"`
	PromptTokens     int         `db:"prompt_tokens"`
	CompletionTokens int         `db:"completion_tokens"`
	Cost             float64     `db:"cost"`
	IsCleared        bool        `db:"is_cleared"`
	CreatedBy        string      `db:"created_by"`
	CreatedOn        time.Time   `db:"created_on"`
	ModifiedBy       string      `db:"modified_by"`
	ModifiedOn       time.Time   `db:"modified_on"`
}

const columns = `r.id, r.org_id, r.agent_id, a.name AS agent_name, r.thread_id, t.title AS thread_title, t.corpus_id AS thread_corpus,
	r.user_id, u.email, u.first_name, u.last_name, r.question, r.query, r.query_source, r.request, r.state, r.answer, r.message,
	r.reference_list, r.followup_questions, r.agent_mode, r.run_id, r.cache_hit, r.blocked, r.guardrail_triggered,
	r.prompt_tokens, r.completion_tokens, r.cost, r.is_cleared, r.created_by, r.created_on, r.modified_by, r.modified_on`

const joinedTables = `agent_response r JOIN chat_thread t ON t.id = r.thread_id JOIN agent a ON a.id = r.agent_id JOIN users u ON u.id = r.user_id`

func (r row) response() Response {
	state := r.State
	if state == stopping {
		state = Running
	}
	return Response{
		ID: r.ID, Question: r.Question, Agent: agent.Short{ID: r.AgentID, Name: r.AgentName}, Thread: ThreadName{r.ThreadID, r.ThreadTitle},
		User:        thread.Person{ID: r.UserID, Email: r.Email, FirstName: r.FirstName, LastName: r.LastName},
		QuerySource: r.QuerySource, State: state, IsCleared: r.IsCleared, CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn,
		ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn, Comments: []Comment{}, Feedback: []Feedback{}, Steps: []Step{}, ChatlogID: r.ID,
		Response: Result{
			Success: state == Completed || state == Stopped, Answer: r.Answer, Query: r.Query, References: r.References,
			FollowupQuestions: r.Followups, ThreadName: r.ThreadTitle, AgentResponseID: r.ID, Blocked: r.Blocked, GuardrailTriggered: r.Guardrail,
			Message: r.Message, AgentMode: r.AgentMode, CacheHit: r.CacheHit, PromptTokens: r.PromptTokens, CompletionTokens: r.CompletionTokens, Cost: r.Cost,
		},
	}
}

// load is the scoped loader of responses: 404 when unknown, another's or deleted.
func load(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (row, error) {
	see, args := sc.Where(authz.View, authz.Response, "r")
	r, err := db.One[row](ctx, q, `SELECT `+columns+` FROM `+joinedTables+` WHERE r.id = ? AND r.is_deleted = FALSE AND `+see, append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		return r, unknown(id)
	}
	return r, err
}

func unknown(id int64) error {
	return fail.NotFound("agent response %d is unknown or not visible to you; check the id", id)
}

// visible is load for those who need the id only.
func visible(ctx context.Context, q db.Querier, sc authz.Scope, id int64) error {
	see, args := sc.Where(authz.View, authz.Response, "r")
	_, err := db.One[int64](ctx, q, `SELECT r.id FROM agent_response r WHERE r.id = ? AND r.is_deleted = FALSE AND `+see, append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		return unknown(id)
	}
	return err
}

// Get is one response of the caller, with its steps.
func (s *Responses) Get(ctx context.Context, sc authz.Scope, id int64) (Response, error) {
	r, err := load(ctx, s.DB, sc, id)
	if err != nil {
		return Response{}, err
	}
	all := []Response{r.response()}
	return all[0], s.complete(ctx, all, true)
}

// OfThread lists the responses of a thread of the caller that were not
// cleared, oldest first unless sorted otherwise.
func (s *Responses) OfThread(ctx context.Context, sc authz.Scope, threadID int64, p api.Paging, steps bool) ([]Response, int, error) {
	if _, err := s.Threads.Find(ctx, s.DB, sc, threadID); err != nil {
		return nil, 0, err
	}
	where, args := sc.Where(authz.View, authz.Response, "r")
	out, total, err := api.Page(ctx, s.DB, p, api.Listing{
		Columns: columns, Tables: joinedTables, Counted: `agent_response r`,
		Where: `r.thread_id = ? AND r.is_deleted = FALSE AND r.is_cleared = FALSE AND ` + where, Args: append([]any{threadID}, args...),
		Search: []string{"r.question", "r.answer"}, Order: map[string]string{"created_on": "r.created_on", "modified_on": "r.modified_on"}, ID: "r.id",
	}, row.response)
	if err != nil {
		return nil, 0, err
	}
	return out, total, s.complete(ctx, out, steps)
}

// complete adds comments, votes and steps to responses that were loaded by scope.
func (s *Responses) complete(ctx context.Context, rs []Response, steps bool) error {
	at := make(map[int64]*Response, len(rs))
	ids := make([]int64, len(rs))
	for i := range rs {
		at[rs[i].ID], ids[i] = &rs[i], rs[i].ID
	}
	comments, err := commentsOf(ctx, s.DB, ids)
	if err != nil {
		return err
	}
	for _, c := range comments {
		at[c.ResponseID].Comments = append(at[c.ResponseID].Comments, c)
	}
	votes, err := feedbackOf(ctx, s.DB, ids)
	if err != nil {
		return err
	}
	for _, f := range votes {
		at[f.ResponseID].Feedback = append(at[f.ResponseID].Feedback, f)
	}
	if !steps {
		return nil
	}
	found, err := stepsOf(ctx, s.DB, ids)
	for _, x := range found {
		at[x.ResponseID].Steps = append(at[x.ResponseID].Steps, x.step())
	}
	return err
}

type stepRow struct {
	ID               int64     `db:"id"`
	ResponseID       int64     `db:"response_id"`
	Ordinal          int       `db:"ordinal"`
	Name             string    `db:"name"`
	Message          string    `db:"message"`
	Detail           string    `db:"detail"`
	StartedOn        time.Time `db:"started_on"`
	DurationUS       int64     `db:"duration_us"`
	PromptTokens     int       `db:"prompt_tokens"`
	CompletionTokens int       `db:"completion_tokens"`
	Cost             float64   `db:"cost"`
}

func (x stepRow) step() Step {
	return Step{ID: x.ID, Order: x.Ordinal, Name: x.Name, Message: x.Message, Detail: x.Detail, StartedOn: x.StartedOn,
		DurationMS: float64(x.DurationUS) / 1000, PromptTokens: x.PromptTokens, CompletionTokens: x.CompletionTokens, Cost: x.Cost}
}

func stepsOf(ctx context.Context, q db.Querier, ids []int64) ([]stepRow, error) {
	marks, args := db.In(ids)
	return db.All[stepRow](ctx, q, `SELECT id, response_id, ordinal, name, message, detail, started_on, duration_us, prompt_tokens, completion_tokens, cost
		FROM response_step WHERE response_id IN (`+marks+`) ORDER BY response_id, ordinal`, args...)
}

// insert writes a response that is to be answered.
func insert(ctx context.Context, tx *db.Tx, sc authz.Scope, r row) (int64, error) {
	now := time.Now()
	return db.One[int64](ctx, tx, `INSERT INTO agent_response (org_id, agent_id, thread_id, user_id, question, query, query_source, request, state,
		answer, message, reference_list, followup_questions, passages, thoughts, agent_mode, model, run_id, cache_key, cache_hit, blocked, guardrail_triggered,
		prompt_tokens, completion_tokens, cost, is_cleared, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '[]', '[]', '[]', '[]', '', '', ?, '', FALSE, FALSE, FALSE, 0, 0, 0, FALSE, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), r.AgentID, r.ThreadID, sc.User(), r.Question, r.Query, r.QuerySource, db.JSON(r.Request), r.State, r.RunID, sc.Email(), now, sc.Email(), now)
}

// keepPassages stores what the answer will be written from, so that a run after
// a restart goes on from the same.
func keepPassages(ctx context.Context, tx *db.Tx, id int64, query string, passages json.RawMessage) error {
	_, err := db.Exec(ctx, tx, `UPDATE agent_response SET query = ?, passages = ? WHERE id = ?`, query, passages, id)
	return err
}

func passagesOf(ctx context.Context, q db.Querier, id int64) ([]Passage, error) {
	type row struct {
		Passages   []Passage   `db:"passages,json"`
		References []Reference `db:"reference_list,json"`
	}
	r, err := db.One[row](ctx, q, `SELECT passages, reference_list FROM agent_response WHERE id = ?`, id)
	return cited(r.Passages, r.References), err
}

// cited marks the passages that an answer cites.
func cited(ps []Passage, refs []Reference) []Passage {
	for i := range ps {
		ps[i].IsCited = slices.ContainsFunc(refs, func(r Reference) bool { return r.Number == ps[i].Number })
	}
	return ps
}

// outcome is how a run ended.
type outcome struct {
	State      string
	Answer     string
	Message    string
	Query      string
	References []Reference
	Followups  []string
	Passages   []Passage // nil: those stored already
	Thoughts   []string
	Mode       string
	Model      string
	CacheKey   string
	CacheHit   bool
	Prompt     int // tokens
	Completion int
	Cost       float64
	Steps      []Step
}

// finish stores how a run ended; a response that has ended stays as it is.
func finish(ctx context.Context, tx *db.Tx, r row, o outcome) error {
	now := time.Now()
	var passages any
	if o.Passages != nil {
		passages = db.JSON(o.Passages)
	}
	n, err := db.Exec(ctx, tx, `UPDATE agent_response SET state = ?, answer = ?, message = ?, query = ?, reference_list = ?, followup_questions = ?, passages = COALESCE(?, passages),
		thoughts = ?, agent_mode = ?, model = ?, cache_key = ?, cache_hit = ?, prompt_tokens = ?, completion_tokens = ?, cost = ?, modified_on = ?
		WHERE id = ? AND state IN ('running', 'stopping')`,
		o.State, o.Answer, o.Message, o.Query, db.JSON(o.References), db.JSON(o.Followups), passages, db.JSON(o.Thoughts),
		o.Mode, o.Model, o.CacheKey, o.CacheHit, o.Prompt, o.Completion, o.Cost, now, r.ID)
	if err != nil {
		return err
	}
	if n == 0 {
		return errEnded
	}
	if len(o.Steps) == 0 {
		return nil
	}
	marks := strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), ", len(o.Steps))
	args := make([]any, 0, 11*len(o.Steps))
	for i, x := range o.Steps {
		args = append(args, r.OrgID, r.ID, i+1, x.Name, x.Message, x.Detail, x.StartedOn, int64(x.DurationMS*1000), x.PromptTokens, x.CompletionTokens, x.Cost)
	}
	_, err = db.Exec(ctx, tx, `INSERT INTO response_step (org_id, response_id, ordinal, name, message, detail, started_on, duration_us, prompt_tokens, completion_tokens, cost)
		VALUES `+strings.TrimSuffix(marks, ", "), args...)
	return err
}

var errEnded = errors.New("response: it has ended already")

// history is the conversation before a response, oldest first.
func history(ctx context.Context, q db.Querier, r row) ([]Turn, error) {
	type turn struct {
		Question string `db:"question"`
		Answer   string `db:"answer"`
	}
	rows, err := db.All[turn](ctx, q, `SELECT question, answer FROM agent_response WHERE thread_id = ? AND id < ? AND state IN ('completed', 'stopped')
		AND is_deleted = FALSE AND is_cleared = FALSE ORDER BY id DESC LIMIT ?`, r.ThreadID, r.ID, historyTurns)
	out := make([]Turn, len(rows))
	for i, t := range rows {
		out[len(rows)-1-i] = Turn{t.Question, t.Answer}
	}
	return out, err
}

// Clear takes the responses out of a thread of the caller; they stay for the figures.
func (s *Responses) Clear(ctx context.Context, sc authz.Scope, threadID int64) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.Threads.Find(ctx, tx, sc, threadID); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `UPDATE agent_response SET is_cleared = TRUE, modified_by = ?, modified_on = ? WHERE thread_id = ? AND org_id = ? AND is_cleared = FALSE`,
			sc.Email(), time.Now(), threadID, sc.Org())
		return err
	})
}

// Supporting are the passages that an answer was written from.
func (s *Responses) Supporting(ctx context.Context, sc authz.Scope, id int64) ([]Passage, error) {
	if err := visible(ctx, s.DB, sc, id); err != nil {
		return nil, err
	}
	return passagesOf(ctx, s.DB, id)
}

// Thoughts are the model's reasoning, one text a call of the model.
func (s *Responses) Thoughts(ctx context.Context, sc authz.Scope, id int64) ([]string, error) {
	if err := visible(ctx, s.DB, sc, id); err != nil {
		return nil, err
	}
	raw, err := db.One[string](ctx, s.DB, `SELECT thoughts FROM agent_response WHERE id = ?`, id)
	if err != nil {
		return nil, err
	}
	out := []string{}
	return out, json.Unmarshal([]byte(raw), &out)
}

// Steps are the stages of an answer, in order; none while it is being written.
func (s *Responses) Steps(ctx context.Context, sc authz.Scope, id int64) ([]Step, error) {
	if err := visible(ctx, s.DB, sc, id); err != nil {
		return nil, err
	}
	rows, err := stepsOf(ctx, s.DB, []int64{id})
	out := make([]Step, len(rows))
	for i, x := range rows {
		out[i] = x.step()
	}
	return out, err
}
