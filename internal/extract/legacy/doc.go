// Package legacy reads the office formats of before 2007 (.doc, .xls, .ppt) and
// Outlook messages (.msg): streams of records inside a compound file.
package legacy

import (
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/richardlehane/mscfb"
	"golang.org/x/text/encoding/charmap"

	"atrium/internal/extract/doc"
)

const (
	maxStream = 128 << 20
	maxPieces = 1 << 20
)

// open opens a compound file, after a look at the counts in its head: the
// library takes them at their word and allocates for them.
func open(in *doc.Input) (*mscfb.Reader, error) {
	head := make([]byte, 512)
	if _, err := in.File.ReadAt(head, 0); err != nil {
		return nil, damaged()
	}
	sectors := uint32(in.Size >> min(max(u16(head, 0x1E), 9), 12))
	for _, at := range []int{0x28, 0x2C, 0x40, 0x48} { // of the directory, the tables of large and small blocks, and of tables
		if u32(head, at) > sectors {
			return nil, damaged()
		}
	}
	r, err := mscfb.New(in.File)
	if err != nil {
		return nil, damaged()
	}
	return r, nil
}

// Streams lists the names of the streams in a compound file, by which one
// tells what it is.
func Streams(in *doc.Input) (map[string]bool, error) {
	r, err := open(in)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for range 10_000 {
		e, err := r.Next()
		if err != nil {
			break // the end, or damage: what stands before it tells enough
		}
		names[e.Name] = true
	}
	return names, nil //nolint:nilerr // see above
}

// Word reads a .doc file: text, table rows, headings, lists and notes.
func Word(in *doc.Input) error {
	main, table, err := load(in)
	if err != nil {
		return err
	}
	w := &word{in: in, main: main, lists: map[uint32]props{}}
	flags := u16(main, 0x0A)
	if flags&0x0100 != 0 {
		return doc.Fail(doc.Encrypted, "the document is protected by a password; remove the protection and add it again")
	}
	if u16(main, 2) < 0xC1 { // Word 6 and 95 keep the text in one run
		from, to := u32(main, 0x18), u32(main, 0x1C)
		if from > to || int(to) > len(main) {
			return damaged()
		}
		w.pieces = []piece{{n: int(to - from), at: from, narrow: true}}
	} else {
		if err := w.readPieces(table); err != nil {
			return err
		}
		w.readParagraphs(table)
	}
	if err := w.run(); err != nil {
		return err
	}
	return in.Stopped()
}

func damaged() error {
	return doc.Fail(doc.Damaged, "the Word document is damaged; save it again, best as .docx")
}

// load reads the main stream and the table stream that it names.
func load(in *doc.Input) (main, table []byte, err error) {
	r, err := open(in)
	if err != nil {
		return nil, nil, err
	}
	tables := map[string][]byte{}
	for range 10_000 {
		e, err := r.Next()
		if err != nil {
			break
		}
		if len(e.Path) > 0 { // a document embedded in this one
			continue
		}
		switch e.Name {
		case "WordDocument", "0Table", "1Table":
			b, err := io.ReadAll(io.LimitReader(r, maxStream))
			if err != nil && len(b) == 0 {
				return nil, nil, damaged()
			}
			tables[e.Name] = b
		}
	}
	main = tables["WordDocument"]
	if len(main) < 0x1AA || u16(main, 0) != 0xA5EC && u16(main, 0) != 0xA5DC {
		return nil, nil, damaged()
	}
	if u16(main, 0x0A)&0x0200 != 0 {
		return main, tables["1Table"], nil
	}
	return main, tables["0Table"], nil
}

// piece is a run of n characters stored at a place of the main stream.
type piece struct {
	n      int
	at     uint32
	narrow bool // one byte a character, in Windows-1252
}

type word struct {
	in     *doc.Input
	main   []byte
	pieces []piece
	lists  map[uint32]props // by the place behind the paragraph's end mark
	buf    []uint16
	row    []string
	field  []bool // open fields; true while in the instruction, which is not text
}

