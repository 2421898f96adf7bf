package corpus

import (
	"context"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
)

type searching struct {
	Query          string    `query:"query" required:"true" minLength:"1" maxLength:"2000" doc:"What to look for, in words or as a question."`
	CorpusIDs      []int64   `query:"corpus_ids" maxItems:"100" doc:"Where to look, parted by commas; in all corpora that you may see when not given."`
	DocumentIDs    []int64   `query:"document_ids" maxItems:"100" doc:"Only in these documents, parted by commas."`
	Tags           []string  `query:"tags" maxItems:"20" doc:"Only in documents that have one of these tags, parted by commas."`
	CreatedFrom    time.Time `query:"created_from" doc:"Only in documents added at this time or later."`
	CreatedBefore  time.Time `query:"created_before" doc:"Only in documents added before this time."`
	ModifiedFrom   time.Time `query:"modified_from" doc:"Only in documents changed at this time or later."`
	ModifiedBefore time.Time `query:"modified_before" doc:"Only in documents changed before this time."`
	Mode           string    `query:"mode" enum:"fused,lexical,vector" default:"fused" doc:"What is compared: words, meaning (which needs an embedder), or both. Without an embedder fused is lexical. A reranker orders what fused finds."`
	Exact          bool      `query:"exact" default:"true" doc:"What the query has in quotation marks has to stand so in a passage, but for case, diacritics and punctuation; otherwise these are words like the others."`
	Fold           bool      `query:"fold" default:"true" doc:"Show the best of passages that say almost the same; the others are named with it."`
	Around         int       `query:"around" minimum:"0" maximum:"5000" default:"0" doc:"Code points of the text before and after each passage that are answered with it, at most."`
	Limit          int       `query:"limit" minimum:"1" maximum:"200" default:"10" doc:"Passages to answer."`
}

func (in *searching) find() document.Find {
	return document.Find{
		Query: in.Query, CorpusIDs: in.CorpusIDs, Limit: in.Limit, Side: document.Side(in.Mode), Exact: in.Exact, Fold: in.Fold, Around: in.Around,
		Rerank: in.Mode == string(document.Both),
		Among: document.Among{
			IDs: in.DocumentIDs, Tags: in.Tags, CreatedFrom: in.CreatedFrom, CreatedBefore: in.CreatedBefore,
			ModifiedFrom: in.ModifiedFrom, ModifiedBefore: in.ModifiedBefore,
		},
	}
}

// FoundList is the answer to a search.
type FoundList struct {
	Passages  []Found            `json:"passages" nullable:"false"`
	Reranking document.Reranking `json:"reranking" enum:"none,done,failed" doc:"Whether a reranker ordered the best passages: none when there is none or it was not asked; failed when it failed or took too long, and the order is the one without it."`
}

// Found is a piece of a document that bears on a question, with its score.
type Found struct {
	DocumentID int64    `json:"document_id"`
	CorpusID   int64    `json:"corpus_id"`
	Version    int      `json:"version" doc:"Number of the document's version."`
	Title      string   `json:"title" doc:"The document's name."`
	Heading    string   `json:"heading" doc:"The headings above, outermost first, joined by ' > '."`
	Page       int      `json:"page" doc:"0 when the format has no pages."`
	Start      int      `json:"start" doc:"Where it begins, in code points of the version's text."`
	End        int      `json:"end" doc:"Where it ends, exclusive."`
	Text       string   `json:"text"`
	Score      float64  `json:"score" doc:"What passages are ordered by that no reranker looked at; comparable within one search only."`
	Lexical    float64  `json:"lexical" doc:"By words; 0 when none matched."`
	Vector     float64  `json:"vector" doc:"By meaning, a cosine; 0 without an embedder."`
	Rerank     *float64 `json:"rerank" nullable:"true" doc:"By the reranker, higher is better; passages that have it come first, ordered by it. Null when it did not look at this one."`
	Parts      Parts    `json:"parts"`
	Coverage   float64  `json:"coverage" doc:"The share, 0 to 1, of the question's weight that it holds."`
	Terms      []Term   `json:"terms" nullable:"false" doc:"The question's words as they were compared."`
	Related    []string `json:"related" nullable:"false" doc:"Words of the best passages, and words made like those of the question, that this one has, as they were compared."`
	Before     string   `json:"before" doc:"The text before it, as far as around asks for."`
	After      string   `json:"after" doc:"The text after it, as far as around asks for."`
	Duplicates []Double `json:"duplicates" nullable:"false" doc:"Passages that say almost the same and are not listed themselves, best first."`
}

