package retrieval

import (
	"atrium/internal/retrieval/analysis"
	"cmp"
	"math"
	"slices"
)

// feedBack adds words that the best pieces share to the question, gently: it
// finds what is said in other words and hardly moves what matches well.
func (s *searcher) feedBack() {
	if s.feedbackPieces == 0 || len(s.terms) == 0 {
		return
	}
	top := s.best(s.feedbackPieces)
	if len(top) < 2 {
		return
	}
	slices.SortFunc(top, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id))
	})
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
		seq = p.sequence(c.ord, seq[:0])
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
			if stopTerm(text) {
				continue
			}
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
		if w.pieces > 1 {
			list = append(list, w)
		}
	}
	byShare := func(a, b *word) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.text, b.text)) }
	slices.SortFunc(list, byShare)
	list = list[:min(len(list), 4*s.feedbackTerms)]
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
	scale := s.feedback / resolved[0].weight
	for _, t := range resolved {
		t.weight *= scale
		s.add(t)
	}
}

// nearness adds to candidates for words of the question that stand together in
// the piece: neighbours of the question side by side, or within a few words.
func (s *searcher) nearness(found []candidate) {
	if s.near == 0 || len(s.terms) < 2 {
		return
	}
	const window = 8
	slot := map[string]int{}
	for i, t := range s.terms {
		slot[t.text] = i
	}
	type pair struct{ a, b int }
	var pairs []pair
	last := -1
	for _, w := range s.words {
		i, ok := slot[w]
		if !ok {
			continue
		}
		if last >= 0 && last != i {
			pairs = append(pairs, pair{last, i})
		}
		last = i
	}
	if len(pairs) == 0 {
		return
	}
	var seq []uint32
	at := make([][]int, len(s.terms))
	numbers := make([]map[uint32]int, len(s.snaps))
	for i := range numbers {
		numbers[i] = make(map[uint32]int, len(s.terms))
		for j, t := range s.terms {
			if n := t.number[i]; n != absent {
				numbers[i][n] = j
			}
		}
	}
	for i := range found {
		c := &found[i]
		p := &s.parts[c.part]
		seq = p.sequence(c.ord, seq[:0])
		for j := range at {
			at[j] = at[j][:0]
		}
		for pos, n := range seq {
			if j, ok := numbers[p.index][n]; ok {
				at[j] = append(at[j], pos)
			}
		}
		norm := float64(s.norm[p.length[c.ord]])
		for _, pr := range pairs {
			tf := together(at[pr.a], at[pr.b], window)
			if tf == 0 {
				continue
			}
			idf := (s.terms[pr.a].idf + s.terms[pr.b].idf) / 2
			c.score += s.near * idf * tf * float64(s.k1+1) / (tf + norm)
		}
		c.lexical = c.score
	}
}

// together counts how often positions of b follow a: side by side and in order
// counts one, within the window less the farther apart they are.
func together(a, b []int, window int) float64 {
	sum := 0.0
	j := 0
	for _, x := range a {
		for j < len(b) && b[j] < x-window {
			j++
		}
		best := 0.0
		for k := j; k < len(b) && b[k] <= x+window; k++ {
			d := float64(b[k] - x)
			if d < 0 {
				d = -d + 1 // in the other order it means less
			}
			if d > 0 {
				best = max(best, 1/d)
			}
		}
		sum += best
	}
	return math.Min(sum, float64(len(a)))
}

func stopTerm(text string) bool {
	return len(text) < 2 || analysis.IsStop(text)
}
