package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/ocr"
)

// sheet writes what pdftotext -tsv would say of pages.
type sheet struct {
	b     strings.Builder
	page  int
	block int
}

func newSheet() *sheet {
	s := &sheet{}
	s.b.WriteString("level\tpage_num\tpar_num\tblock_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n")
	return s
}

func (s *sheet) row(level int, left, top, width, height float64, text string) {
	fmt.Fprintf(&s.b, "%d\t%d\t0\t%d\t0\t0\t%f\t%f\t%f\t%f\t-1\t%s\n", level, s.page, s.block, left, top, width, height, text)
}

func (s *sheet) newPage() *sheet {
	s.page++
	s.row(1, 0, 0, 600, 800, "###PAGE###")
	return s
}

// add writes a block of lines at a place, of letters as wide as half their height.
func (s *sheet) add(left, top, height float64, lines ...string) *sheet {
	s.block++
	s.row(3, 0, 0, 0, 0, "###FLOW###")
	for i, l := range lines {
		s.row(4, 0, 0, 0, 0, "###LINE###")
		at := left
		for w := range strings.FieldsSeq(l) {
			w = strings.ReplaceAll(w, "_", " ")
			width := float64(len(w)) * height / 2
			s.row(5, at, top+float64(i)*height*1.2, width, height, w)
			at += width + height/4
		}
	}
	return s
}

// helpers plays the programs: what each answers by its name.
type helpers map[string]func(args []string) ([]byte, error)

func (h helpers) run(_ context.Context, stdin io.Reader, name string, args ...string) ([]byte, error) {
	if h[name] == nil {
		return nil, doc.ErrNoHelper
	}
	_, _ = io.Copy(io.Discard, stdin)
	return h[name](args)
}

func input(t *testing.T, mode doc.Mode, h helpers) *doc.Input {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	l := doc.DefaultLimits()
	file := []byte("%PDF-1.4")
	return &doc.Input{Ctx: ctx, File: bytes.NewReader(file), Size: int64(len(file)), Mode: mode, Out: doc.NewBuilder(l), Budget: doc.NewBudget(l, 8), Helper: h.run}
}

func readWith(t *testing.T, mode doc.Mode, h helpers) (doc.Document, error) {
	t.Helper()
	in := input(t, mode, h)
	err := Read(in)
	return in.Out.Document(), err
}

func says(text string) func([]string) ([]byte, error) {
	return func([]string) ([]byte, error) { return []byte(text), nil }
}

func outline(d doc.Document) []string {
	var out []string
	for _, b := range d.Blocks {
		out = append(out, fmt.Sprintf("p%d %s [%s] %s", b.Page, b.Kind, strings.Join(b.Heading, "/"), strings.NewReplacer("\t", "|", "\n", "⏎").Replace(b.Text)))
	}
	return out
}

func TestTheExhaustiveModeKeepsHeadingsTablesAndColumns(t *testing.T) {
	t.Parallel()
	long := "this is a line of running text of a column"
	s := newSheet().newPage().
		add(50, 40, 20, "The Report").
		add(20, 100, 30, "x").
		add(50, 90, 13, "1").add(80, 90, 13, "Results").
		add(50, 120, 10, long, "which parts a word at its end as in hyphen-", "ated text "+long).
		add(300, 120, 10, long, long, long).
		add(50, 300, 10, "Table 1: What was measured and how it went in all the years").
		add(50, 320, 10, "City", "Bonn", "Lyon", "Riga").add(150, 320, 10, "Year", "2001", "2002", "2003").add(250, 320, 10, "Sum", "", "17", "19")
	d, err := readWith(t, doc.Exhaustive, helpers{"pdftotext": says(s.b.String())})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"p1 heading [] The Report",
		"p1 paragraph [The Report] x",
		"p1 heading [The Report] 1 Results",
		"p1 paragraph [The Report/1 Results] " + long + "⏎which parts a word at its end as in hyphenated text " + long,
		"p1 paragraph [The Report/1 Results] " + long + "⏎" + long + "⏎" + long,
		"p1 paragraph [The Report/1 Results] Table 1: What was measured and how it went in all the years",
		"p1 table_row [The Report/1 Results] City|Year|Sum",
		"p1 table_row [The Report/1 Results] Bonn|2001",
		"p1 table_row [The Report/1 Results] Lyon|2002|17",
		"p1 table_row [The Report/1 Results] Riga|2003|19",
	}
	got := outline(d)
	if !slices.Equal(got, want) {
		t.Errorf("read\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPagesThatArePicturesAreRecognizedOrSpokenOf(t *testing.T) {
	t.Parallel()
	mixed := newSheet().newPage().add(50, 40, 10, "A page of text").newPage().b.String()
	scan := newSheet().newPage().newPage().b.String()
	draw := func(args []string) ([]byte, error) { return []byte("page " + args[slices.Index(args, "-f")+1]), nil }
	for _, c := range []struct {
		name, tsv        string
		mode             doc.Mode
		ocr              bool
		want, warn, fail string
	}{
		{"a scan with the programs", scan, doc.Exhaustive, true, "p1 paragraph [] seen|p2 paragraph [] seen", "may hold mistakes", ""},
		{"a scanned page among others", mixed, doc.Exhaustive, true, "p1 paragraph [] A page of text|p2 paragraph [] seen", "may hold mistakes", ""},
		{"a scan without the programs", scan, doc.Exhaustive, false, "", "", "install tesseract"},
		{"a scanned page without the programs", mixed, doc.Exhaustive, false, "p1 paragraph [] A page of text", "page 2 of the PDF has no text", ""},
		{"a scan in another mode", "\f\f", doc.Standard, true, "", "", "choose the indexing mode exhaustive"},
	} {
		h := helpers{"pdftotext": says(c.tsv)}
		if c.ocr {
			h["pdftoppm"], h["tesseract"] = draw, says("seen\n")
		}
		d, err := readWith(t, c.mode, h)
		if c.fail != "" {
			if err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%s: fails with %v, want %q", c.name, err, c.fail)
			}
			continue
		}
		if got := strings.Join(outline(d), "|"); err != nil || got != c.want || !strings.Contains(strings.Join(d.Warnings, "; "), c.warn) {
			t.Errorf("%s: %q with %q, %v", c.name, got, d.Warnings, err)
		}
	}
}

