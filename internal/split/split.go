// Package split cuts what a file held into the pieces that are indexed and cited.
//
// The text of a document is its blocks joined by blank lines; every piece is a
// span of exactly that text, so a citation can be shown in its place. Pieces are
// runs of whole sentences (of whole words where a sentence is too long), do not
// cross a heading once they are of a useful size, and together cover all text.
package split

import (
	"slices"
	"strings"
	"unicode"

	"atrium/internal/extract"
	"atrium/internal/retrieval/analysis"
)

// Mode is how finely a corpus is cut.
type Mode string

const (
	Exhaustive Mode = "exhaustive" // small pieces that overlap by a sentence
	Standard   Mode = "standard"
	Basic      Mode = "basic" // large pieces, for attachments
)

// Piece is one span of the text: text[Start:End] == Text, in bytes.
type Piece struct {
	Text       string
	Page       int      // of its first block; 0 when the format has none
	Heading    []string // path of headings above its first block, outermost first
	Start, End int
	// Context is said before Text when the piece is indexed and is not part of
	// it: the header row of a table that an earlier piece began.
	Context string
}

// size is what a mode aims at, in words (a character of a script written
// without spaces counts half a word).
type size struct {
	target  int // a piece is closed at the sentence that reaches it
	limit   int // and never grows past this, unless one word is longer
	least   int // a last piece below this joins the one before, where limit allows
	overlap int // words of the sentence that is said again, at most
	whole   int // a document of one section and no more words stays in one piece
}

var sizes = map[Mode]size{
	Exhaustive: {target: 160, limit: 240, least: 60, overlap: 40, whole: 320},
	Standard:   {target: 250, limit: 320, least: 80},
	Basic:      {target: 400, limit: 500, least: 120},
}

// separator stands between blocks.
const separator = "\n\n"

// unit is the smallest run that a piece is made of: a sentence or a row.
type unit struct {
	start, end int // of the text
	words      int
	block      int // index of the block it is part of
}

// Pieces gives the text of the document and its pieces in order. An unknown
// mode is Standard. A document without text has no pieces.
func Pieces(doc extract.Document, mode Mode) (string, []Piece) {
	sz, ok := sizes[mode]
	if !ok {
		sz = sizes[Standard]
	}
	text, units := units(doc, sz.limit)
	c := cutter{text: text, doc: doc, size: sz, tables: tables(doc)}
	parts := sections(doc, units, sz)
	if len(parts) == 1 && wordsOf(parts[0]) <= sz.whole {
		c.size.limit = max(sz.limit, sz.whole)
	}
	for _, section := range parts {
		c.cut(section)
	}
	return text, c.out
}

// units builds the text and finds its sentences and rows.
func units(doc extract.Document, limit int) (string, []unit) {
	var b strings.Builder
	n := 0
	for _, bl := range doc.Blocks {
		n += len(bl.Text) + len(separator)
	}
	b.Grow(n)
	var out []unit
	for i, bl := range doc.Blocks {
		block := strings.ToValidUTF8(strings.TrimSpace(bl.Text), "\uFFFD")
		if block == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(separator)
		}
		base := b.Len()
		b.WriteString(block)
		ends := []int{len(block)}
		if bl.Kind == extract.Paragraph || bl.Kind == extract.ListItem || bl.Kind == "" {
			ends = analysis.Sentences(block)
		}
		from := 0
		for _, end := range ends {
			for _, s := range chop(block, from, end, limit) {
				out = append(out, unit{base + s.start, base + s.end, s.words, i})
			}
			from = end
		}
	}
	return b.String(), out
}

// sections parts the units at headings, joining sections until they are of a
// useful size: a page of one-line sections must not become a piece a line.
func sections(doc extract.Document, all []unit, sz size) [][]unit {
	var out [][]unit
	from, words := 0, 0
	for i, u := range all {
		if i > from && words >= sz.target/2 && u.block != all[i-1].block && opens(doc, u.block, all[i-1].block) {
			out = append(out, all[from:i])
			from, words = i, 0
		}
		words += u.words
	}
	if from < len(all) {
		out = append(out, all[from:])
	}
	return out
}

