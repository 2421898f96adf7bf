package read

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"atrium/internal/extract/doc"
)

const bomb = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><lolz>&b;</lolz>`

func nested(open, shut string, n int) string {
	return strings.Repeat(open, n) + "x" + strings.Repeat(shut, n)
}

func zipIn(b []byte, times int) []byte {
	for range times {
		b = parts{"a.zip": string(b)}.zip()
	}
	return b
}

// encryptedEntry marks the entries of an archive as protected.
func encryptedEntry() []byte {
	b := parts{"a.txt": "secret"}.zip()
	for _, sign := range []struct {
		mark string
		at   int
	}{{"PK\x03\x04", 6}, {"PK\x01\x02", 8}} {
		b[bytes.Index(b, []byte(sign.mark))+sign.at] |= 1
	}
	return b
}

func link() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "link.txt"}
	h.SetMode(0o777 | os.ModeSymlink)
	w, err := z.CreateHeader(h)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte("/etc/passwd"))
	_ = z.Close()
	return b.Bytes()
}

func lockedPDF(t *testing.T, user string, may model.PermissionFlags) []byte {
	t.Helper()
	conf := model.NewAESConfiguration(user, "owner", 256)
	conf.Permissions = may
	var b bytes.Buffer
	if err := api.Encrypt(bytes.NewReader(pdfFile(lines(50, 700, "hidden words"))), &b, conf); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryHostileOrBrokenFileEndsWithAReason(t *testing.T) {
	t.Parallel()
	deepForm := pdfFile("/F Do")
	for _, c := range []struct {
		name, file string
		bytes      []byte
		limits     doc.Limits
		want       doc.Reason
	}{
		{"white space", "a.txt", []byte(" \n\t "), doc.Limits{}, doc.Empty},
		{"an unknown format", "a.bin", []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00"), doc.Limits{}, doc.Unsupported},
		{"a picture that is named a document", "a.docx", []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), doc.Limits{}, doc.Unsupported},
		{"a file over the limit", "a.txt", []byte("words and words"), doc.Limits{Bytes: 5}, doc.TooLarge},
		{"entities in XML", "a.xml", []byte(bomb), doc.Limits{}, doc.Unsupported},
		{"entities in a Word document", "a.docx", docx("").with("word/document.xml", bomb).zip(), doc.Limits{}, doc.Unsupported},
		{"an external entity", "a.xml", []byte(`<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>`), doc.Limits{}, doc.Unsupported},
		{"deep XML", "a.xml", []byte(`<?xml version="1.0"?>` + nested("<a>", "</a>", 100_000)), doc.Limits{}, doc.Damaged},
		{"deep tables in a Word document", "a.docx", docx(nested("<w:tbl><w:tr><w:tc><w:p>", "</w:p></w:tc></w:tr></w:tbl>", 5000)).zip(), doc.Limits{}, doc.Damaged},
		{"deep RTF", "a.rtf", []byte(`{\rtf1 ` + nested("{", "}", 50_000)), doc.Limits{}, doc.Damaged},
		{"a Word document without its main part", "a.docx", parts{"[Content_Types].xml": "<Types/>", "word/x.xml": "<x/>"}.zip(), doc.Limits{}, doc.Damaged},
		{"a Word document without text", "a.docx", docx("").with("word/_rels/document.xml.rels", "<r/>").zip(), doc.Limits{}, doc.Empty},
		{"a workbook that is no workbook", "a.xlsx", parts{"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<x"}.zip(), doc.Limits{}, doc.Damaged},
		{"a binary workbook", "a.xlsb", parts{"[Content_Types].xml": "<Types/>", "xl/workbook.bin": "x"}.zip(), doc.Limits{}, doc.Unsupported},
		{"a protected OpenDocument file", "a.odt", odt().with("META-INF/manifest.xml", "<m><encryption-data/></m>").zip(), doc.Limits{}, doc.Encrypted},
		{"a protected Office file", "a.docx", compound(map[string][]byte{"EncryptedPackage": {1}}), doc.Limits{}, doc.Encrypted},
		{"a protected .doc", "a.doc", wordDoc("secret\r", "", 0x0100), doc.Limits{}, doc.Encrypted},
		{"an old workbook", "a.xls", compound(map[string][]byte{"Workbook": {1}}), doc.Limits{}, doc.Damaged},
		{"an old workbook with a password", "a.xls", oldExcel([]byte{0x2F, 0, 0, 0}), doc.Limits{}, doc.Encrypted},
		{"a .doc of zeros", "a.doc", compound(map[string][]byte{"WordDocument": make([]byte, 4096), "0Table": {0}}), doc.Limits{}, doc.Damaged},
		{"an OLE file that breaks off", "a.doc", wordDoc("x\r", "", 0)[:600], doc.Limits{}, doc.Damaged},
		{"a protected book", "a.epub", epubBook().with("META-INF/rights.xml", "<r/>").zip(), doc.Limits{}, doc.Encrypted},
		{"a book without parts", "a.epub", parts{"mimetype": "application/epub+zip", "x": "y"}.zip(), doc.Limits{}, doc.Damaged},
		{"a protected PDF", "a.pdf", lockedPDF(t, "user", model.PermissionsAll), doc.Limits{}, doc.Encrypted},
		{"a PDF whose text may not be copied", "a.pdf", lockedPDF(t, "", model.PermissionsNone), doc.Limits{}, doc.Encrypted},
		{"a PDF that is only a head", "a.pdf", []byte("%PDF-1.7\nno more"), doc.Limits{}, doc.Damaged},
		{"a PDF without text", "a.pdf", pdfFile("0 0 m 10 10 l S"), doc.Limits{}, doc.Empty},
		{"a PDF with too many pages", "a.pdf", pdfFile("", "", lines(1, 1, "x")), doc.Limits{Pages: 2}, doc.TooLarge},
		{"a PDF that draws what is not there", "a.pdf", deepForm, doc.Limits{}, doc.Empty},
		{"an archive in archives", "a.zip", zipIn([]byte("x"), 3), doc.Limits{}, doc.TooLarge},
		{"gzip in gzip", "a.gz", gzipped(gzipped(gzipped([]byte("x")))), doc.Limits{}, doc.TooLarge},
		{"a name that climbs out", "a.zip", parts{"../../etc/cron.d/x": "x"}.zip(), doc.Limits{}, doc.Damaged},
		{"a name from the root", "a.zip", parts{`C:\x.txt`: "x"}.zip(), doc.Limits{}, doc.Damaged},
		{"a protected archive", "a.zip", encryptedEntry(), doc.Limits{}, doc.Encrypted},
		{"an empty archive", "a.zip", parts{}.zip(), doc.Limits{}, doc.Empty},
		{"an archive that breaks off", "a.zip", parts{"a.txt": "words"}.zip()[:40], doc.Limits{}, doc.Damaged},
		{"an archive of a link", "a.zip", link(), doc.Limits{}, doc.Empty},
		{"an archive of a picture", "a.zip", parts{"a.png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"}.zip(), doc.Limits{}, doc.Unsupported},
		{"too many entries", "a.zip", parts{"a": "x", "b": "x", "c": "x"}.zip(), doc.Limits{Entries: 2}, doc.TooLarge},
		{"zeros that unpack to a thousand times", "a.zip", parts{"a.txt": strings.Repeat("0", 66<<20)}.zip(), doc.Limits{}, doc.TooLarge},
		{"a Word document that unpacks to too much", "a.docx", docx(wp(strings.Repeat("0", 2<<20), "")).zip(), doc.Limits{Inflated: 1 << 20}, doc.TooLarge},
		{"more text than allowed", "a.txt", []byte(strings.Repeat("words\n\n", 1000)), doc.Limits{Text: 1000}, doc.TooLarge},
		{"more paragraphs than allowed", "a.txt", []byte(strings.Repeat("x\n\n", 1000)), doc.Limits{Blocks: 100}, doc.TooLarge},
		{"no time", "a.txt", []byte(strings.Repeat("x\n\n", 1000)), doc.Limits{Time: 1}, doc.TimedOut},
		{"a message of too many parts", "a.eml", []byte(mailHead + strings.Repeat("--B\r\n\r\nx\r\n", 6000)), doc.Limits{}, doc.TooLarge},
		{"a message of parts in parts", "a.eml", []byte(mailHead + strings.Repeat("--B\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n", 400)), doc.Limits{}, doc.TooLarge},
		{"messages in messages", "a.eml", []byte(messages(12)), doc.Limits{}, doc.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := readBytes(c.file, c.bytes, c.limits)
			if reason(err) != c.want {
				t.Fatalf("error %v (%s), want %s; read %.200q", err, reason(err), c.want, outline(d))
			}
			if len(err.Error()) < 15 || strings.Contains(err.Error(), "%!") {
				t.Errorf("the message helps nobody: %q", err)
			}
		})
	}
}

const mailHead = "From: a@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"

// messages nests a message in messages, each as an attachment.
func messages(n int) string {
	inner := "From: a@example.org\r\nSubject: s\r\n\r\nx"
	for i := range n {
		inner = fmt.Sprintf("From: a@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B%d\r\n\r\n--B%d\r\n"+
			"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=m.eml\r\n\r\n%s\r\n--B%d--\r\n", i, i, inner, i)
	}
	return inner
}

func TestAPasswordOpensAProtectedPDF(t *testing.T) {
	t.Parallel()
	b := lockedPDF(t, "user", model.PermissionsAll)
	for pass, want := range map[string]doc.Reason{"user": "", "owner": "", "wrong": doc.Encrypted, "": doc.Encrypted} {
		d, err := Document(t.Context(), Job{File: bytes.NewReader(b), Size: int64(len(b)), Password: pass})
		if reason(err) != want || want == "" && outline(d) != "p1 hidden words" {
			t.Errorf("password %q: %v, %q", pass, err, outline(d))
		}
	}
}

func TestDamageCostsNoMoreThanItsPlace(t *testing.T) {
	t.Parallel()
	good := pdfFile(lines(50, 700, "first page"), lines(50, 700, "second page"))
	noXref := good[:bytes.Index(good, []byte("xref\n"))]
	noXref = append(bytes.Clone(noXref), "trailer\n<</Root 1 0 R/Size 8>>\nstartxref\n7\n%%EOF\n"...)
	short := gzipped([]byte(strings.Repeat("some words that go on\n", 2000)))
	for _, c := range []struct {
		name, file string
		bytes      []byte
		want       string
		warns      bool
	}{
		{"a PDF without its table of places", "a.pdf", noXref, "first page", false},
		{"a PDF behind other bytes", "a.pdf", append([]byte("junk\n"), good...), "second page", false},
		{"a Word document that breaks off", "a.docx", docx("").with("word/document.xml", "<w:document><w:p><w:r><w:t>kept</w:t></w:r></w:p><w:p><w:r").zip(), "kept", true},
		{"a gzip file that breaks off", "a.gz", short[:len(short)/2], "some words", true},
		{"XML that breaks off", "a.xml", []byte("<?xml version='1.0'?><a><b>kept</b><c "), "kept", true},
		{"XML with an unknown entity", "a.xml", []byte("<?xml version='1.0'?><a>&nbsp;kept &unknown; &amp;</a>"), "kept", false},
		{"a web page that is all open tags", "a.html", []byte("<html><div><p><b>kept<table><td>too"), "kept", false},
		{"RTF that breaks off", "a.rtf", []byte(`{\rtf1 kept {\b bold \'`), "kept", false},
		{"an archive of which one file is damaged", "a.zip", parts{"a.txt": "kept", "b.docx": "PK\x03\x04 no"}.zip(), "kept", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := readBytes(c.file, c.bytes, doc.Limits{})
			if err != nil || !strings.Contains(outline(d), c.want) {
				t.Fatalf("error %v, read %q", err, outline(d))
			}
			if c.warns != (len(d.Warnings) > 0) {
				t.Errorf("warnings %q", d.Warnings)
			}
		})
	}
}

