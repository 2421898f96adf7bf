package retrieval

import "math"

// window is how many words apart two words still stand together.
const window = 8

// nearness adds to candidates for words of the question that stand together in
// the piece: neighbours in the question side by side, or within the window.
func (s *searcher) nearness(found []candidate) {
	pairs := s.pairs()
	if s.near == 0 || len(pairs) == 0 {
		return
	}
	finders := make([]finder, len(s.snaps))
	for i := range finders {
		finders[i] = s.finder(i)
	}
	var seq []uint32
	at := make([][]int, len(s.terms))
	for i := range found {
		c := &found[i]
		p := &s.parts[c.part]
		seq = p.texts.at(c.ord, seq[:0])
		for j := range at {
			at[j] = at[j][:0]
		}
		f := &finders[p.index]
		for pos, n := range seq {
			if f.mask[n>>6&3]&(1<<(n&63)) == 0 {
				continue
			}
			if j, ok := f.term[n]; ok {
				at[j] = append(at[j], pos)
			}
		}
		norm := float64(s.norm[p.length[c.ord]])
		for _, pr := range pairs {
			tf := together(at[pr[0]], at[pr[1]])
			if tf == 0 {
				continue
			}
			idf := (s.terms[pr[0]].idf + s.terms[pr[1]].idf) / 2
			c.near += s.near * idf * tf * float64(s.k1+1) / (tf + norm)
		}
		c.lexical += c.near
		c.score = c.lexical
	}
}

// leastSaid is how many words a question has to have to be recognized in a heading.
const leastSaid = 3

// saying adds to the pieces whose heading or title says the question, word for word and
// common words too: what stands below it is meant as its answer. Those that were not
// found by its rare words alone are found so.
func (s *searcher) saying(found []candidate) []candidate {
	if s.said == 0 || len(s.words) < leastSaid || len(s.words) > maxQueryTerms {
		return found
	}
	words := make([]queryTerm, len(s.words))
	for i, w := range s.words {
		words[i] = s.resolve(w, 0)
		if words[i].df == 0 {
			return found
		}
	}
	type place struct{ part, ord int }
	var at map[place]int
	more := s.said * s.whole()
	s.runs(words, false, func(part, ord int) {
		if at == nil {
			at = make(map[place]int, len(found))
			for j, c := range found {
				at[place{c.part, c.ord}] = j
			}
		}
		j, known := at[place{part, ord}]
		if !known {
			p := &s.parts[part]
			lexical := float64(p.scores[ord] + p.fed[ord])
			j = len(found)
			found = append(found, candidate{part: part, ord: ord, id: p.pieces[ord], score: lexical, lexical: lexical})
		}
		c := &found[j]
		c.near += more
		c.lexical += more
		c.score = c.lexical
	})
	return found
}

// pairs are the terms that follow one another in the question, stop words left out.
func (s *searcher) pairs() [][2]int {
	slot := make(map[string]int, len(s.terms))
	for i, t := range s.terms {
		slot[t.text] = i
	}
	var out [][2]int
	last := -1
	for _, w := range s.words {
		i, ok := slot[w]
		if !ok {
			continue
		}
		if last >= 0 && last != i {
			out = append(out, [2]int{last, i})
		}
		last = i
	}
	return out
}

// finder knows the question's terms by their number in a snapshot; most words
// of a piece are turned away by the mask.
type finder struct {
	mask [4]uint64
	term map[uint32]int
}

func (s *searcher) finder(snapshot int) finder {
	f := finder{term: make(map[uint32]int, len(s.terms))}
	for j, t := range s.terms {
		if n := t.number[snapshot]; n != absent {
			f.term[n] = j
			f.mask[n>>6&3] |= 1 << (n & 63)
		}
	}
	return f
}

// together counts how often b stands near a: right behind it counts one, farther
// away or in the other order less.
func together(a, b []int) float64 {
	sum := 0.0
	j := 0
	for _, x := range a {
		for j < len(b) && b[j] < x-window {
			j++
		}
		best := 0.0
		for k := j; k < len(b) && b[k] <= x+window; k++ {
			d := b[k] - x
			if d < 0 {
				d = 1 - d
			}
			if d > 0 {
				best = max(best, 1/float64(d))
			}
		}
		sum += best
	}
	return math.Min(sum, float64(len(a)))
}
