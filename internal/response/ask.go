package response

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/event"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/thread"
)

// Ask is a question to an agent. Other fields that clients send are ignored.
type Ask struct {
	UserQuery      string     `json:"user_query" minLength:"1" maxLength:"32000" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank" doc:"The question."`
	ChatThreadID   *int64     `json:"chat_thread_id,omitempty" nullable:"true" minimum:"1" doc:"A thread of yours with the agent; without one a thread is begun and named after the question."`
	History        []Turn     `json:"history,omitempty" nullable:"true" doc:"The conversation so far, oldest first; used when no thread is given. The newest turns are looked at."`
	QuerySource    *string    `json:"query_source,omitempty" nullable:"true" maxLength:"100" doc:"The program that asks."`
	CachingEnabled *bool      `json:"caching_enabled,omitempty" nullable:"true" doc:"false asks afresh, past an answer that was given before."`
	IsFileAttached *bool      `json:"is_file_attached,omitempty" nullable:"true" doc:"Whether files were attached with the question; the thread's attachments are searched in any case."`
	Overrides      *Overrides `json:"overrides,omitempty"`
}

// Overrides change how one question is answered.
type Overrides struct {
	CorpusIDs []any `json:"corpus_ids,omitempty" nullable:"true" maxItems:"1000" doc:"Searches only these corpora of those that the agent and the thread are connected to. Lists in the list are taken apart and nulls left out; none at all is no limit. What is not the id of such a corpus matches none."`
	CacheSkip *bool `json:"cache_skip,omitempty" nullable:"true" doc:"true asks afresh, like caching_enabled false."`
	Followups *bool `json:"suggest_followup_questions,omitempty" nullable:"true" doc:"Whether questions to ask next are suggested. A model is asked for them only when this is true, because it costs; without a model they are suggested unless this is false."`
}

// request is what a run needs of an Ask, as stored.
type request struct {
	History   []Turn  `json:"history,omitempty"`
	Limited   bool    `json:"limited,omitempty"` // to CorpusIDs
	CorpusIDs []int64 `json:"corpus_ids,omitempty"`
	Afresh    bool    `json:"afresh,omitempty"`
	Followups *bool   `json:"followups,omitempty"`
}

func (a Ask) request() (request, error) {
	if strings.TrimSpace(a.UserQuery) == "" {
		return request{}, fail.InvalidField("user_query", "user_query: write a question")
	}
	if err := noNUL("user_query", &a.UserQuery); err != nil {
		return request{}, err
	}
	if err := noNUL("query_source", a.QuerySource); err != nil {
		return request{}, err
	}
	q := request{Afresh: a.CachingEnabled != nil && !*a.CachingEnabled}
	for _, t := range a.History {
		if err := noNUL("history", &t.User, &t.Bot); err != nil {
			return request{}, err
		}
	}
	if a.ChatThreadID == nil {
		q.History = recent(a.History)
	}
	if o := a.Overrides; o != nil {
		q.CorpusIDs, q.Limited = corpusIDs(o.CorpusIDs)
		q.Afresh = q.Afresh || o.CacheSkip != nil && *o.CacheSkip
		q.Followups = o.Followups
	}
	return q, nil
}

// corpusIDs flattens what clients send as ids: [1, 2], [[1, 2]], [null]. It
// answers whether there is a limit at all. What is no id stays a limit that
// nothing meets, so that a mistake never widens a search.
func corpusIDs(in []any) (ids []int64, limited bool) {
	for _, v := range in {
		switch x := v.(type) {
		case nil:
		case []any:
			more, some := corpusIDs(x)
			ids, limited = append(ids, more...), limited || some
		case float64:
			limited = true
			if x == math.Trunc(x) && x >= 1 && x < 1<<53 {
				ids = append(ids, int64(x))
			}
		default:
			limited = true
		}
	}
	return ids, limited
}

// task is the payload of the job that writes an answer.
type task struct {
	ResponseID int64 `json:"response_id"`
}

