package pdf

import (
	"sort"
	"strings"
	"unicode/utf16"
)

// cmap maps codes of strings, to text or to glyph numbers.
type cmap struct {
	spaces []span // which codes there are; their lengths in bytes
	texts  map[int]string
	runs   []run // of texts that follow one another
	cids   []run
}

type span struct{ n, from, to int }

type run struct {
	from, to int
	start    string // text of from, whose last character counts up
	cid      int
}

// maxMapped bounds the entries of a map, of which there are at most 65,536
// useful ones.
const maxMapped = 200_000

// parseCMap reads a CMap; what is damaged in it is passed over.
func parseCMap(b []byte) *cmap {
	m := &cmap{texts: map[int]string{}}
	l := &lexer{b: b}
	var args []token
	for {
		t := l.next()
		if t.kind == tokEnd {
			break
		}
		if t.kind != tokOp {
			if len(args) < maxMapped {
				args = append(args, t)
			}
			continue
		}
		switch op := string(t.str); op {
		case "endcodespacerange":
			for i := 0; i+1 < len(args); i += 2 {
				m.spaces = append(m.spaces, span{len(args[i].str), value(args[i].str), value(args[i+1].str)})
			}
		case "endbfchar":
			for i := 0; i+1 < len(args); i += 2 {
				if len(m.texts) < maxMapped {
					m.texts[value(args[i].str)] = codeText(args[i+1])
				}
			}
		case "endbfrange":
			m.ranges(args)
		case "endcidrange":
			for i := 0; i+2 < len(args); i += 3 {
				m.cids = append(m.cids, run{from: value(args[i].str), to: value(args[i+1].str), cid: int(args[i+2].num)})
			}
		case "endcidchar":
			for i := 0; i+1 < len(args); i += 2 {
				c := value(args[i].str)
				m.cids = append(m.cids, run{from: c, to: c, cid: int(args[i+1].num)})
			}
		}
		args = args[:0]
	}
	sort.SliceStable(m.runs, func(i, j int) bool { return m.runs[i].from < m.runs[j].from })
	sort.SliceStable(m.cids, func(i, j int) bool { return m.cids[i].from < m.cids[j].from })
	return m
}

func (m *cmap) ranges(args []token) {
	for i := 0; i+2 < len(args) && len(m.runs) < maxMapped; i += 3 {
		from, to := value(args[i].str), value(args[i+1].str)
		if args[i+2].kind == tokArray {
			for k, e := range args[i+2].arr {
				if from+k <= to && len(m.texts) < maxMapped {
					m.texts[from+k] = codeText(e)
				}
			}
			continue
		}
		m.runs = append(m.runs, run{from: from, to: to, start: codeText(args[i+2])})
	}
}

// code reads the next code of s by the code spaces.
func (m *cmap) code(s []byte) (code, n int) {
	for n := 1; n <= 4 && n <= len(s); n++ {
		v := value(s[:n])
		for _, sp := range m.spaces {
			if sp.n == n && v >= sp.from && v <= sp.to {
				return v, n
			}
		}
	}
	n = min(2, len(s))
	return value(s[:n]), n
}

func find(runs []run, code int) (run, bool) {
	i := sort.Search(len(runs), func(i int) bool { return runs[i].from > code }) - 1
	for k := i; k >= 0 && k > i-4; k-- {
		if code <= runs[k].to {
			return runs[k], true
		}
	}
	return run{}, false
}

func (m *cmap) cid(code int) (int, bool) {
	r, ok := find(m.cids, code)
	return r.cid + code - r.from, ok
}

func (m *cmap) text(code int) (string, bool) {
	if s, ok := m.texts[code]; ok {
		return s, true
	}
	r, ok := find(m.runs, code)
	if !ok || r.start == "" {
		return "", false
	}
	rs := []rune(r.start)
	rs[len(rs)-1] += rune(code - r.from)
	return string(rs), true
}

func value(b []byte) int {
	v := 0
	for _, c := range b[:min(len(b), 4)] {
		v = v<<8 | int(c)
	}
	return v
}

// codeText reads the UTF-16 text that a code stands for.
func codeText(t token) string {
	if t.kind == tokName {
		return glyphText(string(t.str))
	}
	b := t.str
	if len(b) == 1 {
		return string(rune(b[0]))
	}
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b) && i < 64; i += 2 {
		u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return strings.Trim(string(utf16.Decode(u)), "\x00")
}
