// Package pdf reads PDF files: by pdftotext (poppler) when it is installed, else
// by a built-in reader that lays the glyphs of a page out itself.
package pdf

import (
	"errors"

	"atrium/internal/extract/doc"
)

// Read reads the text of every page: a block a paragraph, and in the exhaustive
// mode also headings, rows of tables, and the text of pages that are pictures.
func Read(in *doc.Input) error {
	before := in.Out.Len()
	bare, err := poppler(in)
	if errors.Is(err, doc.ErrNoHelper) {
		bare, err = nil, builtin(in)
	}
	if err != nil {
		return err
	}
	none := in.Out.Len() == before
	if none && len(bare) == 0 {
		bare = []int{1}
	}
	if in.Mode == doc.Exhaustive && len(bare) > 0 {
		err := recognize(in, bare)
		not, unknown := errors.AsType[languagesError](err)
		switch {
		case unknown && none:
			return doc.Fail(doc.Empty, "the PDF has no text layer: its pages are pictures, such as a scan, whose text cannot be recognized because tesseract lacks a language; %s", not)
		case unknown:
			in.Out.Warn(pageList(bare) + " of the PDF has no text; if it is a scan, it cannot be recognized because tesseract lacks a language; " + not.Error())
		case errors.Is(err, doc.ErrNoHelper) && none:
			return doc.Fail(doc.Empty, "the PDF has no text layer: its pages are pictures, such as a scan; install tesseract and pdftoppm (poppler-utils) on the server and retry, or add the file after text recognition (OCR)")
		case errors.Is(err, doc.ErrNoHelper):
			in.Out.Warn(pageList(bare) + " of the PDF has no text; if it is a scan, install tesseract and pdftoppm (poppler-utils) on the server and refresh the document")
		case err != nil:
			return err
		}
	}
	switch {
	case in.Out.Len() > before:
		return nil
	case in.Mode == doc.Exhaustive:
		return doc.Fail(doc.Empty, "the PDF has no text layer, and no text was recognized in its pages; add a better scan")
	}
	return doc.Fail(doc.Empty, "the PDF has no text layer: its pages are pictures, such as a scan; choose the indexing mode exhaustive, which recognizes text, or run text recognition (OCR) on it and add the result")
}

func encrypted() error {
	return doc.Fail(doc.Encrypted, "the PDF is protected by a password; remove the protection and add it again")
}
