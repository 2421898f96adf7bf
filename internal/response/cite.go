package response

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"atrium/internal/retrieval/analysis"
)

// citer lets the text of an answer pass as it streams, and takes out every
// citation that does not hold. A citation is [n], or several numbers in one
// pair of brackets, which are then sent one by one. What may be the beginning
// of one, and the spaces before it, are held back until it is whole. Brackets
// in code blocks, and those that index a name in inline code, are no citations.
type citer struct {
	// holds tells whether [number] may stand where the text before it ends.
	holds func(number int, before string) bool

	text    strings.Builder // what has passed
	held    []byte          // spaces, and perhaps an open bracket with what follows
	open    int             // where the bracket stands in held; -1 when there is none
	ticks   int             // backticks in a row just now
	code    int             // how many opened the code we are in
	last    byte
	newline bool // the last byte that was not a space was a line's end
}

const (
	maxHeld   = 64 // bytes of a citation; longer ones are text
	maxRange  = 20 // numbers that [a-b] may stand for
	fenceLong = 3  // backticks of a code block
)

func newCiter(holds func(int, string) bool) *citer { return &citer{holds: holds, open: -1} }

// write takes the next text and answers what may be sent of it and of what was
// held back.
func (c *citer) write(s string) string {
	from := c.text.Len()
	for i := 0; i < len(s); i++ {
		c.take(s[i])
	}
	return c.text.String()[from:]
}

// close answers what was held back, at the end of the text; the beginning of a
// citation that never became whole is dropped.
func (c *citer) close() string {
	from := c.text.Len()
	if c.open >= 0 && bytes.ContainsAny(c.held[c.open:], "0123456789") {
		c.held, c.open = c.held[:0], -1 // the spaces before it go too
	}
	c.release()
	return c.text.String()[from:]
}

func (c *citer) take(b byte) {
	if c.open >= 0 {
		switch {
		case b == ']':
			c.decide()
			c.last = b
			return
		case len(c.held)-c.open < maxHeld && (b >= '0' && b <= '9' || b == ',' || b == ';' || b == '-' || b == ' '):
			c.held = append(c.held, b)
			return
		}
		c.release()
	}
	c.track(b)
	switch {
	case b == ' ':
		c.held = append(c.held, b)
		if len(c.held) > maxHeld {
			c.release()
		}
	case b == '[' && c.cites():
		c.open = len(c.held)
		c.held = append(c.held, b)
	default:
		c.release()
		c.text.WriteByte(b)
	}
	c.last = b
}

// release lets what was held back pass as text.
func (c *citer) release() {
	c.text.Write(c.held)
	c.held, c.open = c.held[:0], -1
}

// track follows which code the text is in.
func (c *citer) track(b byte) {
	if b == '`' {
		c.ticks++
		return
	}
	switch {
	case c.ticks == 0:
	case c.code == 0:
		c.code = c.ticks
	case c.code == c.ticks || c.code >= fenceLong && c.ticks > c.code:
		c.code = 0
	}
	c.ticks = 0
	if b == '\n' && c.newline && c.code < fenceLong {
		c.code = 0 // inline code ends with its paragraph
	}
	if b != ' ' {
		c.newline = b == '\n'
	}
}

// cites tells whether a bracket here may begin a citation.
func (c *citer) cites() bool {
	if c.code == 0 {
		return true
	}
	word := c.last == '_' || c.last == ')' || c.last == ']' || c.last >= '0' && c.last <= '9' || c.last|0x20 >= 'a' && c.last|0x20 <= 'z'
	return c.code < fenceLong && !word
}

// decide looks at the bracket that is whole now.
func (c *citer) decide() {
	inside := string(c.held[c.open+1:])
	numbers, ok := citedNumbers(inside)
	if !ok {
		c.held = append(c.held, ']')
		c.release()
		return
	}
	before := c.text.String()
	kept := c.held[:c.open]
	for _, n := range numbers {
		if c.holds(n, before) {
			kept = append(kept, "["+strconv.Itoa(n)+"]"...)
		}
	}
	if len(kept) == c.open {
		kept = kept[:0] // the spaces before it go too
		if insideBracket(before) {
			kept = append(kept, "[]"...) // or what stands around it would close up to a citation that nobody checked
		}
	}
	c.held = kept
	c.release()
}

// insideBracket tells whether a text ends in what may be the beginning of a
// citation.
func insideBracket(text string) bool {
	text = text[max(0, len(text)-maxHeld):]
	return strings.HasSuffix(strings.TrimRight(text, "0123456789,;- "), "[")
}

// citedNumbers reads "12", "1, 2" and "1-3"; false when it is none of these.
func citedNumbers(s string) ([]int, bool) {
	var out []int
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		low, high, isRange := strings.Cut(part, "-")
		a, err := number(low)
		if err != nil {
			return nil, false
		}
		b := a
		if isRange {
			if b, err = number(high); err != nil {
				return nil, false
			}
		}
		if b-a > maxRange {
			b = a
		}
		for n := a; n <= b; n++ {
			out = append(out, n)
		}
	}
	return out, len(out) > 0
}

