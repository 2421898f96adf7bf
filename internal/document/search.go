package document

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/retrieval"
	"atrium/internal/retrieval/analysis"
)

// Find is a search.
type Find struct {
	Query string
	// CorpusIDs are searched; those that are gone, of another organization, or
	// restricted to viewers of whom the caller is none, are left out.
	CorpusIDs []int64
	Limit     int // of passages; 10 when 0
	// Allow narrows to documents; nil allows all.
	Allow func(documentID int64) bool
	Among Among
	Side  Side
	// Exact leaves passages in which what the query has in quotation marks stands
	// so, but for case, diacritics and punctuation.
	Exact  bool
	Fold   bool // show one of passages that say almost the same
	Rerank bool // let the reranker order the best, when there is one
	Around int  // code points of the text before and after each passage, at most
}

// Side is what a search compares.
type Side string

// The sides; Both when nothing is said.
const (
	Both    Side = "fused"
	Words   Side = "lexical"
	Meaning Side = "vector"
)

// Among narrows a search to documents; what is zero does not.
type Among struct {
	IDs            []int64
	Tags           []string // any of them
	CreatedFrom    time.Time
	CreatedBefore  time.Time
	ModifiedFrom   time.Time
	ModifiedBefore time.Time
}

// Passage is a piece of a document that bears on a question.
type Passage struct {
	PieceID    int64  `db:"piece_id"`
	DocumentID int64  `db:"document_id"`
	CorpusID   int64  `db:"corpus_id"`
	VersionID  int64  `db:"version_id"`
	Version    int    `db:"version"`
	Title      string `db:"title"` // the document's name
	MediaType  string `db:"media_type"`
	Heading    string `db:"heading"` // headings joined by " > "
	Page       int    `db:"page"`    // 0 when the format has none
	Start      int    `db:"start_at"`
	End        int    `db:"end_at"` // Start and End are code points of the version's text
	Text       string `db:"text"`

	Score    float64          `db:"-"` // see retrieval.Hit for these
	Lexical  float64          `db:"-"`
	Vector   float64          `db:"-"`
	Parts    retrieval.Parts  `db:"-"`
	Coverage float64          `db:"-"`
	Terms    []retrieval.Term `db:"-"`
	Related  []string         `db:"-"`
	Rerank   *float64         `db:"-"` // the reranker's score; nil when it did not look at the passage

	Before  string    `db:"-"` // as Find.Around asks
	After   string    `db:"-"`
	Doubles []Passage `db:"-"` // what Find.Fold left out for this one
}

// Search gives the passages that bear on a question, best first. An agent's
// corpora may be quoted to whoever may ask the agent, so the caller resolves
// CorpusIDs through a scope; what is restricted to viewers is checked here. An
// embedder that fails costs the search its vectors, not its answer, and a
// reranker its order.
func (s *Documents) Search(ctx context.Context, sc authz.Scope, f Find) ([]Passage, Reranking, error) {
	if f.Limit <= 0 {
		f.Limit = 10
	}
	f.Rerank = f.Rerank && s.Rerank != nil
	how := NotReranked
	hits, phrases, err := s.hits(ctx, sc, f)
	if err != nil || len(hits) == 0 {
		return []Passage{}, how, err
	}
	var scores map[int64]float64
	if f.Rerank {
		if scores, how, err = s.rerank(ctx, sc, f, phrases, hits); err != nil {
			return nil, how, err
		}
		if len(phrases) == 0 {
			hits = hits[:min(len(hits), f.Limit)]
		}
	}
	// What a reranker was given may have been covered or deleted since.
	out, err := s.passages(ctx, sc, hits)
	if err != nil {
		return nil, how, err
	}
	if len(phrases) > 0 {
		out = verbatim(out, phrases, f.Limit)
	}
	for i := range out {
		if v, ok := scores[out[i].PieceID]; ok {
			out[i].Rerank = &v
		}
	}
	if f.Around > 0 {
		err = s.surround(ctx, sc, out, f.Around)
	}
	return out, how, err
}

