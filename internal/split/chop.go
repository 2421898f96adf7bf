package split

import (
	"unicode"
	"unicode/utf8"
)

type run struct{ start, end, words int }

const longestWord = 64 // runes

// chop cuts block[start:end] into runs of at most limit words, at spaces where
// there are any, else between runes.
func chop(block string, start, end, limit int) []run {
	var out []run
	const halves = 2 // words are counted in halves
	from, halfWords, inWord, breakAt, letters := start, 0, false, start, 0
	for i := start; i < end; {
		r, n := utf8.DecodeRuneInString(block[i:])
		switch {
		case unicode.IsSpace(r):
			inWord = false
		case unspaced(r):
			inWord = false
			halfWords++
			breakAt = i
		case !inWord:
			inWord = true
			letters = 0
			halfWords += halves
			breakAt = i
		default:
			// Nobody writes words this long: it is encoded data, cut anywhere.
			if letters++; letters%longestWord == 0 {
				halfWords += halves
				breakAt = i
			}
		}
		if halfWords > limit*halves && breakAt > from {
			cost := halves
			if unspaced(r) {
				cost = 1
			}
			out = append(out, run{from, breakAt, (halfWords - cost + 1) / halves})
			from, halfWords = breakAt, cost
		}
		i += n
	}
	if from < end {
		out = append(out, run{from, end, (halfWords + 1) / halves})
	}
	return out
}

func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
