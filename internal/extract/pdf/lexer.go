package pdf

import "strconv"

// token is a piece of a content stream or CMap: an operand or an operator.
type token struct {
	kind tokenKind
	num  float64
	str  []byte  // of strings; the word of names and operators
	arr  []token // of arrays
}

type tokenKind int

const (
	tokEnd tokenKind = iota
	tokNum
	tokString
	tokName
	tokArray
	tokDict
	tokOp
	tokClose // of an array or dictionary
)

// maxNest bounds arrays in arrays.
const maxNest = 50

type lexer struct {
	b    []byte
	i    int
	nest int
}

func space(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func delimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return space(c)
}

func (l *lexer) skipSpace() {
	for l.i < len(l.b) {
		c := l.b[l.i]
		if c == '%' {
			for l.i < len(l.b) && l.b[l.i] != '\n' && l.b[l.i] != '\r' {
				l.i++
			}
			continue
		}
		if !space(c) {
			return
		}
		l.i++
	}
}

func (l *lexer) next() token {
	l.skipSpace()
	if l.i >= len(l.b) {
		return token{}
	}
	c := l.b[l.i]
	switch {
	case c == '(':
		return token{kind: tokString, str: l.literal()}
	case c == '<' && l.i+1 < len(l.b) && l.b[l.i+1] == '<':
		l.i += 2
		return l.list(tokDict)
	case c == '<':
		return token{kind: tokString, str: l.hex()}
	case c == '[':
		l.i++
		return l.list(tokArray)
	case c == '>' || c == ']':
		l.i++
		if c == '>' && l.i < len(l.b) && l.b[l.i] == '>' {
			l.i++
		}
		return token{kind: tokClose}
	case c == '/':
		l.i++
		return token{kind: tokName, str: l.nameWord()}
	case c == '{' || c == '}' || c == ')':
		l.i++
		return token{kind: tokOp, str: l.b[l.i-1 : l.i]}
	}
	w := l.word()
	if n, ok := parseNumber(w); ok {
		return token{kind: tokNum, num: n}
	}
	return token{kind: tokOp, str: w}
}

func (l *lexer) list(k tokenKind) token {
	t := token{kind: k}
	if l.nest++; l.nest > maxNest {
		l.i = len(l.b)
		return t
	}
	defer func() { l.nest-- }()
	for {
		e := l.next()
		if e.kind == tokEnd || e.kind == tokClose {
			return t
		}
		t.arr = append(t.arr, e)
	}
}

func (l *lexer) word() []byte {
	start := l.i
	for l.i < len(l.b) && !delimiter(l.b[l.i]) {
		l.i++
	}
	return l.b[start:l.i]
}

func (l *lexer) nameWord() []byte {
	w := l.word()
	var out []byte
	for i := 0; i < len(w); i++ {
		if w[i] == '#' && i+2 < len(w) {
			if v, err := strconv.ParseUint(string(w[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, w[i])
	}
	return out
}

func (l *lexer) literal() []byte {
	l.i++
	var out []byte
	for depth := 1; l.i < len(l.b); l.i++ {
		c := l.b[l.i]
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.i++
				return out
			}
		case '\\':
			l.i++
			out = l.escape(out)
			continue
		}
		out = append(out, c)
	}
	return out
}

// escape reads what follows a backslash and leaves l.i on its last byte.
func (l *lexer) escape(out []byte) []byte {
	if l.i >= len(l.b) {
		return out
	}
	switch c := l.b[l.i]; c {
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case '\r':
		if l.i+1 < len(l.b) && l.b[l.i+1] == '\n' {
			l.i++
		}
		return out
	case '\n':
		return out
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v := 0
		for n := 0; n < 3 && l.i < len(l.b) && l.b[l.i] >= '0' && l.b[l.i] <= '7'; n++ {
			v = v*8 + int(l.b[l.i]-'0')
			l.i++
		}
		l.i--
		return append(out, byte(v))
	default:
		return append(out, c)
	}
}

func (l *lexer) hex() []byte {
	l.i++
	var out []byte
	half, n := byte(0), 0
	for ; l.i < len(l.b) && l.b[l.i] != '>'; l.i++ {
		c := l.b[l.i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			continue
		}
		if n++; n%2 == 1 {
			half = c << 4
		} else {
			out = append(out, half|c)
		}
	}
	if n%2 == 1 {
		out = append(out, half)
	}
	l.i++
	return out
}

func parseNumber(w []byte) (float64, bool) {
	if len(w) == 0 || len(w) > 40 {
		return 0, false
	}
	if c := w[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' {
		return 0, false
	}
	if n, err := strconv.ParseFloat(string(w), 64); err == nil {
		return n, true
	}
	// Some writers put a second sign or point into a number; what stands before counts.
	for i := 1; i < len(w); i++ {
		if w[i] == '-' || w[i] == '.' && i > 1 {
			if n, err := strconv.ParseFloat(string(w[:i]), 64); err == nil {
				return n, true
			}
		}
	}
	return 0, false
}