// hits are what the indexes find: as many as are asked for, and as a reranker and
// exact phrases want to choose among. The phrases are those that have to stand so.
func (s *Documents) hits(ctx context.Context, sc authz.Scope, f Find) (found []retrieval.Hit, phrases []string, err error) {
	open, err := s.searchable(ctx, sc, f.CorpusIDs)
	if err != nil || len(open) == 0 {
		return nil, nil, err
	}
	active, err := s.active(ctx, s.DB, sc.Org())
	if err != nil {
		return nil, nil, err
	}
	embedder := s.named(active)
	in := make([]*retrieval.Index, len(open))
	vectors := embedder != nil
	for i, c := range open {
		x, err := s.indexes.at(ctx, sc.Org(), c.ID, c.IndexSeq, active)
		if err != nil {
			return nil, nil, err
		}
		in[i] = x.Index
		vectors = vectors && x.foreign.Load() == 0
	}
	q := retrieval.Query{Text: f.Query, Limit: f.Limit, Fold: f.Fold}
	if f.Rerank {
		q.Limit = max(f.Limit, rerankBest)
	}
	if q.Allow, err = s.allowed(ctx, sc, open, f); err != nil {
		return nil, nil, err
	}
	if vectors && f.Side != Words && s.Vectors != nil {
		if q.Vectors, err = s.vectorsOf(ctx, sc.Org(), open, active); err != nil {
			return nil, nil, err
		}
		vectors = q.Vectors != nil
	}
	if vectors && f.Side != Words {
		if q.Vector, err = embedder.Query(ctx, f.Query); err != nil {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			s.Log.WarnContext(ctx, "the question could not be embedded; searching by words only", "error", err)
			q.Vector = nil
		}
	}
	if f.Side == Meaning {
		if q.Vector == nil {
			return nil, nil, fail.Conflict("searching by meaning needs an embedder that answers and all documents embedded by it; search by words, or look at the embedder")
		}
		q.Text = ""
	}
	if f.Exact {
		if q.Phrases = analysis.Phrases(f.Query); len(q.Phrases) > 0 {
			q.Limit = min(retrieval.MaxLimit, spare*max(q.Limit, 10)) // some hold other forms only
		}
	}
	found, err = retrieval.Search(ctx, in, q)
	return found, q.Phrases, err
}

// spare is how many times what is asked for is looked at for exact phrases.
const spare = 4

// verbatim leaves passages that hold the phrases as they were written.
func verbatim(in []Passage, phrases []string, limit int) []Passage {
	want := make([]string, len(phrases))
	for i, p := range phrases {
		want[i] = analysis.Same(p)
	}
	holds := func(p *Passage) bool {
		fields := [3]string{analysis.Same(p.Text), analysis.Same(p.Heading), analysis.Same(p.Title)}
		return !slices.ContainsFunc(want, func(w string) bool {
			return !slices.ContainsFunc(fields[:], func(f string) bool { return strings.Contains(f, w) })
		})
	}
	out := make([]Passage, 0, len(in))
	for _, p := range in {
		p.Doubles = slices.DeleteFunc(p.Doubles, func(d Passage) bool { return !holds(&d) })
		if len(out) < limit && holds(&p) {
			out = append(out, p)
		}
	}
	return out
}

// surround gives each passage the text around it in its version.
func (s *Documents) surround(ctx context.Context, sc authz.Scope, ps []Passage, points int) error {
	for i := range ps {
		p := &ps[i]
		t, err := s.text(ctx, sc.Org(), p.VersionID)
		if err != nil {
			return err
		}
		from := t.byteAt(0, 0, p.Start)
		p.Before, p.After = tail(t.text[:from], points), head(t.text[t.byteAt(from, p.Start, p.End):], points)
	}
	return nil
}

// allowed joins what the search is narrowed by; nil when by nothing.
func (s *Documents) allowed(ctx context.Context, sc authz.Scope, open []searchable, f Find) (func(int64) bool, error) {
	where, args := f.Among.where()
	if where == "" {
		return f.Allow, nil
	}
	ids := make([]int64, len(open))
	for i, c := range open {
		ids[i] = c.ID
	}
	marks, in := db.In(padded(ids))
	found, err := db.All[int64](ctx, s.DB, `SELECT d.id FROM document d WHERE d.org_id = ? AND d.corpus_id IN (`+marks+`) AND d.is_deleted = FALSE`+where,
		slices.Concat([]any{sc.Org()}, in, args)...)
	if err != nil {
		return nil, err
	}
	among := make(map[int64]bool, len(found))
	for _, id := range found {
		among[id] = true
	}
	return func(id int64) bool { return among[id] && (f.Allow == nil || f.Allow(id)) }, nil
}

