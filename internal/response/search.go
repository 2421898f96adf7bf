package response

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/llm"
)

// shelf is a corpus that an answer may quote.
type shelf struct {
	ID       int64  `db:"id"`
	Name     string `db:"name"`
	IndexSeq int64  `db:"index_seq"`
}

// shelves are the corpora that an answer to the caller may quote: the agent's,
// unless one is restricted to viewers of whom the caller is none, and the
// thread's attachments while the caller may see them; all cut to the limit of
// the question.
func (s *Responses) shelves(ctx context.Context, sc authz.Scope, agentID int64, attached *int64, q request) ([]shelf, error) {
	ids, err := s.Agents.CorpusIDs(ctx, sc, agentID)
	if err != nil {
		return nil, err
	}
	own := int64(0)
	if attached != nil {
		own = *attached
	}
	marks, in := db.In(ids)
	view, viewArgs := sc.Where(authz.Use, authz.Corpus, "c")
	found, err := db.All[shelf](ctx, s.DB, `SELECT c.id, c.name, c.index_seq FROM corpus c WHERE c.org_id = ? AND c.is_deleted = FALSE AND
		(c.id IN (`+marks+`) AND c.restrict_to_viewers = FALSE OR (c.id IN (`+marks+`) OR c.id = ?) AND `+view+`) ORDER BY c.id`,
		slices.Concat([]any{sc.Org()}, in, in, []any{own}, viewArgs)...)
	if err != nil || !q.Limited {
		return found, err
	}
	return slices.DeleteFunc(found, func(x shelf) bool { return !slices.Contains(q.CorpusIDs, x.ID) }), nil
}

func idsOf(in []shelf) []int64 {
	out := make([]int64, len(in))
	for i, x := range in {
		out[i] = x.ID
	}
	return out
}

func namesOf(in []shelf) []string {
	out := make([]string, len(in))
	for i, x := range in {
		out[i] = x.Name
	}
	return out
}

// empty tells whether no document of the shelves has been read yet.
func (s *Responses) empty(ctx context.Context, in []shelf) (bool, error) {
	marks, args := db.In(idsOf(in))
	_, err := db.One[int64](ctx, s.DB, `SELECT id FROM document WHERE corpus_id IN (`+marks+`) AND is_deleted = FALSE AND version > 0 LIMIT 1`, args...)
	if errors.Is(err, db.ErrNone) {
		return true, nil
	}
	return false, err
}

// offlinePassages are enough for the offline answerer, which quotes one or two sentences.
const offlinePassages = 8

// search finds passages for a query, which are new to the run and fit the
// prompt, and numbers them behind those there are.
func (r *run) search(ctx context.Context, query string) ([]Passage, error) {
	limit := r.agent.ChunkCount
	if r.offline() {
		limit = min(limit, offlinePassages)
	}
	found, _, err := r.s.Documents.Search(ctx, r.sc, document.Find{Query: query, CorpusIDs: idsOf(r.shelves), Limit: limit, Fold: true, Rerank: true})
	if err != nil {
		return nil, err
	}
	var out []Passage
	for _, f := range found {
		if slices.ContainsFunc(r.passages, func(p Passage) bool { return p.PieceID == f.PieceID }) {
			continue
		}
		tokens := llm.EstimateTokens(f.Text) + llm.EstimateTokens(f.Title) + llm.EstimateTokens(f.Heading)
		if r.room < tokens && len(r.passages)+len(out) > 0 {
			break
		}
		r.room -= tokens
		out = append(out, passageOf(len(r.passages)+len(out)+1, f))
	}
	r.passages = append(r.passages, out...)
	return out, nil
}

func passageOf(number int, f document.Passage) Passage {
	p := Passage{
		Number: number, PieceID: f.PieceID, DocumentID: f.DocumentID, CorpusID: f.CorpusID, VersionID: f.VersionID, Version: f.Version, MediaType: f.MediaType,
		Title: f.Title, Heading: f.Heading, Start: f.Start, End: f.End, Text: f.Text, Score: f.Score, Lexical: f.Lexical, Vector: f.Vector, Rerank: f.Rerank,
	}
	if f.Page > 0 {
		p.Page = &f.Page
	}
	for _, t := range f.Terms {
		p.Terms = append(p.Terms, Term{t.Text, t.Weight, t.Found})
	}
	return p
}

