package response

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/event"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/llm"
)

// run is one answer being written.
type run struct {
	s       *Responses
	work    context.Context
	row     row
	first   bool // question of its thread, as far as is known
	sc      authz.Scope
	agent   agent.Settings
	model   Choice
	shelves []shelf
	turns   []Turn
	journal *journal
	out     *writer

	query    string
	passages []Passage
	saved    int             // how many of them are stored
	room     int             // tokens of passages that still fit the prompt
	asked    map[string]bool // queries of the search tool
	repeats  bool            // the model asks for what it has
	key      string          // of the cache; empty when the answer is not kept there

	refs     map[int]Reference
	steps    []Step
	thoughts []string
	usage    llm.Usage
	cost     float64
	named    string // the model, as the provider names it
	cacheHit bool
}

func (r *run) offline() bool { return r.model.Name() == OfflineName }

func (r *run) mode() string {
	if r.offline() {
		return ModeOffline
	}
	return ModeModel
}

var errTooLong = errors.New("response: it took too long")

// run is the job: it writes the answer and ends it, well or not. It answers an
// error only when another run has to take over.
func (s *Responses) run(ctx context.Context, j *job.Job) error {
	var t task
	if err := j.Decode(&t); err != nil {
		return err
	}
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := s.enter(t.ResponseID, cancel)
	defer s.leave(t.ResponseID)
	var events []event.Event
	if f == nil {
		var err error
		if f, events, err = s.reopen(ctx, t.ResponseID); err != nil || f == nil {
			return err
		}
	}
	if f.stopped {
		cancel(errStopped)
	}
	if s.DB.Engine() == db.Postgres {
		go s.watch(work, f.row.ID, cancel) // another process may take the request to stop
	}
	work, settled := s.whileUsable(work, asked{f.row.OrgID, f.row.UserID, f.row.AgentID})
	defer settled()
	work, end := context.WithTimeoutCause(work, s.MaxTime, errTooLong)
	defer end()
	r := &run{s: s, work: work, row: f.row, first: f.first, sc: f.sc, agent: f.agent, query: f.row.Question, room: passageBudget, asked: map[string]bool{}, refs: map[int]Reference{}}
	r.journal = s.newJournal(ctx, r.row, func(err error) { cancel(fmt.Errorf("response: the events cannot be written: %w", err)) })
	defer r.journal.close()
	sent, begun := sentText(events)
	r.out = newWriter(r, sent)
	if begun {
		r.journal.add(status(stepRestart, "Going on after an interruption"))
	}
	err := r.answer(work)
	if werr := r.journal.flush(); ctx.Err() != nil || werr != nil {
		return cmp.Or(ctx.Err(), werr)
	}
	verdict := r.verdict(work, err)
	r.work = ctx
	if r.out.cite.text.Len() < len(r.out.sent) {
		r.out.takeOver() // an earlier run had sent more: that is the answer
	}
	return r.end(ctx, j, verdict)
}

// reopen reads a response that another process, or this one before it was
// restarted, has taken, and what was sent of it; nil when it has ended.
func (s *Responses) reopen(ctx context.Context, id int64) (*fresh, []event.Event, error) {
	r, err := db.One[row](ctx, s.DB, `SELECT `+columns+` FROM `+joinedTables+` WHERE r.id = ?`, id)
	if err != nil || r.State != Running && r.State != stopping {
		return nil, nil, err
	}
	events, err := written(ctx, s.DB, id)
	return &fresh{row: r, stopped: r.State == stopping}, events, err
}

// watch looks whether a run was stopped through another process.
func (s *Responses) watch(ctx context.Context, id int64, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if state, err := db.One[string](ctx, s.DB, `SELECT state FROM agent_response WHERE id = ?`, id); err == nil && state == stopping {
			cancel(errStopped)
			return
		}
	}
}

