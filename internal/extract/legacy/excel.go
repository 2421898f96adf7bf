package legacy

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"atrium/internal/extract/doc"
)

// The records of a workbook of before 2007 that hold what is shown.
const (
	recFormula    = 0x0006
	recDates1904  = 0x0022
	recFilePass   = 0x002F
	recContinue   = 0x003C
	recSheet      = 0x0085
	recMulRK      = 0x00BD
	recXF         = 0x00E0
	recStrings    = 0x00FC
	recLabelSST   = 0x00FD
	recNumber     = 0x0203
	recLabel      = 0x0204
	recBool       = 0x0205
	recString     = 0x0207
	recRK         = 0x027E
	recFormat     = 0x041E
	recBegin      = 0x0809
	oldBIFF       = 0x0600 // versions below write text in bytes
	maxColumns    = 256
	maxSheetsRead = 1000
)

// excel is a workbook while it is read.
type excel struct {
	in      *doc.Input
	b       []byte
	old     bool
	strings []string
	formats map[uint16]string
	styles  []uint16 // the format of each
	since   time.Time
	row     int
	cells   []string
	pending int // column of a formula whose text follows; -1 for none
}

// Excel reads an .xls file: for each sheet its name as heading and its rows,
// formulas by the value that was saved.
func Excel(in *doc.Input) error {
	b, err := stream(in, "Workbook", "Book")
	if err != nil {
		return excelDamaged()
	}
	x := &excel{in: in, b: b, formats: map[uint16]string{}, since: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC), pending: -1}
	sheets, err := x.globals()
	if err != nil {
		return err
	}
	for _, s := range sheets {
		in.Out.Heading(1, s.name)
		if err := x.sheet(s.at); err != nil {
			return err
		}
	}
	return in.Stopped()
}

func excelDamaged() error {
	return doc.Fail(doc.Damaged, "the Excel workbook is damaged; save it again, best as .xlsx")
}

type excelSheet struct {
	name string
	at   int
}

// record is the one at a place, and where the next begins; size -1 is the end.
func (x *excel) record(at int) (id uint16, body []byte, next int) {
	if at < 0 || at+4 > len(x.b) {
		return 0, nil, -1
	}
	size := int(u16(x.b, at+2))
	if at+4+size > len(x.b) {
		return 0, nil, -1
	}
	return u16(x.b, at), x.b[at+4 : at+4+size], at + 4 + size
}

// globals reads what all sheets share.
func (x *excel) globals() ([]excelSheet, error) {
	var sheets []excelSheet
	id, body, next := x.record(0)
	if id&0xFF != recBegin&0xFF || len(body) < 4 {
		return nil, excelDamaged()
	}
	x.old = u16(body, 0) < oldBIFF
	for {
		id, body, after := x.record(next)
		if after < 0 || id == 0x000A {
			break
		}
		next = after
		switch {
		case id == recFilePass:
			return nil, doc.Fail(doc.Encrypted, "the workbook is protected by a password; remove the protection and add it again")
		case id == recDates1904 && len(body) >= 2 && u16(body, 0) == 1:
			x.since = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
		case id == recFormat && len(body) > 3:
			x.formats[u16(body, 0)] = x.short(body[2:], !x.old)
		case id == recXF && len(body) >= 4:
			x.styles = append(x.styles, u16(body, 2))
		case id == recSheet && len(body) > 7 && body[5] == 0 && len(sheets) < maxSheetsRead: // not a chart or macros
			sheets = append(sheets, excelSheet{x.short(body[6:], false), int(u32(body, 0))})
		case id == recStrings:
			parts := [][]byte{body}
			for {
				id, more, after := x.record(next)
				if after < 0 || id != recContinue {
					break
				}
				parts, next = append(parts, more), after
			}
			x.readStrings(parts)
		}
	}
	return sheets, nil
}

// short is a text behind its length, which has one byte or two.
func (x *excel) short(b []byte, long bool) string {
	n, at := 0, 1
	if len(b) > 0 {
		n = int(b[0])
	}
	if long && len(b) > 1 {
		n, at = int(u16(b, 0)), 2
	}
	if len(b) <= at {
		return ""
	}
	if x.old {
		return narrow(b[at:min(len(b), at+n)])
	}
	flags := b[at]
	at++
	if flags&1 != 0 {
		return wide(b[at:min(len(b), at+2*n)])
	}
	return narrow(b[at:min(len(b), at+n)])
}

// pieces reads over the ends of records.
type pieces struct {
	parts [][]byte
	ended bool
}

func (p *pieces) take(n int) []byte {
	var out []byte
	for n > 0 && len(p.parts) > 0 {
		k := min(n, len(p.parts[0]))
		out = append(out, p.parts[0][:k]...)
		p.parts[0] = p.parts[0][k:]
		if n -= k; n > 0 {
			p.parts = p.parts[1:]
		}
	}
	p.ended = n > 0
	return out
}

// text reads n characters; where a record ends, the next says anew how wide they are.
func (p *pieces) text(n int, isWide bool) string {
	var b strings.Builder
	for n > 0 && len(p.parts) > 0 {
		width := 1
		if isWide {
			width = 2
		}
		k := min(n, len(p.parts[0])/width)
		raw := p.parts[0][:k*width]
		if isWide {
			b.WriteString(wide(raw))
		} else {
			b.WriteString(narrow(raw))
		}
		p.parts[0] = p.parts[0][k*width:]
		if n -= k; n == 0 {
			return b.String()
		}
		if p.parts = p.parts[1:]; len(p.parts) == 0 || len(p.parts[0]) == 0 {
			break
		}
		isWide = p.parts[0][0]&1 != 0
		p.parts[0] = p.parts[0][1:]
	}
	p.ended = true
	return b.String()
}

