package split

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"atrium/internal/extract"
)

var modes = []Mode{Exhaustive, Standard, Basic}

func paragraph(text string, heading ...string) extract.Block {
	return extract.Block{Kind: extract.Paragraph, Text: text, Heading: heading}
}

func sentences(n, words int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Sentence %d", i)
		for range words - 2 {
			b.WriteString(" word")
		}
		b.WriteString(". ")
	}
	return strings.TrimSpace(b.String())
}

func TestAShortDocumentIsOnePiece(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		text, pieces := Pieces(extract.Document{Blocks: []extract.Block{paragraph("One."), paragraph(" "), paragraph("Two.")}}, m)
		if text != "One.\n\nTwo." || len(pieces) != 1 || pieces[0].Text != text {
			t.Errorf("%s: %q in %+v", m, text, pieces)
		}
	}
}

func TestADocumentWithoutTextHasNoPieces(t *testing.T) {
	t.Parallel()
	text, pieces := Pieces(extract.Document{Title: "T", Blocks: []extract.Block{paragraph(" \n")}}, Standard)
	if text != "" || len(pieces) != 0 {
		t.Errorf("%q in %+v", text, pieces)
	}
}

func TestPiecesEndAtSentences(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		_, pieces := Pieces(extract.Document{Blocks: []extract.Block{paragraph(sentences(120, 12))}}, m)
		if len(pieces) < 3 {
			t.Errorf("%s: %d pieces", m, len(pieces))
		}
		for _, p := range pieces {
			n := len(strings.Fields(p.Text))
			if !strings.HasPrefix(p.Text, "Sentence") || !strings.HasSuffix(p.Text, ".") || n > sizes[m].limit || n < sizes[m].least {
				t.Errorf("%s: %d words in %.30q…", m, n, p.Text)
			}
		}
	}
}

func TestOnlyExhaustivePiecesOverlapByASentence(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		text, pieces := Pieces(extract.Document{Blocks: []extract.Block{paragraph(sentences(150, 10))}}, m)
		for i := 1; i < len(pieces); i++ {
			shared := ""
			if end := pieces[i-1].End; pieces[i].Start < end {
				shared = text[pieces[i].Start:end]
			}
			if got, want := strings.Count(shared, "Sentence"), map[Mode]int{Exhaustive: 1}[m]; got != want {
				t.Errorf("%s: piece %d shares %q with the one before", m, i, shared)
			}
		}
	}
}

func TestPiecesKnowPageAndHeadings(t *testing.T) {
	t.Parallel()
	doc := extract.Document{Blocks: []extract.Block{
		{Kind: extract.Heading, Text: "Care", Page: 1},
		{Kind: extract.Paragraph, Text: sentences(20, 12), Page: 1, Heading: []string{"Care"}},
		{Kind: extract.Heading, Text: "Soil", Page: 2, Heading: []string{"Care"}},
		{Kind: extract.Paragraph, Text: sentences(20, 12), Page: 3, Heading: []string{"Care", "Soil"}},
	}}
	_, pieces := Pieces(doc, Exhaustive)
	first, last := pieces[0], pieces[len(pieces)-1]
	if first.Page != 1 || !slices.Equal(first.Heading, []string{"Care"}) || !strings.HasPrefix(first.Text, "Care\n\n") {
		t.Errorf("the first is of page %d under %q", first.Page, first.Heading)
	}
	if last.Page < 2 || !slices.Equal(last.Heading, []string{"Care", "Soil"}) {
		t.Errorf("the last is of page %d under %q", last.Page, last.Heading)
	}
	for _, p := range pieces {
		if strings.HasSuffix(p.Text, "Soil") {
			t.Errorf("a heading is parted from what it heads: …%q", p.Text[len(p.Text)-30:])
		}
		if i := strings.Index(p.Text, "Soil\n\n"); i > 0 {
			t.Errorf("a piece goes on over a heading: %q", p.Text[i-20:])
		}
	}
}

func TestTablesAreCutByRowsThatKnowTheirHeader(t *testing.T) {
	t.Parallel()
	blocks := []extract.Block{{Kind: extract.TableRow, Text: "Name | Price in euros"}}
	for i := range 200 {
		blocks = append(blocks, extract.Block{Kind: extract.TableRow, Text: fmt.Sprintf("Item no. %d. Of wood | %d", i, i)})
	}
	_, pieces := Pieces(extract.Document{Blocks: blocks}, Exhaustive)
	if len(pieces) < 3 {
		t.Fatalf("%d pieces", len(pieces))
	}
	for i, p := range pieces {
		if (p.Context == "Name | Price in euros") != (i > 0) {
			t.Errorf("piece %d has the context %q", i, p.Context)
		}
		if !strings.HasPrefix(p.Text, "Item") && i > 0 || i > 0 && strings.Contains(p.Text, "Name |") {
			t.Errorf("piece %d begins %.20q", i, p.Text)
		}
	}
}

func TestAHugeWordIsCut(t *testing.T) {
	t.Parallel()
	_, pieces := Pieces(extract.Document{Blocks: []extract.Block{paragraph(strings.Repeat("QUJD", 50000))}}, Standard)
	for _, p := range pieces {
		if len(p.Text) > 64*(sizes[Standard].limit+2) {
			t.Errorf("a piece of %d bytes", len(p.Text))
		}
	}
}

