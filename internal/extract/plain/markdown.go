package plain

import (
	"regexp"
	"strings"

	"atrium/internal/extract/doc"
)

var (
	atx    = regexp.MustCompile(`^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$`)
	bullet = regexp.MustCompile(`^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S`)
	fence  = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})")
	setext = regexp.MustCompile(`^ {0,3}(=+|-{2,})[ \t]*$`)
	rule   = regexp.MustCompile(`^[ \t|:-]*-[ \t|:-]*$`)
)

// Markdown keeps the text as written, marks included, and takes the headings,
// list items, code and table rows from it.
func Markdown(in *doc.Input) error {
	text, err := load(in, nil)
	if err != nil {
		return err
	}
	m := &markdown{in: in}
	text = m.frontMatter(text)
	for text != "" {
		var line string
		line, text = cutLine(text)
		m.line(line)
		if err := in.Stopped(); err != nil {
			return err
		}
	}
	m.flush()
	return in.Stopped()
}

type markdown struct {
	in    *doc.Input
	lines []string
	kind  doc.Kind
	fence string // the mark that opened the code being read
}

// frontMatter keeps the settings at the top of a file as code and takes its title.
func (m *markdown) frontMatter(text string) string {
	body, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return text
	}
	head, rest, ok := strings.Cut(body, "\n---\n")
	if !ok || len(head) > 10_000 {
		return text
	}
	for line := range strings.SplitSeq(head, "\n") {
		if v, ok := strings.CutPrefix(line, "title:"); ok {
			m.in.Out.SetTitle(strings.Trim(v, ` "'`))
		}
	}
	m.in.Out.Add(doc.Code, head)
	return rest
}

func (m *markdown) line(line string) {
	if m.fence != "" {
		if t := strings.TrimSpace(line); strings.HasPrefix(t, m.fence) && strings.Trim(t, m.fence[:1]) == "" {
			m.flush()
			m.fence = ""
			return
		}
		m.lines = append(m.lines, line)
		return
	}
	if f := fence.FindStringSubmatch(line); f != nil {
		m.flush()
		m.fence, m.kind = f[1], doc.Code
		return
	}
	if strings.TrimSpace(line) == "" {
		m.flush()
		return
	}
	if h := atx.FindStringSubmatch(line); h != nil {
		m.flush()
		if len(h[1]) == 1 {
			m.in.Out.SetTitle(h[2])
		}
		m.in.Out.Heading(len(h[1]), h[2])
		return
	}
	if s := setext.FindStringSubmatch(line); s != nil && len(m.lines) == 1 && m.kind == doc.Paragraph {
		level := 1
		if s[1][0] == '-' {
			level = 2
		}
		m.in.Out.Heading(level, m.lines[0])
		m.lines = nil
		return
	}
	switch {
	case bullet.MatchString(line):
		m.flush()
		m.kind = doc.ListItem
	case strings.HasPrefix(strings.TrimSpace(line), "|"):
		m.flush()
		if !rule.MatchString(line) {
			m.in.Out.Add(doc.TableRow, line)
		}
		return
	case len(m.lines) == 0:
		m.kind = doc.Paragraph
	}
	m.lines = append(m.lines, line)
}

func (m *markdown) flush() {
	if len(m.lines) > 0 {
		m.in.Out.Add(m.kind, strings.Join(m.lines, "\n"))
	}
	m.lines, m.kind = nil, doc.Paragraph
}
