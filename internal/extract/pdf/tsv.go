package pdf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A page as pdftotext -tsv tells it: blocks in reading order, their lines, and
// where each word stands.

type tsvPage struct {
	width  float64
	blocks []tsvBlock
}

type tsvBlock struct {
	lines []tsvLine
	words int
}

type tsvLine struct {
	words                    []tsvWord
	left, top, right, height float64
}

type tsvWord struct {
	left, right, top, height float64
	text                     string
}

// The fields of a line that are looked at.
const (
	tsvLeft   = 6
	tsvTop    = 7
	tsvWidth  = 8
	tsvHeight = 9
	tsvText   = 11
)

// parseTSV reads the table; ok is false when it is none, as of a pdftotext that
// does not know how.
func parseTSV(out []byte) (pages []tsvPage, ok bool) {
	head, rest, found := bytes.Cut(out, []byte("\n"))
	if !found || !bytes.HasPrefix(head, []byte("level\tpage_num")) {
		return nil, false
	}
	// Words and lines lie one after the other, so that each kind is made at once.
	words := make([]tsvWord, 0, bytes.Count(out, []byte("\n5\t")))
	lines := make([]tsvLine, 0, bytes.Count(out, []byte("\n4\t")))
	var b *tsvBlock
	var l *tsvLine
	for row := range bytes.Lines(rest) {
		if len(row) < 2 || row[0] == '\t' || row[1] != '\t' {
			continue
		}
		row = bytes.TrimRight(row, "\r\n")
		var f [tsvText][]byte
		n := 0
		for i := bytes.IndexByte(row, '\t'); n < tsvText && i >= 0; i = bytes.IndexByte(row, '\t') {
			f[n], row = row[:i], row[i+1:]
			n++
		}
		if n < tsvText {
			continue
		}
		switch f[0][0] {
		case '1':
			pages = append(pages, tsvPage{width: decimal(f[tsvWidth])})
			b, l = nil, nil
		case '3':
			if len(pages) > 0 {
				p := &pages[len(pages)-1]
				p.blocks = append(p.blocks, tsvBlock{})
				b, l = &p.blocks[len(p.blocks)-1], nil
			}
		case '4':
			if b != nil {
				lines = append(lines, tsvLine{})
				l = &lines[len(lines)-1]
				b.lines = lines[len(lines)-1-len(b.lines):]
			}
		case '5':
			if l == nil || len(row) == 0 {
				continue
			}
			b.words++
			left := decimal(f[tsvLeft])
			w := tsvWord{left, left + decimal(f[tsvWidth]), decimal(f[tsvTop]), decimal(f[tsvHeight]), string(row)}
			words = append(words, w)
			l.take(w, words[len(words)-1-len(l.words):])
		}
	}
	return pages, true
}

// decimal reads a number as pdftotext writes it, and anything else as strconv does.
func decimal(b []byte) float64 {
	const most = 15 // so many digits a float64 holds exactly, and their power of ten
	n, after := 0, -1
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = 10*n + int(c-'0')
		case c == '.' && after < 0 && i > 0:
			after = len(b) - 1 - i
		default:
			after = len(b)
		}
		if i >= most || after == len(b) {
			v, err := strconv.ParseFloat(string(b), 64)
			if err != nil {
				return 0
			}
			return v
		}
	}
	return float64(n) / tens[max(after, 0)]
}

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// take adds a word; all are the words of the line with it.
func (l *tsvLine) take(w tsvWord, all []tsvWord) {
	if len(all) == 1 {
		l.left, l.top, l.right, l.height = w.left, w.top, w.right, w.height
	}
	l.left, l.right, l.top = min(l.left, w.left), max(l.right, w.right), min(l.top, w.top)
	l.height = max(l.height, w.height)
	l.words = all
}

