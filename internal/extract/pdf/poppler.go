package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"atrium/internal/extract/doc"
)

// poppler reads a file by pdftotext. Its plain order (neither -layout nor -raw)
// keeps columns apart and tables together best. It answers doc.ErrNoHelper when
// the built-in reader should try: the program is missing or cannot cope.
func poppler(in *doc.Input) error {
	// A password on the command line could be read by every user of the machine.
	if in.Helper == nil || in.Password != "" {
		return doc.ErrNoHelper
	}
	out, err := in.Helper(in.Ctx, in.Reader(), "pdftotext", "-q", "-enc", "UTF-8", "-", "-")
	if e := in.Stopped(); e != nil {
		return e
	}
	if limit, ok := errors.AsType[*doc.Error](err); ok {
		return limit
	}
	if err != nil && len(bytes.TrimSpace(out)) == 0 {
		return doc.ErrNoHelper
	}
	pages := bytes.Split(out, []byte("\f"))
	if n := len(pages); n > 1 && len(bytes.TrimSpace(pages[n-1])) == 0 {
		pages = pages[:n-1]
	}
	for i, p := range pages {
		in.Out.Page(i + 1)
		for part := range strings.SplitSeq(string(p), "\n\n") {
			in.Out.Add(doc.Paragraph, part)
		}
		if err := in.Stopped(); err != nil {
			return err
		}
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		in.Out.Warn("the PDF is damaged; a part of its text may be missing")
	}
	return nil
}

// maxScanned bounds the pages whose text is recognized, which takes seconds each.
const maxScanned = 20

// recognize reads pages that are pictures, by pdftoppm and tesseract.
func recognize(in *doc.Input) error {
	if in.Helper == nil {
		return doc.ErrNoHelper
	}
	for n := 1; n <= maxScanned; n++ {
		page := strconv.Itoa(n)
		img, err := in.Helper(in.Ctx, in.Reader(), "pdftoppm", "-q", "-gray", "-r", "150", "-f", page, "-l", page, "-")
		if e := in.Stopped(); e != nil {
			return e
		}
		if errors.Is(err, doc.ErrNoHelper) {
			return err
		}
		if err != nil || len(img) == 0 { // behind the last page
			return nil //nolint:nilerr // it says so by failing
		}
		text, err := in.Helper(in.Ctx, bytes.NewReader(img), "tesseract", "-", "-")
		if errors.Is(err, doc.ErrNoHelper) {
			return err
		}
		if e := in.Stopped(); e != nil {
			return e
		}
		if err != nil {
			in.Out.Warn(fmt.Sprintf("the text of page %d could not be recognized", n))
			continue
		}
		in.Out.Page(n)
		for part := range strings.SplitSeq(string(text), "\n\n") {
			in.Out.Add(doc.Paragraph, part)
		}
	}
	in.Out.Warn(fmt.Sprintf("only the first %d pages were recognized", maxScanned))
	return nil
}