// where is the condition on a document d, beginning with AND; empty for none.
func (a Among) where() (string, []any) {
	var b strings.Builder
	var args []any
	if len(a.IDs) > 0 {
		marks, ids := db.In(padded(a.IDs))
		b.WriteString(` AND d.id IN (` + marks + `)`)
		args = append(args, ids...)
	}
	if len(a.Tags) > 0 {
		b.WriteString(` AND (`)
		for i, t := range a.Tags {
			if i > 0 {
				b.WriteString(` OR `)
			}
			b.WriteString(`d.tags LIKE ? ESCAPE '\'`)
			args = append(args, db.Like(quoted(t)))
		}
		b.WriteString(`)`)
	}
	for _, x := range []struct {
		condition string
		at        time.Time
	}{{`d.created_on >= ?`, a.CreatedFrom}, {`d.created_on < ?`, a.CreatedBefore}, {`d.modified_on >= ?`, a.ModifiedFrom}, {`d.modified_on < ?`, a.ModifiedBefore}} {
		if !x.at.IsZero() {
			b.WriteString(` AND ` + x.condition)
			args = append(args, x.at)
		}
	}
	return b.String(), args
}

// quoted is a tag as it stands in the stored list.
func quoted(tag string) string {
	b, err := json.Marshal(tag)
	if err != nil {
		return tag
	}
	return string(b)
}

type searchable struct {
	ID       int64 `db:"id"`
	IndexSeq int64 `db:"index_seq"`
}

// Known answers the error of the first document that the caller does not see.
func (s *Documents) Known(ctx context.Context, sc authz.Scope, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	view, args := sc.Where(authz.View, authz.Document, "d")
	marks, in := db.In(padded(ids))
	seen, err := db.All[int64](ctx, s.DB, `SELECT d.id FROM document d WHERE d.id IN (`+marks+`) AND d.is_deleted = FALSE AND `+view, append(in, args...)...)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(seen, id) {
			return unknown(id)
		}
	}
	return nil
}

// searchable narrows corpora to those that may be quoted to the caller.
func (s *Documents) searchable(ctx context.Context, sc authz.Scope, ids []int64) ([]searchable, error) {
	if len(ids) == 0 || sc.Org() == 0 {
		return nil, nil
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	use, args := sc.Where(authz.Use, authz.Corpus, "c")
	marks, idArgs := db.In(padded(ids))
	return db.All[searchable](ctx, s.DB, `SELECT c.id, c.index_seq FROM corpus c
		WHERE c.org_id = ? AND c.id IN (`+marks+`) AND c.is_deleted = FALSE AND (c.restrict_to_viewers = FALSE OR `+use+`) ORDER BY c.id`,
		slices.Concat([]any{sc.Org()}, idArgs, args)...)
}

// padded repeats the last element up to a power of two, so that few statements
// are prepared for many lengths.
func padded[T any](xs []T) []T {
	n := 1
	for n < len(xs) {
		n *= 2
	}
	out := slices.Grow(slices.Clone(xs), n-len(xs))
	for len(out) < n {
		out = append(out, xs[len(xs)-1])
	}
	return out
}

// passages reads what the hits stand for. A document deleted since then is left out.
func (s *Documents) passages(ctx context.Context, sc authz.Scope, hits []retrieval.Hit) ([]Passage, error) {
	ids := make([]int64, 0, len(hits))
	for _, h := range hits {
		ids = append(append(ids, h.PieceID), h.Doubles...)
	}
	byID := make(map[int64]Passage, len(ids))
	for part := range slices.Chunk(ids, 512) {
		marks, args := db.In(padded(part))
		found, err := db.All[Passage](ctx, s.DB, `SELECT p.id AS piece_id, p.document_id, d.corpus_id, p.version_id, v.number AS version, d.name AS title, v.media_type,
				p.heading, p.page, p.start_at, p.end_at, p.text
			FROM piece p JOIN document d ON d.id = p.document_id JOIN document_version v ON v.id = p.version_id
			WHERE p.org_id = ? AND p.id IN (`+marks+`) AND d.is_deleted = FALSE`, append([]any{sc.Org()}, args...)...)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			byID[p.PieceID] = p
		}
	}
	out := make([]Passage, 0, len(hits))
	for _, h := range hits {
		p, ok := byID[h.PieceID]
		if !ok {
			continue
		}
		p.Score, p.Lexical, p.Vector, p.Parts = h.Score, h.Lexical, h.Vector, h.Parts
		p.Coverage, p.Terms, p.Related = h.Coverage, h.Terms, h.Related
		for _, id := range h.Doubles {
			if d, ok := byID[id]; ok {
				p.Doubles = append(p.Doubles, d)
			}
		}
		out = append(out, p)
	}
	return out, nil
}