// Parts are what the score of a passage is the sum of.
type Parts struct {
	Words      float64 `json:"words" doc:"Of lexical: the question's words in the text."`
	Titles     float64 `json:"titles" doc:"Of lexical: what the title and the headings add to that."`
	Neighbours float64 `json:"neighbours" doc:"Of lexical: words that stand in the passages before and after."`
	Near       float64 `json:"near" doc:"Of lexical: words that stand together as in the question."`
	Related    float64 `json:"related" doc:"Of lexical: words that the best passages share, and words made like those of the question."`
	Lexical    float64 `json:"lexical" doc:"Of the score: the share of lexical; 0 when no vectors were compared."`
	Vector     float64 `json:"vector" doc:"Of the score: the share of vector; 0 when no vectors were compared."`
}

// Term is a word of the question and what it did for a passage.
type Term struct {
	Text   string  `json:"text" doc:"Folded and stemmed."`
	Weight float64 `json:"weight" doc:"How rare it is in the corpora searched."`
	Found  bool    `json:"found" doc:"Stands in the text, the title or the headings."`
	Times  int     `json:"times" doc:"How often it stands in the text."`
	Score  float64 `json:"score" doc:"What it adds to lexical, with title, headings and the passages beside."`
}

// Double is a passage that says what another one does.
type Double struct {
	DocumentID int64  `json:"document_id"`
	CorpusID   int64  `json:"corpus_id"`
	Version    int    `json:"version" doc:"Number of the document's version."`
	Title      string `json:"title" doc:"The document's name."`
	Page       int    `json:"page" doc:"0 when the format has no pages."`
	Start      int    `json:"start" doc:"Where it begins, in code points of the version's text."`
	End        int    `json:"end" doc:"Where it ends, exclusive."`
}

// Search finds passages in corpora that the caller sees: those named, or all
// but attachments. An unknown corpus or document is a 404.
func (s *Corpora) Search(ctx context.Context, sc authz.Scope, f document.Find) (FoundList, error) {
	for _, id := range f.CorpusIDs {
		if err := document.MayOn(ctx, s.db, sc, id, authz.View); err != nil {
			return FoundList{}, err
		}
	}
	if err := s.documents.Known(ctx, sc, f.Among.IDs); err != nil {
		return FoundList{}, err
	}
	if len(f.CorpusIDs) == 0 {
		where, args := sc.Among(authz.View, authz.Corpus, "c")
		var err error
		if f.CorpusIDs, err = db.All[int64](ctx, s.db, `SELECT c.id FROM corpus c WHERE c.is_deleted = FALSE AND c.corpus_type = 'document' AND `+where, args...); err != nil {
			return FoundList{}, err
		}
	}
	hits, how, err := s.documents.Search(ctx, sc, f)
	out := FoundList{Passages: make([]Found, len(hits)), Reranking: how}
	for i, h := range hits {
		out.Passages[i] = found(h)
	}
	return out, err
}

func found(h document.Passage) Found {
	p := Found{
		DocumentID: h.DocumentID, CorpusID: h.CorpusID, Version: h.Version, Title: h.Title, Heading: h.Heading, Page: h.Page,
		Start: h.Start, End: h.End, Text: h.Text, Score: h.Score, Lexical: h.Lexical, Vector: h.Vector, Rerank: h.Rerank, Parts: Parts(h.Parts),
		Coverage: h.Coverage, Terms: make([]Term, len(h.Terms)), Related: append([]string{}, h.Related...),
		Before: h.Before, After: h.After, Duplicates: make([]Double, len(h.Doubles)),
	}
	for i, t := range h.Terms {
		p.Terms[i] = Term(t)
	}
	for i, d := range h.Doubles {
		p.Duplicates[i] = Double{d.DocumentID, d.CorpusID, d.Version, d.Title, d.Page, d.Start, d.End}
	}
	return p
}

func (s *Corpora) mountSearch(a *api.API) {
	api.Do(a, api.Op{ID: "searchCorpora", Route: "GET /api/v2/corpora/search", Title: "Search Corpora", Group: "Corpora",
		Doc:   "The passages that an agent would be given for a question, best first, each with the parts of its score.",
		Needs: authz.To(authz.Use, authz.Corpus)},
		func(ctx context.Context, in *searching) (FoundList, error) {
			return s.Search(ctx, authz.From(ctx), in.find())
		})
}
