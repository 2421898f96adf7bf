package read

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/extract/doc"
)

func TestEveryFormatIsReadInOrder(t *testing.T) {
	t.Parallel()
	left := []string{"The left column has a first line", "and it goes on with a second one", "and a third line, which is as long", "until the fourth line hy-", "phenates and ends here."}
	right := []string{"The right column begins up here", "and is read after the left one is", "over, not line by line across the", "page, as a careless reader would", "do it."}
	for _, c := range []struct {
		name, file string
		bytes      []byte
		media      string
		title      string
		want       string
	}{
		{
			"Word with styles, lists, tables, notes, comments and headers", "a.docx",
			docx(wp("Head", `<w:pStyle w:val="H1"/>`) + wp("Below", `<w:pStyle w:val="Sub"/>`) + wp("text", `<w:tabs><w:tab w:val="left"/></w:tabs>`) +
				wp("item", `<w:numPr><w:numId w:val="1"/></w:numPr>`) +
				`<w:tbl><w:tr><w:tc>` + wp("a", "") + wp("b", "") + `</w:tc><w:tc><w:p/></w:tc><w:tc>` + wp("c", "") + `</w:tc></w:tr></w:tbl>` +
				`<w:p><w:r><w:lastRenderedPageBreak/><w:t>over</w:t><w:tab/><w:t>leaf</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>`).zip(),
			"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "The Title",
			"p1 # Head\np1 (Head) # Below\np1 (Head/Below) text\np1 (Head/Below) - item\np1 (Head/Below) | a b ·  · c\np2 (Head/Below) over · leaf\n" +
				"a note\nComment by Ann: a remark\nLetterhead",
		},
		{
			"Word with a table in a table and a text box", "a.docx",
			docx(`<w:tbl><w:tr><w:tc>`+wp("outer", "")+`<w:tbl><w:tr><w:tc>`+wp("inner", "")+`</w:tc></w:tr></w:tbl></w:tc><w:tc>`+wp("beside", "")+
				`</w:tc></w:tr></w:tbl><w:p><w:r><w:t>be</w:t><mc:AlternateContent><mc:Choice>`+wp("box", "")+`</mc:Choice><mc:Fallback>`+wp("box", "")+
				`</mc:Fallback></mc:AlternateContent><w:t>fore</w:t></w:r></w:p>`).with("word/_rels/document.xml.rels", "<r/>").zip(),
			"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "The Title",
			"| outer\n| inner\n|  · beside\nbox\nbefore",
		},
		{
			"PowerPoint in the order of its slides, with notes and tables", "a.pptx", pptx().zip(),
			"application/vnd.openxmlformats-officedocument.presentationml.presentation", "",
			"p1 # the title\np1 (the title) the body\np1 (the title) Notes: say this\np2 | c1 · c2",
		},
		{
			"Excel with several sheets", "a.xlsx", xlsx(t),
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "",
			"# Figures\n(Figures) | name · value · TRUE\n(Figures) | ü😅 · 1234.5\n# More\n(More) |  · deep\n(More) Comment on B2 by Ann: why",
		},
		{
			"OpenDocument", "a.odt", odt().zip(), "application/vnd.oasis.opendocument.text", "",
			"# Head\n(Head) some  text · here\n(Head) - item\n(Head) | a · b",
		},
		{
			"Word of before 2007", "a.doc",
			wordDoc("First line\rTable a\x07b\x07\x07Caf\xe9 \x93x\x94\r", "Unicode ☃\x13 HYPERLINK x \x14link\x15\r", 0), "application/msword", "",
			"First line\n| Table a · b\nCafé “x”\nUnicode ☃link",
		},
		{
			"Excel of before 2007", "a.xls", oldExcel(), "application/vnd.ms-excel", "",
			"# Figures\n(Figures) | name · valüe\n(Figures) | x · 7 · 2000-01-01\n(Figures) | 1.5 · 1 · yes\n(Figures) | TRUE",
		},
		{
			"PowerPoint of before 2007", "a.ppt", oldSlides(), "application/vnd.ms-powerpoint", "",
			"p1 # the title\np1 (the title) - ön\np1 (the title) - two\np1 (the title) Notes: say this",
		},
		{
			"a message of Outlook with an attachment", "a.msg", outlook(), "application/vnd.ms-outlook", "Grüße",
			"Subject: Grüße⏎From: Ann <a@example.org>⏎To: Bob⏎Date: Fri, 02 Jan 1970 00:00:00 UTC\nOne\nTwo\n[attachment] t.csv\n# t.csv\n(t.csv) | a,b",
		},
		{
			"EPUB in the order of its spine", "a.epub", epubBook().zip(), "application/epub+zip", "The Book",
			"# First\n(First) chapter one\n# Second\n(Second) chapter two",
		},
		{
			"a web page", "a.html",
			[]byte(`<html><head><title>T &amp; t</title><style>x{}</style></head><body><nav><a>Recent</a></nav><script>no()</script><h2>Head</h2>` +
				`<p>one<br>two &lt;3</p><ul><li>a<li>b<ul><li>c</ul></ul><table><tr><th>h1<th>h2<tr><td>c1<td><p>c2</p><p>c3</p></table><pre>  x
   y</pre></body>`),
			"text/html", "T & t",
			"Recent\n# Head\n(Head) one two <3\n(Head) - a\n(Head) - b\n(Head) - c\n(Head) | h1 · h2\n(Head) | c1 · c2 c3\n(Head) `   x⏎   y",
		},
		{
			"a web page of another encoding", "a.html", []byte("<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0"), "text/html", "", "Привет, мир",
		},
		{
			"Markdown", "a.md",
			[]byte("---\ntitle: \"Front\"\n---\n# One\ntext *marked*\nmore\n\nTwo\n---\n- a\n- b\n  on\n\n| h | i |\n|---|---|\n| 1 | 2 |\n\n```go\n# no heading\n```\n"),
			"text/markdown", "Front",
			"` title: \"Front\"\n# One\n(One) text *marked*⏎more\n(One) # Two\n(One/Two) - - a\n(One/Two) - - b⏎  on\n(One/Two) | | h | i |\n(One/Two) | | 1 | 2 |\n(One/Two) ` # no heading",
		},
		{"plain text", "a.txt", []byte("one\r\ntwo\r\n\r\n  \nthree\n"), "text/plain", "", "one⏎two\nthree"},
		{"plain text with pages", "a.txt", []byte("one\n\ftwo"), "text/plain", "", "p1 one\np2 two"},
		{"values, with a line end in quotes", "a.csv", []byte("a;b\n1;\"x;\ny\"\n;\n2;z\n"), "text/csv", "a.csv", "| a;b\n| 1;\"x;⏎y\"\n| 2;z"},
		{"values with a quote that never closes", "a.csv", []byte("a,\"b\nc,d\n"), "text/csv", "a.csv", "| a,\"b\n| c,d"},
		{
			"XML, with its attributes and the web page in it", "a.xml",
			[]byte(`<?xml version="1.0" encoding="windows-1252"?><feed><title>T` + "\xe9" + `</title><link href="http://a"/><c>&lt;p&gt;in&lt;/p&gt;&lt;p&gt;side&lt;/p&gt;</c></feed>`),
			"application/xml", "Té", "Té\nhttp://a\nin\nside",
		},
		{
			"RTF", "a.rtf",
			[]byte(`{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Cyr;}}{\info{\title My title}{\author Me}}` +
				`{\outlinelevel0 Head\par}\pard plain \'cf\u1088?\emdash{\*\secret x} {\b b}old\par{\trowd\intbl a\cell b\cell\row}\pard end}`),
			"application/rtf", "My title",
			"# Head\n(Head) plain Пр— bold\n(Head) | a · b\n(Head) end",
		},
		{
			"e-mail with an attachment that can be read", "a.eml",
			[]byte("From: Ann <a@example.org>\r\nTo: b@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n" +
				"--X\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n--X\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"t.csv\"\r\n\r\na,b\r\n1,2\r\n--X--\r\n"),
			"message/rfc822", "Grüße",
			"Subject: Grüße⏎From: Ann <a@example.org>⏎To: b@example.org\nHello\n[attachment] t.csv\n# t.csv\n(t.csv) | a,b\n(t.csv) | 1,2",
		},
		{
			"e-mail whose text is a web page", "a.eml",
			[]byte("From: a@example.org\nSubject: s\nContent-Type: text/html\n\n<p>only <b>html</b></p>"),
			"message/rfc822", "s", "Subject: s⏎From: a@example.org\nonly html",
		},
		{
			"an archive, in the order of its names", "a.zip",
			parts{"b.txt": "second", "a/x.md": "# H\nfirst", "__MACOSX/a": "no", "img.png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"}.zip(),
			"application/zip", "",
			"# a/x.md\n(a/x.md) # H\n(a/x.md/H) first\n# b.txt\n(b.txt) second",
		},
		{"a gzip file", "a.txt.gz", gzipped([]byte("inside")), "application/gzip", "", "inside"},
		{
			"PDF with two columns", "a.pdf",
			pdfFile(lines(60, 700, "A title that goes over both of the columns of this page, from the left to the right side of it") +
				lines(60, 670, left...) + lines(320, 670, right...)),
			"application/pdf", "",
			"p1 A title that goes over both of the columns of this page, from the left to the right side of it\n" +
				"p1 The left column has a first line⏎and it goes on with a second one⏎and a third line, which is as long⏎until the fourth line hyphenates⏎and ends here.\n" +
				"p1 " + strings.Join(right, "⏎"),
		},
		{
			"PDF with a table, kerning, escapes and pages", "a.pdf",
			pdfFile("BT /F1 10 Tf 50 700 Td [(W)80(ord) -600 (gap)] TJ ET",
				lines(50, 700, "name", "one", "two")+lines(200, 700, "value", "1\\0512", "\\374")),
			"application/pdf", "", "p1 Word gap\np2 | name · value\np2 | one · 1)2\np2 | two · ü",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := readBytes(c.file, c.bytes, doc.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d.MediaType != c.media || d.Title != c.title {
				t.Errorf("media type %q and title %q, want %q and %q", d.MediaType, d.Title, c.media, c.title)
			}
			if diff := cmp.Diff(c.want, outline(d)); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContentDecidesAndTheNameOnlyHelps(t *testing.T) {
	t.Parallel()
	page := []byte("<!DOCTYPE html><html><body><p>x</p></body></html>")
	for _, c := range []struct {
		name  string
		bytes []byte
		claim string
		want  string
	}{
		{"letter.pdf", docx(wp("x", "")).zip(), "application/pdf", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"letter.docx", pdfFile(lines(50, 700, "x")), "", "application/pdf"},
		{"letter.exe", []byte("just words"), "", "text/plain"},
		{"letter.txt", page, "text/plain", "text/html"},
		{"letter.csv", page, "", "text/html"},
		{"letter", []byte("a,b\n1,2\n"), "text/csv; charset=utf-8", "text/csv"},
		{"letter.md", []byte("From here: to there\nSubject: none"), "", "text/markdown"},
		{"letter", []byte("From: a@example.org\nSubject: s\n\nx"), "", "message/rfc822"},
		{"letter.txt", []byte("{\\rtf1 x}"), "", "application/rtf"},
		{"letter.xml", []byte("<a>x</a>"), "", "application/xml"},
		{"letter.html", []byte("words"), "", "text/html"},
		{"letter.txt", []byte("w\x00o\x00r\x00d\x00s\x00 \x00h\x00e\x00r\x00e\x00"), "", "text/plain"},
	} {
		d, err := readBytes(c.name, c.bytes, doc.Limits{})
		if err == nil && c.claim != "" {
			d, err = Document(t.Context(), Job{File: strings.NewReader(string(c.bytes)), Size: int64(len(c.bytes)), Name: c.name, MediaType: c.claim})
		}
		if err != nil || d.MediaType != c.want {
			t.Errorf("%s claimed as %q is %q (%v), want %q", c.name, c.claim, d.MediaType, err, c.want)
		}
	}
}

func TestALongPieceIsCutAndNothingOfItLost(t *testing.T) {
	t.Parallel()
	text := strings.TrimSpace(strings.Repeat("wörter ", 20_000))
	d, err := readBytes("a.txt", []byte(text), doc.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range d.Blocks {
		if len(b.Text) > 32<<10 {
			t.Errorf("a block of %d bytes", len(b.Text))
		}
		got = append(got, b.Text)
	}
	if strings.Join(got, " ") != text {
		t.Error("the pieces do not make the text")
	}
}
