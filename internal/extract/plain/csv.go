package plain

import (
	"strings"

	"atrium/internal/extract/doc"
)

// CSV reads separated values. A row is kept as it is written, so that what a
// person sees in the file is found; a line end inside quotes does not end it.
// The header is repeated as the heading path, in place of a title.
func CSV(in *doc.Input) error {
	text, err := load(in, nil)
	if err != nil {
		return err
	}
	sep := Separator(text)
	first := true
	for text != "" {
		var row string
		row, text = cutRow(text, sep)
		if strings.TrimSpace(strings.Trim(row, string(sep))) == "" {
			continue
		}
		in.Out.Add(doc.TableRow, row)
		if first {
			first = false
			in.Out.SetTitle(in.Name)
		}
		if err := in.Stopped(); err != nil {
			return err
		}
	}
	return nil
}

// Separator guesses what separates the values: the candidate that stands
// equally often, and at least once, in the most of the first rows.
func Separator(text string) byte {
	best, bestScore := byte(','), 0.0
	for _, sep := range []byte{',', ';', '\t', '|'} {
		rest := text[:min(len(text), 64<<10)]
		rows, same, first := 0, 0, 0
		for rest != "" && rows < 50 {
			var row string
			row, rest = cutRow(rest, sep)
			if strings.TrimSpace(row) == "" {
				continue
			}
			n := fields(row, sep)
			if rows == 0 {
				first = n
			}
			if n == first {
				same++
			}
			rows++
		}
		if first < 2 {
			continue
		}
		if score := float64(same)/float64(rows) + 0.001*float64(min(first, 50)); score > bestScore {
			best, bestScore = sep, score
		}
	}
	return best
}

func fields(row string, sep byte) int {
	n, quoted := 1, false
	for i := range len(row) {
		switch {
		case row[i] == '"':
			quoted = !quoted
		case row[i] == sep && !quoted:
			n++
		}
	}
	return n
}

// maxQuoted bounds how far a quoted value is followed over line ends: a quote
// that is never closed must not swallow the file.
const maxQuoted = 20_000

// cutRow cuts the first row off. A quote opens a value only at its start.
func cutRow(text string, sep byte) (row, rest string) {
	quoted, start := false, true
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && i > maxQuoted:
			return cutLine(text)
		case c == '"' && quoted:
			quoted = false
		case c == '"' && start:
			quoted, start = true, false
			continue
		case c == '\n' && !quoted:
			return text[:i], text[i+1:]
		}
		start = c == sep && !quoted
	}
	if quoted {
		return cutLine(text)
	}
	return text, ""
}

func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	return line, rest
}
