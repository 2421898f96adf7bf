package retrieval

import (
	"context"
	"math"
)

// fuse mixes the cosine into the scores of the best of either side, as a convex
// combination of two figures that mean something by themselves. A lexical score
// is measured by the best one there is and by what a piece would have that says
// the whole question (by the geometric mean of the two, so that a best piece
// with half of the question is no perfect one). A cosine is measured by how far
// it is from that of an average piece, of 0, to that of the same text, of 1;
// so embedders whose cosines are all high need no other weight. Neither depends
// on which other pieces are candidates, and both are exact for each of them: a
// piece is not punished for having been found by one side only.
func (s *searcher) fuse(ctx context.Context, found []candidate, eyes sight, by nearest) ([]candidate, error) {
	if by.err != nil || len(by.pieces) == 0 {
		return found, by.err
	}
	s.fused = true
	mean := by.mean
	type place struct{ part, ord int }
	known := make(map[place]int, len(found))
	for i, c := range found {
		known[place{c.part, c.ord}] = i
	}
	for _, c := range by.pieces {
		if i, ok := known[place{c.part, c.ord}]; ok {
			found[i].vector, found[i].measured = c.vector, c.measured
			continue
		}
		p := &s.parts[c.part]
		c.lexical = float64(p.scores[c.ord] + p.fed[c.ord])
		found = append(found, c)
	}
	if err := eyes.measure(ctx, found); err != nil {
		return nil, err
	}
	best := 0.0
	for _, c := range found {
		best = max(best, c.lexical)
	}
	most := math.Sqrt(best * s.whole())
	for i := range found {
		c := &found[i]
		c.words, c.meaning = 0, 0
		if most > 0 {
			c.words = (1 - s.vector) * c.lexical / most
		}
		if mean < 1 && c.measured {
			c.meaning = s.vector * (c.vector - mean) / (1 - mean)
		}
		c.score = c.words + c.meaning
	}
	return found, nil
}

// whole is what a piece would have that says the question again and again.
func (s *searcher) whole() float64 {
	sum := 0.0
	for _, t := range s.terms {
		sum += t.idf * t.weight * float64(s.k1+1)
	}
	return sum
}
