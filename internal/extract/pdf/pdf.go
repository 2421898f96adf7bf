// Package pdf reads PDF files: by pdftotext (poppler) when it is installed, else
// by a built-in reader that lays the glyphs of a page out itself.
package pdf

import (
	"errors"

	"atrium/internal/extract/doc"
)

// Read reads the text of every page, a block a paragraph.
func Read(in *doc.Input) error {
	before := in.Out.Len()
	err := poppler(in)
	if errors.Is(err, doc.ErrNoHelper) {
		err = builtin(in)
	}
	if err != nil {
		return err
	}
	if in.Out.Len() > before {
		return nil
	}
	if in.Mode == doc.Exhaustive {
		if err := recognize(in); err != nil && !errors.Is(err, doc.ErrNoHelper) {
			return err
		}
		if in.Out.Len() > before {
			in.Out.Warn("the pages are pictures; their text was recognized and may hold mistakes")
			return nil
		}
	}
	return doc.Fail(doc.Empty, "the PDF has no text layer: its pages are pictures, such as a scan; run text recognition (OCR) on it and add the result")
}

func encrypted() error {
	return doc.Fail(doc.Encrypted, "the PDF is protected by a password; remove the protection and add it again")
}
