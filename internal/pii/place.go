package pii

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// places looks for addresses, by their streets, boxes, units and postcodes, and
// for countries and cities.
func (s *scan) places(w []word) {
	small := strings.IndexFunc(s.text[s.base:], unicode.IsUpper) < 0
	done := 0 // words that an address has taken
	for i := range w {
		if i < done {
			continue
		}
		from, to := s.street(w, i, small)
		if to == 0 {
			from, to = s.cuedAddress(w, i, small)
		}
		if to > 0 {
			from = max(from, done)
			to = s.grow(w, to, small)
			s.claim(w[from].start, w[to-1].end, Address)
			done = to
			continue
		}
		if to = s.place(w, i, small); to > 0 {
			s.claim(w[i].start, w[to-1].end, Location)
			done = to
		}
	}
}

// near tells whether two words can stand in one line of an address, or in lines
// that follow each other.
func (w word) near() bool {
	return len(w.gap) <= 5 && strings.Trim(w.gap, " ,.\n\r\t>-/\u00a0º°") == "" && strings.Count(w.gap, "\n") < 2
}

// inline is near, in the same line and part.
func (w word) inline() bool {
	return len(w.gap) <= 2 && strings.Trim(w.gap, " ./-\u00a0º°") == ""
}

// street answers the words of a street, a box or a unit with its numbers, when
// one begins at i; to is 0 when none does.
func (s *scan) street(w []word, i int, small bool) (from, to int) {
	n := w[i]
	number := func(k int) bool { return k >= 0 && k < len(w) && w[k].digits && len(w[k].lower) <= 6 }
	switch {
	case units[n.lower] && number(i+1) && w[i+1].inline() && len(w[i+1].lower) <= 5:
		if n.lower != "unit" && n.lower != "box" && n.lower != "room" && n.lower != "floor" || n.capital {
			return i, i + 2
		}
	case n.lower == "box" && number(i+1) && w[i+1].beside() && i > 0 && w[i-1].digits && n.near(): // PSC 1, Box 2
		return i, i + 2
	case n.lower == "psc" && number(i+1):
		return i, i + 2
	case n.lower == "po" && i+2 < len(w) && w[i+1].lower == "box" && number(i+2),
		n.lower == "p" && i+3 < len(w) && w[i+1].lower == "o" && w[i+2].lower == "box" && number(i+3):
		if n.lower == "po" {
			return i, i + 3
		}
		return i, i + 4
	case (n.lower == "apo" || n.lower == "fpo" || n.lower == "dpo") && i+2 < len(w) && number(i+2):
		return i, i + 3
	}
	// A number, some words and what streets are called: 12 High Street.
	if digit(s.text[n.start]) && len(n.lower) <= 6 {
		k := i + 1
		for k < len(w) && k-i <= 8 && w[k].inline() {
			if streetWords[w[k].lower] && k > i+1 && (w[k].capital || small || len(w[k].lower) > 3) {
				to = k + 1
				if number(to) && w[to].inline() {
					to++
				}
				return i, to
			}
			if first := streetFirst[w[k].lower] || streetEnding(w[k].lower); first {
				if end := s.streetName(w, k, small); end > 0 {
					return i, end
				}
			}
			if !w[k].capital && !small && !w[k].digits && !particles[w[k].lower] && !streetFirst[w[k].lower] {
				break
			}
			k++
		}
		// A number, a name and a number, with more of an address after it.
		k = i + 1
		for k < len(w) && k-i <= 5 && w[k].inline() && !w[k].digits && (w[k].capital || small && !plainWords[w[k].lower] || particles[w[k].lower]) {
			k++
		}
		if k > i+1 && months[w[i+1].lower] == 0 && !strings.Contains(w[i+1].gap, ".") {
			if k < len(w) && w[k].inline() && w[k].digits {
				k++
			}
			if end := s.grow(w, k, small); end > k+1 && s.strongIn(w, k, end) {
				return i, end
			}
		}
		return s.postcode(w, i)
	}
	if n.capital && streetEnding(n.lower) || small && streetEnding(n.lower) || streetFirst[n.lower] {
		if end := s.streetName(w, i, small); end > 0 && (w[end-1].digits || i > 0 && w[i-1].digits && n.inline()) {
			return i, end
		}
	}
	// A capital, some words and a street's word: Abbey Road.
	if n.capital && !openers[n.lower] {
		for k := i + 1; k < len(w) && k-i <= 3 && w[k].spaced() && w[k].capital; k++ {
			if longStreets[w[k].lower] {
				to = k + 1
				if number(to) && w[to].inline() {
					to++
				}
				return i, to
			}
		}
	}
	return s.postcode(w, i)
}

// streetName is the end of a street whose word comes first, as in Via Roma 3,
// or is a part of its name, as in Hauptstrasse 5.
func (s *scan) streetName(w []word, i int, small bool) int {
	to := i + 1
	if !streetEnding(w[i].lower) {
		for to < len(w) && to-i <= 6 && w[to].inline() && !w[to].digits && (w[to].capital || small || particles[w[to].lower]) && !plainWords[w[to].lower] {
			to++
		}
		if to == i+1 {
			return 0
		}
	}
	if to < len(w) && w[to].inline() && w[to].digits && len(w[to].lower) <= 6 {
		to++
	}
	return to
}

func streetEnding(lower string) bool {
	if len(lower) < 7 {
		return false
	}
	for _, e := range streetEndings {
		if strings.HasSuffix(lower, e) {
			return true
		}
	}
	return false
}

