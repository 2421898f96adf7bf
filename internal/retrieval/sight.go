package retrieval

import "context"

// sight is how a search compares its question's vector: with those in its indexes
// (held), or with those that lie elsewhere (afar).
type sight interface {
	// closest are the best candidates by cosine alone, of what is admitted and open.
	closest(ctx context.Context) nearest
	// measure fills in the cosines of candidates that have none yet.
	measure(ctx context.Context, found []candidate) error
}

// nearest are the pieces with the highest cosines, and the mean of all admitted.
type nearest struct {
	pieces []candidate
	mean   float64
	err    error
}

// sight tells how vectors are compared, and whether the question has one at all.
func (s *searcher) sight(q Query) (sight, bool) {
	v, ok := ask(q.Vector)
	switch {
	case !ok:
		return nil, false
	case q.Vectors != nil:
		return &afar{s, q.Vectors, q.Vector}, true
	}
	return &held{s, v}, true
}

// held compares with the vectors in the indexes, all of them.
type held struct {
	*searcher
	asked asked
}

// fixed is what coarse cosines are counted in, so that the sum does not depend
// on their order.
const fixed = 1 << 16

// closest looks at every vector in its upper 8 bits; it stops with the context.
func (s *held) closest(ctx context.Context) nearest {
	out := make(heap, 0, s.candidates)
	v := s.asked
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
			if len(out) == s.candidates && c < out[0].score || !p.open(ord) {
				continue
			}
			out = out.offer(spot{p.pieces[ord], c, int32(i), int32(ord)}, s.candidates)
		}
	}
	pieces := make([]candidate, len(out))
	for i, x := range out {
		pieces[i] = x.candidate()
	}
	return nearest{pieces: pieces, mean: float64(sum) / fixed / float64(max(1, count)) * v.unit}
}

func (s *held) measure(_ context.Context, found []candidate) error {
	for i := range found {
		c := &found[i]
		p := &s.parts[c.part]
		c.vector = p.vec.exactCosine(c.ord, s.asked)
		c.measured = p.vec.dims == len(s.asked.exact) && p.vec.scale[c.ord] != 0
	}
	return nil
}
