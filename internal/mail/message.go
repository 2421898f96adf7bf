package mail

import (
	"html/template"
	"strings"
	"unicode"
)

// Message is a mail to one person. It is sent as plain text and as HTML.
type Message struct {
	To      string
	Subject string
	Before  []string // paragraphs
	Code    string   // shown large, when given
	Link    string   // of a button, when given
	Label   string   // on the button
	After   []string // paragraphs
}

// page loads nothing from elsewhere.
var page = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family:system-ui,sans-serif;font-size:16px;line-height:1.5;color:#1a1a1a;max-width:36em;margin:2em auto;padding:0 1em">
{{range .Before}}<p>{{.}}</p>
{{end}}{{with .Code}}<p style="font-family:ui-monospace,monospace;font-size:28px;letter-spacing:4px;font-weight:600">{{.}}</p>
{{end}}{{if .Link}}<p><a href="{{.Link}}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#1f4fd8;color:#ffffff;text-decoration:none">{{.Label}}</a></p>
<p style="font-size:14px;color:#555555">Or open this address: {{.Link}}</p>
{{end}}{{range .After}}<p style="font-size:14px;color:#555555">{{.}}</p>
{{end}}</body></html>
`))

// render makes the two forms of the message.
func (m Message) render() (text, html string, err error) {
	var parts []string
	parts = append(parts, m.Before...)
	if m.Code != "" {
		parts = append(parts, "    "+m.Code)
	}
	if m.Link != "" {
		parts = append(parts, m.Label+":\n"+m.Link)
	}
	parts = append(parts, m.After...)
	var b strings.Builder
	m.Subject = oneLine(m.Subject)
	err = page.Execute(&b, m)
	return strings.Join(parts, "\n\n") + "\n", b.String(), err
}

// oneLine keeps a text from ending its header and beginning another.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == ' ' || r == '\u2028' || r == '\u2029' }), " ")
}