// appendText puts together what touches, such as a large first letter and the
// small capitals after it.
func (l tsvLine) appendText(out []byte) []byte {
	for i, w := range l.words {
		if i > 0 && w.left-l.words[i-1].right > 0.08*w.height {
			out = append(out, ' ')
		}
		out = append(out, w.text...)
	}
	return out
}

// paragraph joins the lines of a block; a word that was parted at a line's end
// is put together, as pdftotext does.
func (b tsvBlock) paragraph() string {
	size := 0
	for _, l := range b.lines {
		for _, w := range l.words {
			size += len(w.text) + 1
		}
	}
	out := make([]byte, 0, size)
	for i, l := range b.lines {
		if len(l.words) == 0 {
			continue
		}
		if i > 0 {
			before, cut := bytes.CutSuffix(out, []byte("-"))
			last, _ := utf8.DecodeLastRune(before)
			first, _ := utf8.DecodeRuneInString(l.words[0].text)
			if cut && unicode.IsLetter(last) && unicode.IsLower(first) {
				out = before
			} else {
				out = append(out, '\n')
			}
		}
		out = l.appendText(out)
	}
	return string(out)
}

// bodyHeight is the height that most of the words have.
func bodyHeight(pages []tsvPage) float64 {
	count := map[int]int{}
	for _, p := range pages {
		for _, b := range p.blocks {
			for _, l := range b.lines {
				for _, w := range l.words {
					count[int(w.height*4+0.5)] += len(w.text)
				}
			}
		}
	}
	best, most := 0, 0
	for h, n := range count {
		if n > most || n == most && h < best {
			best, most = h, n
		}
	}
	return float64(best) / 4
}

// level is that of a heading of this text, by how much larger than the body it
// is; 0 of what is none.
func (b tsvBlock) level(body float64, text string) int {
	if body <= 0 || len(b.lines) == 0 || len(b.lines) > 3 || b.words > 24 {
		return 0
	}
	least := b.lines[0].height
	for _, l := range b.lines {
		least = min(least, l.height)
	}
	if first, _ := utf8.DecodeRuneInString(text); unicode.IsLower(first) || !strings.ContainsFunc(text, unicode.IsLetter) || strings.HasSuffix(text, ".") || b.turned() {
		return 0
	}
	switch {
	case least >= 1.6*body:
		return 1
	case least >= 1.3*body:
		return 2
	case least >= 1.08*body:
		return 3
	}
	return 0
}

// turned tells of writing that runs up or down the page.
func (b tsvBlock) turned() bool {
	return slices.ContainsFunc(b.lines, func(l tsvLine) bool {
		return slices.ContainsFunc(l.words, func(w tsvWord) bool { return utf8.RuneCountInString(w.text) > 3 && w.height > w.right-w.left })
	})
}

// cell is a part of a line that stands apart.
type cell struct {
	block                    int
	left, right, top, height float64
	words                    []tsvWord
}

func (c cell) text() string {
	if len(c.words) == 1 {
		return c.words[0].text
	}
	all := make([]string, len(c.words))
	for i, w := range c.words {
		all[i] = w.text
	}
	return strings.Join(all, " ")
}

// table is rows of cells that stand in columns.
type table struct {
	rows [][]cell
	at   map[[2]float64]bool // where its cells begin
}

const (
	fewWords  = 6 // a line of a cell has at most so many words, on average
	leastRows = 3
	leastCols = 3
)

