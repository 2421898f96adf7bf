// Package plain reads files that are text themselves: plain text, Markdown,
// separated values and XML.
package plain

import (
	"strings"

	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
)

// maxBytes bounds a text file as it is stored.
const maxBytes = 100 << 20

// load reads the whole file as UTF-8 with \n line ends.
func load(in *doc.Input, declared func([]byte) string) (string, error) {
	b, err := in.All(maxBytes)
	if err != nil {
		return "", err
	}
	name := ""
	if declared != nil {
		name = declared(b)
	}
	text, _ := charset.Decode(b, name)
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text, nil
}

// Text reads plain text; empty lines separate paragraphs, form feeds pages.
func Text(in *doc.Input) error {
	text, err := load(in, nil)
	if err != nil {
		return err
	}
	return Paragraphs(in, text)
}

// Paragraphs adds text whose paragraphs are separated by empty lines. Line
// ends inside a paragraph are kept.
func Paragraphs(in *doc.Input, text string) error {
	paged := strings.Contains(strings.TrimRight(text, "\f\n "), "\f")
	page := 1
	for text != "" {
		var part string
		part, text = cutParagraph(text)
		if paged {
			in.Out.Page(page)
			page += strings.Count(part, "\f")
		}
		in.Out.Add(doc.Paragraph, part)
		if err := in.Stopped(); err != nil {
			return err
		}
	}
	return nil
}

// cutParagraph cuts text after its first paragraph: at an empty line, or after
// a form feed.
func cutParagraph(text string) (part, rest string) {
	for i := 0; i < len(text); {
		n := strings.IndexAny(text[i:], "\n\f")
		if n < 0 {
			break
		}
		i += n + 1
		if text[i-1] == '\f' {
			return text[:i], text[i:]
		}
		j := i
		for j < len(text) && (text[j] == ' ' || text[j] == '\t') {
			j++
		}
		if j < len(text) && text[j] == '\n' {
			return text[:i], text[j+1:]
		}
	}
	return text, ""
}
