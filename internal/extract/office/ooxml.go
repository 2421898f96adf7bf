// Package office reads the office formats that are ZIP files of XML: Word,
// Excel and PowerPoint (transitional and strict), and OpenDocument.
package office

import (
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/pack"
)

// relation is one line of a part's relations, by its id.
type relation struct {
	kind   string // the last part of the type's address
	target string // path inside the file; empty when outside
}

// relations reads the relations of a part; the part "" is the whole file.
func relations(z *pack.Zip, part string) (map[string]relation, error) {
	dir, base := path.Split(part)
	x, c, err := z.XML(path.Join(dir, "_rels", base+".rels"))
	if x == nil || err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	rels := map[string]relation{}
	err = walk(x, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "Relationship" || strings.EqualFold(pack.Attr(e, "TargetMode"), "External") {
			return nil
		}
		target := pack.Attr(e, "Target")
		if !strings.HasPrefix(target, "/") {
			target = path.Join(dir, target)
		}
		rels[pack.Attr(e, "Id")] = relation{path.Base(pack.Attr(e, "Type")), strings.TrimPrefix(target, "/")}
		return nil
	})
	return rels, err
}

// mainPart finds the part that the file is about, or answers fallback.
func mainPart(z *pack.Zip, fallback string) (string, error) {
	rels, err := relations(z, "")
	if err != nil && doc.Fatal(err) {
		return "", err
	}
	for _, r := range rels {
		if r.kind == "officeDocument" && z.Has(r.target) {
			return r.target, nil
		}
	}
	if !z.Has(fallback) {
		return "", doc.Fail(doc.Damaged, "the office file lacks its main part; save it again with the program that made it")
	}
	return fallback, nil
}

// properties takes the title from the file's properties.
func properties(in *doc.Input, z *pack.Zip, part string) error {
	x, c, err := z.XML(part)
	if x == nil || err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	title := false
	return walk(x, func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			title = t.Name.Local == "title"
		case xml.EndElement:
			title = false
		case xml.CharData:
			if title {
				in.Out.SetTitle(string(t))
			}
		}
		return nil
	})
}

// walk hands every token to fn. XML that breaks off ends the walk with the
// syntax error, after all that stood before it was handed over.
func walk(x *pack.XML, fn func(xml.Token) error) error {
	for {
		t, err := x.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(t); err != nil {
			return err
		}
	}
}

// survive turns damage that was met after some text was read into a warning.
func survive(in *doc.Input, err error) error {
	if err == nil || in.Out.Len() == 0 {
		return err
	}
	if _, ok := errors.AsType[*doc.Error](err); ok {
		return err
	}
	in.Out.Warn("the file is damaged; a part of its text is missing")
	return nil
}
