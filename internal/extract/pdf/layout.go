package pdf

import (
	"math"
	"slices"
	"sort"
	"strings"
)

// segment is a run of glyphs on one line without a wide gap.
type segment struct {
	text     string
	x, end   float64
	y, size  float64
	chars    int
	wide     bool // what stands before it on the line is a cell away
	backward bool // mostly right to left
}

// line is what stands on one height, from left to right.
type line struct {
	segs    []segment
	y, size float64
}

// block is a paragraph, or a table row with its cells.
type block struct {
	text string
	row  []string
}

// layout puts the glyphs of a page into reading order.
func layout(glyphs []glyph) []block {
	var out []block
	for turn := range 4 {
		var gs []glyph
		for _, g := range glyphs {
			if g.turn == turn && g.size > 0.1 && finite(g.x) && finite(g.y) && finite(g.end) {
				gs = append(gs, g)
			}
		}
		if len(gs) > 0 {
			out = append(out, paragraphs(order(lines(gs), 0))...)
		}
	}
	return out
}

func finite(v float64) bool { return math.Abs(v) < 1e6 }

// lines groups glyphs by height, allowing for raised and lowered ones, and cuts
// each line at wide gaps.
func lines(gs []glyph) []line {
	sort.SliceStable(gs, func(i, j int) bool { return gs[i].y > gs[j].y })
	var out []line
	for i := 0; i < len(gs); {
		size := gs[i].size
		j := i + 1
		for j < len(gs) && gs[i].y-gs[j].y <= 0.35*math.Max(size, gs[j].size) {
			size = math.Max(size, gs[j].size)
			j++
		}
		if l := cut(gs[i:j]); len(l.segs) > 0 {
			out = append(out, l)
		}
		i = j
	}
	return out
}

const (
	wordGap = 0.17 // of the font size: wider gaps separate words
	cellGap = 1.0  // wider gaps separate columns or cells
)

// cut makes a line of the glyphs of one height.
func cut(gs []glyph) line {
	sort.SliceStable(gs, func(i, j int) bool { return gs[i].x < gs[j].x })
	var l line
	var cur []glyph
	flush := func() {
		if s, ok := join(cur); ok {
			s.wide = len(l.segs) > 0
			l.segs = append(l.segs, s)
			if s.size > l.size {
				l.size, l.y = s.size, s.y
			}
		}
		cur = cur[:0]
	}
	end := math.Inf(-1)
	for _, g := range gs {
		if len(cur) > 0 {
			prev := cur[len(cur)-1]
			if g.text == prev.text && math.Abs(g.x-prev.x) < 0.08*g.size && math.Abs(g.y-prev.y) < 0.08*g.size && g.text != " " {
				continue // drawn twice to look bold
			}
			if g.x-end > cellGap*math.Max(g.size, prev.size) {
				flush()
			}
		}
		cur = append(cur, g)
		end = math.Max(end, g.end)
		if strings.TrimSpace(g.text) == "" {
			end = math.Min(end, g.x) // spaces do not fill a gap
			cur[len(cur)-1].text = " "
		}
		if len(cur) == 1 {
			end = g.end
		}
	}
	flush()
	return l
}

// join makes a segment of neighbouring glyphs.
func join(gs []glyph) (segment, bool) {
	parts := make([]string, 0, len(gs)+8)
	s := segment{x: math.Inf(1), end: math.Inf(-1)}
	backward, forward := 0, 0
	end := 0.0
	for i, g := range gs {
		if i > 0 && g.x-end > wordGap*g.size && g.text != " " && parts[len(parts)-1] != " " {
			parts = append(parts, " ")
		}
		parts = append(parts, g.text)
		end = g.end
		if g.text == " " {
			continue
		}
		for _, r := range g.text {
			s.chars++
			switch direction(r) {
			case 1:
				forward++
			case -1:
				backward++
			}
		}
		s.x, s.end = math.Min(s.x, g.x), math.Max(s.end, g.end)
		if g.size > s.size {
			s.size, s.y = g.size, g.y
		}
	}
	if s.chars == 0 {
		return s, false
	}
	if s.backward = backward > forward; s.backward || backward > 0 {
		parts = logical(parts, s.backward)
	}
	s.text = strings.Join(strings.Fields(strings.Join(parts, "")), " ")
	return s, true
}

// maxSplits bounds columns in columns.
const maxSplits = 6

// order sorts lines into reading order: where a gutter parts the lines of a
// region, its left side is read before its right side.
func order(ls []line, depth int) []line {
	x, ok := gutter(ls)
	if !ok || depth >= maxSplits {
		return ls
	}
	var out, left, right []line
	flush := func() {
		if enough(left) && enough(right) {
			out = append(out, order(left, depth+1)...)
			out = append(out, order(right, depth+1)...)
		} else {
			out = append(out, merge(left, right)...)
		}
		left, right = nil, nil
	}
	for _, l := range ls {
		a, b, crosses := l.split(x)
		if crosses {
			flush()
			out = append(out, l)
			continue
		}
		if len(a.segs) > 0 {
			left = append(left, a)
		}
		if len(b.segs) > 0 {
			right = append(right, b)
		}
	}
	flush()
	return out
}

// split parts a line at x, unless a segment crosses it.
func (l line) split(x float64) (a, b line, crosses bool) {
	a, b = line{y: l.y, size: l.size}, line{y: l.y, size: l.size}
	for _, s := range l.segs {
		switch {
		case s.end <= x:
			a.segs = append(a.segs, s)
		case s.x >= x:
			b.segs = append(b.segs, s)
		default:
			return a, b, true
		}
	}
	return a, b, false
}

// merge undoes split for lines that turned out not to stand in columns.
func merge(a, b []line) []line {
	var out []line
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].y > b[0].y:
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || b[0].y > a[0].y:
			out, b = append(out, b[0]), b[1:]
		default:
			l := a[0]
			l.segs = append(slices.Clip(l.segs), b[0].segs...)
			out, a, b = append(out, l), a[1:], b[1:]
		}
	}
	return out
}

// enough tells text in a column from the cells of a table: several lines, most
// of them long.
func enough(ls []line) bool {
	chars := 0
	for _, l := range ls {
		for _, s := range l.segs {
			chars += s.chars
		}
	}
	return len(ls) >= 4 && chars >= 22*len(ls)
}

// gutter finds the x with most text on both sides and least across it.
func gutter(ls []line) (float64, bool) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, l := range ls {
		for _, s := range l.segs {
			lo, hi = math.Min(lo, s.x), math.Max(hi, s.end)
		}
	}
	if len(ls) < 6 || hi-lo < 50 {
		return 0, false
	}
	const steps = 120
	best, bestScore := 0.0, 0.0
	for i := steps / 8; i <= steps*7/8; i++ {
		x := lo + (hi-lo)*float64(i)/steps
		var left, right, across float64
		for _, l := range ls {
			a, b, crosses := l.split(x)
			if crosses {
				across += l.chars()
				continue
			}
			left, right = left+a.chars(), right+b.chars()
		}
		score := math.Min(left, right) - 0.5*across
		switch {
		case score > bestScore:
			best, bestScore = x, score
		case score == bestScore && score > 0: // the middle of an equally good stretch
			best += (hi - lo) / steps / 2
		}
	}
	return best, bestScore > 0
}

func (l line) chars() float64 {
	n := 0
	for _, s := range l.segs {
		n += s.chars
	}
	return float64(n)
}
