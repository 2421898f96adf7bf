package retrieval

import (
	"hash/maphash"
	"iter"
	"math"
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
	kept := make([]candidate, 0, n)
	doubles := make([][]candidate, 0, n)
	sketches := make([]sketch, 0, n)
	imprints := make([]*imprint, 0, n) // nil until one is needed
	for _, c := range found[:min(len(found), ahead*n+ahead)] {
		drawn := s.parts[c.part].sketches[c.ord]
		var own *imprint
		same := -1
		for k, other := range sketches {
			if !drawn.resembles(other) {
				continue
			}
			if own == nil {
				own = s.imprint(c)
			}
			if imprints[k] == nil {
				imprints[k] = s.imprint(kept[k])
			}
			if own.saysAs(imprints[k]) {
				same = k
				break
			}
		}
		switch {
		case same >= 0:
			doubles[same] = append(doubles[same], c)
		case len(kept) < n:
			kept, doubles = append(kept, c), append(doubles, nil)
			sketches, imprints = append(sketches, drawn), append(imprints, own)
		}
	}
	return kept, doubles
}

// sketch is four least hashes of a piece's runs of words, 16 bits of each: two pieces
// that say the same share at least one but for one pair in 10,000, and two others hardly ever do.
type sketch uint64

func (a sketch) resembles(b sketch) bool {
	x := a ^ b
	return x&0xFFFF == 0 || x>>16&0xFFFF == 0 || x>>32&0xFFFF == 0 || x>>48 == 0
}

// draw is the sketch of a text, from the hashes of its terms.
func draw(words []uint32, hashes []uint64) sketch {
	least := [4]uint64{math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64}
	for h := range shingles(words, func(w uint32) uint64 { return hashes[w] }) {
		for i, odd := range [4]uint64{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93} {
			x := h * odd
			least[i] = min(least[i], x^x>>32)
		}
	}
	return sketch(least[0]&0xFFFF | least[1]&0xFFFF<<16 | least[2]&0xFFFF<<32 | least[3]<<48)
}

var seed = maphash.MakeSeed()

// hashed are terms as they are compared beyond one index, which has numbers of its own.
func hashed(terms []string) []uint64 {
	out := make([]uint64, len(terms))
	for i, t := range terms {
		out[i] = maphash.String(seed, t)
	}
	return out
}

// shingles are the runs of words in a text, hashed; a text shorter than one is one.
func shingles(words []uint32, hash func(uint32) uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i := 0; i < len(words) && (i == 0 || i+shingle <= len(words)); i++ {
			h := uint64(14695981039346656037)
			for _, w := range words[i:min(i+shingle, len(words))] {
				h = (h ^ hash(w)) * 1099511628211
			}
			if !yield(h) {
				return
			}
		}
	}
}

// imprint is what two pieces are compared by.
type imprint struct {
	shingles []uint64 // different ones, in order
	numbers  []string // words with a digit, likewise
}

func (s *searcher) imprint(c candidate) *imprint {
	p := &s.parts[c.part]
	terms := s.snaps[p.index].terms
	words := p.texts.at(c.ord, nil)
	hash := func(w uint32) uint64 { return maphash.String(seed, terms[w]) }
	out := &imprint{shingles: slices.Compact(slices.Sorted(shingles(words, hash)))}
	for _, w := range words {
		if strings.ContainsAny(terms[w], "0123456789") {
			out.numbers = append(out.numbers, terms[w])
		}
	}
	slices.Sort(out.numbers)
	out.numbers = slices.Compact(out.numbers)
	return out
}

// saysAs tells whether two pieces say the same.
func (a *imprint) saysAs(b *imprint) bool {
	both := 0
	for i, j := 0, 0; i < len(a.shingles) && j < len(b.shingles); {
		switch {
		case a.shingles[i] < b.shingles[j]:
			i++
		case a.shingles[i] > b.shingles[j]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	return both > 0 && float64(both) >= alike*float64(len(a.shingles)+len(b.shingles)-both) && slices.Equal(a.numbers, b.numbers)
}
