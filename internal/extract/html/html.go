// Package html reads web pages. It works on the stream of tags and builds no
// tree, so neither the size nor the nesting of a page costs memory.
package html

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
)

// maxBytes bounds a page as it is stored.
const maxBytes = 100 << 20

// Read reads a web page: headings, paragraphs, list items, table rows and
// preformatted text, navigation included.
func Read(in *doc.Input) error {
	b, err := in.All(maxBytes)
	if err != nil {
		return err
	}
	text, _ := charset.Decode(b, declared(b))
	return Text(in, text)
}

// Text reads a web page that is UTF-8 already.
func Text(in *doc.Input, page string) error {
	if strings.HasPrefix(strings.TrimSpace(page[:min(len(page), 256)]), "<?xml") {
		page = selfClosed.ReplaceAllString(page, "<$1$2></$1>")
	}
	p := &parser{in: in, z: html.NewTokenizer(strings.NewReader(page))}
	p.z.SetMaxBuf(maxBytes)
	return p.run()
}

// selfClosed finds what XHTML may close at once and HTML may not: read as HTML,
// the rest of the page would belong to it.
var selfClosed = regexp.MustCompile(`(?i)<(script|style|title|iframe|textarea|noscript|xmp)\b([^<>]*)/>`)

var meta = regexp.MustCompile(`(?i)<(?:meta\s[^>]*charset|\?xml\s[^>]*encoding)\s*=\s*["']?\s*([a-z0-9_:.-]+)`)

// declared is the encoding that the page names, or empty.
func declared(b []byte) string {
	if m := meta.FindSubmatch(b[:min(len(b), 4096)]); m != nil {
		return string(bytes.ToLower(m[1]))
	}
	return ""
}

type parser struct {
	in    *doc.Input
	z     *html.Tokenizer
	buf   strings.Builder
	level int      // of the heading being read, or 0
	item  int      // open list items
	pre   int      // open preformatted elements
	row   []string // cells of the row being read
	cell  bool     // buf belongs to a cell
	skip  int      // open elements whose text is not shown
	title bool
}

func (p *parser) run() error {
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := p.in.Stopped(); err != nil {
				return err
			}
		}
		switch p.z.Next() {
		case html.ErrorToken:
			p.flushRow()
			p.flush()
			if err := p.z.Err(); !errors.Is(err, io.EOF) {
				return err
			}
			return p.in.Stopped()
		case html.TextToken:
			p.text(string(p.z.Text()))
		case html.StartTagToken:
			name, _ := p.z.TagName()
			p.open(atom.Lookup(name), false)
		case html.SelfClosingTagToken:
			name, _ := p.z.TagName()
			p.open(atom.Lookup(name), true)
		case html.EndTagToken:
			name, _ := p.z.TagName()
			p.close(atom.Lookup(name))
		}
	}
}

func (p *parser) text(s string) {
	switch {
	case p.skip > 0:
	case p.title:
		p.in.Out.SetTitle(s)
	default:
		p.buf.WriteString(s)
	}
}

func (p *parser) open(a atom.Atom, closed bool) {
	switch a {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Iframe, atom.Noembed, atom.Noframes:
		// The tokenizer hands the inside of these over as one text, even when
		// they are written as closed at once.
		p.skip = 1
		if a == atom.Template && closed {
			p.skip = 0
		}
	case atom.Title:
		p.title = p.in.Out.Len() == 0 && p.buf.Len() == 0
		p.skip = b2i(!p.title)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.breakBlock()
		if !p.cell {
			p.level = int(a.String()[1] - '0')
		}
	case atom.Li:
		p.breakBlock()
		if !closed {
			p.item++
		}
	case atom.Ul, atom.Ol:
		p.breakBlock()
	case atom.Pre, atom.Listing, atom.Xmp:
		p.breakBlock()
		p.pre++
	case atom.Table:
		p.flushRow()
		p.flush()
	case atom.Tr:
		p.flushRow()
		p.flush()
	case atom.Td, atom.Th:
		p.endCell()
		if p.row == nil {
			p.flush()
		}
		p.cell = true
	case atom.Br:
		p.buf.WriteByte('\n')
	case atom.Input, atom.Img, atom.Wbr:
	default:
		if block(a) {
			p.breakBlock()
		}
	}
}

func (p *parser) close(a atom.Atom) {
	switch a {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Iframe, atom.Noembed, atom.Noframes:
		p.skip = 0
	case atom.Title:
		p.title, p.skip = false, 0
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.breakBlock()
		p.level = 0
	case atom.Li:
		p.breakBlock()
		p.item = max(p.item-1, 0)
	case atom.Ul, atom.Ol:
		p.breakBlock()
	case atom.Pre, atom.Listing, atom.Xmp:
		p.breakBlock()
		p.pre = max(p.pre-1, 0)
	case atom.Td, atom.Th:
		p.endCell()
	case atom.Tr, atom.Table:
		p.flushRow()
		p.flush()
	default:
		if block(a) {
			p.breakBlock()
		}
	}
}

// breakBlock ends a block; inside a cell it only separates words, since a row
// is one block.
func (p *parser) breakBlock() {
	if p.cell {
		p.buf.WriteByte(' ')
		return
	}
	p.flush()
}

func (p *parser) endCell() {
	if p.cell {
		p.row = append(p.row, p.buf.String())
		p.buf.Reset()
		p.cell = false
	}
}

func (p *parser) flushRow() {
	p.endCell()
	if p.row != nil {
		p.in.Out.Row(p.row)
		p.row = nil
	}
}

func (p *parser) flush() {
	s := p.buf.String()
	p.buf.Reset()
	switch {
	case strings.TrimSpace(s) == "":
	case p.pre > 0:
		p.in.Out.Add(doc.Code, s)
	case p.level > 0:
		p.in.Out.Heading(p.level, s)
	case p.item > 0:
		p.in.Out.Add(doc.ListItem, doc.Squeeze(s))
	default:
		p.in.Out.Add(doc.Paragraph, doc.Squeeze(s))
	}
}

// block tells whether an element begins on a line of its own.
func block(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Aside, atom.Header, atom.Footer, atom.Nav, atom.Main,
		atom.Blockquote, atom.Address, atom.Dl, atom.Dt, atom.Dd, atom.Figure, atom.Figcaption, atom.Form, atom.Fieldset,
		atom.Legend, atom.Hr, atom.Caption, atom.Thead, atom.Tbody, atom.Tfoot, atom.Details, atom.Summary, atom.Option,
		atom.Select, atom.Body, atom.Html, atom.Head, atom.Center, atom.Menu, atom.Hgroup, atom.Dialog, atom.Textarea,
		atom.Button:
		return true
	}
	return false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
