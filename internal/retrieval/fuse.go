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
func (s *searcher) fuse(found []candidate, v asked, by nearest) []candidate {
	if len(by.pieces) == 0 {
		return found
	}
	s.fused = true
	mean := by.mean
	type place struct{ part, ord int }
	known := make(map[place]bool, len(found))
	for _, c := range found {
		known[place{c.part, c.ord}] = true
	}
	for _, c := range by.pieces {
		if !known[place{c.part, c.ord}] {
			p := &s.parts[c.part]
			c.lexical = float64(p.scores[c.ord] + p.fed[c.ord])
			found = append(found, c)
		}
	}
	best := 0.0
	for _, c := range found {
		best = max(best, c.lexical)
	}
	most := math.Sqrt(best * s.whole())
	for i := range found {
		c := &found[i]
		p := &s.parts[c.part]
		c.vector = p.vec.exactCosine(c.ord, v)
		c.words, c.meaning = 0, 0
		if most > 0 {
			c.words = (1 - s.vector) * c.lexical / most
		}
		if mean < 1 && p.vec.dims == len(v.exact) && p.vec.scale[c.ord] != 0 {
			c.meaning = s.vector * (c.vector - mean) / (1 - mean)
		}
		c.score = c.words + c.meaning
	}
	return found
}

// whole is what a piece would have that says the question again and again.
func (s *searcher) whole() float64 {
	sum := 0.0
	for _, t := range s.terms {
		sum += t.idf * t.weight * float64(s.k1+1)
	}
	return sum
}

// fixed is what coarse cosines are counted in, so that the sum does not depend
// on their order.
const fixed = 1 << 16

// nearest are the pieces with the highest coarse cosines, and the mean of all.
type nearest struct {
	pieces heap
	mean   float64
}

// closest looks at every vector; it stops with the context.
func (s *searcher) closest(ctx context.Context, v asked) nearest {
	out := make(heap, 0, s.candidates)
	var sum, count int64
	for i := range s.parts {
		if ctx.Err() != nil {
			break
		}
		p := &s.parts[i]
		if p.vec.dims != len(v.exact) {
			continue
		}
		for ord := range p.pieces {
			if p.vec.scale[ord] == 0 || !p.whole() && !p.admitted(int(p.doc[ord])) {
				continue
			}
			c := p.vec.coarseCosine(ord, v)
			sum += int64(c * fixed)
			count++
			if len(out) == s.candidates && float64(c) < out[0].score || !p.open(ord) {
				continue
			}
			out = out.offer(candidate{part: i, ord: ord, id: p.pieces[ord], score: float64(c)}, s.candidates)
		}
	}
	return nearest{out, float64(sum) / fixed / float64(max(1, count)) * v.unit}
}
