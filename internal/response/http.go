package response

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/event"
	"atrium/internal/fail"
	"atrium/internal/planted"
)

type asking struct {
	AgentID int64  `path:"agent_id" minimum:"1"`
	LastID  string `header:"Last-Event-ID" pattern:"^([0-9]{1,15}-[0-9]{1,15})?$" doc:"The id of an event of one of your responses: that one is continued, and nothing is asked."`
	Body    Ask
}

type responseID struct {
	ID int64 `path:"agent_response_id" minimum:"1"`
}

type resuming struct {
	ID     int64  `path:"agent_response_id" minimum:"1"`
	LastID string `header:"Last-Event-ID" pattern:"^([0-9]{1,15}-[0-9]{1,15})?$" doc:"The id of the last event that came; the rest is sent."`
	After  int64  `query:"after" minimum:"0" doc:"The same, as the number behind the dash; for clients that cannot set headers."`
}

// ofThread is api.LongPaging but for the order: a conversation is read from its beginning.
type ofThread struct {
	ThreadID     int64  `path:"chat_thread_id" minimum:"1"`
	Page         int    `query:"page" minimum:"1" maximum:"1000000" default:"1" doc:"Page to answer, from 1."`
	PageSize     int    `query:"page_size" minimum:"1" maximum:"200" default:"200" doc:"Items a page."`
	Sort         string `query:"sort" default:"created_on" enum:"created_on,-created_on,modified_on,-modified_on" doc:"Field to order by; a leading minus turns it round."`
	Search       string `query:"search" maxLength:"200" doc:"Text that the question or the answer holds, whatever the case."`
	IncludeSteps bool   `query:"include_steps" doc:"Whether the steps come along."`
}

type conversationPage struct {
	Responses  []Response     `json:"agent_responses" nullable:"false"`
	Pagination api.Pagination `json:"pagination"`
}

type threadID struct {
	ID int64 `path:"chat_thread_id" minimum:"1"`
}

type voting struct {
	ID   int64 `path:"agent_response_id" minimum:"1"`
	Body Vote
}

type remarking struct {
	ID   int64 `path:"agent_response_id" minimum:"1"`
	Body Remark
}

type commentsOn struct {
	ID int64 `path:"agent_response_id" minimum:"1"`
	api.LongPaging
}

type supporting struct {
	Passages []Passage `json:"supporting_content" nullable:"false"`
}

type thoughts struct {
	Thoughts []string `json:"thoughts" nullable:"false" doc:"The model's reasoning, one text a call of the model; empty when it gave none."`
}

type steps struct {
	Steps []Step `json:"steps" nullable:"false"`
}

