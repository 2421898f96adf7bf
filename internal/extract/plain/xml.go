package plain

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/html"
	"atrium/internal/extract/pack"
)

var encodingDecl = regexp.MustCompile(`(?i)^\s*<\?xml\s[^>]*encoding\s*=\s*["']([a-z0-9_.:-]+)`)

func xmlDeclared(b []byte) string {
	if m := encodingDecl.FindSubmatch(b[:min(len(b), 512)]); m != nil {
		return strings.ToLower(string(m[1]))
	}
	return ""
}

// XML reads the text of every element, and its attributes, which in many XML
// formats are the content. Feeds hold web pages as text: those are read too.
func XML(in *doc.Input) error {
	text, err := load(in, xmlDeclared)
	if err != nil {
		return err
	}
	// The text is UTF-8 now, whatever the declaration says.
	if i := strings.Index(text, "?>"); i >= 0 && strings.HasPrefix(strings.TrimSpace(text), "<?xml") {
		text = text[i+2:]
	}
	x := pack.NewXML(in, strings.NewReader(text))
	r := &xmlReader{in: in}
	for {
		t, err := x.Next()
		if errors.Is(err, io.EOF) {
			return r.flush()
		}
		if err != nil {
			if e := r.flush(); e != nil {
				return e
			}
			if _, ok := errors.AsType[*xml.SyntaxError](err); ok && in.Out.Len() > 0 {
				in.Out.Warn("the XML is damaged; what follows the damage is missing")
				return nil
			}
			return err
		}
		if err := r.token(t); err != nil {
			return err
		}
	}
}

type xmlReader struct {
	in    *doc.Input
	buf   strings.Builder
	title bool
}

func (r *xmlReader) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		if err := r.flush(); err != nil {
			return err
		}
		r.title = t.Name.Local == "title"
		var attrs []string
		for _, a := range t.Attr {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && strings.TrimSpace(a.Value) != "" {
				attrs = append(attrs, a.Value)
			}
		}
		if len(attrs) > 0 {
			r.in.Out.Add(doc.Paragraph, strings.Join(attrs, " "))
		}
	case xml.EndElement:
		return r.flush()
	case xml.CharData:
		r.buf.Write(t)
	}
	return nil
}

func (r *xmlReader) flush() error {
	s := r.buf.String()
	r.buf.Reset()
	if strings.TrimSpace(s) == "" {
		return nil
	}
	if r.title {
		r.in.Out.SetTitle(s)
		r.title = false
	}
	if strings.Contains(s, "</") || strings.Contains(s, "<br") || strings.Contains(s, "/>") {
		return html.Text(r.in, s)
	}
	r.in.Out.Add(doc.Paragraph, s)
	return r.in.Stopped()
}
