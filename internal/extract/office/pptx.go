package office

import (
	"encoding/xml"
	"sort"
	"strings"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/pack"
)

// Slides reads a .pptx file in the order of its slides: titles, text, tables,
// diagrams, speaker notes and comments. A slide is a page.
func Slides(in *doc.Input) error {
	z, err := pack.Open(in)
	if err != nil {
		return err
	}
	main, err := mainPart(z, "ppt/presentation.xml")
	if err != nil {
		return err
	}
	rels, err := relations(z, main)
	if err != nil {
		return err
	}
	order, err := slideOrder(z, main, rels)
	if err != nil {
		return err
	}
	for i, part := range order {
		in.Out.Reset()
		in.Out.Page(i + 1)
		if err := survive(in, slide(in, z, part)); err != nil {
			return err
		}
		if err := in.Stopped(); err != nil {
			return err
		}
	}
	if err := properties(in, z, "docProps/core.xml"); err != nil && doc.Fatal(err) {
		return err
	}
	return in.Stopped()
}

func slideOrder(z *pack.Zip, main string, rels map[string]relation) ([]string, error) {
	x, c, err := z.XML(main)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	var order []string
	err = walk(x, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "sldId" {
			return nil
		}
		for _, a := range e.Attr { // both its own id and the relation's are called id
			if r, ok := rels[a.Value]; ok && a.Name.Local == "id" && r.kind == "slide" {
				order = append(order, r.target)
			}
		}
		return nil
	})
	return order, err
}

func slide(in *doc.Input, z *pack.Zip, part string) error {
	if err := drawing(in, z, part, ""); err != nil {
		return err
	}
	rels, err := relations(z, part)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(rels))
	for id := range rels {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, kind := range []string{"diagramData", "comments", "notesSlide"} {
		prefix := map[string]string{"notesSlide": "Notes: ", "comments": "Comment: "}[kind]
		for _, id := range ids {
			if rels[id].kind == kind {
				if err := drawing(in, z, rels[id].target, prefix); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// shape is the text of one shape of a slide.
type shape struct {
	title, skip bool
	blocks      []doc.Block
}

// drawing reads a slide or what belongs to one. The title comes first wherever
// it stands in the file.
func drawing(in *doc.Input, z *pack.Zip, part, prefix string) error {
	x, c, err := z.XML(part)
	if x == nil || err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var shapes []shape
	d := drawingReader{cur: &shape{}}
	err = walk(x, func(t xml.Token) error {
		if d.token(t, x.Depth()) {
			shapes = append(shapes, *d.cur)
			*d.cur = shape{}
		}
		return nil
	})
	shapes = append(shapes, *d.cur)
	sort.SliceStable(shapes, func(i, j int) bool { return shapes[i].title && !shapes[j].title })
	for _, s := range shapes {
		for _, b := range s.blocks {
			switch {
			case s.skip:
			case s.title && prefix == "":
				in.Out.Heading(1, b.Text)
			case b.Kind == doc.TableRow:
				in.Out.Row(strings.Split(b.Text, "\t"))
			default:
				in.Out.Add(b.Kind, prefix+b.Text)
			}
		}
	}
	return err
}

type drawingReader struct {
	cur   *shape
	buf   strings.Builder
	text  bool
	row   []string
	table bool
	skip  int
}

// token answers true when a shape ends.
func (d *drawingReader) token(t xml.Token, depth int) bool {
	switch t := t.(type) {
	case xml.CharData:
		if d.text && d.skip == 0 {
			d.buf.Write(t)
		}
	case xml.StartElement:
		if d.skip > 0 {
			return false
		}
		switch t.Name.Local {
		case "Fallback":
			d.skip = depth
		case "ph":
			switch pack.Attr(t, "type") {
			case "title", "ctrTitle":
				d.cur.title = true
			case "sldNum", "dt", "ftr", "hdr", "sldImg":
				d.cur.skip = true
			}
		case "t", "text":
			d.text = true
		case "br":
			d.buf.WriteByte('\n')
		case "tbl":
			d.table = true
		case "tr":
			d.row = nil
		}
	case xml.EndElement:
		if d.skip > 0 {
			if depth < d.skip {
				d.skip = 0
			}
			return false
		}
		switch t.Name.Local {
		case "t":
			d.text = false
		case "text":
			d.text = false
			d.flush()
		case "p":
			if d.table {
				d.buf.WriteByte(' ')
			} else {
				d.flush()
			}
		case "tc":
			d.row = append(d.row, doc.Squeeze(d.buf.String()))
			d.buf.Reset()
		case "tr":
			d.cur.blocks = append(d.cur.blocks, doc.Block{Kind: doc.TableRow, Text: strings.Join(d.row, "\t")})
		case "tbl":
			d.table = false
		case "sp", "graphicFrame", "pic", "cxnSp":
			return true
		}
	}
	return false
}

func (d *drawingReader) flush() {
	if s := strings.TrimSpace(d.buf.String()); s != "" {
		d.cur.blocks = append(d.cur.blocks, doc.Block{Kind: doc.Paragraph, Text: s})
	}
	d.buf.Reset()
}
