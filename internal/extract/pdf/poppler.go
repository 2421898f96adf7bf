package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/ocr"
)

// poppler reads a file by pdftotext and answers the pages that hold no text. Its
// plain order (neither -layout nor -raw) keeps columns apart and tables together
// best; for layout it tells the places of the words, in the same order. It answers
// doc.ErrNoHelper when the built-in reader should try: the program is missing or
// cannot cope.
func poppler(in *doc.Input) (bare []int, err error) {
	// A password on the command line could be read by every user of the machine.
	if in.Helper == nil || in.Password != "" {
		return nil, doc.ErrNoHelper
	}
	if in.Mode == doc.Exhaustive {
		out, err := pdftotext(in, "-tsv")
		if err == nil && len(out) < maxTSV && !rightToLeft(out) {
			if pages, ok := parseTSV(out); ok {
				return layPages(in, pages)
			}
		}
		if err := in.Stopped(); err != nil {
			return nil, err
		}
	}
	out, err := pdftotext(in)
	if limit, ok := errors.AsType[*doc.Error](err); ok {
		return nil, limit
	}
	if err != nil && len(bytes.TrimSpace(out)) == 0 {
		return nil, doc.ErrNoHelper
	}
	pages := bytes.Split(out, []byte("\f"))
	if n := len(pages); n > 1 && len(bytes.TrimSpace(pages[n-1])) == 0 {
		pages = pages[:n-1]
	}
	for i, p := range pages {
		in.Out.Page(i + 1)
		if len(bytes.TrimSpace(p)) == 0 {
			bare = append(bare, i+1)
		}
		for part := range strings.SplitSeq(string(p), "\n\n") {
			in.Out.Add(doc.Paragraph, part)
		}
		if err := in.Stopped(); err != nil {
			return nil, err
		}
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		in.Out.Warn("the PDF is damaged; a part of its text may be missing")
	}
	return bare, nil
}

func pdftotext(in *doc.Input, more ...string) ([]byte, error) {
	out, err := in.Helper(in.Ctx, in.Stdin(), "pdftotext", append(append([]string{"-q", "-enc", "UTF-8"}, more...), "-", "-")...)
	if e := in.Stopped(); e != nil {
		return nil, e
	}
	return out, err
}

// layPages adds headings, rows of tables and paragraphs, page by page.
func layPages(in *doc.Input, pages []tsvPage) (bare []int, err error) {
	body := bodyHeight(pages)
	for i, p := range pages {
		in.Out.Page(i + 1)
		if len(p.blocks) == 0 {
			bare = append(bare, i+1)
		}
		layPage(in, p, body)
		if err := in.Stopped(); err != nil {
			return nil, err
		}
	}
	return bare, nil
}

// layPage puts a table where the first of its blocks stands.
func layPage(in *doc.Input, p tsvPage, body float64) {
	tables := p.tables()
	of := map[int]int{} // the table of a block
	for t, tab := range tables {
		for _, r := range tab.rows {
			for _, c := range r {
				if _, taken := of[c.block]; !taken {
					of[c.block] = t
				}
			}
		}
	}
	done := make([]bool, len(tables))
	for k := 0; k < len(p.blocks); k++ {
		b := p.blocks[k]
		t, inTable := of[k]
		if inTable && !done[t] {
			done[t] = true
			for _, row := range tables[t].grid() {
				in.Out.Row(row)
			}
		}
		if inTable {
			b = b.without(tables[t])
		}
		if len(b.lines) == 0 {
			continue
		}
		// The number of a heading is often a block of its own.
		if k+1 < len(p.blocks) && b.numbers(p.blocks[k+1]) {
			next := p.blocks[k+1]
			text := next.paragraph()
			if level := next.level(body, text); level > 0 {
				in.Out.Heading(level, b.paragraph()+" "+text)
				k++
				continue
			}
		}
		text := b.paragraph()
		if level := b.level(body, text); level > 0 && !inTable {
			in.Out.Heading(level, text)
			continue
		}
		in.Out.Add(doc.Paragraph, text)
	}
}

// numbers tells whether the block is the number before a heading in one line with it.
func (b tsvBlock) numbers(next tsvBlock) bool {
	if b.words != 1 || len(next.lines) == 0 || len(b.lines) != 1 {
		return false
	}
	l, n := b.lines[0], next.lines[0]
	return strings.Trim(l.words[0].text, "0123456789.ABCDEFGIVX") == "" && math.Abs(l.top-n.top) < n.height/2 && n.left > l.right && n.left-l.right < 4*n.height
}

// without leaves out the lines that stand in a table.
func (b tsvBlock) without(t table) tsvBlock {
	var out tsvBlock
	for _, l := range b.lines {
		if len(l.words) > 0 && !t.at[[2]float64{l.words[0].left, l.words[0].top}] {
			out.lines = append(out.lines, l)
			out.words += len(l.words)
		}
	}
	return out
}

// maxTSV is how many bytes of places are worked on, which take several times as
// many in memory; of larger files only the text is read.
const maxTSV = 48 << 20

// maxScanned bounds the pages whose text is recognized, which takes seconds each.
const maxScanned = 100

