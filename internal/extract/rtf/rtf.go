// Package rtf reads Rich Text Format.
package rtf

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
)

const (
	maxBytes  = 128 << 20
	maxGroups = 10_000
)

// Read reads the text, headings by outline level, list items and table rows.
func Read(in *doc.Input) error {
	b, err := in.All(maxBytes)
	if err != nil {
		return err
	}
	r := &reader{in: in, b: b, fonts: map[int]encoding.Encoding{}, page: charmap.Windows1252, st: state{uc: 1}}
	if err := r.run(); err != nil {
		return err
	}
	r.paragraph()
	r.endRow()
	return in.Stopped()
}

// state is what a group inherits and restores.
type state struct {
	skip    bool   // a destination that is not text
	dest    string // the destination that is read for itself: fonttbl, title
	uc      int    // how many characters follow \u for readers without Unicode
	enc     encoding.Encoding
	level   int
	list    bool
	inTable bool
}

type reader struct {
	in    *doc.Input
	b     []byte
	i     int
	st    state
	stack []state
	fonts map[int]encoding.Encoding
	font  int
	page  encoding.Encoding // of the document
	raw   []byte            // bytes of the document's encoding, not decoded yet
	buf   strings.Builder
	title strings.Builder
	row   []string
	high  rune // first half of a surrogate pair
	drop  int  // characters to drop after \u
}

func (r *reader) run() error {
	for n := 0; r.i < len(r.b); n++ {
		if n%4096 == 0 {
			if err := r.in.Stopped(); err != nil {
				return err
			}
		}
		c := r.b[r.i]
		r.i++
		switch c {
		case '{':
			r.flush()
			if len(r.stack) >= maxGroups {
				return doc.Fail(doc.Damaged, "the RTF file nests its groups more than %d deep, which only damaged files do; save it again", maxGroups)
			}
			r.stack = append(r.stack, r.st)
			r.drop = 0
		case '}':
			r.flush()
			r.drop = 0
			if n := len(r.stack); n > 0 {
				if r.st.dest == "title" && r.stack[n-1].dest != "title" {
					r.in.Out.SetTitle(r.title.String())
				}
				r.st = r.stack[n-1]
				r.stack = r.stack[:n-1]
			}
		case '\\':
			if err := r.control(); err != nil {
				return err
			}
		case '\r', '\n':
		default:
			r.byte(c)
		}
	}
	r.flush()
	return nil
}

func (r *reader) byte(c byte) {
	if r.drop > 0 {
		r.drop--
		return
	}
	r.raw = append(r.raw, c)
}

// flush decodes the bytes read so far.
func (r *reader) flush() {
	if len(r.raw) == 0 {
		return
	}
	e := r.st.enc
	if e == nil {
		e = r.page
	}
	t, err := e.NewDecoder().Bytes(r.raw)
	if err != nil {
		t = bytes.ToValidUTF8(r.raw, []byte("\uFFFD"))
	}
	r.raw = r.raw[:0]
	r.write(string(t))
}

func (r *reader) write(s string) {
	switch {
	case r.st.dest == "title":
		r.title.WriteString(s)
	case r.st.skip || r.st.dest != "":
	default:
		r.buf.WriteString(s)
	}
}

func (r *reader) put(s string) {
	r.flush()
	if r.drop > 0 {
		r.drop--
		return
	}
	r.write(s)
}

// control reads what follows a backslash.
func (r *reader) control() error {
	if r.i >= len(r.b) {
		return nil
	}
	c := r.b[r.i]
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		r.word()
		return r.in.Out.Err()
	}
	r.i++
	switch c {
	case '\'':
		if r.i+2 <= len(r.b) {
			if v, err := strconv.ParseUint(string(r.b[r.i:r.i+2]), 16, 8); err == nil {
				r.i += 2
				r.byte(byte(v))
			}
		}
	case '*':
		r.st.skip = true
	case '~':
		r.put("\u00A0")
	case '_':
		r.put("-")
	case '\\', '{', '}':
		r.byte(c)
	case '\r', '\n':
		r.flush()
		r.paragraph()
	}
	return nil
}

func (r *reader) word() {
	start := r.i
	for r.i < len(r.b) && r.i-start < 32 && (r.b[r.i]|0x20 >= 'a' && r.b[r.i]|0x20 <= 'z') {
		r.i++
	}
	name := string(r.b[start:r.i])
	start = r.i
	if r.i < len(r.b) && r.b[r.i] == '-' {
		r.i++
	}
	for r.i < len(r.b) && r.i-start < 11 && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
		r.i++
	}
	n, err := strconv.Atoi(string(r.b[start:r.i]))
	if r.i < len(r.b) && r.b[r.i] == ' ' {
		r.i++
	}
	r.apply(name, n, err == nil)
}

