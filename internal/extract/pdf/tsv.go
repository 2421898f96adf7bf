package pdf

import (
	"bytes"
	"cmp"
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

const tsvFields = 12

// parseTSV reads the table; ok is false when it is none, as of a pdftotext that
// does not know how.
func parseTSV(out []byte) (pages []tsvPage, ok bool) {
	head, rest, found := bytes.Cut(out, []byte("\n"))
	if !found || !bytes.HasPrefix(head, []byte("level\tpage_num")) {
		return nil, false
	}
	for line := range bytes.Lines(rest) {
		var f [tsvFields][]byte
		n := 0
		for line = bytes.TrimRight(line, "\r\n"); n < tsvFields-1; n++ {
			i := bytes.IndexByte(line, '\t')
			if i < 0 {
				break
			}
			f[n], line = line[:i], line[i+1:]
		}
		if n != tsvFields-1 || len(f[0]) != 1 {
			continue
		}
		f[n] = line
		number := func(i int) float64 {
			v, err := strconv.ParseFloat(string(f[i]), 64)
			if err != nil {
				return 0
			}
			return v
		}
		if f[0][0] == '1' {
			pages = append(pages, tsvPage{width: number(8)})
			continue
		}
		if len(pages) == 0 {
			continue
		}
		p := &pages[len(pages)-1]
		switch f[0][0] {
		case '3':
			p.blocks = append(p.blocks, tsvBlock{})
		case '4':
			if len(p.blocks) > 0 {
				b := &p.blocks[len(p.blocks)-1]
				b.lines = append(b.lines, tsvLine{})
			}
		case '5':
			if len(p.blocks) == 0 || len(p.blocks[len(p.blocks)-1].lines) == 0 || len(f[11]) == 0 {
				continue
			}
			b := &p.blocks[len(p.blocks)-1]
			b.words++
			left, top := number(6), number(7)
			b.lines[len(b.lines)-1].add(tsvWord{left, left + number(8), top, number(9), string(f[11])})
		}
	}
	return pages, true
}

func (l *tsvLine) add(w tsvWord) {
	if len(l.words) == 0 {
		l.left, l.top, l.right, l.height = w.left, w.top, w.right, w.height
	}
	l.left, l.right, l.top = min(l.left, w.left), max(l.right, w.right), min(l.top, w.top)
	l.height = max(l.height, w.height)
	l.words = append(l.words, w)
}

// text puts together what touches, such as a large first letter and the small
// capitals after it.
func (l tsvLine) text() string {
	var b strings.Builder
	for i, w := range l.words {
		if i > 0 && w.left-l.words[i-1].right > 0.08*w.height {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// paragraph joins the lines of a block; a word that was parted at a line's end
// is put together, as pdftotext does.
func (b tsvBlock) paragraph() string {
	var out []byte
	for i, l := range b.lines {
		t := l.text()
		if t == "" {
			continue
		}
		if i > 0 {
			before, cut := bytes.CutSuffix(out, []byte("-"))
			last, _ := utf8.DecodeLastRune(before)
			first, _ := utf8.DecodeRuneInString(t)
			if cut && unicode.IsLetter(last) && unicode.IsLower(first) {
				out = before
			} else {
				out = append(out, '\n')
			}
		}
		out = append(out, t...)
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

// level is that of a heading, by how much larger than the body it is; 0 of what
// is none.
func (b tsvBlock) level(body float64) int {
	if body <= 0 || len(b.lines) == 0 || len(b.lines) > 3 || b.words > 24 {
		return 0
	}
	least := b.lines[0].height
	for _, l := range b.lines {
		least = min(least, l.height)
	}
	text := b.paragraph()
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
	text                     string
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
			cells = append(cells, l.cells(i, gap)...)
		}
	}
	slices.SortStableFunc(cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.top+a.height/2, b.top+b.height/2), cmp.Compare(a.left, b.left))
	})
	var rows [][]cell
	for _, c := range cells {
		if n := len(rows); n > 0 {
			first := rows[n-1][0]
			if c.top+c.height/2-(first.top+first.height/2) < 0.5*min(c.height, first.height) {
				rows[n-1] = append(rows[n-1], c)
				continue
			}
		}
		rows = append(rows, []cell{c})
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
			if len(c.text) < 4 && !strings.ContainsAny(c.text, "0123456789-–") || strings.ContainsAny(c.text, "=∑∫√") {
				signs++
			}
		}
	}
	return 5*signs > 2*all
}

// cells parts a line where there is more than a space between two words; gap is
// in heights of a word.
func (l tsvLine) cells(block int, gap float64) []cell {
	var out []cell
	for i, w := range l.words {
		if n := len(out); i > 0 && w.left-out[n-1].right < gap*w.height {
			out[n-1].text += " " + w.text
			out[n-1].right = max(out[n-1].right, w.right)
			continue
		}
		out = append(out, cell{block, w.left, w.right, w.top, w.height, w.text})
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
			row[at] = strings.TrimSpace(row[at] + " " + c.text)
		}
		out = append(out, row)
	}
	return out
}

// rightToLeft tells of writing whose order the places of words do not give.
func rightToLeft(out []byte) bool {
	return bytes.ContainsFunc(out, func(r rune) bool {
		return r >= 0x0590 && r < 0x0900 || r >= 0xFB1D && r < 0xFE00 || r >= 0xFE70 && r < 0xFF00
	})
}
