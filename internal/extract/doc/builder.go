package doc

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxBlock    = 32 << 10 // bytes of text in a block; longer runs are cut at white space
	maxHeading  = 200      // bytes of a heading in a path
	maxLevel    = 9
	maxWarnings = 50
	maxTitle    = 300
)

// Builder collects blocks in reading order and enforces the limits on text.
// After a limit is hit every method is a no-op and Err answers why.
type Builder struct {
	limits   Limits
	doc      Document
	text     int64
	page     int
	base     []string       // headings of the containers that are open
	levels   []levelHeading // headings of the current file
	path     []string       // base and levels; shared by blocks, never written again
	openHead [][]levelHeading
	openPage []int
	err      error
}

type levelHeading struct {
	level int
	text  string
}

// NewBuilder makes an empty document with these limits.
func NewBuilder(l Limits) *Builder { return &Builder{limits: l} }

// Err is the limit that was hit, or nil. Readers of long files ask now and then.
func (b *Builder) Err() error { return b.err }

// Len is the number of blocks so far.
func (b *Builder) Len() int { return len(b.doc.Blocks) }

// Document returns what was collected.
func (b *Builder) Document() Document { return b.doc }

// SetTitle keeps the first title that is not empty.
func (b *Builder) SetTitle(s string) {
	if s = Squeeze(clean(s)); b.doc.Title == "" && len(b.base) == 0 {
		b.doc.Title = trim(s, maxTitle)
	}
}

// SetMediaType says what the outermost file is.
func (b *Builder) SetMediaType(s string) {
	if b.doc.MediaType == "" {
		b.doc.MediaType = s
	}
}

// Page sets the page of the blocks that follow, from 1.
func (b *Builder) Page(n int) {
	if b.limits.Pages > 0 && n > b.limits.Pages {
		b.stop(Fail(TooLarge, "the document has more than %d pages; split it and add the parts", b.limits.Pages))
		return
	}
	b.page = n
	if len(b.base) == 0 {
		b.doc.Pages = max(b.doc.Pages, n)
	}
}

// FirstPage gives page 1 to the blocks from index i that have none, for
// formats that only mark where a page ends.
func (b *Builder) FirstPage(i int) {
	for ; i < len(b.doc.Blocks); i++ {
		if b.doc.Blocks[i].Page == 0 {
			b.doc.Blocks[i].Page = 1
		}
	}
}

// Warn tells people about a part that could not be read.
func (b *Builder) Warn(s string) {
	s = trim(clean(s), 400)
	if len(b.doc.Warnings) < maxWarnings && !slices.Contains(b.doc.Warnings, s) {
		b.doc.Warnings = append(b.doc.Warnings, s)
	}
}

// Enter opens a part that has a name of its own, such as a file of an archive:
// the name becomes a heading above all that follows until Leave.
func (b *Builder) Enter(name string) {
	name = Squeeze(clean(name))
	b.add(Heading, name)
	b.openHead = append(b.openHead, b.levels)
	b.openPage = append(b.openPage, b.page)
	b.base = append(slices.Clone(b.base), trim(name, maxHeading))
	b.levels, b.page = nil, 0
	b.repath()
}

// Leave closes the part that the last Enter opened.
func (b *Builder) Leave() {
	n := len(b.openHead) - 1
	b.levels, b.page = b.openHead[n], b.openPage[n]
	b.openHead, b.openPage = b.openHead[:n], b.openPage[:n]
	b.base = b.base[:len(b.base)-1]
	b.repath()
}

// Heading adds a heading of a level from 1 (outermost).
func (b *Builder) Heading(level int, text string) {
	text = Squeeze(clean(text))
	if text == "" {
		return
	}
	level = min(max(level, 1), maxLevel)
	for len(b.levels) > 0 && b.levels[len(b.levels)-1].level >= level {
		b.levels = b.levels[:len(b.levels)-1]
	}
	b.repath()
	b.add(Heading, text)
	b.levels = append(slices.Clone(b.levels), levelHeading{level, trim(text, maxHeading)})
	b.repath()
}

// Add adds a block of any kind but Heading. Line breaks inside are kept.
func (b *Builder) Add(k Kind, text string) {
	if k == Code {
		b.add(k, strings.Trim(clean(text), "\n"))
		return
	}
	b.add(k, strings.TrimSpace(clean(text)))
}

// Row adds a table row. Empty rows are dropped, and empty cells at its end.
func (b *Builder) Row(cells []string) {
	out := make([]string, 0, len(cells))
	for _, c := range cells {
		out = append(out, Squeeze(clean(c)))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	if strings.TrimSpace(strings.Join(out, "")) == "" {
		return
	}
	b.add(TableRow, strings.Join(out, "\t"))
}

func (b *Builder) repath() {
	p := make([]string, 0, len(b.base)+len(b.levels))
	p = append(p, b.base...)
	for _, h := range b.levels {
		p = append(p, h.text)
	}
	b.path = p
}

func (b *Builder) stop(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Builder) add(k Kind, text string) {
	for b.err == nil && strings.TrimSpace(text) != "" {
		part := text
		if len(part) > maxBlock {
			part = cutRune(part, maxBlock)
			if i := strings.LastIndexFunc(part, unicode.IsSpace); i > maxBlock/2 {
				part = part[:i]
			}
		}
		text = text[len(part):]
		if k != Code && k != TableRow {
			text = strings.TrimSpace(text)
		}
		b.text += int64(len(part))
		switch {
		case b.text > b.limits.Text:
			b.stop(Fail(TooLarge, "the document holds more than %d MB of text; split it and add the parts", b.limits.Text>>20))
			return
		case len(b.doc.Blocks) >= b.limits.Blocks:
			b.stop(Fail(TooLarge, "the document holds more than %d paragraphs; split it and add the parts", b.limits.Blocks))
			return
		}
		// A copy, so that a small block does not keep the buffer it was cut from.
		b.doc.Blocks = append(b.doc.Blocks, Block{Kind: k, Text: strings.Clone(part), Page: b.page, Heading: b.path})
	}
}

// Squeeze replaces each run of white space by one space and trims the ends.
func Squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// clean makes valid UTF-8 without control characters, which carry no text and
// make trouble in databases and terminals; line ends become \n.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexFunc(s, unwanted) < 0 {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\f' || r == '\v' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case unwanted(r):
			return -1
		}
		return r
	}, s)
}

func unwanted(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < 0x20, r >= 0x7F && r < 0xA0, r == 0xFEFF, r == 0x00AD:
		return true
	case r == '\u2028', r == '\u2029', r >= 0xFFF9 && r <= 0xFFFC, r == 0xFFFE, r == 0xFFFF:
		return true
	}
	return false
}

// cutRune cuts s to at most n bytes without cutting a character.
func cutRune(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Reset forgets the headings and the page of the current file, for what stands
// outside of its text: notes, comments, headers.
func (b *Builder) Reset() {
	b.levels, b.page = nil, 0
	b.repath()
}

// Drop removes the last block: a heading that nothing came to stand below.
func (b *Builder) Drop() {
	if n := len(b.doc.Blocks); n > 0 {
		b.text -= int64(len(b.doc.Blocks[n-1].Text))
		b.doc.Blocks = b.doc.Blocks[:n-1]
	}
}
