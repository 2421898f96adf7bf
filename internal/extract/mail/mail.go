// Package mail reads e-mail messages.
package mail

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"atrium/internal/extract/archive"
	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
	"atrium/internal/extract/html"
	"atrium/internal/extract/plain"
)

const (
	maxBytes = 100 << 20
	maxDepth = 4 // messages in messages
	maxParts = 1000
	// maxNested bounds the parts that hold parts, forwarded messages included.
	maxNested = 300
)

var boundary = regexp.MustCompile(`(?i)\bboundary\s*=`)

// Read reads a message: who wrote it to whom, when and about what, its text
// (or its web page when it has no text), and its attachments by name and, where
// Atrium reads their format, by content.
func Read(in *doc.Input) error {
	if in.Depth > maxDepth {
		return doc.Fail(doc.TooLarge, "the message holds messages nested more than %d deep; save the inner ones and add them", maxDepth)
	}
	b, err := in.All(maxBytes)
	if err != nil {
		return err
	}
	b = stripMbox(bytes.TrimLeft(b, "\r\n"))
	// The time that the library takes grows with the square of both.
	if bytes.Count(b, []byte("\n--")) > 5*maxParts || len(boundary.FindAllIndex(b, maxNested+1)) > maxNested {
		return doc.Fail(doc.TooLarge, "the message has more than %d parts; save its attachments and add them", maxParts)
	}
	p := enmime.NewParser(enmime.DisableTextConversion(true), enmime.SkipMalformedParts(true),
		enmime.MultipartWOBoundaryAsSinglePart(true))
	env, err := p.ReadEnvelope(bytes.NewReader(b))
	if err != nil {
		return err
	}
	head(in, env)
	if err := body(in, env); err != nil {
		return err
	}
	n := 0
	for _, list := range [][]*enmime.Part{env.Attachments, env.Inlines, env.OtherParts} {
		for _, a := range list {
			if n++; n > maxParts {
				return doc.Fail(doc.TooLarge, "the message has more than %d parts; save its attachments and add them", maxParts)
			}
			if err := attachment(in, a); err != nil {
				return err
			}
		}
	}
	if len(env.Errors) > 0 && in.Out.Len() == 0 {
		return doc.Fail(doc.Damaged, "the message is damaged; save it again from the mail program")
	}
	return in.Stopped()
}

func head(in *doc.Input, env *enmime.Envelope) {
	var lines []string
	for _, key := range []string{"Subject", "From", "To", "Cc", "Date"} {
		if v := doc.Squeeze(env.GetHeader(key)); v != "" {
			lines = append(lines, key+": "+v)
		}
	}
	in.Out.SetTitle(env.GetHeader("Subject"))
	in.Out.Add(doc.Paragraph, strings.Join(lines, "\n"))
}

func body(in *doc.Input, env *enmime.Envelope) error {
	switch {
	case strings.TrimSpace(env.Text) != "":
		return plain.Paragraphs(in, unflow(env))
	case env.HTML != "":
		return html.Text(in, env.HTML)
	}
	return nil
}

// unflow joins the lines that a mail program broke only to keep them short.
func unflow(env *enmime.Envelope) string {
	text := strings.ReplaceAll(env.Text, "\r\n", "\n")
	part := env.Root.DepthMatchFirst(func(p *enmime.Part) bool {
		return p.ContentType == "text/plain" && strings.EqualFold(p.ContentTypeParams["format"], "flowed")
	})
	if part == nil {
		return text
	}
	if !strings.EqualFold(part.ContentTypeParams["delsp"], "yes") {
		return softBreak.ReplaceAllString(text, " ")
	}
	return softBreak.ReplaceAllString(text, "")
}

// softBreak is a broken line; the mark before a signature is none.
var softBreak = regexp.MustCompile(`(?m) $\n`)

func attachment(in *doc.Input, p *enmime.Part) error {
	name := p.FileName
	if name == "" && len(p.Content) == 0 {
		return nil
	}
	if name == "" {
		name = p.ContentType
	}
	in.Out.Reset()
	in.Out.Add(doc.Paragraph, "[attachment] "+name)
	if len(p.Content) == 0 || strings.HasPrefix(p.ContentType, "image/") {
		return nil
	}
	if err := in.Budget.Entries(1); err != nil {
		return err
	}
	if err := archive.Entry(in, name, p.Content); err != nil && doc.Fatal(err) {
		return err
	}
	return in.Out.Err()
}

// stripMbox drops the line that mail folders put before a message.
func stripMbox(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("From ")) {
		if _, after, ok := bytes.Cut(b, []byte{'\n'}); ok {
			return after
		}
	}
	return b
}

var field = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,60}:`)

// Is tells whether b begins like a message: with lines of a header, at least two
// of which every mail program writes.
func Is(b []byte) bool {
	text, _ := charset.Decode(bytes.TrimLeft(b[:min(len(b), 16<<10)], "\r\n"), "")
	text = string(stripMbox([]byte(text)))
	known := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if i == 0 {
				return false
			}
			continue
		}
		m := field.FindString(line)
		if m == "" {
			break
		}
		switch key := strings.ToLower(strings.TrimSuffix(m, ":")); key {
		case "from", "to", "subject", "date", "message-id", "mime-version", "received", "return-path",
			"delivered-to", "content-type", "reply-to", "x-mailer":
			known[key] = true
		}
	}
	if len(known) < 2 {
		return false
	}
	for _, k := range []string{"from", "subject", "message-id", "received", "mime-version", "return-path"} {
		if known[k] {
			return true
		}
	}
	return false
}
