package retrieval

import (
	"cmp"
	"context"
	"slices"
)

// Vectors are those of the pieces in a search's indexes, where they lie elsewhere:
// in a database that compares them. They are of the organization, corpora and
// embedder of that search and of no other.
type Vectors interface {
	// Nearest gives the pieces with the highest cosines.
	Nearest(ctx context.Context, q Nearby) (Near, error)
	// Cosines gives those of pieces, by id; a piece without a vector of as many
	// dimensions is left out.
	Cosines(ctx context.Context, vector []float32, pieces []int64) (map[int64]float64, error)
}

// Nearby asks for the pieces nearest to a vector.
type Nearby struct {
	Vector []float32 // has a direction, of any length
	N      int       // how many
	// Documents are those to look among; nil: all.
	Documents []int64
	// Pieces are those to look among, of the documents; nil: all.
	Pieces []int64
	// Admitted is how many pieces Documents have, nearly.
	Admitted int
}

// Near is what is nearest to a vector.
type Near struct {
	Pieces []NearPiece // best first, ties by piece id
	// Mean is the cosine of the average piece of the documents; where many are left
	// out it may be that of their corpora.
	Mean float64
}

// NearPiece is a piece with its cosine.
type NearPiece struct {
	PieceID    int64
	DocumentID int64
	Cosine     float64
}

// afar compares with vectors that lie elsewhere. What was stored there a moment
// before or after the indexes were brought up to date is left out.
type afar struct {
	*searcher
	vectors Vectors
	vector  []float32
}

func (s *afar) closest(ctx context.Context) nearest {
	q := Nearby{Vector: s.vector, N: s.candidates, Admitted: s.pieces}
	if s.picked {
		q.Documents = s.admitted()
	}
	if len(s.parts) > 0 && s.parts[0].only != nil {
		q.Pieces = s.openPieces()
	}
	near, err := s.vectors.Nearest(ctx, q)
	if err != nil {
		return nearest{err: err}
	}
	out := nearest{pieces: make([]candidate, 0, len(near.Pieces)), mean: near.Mean}
	for _, n := range near.Pieces {
		if part, ord, ok := s.find(n.DocumentID, n.PieceID); ok {
			out.pieces = append(out.pieces, candidate{part: part, ord: ord, id: n.PieceID, score: n.Cosine, vector: n.Cosine, measured: true})
		}
	}
	return out
}

func (s *afar) measure(ctx context.Context, found []candidate) error {
	var ids []int64
	for _, c := range found {
		if !c.measured {
			ids = append(ids, c.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	cosines, err := s.vectors.Cosines(ctx, s.vector, ids)
	if err != nil {
		return err
	}
	for i := range found {
		if v, ok := cosines[found[i].id]; ok && !found[i].measured {
			found[i].vector, found[i].measured = v, true
		}
	}
	return nil
}

// admitted are the documents that the search may find.
func (s *searcher) admitted() []int64 {
	out := []int64{}
	for i := range s.parts {
		p := &s.parts[i]
		for d, id := range p.docs {
			if p.admitted(d) {
				out = append(out, id)
			}
		}
	}
	return out
}

// openPieces are those that hold the phrases of the question.
func (s *searcher) openPieces() []int64 {
	out := []int64{}
	for i := range s.parts {
		p := &s.parts[i]
		for ord, id := range p.pieces {
			if p.open(ord) {
				out = append(out, id)
			}
		}
	}
	return out
}

// find tells where an admitted piece that may be found stands.
func (s *searcher) find(documentID, pieceID int64) (part, ord int, ok bool) {
	for i := range s.parts {
		p := &s.parts[i]
		d, ok := p.find(documentID)
		if !ok || !p.admitted(d) {
			continue
		}
		from := int(p.starts[d])
		if at := slices.Index(p.pieces[from:p.starts[d+1]], pieceID); at >= 0 {
			return i, from + at, p.open(from + at)
		}
	}
	return 0, 0, false
}

// find is the index of a document in a segment, which has it once at most.
func (s *segment) find(documentID int64) (int, bool) {
	s.ordering.Do(func() {
		s.ordered = make([]uint16, len(s.docs))
		for i := range s.ordered {
			s.ordered[i] = uint16(i)
		}
		slices.SortFunc(s.ordered, func(a, b uint16) int { return cmp.Compare(s.docs[a], s.docs[b]) })
	})
	at, ok := slices.BinarySearchFunc(s.ordered, documentID, func(d uint16, id int64) int { return cmp.Compare(s.docs[d], id) })
	if !ok {
		return 0, false
	}
	return int(s.ordered[at]), true
}