// verdict is how the run ended: nil for an answer, errStopped, or a failure
// that may be told.
func (r *run) verdict(work context.Context, err error) error {
	cause := context.Cause(work)
	switch {
	case err == nil, errors.Is(cause, errStopped):
		if cause != nil && err != nil {
			return errStopped
		}
		return nil
	case errors.Is(cause, errTooLong):
		return fail.Provider("the answer took longer than %s and was ended; ask again, or ask for less", r.s.MaxTime)
	case cause != nil:
		err = cause
	}
	e := fail.As(err)
	if e.Err != nil {
		r.s.Log.Warn("an answer failed", slog.Int64("response", r.row.ID), slog.String("code", string(e.Code)), slog.Any("cause", e.Err))
	}
	return e
}

// end stores the outcome, its last event and the end of the job at once.
func (r *run) end(ctx context.Context, j *job.Job, verdict error) error {
	o := r.outcome(verdict)
	last := r.lastEvent(o, verdict)
	err := r.s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := finish(ctx, tx, r.row, o); err != nil {
			return err
		}
		if err := r.s.Events.AppendTx(ctx, tx, stream(r.row.ID), r.row.OrgID, last); err != nil {
			return err
		}
		return j.Complete(ctx, tx)
	})
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

func (r *run) outcome(verdict error) outcome {
	o := outcome{
		State: Completed, Message: "Answered", Answer: r.out.text(), Query: r.query, References: r.references(), Followups: r.out.followups,
		Thoughts: r.thoughts, Model: r.named, CacheHit: r.cacheHit, Prompt: r.usage.PromptTokens, Completion: r.usage.CompletionTokens, Cost: r.cost, Steps: r.steps,
	}
	if r.saved < len(r.passages) {
		o.Passages = r.passages
	}
	if o.Thoughts == nil {
		o.Thoughts = []string{}
	}
	if r.model.Provider != nil {
		o.Mode = r.mode()
	}
	switch {
	case errors.Is(verdict, errStopped):
		o.State, o.Message, o.Followups = Stopped, "Stopped", []string{}
	case verdict != nil:
		o.State, o.Message, o.Followups = Failed, fail.As(verdict).Message, []string{}
	default:
		o.CacheKey = r.key
	}
	return o
}

// endData is the data of the end event.
type endData struct {
	Step    string `json:"step"`
	Success bool   `json:"success"`
	Message string `json:"message"`
	Output  Answer `json:"output"`
}

// errorData is the data of the error event.
type errorData struct {
	Step    string      `json:"step"`
	Message string      `json:"message"`
	Output  errorOutput `json:"output"`
}

type errorOutput struct {
	Error           problem `json:"error"`
	Blocked         bool    `json:"blocked"`
	ThreadID        int64   `json:"thread_id"`
	ChatThreadName  string  `json:"chat_thread_name"`
	AgentResponseID int64   `json:"agent_response_id"`
}

func (r *run) lastEvent(o outcome, verdict error) event.Event {
	if verdict != nil && !errors.Is(verdict, errStopped) {
		return failure(r.row, fail.As(verdict))
	}
	return event.Event{Name: evEnd, Last: true, Data: encode(endData{Step: "end", Success: true, Message: o.Message, Output: Answer{
		Answer: o.Answer, Query: o.Query, References: o.References, FollowupQuestions: o.Followups, ThreadID: r.row.ThreadID,
		ChatThreadName: r.row.ThreadTitle, AgentResponseID: r.row.ID, ChatlogID: r.row.ID, AgentMode: o.Mode, CorpusIDs: idsOf(r.shelves), Indexes: namesOf(r.shelves),
		CacheHit: o.CacheHit, RunID: r.row.RunID, PromptTokens: o.Prompt, CompletionTokens: o.Completion, TotalTokens: o.Prompt + o.Completion, Cost: o.Cost,
	}})}
}

