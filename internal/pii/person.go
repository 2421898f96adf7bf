package pii

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is a run of letters and digits, with what may stand inside one.
type word struct {
	start, end int
	lower      string
	capital    bool // begins with a capital letter, or of a script that has none
	number     bool // has digits only
	digits     bool // has a digit
	gap        string
}

// words parts the text. The text of placeholders is left out, so that nothing
// is read across it.
func words(text string) []word {
	var out []word
	last := 0
	for i := 0; i < len(text); {
		if text[i] == '[' {
			if n := placeholderAt(text, i); n > 0 {
				i += n
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			i += n
			continue
		}
		w := word{start: i, capital: unicode.IsUpper(r), number: true, gap: text[last:i]}
		for i < len(text) {
			r, n := utf8.DecodeRuneInString(text[i:])
			switch {
			case unicode.IsDigit(r):
				w.digits = true
			case unicode.IsLetter(r) || unicode.IsMark(r):
				w.number = false
			case (r == '\'' || r == '’' || r == '-') && i+n < len(text) && wordAt(text, i+n):
				w.number = false
			default:
				n = 0
			}
			if n == 0 {
				break
			}
			i += n
		}
		w.end = i
		w.lower = strings.ToLower(text[w.start:w.end])
		out = append(out, w)
		last = i
	}
	return out
}

// beside tells whether only a space, or a full stop and a space, is between a
// word and the one before it.
func (w word) beside() bool {
	return w.gap == " " || w.gap == ". " || w.gap == "\u00a0" || w.gap == "."
}

func (w word) spaced() bool { return w.gap == " " || w.gap == "\u00a0" }

const longestName = 5 // words

// persons looks for names: after titles and cues, by known given names and by
// the endings of surnames.
func (s *scan) persons(w []word) {
	small := strings.IndexFunc(s.text[s.base:], unicode.IsUpper) < 0 // a text without capitals: only lists and cues tell
	for i := 0; i < len(w); i++ {
		from := -1
		switch {
		case s.cued(w, i):
			from = i
		case w[i].capital || small:
			base := possessed(w[i].lower)
			switch {
			case givenNames[base] && (!commonNames[base] || s.nameFollows(w, i) && w[i].capital) && (!small || !commonNames[base]):
				from = i
			case w[i].capital && surnames[base] && !commonNames[base] && !s.organization(w, i):
				from = i
			case w[i].capital && surnameEnding(base) && !s.shouted(w[i]):
				from = i
				if i > 0 && w[i].spaced() && w[i-1].capital && !openers[w[i-1].lower] && !sentence(w, i-1) {
					from = i - 1
				}
			}
		}
		if from < 0 {
			continue
		}
		to := s.nameEnd(w, i, small)
		if s.organization(w, to-1) {
			continue
		}
		last := w[to-1]
		s.claim(w[from].start, last.start+len(possessed(s.text[last.start:last.end])), Person)
		if to == i+1 {
			i = s.listed(w, i)
			continue
		}
		i = to - 1
	}
}

// listed takes the single words with a capital that a list goes on with after a
// name, and answers the last.
func (s *scan) listed(w []word, i int) int {
	for {
		k := i + 1
		if k < len(w) && (w[k].lower == "and" || w[k].lower == "or") && (w[k].spaced() || w[k].gap == ", ") {
			k++
		}
		if k >= len(w) || k == i+1 && w[k].gap != ", " || k > i+1 && !w[k].spaced() || !w[k].capital || w[k].digits || openers[w[k].lower] ||
			countries[w[k].lower] || cities[w[k].lower] || s.organization(w, k) || k+1 < len(w) && w[k+1].spaced() && w[k+1].capital {
			return i
		}
		s.claim(w[k].start, w[k].start+len(possessed(s.text[w[k].start:w[k].end])), Person)
		i = k
	}
}

// possessed is a word without the ending of a possessor.
func possessed(t string) string {
	return strings.TrimSuffix(strings.TrimSuffix(t, "'s"), "’s")
}

// sentence tells whether a word begins one, where anything has a capital.
func sentence(w []word, i int) bool {
	return i == 0 || strings.ContainsAny(w[i].gap, ".!?\n:\"“")
}

// organization tells whether the word after makes a company of the name.
func (s *scan) organization(w []word, i int) bool {
	return i+1 < len(w) && (w[i+1].beside() || w[i+1].gap == ", ") && companies[w[i+1].lower] || companies[w[i].lower]
}

// nameFollows tells whether a word that may be a name goes on with a surname.
func (s *scan) nameFollows(w []word, i int) bool {
	return i+1 < len(w) && w[i+1].spaced() && w[i+1].capital && !openers[w[i+1].lower] && !w[i+1].digits && !companies[w[i+1].lower] && len(w[i+1].lower) > 2 &&
		!streetWords[w[i+1].lower] && months[w[i+1].lower] == 0 && (!commonNames[w[i+1].lower] || surnames[w[i+1].lower])
}

// nameEnd is the word after the last of a name that begins at i.
func (s *scan) nameEnd(w []word, i int, small bool) int {
	to := i + 1
	for to < len(w) && to-i < longestName {
		n := w[to]
		if last := s.text[w[to-1].start:w[to-1].end]; len(possessed(last)) < len(last) {
			break
		}
		initial := utf8.RuneCountInString(w[to-1].lower) == 1
		if !n.spaced() && (!initial || !n.beside()) {
			break
		}
		switch {
		case particles[n.lower] && to+1 < len(w) && w[to+1].spaced() && (w[to+1].capital || small || particles[w[to+1].lower]) && !w[to+1].digits:
			to++
			continue
		case nameSuffixes[n.lower]:
			return to + 1
		case n.digits || openers[n.lower] || streetWords[n.lower]:
			return s.trimName(w, i, to)
		case n.capital, small && (to == i+1 || particles[w[to-1].lower]) && len(n.lower) > 2 && !plainWords[n.lower]:
			to++
			continue
		}
		break
	}
	return s.trimName(w, i, to)
}

// trimName takes particles off the end.
func (s *scan) trimName(w []word, i, to int) int {
	for to > i+1 && particles[w[to-1].lower] {
		to--
	}
	return to
}

func surnameEnding(lower string) bool {
	if utf8.RuneCountInString(lower) < 6 {
		return false
	}
	for _, e := range surnameEndings {
		if strings.HasSuffix(lower, e) {
			return true
		}
	}
	return false
}

// cued tells whether what stands before a word says that it begins a name.
func (s *scan) cued(w []word, i int) bool {
	n := w[i]
	if n.digits || openers[n.lower] || titles[n.lower] || plainWords[n.lower] || companies[n.lower] || i == 0 {
		return false
	}
	if titles[w[i-1].lower] && n.beside() {
		return n.capital || !wordsOfTitles[w[i-1].lower]
	}
	if utf8.RuneCountInString(n.lower) < 2 {
		return false
	}
	if !n.capital && i+1 < len(w) && w[i+1].spaced() && plainWords[w[i+1].lower] {
		return false
	}
	for _, kind := range s.cues(w, i) {
		switch kind {
		case nameCue:
			if strings.Trim(n.gap, " :\n\t\"“>-") == "" && (n.capital || !labels[w[i-1].lower] || strings.Contains(n.gap, ":")) {
				return true
			}
		case capitalCue:
			if n.capital && n.spaced() && !s.shouted(n) {
				return !countries[n.lower] && !cities[n.lower] && months[n.lower] == 0
			}
		case greeting:
			if n.capital && (n.spaced() || n.gap == ", " || n.gap == ",\n") {
				return true
			}
		}
	}
	if !n.capital {
		return false
	}
	// A name that is followed by what people do.
	return i+1 < len(w) && w[i+1].spaced() && speaks[w[i+1].lower] && !sentence(w, i) && !s.shouted(n)
}

// shouted tells of a word in capitals, which is an abbreviation more often than a name.
func (s *scan) shouted(w word) bool {
	t := s.text[w.start:w.end]
	return t == strings.ToUpper(t)
}

// cues are the kinds of the phrases that end before a word.
func (s *scan) cues(w []word, i int) []int {
	if i == 0 {
		return nil
	}
	some := cues[w[i-1].lower]
	if len(some) == 0 {
		return nil
	}
	before := s.before(w[i].start)
	var out []int
	for _, c := range some {
		if strings.HasSuffix(before, c.phrase) {
			out = append(out, c.kind)
		}
	}
	return out
}
