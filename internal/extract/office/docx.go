package office

import (
	"encoding/xml"
	"sort"
	"strconv"
	"strings"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/pack"
)

// Word reads a .docx file: text, tables, text boxes, notes, comments, and each
// different header and footer once.
func Word(in *doc.Input) error {
	z, err := pack.Open(in)
	if err != nil {
		return err
	}
	main, err := mainPart(z, "word/document.xml")
	if err != nil {
		return err
	}
	rels, err := relations(z, main)
	if err != nil && doc.Fatal(err) {
		return err
	}
	w := &word{in: in, styles: map[string]int{}}
	parts := map[string][]string{}
	for _, r := range rels {
		parts[r.kind] = append(parts[r.kind], r.target)
	}
	for _, p := range parts["styles"] {
		if err := w.readStyles(z, p); err != nil && doc.Fatal(err) {
			return err
		}
	}
	start := in.Out.Len()
	if err := survive(in, w.part(z, main)); err != nil {
		return err
	}
	if w.page > 1 {
		in.Out.FirstPage(start)
	}
	w.page = 0
	in.Out.Reset()
	for _, kind := range []string{"footnotes", "endnotes", "comments", "header", "footer"} {
		sort.Strings(parts[kind])
		w.seen = map[string]bool{}
		w.once = kind == "header" || kind == "footer"
		for _, p := range parts[kind] {
			if err := survive(in, w.part(z, p)); err != nil {
				return err
			}
		}
	}
	if err := properties(in, z, "docProps/core.xml"); err != nil && doc.Fatal(err) {
		return err
	}
	return in.Stopped()
}

type word struct {
	in     *doc.Input
	styles map[string]int // style id → heading level; titles are 1
	page   int            // 0 until a page break is met
	once   bool           // drop blocks that were seen already
	seen   map[string]bool

	paras   []*para // open paragraphs: those of text boxes stand inside others
	tables  []*table
	run     int
	text    bool
	skip    int // depth of the element that is skipped, or 0
	comment string
}

type para struct {
	text  strings.Builder
	style string
	level int // outline level plus one, or 0
	list  bool
	table int // number of tables open where it began
}

type table struct {
	row  []string
	cell strings.Builder
}

func (w *word) readStyles(z *pack.Zip, part string) error {
	x, c, err := z.XML(part)
	if x == nil || err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	based := map[string]string{}
	id := ""
	err = walk(x, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		if !ok {
			return nil
		}
		val := pack.Attr(e, "val")
		switch e.Name.Local {
		case "style":
			id = pack.Attr(e, "styleId")
		case "basedOn":
			based[id] = val
		case "name":
			name := strings.ToLower(val)
			if n, err := strconv.Atoi(strings.TrimPrefix(name, "heading ")); err == nil && n >= 1 && n <= 9 {
				w.styles[id] = n
			} else if name == "title" {
				w.styles[id] = 1
			}
		case "outlineLvl":
			if n, err := strconv.Atoi(val); err == nil && n >= 0 && n < 9 && w.styles[id] == 0 {
				w.styles[id] = n + 1
			}
		}
		return nil
	})
	for id := range based {
		parent := based[id]
		for range 10 {
			if w.styles[id] != 0 || parent == "" {
				break
			}
			w.styles[id], parent = w.styles[parent], based[parent]
		}
	}
	return err
}

func (w *word) part(z *pack.Zip, name string) error {
	x, c, err := z.XML(name)
	if x == nil || err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	w.paras, w.tables, w.run, w.text, w.skip, w.comment = nil, nil, 0, false, 0, ""
	err = walk(x, func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			if w.skip == 0 {
				w.open(t, x.Depth())
			}
		case xml.EndElement:
			if w.skip > 0 {
				if x.Depth() < w.skip {
					w.skip = 0
				}
				return nil
			}
			w.close(t.Name.Local)
		case xml.CharData:
			if w.text && w.skip == 0 {
				w.write(string(t))
			}
		}
		return nil
	})
	for len(w.paras) > 0 {
		w.close("p")
	}
	for len(w.tables) > 0 {
		w.close("tr")
		w.close("tbl")
	}
	return err
}

