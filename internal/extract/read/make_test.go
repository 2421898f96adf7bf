package read

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"atrium/internal/extract/doc"
)

// parts are the entries of a ZIP file by name.
type parts map[string]string

func (p parts) zip() []byte {
	names := make([]string, 0, len(p))
	for n := range p {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { // EPUB and OpenDocument want this one first
		if (names[i] == "mimetype") != (names[j] == "mimetype") {
			return names[i] == "mimetype"
		}
		return names[i] < names[j]
	})
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		h := &zip.FileHeader{Name: n, Method: zip.Deflate}
		if n == "mimetype" {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			panic(err)
		}
		if _, err := w.Write([]byte(p[n])); err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (p parts) with(name, text string) parts {
	c := parts{name: text}
	for k, v := range p {
		if k != name {
			c[k] = v
		}
	}
	return c
}

func rels(kinds map[string]string) string {
	s := `<Relationships>`
	i := 0
	for target, kind := range kinds {
		i++
		s += fmt.Sprintf(`<Relationship Id="r%s%d" Type="http://example/%s" Target="%s"/>`, kind, i, kind, target)
	}
	return s + `</Relationships>`
}

func docx(body string) parts {
	return parts{
		"[Content_Types].xml": `<Types/>`,
		"_rels/.rels":         rels(map[string]string{"word/document.xml": "officeDocument"}),
		"word/document.xml":   `<?xml version="1.0"?><w:document xmlns:w="x"><w:body>` + body + `</w:body></w:document>`,
		"word/_rels/document.xml.rels": rels(map[string]string{
			"styles.xml": "styles", "comments.xml": "comments", "footnotes.xml": "footnotes", "header1.xml": "header", "header2.xml": "header",
		}),
		"word/styles.xml": `<w:styles xmlns:w="x"><w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>` +
			`<w:style w:styleId="Sub"><w:name w:val="own"/><w:basedOn w:val="H2"/></w:style>` +
			`<w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style></w:styles>`,
		"word/comments.xml":  `<w:comments xmlns:w="x"><w:comment w:author="Ann"><w:p><w:r><w:t>a remark</w:t></w:r></w:p></w:comment></w:comments>`,
		"word/footnotes.xml": `<w:footnotes xmlns:w="x"><w:footnote><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnote></w:footnotes>`,
		"word/header1.xml":   `<w:hdr xmlns:w="x"><w:p><w:r><w:t>Letterhead</w:t></w:r></w:p></w:hdr>`,
		"word/header2.xml":   `<w:hdr xmlns:w="x"><w:p><w:r><w:t>Letterhead</w:t></w:r></w:p></w:hdr>`,
		"docProps/core.xml":  `<cp:coreProperties xmlns:dc="d"><dc:title>The Title</dc:title></cp:coreProperties>`,
	}
}

func wp(text, props string) string {
	return `<w:p><w:pPr>` + props + `</w:pPr><w:r><w:t>` + text + `</w:t></w:r></w:p>`
}

func pptx() parts {
	shape := func(ph, text string) string {
		return `<p:sp><p:nvSpPr><p:nvPr><p:ph type="` + ph + `"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>` + text + `</a:t></a:r></a:p></p:txBody></p:sp>`
	}
	slide := func(body string) string {
		return `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>` + body + `</p:spTree></p:cSld></p:sld>`
	}
	return parts{
		"[Content_Types].xml":             `<Types/>`,
		"_rels/.rels":                     rels(map[string]string{"ppt/presentation.xml": "officeDocument"}),
		"ppt/presentation.xml":            `<p:presentation xmlns:r="r" xmlns:p="p"><p:sldIdLst><p:sldId id="256" r:id="two"/><p:sldId id="257" r:id="one"/></p:sldIdLst></p:presentation>`,
		"ppt/_rels/presentation.xml.rels": `<Relationships><Relationship Id="one" Type="x/slide" Target="slides/slide1.xml"/><Relationship Id="two" Type="x/slide" Target="/ppt/slides/slide2.xml"/></Relationships>`,
		"ppt/slides/slide1.xml": slide(`<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>c1</a:t></a:r></a:p></a:txBody></a:tc>` +
			`<a:tc><a:txBody><a:p><a:r><a:t>c2</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`),
		"ppt/slides/slide2.xml":            slide(shape("body", "the body") + shape("title", "the title") + shape("sldNum", "99")),
		"ppt/slides/_rels/slide2.xml.rels": rels(map[string]string{"../notesSlides/n1.xml": "notesSlide"}),
		"ppt/notesSlides/n1.xml":           slide(shape("body", "say this")),
	}
}

func odt() parts {
	return parts{
		"mimetype":              "application/vnd.oasis.opendocument.text",
		"META-INF/manifest.xml": `<manifest/>`,
		"content.xml": `<office:document-content xmlns:text="t" xmlns:table="b"><office:body><text:h text:outline-level="1">Head</text:h>` +
			`<text:p>some<text:s text:c="2"/>text<text:tab/>here</text:p><text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>` +
			`<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>` +
			`</office:body></office:document-content>`,
	}
}

func epubBook() parts {
	return parts{
		"mimetype":               "application/epub+zip",
		"META-INF/container.xml": `<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`,
		"OEBPS/book.opf": `<package><metadata><dc:title xmlns:dc="d">The Book</dc:title></metadata><manifest>` +
			`<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/><item id="a" href="a%20one.xhtml" media-type="application/xhtml+xml"/></manifest>` +
			`<spine><itemref idref="a"/><itemref idref="b"/></spine></package>`,
		"OEBPS/a one.xhtml": `<?xml version="1.0"?><html><head><title/><script src="x"/></head><body><h1>First</h1><p>chapter one</p></body></html>`,
		"OEBPS/b.xhtml":     `<html><body><h1>Second</h1><p>chapter two</p></body></html>`,
	}
}

func xlsx(t testing.TB) []byte {
	t.Helper()
	f := excelize.NewFile()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(f.SetSheetName("Sheet1", "Figures"))
	check(f.SetSheetRow("Figures", "A1", &[]any{"name", "value", true}))
	check(f.SetSheetRow("Figures", "A3", &[]any{"ü😅", 1234.5}))
	check(f.SetCellFormula("Figures", "B4", "1+1"))
	_, err := f.NewSheet("More")
	check(err)
	check(f.SetCellValue("More", "B2", "deep"))
	check(f.AddComment("More", excelize.Comment{Cell: "B2", Author: "Ann", Text: "why"}))
	var b bytes.Buffer
	check(f.Write(&b))
	return b.Bytes()
}

// pdfFile writes a file of pages, each a content stream over the font F1.
func pdfFile(pages ...string) []byte {
	var b bytes.Buffer
	var at []int
	obj := func(s string) int {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), s)
		return len(at)
	}
	b.WriteString("%PDF-1.4\n")
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", 4+2*i)
	}
	obj("<</Type/Catalog/Pages 2 0 R>>")
	obj(fmt.Sprintf("<</Type/Pages/Kids[%s]/Count %d/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R>>>>>>", kids, len(pages)))
	obj("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
	for i, p := range pages {
		obj(fmt.Sprintf("<</Type/Page/Parent 2 0 R/Contents %d 0 R>>", 5+2*i))
		obj(fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(p), p))
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}

