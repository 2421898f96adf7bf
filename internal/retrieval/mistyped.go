package retrieval

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

const (
	leastMistyped = 5 // letters of a word that is corrected; shorter ones have too many neighbours
	longMistyped  = 9 // letters from which on two may be wrong
	maxMistyped   = 4 // words of one question that are corrected
)

// guess finds for words that stand nowhere the most common of those that differ
// least: mistyped here, or there. They count for less, and not for coverage.
func (s *searcher) guess() {
	unknown := 0
	for _, t := range s.terms {
		if t.df > 0 || t.joined || utf8.RuneCountInString(t.text) < leastMistyped || !isLetters(t.text) {
			continue
		}
		if unknown++; unknown > maxMistyped {
			return
		}
		if g, ok := s.likely(t); ok {
			s.guessed = append(s.guessed, g)
		}
	}
}

func (s *searcher) likely(t queryTerm) (queryTerm, bool) {
	want := []rune(t.text)
	limit := 1
	if len(want) >= longMistyped {
		limit = 2
	}
	near := map[string]int{}
	var room distances
	for _, snap := range s.snaps {
		for _, w := range snap.terms {
			if w[0] != t.text[0] || len(w) > len(t.text)+limit*utf8.UTFMax || len(w) < len(t.text)-limit*utf8.UTFMax {
				continue
			}
			if d := room.between(want, w, limit); d <= limit && isLetters(w) {
				near[w] = d
			}
		}
	}
	var best queryTerm
	for w, d := range near {
		g := s.resolve(w, t.weight*s.mistyped)
		if g.df == 0 {
			continue
		}
		if best.df == 0 || cmp.Or(cmp.Compare(d, near[best.text]), cmp.Compare(best.df, g.df), cmp.Compare(w, best.text)) < 0 {
			best = g
		}
	}
	return best, best.df > 0
}

func isLetters(w string) bool {
	for _, r := range w {
		if !unicode.IsLetter(r) {
			return false
		}
	}
	return true
}

// distances is room to count how many letters have to be changed, put in, left
// out or swapped with the next to make one word of another.
type distances struct {
	word []rune
	rows [3][]int
}

// between is that count, or limit+1 when it is more than limit.
func (x *distances) between(a []rune, with string, limit int) int {
	x.word = x.word[:0]
	for _, r := range with {
		x.word = append(x.word, r)
	}
	b := x.word
	if len(b) > len(a)+limit || len(b) < len(a)-limit {
		return limit + 1
	}
	for i := range x.rows {
		x.rows[i] = slices.Grow(x.rows[i][:0], len(b)+1)[:len(b)+1]
	}
	older, last, now := x.rows[0], x.rows[1], x.rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], older[j-2]+1)
			}
			least = min(least, now[j])
		}
		if least > limit {
			return limit + 1
		}
		older, last, now = last, now, older
	}
	return last[len(b)]
}
