package charset

import "unicode"

// plausible scores from -1 to 1 how much the text outside ASCII looks written:
// words keep to one script, a capital begins a word rather than ending it, and
// letters are more common than symbols.
func plausible(s string) float64 {
	var good, poor float64
	var prev rune
	for _, r := range s {
		if r < 0x80 && prev < 0x80 {
			prev = r
			continue
		}
		switch {
		case r < 0x80: // the step back to ASCII is judged below, by scripts
		case unicode.IsLetter(r) || unicode.IsMark(r):
			good += 0.5
		case r == 0xA0 || unicode.IsPunct(r):
			good += 0.1
		case unicode.IsSymbol(r), unicode.IsNumber(r):
			poor += 0.5
		default:
			poor++
		}
		if unicode.IsLetter(prev) && unicode.IsLetter(r) {
			a, b := script(prev), script(r)
			switch {
			case a != b && a != other && b != other:
				poor++
			case unicode.IsLower(prev) && unicode.IsUpper(r):
				poor++
			default:
				good += 0.5
			}
		}
		prev = r
	}
	if good+poor == 0 {
		return 0
	}
	return (good - poor) / (good + poor)
}

type family int

const (
	other family = iota
	latin
	cyrillic
	greek
	arabic
	hebrew
	asian
)

func script(r rune) family {
	switch {
	case unicode.Is(unicode.Latin, r):
		return latin
	case unicode.Is(unicode.Cyrillic, r):
		return cyrillic
	case unicode.Is(unicode.Greek, r):
		return greek
	case unicode.Is(unicode.Arabic, r):
		return arabic
	case unicode.Is(unicode.Hebrew, r):
		return hebrew
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return asian
	}
	return other
}