// number reads digits; one too long to be a passage's number is -1.
func number(s string) (int, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1, nil //nolint:nilerr // digits beyond an int number no passage, but they are a citation
	}
	return n, nil
}

const (
	longestQuote = 600 // code points
	tail         = 1500
)

// citing is the sentence that a citation at the end of text belongs to.
func citing(text string) string {
	if len(text) > tail {
		text = text[len(text)-tail:]
		for len(text) > 0 && !utf8.RuneStart(text[0]) {
			text = text[1:]
		}
	}
	text = strings.TrimRight(text, " \n")
	ends := analysis.Sentences(text)
	for i, end := range slices.Backward(ends) {
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		// A line of a list is a sentence of its own.
		s := text[from:end]
		if nl := strings.LastIndexByte(strings.TrimRight(s, "\n "), '\n'); nl >= 0 {
			s = s[nl+1:]
		}
		if len(terms(s)) > 0 {
			return s
		}
	}
	return text
}

// terms are the words of a text that say something, without marks of citation.
func terms(s string) map[string]bool {
	out := map[string]bool{}
	for _, t := range analysis.Tokens(s) {
		if t.Stop || t.Extra || t.Start > 0 && s[t.Start-1] == '[' && strings.HasPrefix(s[t.End:], "]") {
			continue
		}
		out[t.Term] = true
	}
	return out
}

// quoteFor finds in a passage the sentence, or two that stand together, which
// best supports what is claimed: text[start:end], never blank unless text is.
func quoteFor(claim, question, text string) (start, end int) {
	if start, end, ok := verbatim(claim, text); ok {
		return start, end
	}
	of := sentencesOf(text)
	if start, end, score := of.best(terms(claim)); score > 0 {
		return start, end
	}
	start, end, _ = of.best(terms(question))
	return start, end
}

// sentences are the parts of a text with their words.
type sentences struct {
	text  string
	ends  []int
	words []map[string]bool
}

func sentencesOf(text string) sentences {
	s := sentences{text: text, ends: analysis.Sentences(text)}
	from := 0
	for _, end := range s.ends {
		s.words = append(s.words, terms(text[from:end]))
		from = end
	}
	return s
}

// verbatim finds the sentences of text that hold a claim word for word, as an
// extract or a model that quotes makes it; short claims say too little for that.
func verbatim(claim, text string) (start, end int, ok bool) {
	const short = 20 // code points
	claim = strings.Trim(claim, " \n\t\"'“”‘’«»*_>.-")
	at := strings.Index(text, claim)
	if at < 0 || utf8.RuneCountInString(claim) < short {
		return 0, 0, false
	}
	for _, e := range analysis.Sentences(text) {
		if e <= at {
			start = e
		}
		if end = e; e >= at+len(claim) {
			break
		}
	}
	start, end = trim(text, start, end)
	return start, end, true
}

// best is the part of text that holds most of what is wanted, and how much.
func (s sentences) best(want map[string]bool) (start, end, score int) {
	shares := make([]map[string]bool, len(s.ends))
	score = -1
	from := 0
	begin := func(i int) int {
		if i == 0 {
			return 0
		}
		return s.ends[i-1]
	}
	for i := range s.ends {
		shares[i] = shared(want, s.words[i])
		if n := len(shares[i]); n > score && strings.TrimSpace(s.text[begin(i):s.ends[i]]) != "" {
			score, start, end, from = n, begin(i), s.ends[i], i
		}
	}
	// A neighbour comes along when it supports what the best one leaves open.
	for _, j := range []int{from - 1, from + 1} {
		if j < 0 || j >= len(s.ends) {
			continue
		}
		more := 0
		for t := range shares[j] {
			if !shares[from][t] {
				more++
			}
		}
		if 3*more >= len(want) && more > 1 {
			start, end = min(start, begin(j)), max(end, s.ends[j])
			break
		}
	}
	start, end = trim(s.text, start, end)
	return start, end, score
}

func shared(want, words map[string]bool) map[string]bool {
	out := map[string]bool{}
	for t := range words {
		if want[t] {
			out[t] = true
		}
	}
	return out
}

// trim takes white space off both ends of a span and cuts a long one at a word.
func trim(text string, start, end int) (int, int) {
	s := text[start:end]
	start += len(s) - len(strings.TrimLeft(s, " \t\r\n"))
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > longestQuote {
		s = string([]rune(s)[:longestQuote])
		if i := strings.LastIndexAny(s, " \n"); i > len(s)/2 {
			s = strings.TrimSpace(s[:i])
		}
	}
	return start, start + len(s)
}
