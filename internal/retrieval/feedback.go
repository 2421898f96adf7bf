package retrieval

import (
	"cmp"
	"math"
	"slices"

	"atrium/internal/retrieval/analysis"
)

// feedBack adds words that the best pieces share to the question: it finds what
// is said in other words. A piece gets of it what it lacks of the question's
// own words, so that what matches well is hardly moved.
func (s *searcher) feedBack() {
	if s.feedbackPieces == 0 || len(s.terms) == 0 {
		return
	}
	top := s.best(s.feedbackPieces)
	if len(top) < 2 {
		return
	}
	slices.SortFunc(top, rank)
	list := s.lent(top)
	byShare := func(a, b lent) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.text, b.text)) }
	slices.SortFunc(list, byShare)
	list = list[:min(len(list), 3*s.feedbackTerms)]
	resolved := make([]queryTerm, 0, len(list))
	for _, w := range list {
		t := s.resolve(w.text, 0)
		if t.df*10 > s.pieces { // says little, costs much
			continue
		}
		t.weight = w.share * t.idf
		resolved = append(resolved, t)
	}
	slices.SortStableFunc(resolved, func(a, b queryTerm) int { return cmp.Compare(b.weight, a.weight) })
	resolved = resolved[:min(len(resolved), s.feedbackTerms)]
	if len(resolved) == 0 || resolved[0].weight == 0 {
		return
	}
	// Where the best piece stands out the question was clear, and more words
	// would only blur it; few words of its own would be outvoted.
	best := top[0].score
	asked := s.asked()
	scale := s.feedback / resolved[0].weight * min(1, asked/s.brief) * math.Pow(top[len(top)-1].score/best, s.clarity)
	for i := range resolved {
		resolved[i].weight *= scale
		s.add(resolved[i], 0, true)
	}
	s.related = resolved
	for i := range s.parts {
		p := &s.parts[i]
		for ord, v := range p.fed {
			if v > 0 {
				lack := max(0, 1-float64(p.scores[ord])/best)
				p.fed[ord] = v * float32(lack*math.Sqrt(lack))
			}
		}
	}
}

// lent is a word that the best pieces have and the question lacks.
type lent struct {
	text  string
	share float64
}

// lent gathers the words of pieces by their numbers, since only a few of them are
// looked at as text. Shares are added in the order of the pieces, whatever indexes
// these are in.
func (s *searcher) lent(top []candidate) []lent {
	type word struct {
		index  int
		number uint32
		share  float64
		pieces int
	}
	key := func(index int, number uint32) uint64 { return uint64(index)<<32 | uint64(number) }
	var (
		words []word
		seq   []uint32
		at    = map[uint64]int{}
		same  = map[string]int{} // where there are several indexes
		total float64
	)
	place := func(index int, number uint32) int {
		n, ok := at[key(index, number)]
		if ok {
			return n
		}
		n = len(words)
		if len(s.snaps) > 1 {
			text := s.snaps[index].terms[number]
			if known, ok := same[text]; ok {
				n = known
			}
			same[text] = n
		}
		at[key(index, number)] = n
		if n == len(words) {
			words = append(words, word{index: index, number: number})
		}
		return n
	}
	for _, c := range top {
		total += c.score
	}
	for _, c := range top {
		p := &s.parts[c.part]
		seq = p.texts.at(c.ord, seq[:0])
		slices.Sort(seq)
		norm := float64(s.norm[p.length[c.ord]])
		for i := 0; i < len(seq); {
			j := i
			for j < len(seq) && seq[j] == seq[i] {
				j++
			}
			tf := float64(j - i)
			w := &words[place(p.index, seq[i])]
			w.share += c.score / total * tf / (tf + norm)
			w.pieces++
			i = j
		}
	}
	for _, t := range s.terms {
		for index, number := range t.number {
			if n, ok := at[key(index, number)]; ok {
				words[n].pieces = 0
			}
		}
	}
	shared := s.feedbackShared
	if s.sees {
		shared = s.feedbackSeen
	}
	var out []lent
	for _, w := range words {
		if w.pieces < shared {
			continue
		}
		if text := s.snaps[w.index].terms[w.number]; len(text) > 1 && !analysis.IsStop(text) {
			out = append(out, lent{text, w.share})
		}
	}
	return out
}

// asked counts the question's words that stand somewhere.
func (s *searcher) asked() float64 {
	sum := 0.0
	for _, t := range s.terms {
		if !t.joined && t.df > 0 {
			sum += t.weight
		}
	}
	return sum
}