// recognize reads pages that are pictures, by pdftoppm and tesseract, as many as
// the time of a file allows. Of what is not read it tells.
func recognize(in *doc.Input, pages []int) error {
	if in.Helper == nil {
		return doc.ErrNoHelper
	}
	languages, err := languages(in)
	if err != nil {
		return err
	}
	read := 0
	slowest := time.Duration(0)
	for i, n := range pages {
		begin := time.Now()
		if end, ok := in.Ctx.Deadline(); i == maxScanned || ok && i > 0 && time.Until(end) < 2*slowest {
			in.Out.Warn(fmt.Sprintf("the text of %s was not recognized, because a file is read for a limited time; split the file", pageList(pages[i:])))
			break
		}
		found, err := recognizePage(in, n, languages)
		if e := in.Stopped(); e != nil {
			return e
		}
		if err != nil {
			return err
		}
		if found {
			read++
		}
		slowest = max(slowest, time.Since(begin))
	}
	if read > 0 {
		in.Out.Warn("some pages are pictures; their text was recognized and may hold mistakes")
	}
	return nil
}

// languagesError are needed and not installed. Letters read in another language
// look like text and are none.
type languagesError []string

func (m languagesError) Error() string {
	return ocr.Install(m) + " on the server and retry, or have ATRIUM_OCR_LANGUAGES changed"
}

// languages has tesseract read its input in the languages of the setting, or in
// those that are installed.
func languages(in *doc.Input) (args []string, err error) {
	args = []string{"-", "-"}
	out, err := in.Helper(in.Ctx, bytes.NewReader(nil), "tesseract", ocr.ListArgs...)
	if errors.Is(err, doc.ErrNoHelper) {
		return nil, err
	}
	use := in.Languages
	if installed, ok := ocr.Installed(out); ok && err == nil {
		if missing := ocr.Missing(use, installed); len(missing) > 0 {
			return nil, languagesError(missing)
		}
		if len(use) == 0 {
			if use, _ = ocr.Usual(installed); len(use) == 0 {
				return nil, languagesError{"eng"}
			}
		}
	}
	if len(use) > 0 {
		args = append(args, "-l", strings.Join(use, "+"))
	}
	return args, nil
}

// recognizePage tells whether a page had text. The page is drawn at most so large
// as a sheet of paper is at 200 dots an inch, whatever it says its size is.
func recognizePage(in *doc.Input, n int, languages []string) (bool, error) {
	page := strconv.Itoa(n)
	img, err := in.Helper(in.Ctx, in.Stdin(), "pdftoppm", "-q", "-gray", "-scale-to", "2300", "-f", page, "-l", page, "-")
	if errors.Is(err, doc.ErrNoHelper) {
		return false, err
	}
	if err != nil || len(img) == 0 {
		in.Out.Warn("page " + page + " is damaged and could not be drawn")
		return false, nil //nolint:nilerr // the warning says so
	}
	text, err := in.Helper(in.Ctx, bytes.NewReader(img), "tesseract", languages...)
	if errors.Is(err, doc.ErrNoHelper) {
		return false, err
	}
	if err != nil {
		in.Out.Warn("the text of page " + page + " could not be recognized")
		return false, nil //nolint:nilerr // the warning says so
	}
	in.Out.Page(n)
	before := in.Out.Len()
	for part := range strings.SplitSeq(string(text), "\n\n") {
		in.Out.Add(doc.Paragraph, part)
	}
	return in.Out.Len() > before, nil
}

// pageList is some pages in words.
func pageList(pages []int) string {
	const most = 8
	words := make([]string, 0, most)
	for _, n := range pages[:min(most, len(pages))] {
		words = append(words, strconv.Itoa(n))
	}
	out := "page " + words[0]
	if len(words) > 1 {
		out = "pages " + strings.Join(words, ", ")
	}
	if len(pages) > most {
		out += fmt.Sprintf(" and %d more", len(pages)-most)
	}
	return out
}

// Picture reads a picture of a page, such as a photograph or a scan.
func Picture(in *doc.Input) error {
	missing := doc.Fail(doc.Unsupported, "the file is a picture, whose text is recognized when tesseract is installed on the server; install it and retry, or add a document that holds its text")
	if in.Helper == nil {
		return missing
	}
	args, err := languages(in)
	var text []byte
	if err == nil {
		text, err = in.Helper(in.Ctx, in.Stdin(), "tesseract", args...)
	}
	if e := in.Stopped(); e != nil {
		return e
	}
	if errors.Is(err, doc.ErrNoHelper) {
		return missing
	}
	if not, ok := errors.AsType[languagesError](err); ok {
		return doc.Fail(doc.Unsupported, "the file is a picture, whose text cannot be recognized because tesseract lacks a language; %s", not)
	}
	if limit, ok := errors.AsType[*doc.Error](err); ok {
		return limit
	}
	before := in.Out.Len()
	for part := range strings.SplitSeq(string(text), "\n\n") {
		in.Out.Add(doc.Paragraph, strings.Trim(part, "\f"))
	}
	if in.Out.Len() == before {
		return doc.Fail(doc.Unsupported, "no text was recognized in the picture; add a sharper one, or a document that holds its text")
	}
	in.Out.Warn("the file is a picture; its text was recognized and may hold mistakes")
	return nil
}