// lines draws lines of text from a place down.
func lines(x, y int, text ...string) string {
	s := fmt.Sprintf("BT /F1 10 Tf %d %d Td 12 TL\n", x, y)
	for _, l := range text {
		s += "(" + l + ") Tj T*\n"
	}
	return s + "ET\n"
}

// compound writes an OLE file of streams that are padded to whole sectors.
func compound(streams map[string][]byte) []byte {
	const sector, free, end, fat = 512, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
	names := make([]string, 0, len(streams))
	for n := range streams {
		names = append(names, n)
	}
	sort.Strings(names)
	var body []byte
	table := []uint32{fat, end} // sector 0 is the table, 1 the directory
	entry := func(name string, kind byte, child, right, start uint32, size int) []byte {
		e := make([]byte, 128)
		u := utf16.Encode([]rune(name))
		for i, c := range u {
			binary.LittleEndian.PutUint16(e[2*i:], c)
		}
		binary.LittleEndian.PutUint16(e[64:], uint16(2*len(u)+2))
		e[66], e[67] = kind, 1
		for i, v := range []uint32{free, right, child} {
			binary.LittleEndian.PutUint32(e[68+4*i:], v)
		}
		binary.LittleEndian.PutUint32(e[116:], start)
		binary.LittleEndian.PutUint64(e[120:], uint64(size))
		return e
	}
	dir := entry("Root Entry", 5, 1, free, end, 0)
	// A name with a slash lies in a folder; folders stand first.
	in := map[string][]string{}
	for _, n := range names {
		folder, _, inside := strings.Cut(n, "/")
		if !inside {
			folder = ""
		}
		in[folder] = append(in[folder], n)
	}
	var folders []string
	for f := range in {
		if f != "" {
			folders = append(folders, f)
		}
	}
	sort.Strings(folders)
	names = names[:0]
	names = append(names, in[""]...)
	first := len(folders) + len(names) + 1
	for i, f := range folders {
		right := uint32(i + 2)
		if i+1 == len(folders) && len(in[""]) == 0 {
			right = free
		}
		dir = append(dir, entry(f, 1, uint32(first), right, end, 0)...)
		first += len(in[f])
		names = append(names, in[f]...)
	}
	for i, n := range names {
		size := max((len(streams[n])+sector-1)/sector*sector, 4096)
		folder, name, inside := strings.Cut(n, "/")
		if !inside {
			folder, name = "", n
		}
		right := uint32(len(folders) + i + 2)
		if in[folder][len(in[folder])-1] == n {
			right = free
		}
		dir = append(dir, entry(name, 2, free, right, uint32(len(table)), size)...)
		for k := range size / sector {
			next := uint32(len(table) + 1)
			if k == size/sector-1 {
				next = end
			}
			table = append(table, next)
		}
		body = append(body, append(bytes.Clone(streams[n]), make([]byte, size-len(streams[n]))...)...)
	}
	for len(dir)%sector != 0 {
		dir = append(dir, make([]byte, 128)...)
	}
	for at, last := sector, 1; at < len(dir); at += sector { // the directory goes on behind the streams
		table[last] = uint32(len(table))
		last = len(table)
		table = append(table, end)
		body = append(body, dir[at:at+sector]...)
	}
	dir = dir[:sector]
	for len(table) < sector/4 {
		table = append(table, free)
	}
	h := make([]byte, sector)
	copy(h, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	for at, v := range map[int]uint16{24: 0x3E, 26: 3, 28: 0xFFFE, 30: 9, 32: 6} {
		binary.LittleEndian.PutUint16(h[at:], v)
	}
	for at, v := range map[int]uint32{44: 1, 48: 1, 56: 4096, 60: end, 68: end, 76: 0} {
		binary.LittleEndian.PutUint32(h[at:], v)
	}
	for at := 80; at < sector; at += 4 {
		binary.LittleEndian.PutUint32(h[at:], free)
	}
	out := h
	for _, v := range table {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return append(append(out, dir[:sector]...), body...)
}

// wordDoc writes a .doc whose text is in two pieces: one of bytes, one of UTF-16.
func wordDoc(narrow, wide string, flags uint16) []byte {
	main := make([]byte, 4096)
	binary.LittleEndian.PutUint16(main, 0xA5EC)
	binary.LittleEndian.PutUint16(main[2:], 0xC1)
	binary.LittleEndian.PutUint16(main[0x0A:], flags)
	u := utf16.Encode([]rune(wide))
	at := 1024
	copy(main[at:], narrow)
	for i, c := range u {
		binary.LittleEndian.PutUint16(main[2048+2*i:], c)
	}
	plc := binary.LittleEndian.AppendUint32(nil, 0)
	plc = binary.LittleEndian.AppendUint32(plc, uint32(len(narrow)))
	plc = binary.LittleEndian.AppendUint32(plc, uint32(len(narrow)+len(u)))
	for _, fc := range []uint32{uint32(2*at) | 0x40000000, 2048} {
		plc = append(plc, 0, 0)
		plc = binary.LittleEndian.AppendUint32(plc, fc)
		plc = append(plc, 0, 0)
	}
	clx := append([]byte{2}, binary.LittleEndian.AppendUint32(nil, uint32(len(plc)))...)
	clx = append(clx, plc...)
	binary.LittleEndian.PutUint32(main[0x1A6:], uint32(len(clx)))
	return compound(map[string][]byte{"WordDocument": main, "0Table": clx})
}

func wideBytes(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// outlook writes an .msg with an attachment.
func outlook() []byte {
	times := make([]byte, 32+16)
	binary.LittleEndian.PutUint16(times[32:], 0x0040)
	binary.LittleEndian.PutUint16(times[34:], 0x0039)
	binary.LittleEndian.PutUint64(times[40:], 116_444_736_000_000_000+86400*10_000_000)
	return compound(map[string][]byte{
		"__properties_version1.0": times,
		"__substg1.0_0037001F":    wideBytes("Grüße"), "__substg1.0_0C1A001F": wideBytes("Ann"), "__substg1.0_5D01001F": wideBytes("a@example.org"),
		"__substg1.0_0E04001E": []byte("Bob"), "__substg1.0_1000001F": wideBytes("One\r\n\r\nTwo"),
		"__attach_version1.0_#00000000/__substg1.0_3707001F": wideBytes("t.csv"), "__attach_version1.0_#00000000/__substg1.0_37010102": []byte("a,b" + strings.Repeat("\n", 4093)), // streams are padded with zeros
	})
}

// oldExcel writes an .xls: texts that go over the end of a record, numbers in
// each way of writing, a date, a formula.
func oldExcel(extra ...[]byte) []byte {
	rec := func(id uint16, parts ...any) []byte {
		var b []byte
		for _, p := range parts {
			switch v := p.(type) {
			case string:
				b = append(b, v...)
			case float64:
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
			case uint32:
				b = binary.LittleEndian.AppendUint32(b, v)
			case int:
				b = binary.LittleEndian.AppendUint16(b, uint16(v))
			}
		}
		head := binary.LittleEndian.AppendUint16(nil, id)
		return append(binary.LittleEndian.AppendUint16(head, uint16(len(b))), b...)
	}
	const name = "Figures"
	global := slices.Concat(append([][]byte{rec(0x0809, 0x0600, 5)}, extra...)...)
	global = slices.Concat(global, rec(0x00E0, 0, 0), rec(0x00E0, 0, 14),
		rec(0x00FC, uint32(3), uint32(3), 4, "\x00name", 5, "\x00va"), rec(0x003C, "\x01", string(wideBytes("lüe")), 1, "\x00x"))
	at := len(global) + 4 + 8 + len(name) + 4
	sheet := slices.Concat(rec(0x0809, 0x0600, 16),
		rec(0x00FD, 0, 0, 0, uint32(0)), rec(0x00FD, 0, 1, 0, uint32(1)),
		rec(0x00FD, 1, 0, 0, uint32(2)), rec(0x027E, 1, 1, 0, uint32(7<<2|2)), rec(0x0203, 1, 2, 1, 36526.0),
		rec(0x00BD, 2, 0, 0, uint32(150<<2|3), 0, uint32(0x3FF00000), 1), rec(0x0006, 2, 2, 0, 0, 0, 0, 0xFFFF, 0, uint32(0)), rec(0x0207, 3, "\x00yes"),
		rec(0x0205, 3, 0, 0, 1), rec(0x000A))
	return compound(map[string][]byte{"Workbook": slices.Concat(global, rec(0x0085, uint32(at), 0, "\x07\x00"+name), rec(0x000A), sheet)})
}

// oldSlides writes a .ppt with a slide and its notes.
func oldSlides() []byte {
	rec := func(head, id uint16, body []byte) []byte {
		b := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, head), id)
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(body))), body...)
	}
	list := slices.Concat(rec(0, 0x03F3, make([]byte, 20)), rec(0, 0x0F9F, []byte{0, 0, 0, 0}), rec(0, 0x0FA8, []byte("the title")),
		rec(0, 0x0F9F, []byte{1, 0, 0, 0}), rec(0, 0x0FA0, wideBytes("ön\rtwo")))
	notes := slices.Concat(rec(0, 0x03F3, make([]byte, 20)), rec(0, 0x0F9F, []byte{2, 0, 0, 0}), rec(0, 0x0FA8, []byte("say this")))
	doc := rec(0xF, 0x03E8, slices.Concat(rec(0xF, 0x0FF0, list), rec(0x2F, 0x0FF0, notes)))
	return compound(map[string][]byte{"PowerPoint Document": doc})
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// readBytes reads a file that is in memory, by the built-in readers.
func readBytes(name string, b []byte, l doc.Limits) (doc.Document, error) {
	return Document(context.Background(), Job{File: bytes.NewReader(b), Size: int64(len(b)), Name: name, Limits: l})
}

// outline writes a document so that a test can say what it should be.
func outline(d doc.Document) string {
	var s strings.Builder
	for _, b := range d.Blocks {
		mark := map[doc.Kind]string{doc.Heading: "# ", doc.ListItem: "- ", doc.TableRow: "| ", doc.Code: "` ", doc.Paragraph: ""}[b.Kind]
		if b.Page > 0 {
			fmt.Fprintf(&s, "p%d ", b.Page)
		}
		if len(b.Heading) > 0 {
			s.WriteString("(" + strings.Join(b.Heading, "/") + ") ")
		}
		s.WriteString(mark + strings.NewReplacer("\t", " · ", "\n", "⏎").Replace(b.Text) + "\n")
	}
	return strings.TrimSuffix(s.String(), "\n")
}

func reason(err error) doc.Reason {
	if e, ok := errors.AsType[*doc.Error](err); ok {
		return e.Reason
	}
	return ""
}