// Mount declares the operations.
func (s *Responses) Mount(a *api.API) {
	s.mountAsking(a)
	s.mountLists(a)
	const group = "Agent Response"
	const ofThreads = "Chat Thread / Agent Response"
	view := authz.To(authz.View, authz.Response)
	api.Do(a, api.Op{ID: "getAgentResponse", Route: "GET /api/v2/agent-responses/{agent_response_id}", Title: "Get an Agent Response", Group: group,
		Doc: "One of your own, with its steps, comments and votes; also while it is being written.", Needs: view},
		func(ctx context.Context, in *responseID) (Response, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "listChatThreadResponses", Route: "GET /api/v2/chat-threads/{chat_thread_id}/agent-responses", Title: "Get Agent Responses for a Chat Thread", Group: ofThreads,
		Doc: "The conversation, oldest first; what was cleared is left out.", Needs: view},
		func(ctx context.Context, in *ofThread) (conversationPage, error) {
			p := api.Paging{Page: in.Page, PageSize: in.PageSize, Sort: in.Sort, Search: in.Search}
			found, total, err := s.OfThread(ctx, authz.From(ctx), in.ThreadID, p, in.IncludeSteps)
			return conversationPage{found, api.Pagination{Page: p.Page, PageSize: p.PageSize, Total: total, TotalPages: (total + p.PageSize - 1) / p.PageSize}}, err
		})
	api.None(a, api.Op{ID: "clearChatThread", Route: "DELETE /api/v2/chat-threads/{chat_thread_id}/agent-responses", Title: "Delete Agent Responses for a Chat Thread", Group: ofThreads,
		Doc: "Clears the conversation; the figures keep counting its responses.", Message: "Responses cleared", Needs: authz.To(authz.Delete, authz.Response)},
		func(ctx context.Context, in *threadID) error { return s.Clear(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "voteOnAgentResponse", Route: "POST /api/v2/agent-responses/{agent_response_id}/feedbacks", Title: "Create a Feedback for an Agent Response", Group: group, Status: 201,
		Doc: "Your one vote on the response; a later one takes its place.", Message: "Feedback saved", Needs: authz.To(authz.Edit, authz.Response)},
		func(ctx context.Context, in *voting) (Voted, error) {
			return s.Vote(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Many(a, api.Op{ID: "listAgentResponseComments", Route: "GET /api/v2/agent-responses/{agent_response_id}/comments", Title: "Get Comments for Agent Response", Group: group,
		Doc: "Newest first unless sorted otherwise.", Needs: view}, "comments",
		func(ctx context.Context, in *commentsOn) ([]Comment, int, error) {
			return s.Comments(ctx, authz.From(ctx), in.ID, in.Slice())
		})
	api.Do(a, api.Op{ID: "commentOnAgentResponse", Route: "POST /api/v2/agent-responses/{agent_response_id}/comments", Title: "Create a Comment for Agent Response", Group: group, Status: 201,
		Doc: "The author is the caller, whatever created_by says.", Message: "Comment saved", Needs: authz.To(authz.Edit, authz.Response)},
		func(ctx context.Context, in *remarking) (Comment, error) {
			return s.Comment(ctx, authz.From(ctx), in.ID, in.Body.Comment)
		})
	api.Do(a, api.Op{ID: "getAgentResponseSupportingContent", Route: "GET /api/v2/agent-responses/{agent_response_id}/supporting-content", Title: "Get Supporting Content of an Agent Response", Group: group,
		Doc: "The passages that the answer was written from, with their scores.", Needs: view},
		func(ctx context.Context, in *responseID) (supporting, error) {
			p, err := s.Supporting(ctx, authz.From(ctx), in.ID)
			return supporting{p}, err
		})
	api.Do(a, api.Op{ID: "getAgentResponseThoughts", Route: "GET /api/v2/agent-responses/{agent_response_id}/thoughts", Title: "Get Thoughts of an Agent Response", Group: group,
		Doc: "The model's reasoning, where the model gives it.", Needs: view},
		func(ctx context.Context, in *responseID) (thoughts, error) {
			t, err := s.Thoughts(ctx, authz.From(ctx), in.ID)
			return thoughts{t}, err
		})
	api.Do(a, api.Op{ID: "listAgentResponseSteps", Route: "GET /api/v2/agent-responses/{agent_response_id}/steps", Title: "List Steps for Agent Response", Group: "Agent Response Steps",
		Doc: "The stages of the answer with the time, tokens and cost of each; none while it is being written.", Needs: view},
		func(ctx context.Context, in *responseID) (steps, error) {
			x, err := s.Steps(ctx, authz.From(ctx), in.ID)
			return steps{x}, err
		})
}

// mountAsking declares what asks, follows and stops.
func (s *Responses) mountAsking(a *api.API) {
	const group = "Agent Response"
	const maxBody = 4 << 20
	ask := authz.To(authz.Create, authz.Response)
	api.Do(a, api.Op{ID: "askAgent", Route: "POST /response-service/api/v2/agents/{agent_id}/responses", Title: "Generate Agent Response (Non-Streaming)", Group: group, MaxBody: maxBody,
		Doc:   "Asks an agent that you may use and waits for the answer. Each citation in it is checked: its quote stands in the cited document. The answer is finished and stored also when you leave. 502 when the model fails; the failed response stays in the thread.",
		Needs: ask, Message: "Answered"},
		func(ctx context.Context, in *asking) (Answer, error) {
			id, _, err := s.take(ctx, authz.From(ctx), in)
			if err != nil {
				return Answer{}, err
			}
			return s.Await(ctx, id)
		})
	api.Stream(a, api.Op{ID: "streamAgent", Route: "POST /response-service/api/v2/agents/{agent_id}/responses/stream", Title: "Stream Agent Response (SSE)", Group: group, MaxBody: maxBody,
		Doc: "Asks an agent that you may use and answers events: start, status, token (the answer as it comes), and last either end, whose output is what the plain operation answers, or error. " +
			"An event's id is the response's id, a dash and a number. A status with an empty message only keeps the connection alive.",
		Needs: ask},
		func(ctx context.Context, in *asking) (func(context.Context, *api.Events) error, error) {
			sc := authz.From(ctx)
			id, after, err := s.take(ctx, sc, in)
			return func(ctx context.Context, e *api.Events) error {
				return s.follow(ctx, asked{sc.Org(), sc.User(), in.AgentID}, id, after, e)
			}, err
		})
	api.Stream(a, api.Op{ID: "resumeAgentResponse", Route: "GET /api/v2/agent-responses/{agent_response_id}/stream", Title: "Continue the stream of an Agent Response", Group: group,
		Doc:   "Sends the events of one of your responses: those that came after Last-Event-ID, and then each as it comes, up to the last. Works at any time, also when the server was restarted in between or the answer has long ended.",
		Needs: authz.To(authz.View, authz.Response)},
		func(ctx context.Context, in *resuming) (func(context.Context, *api.Events) error, error) {
			who, after, err := s.resume(ctx, authz.From(ctx), in)
			return func(ctx context.Context, e *api.Events) error { return s.follow(ctx, who, in.ID, after, e) }, err
		})
	api.Do(a, api.Op{ID: "stopAgentResponse", Route: "POST /api/v2/agent-responses/{agent_response_id}/stop", Title: "Stop an Agent Response", Group: group,
		Doc: "The answer ends with what there is, as its stream then says. One that has ended stays as it is.", Message: "Stopping", Needs: authz.To(authz.Edit, authz.Response)},
		func(ctx context.Context, in *responseID) (Response, error) {
			return s.Stop(ctx, authz.From(ctx), in.ID)
		})
}

// take asks, or finds the response that is to be continued.
func (s *Responses) take(ctx context.Context, sc authz.Scope, in *asking) (id, after int64, err error) {
	if in.LastID == "" {
		id, err = s.Ask(ctx, sc, in.AgentID, in.Body)
		return id, 0, err
	}
	id, after = eventID(in.LastID)
	r, err := load(ctx, s.DB, sc, id)
	if err == nil && r.AgentID != in.AgentID {
		err = unknown(id)
	}
	if err == nil {
		err = s.goesOn(ctx, sc, r)
	}
	return id, after, err
}

// resume finds the response whose stream is continued.
func (s *Responses) resume(ctx context.Context, sc authz.Scope, in *resuming) (asked, int64, error) {
	after, err := in.from()
	if err != nil {
		return asked{}, 0, err
	}
	if planted.Bug(planted.Resume) {
		return asked{sc.Org(), sc.User(), 0}, after, nil
	}
	r, err := load(ctx, s.DB, sc, in.ID)
	if err == nil {
		err = s.goesOn(ctx, sc, r)
	}
	return asked{sc.Org(), sc.User(), r.AgentID}, after, err
}

// goesOn refuses to continue an answer that is being written by an agent which
// its owner may not use any more. One that has ended is theirs to read.
func (s *Responses) goesOn(ctx context.Context, sc authz.Scope, r row) error {
	if r.State != Running && r.State != stopping {
		return nil
	}
	err := s.Agents.Usable(ctx, sc, r.AgentID)
	if refused(err) {
		err = errRevoked
	}
	return err
}

func (in *resuming) from() (int64, error) {
	if in.LastID == "" {
		return in.After, nil
	}
	id, after := eventID(in.LastID)
	if id != in.ID {
		return 0, fail.Conflict("Last-Event-ID %s is an event of another response; leave it out to begin at the start", in.LastID)
	}
	return after, nil
}

// eventID reads the id of an event, whose form was checked; a number too large
// to be one becomes the largest.
func eventID(s string) (id, seq int64) {
	a, b, _ := strings.Cut(s, "-")
	return clamp(a), clamp(b)
}

func clamp(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// follow copies the events of a response to a client, up to the last one, with
// a beat whenever it was silent for a while. It ends early when the client may
// not use the agent any more.
func (s *Responses) follow(ctx context.Context, who asked, id, after int64, out *api.Events) error {
	ctx, done := s.whileUsable(ctx, who)
	defer done()
	var mu sync.Mutex // over out, prefix and the last id
	prefix := strconv.FormatInt(id, 10) + "-"
	last := prefix + strconv.FormatInt(after, 10)
	beat := status("heartbeat", "").Data
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var timer *time.Timer
	mu.Lock()
	timer = time.AfterFunc(s.Heartbeat, func() {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		out.Add(last, evStatus, beat)
		if out.Flush() != nil {
			cancel() // the client is gone
			return
		}
		timer.Reset(s.Heartbeat)
	})
	if after == 0 {
		timer.Stop() // start is the first event
	}
	mu.Unlock()
	defer timer.Stop()
	err := s.readAll(ctx, id, after, func(es []event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range es {
			last = prefix + strconv.FormatInt(e.Seq, 10)
			out.Add(last, e.Name, e.Data)
		}
		timer.Reset(s.Heartbeat)
		if out.Flush() != nil {
			cancel()
		}
		return ctx.Err()
	})
	mu.Lock()
	defer mu.Unlock()
	if ctx.Err() != nil || errors.Is(err, event.ErrClosed) {
		err = nil // the client is gone, or resumes when the server is back
	}
	cancel() // no beat after the last event
	return err
}

// readAll reads the events of a response behind a number, up to the last. The
// log may take a stream that ends just as its reader begins for one that was
// read already: so it is asked again until nothing is left.
func (s *Responses) readAll(ctx context.Context, id, after int64, yield func([]event.Event) error) error {
	for {
		err := s.Events.Read(ctx, stream(id), after, func(es []event.Event) error {
			after = es[len(es)-1].Seq
			return yield(es)
		})
		if err != nil {
			return err
		}
		if seq, _, err := s.Events.LastSeq(ctx, stream(id)); err != nil || seq <= after {
			return err
		}
	}
}