func failure(r row, e *fail.Error) event.Event {
	return event.Event{Name: evError, Last: true, Data: encode(errorData{Step: "error", Message: e.Message, Output: errorOutput{
		Error:    problem{Code: e.Code, Details: e.Message, RetryAfter: e.RetryAfter.Seconds()},
		ThreadID: r.ThreadID, ChatThreadName: r.ThreadTitle, AgentResponseID: r.ID,
	}})}
}

// gaveUp ends a response whose job was given up: it took the process down too
// often, or could not be stored.
func (s *Responses) gaveUp(ctx context.Context, tx *db.Tx, j *job.Job, cause error) error {
	var t task
	if err := json.Unmarshal(j.Payload, &t); err != nil {
		return err
	}
	r, err := db.One[row](ctx, tx, `SELECT `+columns+` FROM `+joinedTables+` WHERE r.id = ?`, t.ResponseID)
	if err != nil {
		return err
	}
	events, err := written(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	text, _ := sentText(events)
	e := fail.As(nil).Because(cause)
	s.Log.Error("an answer was given up", slog.Int64("response", r.ID), slog.Any("error", cause))
	err = finish(ctx, tx, r, outcome{State: Failed, Answer: text, Message: e.Message, Query: r.Query, References: []Reference{}, Followups: []string{}, Thoughts: []string{}})
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Events.AppendTx(ctx, tx, stream(r.ID), r.OrgID, failure(r, e))
}

// written are the events of a response so far.
func written(ctx context.Context, q db.Querier, id int64) ([]event.Event, error) {
	var out []event.Event
	for after := int64(0); ; after = out[len(out)-1].Seq {
		more, err := event.History(ctx, q, stream(id), after)
		if err != nil || len(more) == 0 {
			return out, err
		}
		out = append(out, more...)
	}
}

// step begins a stage: its event tells people, and what it took is kept when
// the function it answers is called.
func (r *run) step(name, event, message string) func(detail string, u llm.Usage) {
	r.journal.add(status(event, message))
	start := time.Now()
	return func(detail string, u llm.Usage) { r.keep(name, message, detail, start, u) }
}

func (r *run) keep(name, message, detail string, start time.Time, u llm.Usage) {
	cost := r.model.Price.of(u)
	r.usage.PromptTokens += u.PromptTokens
	r.usage.CompletionTokens += u.CompletionTokens
	r.cost += cost
	r.steps = append(r.steps, Step{
		Name: name, Message: message, Detail: detail, StartedOn: start, DurationMS: float64(time.Since(start).Microseconds()) / 1000,
		PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, Cost: cost,
	})
}

// open finds out who asks whom over what.
func (r *run) open(ctx context.Context) error {
	var err error
	if r.agent.ID == 0 {
		if r.sc, err = r.s.asker(ctx, r.s.DB, r.row.OrgID, r.row.UserID); err != nil {
			return err
		}
		if r.agent, err = r.s.Agents.ToAsk(ctx, r.sc, r.row.AgentID); err != nil {
			return err
		}
	}
	if r.model, err = r.s.Models.Pick(ctx, r.sc, r.agent); err != nil {
		return err
	}
	if r.shelves, err = r.s.shelves(ctx, r.sc, r.agent.ID, r.row.ThreadCorpus, r.row.Request); err != nil {
		return err
	}
	r.turns = r.row.Request.History
	if len(r.turns) == 0 && !r.first {
		var past []Turn
		if past, err = history(ctx, r.s.DB, r.row); err == nil {
			r.turns = recent(past)
		}
	}
	return err
}

// answer goes through the stages.
func (r *run) answer(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	if r.out.sent != "" {
		// What was sent was written from these passages: its citations mean them.
		var err error
		if r.passages, err = passagesOf(ctx, r.s.DB, r.row.ID); err != nil {
			return err
		}
		r.saved = len(r.passages)
	}
	if r.saved > 0 {
		r.query = r.row.Query
	} else if err := r.rewrite(ctx); err != nil {
		return err
	}
	if hit, err := r.fromCache(ctx); hit || err != nil {
		return err
	}
	if r.saved == 0 {
		if err := r.retrieve(ctx); err != nil {
			return err
		}
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	return r.suggest(ctx)
}

// rewrite makes the question stand alone when it has a conversation.
func (r *run) rewrite(ctx context.Context) error {
	if len(r.turns) == 0 {
		return nil
	}
	if r.offline() {
		if r.query = joined(r.turns, r.row.Question); r.query == r.row.Question {
			return nil
		}
		r.step("query_rewrite", "query_rewrite_start", "Understanding the question in its conversation")(r.query, llm.Usage{})
		return nil
	}
	done := r.step("query_rewrite", "query_rewrite_start", "Understanding the question in its conversation")
	query, res, err := rewritten(ctx, r.model, r.agent.Model, r.turns, r.row.Question)
	if err == nil {
		r.query = query
	}
	done(query, res.Usage)
	return err
}

// fromCache gives an answer that was given before, when there is one.
func (r *run) fromCache(ctx context.Context) (bool, error) {
	if !r.agent.Caching {
		return false, nil
	}
	if r.s.Caching != nil {
		if on, err := r.s.Caching(ctx, r.row.OrgID); err != nil || !on {
			return false, err
		}
	}
	r.key = cacheKey(r.agent, r.model.Version, r.query, r.turns, r.shelves)
	if r.row.Request.Afresh {
		return false, nil
	}
	start := time.Now()
	c, err := lookUp(ctx, r.s.DB, r.row, r.key)
	if errors.Is(err, db.ErrNone) || err == nil && !strings.HasPrefix(c.Answer, r.out.sent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	const message = "Found the answer to the same question"
	r.journal.add(status("cache_hit", message))
	r.keep("cache", message, "", start, llm.Usage{})
	r.cacheHit, r.passages, r.named = true, c.Passages, c.Model
	for _, ref := range c.References {
		r.refs[ref.Number] = ref
	}
	r.out.known = true
	r.out.followups = c.Followups
	return true, errors.Join(r.out.add(c.Answer), r.out.close())
}

// retrieve finds the passages that the answer is written from.
func (r *run) retrieve(ctx context.Context) error {
	if len(r.shelves) == 0 {
		return nil
	}
	message := "Searching " + r.shelves[0].Name
	if n := len(r.shelves); n > 1 {
		message = fmt.Sprintf("Searching %d corpora", n)
	}
	done := r.step("retrieval", "retrieval_start", message)
	found, err := r.search(ctx, r.query)
	if err != nil {
		return err
	}
	r.asked[strings.ToLower(oneLine(r.query))] = true
	documents := map[int64]bool{}
	for _, p := range found {
		documents[p.DocumentID] = true
	}
	done(fmt.Sprintf("%d passages of %d documents", len(found), len(documents)), llm.Usage{})
	return nil
}

// suggest finds what could be asked next.
func (r *run) suggest(ctx context.Context) error {
	want := r.row.Request.Followups
	if r.offline() {
		if want == nil || *want {
			cited := map[int]bool{}
			for n := range r.refs {
				cited[n] = true
			}
			if len(cited) > 0 {
				r.out.followups = leftOver(r.passages, cited, r.row.Question)
			}
		}
		return nil
	}
	if want == nil || !*want || r.out.text() == "" {
		return nil
	}
	done := r.step("followups", "followups_start", "Thinking of what could be asked next")
	out, res, err := suggested(ctx, r.model, r.agent.Model, r.row.Question, r.out.text())
	done(fmt.Sprintf("%d questions", len(out)), res.Usage)
	if err != nil && ctx.Err() == nil {
		// The answer is there; it is not lost for want of suggestions.
		r.s.Log.Warn("no follow-ups were suggested", slog.Int64("response", r.row.ID), slog.Any("error", err))
		return nil
	}
	r.out.followups = out
	return err
}
