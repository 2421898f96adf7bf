package server_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	mathfixed "golang.org/x/image/math/fixed"

	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

// needsOCR fails a test where the programs that recognize text are missing, for a
// skipped test proves nothing.
func needsOCR(t *testing.T) {
	t.Helper()
	for _, name := range []string{"pdftoppm", "tesseract"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not installed; run scripts/deps.sh test", name)
		}
	}
}

// scanned is a sheet of letter paper with lines of text, as a scanner at 150 dots
// an inch sees it.
func scanned(t *testing.T, lines ...string) *image.Gray {
	t.Helper()
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 14, DPI: 150})
	if err != nil {
		t.Fatal(err)
	}
	defer face.Close()
	sheet := image.NewGray(image.Rect(0, 0, 1275, 1650))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{245}), image.Point{}, draw.Src)
	pen := font.Drawer{Dst: sheet, Src: image.NewUniform(color.Gray{30}), Face: face}
	for i, l := range lines {
		pen.Dot = mathfixed.P(120, 200+i*50)
		pen.DrawString(l)
	}
	return sheet
}

// scanPDF is a PDF whose pages are pictures and hold no text.
func scanPDF(t *testing.T, sheets ...*image.Gray) []byte {
	t.Helper()
	var b bytes.Buffer
	var at []int
	object := func(format string, args ...any) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(at))
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\nendobj\n")
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	var kids strings.Builder
	for i := range sheets {
		fmt.Fprintf(&kids, "%d 0 R ", 3+3*i)
	}
	object("<< /Type /Pages /Count %d /Kids [ %s] >>", len(sheets), kids.String())
	for i, s := range sheets {
		n := 3 + 3*i
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /XObject << /Scan %d 0 R >> >> >>", n+1, n+2)
		const paint = "q 612 0 0 792 0 0 cm /Scan Do Q"
		object("<< /Length %d >>\nstream\n%s\nendstream", len(paint), paint)
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		if _, err := z.Write(s.Pix); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		object("<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream",
			s.Rect.Dx(), s.Rect.Dy(), packed.Len(), packed.String())
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, table)
	return b.Bytes()
}

// Real programs read here, behind the walls that a worker has.
func TestAScanIsFoundByItsWordsInTheExhaustiveMode(t *testing.T) {
	t.Parallel()
	needsOCR(t)
	first := scanned(t, "Minutes of the harbour board", "The lighthouse keeper reported that the", "foghorn was silent during the storm.")
	second := scanned(t, "The board resolved to buy a new", "compressor for nine hundred crowns.")
	file := scanPDF(t, first, second)
	var picture bytes.Buffer
	if err := png.Encode(&picture, scanned(t, "Receipt", "Two barrels of pickled herring", "delivered to the keeper's cottage.")); err != nil {
		t.Fatal(err)
	}
	c := servertest.Start(t, db.SQLite).Admin(t)
	corpus := func(mode int) int64 {
		return c.Do("POST", corporaPath, map[string]any{"name": fmt.Sprint("Harbour ", mode), "indexing_mode_id": mode}).Want(t, 201).ID("data.id")
	}
	add := func(corpusID int64, name string, b []byte) servertest.Answer {
		id := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpusID), name, b, map[string]string{"content_type": "file"}).Want(t, 201).ID("data.id")
		return c.Indexed(id)
	}
	exhaustive, standard := corpus(1), corpus(2)
	a := add(exhaustive, "minutes.pdf", file)
	if a.At("data.is_failed") != false || a.At("data.pages") != 2.0 || !strings.Contains(string(a.Body), "their text was recognized and may hold mistakes") {
		t.Errorf("the scan: %s", a.Body)
	}
	minutes := a.ID("data.id")
	receipt := add(exhaustive, "receipt.png", picture.Bytes()).ID("data.id")
	for words, want := range map[string]int64{
		"silent+foghorn+storm": minutes, "compressor+nine+hundred+crowns": minutes, "barrels+of+pickled+herring": receipt,
	} {
		found := c.Do("GET", fmt.Sprintf("%s/search?query=%s&corpus_ids=%d", corporaPath, words, exhaustive), nil).Want(t, 200)
		if found.ID("data.passages.0.document_id") != want || found.At("data.passages.0.coverage") != 1.0 {
			t.Errorf("%s: %s", words, found.Body)
		}
	}
	if a := add(standard, "minutes.pdf", file); a.At("data.is_failed") != true || a.String("data.failure_code") != "empty" || !strings.Contains(a.String("data.failure_reason"), "exhaustive") {
		t.Errorf("the scan in the mode standard: %s", a.Body)
	}
}
