package read

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"atrium/internal/extract/doc"
)

// check is what holds for any bytes: reading ends in time, with a reason or with
// clean text within the limits.
func check(t *testing.T, name string, b []byte, log func(string)) {
	t.Helper()
	l := doc.Limits{Text: 1 << 20, Blocks: 5000, Entries: 100, Inflated: 16 << 20, Pages: 50, Time: 5 * time.Second}
	d, err := Document(t.Context(), Job{File: bytes.NewReader(b), Size: int64(len(b)), Name: name, Limits: l, Log: log})
	if err != nil {
		if !reason(err).Known() || reason(err) == doc.WorkerFailed {
			t.Fatalf("no reason: %v", err)
		}
		return
	}
	text := int64(0)
	for _, k := range d.Blocks {
		if !utf8.ValidString(k.Text) || strings.ContainsRune(k.Text, 0) || strings.TrimSpace(k.Text) == "" || k.Page < 0 || k.Page > 50 {
			t.Fatalf("block %+v", k)
		}
		text += int64(len(k.Text))
	}
	if len(d.Blocks) == 0 || len(d.Blocks) > 5000 || text > 1<<20 {
		t.Fatalf("%d blocks, %d bytes", len(d.Blocks), text)
	}
}

// fuzz tries a format whose bytes can be mutated as they are. Our own readers
// must not even panic where that would be caught; those that call libraries may.
func fuzz(f *testing.F, name string, ours bool, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, name, b, func(s string) {
			if ours {
				t.Error(s)
			}
		})
	})
}

// fuzzPart tries a part of a packed format, which mutation of the packed bytes
// would hardly reach.
func fuzzPart(f *testing.F, name string, base parts, part string, ours bool, seeds ...string) {
	f.Add(base[part])
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check(t, name, base.with(part, s).zip(), func(s string) {
			if ours {
				t.Error(s)
			}
		})
	})
}

func FuzzPDF(f *testing.F) {
	good := pdfFile(lines(50, 700, "first"), lines(50, 700, "second"))
	fuzz(f, "a.pdf", false, good, good[:len(good)/2], []byte("%PDF-1.4\n1 0 obj<</Kids[1 0 R]>>endobj trailer<</Root 1 0 R>>"))
}

func FuzzPDFPage(f *testing.F) {
	f.Add(lines(50, 700, "words \\101 \\(x\\)"))
	f.Add("q 1 0 0 1 0 0 cm BT /F1 1e9 Tf 0 0 1 0 5 5 Tm [(a) -1e30 <4142>] TJ ET Q BI /W 1 ID x EI /F Do [[[[")
	f.Fuzz(func(t *testing.T, s string) {
		check(t, "a.pdf", pdfFile(s), func(s string) { t.Error(s) })
	})
}

func FuzzWord(f *testing.F) {
	fuzzPart(f, "a.docx", docx(wp("x", `<w:pStyle w:val="H1"/>`)+`<w:tbl><w:tr><w:tc>`+wp("a", "")+`</w:tc></w:tr></w:tbl>`), "word/document.xml", true,
		`<p><r><t>x<lastRenderedPageBreak/></t></tbl></tr></p></p><tc><moveFrom>`)
}

func FuzzWordStyles(f *testing.F) {
	fuzzPart(f, "a.docx", docx(wp("x", "")), "word/styles.xml", true, `<style styleId="a"><basedOn val="a"/></style>`)
}

func FuzzSlides(f *testing.F)       { fuzzPart(f, "a.pptx", pptx(), "ppt/slides/slide2.xml", true) }
func FuzzOpenDocument(f *testing.F) { fuzzPart(f, "a.odt", odt(), "content.xml", true) }
func FuzzBook(f *testing.F)         { fuzzPart(f, "a.epub", epubBook(), "OEBPS/book.opf", true) }
func FuzzOldWorkbook(f *testing.F)  { fuzz(f, "a.xls", false, oldExcel()) }
func FuzzOldSlides(f *testing.F)    { fuzz(f, "a.ppt", false, oldSlides()) }
func FuzzOutlook(f *testing.F)      { fuzz(f, "a.msg", false, outlook()) }
func FuzzWorkbook(f *testing.F)     { fuzz(f, "a.xlsx", false, xlsx(f)) }
func FuzzDoc(f *testing.F) {
	fuzz(f, "a.doc", false, wordDoc("a\x07b\x07\x07c\r", "☃\x13x\x14y\x15\r", 0))
}
func FuzzRTF(f *testing.F) {
	fuzz(f, "a.rtf", true, []byte(`{\rtf1\ansicpg932 a\'82\'a0\u-10179?\u-8704?{\*\x y}\bin3 abc\cell\row\par}`))
}
func FuzzHTML(f *testing.F) {
	fuzz(f, "a.html", true, []byte(`<!doctype html><meta charset=big5><table><td>x<table><h1>y</table><pre>z<script>`), []byte("<?xml?><html><title/>x"))
}
func FuzzMarkdown(f *testing.F) {
	fuzz(f, "a.md", true, []byte("---\na: b\n---\n# x\ny\n===\n- z\n```\nq\n~~~\n| a |\n"))
}
func FuzzText(f *testing.F) { fuzz(f, "a.txt", true, []byte("a\n\nb\fc"), []byte("\xff\xfea\x00")) }
func FuzzCSV(f *testing.F)  { fuzz(f, "a.csv", true, []byte("a;b\n\"x\ny\";2\n"), []byte("\"")) }
func FuzzXML(f *testing.F) {
	fuzz(f, "a.xml", true, []byte(`<?xml version="1.0"?><a b="c">d<![CDATA[<p>e</p>]]></a>`), []byte(bomb))
}
func FuzzMail(f *testing.F) { fuzz(f, "a.eml", false, []byte(messages(1)), []byte(messages(3))) }
func FuzzZip(f *testing.F) {
	fuzz(f, "a.zip", false, parts{"a.txt": "x", "b.md": "# y"}.zip(), zipIn([]byte("x"), 2), encryptedEntry())
}
func FuzzGzip(f *testing.F) {
	fuzz(f, "a.gz", true, gzipped([]byte("words")), gzipped(gzipped([]byte("x"))))
}
