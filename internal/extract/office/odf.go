package office

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/pack"
)

// OpenDocument reads .odt, .ods and .odp files. A slide is a page.
func OpenDocument(in *doc.Input) error {
	z, err := pack.Open(in)
	if err != nil {
		return err
	}
	manifest, err := z.Bytes("META-INF/manifest.xml", 16<<20)
	if err != nil {
		return err
	}
	if bytes.Contains(manifest, []byte("encryption-data")) {
		return doc.Fail(doc.Encrypted, "the document is protected by a password; remove the protection and add it again")
	}
	x, c, err := z.XML("content.xml")
	if err != nil {
		return err
	}
	if x == nil {
		return doc.Fail(doc.Damaged, "the OpenDocument file lacks its content; save it again with the program that made it")
	}
	defer func() { _ = c.Close() }()
	r := &odf{in: in}
	err = walk(x, func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			if r.skip == 0 {
				r.open(t, x.Depth())
			}
		case xml.EndElement:
			if r.skip > 0 {
				if x.Depth() < r.skip {
					r.skip = 0
				}
				return nil
			}
			r.close(t.Name.Local)
		case xml.CharData:
			if r.skip == 0 && r.para > 0 {
				r.buf.Write(t)
			}
		}
		return nil
	})
	r.flush()
	if err := survive(in, err); err != nil {
		return err
	}
	if err := properties(in, z, "meta.xml"); err != nil && doc.Fatal(err) {
		return err
	}
	return in.Stopped()
}

// maxRepeat bounds how often an equal cell is written out again.
const maxRepeat = 64

type odf struct {
	in     *doc.Input
	buf    strings.Builder
	para   int // open paragraphs
	level  int // of the open heading, or 0
	list   int
	page   int
	cells  []string
	tables int
	cell   bool
	repeat int
	skip   int
}

func (r *odf) open(e xml.StartElement, depth int) {
	switch e.Name.Local {
	case "p":
		r.para++
	case "h":
		r.para++
		r.level, _ = strconv.Atoi(pack.Attr(e, "outline-level"))
		r.level = max(r.level, 1)
	case "list-item":
		r.list++
	case "s":
		n, _ := strconv.Atoi(pack.Attr(e, "c"))
		r.buf.WriteString(strings.Repeat(" ", min(max(n, 1), 100)))
	case "tab":
		r.buf.WriteByte('\t')
	case "line-break":
		r.buf.WriteByte('\n')
	case "page":
		r.page++
		r.in.Out.Reset()
		r.in.Out.Page(r.page)
	case "notes", "annotation":
		r.flush()
	case "tracked-changes", "forms":
		r.skip = depth
	case "table":
		if r.tables == 0 && pack.Attr(e, "name") != "" && strings.Contains(r.in.MediaType, "spreadsheet") {
			r.in.Out.Heading(1, pack.Attr(e, "name"))
		}
		r.row()
		r.tables++
	case "table-row":
		r.row()
	case "table-cell", "covered-table-cell":
		r.cell = true
		r.buf.Reset()
		r.repeat, _ = strconv.Atoi(pack.Attr(e, "number-columns-repeated"))
		r.repeat = min(max(r.repeat, 1), maxRepeat)
	}
}

func (r *odf) close(name string) {
	switch name {
	case "p", "h":
		r.para = max(r.para-1, 0)
		if r.cell {
			r.buf.WriteByte(' ')
			return
		}
		r.flush()
		r.level = 0
	case "list-item":
		r.list = max(r.list-1, 0)
	case "table-cell", "covered-table-cell":
		for range r.repeat {
			r.cells = append(r.cells, r.buf.String())
		}
		r.buf.Reset()
		r.cell = false
	case "table-row":
		r.row()
	case "table":
		r.tables = max(r.tables-1, 0)
	}
}

func (r *odf) row() {
	if r.cell && r.buf.Len() > 0 { // a table begins inside a cell
		r.cells = append(r.cells, r.buf.String())
		r.buf.Reset()
	}
	r.cell = false
	r.in.Out.Row(r.cells)
	r.cells = nil
}

func (r *odf) flush() {
	s := r.buf.String()
	r.buf.Reset()
	switch {
	case strings.TrimSpace(s) == "":
	case r.level > 0:
		r.in.Out.Heading(r.level, s)
	case r.list > 0:
		r.in.Out.Add(doc.ListItem, s)
	default:
		r.in.Out.Add(doc.Paragraph, s)
	}
}
