package eval

import (
	"context"

	"atrium/internal/extract"
	"atrium/internal/retrieval"
	"atrium/internal/split"
)

// Direct is package retrieval itself with package split before it: what the
// product ranks by, without its store and doors.
type Direct struct {
	Mode  split.Mode
	Index *retrieval.Index
	docs  []Doc
	// pieces[id-1] is the piece with that id
	pieces []directPiece
}

type directPiece struct {
	doc  int
	text string
}

// NewDirect makes an empty engine that cuts documents in the given mode.
func NewDirect(mode split.Mode) *Direct {
	return &Direct{Mode: mode, Index: retrieval.NewIndex()}
}

// Ingest splits, encodes and indexes the documents.
func (d *Direct) Ingest(ctx context.Context, docs []Doc) error {
	for _, doc := range docs {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, cut := split.Pieces(extract.Document{Title: doc.Title, Blocks: []extract.Block{{Kind: extract.Paragraph, Text: doc.Text}}}, d.Mode)
		if len(cut) == 0 { // a title alone can be found too
			cut = []split.Piece{{}}
		}
		pieces := make([]retrieval.Piece, len(cut))
		for i, p := range cut {
			d.pieces = append(d.pieces, directPiece{len(d.docs), p.Text})
			pieces[i] = retrieval.Piece{ID: int64(len(d.pieces)), Text: p.Text}
		}
		d.docs = append(d.docs, doc)
		if err := d.Index.Put(int64(len(d.docs)), retrieval.Encode(doc.Title, pieces)); err != nil {
			return err
		}
	}
	return nil
}

// Search gives the documents of the best pieces.
func (d *Direct) Search(ctx context.Context, question string, k int) ([]string, error) {
	hits, err := retrieval.Search(ctx, []*retrieval.Index{d.Index}, retrieval.Query{Text: question, Limit: 2 * k})
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, k)
	seen := map[int64]bool{}
	for _, h := range hits {
		if !seen[h.DocumentID] && len(out) < k {
			seen[h.DocumentID] = true
			out = append(out, d.docs[h.DocumentID-1].ID)
		}
	}
	return out, nil
}
