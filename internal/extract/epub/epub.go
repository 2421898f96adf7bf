// Package epub reads electronic books in the order of their spine.
package epub

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"path"
	"strings"

	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
	"atrium/internal/extract/html"
	"atrium/internal/extract/pack"
)

const maxChapter = 64 << 20

// Read reads a book chapter by chapter.
func Read(in *doc.Input) error {
	z, err := pack.Open(in)
	if err != nil {
		return err
	}
	if z.Has("META-INF/rights.xml") {
		return protected()
	}
	opf, err := rootFile(z)
	if err != nil {
		return err
	}
	b := &book{in: in, items: map[string]item{}}
	if err := b.readPackage(z, opf); err != nil {
		return err
	}
	missing := 0
	for _, id := range b.spine {
		it := b.items[id]
		raw, err := z.Bytes(it.path, maxChapter)
		if err != nil && doc.Fatal(err) {
			return err
		}
		if err != nil || raw == nil {
			missing++
			continue
		}
		text, _ := charset.Decode(raw, "utf-8")
		if err := html.Text(in, text); err != nil {
			return err
		}
	}
	if missing > 0 {
		in.Out.Warn("the book is damaged; some of its chapters are missing")
	}
	if in.Out.Len() == 0 && z.Has("META-INF/encryption.xml") {
		return protected()
	}
	return in.Stopped()
}

func protected() error {
	return doc.Fail(doc.Encrypted, "the book is protected against copying; add a copy without protection")
}

func rootFile(z *pack.Zip) (string, error) {
	found := ""
	err := each(z, "META-INF/container.xml", func(e xml.StartElement) {
		if e.Name.Local == "rootfile" && found == "" {
			found = pack.Attr(e, "full-path")
		}
	}, nil)
	if err != nil && doc.Fatal(err) {
		return "", err
	}
	if found != "" && z.Has(found) {
		return found, nil
	}
	for _, f := range z.Files() {
		if strings.HasSuffix(strings.ToLower(f.Name), ".opf") {
			return f.Name, nil
		}
	}
	return "", doc.Fail(doc.Damaged, "the book lacks its table of parts; export it again")
}

type item struct{ path, kind string }

type book struct {
	in    *doc.Input
	items map[string]item
	spine []string
}

func (b *book) readPackage(z *pack.Zip, opf string) error {
	dir := path.Dir(opf)
	var order []string
	err := each(z, opf, func(e xml.StartElement) {
		switch e.Name.Local {
		case "item":
			href := pack.Attr(e, "href")
			if u, err := url.PathUnescape(href); err == nil {
				href = u
			}
			id := pack.Attr(e, "id")
			b.items[id] = item{path.Join(dir, href), pack.Attr(e, "media-type")}
			order = append(order, id)
		case "itemref":
			b.spine = append(b.spine, pack.Attr(e, "idref"))
		}
	}, func(name, text string) {
		if name == "title" {
			b.in.Out.SetTitle(text)
		}
	})
	if len(b.spine) == 0 { // no order is given: take that of the list
		for _, id := range order {
			if strings.Contains(b.items[id].kind, "html") {
				b.spine = append(b.spine, id)
			}
		}
	}
	if len(b.spine) > 0 && !doc.Fatal(err) {
		return nil
	}
	if err == nil {
		err = doc.Fail(doc.Damaged, "the book lists no chapters; export it again")
	}
	return err
}

// each hands every element of a part to open, and its text to text.
func each(z *pack.Zip, name string, open func(xml.StartElement), text func(name, text string)) error {
	x, c, err := z.XML(name)
	if x == nil || err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	cur := ""
	for {
		t, err := x.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			cur = t.Name.Local
			open(t)
		case xml.EndElement:
			cur = ""
		case xml.CharData:
			if text != nil && cur != "" {
				text(cur, string(t))
			}
		}
	}
}
