package corpus

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
)

type searching struct {
	Query     string  `query:"query" required:"true" minLength:"1" maxLength:"2000" doc:"What to look for, in words or as a question."`
	CorpusIDs []int64 `query:"corpus_ids" maxItems:"100" doc:"Where to look, parted by commas; in all corpora that you may see when not given."`
	Limit     int     `query:"limit" minimum:"1" maximum:"200" default:"10" doc:"Passages to answer."`
}

// FoundList is the answer to a search.
type FoundList struct {
	Passages []Found `json:"passages" nullable:"false"`
}

// Found is a piece of a document that bears on a question, with its score.
type Found struct {
	DocumentID int64   `json:"document_id"`
	CorpusID   int64   `json:"corpus_id"`
	Version    int     `json:"version" doc:"Number of the document's version."`
	Title      string  `json:"title" doc:"The document's name."`
	Heading    string  `json:"heading" doc:"The headings above, outermost first, joined by ' > '."`
	Page       int     `json:"page" doc:"0 when the format has no pages."`
	Start      int     `json:"start" doc:"Where it begins, in code points of the version's text."`
	End        int     `json:"end" doc:"Where it ends, exclusive."`
	Text       string  `json:"text"`
	Score      float64 `json:"score" doc:"What passages are ordered by; comparable within one search only."`
	Lexical    float64 `json:"lexical" doc:"Its part by words; 0 when none matched."`
	Vector     float64 `json:"vector" doc:"Its part by meaning, a cosine; 0 without an embedder."`
	Coverage   float64 `json:"coverage" doc:"The share, 0 to 1, of the question's weight that it holds."`
	Terms      []Term  `json:"terms" nullable:"false" doc:"The question's words as they were compared."`
}

// Term is a word of the question and whether a passage has it.
type Term struct {
	Text   string  `json:"text" doc:"Folded and stemmed."`
	Weight float64 `json:"weight" doc:"How rare it is in the corpora searched."`
	Found  bool    `json:"found"`
}

// Search finds passages in corpora that the caller sees: those named, of which
// an unknown one is a 404, or all but attachments.
func (s *Corpora) Search(ctx context.Context, sc authz.Scope, query string, ids []int64, limit int) (FoundList, error) {
	for _, id := range ids {
		if _, err := s.Visible(ctx, s.db, sc, id, authz.View); err != nil {
			return FoundList{}, err
		}
	}
	if len(ids) == 0 {
		where, args := sc.Among(authz.View, authz.Corpus, "c")
		var err error
		if ids, err = db.All[int64](ctx, s.db, `SELECT c.id FROM corpus c WHERE c.is_deleted = FALSE AND c.corpus_type = 'document' AND `+where, args...); err != nil {
			return FoundList{}, err
		}
	}
	hits, err := s.documents.Search(ctx, sc, document.Find{Query: query, CorpusIDs: ids, Limit: limit})
	out := FoundList{Passages: make([]Found, len(hits))}
	for i, h := range hits {
		p := Found{
			DocumentID: h.DocumentID, CorpusID: h.CorpusID, Version: h.Version, Title: h.Title, Heading: h.Heading,
			Start: h.Start, End: h.End, Text: h.Text, Score: h.Score, Lexical: h.Lexical, Vector: h.Vector, Coverage: h.Coverage,
			Terms: make([]Term, len(h.Terms)), Page: h.Page,
		}
		for j, t := range h.Terms {
			p.Terms[j] = Term{t.Text, t.Weight, t.Found}
		}
		out.Passages[i] = p
	}
	return out, err
}

func (s *Corpora) mountSearch(a *api.API) {
	api.Do(a, api.Op{ID: "searchCorpora", Route: "GET /api/v2/corpora/search", Title: "Search Corpora", Group: "Corpora",
		Doc:   "The passages that an agent would be given for a question, best first, each with the parts of its score.",
		Needs: authz.To(authz.Use, authz.Corpus)},
		func(ctx context.Context, in *searching) (FoundList, error) {
			return s.Search(ctx, authz.From(ctx), in.Query, in.CorpusIDs, in.Limit)
		})
}