var symbols = map[string]string{
	"tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "emspace": " ", "enspace": " ", "qmspace": " ",
	"bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
}

func (r *reader) apply(name string, n int, has bool) {
	if s, ok := symbols[name]; ok {
		r.put(s)
		return
	}
	switch name {
	case "u":
		r.flush()
		if r.drop > 0 {
			r.drop--
		} else {
			r.unicode(rune(uint16(n)))
			r.drop = r.st.uc
		}
	case "uc":
		r.st.uc = min(max(n, 0), 100)
	case "bin":
		r.i = min(r.i+max(n, 0), len(r.b))
	case "ansicpg":
		if e := codePage(n); e != nil {
			r.page = e
		}
	case "mac":
		r.page = charmap.Macintosh
	case "pc":
		r.page = charmap.CodePage437
	case "pca":
		r.page = charmap.CodePage850
	case "fonttbl", "title":
		r.flush()
		r.st.dest = name
	case "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "headerl", "headerr", "headerf",
		"footerl", "footerr", "footerf", "listtable", "listoverridetable", "revtbl", "rsidtbl", "generator",
		"fldinst", "xmlnstbl", "themedata", "datastore", "latentstyles", "filetbl", "bkmkstart", "bkmkend", "pntext":
		r.flush()
		r.st.skip = name != "info"
		if name == "info" { // its title is wanted
			r.st.dest = "info"
		}
	case "author", "operator", "subject", "keywords", "doccomm", "company", "creatim", "revtim", "printim":
		r.flush()
		r.st.skip = r.st.dest == "info" || r.st.skip
	case "fcharset":
		if r.st.dest == "fonttbl" {
			r.fonts[r.font] = charSet(n)
		}
	default:
		r.format(name, n, has)
	}
}

// format applies what changes the paragraph or the font.
func (r *reader) format(name string, n int, has bool) {
	switch name {
	case "f":
		r.flush()
		r.font = n
		if r.st.dest != "fonttbl" {
			r.st.enc = r.fonts[n]
		}
	case "plain":
		r.flush()
		r.st.enc = nil
	case "par", "sect", "page":
		r.flush()
		r.paragraph()
	case "pard":
		r.st.level, r.st.list, r.st.inTable = 0, false, false
	case "outlinelevel":
		if has && n >= 0 && n < 9 {
			r.st.level = n + 1
		}
	case "ls", "pnlvlblt", "pnlvlbody":
		r.st.list = true
	case "intbl":
		r.st.inTable = true
	case "listtext":
		r.flush()
		r.st.skip = true
		r.markList()
	case "cell", "nestcell":
		r.flush()
		if !r.st.skip {
			r.row = append(r.row, r.buf.String())
			r.buf.Reset()
		}
	case "row", "nestrow":
		r.flush()
		r.endRow()
	}
}

// markList makes the paragraph around a bullet a list item.
func (r *reader) markList() {
	if n := len(r.stack); n > 0 {
		r.stack[n-1].list = true
	}
}

func (r *reader) unicode(c rune) {
	switch {
	case utf16.IsSurrogate(c) && r.high == 0:
		r.high = c
	case r.high != 0:
		r.write(string(utf16.DecodeRune(r.high, c)))
		r.high = 0
	default:
		r.write(string(c))
	}
}

func (r *reader) paragraph() {
	if r.st.skip || r.st.dest != "" {
		return
	}
	if r.st.inTable {
		r.buf.WriteByte(' ')
		return
	}
	r.endRow()
	s := r.buf.String()
	r.buf.Reset()
	switch {
	case strings.TrimSpace(s) == "":
	case r.st.level > 0 && len(s) < 1000:
		r.in.Out.Heading(r.st.level, s)
	case r.st.list:
		r.in.Out.Add(doc.ListItem, s)
	default:
		r.in.Out.Add(doc.Paragraph, s)
	}
}

func (r *reader) endRow() {
	if r.row != nil {
		r.in.Out.Row(r.row)
		r.row = nil
	}
}

// codePage finds the encoding of a Windows or DOS code page.
func codePage(n int) encoding.Encoding {
	switch n {
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 866:
		return charmap.CodePage866
	case 10000:
		return charmap.Macintosh
	case 932:
		return charset.Lookup("shift_jis")
	case 936:
		return charset.Lookup("gbk")
	case 949:
		return charset.Lookup("euc-kr")
	case 950:
		return charset.Lookup("big5")
	case 65001:
		return encoding.Nop
	}
	return charset.Lookup("windows-" + strconv.Itoa(n))
}

// charSet finds the encoding of a font's character set, or nil for the
// document's.
func charSet(n int) encoding.Encoding {
	page, ok := map[int]int{
		77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
		178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437,
	}[n]
	if !ok {
		return nil
	}
	return codePage(page)
}
