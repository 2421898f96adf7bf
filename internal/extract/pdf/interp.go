package pdf

import (
	"bytes"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// matrix maps (x, y) to (a·x + c·y + e, b·x + d·y + f).
type matrix struct{ a, b, c, d, e, f float64 }

var identity = matrix{a: 1, d: 1}

// mul applies m first, then n.
func (m matrix) mul(n matrix) matrix {
	return matrix{
		m.a*n.a + m.b*n.c, m.a*n.b + m.b*n.d,
		m.c*n.a + m.d*n.c, m.c*n.b + m.d*n.d,
		m.e*n.a + m.f*n.c + n.e, m.e*n.b + m.f*n.d + n.f,
	}
}

// glyph is a drawn character (or several: a ligature) in page units, turned so
// that it reads from left to right.
type glyph struct {
	text string
	x, y float64 // start of the baseline
	end  float64 // x where the next glyph would start
	size float64
	turn int // quarter turns that were undone
}

const (
	maxGlyphs = 400_000 // of a page
	maxForms  = 12      // forms in forms
	maxOps    = 5_000_000
)

type textState struct {
	font                   *font
	size, char, word, lead float64
	scale, rise            float64
}

type graphics struct {
	ctm matrix
	ts  textState
}

// interpreter runs the drawing operators that matter to text.
type interpreter struct {
	f      *file
	glyphs []glyph
	ops    int
	g      graphics
	tm, lm matrix
}

// run runs a content stream with its resources.
func (p *interpreter) run(content []byte, res types.Dict, ctm matrix, depth int) {
	p.g = graphics{ctm: ctm, ts: textState{scale: 1}}
	p.tm, p.lm = identity, identity
	var stack []graphics
	var args []token
	l := &lexer{b: content}
	for {
		t := l.next()
		if t.kind == tokEnd {
			return
		}
		if t.kind != tokOp {
			if len(args) < 64 && t.kind != tokClose {
				args = append(args, t)
			}
			continue
		}
		if p.ops++; p.ops > maxOps || len(p.glyphs) > maxGlyphs || p.ops%4096 == 0 && p.f.in.Stopped() != nil {
			return
		}
		switch string(t.str) {
		case "q":
			if len(stack) < 1000 {
				stack = append(stack, p.g)
			}
		case "Q":
			if n := len(stack); n > 0 {
				p.g = stack[n-1]
				stack = stack[:n-1]
			}
		case "cm":
			if m, ok := toMatrix(args); ok {
				p.g.ctm = m.mul(p.g.ctm)
			}
		case "BI":
			l.skipImage()
		case "Do":
			if len(args) > 0 {
				p.form(string(args[len(args)-1].str), res, depth)
			}
		default:
			p.textOp(string(t.str), args, res)
		}
		args = args[:0]
	}
}

// skipImage moves behind a picture that stands in the stream itself.
func (l *lexer) skipImage() {
	for {
		i := bytes.Index(l.b[l.i:], []byte("EI"))
		if i < 0 {
			l.i = len(l.b)
			return
		}
		at := l.i + i
		l.i = at + 2
		if at > 0 && space(l.b[at-1]) && (l.i >= len(l.b) || space(l.b[l.i])) {
			return
		}
	}
}

func (p *interpreter) form(name string, res types.Dict, depth int) {
	if depth >= maxForms {
		return
	}
	o := p.f.dict(res["XObject"])[name]
	d := p.f.dict(o)
	if d == nil || p.f.name(d["Subtype"]) != "Form" {
		return
	}
	m := identity
	if a, ok := p.f.object(d["Matrix"]).(types.Array); ok && len(a) == 6 {
		m = matrix{p.f.num(a[0]), p.f.num(a[1]), p.f.num(a[2]), p.f.num(a[3]), p.f.num(a[4]), p.f.num(a[5])}
	}
	if r := p.f.dict(d["Resources"]); r != nil {
		res = r
	}
	saved, tm, lm := p.g, p.tm, p.lm
	p.run(p.f.stream(o), res, m.mul(p.g.ctm), depth+1)
	p.g, p.tm, p.lm = saved, tm, lm
}

func toMatrix(args []token) (matrix, bool) {
	if len(args) < 6 {
		return matrix{}, false
	}
	a := args[len(args)-6:]
	return matrix{a[0].num, a[1].num, a[2].num, a[3].num, a[4].num, a[5].num}, true
}

func last(args []token) float64 {
	if n := len(args); n > 0 {
		return args[n-1].num
	}
	return 0
}

func (p *interpreter) textOp(op string, args []token, res types.Dict) {
	ts := &p.g.ts
	n := len(args)
	switch op {
	case "BT":
		p.tm, p.lm = identity, identity
	case "Tc":
		ts.char = last(args)
	case "Tw":
		ts.word = last(args)
	case "Tz":
		ts.scale = last(args) / 100
	case "TL":
		ts.lead = last(args)
	case "Ts":
		ts.rise = last(args)
	case "Tf":
		if n >= 2 {
			ts.font = p.f.font(p.f.dict(res["Font"])[string(args[n-2].str)])
			ts.size = last(args)
		}
	case "gs":
		if n > 0 {
			gs := p.f.dict(p.f.dict(res["ExtGState"])[string(args[n-1].str)])
			if a, ok := p.f.object(gs["Font"]).(types.Array); ok && len(a) == 2 {
				ts.font, ts.size = p.f.font(a[0]), p.f.num(a[1])
			}
		}
	case "Td", "TD":
		if n >= 2 {
			if op == "TD" {
				ts.lead = -args[n-1].num
			}
			p.move(args[n-2].num, args[n-1].num)
		}
	case "Tm":
		if m, ok := toMatrix(args); ok {
			p.tm, p.lm = m, m
		}
	case "T*":
		p.move(0, -ts.lead)
	case "Tj", "'", "\"":
		if op == "\"" && n >= 3 {
			ts.word, ts.char = args[n-3].num, args[n-2].num
		}
		if op != "Tj" {
			p.move(0, -ts.lead)
		}
		if n > 0 {
			p.show(args[n-1].str)
		}
	case "TJ":
		if n == 0 {
			return
		}
		for _, e := range args[n-1].arr {
			switch e.kind {
			case tokNum:
				p.advance(-e.num / 1000 * ts.size)
			case tokString:
				p.show(e.str)
			}
		}
	}
}

func (p *interpreter) move(x, y float64) {
	p.lm = matrix{1, 0, 0, 1, x, y}.mul(p.lm)
	p.tm = p.lm
}

// advance moves along the line by a length in text units.
func (p *interpreter) advance(w float64) {
	if f := p.g.ts.font; f != nil && f.vertical {
		p.tm = matrix{1, 0, 0, 1, 0, w}.mul(p.tm)
		return
	}
	p.tm = matrix{1, 0, 0, 1, w * p.g.ts.scale, 0}.mul(p.tm)
}

func (p *interpreter) show(s []byte) {
	ts := &p.g.ts
	if ts.font == nil || len(s) == 0 {
		return
	}
	for _, c := range ts.font.decode(s) {
		if len(p.glyphs) > maxGlyphs {
			return
		}
		w := c.width/1000*ts.size + ts.char
		if c.space {
			w += ts.word
		}
		if ts.font.vertical {
			w = -ts.size + ts.char
		}
		m := matrix{1, 0, 0, 1, 0, ts.rise}.mul(p.tm).mul(p.g.ctm)
		p.advance(w)
		if c.text == "" {
			continue
		}
		p.glyphs = append(p.glyphs, place(c.text, m, c.width/1000*ts.size*ts.scale, ts.size, ts.font.vertical))
	}
}

// place turns a glyph upright and measures it in page units.
func place(text string, m matrix, width, size float64, vertical bool) glyph {
	along := math.Hypot(m.a, m.b)
	g := glyph{text: text, x: m.e, y: m.f, size: math.Abs(size) * math.Hypot(m.c, m.d)}
	if vertical {
		g.end = g.x + g.size
		return g
	}
	dir := 1.0
	if size < 0 {
		dir = -1
	}
	switch ax, ay := m.a*dir, m.b*dir; {
	case math.Abs(ax) >= math.Abs(ay) && ax >= 0:
	case math.Abs(ax) >= math.Abs(ay):
		g.turn, g.x, g.y = 2, -m.e, -m.f
	case ay > 0:
		g.turn, g.x, g.y = 1, m.f, -m.e
	default:
		g.turn, g.x, g.y = 3, -m.f, m.e
	}
	g.end = g.x + math.Abs(width)*along
	return g
}