// readStrings reads the texts that cells point at.
func (x *excel) readStrings(parts [][]byte) {
	p := &pieces{parts: parts}
	head := p.take(8)
	if p.ended {
		return
	}
	for range u32(head, 4) {
		h := p.take(3)
		if p.ended {
			return
		}
		runs, phonetic := 0, 0
		if h[2]&8 != 0 {
			if b := p.take(2); !p.ended {
				runs = int(u16(b, 0))
			}
		}
		if h[2]&4 != 0 {
			if b := p.take(4); !p.ended {
				phonetic = int(u32(b, 0))
			}
		}
		x.strings = append(x.strings, p.text(int(u16(h, 0)), h[2]&1 != 0))
		if p.take(4*runs + min(phonetic, len(x.b))); p.ended || x.in.Ctx.Err() != nil {
			return
		}
	}
}

// sheet reads the rows of one.
func (x *excel) sheet(at int) error {
	x.row, x.cells = -1, nil
	_, _, next := x.record(at)
	for depth, n := 0, 0; ; n++ {
		id, b, after := x.record(next)
		if after < 0 {
			break
		}
		next = after
		switch id {
		case recBegin: // a chart within the sheet
			depth++
		case 0x000A:
			if depth--; depth < 0 {
				x.flush()
				return x.in.Stopped()
			}
		}
		if depth == 0 {
			x.cell(id, b)
		}
		if n%1024 == 0 {
			if err := x.in.Stopped(); err != nil {
				return err
			}
		}
	}
	x.flush()
	return x.in.Stopped()
}

func (x *excel) flush() {
	if len(x.cells) > 0 {
		x.in.Out.Row(x.cells)
	}
	x.cells = nil
}

func (x *excel) put(row, column int, text string) {
	if row != x.row {
		x.flush()
		x.row = row
	}
	if column >= maxColumns || text == "" {
		return
	}
	for len(x.cells) <= column {
		x.cells = append(x.cells, "")
	}
	x.cells[column] = text
}

func (x *excel) cell(id uint16, b []byte) {
	if id == recString && x.pending >= 0 {
		x.put(x.row, x.pending, x.short(b, true))
		x.pending = -1
		return
	}
	if len(b) < 6 {
		return
	}
	row, column, style := int(u16(b, 0)), int(u16(b, 2)), int(u16(b, 4))
	switch {
	case id == recLabelSST && len(b) >= 10:
		if i := u32(b, 6); uint64(i) < uint64(len(x.strings)) {
			x.put(row, column, x.strings[i])
		}
	case id == recLabel && len(b) > 8:
		x.put(row, column, x.short(b[6:], true))
	case id == recNumber && len(b) >= 14:
		x.put(row, column, x.number(math.Float64frombits(binary.LittleEndian.Uint64(b[6:])), style))
	case id == recRK && len(b) >= 10:
		x.put(row, column, x.number(rk(u32(b, 6)), style))
	case id == recMulRK:
		for i, k := 4, column; i+6 <= len(b)-2; i, k = i+6, k+1 {
			x.put(row, k, x.number(rk(u32(b, i+2)), int(u16(b, i))))
		}
	case id == recBool && len(b) >= 8 && b[7] == 0:
		x.put(row, column, map[bool]string{true: "TRUE", false: "FALSE"}[b[6] != 0])
	case id == recFormula && len(b) >= 14:
		x.formula(row, column, style, b[6:14])
	}
}

func (x *excel) formula(row, column, style int, result []byte) {
	if u16(result, 6) != 0xFFFF {
		x.put(row, column, x.number(math.Float64frombits(binary.LittleEndian.Uint64(result)), style))
		return
	}
	switch result[0] {
	case 0:
		x.put(row, column, "")
		x.pending = column
	case 1:
		x.put(row, column, map[bool]string{true: "TRUE", false: "FALSE"}[result[2] != 0])
	}
}

// rk is a number in four bytes: an integer or the upper half of a real, perhaps
// in hundredths.
func rk(v uint32) float64 {
	f := math.Float64frombits(uint64(v&^3) << 32)
	if v&2 != 0 {
		f = float64(int32(v) >> 2)
	}
	if v&1 != 0 {
		f /= 100
	}
	return f
}

// number shows a number, as a date where its style asks for one.
func (x *excel) number(f float64, style int) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	if style < len(x.styles) && x.isDate(x.styles[style]) && f >= 0 && f < 2_958_466 {
		t := x.since.Add(time.Duration(f*86400+0.5) * time.Second)
		switch {
		case f < 1:
			return t.Format("15:04:05")
		case f == math.Trunc(f):
			return t.Format(time.DateOnly)
		}
		return t.Format(time.DateTime)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func (x *excel) isDate(format uint16) bool {
	if format >= 14 && format <= 22 || format >= 45 && format <= 47 {
		return true
	}
	custom := strings.ToLower(x.formats[format])
	return custom != "" && !strings.ContainsAny(custom, "#0?") && strings.ContainsAny(custom, "ydh")
}
