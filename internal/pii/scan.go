package pii

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// scan is one search.
type scan struct {
	text string
	base int // where the text itself begins, after its heading
	want map[Type]bool
	out  []found
}

func (s *scan) claim(start, end int, kind Type) { s.claims(start, end, kind, false) }

func (s *scan) claims(start, end int, kind Type, weak bool) {
	for start < end && strings.IndexByte(" \t\n,;", s.text[start]) >= 0 {
		start++
	}
	for end > start && strings.IndexByte(" \t\n,;", s.text[end-1]) >= 0 {
		end--
	}
	if start < s.base {
		start = s.base // what began in the heading
	}
	for _, p := range s.placeholdersIn(start, end) {
		if p[0] > start && substance(s.text[start:p[0]]) {
			s.out = append(s.out, found{start, p[0], kind, weak})
		}
		start = p[1]
	}
	if substance(s.text[start:max(start, end)]) {
		s.out = append(s.out, found{start, end, kind, weak})
	}
}

// substance tells whether there is anything to hide.
func substance(t string) bool {
	return strings.ContainsFunc(t, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// placeholdersIn finds what an earlier redaction put there.
func (s *scan) placeholdersIn(start, end int) [][2]int {
	var out [][2]int
	for i := start; i < end; i++ {
		if s.text[i] == '[' {
			if n := placeholderAt(s.text, i); n > 0 {
				out = append(out, [2]int{i, min(i+n, end)})
				i += n - 1
			}
		}
	}
	return out
}

func placeholderAt(text string, i int) int {
	end := strings.IndexByte(text[i:min(len(text), i+18)], ']')
	if end < 3 {
		return 0
	}
	if t := text[i+1 : i+end]; t == strings.ToUpper(t) && Type(strings.ToLower(t)).Valid() {
		return end + 1
	}
	return 0
}

// run looks for everything. Numbers are told from each other, so all their
// types are looked for also when only some are wanted.
func (s *scan) run() {
	if s.want[Email] {
		s.emails()
	}
	if s.want[URL] {
		s.urls()
	}
	if s.want[Secret] {
		s.secrets()
	}
	s.addresses6()
	s.codes()
	s.numbers()
	if s.want[DateOfBirth] {
		s.births()
	}
	if s.want[Person] || s.want[Address] || s.want[Location] {
		w := words(s.text)
		if s.want[Address] || s.want[Location] {
			s.places(w)
		}
		if s.want[Person] {
			s.persons(w)
		}
	}
}

const (
	leftLook  = 56 // bytes looked at before a number for what it is
	rightLook = 24
)

// before is the text to the left in lower case, parted by single spaces and
// beginning with one.
func (s *scan) before(at int) string {
	from := max(0, at-leftLook)
	for from < at && !utf8.RuneStart(s.text[from]) {
		from++
	}
	t := s.text[from:at]
	if from > 0 {
		if i := strings.IndexAny(t, " \t\n"); i >= 0 {
			t = t[i:]
		}
	}
	return plain(t)
}

// after is the text to the right, the same way.
func (s *scan) after(at int) string {
	end := min(len(s.text), at+rightLook)
	for end > at && end < len(s.text) && !utf8.RuneStart(s.text[end]) {
		end--
	}
	return plain(s.text[at:end])
}

// plain is lower case with a space for each run of what is no letter or digit.
func plain(t string) string {
	var b strings.Builder
	b.Grow(len(t) + 2)
	space := true
	b.WriteByte(' ')
	for _, r := range t {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			b.WriteRune(unicode.ToLower(r))
			space = false
		case r == '\'' || r == '’':
		case !space:
			b.WriteByte(' ')
			space = true
		}
	}
	if !space {
		b.WriteByte(' ')
	}
	return b.String()
}

// says tells whether one of the phrases stands in a look, as whole words.
func says(look string, phrases []string) bool {
	for _, p := range phrases {
		if i := strings.Index(look, p); i > 0 && look[i-1] == ' ' && i+len(p) < len(look) && look[i+len(p)] == ' ' {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
func upper(c byte) bool { return c >= 'A' && c <= 'Z' }
func alpha(c byte) bool { return upper(c &^ 0x20) }
func alnum(c byte) bool { return digit(c) || alpha(c) }

// wordBefore tells whether a letter or digit stands right before at.
func wordBefore(text string, at int) bool {
	r, n := utf8.DecodeLastRuneInString(text[:at])
	return n > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

func wordAt(text string, at int) bool {
	r, n := utf8.DecodeRuneInString(text[at:])
	return n > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