// tables finds the tables of a page: at least three rows below each other, each
// of three cells that stand in the columns of the others. Text that runs in
// columns is none, because its lines are long.
func (p tsvPage) tables() []table {
	var cells []cell
	for i, b := range p.blocks {
		if b.words > fewWords*len(b.lines) {
			continue
		}
		gap := 0.6
		if b.words > 3*len(b.lines) {
			gap = 1 // lines that are filled to both sides have wide spaces
		}
		for _, l := range b.lines {
			cells = l.appendCells(cells, i, gap)
		}
	}
	slices.SortStableFunc(cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.top+a.height/2, b.top+b.height/2), cmp.Compare(a.left, b.left))
	})
	var rows [][]cell
	from := 0
	for i, c := range cells {
		first := cells[from]
		if i > 0 && !(c.top+c.height/2-(first.top+first.height/2) < 0.5*min(c.height, first.height)) {
			rows = append(rows, cells[from:i])
			from = i
		}
	}
	if len(cells) > 0 {
		rows = append(rows, cells[from:])
	}
	var out []table
	for from := 0; from < len(rows); {
		to, full := from, 0
		for to < len(rows) && len(rows[to]) >= leastCols-1 && (to == from || follows(rows[to-1], rows[to])) {
			if len(rows[to]) >= leastCols {
				full++
			}
			to++
		}
		if to-from >= leastRows && full >= leastRows && !formula(rows[from:to]) {
			t := table{rows[from:to], map[[2]float64]bool{}}
			for _, r := range t.rows {
				for _, c := range r {
					t.at[[2]float64{c.left, c.top}] = true
				}
			}
			out = append(out, t)
			from = to
			continue
		}
		from++
	}
	return out
}

// formula tells of signs that stand above each other: most of them are no words.
func formula(rows [][]cell) bool {
	all, signs := 0, 0
	for _, r := range rows {
		for _, c := range r {
			all++
			text := c.text()
			if len(text) < 4 && !strings.ContainsAny(text, "0123456789-–") || strings.ContainsAny(text, "=∑∫√") {
				signs++
			}
		}
	}
	return 5*signs > 2*all
}

// appendCells parts a line where there is more than a space between two words;
// gap is in heights of a word.
func (l tsvLine) appendCells(out []cell, block int, gap float64) []cell {
	from := 0
	for i, w := range l.words {
		if n := len(out); i > 0 && w.left-out[n-1].right < gap*w.height {
			out[n-1].words = l.words[from : i+1]
			out[n-1].right = max(out[n-1].right, w.right)
			continue
		}
		from = i
		out = append(out, cell{block, w.left, w.right, w.top, w.height, l.words[i : i+1]})
	}
	return out
}

// follows tells whether a row stands right below another.
func follows(above, below []cell) bool {
	return below[0].top-above[0].top < 3.2*max(above[0].height, below[0].height)
}

// grid puts the cells of each row into the columns of the table.
func (t table) grid() [][]string {
	type span struct{ left, right float64 }
	var spans []span
	for _, r := range t.rows {
		if len(r) < leastCols {
			continue // a heading over several columns would join them
		}
		for _, c := range r {
			spans = append(spans, span{c.left, c.right})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.left, b.left) })
	var columns []span
	for _, s := range spans {
		if n := len(columns); n > 0 && s.left < columns[n-1].right {
			columns[n-1].right = max(columns[n-1].right, s.right)
			continue
		}
		columns = append(columns, s)
	}
	out := make([][]string, 0, len(t.rows))
	for _, r := range t.rows {
		slices.SortStableFunc(r, func(a, b cell) int { return cmp.Compare(a.left, b.left) })
		row := make([]string, len(columns))
		for _, c := range r {
			middle := (c.left + c.right) / 2
			at := 0
			for k := range columns {
				if middle >= columns[k].left {
					at = k
				}
			}
			row[at] = strings.TrimSpace(row[at] + " " + c.text())
		}
		out = append(out, row)
	}
	return out
}

// rightToLeft tells of writing whose order the places of words do not give.
func rightToLeft(out []byte) bool {
	for len(out) > 0 {
		if len(out) >= 8 && binary.NativeEndian.Uint64(out)&0x8080808080808080 == 0 {
			out = out[8:] // most of it is numbers
			continue
		}
		r, n := utf8.DecodeRune(out)
		if r >= 0x0590 && r < 0x0900 || r >= 0xFB1D && r < 0xFE00 || r >= 0xFE70 && r < 0xFF00 {
			return true
		}
		out = out[n:]
	}
	return false
}
