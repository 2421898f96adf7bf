package document

import (
	"context"
	"slices"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/retrieval"
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
	Coverage float64          `db:"-"`
	Terms    []retrieval.Term `db:"-"`
}

// Search gives the passages that bear on a question, best first. An agent's
// corpora may be quoted to whoever may ask the agent, so the caller resolves
// CorpusIDs through a scope; what is restricted to viewers is checked here. An
// embedder that fails costs the search its vectors, not its answer.
func (s *Documents) Search(ctx context.Context, sc authz.Scope, f Find) ([]Passage, error) {
	open, err := s.searchable(ctx, sc, f.CorpusIDs)
	if err != nil || len(open) == 0 {
		return []Passage{}, err
	}
	active, err := s.active(ctx, s.DB, sc.Org())
	if err != nil {
		return nil, err
	}
	embedder := s.named(active)
	in := make([]*retrieval.Index, len(open))
	vectors := embedder != nil
	for i, c := range open {
		x, err := s.indexes.at(ctx, sc.Org(), c.ID, c.IndexSeq, active)
		if err != nil {
			return nil, err
		}
		in[i] = x.Index
		vectors = vectors && x.foreign.Load() == 0
	}
	q := retrieval.Query{Text: f.Query, Limit: f.Limit, Allow: f.Allow}
	if vectors {
		if q.Vector, err = embedder.Query(ctx, f.Query); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			s.Log.WarnContext(ctx, "the question could not be embedded; searching by words only", "error", err)
			q.Vector = nil
		}
	}
	hits, err := retrieval.Search(ctx, in, q)
	if err != nil || len(hits) == 0 {
		return []Passage{}, err
	}
	return s.passages(ctx, sc, hits)
}

type searchable struct {
	ID       int64 `db:"id"`
	IndexSeq int64 `db:"index_seq"`
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
	ids := make([]int64, len(hits))
	for i, h := range hits {
		ids[i] = h.PieceID
	}
	marks, args := db.In(padded(ids))
	found, err := db.All[Passage](ctx, s.DB, `SELECT p.id AS piece_id, p.document_id, d.corpus_id, p.version_id, v.number AS version, d.name AS title, v.media_type,
			p.heading, p.page, p.start_at, p.end_at, p.text
		FROM piece p JOIN document d ON d.id = p.document_id JOIN document_version v ON v.id = p.version_id
		WHERE p.org_id = ? AND p.id IN (`+marks+`) AND d.is_deleted = FALSE`, append([]any{sc.Org()}, args...)...)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*Passage, len(found))
	for i := range found {
		byID[found[i].PieceID] = &found[i]
	}
	out := make([]Passage, 0, len(hits))
	for _, h := range hits {
		if p := byID[h.PieceID]; p != nil {
			p.Score, p.Lexical, p.Vector, p.Coverage, p.Terms = h.Score, h.Lexical, h.Vector, h.Coverage, h.Terms
			out = append(out, *p)
		}
	}
	return out, nil
}
