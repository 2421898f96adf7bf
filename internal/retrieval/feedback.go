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
	type word struct {
		text   string
		share  float64
		pieces int
	}
	words := map[string]*word{}
	var seq []uint32
	total := 0.0
	for _, c := range top {
		total += c.score
	}
	for _, c := range top {
		p := &s.parts[c.part]
		terms := s.snaps[p.index].terms
		seq = p.texts.at(c.ord, seq[:0])
		slices.Sort(seq)
		norm := float64(s.norm[p.length[c.ord]])
		for i := 0; i < len(seq); {
			j := i
			for j < len(seq) && seq[j] == seq[i] {
				j++
			}
			tf := float64(j - i)
			text := terms[seq[i]]
			i = j
			w := words[text]
			if w == nil {
				w = &word{text: text}
				words[text] = w
			}
			w.share += c.score / total * tf / (tf + norm)
			w.pieces++
		}
	}
	for _, t := range s.terms {
		delete(words, t.text)
	}
	list := make([]*word, 0, len(words))
	for _, w := range words {
		if w.pieces >= s.feedbackShared && len(w.text) > 1 && !analysis.IsStop(w.text) {
			list = append(list, w)
		}
	}
	byShare := func(a, b *word) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.text, b.text)) }
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
	scale := s.feedback / resolved[0].weight * asked / (asked + s.brief) * math.Pow(top[len(top)-1].score/best, s.clarity)
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