func (w *word) write(s string) {
	if n := len(w.paras); n > 0 {
		w.paras[n-1].text.WriteString(s)
	}
}

func (w *word) open(e xml.StartElement, depth int) {
	var p *para
	if n := len(w.paras); n > 0 {
		p = w.paras[n-1]
	}
	switch e.Name.Local {
	case "p":
		w.paras = append(w.paras, &para{table: len(w.tables)})
	case "pStyle":
		if p != nil {
			p.style = pack.Attr(e, "val")
		}
	case "outlineLvl":
		if n, err := strconv.Atoi(pack.Attr(e, "val")); err == nil && n >= 0 && n < 9 && p != nil {
			p.level = n + 1
		}
	case "numPr":
		if p != nil {
			p.list = true
		}
	case "r":
		w.run++
	case "t":
		w.text = true
	case "tab", "ptab":
		if w.run > 0 { // elsewhere it defines a tab stop
			w.write("\t")
		}
	case "br", "cr":
		if pack.Attr(e, "type") != "page" {
			w.write("\n")
		}
	case "noBreakHyphen":
		w.write("-")
	case "lastRenderedPageBreak":
		w.page = max(w.page, 1) + 1
		if p == nil || strings.TrimSpace(p.text.String()) == "" {
			w.in.Out.Page(w.page)
		}
	case "moveFrom", "Fallback": // text that moved away; a second form of the same picture
		w.skip = depth
	case "comment":
		w.comment = pack.Attr(e, "author")
		if w.comment == "" {
			w.comment = "unknown"
		}
	case "tbl":
		w.flushRow()
		w.tables = append(w.tables, &table{})
	case "tr":
		w.flushRow()
	case "tc":
		if n := len(w.tables); n > 0 {
			w.tables[n-1].cell.Reset()
		}
	}
}

func (w *word) close(name string) {
	switch name {
	case "t":
		w.text = false
	case "r":
		w.run = max(w.run-1, 0)
	case "comment":
		w.comment = ""
	case "p":
		if n := len(w.paras); n > 0 {
			p := w.paras[n-1]
			w.paras = w.paras[:n-1]
			w.emit(p)
		}
		if w.page > 1 && len(w.paras) == 0 {
			w.in.Out.Page(w.page)
		}
	case "tc":
		if n := len(w.tables); n > 0 {
			t := w.tables[n-1]
			t.row = append(t.row, t.cell.String())
			t.cell.Reset()
		}
	case "tr":
		w.flushRow()
	case "tbl":
		if n := len(w.tables); n > 0 {
			w.tables = w.tables[:n-1]
		}
	}
}

func (w *word) flushRow() {
	if n := len(w.tables); n > 0 {
		t := w.tables[n-1]
		if t.cell.Len() > 0 { // a table begins inside this cell
			t.row = append(t.row, t.cell.String())
			t.cell.Reset()
		}
		if !w.repeated(strings.Join(t.row, "\t")) {
			w.in.Out.Row(t.row)
		}
		t.row = nil
	}
}

func (w *word) repeated(s string) bool {
	if !w.once {
		return false
	}
	if w.seen[s] {
		return true
	}
	w.seen[s] = true
	return false
}

func (w *word) emit(p *para) {
	s := p.text.String()
	if strings.TrimSpace(s) == "" {
		return
	}
	if n := len(w.tables); n > 0 && p.table == n {
		c := &w.tables[n-1].cell
		if c.Len() > 0 {
			c.WriteByte(' ')
		}
		c.WriteString(s)
		return
	}
	level := p.level
	if level == 0 {
		level = w.styles[p.style]
	}
	switch {
	case w.repeated(s):
	case w.comment != "":
		w.in.Out.Add(doc.Paragraph, "Comment by "+w.comment+": "+s)
	case level > 0 && len(s) < 1000:
		w.in.Out.Heading(level, s)
	case p.list:
		w.in.Out.Add(doc.ListItem, s)
	default:
		w.in.Out.Add(doc.Paragraph, s)
	}
}
