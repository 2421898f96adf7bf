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
func (s *searcher) feedBack(top []candidate) {
	if len(top) < 2 || len(s.terms) == 0 {
		return
	}
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
	asked := s.asked()
	scale := s.feedback / resolved[0].weight * min(1, asked/s.brief) * math.Pow(top[len(top)-1].score/top[0].score, s.clarity)
	for i := range resolved {
		resolved[i].weight *= scale
		s.add(resolved[i], 0, true)
	}
	s.related = resolved
}

// fill cuts what a piece got of other words to what it lacks of the question's own,
// measured by the best that there is, so that what matches well is hardly moved.
func (s *searcher) fill(best float64) {
	if len(s.related) == 0 || best == 0 {
		return
	}
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
	// A use is a word's key and behind it the piece that has it, so that order
	// brings together what belongs together.
	const ofPiece = 16
	var (
		uses  []uint64
		seq   []uint32
		same  = map[string]uint64{}
		total float64
		few   sieve
	)
	key := func(index int, number uint32) uint64 {
		key := uint64(index)<<32 | uint64(number)
		if len(s.snaps) == 1 {
			return key
		}
		text := s.snaps[index].terms[number]
		if first, ok := same[text]; ok {
			return first
		}
		same[text] = key
		return key
	}
	for i, c := range top {
		total += c.score
		p := &s.parts[c.part]
		seq = p.texts.at(c.ord, seq[:0])
		for _, number := range seq {
			word := key(p.index, number)
			uses = append(uses, word<<ofPiece|uint64(i))
			few.note(word, i)
		}
	}
	shared := s.feedbackShared
	if s.sees {
		shared = s.feedbackSeen
	}
	uses = slices.DeleteFunc(uses, func(u uint64) bool { return few.most(u>>ofPiece) < shared })
	slices.Sort(uses)
	var own []uint64
	for _, t := range s.terms {
		for index, number := range t.number {
			if number != absent {
				own = append(own, key(index, number))
			}
		}
	}
	var out []lent
	for i := 0; i < len(uses); {
		word, pieces, share := uses[i]>>ofPiece, 0, 0.0
		for i < len(uses) && uses[i]>>ofPiece == word {
			j := i
			for j < len(uses) && uses[j] == uses[i] {
				j++
			}
			c := &top[uses[i]&(1<<ofPiece-1)]
			tf := float64(j - i)
			share += c.score / total * tf / (tf + float64(s.norm[s.parts[c.part].length[c.ord]]))
			pieces++
			i = j
		}
		if pieces < shared || slices.Contains(own, word) {
			continue
		}
		if text := s.snaps[word>>32].terms[uint32(word)]; len(text) > 1 && !analysis.IsStop(text) {
			out = append(out, lent{text, share})
		}
	}
	return out
}

// sieve counts the pieces of words, or more where words share a place: most stand in
// too few to be looked at.
type sieve struct {
	pieces, last [1 << 12]uint8 // last is the piece that was counted, from 1
}

func (f *sieve) note(word uint64, piece int) {
	at := word % uint64(len(f.last))
	if f.last[at] != uint8(piece+1) {
		f.last[at] = uint8(piece + 1)
		f.pieces[at]++
	}
}

func (f *sieve) most(word uint64) int { return int(f.pieces[word%uint64(len(f.pieces))]) }

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