// opens tells whether block begins a section that prev is not part of.
func opens(doc extract.Document, block, prev int) bool {
	b, p := doc.Blocks[block], doc.Blocks[prev]
	if b.Kind == extract.Heading {
		return p.Kind != extract.Heading
	}
	return p.Kind != extract.Heading && !slices.Equal(b.Heading, p.Heading)
}

// cutter makes pieces of one document.
type cutter struct {
	text   string
	doc    extract.Document
	size   size
	tables []int
	out    []Piece
}

// cut makes the pieces of one section, spread evenly: as many as the target
// asks for, each about as long as the others.
func (c *cutter) cut(us []unit) {
	sz, doc := c.size, c.doc
	total := wordsOf(us)
	count := max(1, (total+sz.target/2)/sz.target)
	if total <= sz.limit {
		count = 1
	}
	aim := (total + count - 1) / count
	from, words := 0, 0
	for i, u := range us {
		// A heading goes with what it heads.
		stranded := i > from && doc.Blocks[us[i-1].block].Kind == extract.Heading
		if i > from && !stranded && (words >= aim || words+u.words > sz.limit || words+u.words/2 > aim) {
			c.out = append(c.out, c.piece(us, from, i))
			from = i
			words = 0
			if o := us[i-1]; sz.overlap > 0 && o.words <= sz.overlap && o.words+u.words <= sz.limit &&
				i-1 > 0 && doc.Blocks[o.block].Kind != extract.TableRow {
				from, words = i-1, o.words
			}
		}
		words += u.words
	}
	if from < len(us) {
		last := c.piece(us, from, len(us))
		if n := len(c.out); words < sz.least && from > 0 && fits(us, c.out[n-1].Start, sz.limit) {
			c.out[n-1].Text, c.out[n-1].End = c.text[c.out[n-1].Start:last.End], last.End
			return
		}
		c.out = append(c.out, last)
	}
}

func wordsOf(us []unit) int {
	n := 0
	for _, u := range us {
		n += u.words
	}
	return n
}

// fits tells whether the units from the byte start on stay within the limit.
func fits(us []unit, start, limit int) bool {
	words := 0
	for _, u := range us {
		if u.start >= start {
			words += u.words
		}
	}
	return words <= limit
}

func (c *cutter) piece(us []unit, from, to int) Piece {
	text, doc := c.text, c.doc
	first := us[from]
	b := doc.Blocks[first.block]
	end := first.start + len(strings.TrimRightFunc(text[first.start:us[to-1].end], unicode.IsSpace))
	p := Piece{Text: text[first.start:end], Start: first.start, End: end, Page: b.Page, Heading: b.Heading}
	if b.Kind == extract.Heading {
		// What is read under the heading knows the path that includes it.
		for _, u := range us[from:to] {
			if x := doc.Blocks[u.block]; x.Kind != extract.Heading {
				if len(x.Heading) > len(b.Heading) {
					p.Heading = x.Heading
				}
				break
			}
		}
	}
	if b.Kind == extract.TableRow {
		if h := c.tables[first.block]; h != first.block {
			p.Context = strings.TrimSpace(doc.Blocks[h].Text)
		}
	}
	return p
}

// tables gives for each block the first row of the table that it is in, else itself.
func tables(doc extract.Document) []int {
	out := make([]int, len(doc.Blocks))
	for i, b := range doc.Blocks {
		out[i] = i
		if i > 0 && b.Kind == extract.TableRow && doc.Blocks[i-1].Kind == extract.TableRow && slices.Equal(doc.Blocks[i-1].Heading, b.Heading) {
			out[i] = out[i-1]
		}
	}
	return out
}
