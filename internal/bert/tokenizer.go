package bert

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// tokenizer cuts text into the pieces of words that a BERT model knows, as its
// makers' does: words at white space and punctuation, each then into the longest
// known pieces from the left.
type tokenizer struct {
	ids              map[string]int32
	longest          int // bytes of the longest piece
	cls, sep, unk    int32
	lower            bool
	strip            bool // accents
	splitIdeographs  bool
	continuingPrefix string
	maxWord          int // characters; a longer word is unknown
}

// Text is what is computed as one.
type Text struct {
	IDs   []int32
	First int // so many tokens are of the first kind, those behind them of the second
}

// Single is one text with the tokens of beginning and end, at most limit in all.
func (m *Model) Single(text string, limit int) Text {
	t := m.tokenizer
	out := append(make([]int32, 0, min(limit, 2+len(text))), t.cls)
	out = append(t.tokens(out, text, limit-1), t.sep)
	return Text{out, len(out)}
}

// Pairs joins one text to many: each pair has at most limit tokens, and what
// does not fit is cut from the longer side.
func (m *Model) Pairs(first string, limit int) func(second string) Text {
	t, room := m.tokenizer, limit-3
	a := t.tokens(nil, first, room)
	return func(second string) Text {
		b := t.tokens(nil, second, room)
		x, y := len(a), len(b)
		if x <= y {
			x = min(x, room/2)
			y = min(y, room-x)
		} else {
			y = min(y, room/2)
			x = min(x, room-y)
		}
		out := make([]int32, 0, x+y+3)
		out = append(append(append(out, t.cls), a[:x]...), t.sep)
		return Text{append(append(out, b[:y]...), t.sep), x + 2}
	}
}

// tokens adds those of a text until there are limit. Special tokens written in
// the text are words like any other. The text is read no further than needed.
func (t *tokenizer) tokens(out []int32, text string, limit int) []int32 {
	var w word
	for i := 0; i < len(text) && len(out) < limit; {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		i += size
		switch {
		case r < utf8.RuneSelf:
			out = t.ascii(out, &w, r)
		case r == utf8.RuneError || unicode.Is(unicode.C, r):
		case unicode.IsSpace(r):
			out = t.end(out, &w)
		case t.splitIdeographs && ideograph(r):
			out = t.end(out, &w)
			out = t.normal(out, &w, r)
			out = t.end(out, &w)
		default:
			out = t.normal(out, &w, r)
		}
	}
	out = t.end(out, &w)
	return out[:min(len(out), limit)]
}

// word is the one being read.
type word struct {
	text  []byte
	chars int
}

func (t *tokenizer) ascii(out []int32, w *word, r rune) []int32 {
	switch {
	case r == ' ' || r == '\t' || r == '\n' || r == '\r':
		return t.end(out, w)
	case r < ' ' || r == 0x7f:
		return out
	}
	return t.letter(out, w, r)
}

// normal takes a character beyond ASCII, which may come apart.
func (t *tokenizer) normal(out []int32, w *word, r rune) []int32 {
	if !t.strip {
		return t.letter(out, w, r)
	}
	var one [utf8.UTFMax]byte
	var many [64]byte
	b := norm.NFD.Append(many[:0], one[:utf8.EncodeRune(one[:], r)]...)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		if !unicode.Is(unicode.Mn, r) {
			out = t.letter(out, w, r)
		}
	}
	return out
}

func (t *tokenizer) letter(out []int32, w *word, r rune) []int32 {
	if punctuation(r) {
		out = t.end(out, w)
		w.text, w.chars = utf8.AppendRune(w.text, r), 1
		return t.end(out, w)
	}
	if w.chars++; w.chars > t.maxWord {
		return out
	}
	if t.lower {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		} else if r >= utf8.RuneSelf {
			r = unicode.ToLower(r)
		}
	}
	w.text = utf8.AppendRune(w.text, r)
	return out
}

// end cuts the word into known pieces. One that cannot be cut so is unknown as a whole.
func (t *tokenizer) end(out []int32, w *word) []int32 {
	if w.chars == 0 {
		return out
	}
	before := len(out)
	if w.chars > t.maxWord {
		out = append(out, t.unk)
	} else {
		out = t.pieces(out, w.text)
	}
	if len(out) == before {
		out = append(out, t.unk)
	}
	w.text, w.chars = w.text[:0], 0
	return out
}

// pieces adds nothing when the word cannot be cut.
func (t *tokenizer) pieces(out []int32, word []byte) []int32 {
	before := len(out)
	var buf [256]byte
	for from := 0; from < len(word); {
		key := buf[:0]
		if from > 0 {
			key = append(key, t.continuingPrefix...)
		}
		prefix := len(key)
		key = append(key, word[from:min(len(word), from+t.longest)]...)
		for len(key) > prefix {
			if id, ok := t.ids[string(key)]; ok {
				out = append(out, id)
				break
			}
			_, n := utf8.DecodeLastRune(key)
			key = key[:len(key)-n]
		}
		if len(key) == prefix {
			return out[:before]
		}
		from += len(key) - prefix
	}
	return out
}

// punctuation is what BERT takes for it: all ASCII that is no letter, digit or
// space, and what Unicode calls so.
func punctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' && r < 0x7f
	}
	return unicode.IsPunct(r)
}

func ideograph(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df || r >= 0x2a700 && r <= 0x2b73f ||
		r >= 0x2b740 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf || r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}