// given are the passages as a provider gets them.
func given(ps []Passage) []llm.Passage {
	out := make([]llm.Passage, len(ps))
	for i, p := range ps {
		out[i] = llm.Passage{Number: p.Number, Title: p.Title, Heading: p.Heading, Text: p.Text}
		if p.Page != nil {
			out[i].Page = *p.Page
		}
		for _, t := range p.Terms {
			out[i].Evidence = append(out[i].Evidence, llm.Evidence{Term: t.Text, Weight: t.Weight, Found: t.Found})
		}
	}
	return out
}

// searchTool lets a model look for more.
var searchTool = llm.Tool{
	Name:        "search_knowledge",
	Description: "Searches the organization's documents. Use it when the passages given do not answer the question. What it finds is added to the numbered passages.",
	Schema:      json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","description":"What to look for, in a few words."}},"required":["query"],"additionalProperties":false}`),
}

// use runs a tool that the model asked for and answers what the model is told.
// The tool reaches what the asker may read and nothing else, whatever the
// arguments say.
func (r *run) use(ctx context.Context, c llm.ToolCall) (string, error) {
	var in struct {
		Query string `json:"query"`
	}
	if c.Name != searchTool.Name {
		return "There is no such tool.", nil
	}
	if err := json.Unmarshal(c.Arguments, &in); err != nil || strings.TrimSpace(in.Query) == "" {
		return `The arguments have to be {"query": "what to look for"}.`, nil //nolint:nilerr // it is the model that has to know
	}
	query := oneLine(in.Query)
	if rs := []rune(query); len(rs) > longestQuery {
		query = string(rs[:longestQuery])
	}
	key := strings.ToLower(query)
	if r.asked[key] {
		r.repeats = true
		return "This was looked for already. Answer from the passages there are.", nil
	}
	r.asked[key] = true
	done := r.step("tool", "tool_start", "Searching for “"+query+"”")
	r.journal.add(tools(searchTool.Name + ": " + query + "\n"))
	found, err := r.search(ctx, query)
	if err != nil {
		return "", err
	}
	done(fmt.Sprintf("%d more passages", len(found)), llm.Usage{})
	if len(found) == 0 {
		return "Nothing more was found.", nil
	}
	return fmt.Sprintf("Added the passages [%d] to [%d].", found[0].Number, found[len(found)-1].Number), nil
}

// cacheKey names everything that an answer depends on: the question in its
// conversation, the version of the agent, who answers, and the corpora that the
// asker reaches with their versions. It crosses no scope, because whoever
// reaches other corpora has another key.
func cacheKey(a agent.Settings, model, query string, turns []Turn, shelves []shelf) string {
	h := sha256.New()
	err := json.NewEncoder(h).Encode([]any{1, a, model, strings.ToLower(oneLine(query)), turns, shelves})
	if err != nil {
		panic("response: cannot encode a cache key: " + err.Error()) // plain structs
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// cached is an answer that was given before.
type cached struct {
	Answer     string      `db:"answer"`
	References []Reference `db:"reference_list,json"`
	Followups  []string    `db:"followup_questions,json"`
	Passages   []Passage   `db:"passages,json"`
	Mode       string      `db:"agent_mode"`
	Model      string      `db:"model"`
}

// lookUp finds the newest answer with a key; db.ErrNone when there is none.
func lookUp(ctx context.Context, q db.Querier, r row, key string) (cached, error) {
	return db.One[cached](ctx, q, `SELECT answer, reference_list, followup_questions, passages, agent_mode, model FROM agent_response
		WHERE agent_id = ? AND org_id = ? AND cache_key = ? AND state = 'completed' AND is_deleted = FALSE AND is_cleared = FALSE ORDER BY id DESC LIMIT 1`,
		r.AgentID, r.OrgID, key)
}
