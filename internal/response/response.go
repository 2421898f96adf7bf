package response

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/event"
	"atrium/internal/job"
	"atrium/internal/llm"
	"atrium/internal/permission"
	"atrium/internal/project"
	"atrium/internal/thread"
)

// States of a response.
const (
	Running   = "running"
	stopping  = "stopping" // somebody asked to stop it; shown as running
	Completed = "completed"
	Stopped   = "stopped" // ended by request, with what there was
	Failed    = "failed"
)

// Modes that an answer was made in.
const (
	ModeOffline = "offline" // quoted from the documents, without a language model
	ModeModel   = "model"
)

// Models chooses who answers for an agent.
type Models interface {
	Pick(ctx context.Context, sc authz.Scope, a agent.Settings) (Choice, error)
}

// Choice is a model that answers.
type Choice struct {
	llm.Provider

	Price Price
	// Version changes with everything about the model that could change an answer.
	Version string
}

// Price is what a model costs, in US dollars a million tokens; zero when it is
// not known.
type Price struct {
	Prompt     float64
	Completion float64
}

func (p Price) of(u llm.Usage) float64 {
	return (p.Prompt*float64(u.PromptTokens) + p.Completion*float64(u.CompletionTokens)) / 1e6
}

// OfflineName is the Name of the provider that needs no model.
const OfflineName = "offline"

// Library is where passages come from; *document.Documents is it.
type Library interface {
	Search(ctx context.Context, sc authz.Scope, f document.Find) ([]document.Passage, document.Reranking, error)
	// Locate finds a quote in a version's text: code points, and the page, 0
	// when it has none.
	Locate(ctx context.Context, sc authz.Scope, documentID int64, version int, quote string) (start, end, page int, ok bool)
	CitationURL(versionID int64, name string) string
}

// Options configure Responses.
type Options struct {
	DB        *db.DB
	Jobs      *job.Queue
	Events    *event.Log
	Agents    *agent.Agents
	Threads   *thread.Threads
	Projects  *project.Projects
	People    permission.People // who asks, as they are now
	Documents Library
	Models    Models
	Log       *slog.Logger
	PublicURL string // without a slash at the end
	// Caching tells whether an organization reuses answers; nil: all do.
	Caching func(ctx context.Context, orgID int64) (bool, error)

	MaxRuns   int           // answers written at once; 256 when 0
	MaxTime   time.Duration // for one answer; 10 minutes when 0
	Heartbeat time.Duration // silence after which a stream beats; 15 s when 0
}

const jobKind = "answer"

// Responses is everything about answers.
type Responses struct {
	Options

	rights rights

	mu      sync.Mutex
	held    map[int64]*fresh                  // asked here and not begun yet
	running map[int64]context.CancelCauseFunc // the runs of this process
}

