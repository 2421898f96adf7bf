// Package thread holds conversations with agents. A thread belongs to the
// person who began it: nobody else sees it, whatever their role. It may have
// one corpus of attachments, which only answers in the thread use.
package thread

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
)

// Untitled is the title of a thread that nobody named; its first question does.
const Untitled = "New chat"

// Thread as the API shows it.
type Thread struct {
	ID         int64       `json:"id" db:"id"`
	Agent      agent.Short `json:"agent"`
	User       Person      `json:"user"`
	Title      string      `json:"title" db:"title"`
	CorpusID   *int64      `json:"corpus_id" db:"corpus_id" nullable:"true" doc:"The corpus of attachments linked to the thread; null when there is none."`
	ChatID     string      `json:"chat_id" db:"chat_id" doc:"A name of the thread that no other has."`
	CreatedBy  string      `json:"created_by" db:"created_by"`
	CreatedOn  time.Time   `json:"created_on" db:"created_on"`
	ModifiedBy string      `json:"modified_by" db:"modified_by"`
	ModifiedOn time.Time   `json:"modified_on" db:"modified_on"`
	IsDeleted  bool        `json:"is_deleted" db:"is_deleted"`
}

// Person is a user in short.
type Person struct {
	ID        int64  `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// Draft is a thread to be made.
type Draft struct {
	Title       string `json:"title,omitempty" maxLength:"200" doc:"The first question names the thread when this is empty."`
	QuerySource string `json:"query_source,omitempty" maxLength:"100" doc:"The program that asks."`
}

// Patch changes a thread: only what is sent.
type Patch struct {
	Title *string `json:"title,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
}

// Filter narrows a list of threads.
type Filter struct {
	api.LongPaging
	AgentID     int64  `query:"agent_id" minimum:"1" doc:"Only threads with this agent."`
	QuerySource string `query:"query_source" maxLength:"100" doc:"Accepted, and narrows nothing: a program may list with one name and ask with another."`
}

// Corpora is what threads need of corpora.
type Corpora interface {
	// Visible is the scoped loader: 404 when unknown or not visible, 403 when
	// the action is not allowed.
	Visible(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (corpus.Corpus, error)
}

// Threads is everything about threads.
type Threads struct {
	db        *db.DB
	agents    *agent.Agents
	corpora   Corpora
	documents *document.Documents
}

// New makes Threads.
func New(d *db.DB, agents *agent.Agents, corpora Corpora, documents *document.Documents) *Threads {
	return &Threads{db: d, agents: agents, corpora: corpora, documents: documents}
}

// Create makes a thread of the caller with an agent that the caller may use.
func (s *Threads) Create(ctx context.Context, sc authz.Scope, agentID int64, d Draft) (Thread, error) {
	if err := s.agents.Usable(ctx, sc, agentID); err != nil {
		return Thread{}, err
	}
	title, err := cleanTitle(d.Title)
	if err != nil {
		return Thread{}, err
	}
	if strings.ContainsRune(d.QuerySource, 0) {
		return Thread{}, fail.InvalidField("query_source", "query_source: the character NUL cannot be stored; take it out")
	}
	if title == "" {
		title = Untitled
	}
	var id int64
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		id, err = insert(ctx, tx, sc, agentID, title, d.QuerySource)
		return err
	})
	if err != nil {
		return Thread{}, err
	}
	return s.Get(ctx, sc, id)
}

// Opened is the thread that a question is asked in.
type Opened struct {
	ID       int64  `db:"id"`
	AgentID  int64  `db:"agent_id"`
	Title    string `db:"title"`
	CorpusID *int64 `db:"corpus_id"`
}

// Open finds the caller's thread with the agent for a question that is about
// to be stored, or makes one when no id is given. A thread without a name gets
// title. The caller has checked that the agent may be used.
func (s *Threads) Open(ctx context.Context, tx *db.Tx, sc authz.Scope, agentID int64, threadID *int64, title, source string) (Opened, error) {
	if threadID == nil {
		id, err := insert(ctx, tx, sc, agentID, title, source)
		return Opened{ID: id, AgentID: agentID, Title: title}, err
	}
	o, err := opened(ctx, tx, sc, *threadID)
	if err != nil {
		return o, err
	}
	if o.AgentID != agentID {
		return o, fail.Conflict("chat thread %d belongs to another agent; leave chat_thread_id out to begin a new thread", *threadID)
	}
	if o.Title == Untitled {
		o.Title = title
	}
	return o, touch(ctx, tx, sc, o.ID, o.Title)
}

// Find is the caller's thread, for what stands in it: 404 when it is unknown
// or another's.
func (s *Threads) Find(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (Opened, error) {
	return opened(ctx, q, sc, id)
}

// Get is one thread of the caller.
func (s *Threads) Get(ctx context.Context, sc authz.Scope, id int64) (Thread, error) {
	r, err := one(ctx, s.db, sc, id)
	if errors.Is(err, db.ErrNone) {
		return Thread{}, notFound(id)
	}
	return r.thread(), err
}

// OfAgent lists the caller's threads with an agent, newest first.
func (s *Threads) OfAgent(ctx context.Context, sc authz.Scope, agentID int64, f Filter) ([]Thread, int, error) {
	if _, err := s.agents.Get(ctx, sc, agentID); err != nil {
		return nil, 0, err
	}
	f.AgentID = agentID
	return s.List(ctx, sc, f)
}

// Update changes what is sent.
func (s *Threads) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Thread, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		o, err := opened(ctx, tx, sc, id)
		if err != nil || p.Title == nil {
			return err
		}
		title, err := cleanTitle(*p.Title)
		if err != nil {
			return err
		}
		if title == "" {
			return fail.InvalidField("title", "title: write at least one character that can be seen")
		}
		return touch(ctx, tx, sc, o.ID, title)
	})
	if err != nil {
		return Thread{}, err
	}
	return s.Get(ctx, sc, id)
}

// Delete takes a thread away with its responses; both stay for the figures.
func (s *Threads) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := opened(ctx, tx, sc, id); err != nil {
			return err
		}
		return remove(ctx, tx, sc, id)
	})
}

// TitleOf makes a thread's name of its first question: one line of at most
// about 60 characters, cut at a word.
func TitleOf(question string) string {
	const most = 60
	s := strings.Join(strings.Fields(strings.ReplaceAll(question, "\x00", "")), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	cut := string([]rune(s)[:most])
	if i := strings.LastIndexByte(string([]rune(s)[:most+1]), ' '); i > most/2 {
		cut = s[:i]
	}
	return strings.TrimRight(cut, " ,;:.-–—") + "…"
}

func cleanTitle(s string) (string, error) {
	if strings.ContainsRune(s, 0) {
		return "", fail.InvalidField("title", "title: the character NUL cannot be stored; take it out")
	}
	return strings.Join(strings.Fields(s), " "), nil
}

func notFound(id int64) error {
	return fail.NotFound("chat thread %d is unknown or not visible to you; check the id", id)
}
