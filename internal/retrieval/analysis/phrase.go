package analysis

import (
	"strings"
	"unicode/utf8"
)

// closers are the marks that end a phrase, by the one that begins it.
var closers = map[rune]string{
	'"': `"`, '“': "”“", '„': "“”", '«': "»", '»': "«", '「': "」", '『': "』", '＂': "＂",
}

// Phrases gives what stands in quotation marks, in order. A mark without its
// fellow quotes nothing.
func Phrases(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		ends, ok := closers[r]
		if !ok {
			continue
		}
		length := strings.IndexAny(text[i:], ends)
		if length < 0 {
			continue
		}
		if phrase := strings.TrimSpace(text[i : i+length]); phrase != "" {
			out = append(out, phrase)
		}
		_, n = utf8.DecodeRuneInString(text[i+length:])
		i += length + n
	}
	return out
}

// Same brings texts that differ in case, diacritics, white space and
// punctuation only to one form, whole words parted by spaces. A phrase stands in
// a text when its form does: strings.Contains(Same(text), Same(phrase)).
func Same(text string) string {
	var b strings.Builder
	b.WriteByte(' ')
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !wordRune(r) {
			i += n
			continue
		}
		end := i + n
		if !dense(r) {
			for end < len(text) {
				r, n := utf8.DecodeRuneInString(text[end:])
				if !wordRune(r) || dense(r) {
					break
				}
				end += n
			}
		}
		if w := fold(text[i:end]); w != "" {
			b.WriteString(w)
			b.WriteByte(' ')
		}
		i = end
	}
	return b.String()
}