func TestUnknownModesAreStandard(t *testing.T) {
	t.Parallel()
	doc := extract.Document{Blocks: []extract.Block{paragraph(sentences(90, 10))}}
	_, a := Pieces(doc, "odd")
	_, b := Pieces(doc, Standard)
	if len(a) != len(b) {
		t.Errorf("%d pieces, not %d", len(a), len(b))
	}
}

// check is what holds for every document: spans are exact, in order, of whole
// runes, and leave out nothing but white space.
func check(t interface {
	Fatalf(string, ...any)
	Helper()
}, doc extract.Document, m Mode) {
	t.Helper()
	text, pieces := Pieces(doc, m)
	if !utf8.ValidString(text) {
		t.Fatalf("the text is not UTF-8")
	}
	covered, last := 0, -1
	for i, p := range pieces {
		if p.Start < 0 || p.End > len(text) || p.Start >= p.End || text[p.Start:p.End] != p.Text {
			t.Fatalf("piece %d is not what stands at %d:%d", i, p.Start, p.End)
		}
		if !utf8.ValidString(p.Text) || strings.TrimSpace(p.Text) == "" {
			t.Fatalf("piece %d is %q", i, p.Text)
		}
		if p.Start <= last {
			t.Fatalf("piece %d starts at %d, the one before at %d", i, p.Start, last)
		}
		last = p.Start
		if p.Start > covered {
			if gap := text[covered:p.Start]; strings.TrimFunc(gap, unicode.IsSpace) != "" {
				t.Fatalf("%q stands in no piece", gap)
			}
		}
		if p.End < covered {
			t.Fatalf("piece %d lies within the one before", i)
		}
		covered = p.End
	}
	if strings.TrimSpace(text[covered:]) != "" {
		t.Fatalf("%q stands in no piece", text[covered:])
	}
	for i := 1; i < len(pieces); i++ {
		before, _ := utf8.DecodeLastRuneInString(text[:pieces[i].Start])
		first, _ := utf8.DecodeRuneInString(pieces[i].Text)
		if unicode.IsLetter(before) && unicode.IsLetter(first) && before < 0x0E00 && first < 0x0E00 && wordAround(text, pieces[i].Start) < longestWord {
			t.Fatalf("a word is cut before %.10q", pieces[i].Text)
		}
	}
}

// wordAround is the length in bytes of the run without spaces around i.
func wordAround(text string, i int) int {
	from := strings.LastIndexFunc(text[:i], unicode.IsSpace)
	to := strings.IndexFunc(text[i:], unicode.IsSpace)
	if to < 0 {
		to = len(text) - i
	}
	return i + to - from - 1
}

func TestPiecesCoverTheTextExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "word", "Dr.", "end.", "知识库。", "e\u0301te\u0301", "\n", "x\n\ny", "(see", "3.5", "ไทยไทย", "Ünïcödé!", "\xff", " ", strings.Repeat("z", 100)})
		block := rapid.Custom(func(r *rapid.T) extract.Block {
			b := extract.Block{
				Kind:    rapid.SampledFrom([]extract.Kind{extract.Paragraph, extract.Heading, extract.ListItem, extract.TableRow, extract.Code, ""}).Draw(r, "kind"),
				Page:    rapid.IntRange(0, 3).Draw(r, "page"),
				Heading: rapid.SampledFrom([][]string{nil, {"A"}, {"A", "B"}}).Draw(r, "heading"),
			}
			words := rapid.SliceOfN(word, 0, 60).Draw(r, "words")
			b.Text = strings.Join(words, " ")
			b.Text = strings.Repeat(b.Text+" ", rapid.SampledFrom([]int{1, 1, 5, 20}).Draw(r, "times"))
			return b
		})
		doc := extract.Document{Blocks: rapid.SliceOfN(block, 0, 12).Draw(r, "blocks")}
		for _, m := range modes {
			check(r, doc, m)
		}
	})
}

func FuzzPieces(f *testing.F) {
	f.Add("One. Two. " + strings.Repeat("three four. ", 200))
	f.Add("知识库。\xff" + strings.Repeat("ไทย", 300))
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range modes {
			check(t, extract.Document{Blocks: []extract.Block{paragraph(s), {Kind: extract.TableRow, Text: s}}}, m)
		}
	})
}

func TestAShortDocumentOfOneSectionStaysWhole(t *testing.T) {
	t.Parallel()
	sentences := func(n int) string { return strings.Repeat("Each of these sentences has ten words, this one too. ", n) }
	paragraph := func(text string, heading ...string) extract.Block {
		return extract.Block{Kind: extract.Paragraph, Text: text, Heading: heading}
	}
	for _, c := range []struct {
		name   string
		blocks []extract.Block
		want   int
	}{
		{"one that fits", []extract.Block{paragraph(sentences(31))}, 1},
		{"one that is longer", []extract.Block{paragraph(sentences(34))}, 2},
		{"one of two sections", []extract.Block{paragraph(sentences(15), "A"), paragraph(sentences(15), "B")}, 2},
	} {
		if _, got := Pieces(extract.Document{Blocks: c.blocks}, Exhaustive); len(got) != c.want {
			t.Errorf("%s has %d pieces", c.name, len(got))
		}
	}
}