func TestNothingIsWrittenAndNothingElseIsRead(t *testing.T) {
	// Not parallel: it looks at the folder for temporary files.
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, b := range map[string][]byte{"a.xlsx": xlsx(t), "a.zip": parts{"x.txt": "y"}.zip(), "a.pdf": pdfFile(lines(1, 1, "x"))} {
		if _, err := readBytes(name, b, doc.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestCountsOfACompoundFileAreNotBelieved(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0x28, 0x2C, 0x40, 0x48} {
		b := wordDoc("words\r", "", 0)
		b[0x1A] = 4 // the version that counts its directory
		binary.LittleEndian.PutUint32(b[at:], 0x3A3FC00)
		if _, err := readBytes("a.doc", b, doc.Limits{}); reason(err) != doc.Damaged {
			t.Errorf("count at %#x: error %v", at, err)
		}
	}
}

func TestOverlappingPiecesOfADocDoNotMultiply(t *testing.T) {
	t.Parallel()
	b := wordDoc("words\r", "", 0)
	i := bytes.Index(b, []byte{2, 28, 0, 0, 0})
	if i < 0 {
		t.Fatal("no piece table")
	}
	binary.LittleEndian.PutUint32(b[i+5+8:], 1<<30)
	if _, err := readBytes("a.doc", b, doc.Limits{}); reason(err) != doc.Damaged {
		t.Errorf("error %v", err)
	}
}
