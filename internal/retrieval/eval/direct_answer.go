package eval

import (
	"context"

	"atrium/internal/llm"
	"atrium/internal/llm/offline"
	"atrium/internal/retrieval"
)

// passages is how many pieces an answer is looked for in.
const passages = 8

// Answer finds passages and lets the offline answerer answer from them.
func (d *Direct) Answer(ctx context.Context, question string) (Answered, error) {
	hits, err := retrieval.Search(ctx, []*retrieval.Index{d.Index}, retrieval.Query{Text: question, Limit: passages})
	if err != nil {
		return Answered{}, err
	}
	given := make([]llm.Passage, len(hits))
	for i, h := range hits {
		p := d.pieces[h.PieceID-1]
		given[i] = llm.Passage{Number: i + 1, Title: d.docs[p.doc].Title, Text: p.text, Evidence: make([]llm.Evidence, len(h.Terms))}
		for j, t := range h.Terms {
			given[i].Evidence[j] = llm.Evidence{Term: t.Text, Weight: t.Weight, Found: t.Found}
		}
	}
	a := offline.Answer(question, given)
	out := Answered{Declined: a.Declined}
	for _, s := range a.Sentences {
		h := hits[s.Number-1]
		out.Citations = append(out.Citations, Citation{d.docs[h.DocumentID-1].ID, s.Text})
	}
	return out, nil
}