// New makes Responses and registers the job that writes answers; call it before
// the queue starts.
func New(o Options) *Responses {
	if o.MaxRuns <= 0 {
		o.MaxRuns = 256
	}
	if o.MaxTime <= 0 {
		o.MaxTime = 10 * time.Minute
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Responses{Options: o, held: map[int64]*fresh{}, running: map[int64]context.CancelCauseFunc{}}
	o.Jobs.Handle(jobKind, job.Handler{
		Workers: o.MaxRuns, Timeout: o.MaxTime + time.Minute, MaxAttempts: maxAttempts,
		Backoff: func(attempt int) time.Duration { return time.Duration(attempt) * 200 * time.Millisecond },
		Run:     s.run, Failed: s.gaveUp,
	})
	return s
}

// maxAttempts is how often a run may take the process down before the answer
// is given up; a restart in the middle of an answer counts as one.
const maxAttempts = 20

// Reference is a source that an answer cites.
type Reference struct {
	Number     int    `json:"number" doc:"As the answer cites it: [number]."`
	URL        string `json:"url" doc:"Where the cited version of the source can be downloaded."`
	Order      int    `json:"order" doc:"Its place among the citations, from 1, by first appearance."`
	Title      string `json:"title"`
	DocumentID int64  `json:"document_id"`
	Version    int    `json:"version" doc:"Number of the document's version that is quoted."`
	Page       *int   `json:"page" nullable:"true" doc:"Null when the source has no pages."`
	Quote      string `json:"quote" doc:"Stands word for word in that version; checked before it was sent."`
	Start      int    `json:"start" doc:"Where the quote begins in the version's text, in code points."`
	End        int    `json:"end" doc:"Where it ends, in code points."`
}

// Passage is a piece of a document that was given to the answerer.
type Passage struct {
	Number     int     `json:"number" doc:"As an answer cites it."`
	PieceID    int64   `json:"piece_id"`
	DocumentID int64   `json:"document_id"`
	CorpusID   int64   `json:"corpus_id"`
	VersionID  int64   `json:"version_id"`
	Version    int     `json:"version" doc:"Number of the document's version."`
	MediaType  string  `json:"media_type"`
	Title      string  `json:"title"`
	Heading    string  `json:"heading" doc:"Headings above it, outermost first, joined by ' > '."`
	Page       *int    `json:"page" nullable:"true" doc:"Null when the source has no pages."`
	Start      int     `json:"start" doc:"Where it begins in the version's text, in code points."`
	End        int     `json:"end"`
	Text       string  `json:"text"`
	Score      float64 `json:"score" doc:"What passages are ordered by that no reranker looked at; comparable within one search."`
	Lexical    float64 `json:"lexical" doc:"The part of the words."`
	Vector     float64 `json:"vector" doc:"The part of the meaning; 0 without an embedder."`
	// Left out where there is none, so that what is stored without a reranker stays as it was.
	Rerank  *float64 `json:"rerank,omitempty" doc:"By the reranker, which orders the passages that have it; left out when it did not look at this one."`
	Terms   []Term   `json:"terms,omitempty" doc:"The question's terms, and whether the passage holds them."`
	IsCited bool     `json:"is_cited"`
}

// Term is a word of the question, as it was looked for.
type Term struct {
	Text   string  `json:"text" doc:"Folded and stemmed."`
	Weight float64 `json:"weight" doc:"How rare it is in what was searched."`
	Found  bool    `json:"found"`
}

// Answer is what asking answers, and the output of a stream's end.
type Answer struct {
	Answer             string      `json:"answer" doc:"Markdown, with citations as [n]."`
	Query              string      `json:"query" doc:"The question as it was looked for: by itself, without its conversation."`
	References         []Reference `json:"references" nullable:"false"`
	FollowupQuestions  []string    `json:"followup_questions" nullable:"false"`
	ThreadID           int64       `json:"thread_id"`
	ChatThreadName     string      `json:"chat_thread_name"`
	AgentResponseID    int64       `json:"agent_response_id"`
	ChatlogID          int64       `json:"chatlog_id" doc:"The same as agent_response_id."`
	AgentMode          string      `json:"agent_mode" doc:"model, or offline: quoted from the documents, without a language model. Empty when it was stopped before it began."`
	CorpusIDs          []int64     `json:"corpus_ids" nullable:"false" doc:"The corpora that were searched."`
	Indexes            []string    `json:"indexes" nullable:"false" doc:"Their names."`
	CacheHit           bool        `json:"cache_hit" doc:"The answer was given before to the same question."`
	Blocked            bool        `json:"blocked"`
	GuardrailTriggered bool        `json:"guardrail_triggered"`
	RunID              string      `json:"run_id"`
	PromptTokens       int         `json:"prompt_tokens"`
	CompletionTokens   int         `json:"completion_tokens"`
	TotalTokens        int         `json:"total_tokens"`
	Cost               float64     `json:"cost" doc:"US dollars; 0 when the price is not known."`
}

// Response is a stored question with its answer.
type Response struct {
	ID          int64         `json:"id"`
	Question    string        `json:"question"`
	Agent       agent.Short   `json:"agent"`
	Thread      ThreadName    `json:"thread"`
	User        thread.Person `json:"user"`
	QuerySource string        `json:"query_source" doc:"The program that asked."`
	State       string        `json:"state" enum:"running,completed,stopped,failed"`
	IsCleared   bool          `json:"is_cleared"`
	CreatedBy   string        `json:"created_by"`
	CreatedOn   time.Time     `json:"created_on"`
	ModifiedBy  string        `json:"modified_by"`
	ModifiedOn  time.Time     `json:"modified_on"`
	Comments    []Comment     `json:"comments" nullable:"false"`
	Feedback    []Feedback    `json:"feedback" nullable:"false"`
	ChatlogID   int64         `json:"chatlog_id" doc:"The same as id."`
	Response    Result        `json:"response"`
	Steps       []Step        `json:"response_steps" nullable:"false" doc:"Empty unless include_steps is true."`
}

// ThreadName is a thread in short.
type ThreadName struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
}

// Result is the answer in a Response.
type Result struct {
	Success            bool        `json:"success" doc:"True when there is an answer."`
	Answer             string      `json:"answer"`
	Query              string      `json:"query"`
	References         []Reference `json:"references" nullable:"false"`
	FollowupQuestions  []string    `json:"followup_questions" nullable:"false"`
	ThreadName         string      `json:"thread_name"`
	AgentResponseID    int64       `json:"agent_response_id"`
	Blocked            bool        `json:"blocked"`
	GuardrailTriggered bool        `json:"guardrail_triggered"`
	Message            string      `json:"message" doc:"How it ended; of a failure, what went wrong."`
	AgentMode          string      `json:"agent_mode" doc:"offline or model; empty before it is known."`
	CacheHit           bool        `json:"cache_hit"`
	PromptTokens       int         `json:"prompt_tokens"`
	CompletionTokens   int         `json:"completion_tokens"`
	Cost               float64     `json:"cost" doc:"US dollars; 0 when the price is not known."`
}

// Step is a stage of an answer with what it took.
type Step struct {
	ID               int64     `json:"id"`
	Order            int       `json:"order" doc:"From 1."`
	Name             string    `json:"step_name"`
	Message          string    `json:"message" doc:"What was done, in words for people."`
	Detail           string    `json:"detail" doc:"What came of it."`
	StartedOn        time.Time `json:"started_on"`
	DurationMS       float64   `json:"duration_ms"`
	PromptTokens     int       `json:"prompt_tokens"`
	CompletionTokens int       `json:"completion_tokens"`
	Cost             float64   `json:"cost" doc:"US dollars; 0 when the price is not known."`
}

// stream is the name of a response's events in the log.
func stream(id int64) string { return "response/" + strconv.FormatInt(id, 10) }
