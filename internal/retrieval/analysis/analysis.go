// Package analysis turns text into the terms that are indexed and asked for.
//
// It has one behaviour for all languages, so that a corpus needs no setting:
// words are normalised (NFKC), case and diacritics are folded, ASCII words are
// stemmed as English and Cyrillic ones as Russian; scripts written without
// spaces, and Hangul, become overlapping pairs of characters. Compounds and
// identifiers (T-cell, max_size, parseURL, node.js) give their parts and, as an
// extra term, the joined form, so both spellings meet. A word such as HTTPServer
// gives itself and, as extra terms, its parts.
package analysis

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Token is a term and where it came from. text[Start:End] is the original.
type Token struct {
	Term       string
	Start, End int
	Extra      bool // another form of what is a term already: a compound joined, an acronym parted
	Stop       bool // a word that says nothing about the subject
}

const maxTerm = 64 // runes: longer runs are keys or encoded data, cut so that they stay findable by their beginning

const maxStems = 1 << 15 // remembered by an analyzer, some 2 MB

// analyzer remembers the stems it has made.
type analyzer struct {
	stems map[string]string
}

// idle keeps the stems of common words from one text to the next, through collections
// of garbage too.
var idle = make(chan *analyzer, 4)

// Terms gives the tokens of text in order; a joined form follows its parts.
func Terms(text string, fn func(Token)) {
	var a *analyzer
	select {
	case a = <-idle:
	default:
		a = new(analyzer)
	}
	a.terms(text, fn)
	select {
	case idle <- a:
	default:
	}
}

func (a *analyzer) terms(text string, fn func(Token)) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case !wordRune(r):
			i += n
		case dense(r):
			end := i + n
			for end < len(text) {
				r, n := utf8.DecodeRuneInString(text[end:])
				if !dense(r) {
					break
				}
				end += n
			}
			a.pairs(text, i, end, fn)
			i = end
		default:
			end := compound(text, i)
			a.compound(text, i, end, fn)
			i = end
		}
	}
}

// Tokens is Terms as a slice.
func Tokens(text string) []Token {
	out := make([]Token, 0, len(text)/6+1)
	Terms(text, func(t Token) { out = append(out, t) })
	return out
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// dense tells scripts whose words are not parted by spaces, or (Hangul) carry
// particles that no stemmer here removes.
func dense(r rune) bool {
	if r < 0x0E00 {
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) || r == 'ー' || r == 'ｰ' || voicing(r)
}

// voicing tells the marks that belong to the kana before them.
func voicing(r rune) bool {
	return r == '\u3099' || r == '\u309A' || r == '\uFF9E' || r == '\uFF9F'
}

// joiner tells a mark that holds a compound together between two word runes.
func joiner(r rune) bool {
	switch r {
	case '-', '_', '.', '\'', '’', ',', '\u2010', '\u2011', '\u00AD', '\u02BC', '\u30FB':
		return true
	}
	return false
}

// compound finds the end of the run of words and single joiners that starts at i.
func compound(text string, i int) int {
	end := i
	var last rune
	for end < len(text) {
		r, n := utf8.DecodeRuneInString(text[end:])
		if wordRune(r) && !dense(r) {
			end += n
			last = r
			continue
		}
		if !joiner(r) || end+n >= len(text) {
			break
		}
		next, _ := utf8.DecodeRuneInString(text[end+n:])
		if !wordRune(next) || dense(next) {
			break
		}
		if r == ',' && (!unicode.IsDigit(last) || !unicode.IsDigit(next)) {
			break
		}
		end += n
	}
	if end == i { // a lone mark
		_, n := utf8.DecodeRuneInString(text[i:])
		end = i + n
	}
	return end
}

type span struct{ start, end int }

// compound emits the terms of text[start:end], a run of words and joiners.
func (a *analyzer) compound(text string, start, end int, fn func(Token)) {
	var room [8]span
	parts := room[:0]
	numeric, single := true, true
	from, apostrophe := start, false
	var prev rune
	var cut bool // camel case needs a lower-case rune before the capital
	for i := start; i < end; {
		r, n := utf8.DecodeRuneInString(text[i:])
		if joiner(r) {
			switch r {
			case '\'', '’', '\u02BC', '\u00AD':
				apostrophe = true
			case ',', '.':
				if numeric && digitAt(text, i+n) {
					break
				}
				numeric = false
				parts = append(parts, span{from, i})
				from = i + n
			default:
				numeric = false
				parts = append(parts, span{from, i})
				from = i + n
			}
			prev = 0
			i += n
			continue
		}
		if !unicode.IsDigit(r) {
			numeric = false
		}
		if unicode.IsUpper(r) && prev != 0 && unicode.IsLower(prev) {
			parts = append(parts, span{from, i})
			from, cut = i, true
		}
		prev = r
		i += n
	}
	parts = append(parts, span{from, end})
	for _, p := range parts {
		if utf8.RuneCountInString(text[p.start:p.end]) > 1 {
			single = false
		}
	}
	switch {
	case numeric:
		a.emit(strings.ReplaceAll(text[start:end], ",", ""), start, end, false, fn)
		return
	case len(parts) == 1:
		s := text[start:end]
		if apostrophe {
			s = elide(s)
		}
		a.emit(s, start, end, false, fn)
		a.acronym(text, start, end, fn)
		return
	case single && !cut: // U.S., e.g.: a word by itself, and not "us"
		a.emit(joined(text, parts), start, end, false, func(t Token) {
			t.Stop = false
			fn(t)
		})
		return
	}
	for _, p := range parts {
		s := text[p.start:p.end]
		if apostrophe {
			s = elide(s)
		}
		a.emit(s, p.start, p.end, false, fn)
		a.acronym(text, p.start, p.end, fn)
	}
	if len(parts) <= maxJoined {
		a.emit(joined(text, parts), start, end, true, fn)
	}
}

// maxJoined is the most parts that are joined; longer runs are lists of something.
const maxJoined = 8

// acronym emits the parts of a word like HTTPServer, whose capitals end where
// another word begins, besides the word itself.
func (a *analyzer) acronym(text string, start, end int, fn func(Token)) {
	capitals := start
	for capitals < end && 'A' <= text[capitals] && text[capitals] <= 'Z' {
		capitals++
	}
	at := capitals - 1 // the last capital begins the second word
	if at-start < 2 || end-capitals < 3 {
		return
	}
	for i := capitals; i < end; i++ {
		if text[i] < 'a' || text[i] > 'z' {
			return
		}
	}
	a.emit(text[start:at], start, at, true, fn)
	a.emit(text[at:end], at, end, true, fn)
}

func digitAt(text string, i int) bool {
	return i < len(text) && '0' <= text[i] && text[i] <= '9'
}

func joined(text string, parts []span) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(text[p.start:p.end])
	}
	return elide(b.String())
}

