package legacy

// props are the properties of a paragraph that matter to its reader.
type props struct {
	table, rowEnd, list bool
	level               int // heading level from 1, or 0
}

const (
	pageSize = 512
	maxPages = 65_536
)

// readParagraphs reads the formatting pages: for each paragraph, by the place
// where it ends, its style and changes to it. Damage here costs structure, not
// text, so it is passed over.
func (w *word) readParagraphs(table []byte) {
	at, n := u32(w.main, 0x102), u32(w.main, 0x106)
	if n < 4 || uint64(at)+uint64(n) > uint64(len(table)) {
		return
	}
	plc := table[at : at+n]
	count := min((len(plc)-4)/8, maxPages)
	for i := range count {
		page := uint64(u32(plc, 4*(count+1)+4*i)) * pageSize
		if page+pageSize > uint64(len(w.main)) {
			continue
		}
		w.formatPage(w.main[page : page+pageSize])
	}
}

func (w *word) formatPage(page []byte) {
	runs := int(page[pageSize-1])
	for i := range runs {
		bx := 4*(runs+1) + 13*i
		if bx >= pageSize-1 {
			return
		}
		end := u32(page, 4*(i+1))
		at := 2 * int(page[bx])
		if at == 0 || at >= pageSize {
			w.lists[end] = props{}
			continue
		}
		size := 2*int(page[at]) - 1
		at++
		if size < 0 && at < pageSize {
			size = 2 * int(page[at])
			at++
		}
		if size < 2 || at+size > pageSize {
			w.lists[end] = props{}
			continue
		}
		w.lists[end] = properties(page[at : at+size])
	}
}

// properties reads a style number and the changes to it.
func properties(b []byte) props {
	var p props
	if style := u16(b, 0); style >= 1 && style <= 9 {
		p.level = int(style) // the styles 1 to 9 are Word's own headings
	}
	for b = b[2:]; len(b) > 2; {
		op := u16(b, 0)
		size := operandSize(op, b)
		if 2+size > len(b) {
			break
		}
		switch op {
		case 0x2416:
			p.table = b[2] != 0
		case 0x2417:
			p.rowEnd = b[2] != 0
		case 0x460B:
			p.list = u16(b, 2) != 0
		case 0x2640:
			if b[2] < 9 {
				p.level = int(b[2]) + 1
			}
		}
		b = b[2+size:]
	}
	return p
}

// operandSize is how many bytes follow an operation; its top bits say so.
func operandSize(op uint16, b []byte) int {
	switch op >> 13 {
	case 0, 1:
		return 1
	case 2, 4, 5:
		return 2
	case 3:
		return 4
	case 7:
		return 3
	}
	if len(b) < 4 {
		return len(b)
	}
	if op == 0xD608 || op == 0xD606 { // table definitions have a long count
		return int(u16(b, 2)) + 1
	}
	return int(b[2]) + 1
}
