package pdf

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// paragraphs joins lines that belong together: the same size, the usual
// distance, and no gap inside.
func paragraphs(ls []line) []block {
	var out []block
	var cur []string
	flush := func() {
		if len(cur) > 0 {
			out = append(out, block{text: unhyphenate(cur)})
		}
		cur = nil
	}
	for i, l := range ls {
		if i > 0 && apart(ls[i-1], l) {
			flush()
		}
		if len(l.segs) == 1 {
			cur = append(cur, l.segs[0].text)
			continue
		}
		cells := make([]string, 0, len(l.segs))
		backward := true
		for _, s := range l.segs {
			cells = append(cells, s.text)
			backward = backward && s.backward
		}
		if backward {
			slices.Reverse(cells)
		}
		if tabular(ls, i) {
			flush()
			out = append(out, block{row: cells})
			continue
		}
		cur = append(cur, strings.Join(cells, " "))
	}
	flush()
	return out
}

// apart tells whether a paragraph ends between two lines.
func apart(a, b line) bool {
	gap := a.y - b.y
	size := math.Max(a.size, b.size)
	return gap < 0 || gap > 1.75*size || math.Abs(a.size-b.size) > 0.15*size
}

// tabular tells whether line i is a row of a table: a neighbour has a gap that
// ends at the same place. Gaps of justified text lie anywhere.
func tabular(ls []line, i int) bool {
	return i > 0 && aligned(ls[i-1], ls[i]) || i+1 < len(ls) && aligned(ls[i], ls[i+1])
}

func aligned(a, b line) bool {
	near := 0.4 * math.Max(a.size, b.size)
	for _, s := range a.segs[min(1, len(a.segs)):] {
		for _, t := range b.segs[min(1, len(b.segs)):] {
			if math.Abs(s.x-t.x) < near || math.Abs(s.end-t.end) < near {
				return true
			}
		}
	}
	return false
}

// unhyphenate joins lines, and words that were broken at the end of one.
func unhyphenate(lines []string) string {
	var b strings.Builder
	for i, l := range lines {
		if i+1 < len(lines) {
			next, _ := utf8.DecodeRuneInString(lines[i+1])
			if stem, ok := strings.CutSuffix(l, "-"); ok && unicode.IsLower(next) {
				if last, _ := utf8.DecodeLastRuneInString(stem); unicode.IsLower(last) {
					b.WriteString(stem)
					head, rest, _ := strings.Cut(lines[i+1], " ")
					b.WriteString(head)
					b.WriteByte('\n')
					lines[i+1] = rest
					continue
				}
			}
		}
		b.WriteString(l)
		if i+1 < len(lines) && l != "" {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// direction is 1 for characters read from left to right, -1 for the others, and
// 0 for those that follow their neighbours.
func direction(r rune) int {
	if r < 0x80 {
		if unicode.IsLetter(r) {
			return 1
		}
		return 0
	}
	p, _ := bidi.LookupRune(r)
	switch p.Class() {
	case bidi.R, bidi.AL:
		return -1
	case bidi.L:
		return 1
	}
	return 0
}

// logical turns glyphs that stand as they are seen into the order in which they
// are read.
func logical(parts []string, backward bool) []string {
	parts = slices.Clone(parts)
	if backward {
		slices.Reverse(parts)
		turnRuns(parts, forwardPart)
	} else {
		turnRuns(parts, backwardPart)
	}
	for i, p := range parts {
		parts[i] = norm.NFKC.String(p) // forms of Arabic letters by their place in the word
		if backward {
			parts[i] = mirror(parts[i])
		}
	}
	return parts
}

// turnRuns reverses each run of parts that in keeps together, with the neutral
// ones between them.
func turnRuns(parts []string, in func(string) bool) {
	for i := 0; i < len(parts); i++ {
		if !in(parts[i]) {
			continue
		}
		end := i
		for j := i + 1; j < len(parts) && !opposite(parts[j], in); j++ {
			if in(parts[j]) {
				end = j
			}
		}
		slices.Reverse(parts[i : end+1])
		i = end
	}
}

func opposite(p string, in func(string) bool) bool {
	return !in(p) && (forwardPart(p) || backwardPart(p))
}

func forwardPart(p string) bool {
	for _, r := range p {
		if direction(r) == 1 || unicode.IsDigit(r) {
			return true
		}
	}
	return false
}

func backwardPart(p string) bool {
	for _, r := range p {
		if direction(r) == -1 {
			return true
		}
	}
	return false
}

// mirror swaps brackets, whose shapes were stored rather than their meaning.
func mirror(s string) string {
	switch s {
	case "(":
		return ")"
	case ")":
		return "("
	case "[":
		return "]"
	case "]":
		return "["
	}
	return s
}
