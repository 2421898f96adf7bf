package retrieval

import (
	"slices"
	"strings"
)

const (
	shingle = 4   // words in a row that are compared
	alike   = 0.9 // share of them that two pieces have in common to say the same
	ahead   = 4   // times as many candidates as are asked for are looked at
)

// fold leaves the best of pieces that say almost the same, in order, until
// there are n, and tells for each which others it stands for. Pieces that differ
// in a number say different things, however alike they are.
func (s *searcher) fold(found []candidate, n int) ([]candidate, [][]candidate) {
	type imprint struct {
		shingles int
		numbers  []uint32
	}
	kept := make([]candidate, 0, n)
	doubles := make([][]candidate, 0, n)
	prints := make([]imprint, 0, n)
	holders := map[uint64][]int{} // shingle → kept pieces that have it
	one := s.vocabulary()
	var seq []uint32
	for _, c := range found[:min(len(found), ahead*n+ahead)] {
		p := &s.parts[c.part]
		seq = one.of(p, p.texts.at(c.ord, seq[:0]))
		own := shinglesOf(seq)
		numbers := one.digits(seq)
		common := make([]int, len(kept))
		for _, h := range own {
			for _, k := range holders[h] {
				common[k]++
			}
		}
		same := slices.IndexFunc(prints, func(x imprint) bool {
			both := common[0]
			common = common[1:]
			return both > 0 && float64(both) >= alike*float64(len(own)+x.shingles-both) && slices.Equal(x.numbers, numbers)
		})
		switch {
		case same >= 0:
			doubles[same] = append(doubles[same], c)
		case len(kept) < n:
			for _, h := range own {
				holders[h] = append(holders[h], len(kept))
			}
			kept, doubles, prints = append(kept, c), append(doubles, nil), append(prints, imprint{len(own), numbers})
		}
	}
	return kept, doubles
}

// vocabulary gives a word one number, though each index has its own.
type vocabulary struct {
	snaps []*snapshot
	known []map[uint32]uint32 // a snapshot: its number → the one here
	names map[string]uint32
	texts []string
}

func (s *searcher) vocabulary() *vocabulary {
	return &vocabulary{snaps: s.snaps, known: make([]map[uint32]uint32, len(s.snaps)), names: map[string]uint32{}}
}

// of renames the words of a piece in place.
func (v *vocabulary) of(p *part, words []uint32) []uint32 {
	known := v.known[p.index]
	if known == nil {
		known = map[uint32]uint32{}
		v.known[p.index] = known
	}
	for i, w := range words {
		n, ok := known[w]
		if !ok {
			text := v.snaps[p.index].terms[w]
			if n, ok = v.names[text]; !ok {
				n = uint32(len(v.texts))
				v.names[text] = n
				v.texts = append(v.texts, text)
			}
			known[w] = n
		}
		words[i] = n
	}
	return words
}

// digits are the different words with a digit.
func (v *vocabulary) digits(words []uint32) []uint32 {
	var out []uint32
	for _, w := range words {
		if strings.ContainsAny(v.texts[w], "0123456789") {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shinglesOf are the different runs of words in a piece, hashed; a piece shorter
// than one is one.
func shinglesOf(words []uint32) []uint64 {
	if len(words) == 0 {
		return nil
	}
	out := make([]uint64, 0, len(words))
	for i := 0; i == 0 || i+shingle <= len(words); i++ {
		h := uint64(14695981039346656037)
		for _, w := range words[i:min(i+shingle, len(words))] {
			h = (h ^ uint64(w)) * 1099511628211
		}
		out = append(out, h)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
