package retrieval

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	leastKin = 5   // letters of a word that has kin, and of an end that is one
	headKin  = 6   // letters that kin begin with, unless one is the end of the other
	alikeKin = 0.5 // share of the longer one that they have in common
	mostKin  = 8   // kin of one word
)

// kin adds the words that are made like those of the question, which stemming leaves
// apart: the compounds that one is part of, its own parts, and what begins as it does.
// They count as feedback does, for pieces that lack the word itself.
func (s *searcher) kin() {
	taken := make(map[string]bool, len(s.terms)+len(s.related))
	for _, t := range slices.Concat(s.terms, s.guessed, s.related) {
		taken[t.text] = true
	}
	for _, t := range s.terms {
		if t.joined || utf8.RuneCountInString(t.text) < leastKin || !isLetters(t.text) {
			continue
		}
		found := 0
		for _, k := range s.kinOf(t.text) {
			if taken[k.text] || !isLetters(k.text) {
				continue
			}
			q := s.resolve(k.text, t.weight*s.kindred*k.alike)
			if q.df == 0 {
				continue
			}
			if t.df > 0 {
				q.idf = min(q.idf, t.idf)
			}
			taken[k.text] = true
			s.add(q, 0, true)
			s.related = append(s.related, q)
			if found++; found == mostKin {
				break
			}
		}
	}
}

// likeness is a word and the share of it or of the other that both have.
type likeness struct {
	text  string
	alike float64
}

// kinOf finds the kin of a word in the indexes, the most alike first.
func (s *searcher) kinOf(word string) []likeness {
	letters := utf8.RuneCountInString(word)
	seen := map[string]float64{}
	note := func(w string, shared int) {
		if alike := float64(shared) / float64(max(letters, utf8.RuneCountInString(w))); alike >= alikeKin && w != word {
			seen[w] = max(seen[w], alike)
		}
	}
	head := word[:atLetter(word, headKin)]
	for _, snap := range s.snaps {
		snap.forms.beginning(snap.terms, head, func(w string) { note(w, sharedHead(word, w)) })
		snap.forms.ending(snap.terms, word, func(w string) { note(w, letters) })
		for i := range word { // the word's own ends
			if n := utf8.RuneCountInString(word[i:]); i > 0 && n >= leastKin {
				if _, ok := snap.dict.lookup(word[i:]); ok {
					note(word[i:], n)
				}
			}
		}
	}
	out := make([]likeness, 0, len(seen))
	for w, alike := range seen {
		out = append(out, likeness{w, alike})
	}
	slices.SortFunc(out, func(a, b likeness) int {
		return cmp.Or(cmp.Compare(b.alike, a.alike), cmp.Compare(a.text, b.text))
	})
	return out
}

// atLetter is where the n-th letter of a word begins, or its end.
func atLetter(word string, n int) int {
	for i := range word {
		if n == 0 {
			return i
		}
		n--
	}
	return len(word)
}

// sharedHead is how many letters two words begin with together.
func sharedHead(a, b string) int {
	n := 0
	for i, r := range a {
		if i >= len(b) {
			break
		}
		if q, _ := utf8.DecodeRuneInString(b[i:]); q != r {
			break
		}
		n++
	}
	return n
}

// forms order the terms of an index by how they begin and by how they end, so that
// those which share it stand together. It covers the first of them, by number; the
// others are few and looked at one by one.
type forms struct {
	heads, tails []uint32
}

// grown covers new terms once they are many beside those that are covered.
func (f forms) grown(terms []string) forms {
	if fresh := len(terms) - len(f.heads); fresh < 1024+len(f.heads)/64 {
		return f
	}
	return forms{
		heads: ordered(f.heads, terms, strings.Compare),
		tails: ordered(f.tails, terms, compareTails),
	}
}

// ordered are all terms in order, those of was being in it already.
func ordered(was []uint32, terms []string, compare func(a, b string) int) []uint32 {
	fresh := make([]uint32, 0, len(terms)-len(was))
	for n := len(was); n < len(terms); n++ {
		fresh = append(fresh, uint32(n))
	}
	slices.SortFunc(fresh, func(a, b uint32) int { return compare(terms[a], terms[b]) })
	out := make([]uint32, 0, len(terms))
	for len(was) > 0 && len(fresh) > 0 {
		if compare(terms[was[0]], terms[fresh[0]]) < 0 {
			out, was = append(out, was[0]), was[1:]
		} else {
			out, fresh = append(out, fresh[0]), fresh[1:]
		}
	}
	return append(append(out, was...), fresh...)
}

// compareTails orders words by their last bytes first.
func compareTails(a, b string) int {
	for i, j := len(a)-1, len(b)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// beginning gives the terms that begin with head.
func (f forms) beginning(terms []string, head string, found func(string)) {
	sharing(f.heads, terms, head, strings.Compare, strings.HasPrefix, found)
}

// ending gives the terms that end with tail.
func (f forms) ending(terms []string, tail string, found func(string)) {
	sharing(f.tails, terms, tail, compareTails, strings.HasSuffix, found)
}

// sharing gives the terms that have a part, which stand together in the order.
func sharing(order []uint32, terms []string, part string, compare func(a, b string) int, has func(term, part string) bool, found func(string)) {
	at, _ := slices.BinarySearchFunc(order, part, func(n uint32, part string) int { return compare(terms[n], part) })
	for _, n := range order[at:] {
		if !has(terms[n], part) {
			break
		}
		found(terms[n])
	}
	for _, w := range terms[len(order):] {
		if has(w, part) {
			found(w)
		}
	}
}
