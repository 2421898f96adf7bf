package analysis

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences gives the byte offset after each sentence of text, the last being
// len(text). White space after a sentence belongs to it. It errs towards long
// sentences: abbreviations, initials and numbers do not end one.
func Sentences(text string) []int {
	var out []int
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		end := i + n
		switch r {
		case '。', '！', '？', '｡', '।', '॥':
			end = closing(text, end)
		case '.', '!', '?', '…', '؟', '۔':
			end = closing(text, end)
			next := skipSpace(text, end)
			if next == end && next < len(text) || r == '.' && !ends(text, i, next) {
				i = end
				continue
			}
		case '\n':
			// A line that is empty ends a sentence; a single break is layout.
			next := skipSpace(text, end)
			if strings.Count(text[i:next], "\n") < 2 {
				i = end
				continue
			}
		default:
			i = end
			continue
		}
		end = skipSpace(text, end)
		if end < len(text) {
			out = append(out, end)
		}
		i = end
	}
	if len(text) > 0 {
		out = append(out, len(text))
	}
	return out
}

// closing skips quotation marks, brackets and further stops after a stop.
func closing(text string, i int) int {
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !strings.ContainsRune(".!?…\"'”’»)]」』）", r) {
			break
		}
		i += n
	}
	// A reference such as [12] stands behind the stop of its sentence.
	for i < len(text) && text[i] == '[' {
		j := i + 1
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		if j == i+1 || j >= len(text) || text[j] != ']' {
			break
		}
		i = j + 1
	}
	return i
}

func skipSpace(text string, i int) int {
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !unicode.IsSpace(r) {
			break
		}
		i += n
	}
	return i
}

// ends tells whether the full stop at i ends a sentence, the next word being at next.
func ends(text string, i, next int) bool {
	if next >= len(text) {
		return true
	}
	r, _ := utf8.DecodeRuneInString(text[next:])
	if unicode.IsLower(r) {
		// Texts without capitals set the stop off by a space.
		return i > 0 && text[i-1] == ' '
	}
	start := i
	for start > 0 {
		r, n := utf8.DecodeLastRuneInString(text[:start])
		if unicode.IsSpace(r) || r == '(' || r == '"' || r == '“' {
			break
		}
		start -= n
	}
	word := text[start:i]
	if word == "" {
		return true
	}
	if strings.Contains(word, ".") && utf8.RuneCountInString(word) <= 5 && !hasDigit(word) {
		return false // U.S, e.g, Ph.D
	}
	if c, n := utf8.DecodeRuneInString(word); n == len(word) && unicode.IsUpper(c) {
		return false // an initial
	}
	return !abbreviations[strings.ToLower(word)]
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

var abbreviations = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`mr mrs ms dr prof sr jr st mt ft gen col lt capt sgt rev hon pres gov sen rep
		vs etc al fig figs eq eqs ref refs no nos vol pp ed eds approx ca cf dept est inc ltd co corp bros
		jan feb mar apr jun jul aug sep sept oct nov dec bzw usw nr abs art sog evtl ggf mme mlle`) {
		m[w] = true
	}
	return m
}()
