package pack

import (
	"bytes"
	"encoding/xml"
	"io"

	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
)

// maxDepth bounds the nesting of elements; documents stay far below.
const maxDepth = 2000

// XML reads the elements of a document one by one. It knows no entities but
// those of XML itself and HTML, loads nothing, and refuses documents that
// declare entities of their own: those are how small files become huge ones.
type XML struct {
	in    *doc.Input
	dec   *xml.Decoder
	depth int
	n     int
}

// NewXML reads XML from r on behalf of in.
func NewXML(in *doc.Input, r io.Reader) *XML {
	d := xml.NewDecoder(r)
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(name string, r io.Reader) (io.Reader, error) {
		e := charset.Lookup(name)
		if e == nil {
			return r, nil
		}
		return e.NewDecoder().Reader(r), nil
	}
	return &XML{in: in, dec: d}
}

// Next answers the next token, io.EOF at the end, or why reading stops. The
// token is valid until the next call.
func (x *XML) Next() (xml.Token, error) {
	if x.n++; x.n%1024 == 0 {
		if err := x.in.Stopped(); err != nil {
			return nil, err
		}
	}
	t, err := x.dec.RawToken()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > maxDepth {
			return nil, doc.Fail(doc.Damaged, "the file nests its parts more than %d deep, which only damaged files do; save it again", maxDepth)
		}
	case xml.EndElement:
		x.depth--
	case xml.Directive:
		if bytes.Contains(bytes.ToUpper(t), []byte("<!ENTITY")) {
			return nil, doc.Fail(doc.Unsupported, "the file declares XML entities, which Atrium does not expand for safety; save it without a document type declaration")
		}
	}
	return t, nil
}

// Depth is the number of open elements, the one just opened included.
func (x *XML) Depth() int { return x.depth }

// Attr answers an attribute by its local name, or "".
func Attr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}