// elide drops a possessive 's, the article of French and Italian (l'eau), and
// else the apostrophe itself (don't, O'Brien).
func elide(s string) string {
	parts := strings.FieldsFunc(s, func(r rune) bool {
		return r == '\'' || r == '’' || r == '\u02BC' || r == '\u00AD'
	})
	if strings.ContainsRune(s, '\u00AD') || len(parts) != 2 {
		return strings.Join(parts, "")
	}
	head, tail := parts[0], parts[1]
	if tail == "s" || tail == "S" {
		return head
	}
	switch strings.ToLower(head) {
	case "l", "d", "j", "m", "n", "s", "t", "c", "qu", "un", "dell", "nell", "all", "sull", "dall":
		if utf8.RuneCountInString(tail) > 2 {
			return tail
		}
	}
	return head + tail
}

// emit normalises and stems a word.
func (a *analyzer) emit(word string, start, end int, extra bool, fn func(Token)) {
	term, ok := a.stems[word]
	if !ok {
		term = stem(fold(word))
		if a.stems == nil || len(a.stems) >= maxStems {
			a.stems = make(map[string]string, 64)
		}
		if len(word) <= maxTerm {
			a.stems[strings.Clone(word)] = term
		}
	}
	if term == "" {
		return
	}
	fn(Token{Term: term, Start: start, End: end, Extra: extra, Stop: !extra && IsStop(term)})
}

// pairs emits overlapping pairs of a run of dense script, or its only character.
func (a *analyzer) pairs(text string, start, end int, fn func(Token)) {
	prev, count := -1, 0
	for i := start; i < end; {
		_, n := utf8.DecodeRuneInString(text[i:])
		for i+n < end {
			r, more := utf8.DecodeRuneInString(text[i+n:])
			if !voicing(r) {
				break
			}
			n += more
		}
		if prev >= 0 {
			if t := fold(text[prev : i+n]); t != "" {
				fn(Token{Term: t, Start: prev, End: i + n})
			}
		}
		prev = i
		count++
		i += n
	}
	if count == 1 {
		if t := fold(text[start:end]); t != "" {
			fn(Token{Term: t, Start: start, End: end})
		}
	}
}

// fold lowers case, applies NFKC and removes diacritics and what is no word.
func fold(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		if len(s) > maxTerm {
			s = s[:maxTerm]
		}
		return strings.ToLower(s)
	}
	var b strings.Builder
	count := 0
	s = norm.NFKD.String(s)
	named := symbols(s)
	for _, r := range s {
		if count >= maxTerm {
			break
		}
		if unicode.Is(unicode.Mn, r) && foldable(r) || !wordRune(r) && r != '.' {
			continue
		}
		count++
		r = unicode.ToLower(r)
		if named && r >= 'α' && r <= 'ω' {
			b.WriteString(greek[r-'α'])
			continue
		}
		switch r {
		case 'ß':
			b.WriteString("ss")
		case 'æ':
			b.WriteString("ae")
		case 'œ':
			b.WriteString("oe")
		case 'ø':
			b.WriteByte('o')
		case 'đ', 'ð':
			b.WriteByte('d')
		case 'ł':
			b.WriteByte('l')
		case 'þ':
			b.WriteString("th")
		case 'ı':
			b.WriteByte('i')
		case 'ς':
			b.WriteRune('σ')
		default:
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// symbols tells whether the Greek letters of a word are signs, as in β or TGFβ,
// and not a Greek word: they are then written as their names.
func symbols(s string) bool {
	letters, other := 0, 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= 0x0370 && r <= 0x03FF:
			letters++
		default:
			other++
		}
	}
	return letters == 1 || letters > 0 && other > 0
}

var greek = [...]string{
	"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
	"omicron", "pi", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
}

// foldable marks are accents and points; the vowel signs of Indic scripts,
// kana voicing and the like make other words and stay.
func foldable(r rune) bool {
	switch {
	case r < 0x0483, // Latin, Greek and Cyrillic accents
		r >= 0x0591 && r <= 0x05C7,              // Hebrew points
		r >= 0x064B && r <= 0x065F, r == 0x0670, // Arabic vowels
		r >= 0x1AB0 && r <= 0x1AFF, r >= 0x1DC0 && r <= 0x1DFF:
		return true
	}
	return false
}