func (w *word) readPieces(table []byte) error {
	at, n := u32(w.main, 0x1A2), u32(w.main, 0x1A6)
	if uint64(at)+uint64(n) > uint64(len(table)) {
		return damaged()
	}
	clx := table[at : at+n]
	for len(clx) > 3 && clx[0] == 1 {
		skip := 3 + int(u16(clx, 1))
		if skip > len(clx) {
			return damaged()
		}
		clx = clx[skip:]
	}
	if len(clx) < 5 || clx[0] != 2 {
		return damaged()
	}
	plc := clx[5:]
	if size := int(u32(clx, 1)); size >= 0 && size < len(plc) {
		plc = plc[:size]
	}
	count := (len(plc) - 4) / 12
	if count < 1 || count > maxPieces {
		return damaged()
	}
	total := 0
	for i := range count {
		from, to := u32(plc, 4*i), u32(plc, 4*i+4)
		if to < from {
			return damaged()
		}
		// A character takes a byte at least, so that pieces that overlap a
		// thousand times cannot grow out of a small file.
		if total += int(to - from); total > 4*len(w.main) {
			return damaged()
		}
		fc := u32(plc, 4*(count+1)+8*i+2)
		p := piece{n: int(to - from), at: fc & 0x3FFFFFFF, narrow: fc&0x40000000 != 0}
		if p.narrow {
			p.at /= 2
		}
		w.pieces = append(w.pieces, p)
	}
	return nil
}

func (w *word) run() error {
	n := 0
	for _, p := range w.pieces {
		width := uint32(2)
		if p.narrow {
			width = 1
		}
		for i := range p.n {
			at := p.at + uint32(i)*width
			if uint64(at)+uint64(width) > uint64(len(w.main)) {
				w.in.Out.Warn("the Word document is damaged; a part of its text is missing")
				break
			}
			if n++; n%4096 == 0 {
				if err := w.in.Stopped(); err != nil {
					return err
				}
			}
			var c uint16
			if p.narrow {
				c = uint16(w.main[at])
				if c >= 0x80 && c < 0xA0 {
					c = uint16(charmap.Windows1252.DecodeByte(byte(c)))
				}
			} else {
				c = u16(w.main, int(at))
			}
			w.char(c, at+width)
		}
	}
	w.paragraph(props{})
	w.endRow()
	return nil
}

// The characters that Word gives a meaning.
const (
	markCell, markLine, markPage, markPara = 0x07, 0x0B, 0x0C, 0x0D
	markColumn                             = 0x0E
	fieldOpen, fieldText, fieldClose       = 0x13, 0x14, 0x15
	hyphenHard, hyphenSoft                 = 0x1E, 0x1F
)

func (w *word) char(c uint16, end uint32) {
	hidden := len(w.field) > 0 && w.field[len(w.field)-1]
	switch c {
	case fieldOpen:
		w.field = append(w.field, true)
	case fieldText:
		if n := len(w.field); n > 0 {
			w.field[n-1] = false
		}
	case fieldClose:
		if n := len(w.field); n > 0 {
			w.field = w.field[:n-1]
		}
	case markCell:
		w.field = nil
		if p, ok := w.lists[end]; ok && p.rowEnd || !ok && len(w.buf) == 0 && len(w.lists) == 0 {
			w.buf = w.buf[:0]
			w.endRow()
			return
		}
		w.row = append(w.row, string(utf16.Decode(w.buf)))
		w.buf = w.buf[:0]
	case markPara, markPage, markColumn:
		w.field = nil
		w.paragraph(w.lists[end])
	default:
		if hidden {
			return
		}
		switch c {
		case markLine:
			c = '\n'
		case hyphenHard:
			c = '-'
		case hyphenSoft:
			return
		}
		if c >= 0x20 || c == '\n' || c == '\t' {
			w.buf = append(w.buf, c)
		}
	}
}

func (w *word) paragraph(p props) {
	s := string(utf16.Decode(w.buf))
	w.buf = w.buf[:0]
	if p.table && !p.rowEnd { // a paragraph inside a cell
		w.buf = append(utf16.Encode([]rune(s)), ' ')
		return
	}
	w.endRow()
	switch {
	case strings.TrimSpace(s) == "":
	case p.level > 0 && len(s) < 1000:
		w.in.Out.Heading(p.level, s)
	case p.list:
		w.in.Out.Add(doc.ListItem, s)
	default:
		w.in.Out.Add(doc.Paragraph, s)
	}
}

func (w *word) endRow() {
	if w.row != nil {
		w.in.Out.Row(w.row)
		w.row = nil
	}
}

// u16 and u32 read little-endian numbers; outside of b they are zero.
func u16(b []byte, at int) uint16 {
	if at < 0 || at+2 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint16(b[at:])
}

func u32(b []byte, at int) uint32 {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint32(b[at:])
}