// postcode tells of codes that say themselves what they are: beside a word for
// them, a state or a country, or of a form that nothing else has.
func (s *scan) postcode(w []word, i int) (from, to int) {
	n := w[i]
	raw := s.text[n.start:n.end]
	next := func() string {
		if i+1 < len(w) && w[i+1].gap == " " {
			return s.text[w[i+1].start:w[i+1].end]
		}
		return ""
	}
	switch {
	case n.digits && len(raw) >= 3 && len(raw) <= 10 && says(tail(s.before(n.start), 22), zipWords):
		return i, i + 1
	case states[raw] && i+1 < len(w) && w[i+1].number && len(w[i+1].lower) == 5 && w[i+1].spaced():
		return i, i + 2
	case ukOutward(raw) && shape(next(), "9AA"), shape(raw, "A9A") && shape(next(), "9A9"):
		return i, i + 2
	}
	return 0, 0
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[len(s)-n]) {
		n--
	}
	return s[len(s)-n:]
}

func ukOutward(t string) bool {
	for _, f := range []string{"A9", "A99", "AA9", "AA99", "A9A", "AA9A"} {
		if shape(t, f) {
			return true
		}
	}
	return false
}

// cuedAddress is what follows words such as "lives at", when it has a number.
func (s *scan) cuedAddress(w []word, i int, small bool) (from, to int) {
	if i == 0 || !w[i].capital && !w[i].digits && !small {
		return 0, 0
	}
	if !slices.Contains(s.cues(w, i), addressCue) || bareCues[w[i-1].lower] && !strings.ContainsAny(w[i].gap, ":\t") {
		return 0, 0
	}
	digits := false
	for to = i; to < len(w) && to-i < 8; to++ {
		n := w[to]
		if to > i && (!n.near() || strings.Contains(n.gap, "\n")) || strings.Contains(n.gap, ",") && to > i && !digits {
			break
		}
		if !n.capital && !n.digits && !particles[n.lower] && n.lower != "and" && (!small || plainWords[n.lower]) {
			break
		}
		digits = digits || n.digits
	}
	for to > i && particles[w[to-1].lower] {
		to--
	}
	if !digits || to == i {
		return 0, 0
	}
	return i, to
}

const longestRest = 14 // words

// strong tells whether a word can end an address for certain.
func (s *scan) strong(w []word, k int, small bool) int {
	n := w[k]
	raw := s.text[n.start:n.end]
	switch {
	case shape(raw, "9999") && k+1 < len(w) && w[k+1].gap == " " && shape(s.text[w[k+1].start:w[k+1].end], "AA"): // Netherlands
		return k + 2
	case n.number && len(raw) >= 4 && len(raw) <= 6:
		return k + 1
	case units[n.lower] && k+1 < len(w) && w[k+1].inline() && w[k+1].digits:
		return k + 2
	case states[raw]:
		return k + 1
	case ukOutward(raw) && k+1 < len(w) && w[k+1].gap == " " && shape(s.text[w[k+1].start:w[k+1].end], "9AA"):
		return k + 2
	case n.capital || small:
		return s.country(w, k)
	}
	return 0
}

func (s *scan) strongIn(w []word, from, to int) bool {
	for k := from; k < to; k++ {
		if s.strong(w, k, true) > 0 {
			return true
		}
	}
	return false
}

// grow takes the lines after a street into the address, as far as a postcode, a
// unit, a state or a country.
func (s *scan) grow(w []word, to int, small bool) int {
	best := to
	for k := to; k < len(w) && k-to < longestRest; {
		n := w[k]
		if !n.near() {
			break
		}
		if end := s.strong(w, k, small); end > 0 {
			if n.number && end < len(w) && w[end].spaced() && w[end].capital && !openers[w[end].lower] {
				end++ // the town after its postcode
			}
			k, best = end, end
			continue
		}
		if !n.capital && !n.digits && !particles[n.lower] && (!small || plainWords[n.lower]) {
			break
		}
		k++
	}
	return min(best, len(w))
}

// country is the end of a country's name that begins at i, or 0.
func (s *scan) country(w []word, i int) int {
	name := w[i].lower
	best := 0
	if first, _, _ := strings.Cut(name, "-"); !countryFirst[first] {
		return 0
	}
	for k := i + 1; ; k++ {
		if countries[name] {
			best = k
		}
		if k >= len(w) || k-i > 4 || !w[k].spaced() && w[k].gap != "-" {
			return best
		}
		name += " " + w[k].lower
	}
}

// place is the end of a country, a city, or what "lives in" is followed by.
func (s *scan) place(w []word, i int, small bool) int {
	n := w[i]
	if !n.capital && !small || n.digits {
		return 0
	}
	if end := s.country(w, i); end > 0 {
		if commonPlaces[n.lower] && end == i+1 && !n.capital {
			return 0
		}
		return end
	}
	if cities[n.lower] {
		return i + 1
	}
	if i+1 < len(w) && w[i+1].spaced() && cities[n.lower+" "+w[i+1].lower] {
		return i + 2
	}
	if openers[n.lower] || i == 0 || !n.spaced() {
		return 0
	}
	if !slices.Contains(s.cues(w, i), placeCue) {
		return 0
	}
	to := i + 1
	for to < len(w) && to-i < 4 && w[to].spaced() && (w[to].capital || particles[w[to].lower] && to+1 < len(w) && w[to+1].capital) && !w[to].digits {
		to++
	}
	return to
}