// Ask takes a question and answers the id of its response, which is being
// written from then on, whatever becomes of the caller. The question, its
// thread, its first event and its job are stored in one transaction.
func (s *Responses) Ask(ctx context.Context, sc authz.Scope, agentID int64, a Ask) (int64, error) {
	q, err := a.request()
	if err != nil {
		return 0, err
	}
	settings, err := s.Agents.ToAsk(ctx, sc, agentID)
	if err != nil {
		return 0, err
	}
	if s.full() {
		return 0, fail.Unavailable("too many questions are being answered just now; try again in a moment").After(2 * time.Second)
	}
	source := ""
	if a.QuerySource != nil {
		source = *a.QuerySource
	}
	var id int64
	err = s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		t, err := s.Threads.Open(ctx, tx, sc, agentID, a.ChatThreadID, thread.TitleOf(a.UserQuery), source)
		if err != nil {
			return err
		}
		s.release(id) // of an attempt that the database gave up
		r := row{OrgID: sc.Org(), AgentID: agentID, ThreadID: t.ID, ThreadTitle: t.Title, ThreadCorpus: t.CorpusID, UserID: sc.User(),
			Question: a.UserQuery, Query: a.UserQuery, QuerySource: source, Request: q, State: Running, RunID: rand.Text()}
		if r.ID, err = insert(ctx, tx, sc, r); err != nil {
			return err
		}
		id = r.ID
		s.hold(fresh{row: r, sc: sc, agent: settings, first: a.ChatThreadID == nil})
		message := "Reading the question"
		if err := s.Events.AppendTx(ctx, tx, stream(id), sc.Org(), event.Event{Name: evStart, Data: encode(note{Step: "start", Message: &message})}); err != nil {
			return err
		}
		_, err = s.Jobs.Enqueue(ctx, tx, job.Spec{Kind: jobKind, OrgID: sc.Org(), Payload: task{id}, Immediate: true})
		return err
	})
	if err != nil {
		s.release(id)
	}
	return id, err
}

// full tells whether as many answers are being written as this process takes.
// What was asked and has not begun is counted for a while: another process may
// have begun it.
func (s *Responses) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, f := range s.held {
		if time.Since(f.at) > time.Minute {
			delete(s.held, id)
		}
	}
	return len(s.running)+len(s.held) >= s.MaxRuns
}

// fresh is what a run of this process need not read again, because it was asked
// here just now.
type fresh struct {
	at      time.Time
	row     row
	sc      authz.Scope
	agent   agent.Settings
	first   bool // question of its thread
	stopped bool // before the run began
}

func (s *Responses) hold(f fresh) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.at = time.Now()
	s.held[f.row.ID] = &f
}

func (s *Responses) release(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
}

// Stop asks a running answer to end with what there is; one that has ended
// stays as it is.
func (s *Responses) Stop(ctx context.Context, sc authz.Scope, id int64) (Response, error) {
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := visible(ctx, tx, sc, id); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `UPDATE agent_response SET state = 'stopping', modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ? AND state = 'running'`,
			sc.Email(), time.Now(), id, sc.Org())
		tx.AfterCommit(func() { s.interrupt(id) })
		return err
	})
	if err != nil {
		return Response{}, err
	}
	return s.Get(ctx, sc, id)
}

var errStopped = errors.New("response: stopped by request")

// interrupt stops a run of this process, also one that is about to begin.
func (s *Responses) interrupt(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[id]; cancel != nil {
		cancel(errStopped)
	}
	if f := s.held[id]; f != nil {
		f.stopped = true
	}
}

// enter registers a run, so that it can be stopped, and answers what is known of
// it when it was asked here just now.
func (s *Responses) enter(id int64, cancel context.CancelCauseFunc) *fresh {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.held[id]
	delete(s.held, id)
	s.running[id] = cancel
	return f
}

func (s *Responses) leave(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
}

// ended is the last event's data, as far as Await needs it.
type ended struct {
	Step   string `json:"step"`
	Output struct {
		Error problem `json:"error"`
	} `json:"output"`
	Message string `json:"message"`
}

// problem is what an error event tells of a failure.
type problem struct {
	Code       fail.Code `json:"code"`
	Details    string    `json:"details"`
	RetryAfter float64   `json:"retry_after,omitempty"` // seconds
}

// Await waits for a response of the caller to end and answers what its stream
// ended with; a failure comes back as it was.
func (s *Responses) Await(ctx context.Context, id int64) (Answer, error) {
	var last event.Event
	err := s.Events.Read(ctx, stream(id), 0, func(es []event.Event) error {
		last = es[len(es)-1]
		return nil
	})
	if err != nil {
		return Answer{}, away(err)
	}
	if last.Name != evEnd {
		var e ended
		if err := json.Unmarshal(last.Data, &e); err != nil {
			return Answer{}, err
		}
		return Answer{}, &fail.Error{Code: e.Output.Error.Code, Message: e.Message, RetryAfter: time.Duration(e.Output.Error.RetryAfter * float64(time.Second))}
	}
	var e struct {
		Output Answer `json:"output"`
	}
	return e.Output, json.Unmarshal(last.Data, &e)
}

// away is the failure of a log that is closing under its reader.
func away(err error) error {
	if errors.Is(err, event.ErrClosed) {
		return fail.Unavailable("the server is being restarted; the answer is finished then, and stands in its thread").After(2 * time.Second).Because(err)
	}
	return err
}