func TestScansAreReadInTheLanguagesThatAreSetOrInstalled(t *testing.T) {
	t.Parallel()
	scan := newSheet().newPage().b.String()
	mixed := newSheet().newPage().add(50, 40, 10, "A page of text").newPage().b.String()
	for _, c := range []struct {
		name, tsv  string
		read       func(*doc.Input) error
		installed  string // empty: it cannot tell
		set        []string
		want, said string
		reason     doc.Reason
	}{
		{"installed", scan, Read, "deu eng osd", nil, "- - -l eng+deu", "", ""},
		{"set", scan, Read, "deu eng fra osd", []string{"fra", "eng"}, "- - -l fra+eng", "", ""},
		{"not told", scan, Read, "", nil, "- -", "", ""},
		{"set and not told", scan, Read, "", []string{"deu"}, "- - -l deu", "", ""},
		{"missing", scan, Read, "eng osd", []string{"eng", "deu", "fra"}, "", "install tesseract's data for deu and fra on the server", doc.Empty},
		{"none at all", scan, Read, "osd", nil, "", "install tesseract's data for eng on the server", doc.Empty},
		{"missing for a page", mixed, Read, "eng osd", []string{"deu"}, "A page of text", "page 2 of the PDF has no text; if it is a scan, it cannot be recognized because tesseract lacks a language; install tesseract's data for deu", ""},
		{"a picture", "", Picture, "deu eng osd", nil, "- - -l eng+deu", "", ""},
		{"missing for a picture", "", Picture, "eng osd", []string{"deu"}, "", "install tesseract's data for deu on the server", doc.Unsupported},
	} {
		tesseract := func(args []string) ([]byte, error) {
			switch {
			case !slices.Equal(args, ocr.ListArgs):
				return []byte(strings.Join(args, " ")), nil
			case c.installed == "":
				return nil, errors.New("unknown option")
			}
			return []byte("List of available languages in \"/data/\" (2):\n" + strings.ReplaceAll(c.installed, " ", "\n")), nil
		}
		in := input(t, doc.Exhaustive, helpers{"pdftotext": says(c.tsv), "pdftoppm": says("image"), "tesseract": tesseract})
		in.Languages = c.set
		err := c.read(in)
		d := in.Out.Document()
		if c.reason != "" {
			if e, ok := errors.AsType[*doc.Error](err); !ok || e.Reason != c.reason || !strings.Contains(e.Message, c.said) {
				t.Errorf("%s: fails with %v", c.name, err)
			}
			continue
		}
		if err != nil || len(d.Blocks) != 1 || d.Blocks[0].Text != c.want || !strings.Contains(strings.Join(d.Warnings, "; "), c.said) {
			t.Errorf("%s: %+v, %v", c.name, d, err)
		}
	}
}

func TestTheOtherModesTakeThePlainText(t *testing.T) {
	t.Parallel()
	plain := func(args []string) ([]byte, error) {
		if slices.Contains(args, "-tsv") {
			t.Error("places are asked for")
		}
		return []byte("one\n\ntwo\f"), nil
	}
	d, err := readWith(t, doc.Basic, helpers{"pdftotext": plain})
	if got := strings.Join(outline(d), "; "); err != nil || got != "p1 paragraph [] one; p1 paragraph [] two" {
		t.Errorf("%q, %v", got, err)
	}
	// An old pdftotext does not know places; right-to-left writing does not follow them.
	for _, out := range []string{"one\f", newSheet().newPage().add(1, 1, 10, "שלום").b.String()} {
		old := func(args []string) ([]byte, error) {
			if slices.Contains(args, "-tsv") {
				return []byte(out), nil
			}
			return []byte("plain\f"), nil
		}
		if d, err := readWith(t, doc.Exhaustive, helpers{"pdftotext": old}); err != nil || len(d.Blocks) != 1 || d.Blocks[0].Text != "plain" {
			t.Errorf("%+v, %v", d, err)
		}
	}
}

func FuzzTSV(f *testing.F) {
	f.Add(newSheet().newPage().add(1, 2, 10, "a b c", "d e f").add(1, 30, 20, "Head").b.String())
	f.Add("level\tpage_num\n\t\t\t\t\t\t0\t0\t0\t0\t\t0")
	f.Fuzz(func(t *testing.T, text string) {
		pages, _ := parseTSV([]byte(text))
		for _, p := range pages {
			for _, tab := range p.tables() {
				tab.grid()
			}
		}
	})
}

func TestNumbersOfPlacesAreReadExactly(t *testing.T) {
	t.Parallel()
	texts := []string{"", ".", "-", "0", "007", "12.", ".5", "1.2.3", "-3.25", "1e3", "nan", "inf", "123456789012345", "1234567890123456", "0.1234567890123456789", "99999999999999999999", "1_0", "x"}
	for i := range 2000 {
		texts = append(texts, fmt.Sprintf("%.*f", i%16, float64(i)*7919/13))
	}
	for _, s := range texts {
		want, err := strconv.ParseFloat(s, 64)
		if err != nil {
			want = 0
		}
		if got := decimal([]byte(s)); got != want && !math.IsNaN(want) {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	}
}
