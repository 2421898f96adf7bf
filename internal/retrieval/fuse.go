package retrieval

import "context"

// fuse mixes the cosine into the scores of the best of either side. Both parts
// are exact for every candidate, and each is scaled to 0..1 over them, so a
// piece is not punished for having been found by one side only.
func (s *searcher) fuse(ctx context.Context, found []candidate, v asked) ([]candidate, error) {
	coarse := make(heap, 0, s.candidates)
	for i := range s.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := &s.parts[i]
		if p.vec.dims != len(v.exact) {
			continue
		}
		for ord := range p.pieces {
			if p.vec.scale[ord] == 0 || !p.open(ord) || !p.whole() && !p.admitted(int(p.doc[ord])) {
				continue
			}
			c := p.vec.coarseCosine(ord, v)
			if len(coarse) == s.candidates && float64(c) < coarse[0].score {
				continue
			}
			coarse = coarse.offer(candidate{part: i, ord: ord, id: p.pieces[ord], score: float64(c)}, s.candidates)
		}
	}
	type place struct{ part, ord int }
	known := make(map[place]bool, len(found))
	for _, c := range found {
		known[place{c.part, c.ord}] = true
	}
	for _, c := range coarse {
		if !known[place{c.part, c.ord}] {
			p := &s.parts[c.part]
			c.lexical = float64(p.scores[c.ord] + p.fed[c.ord])
			found = append(found, c)
		}
	}
	if len(coarse) == 0 {
		return found, nil
	}
	top, low, high := 0.0, 1.0, -1.0
	for i := range found {
		c := &found[i]
		c.vector = s.parts[c.part].vec.exactCosine(c.ord, v)
		top = max(top, c.lexical)
		low, high = min(low, c.vector), max(high, c.vector)
	}
	s.lexical = scaling{width: top, weight: 1 - s.vector}
	s.semantic = scaling{low: low, width: high - low, weight: s.vector}
	for i := range found {
		c := &found[i]
		c.score = s.lexical.of(c.lexical) + s.semantic.of(c.vector)
	}
	return found, nil
}

// scaling brings one side's scores to those of the fusion.
type scaling struct{ low, width, weight float64 }

func (x scaling) of(v float64) float64 {
	if x.width <= 0 {
		return 0
	}
	return x.weight * (v - x.low) / x.width
}
