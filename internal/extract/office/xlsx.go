package office

import (
	"errors"
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/pack"
)

// maxSheets bounds the unpacked XML of a workbook, which is held in memory.
const maxSheets = 160 << 20

// Workbook reads an .xlsx file: for each sheet its name as heading, its rows as
// they are shown (formulas by the value that was saved), and its comments.
func Workbook(in *doc.Input) (err error) {
	z, err := pack.Open(in)
	if err != nil {
		return err
	}
	var claimed uint64
	for _, f := range z.Files() {
		if f.Flags&1 != 0 {
			return doc.Fail(doc.Encrypted, "the workbook is protected by a password; remove the protection and add it again")
		}
		claimed += f.UncompressedSize64
	}
	if err := in.Budget.Spend(int64(min(claimed, 1<<40))); err != nil {
		return err
	}
	// With both limits equal, nothing is ever unpacked to the disk.
	f, err := excelize.OpenReader(in.Reader(), excelize.Options{UnzipSizeLimit: maxSheets, UnzipXMLSizeLimit: maxSheets})
	if err != nil {
		switch {
		case strings.Contains(err.Error(), "unzip size exceeds"):
			return doc.Fail(doc.TooLarge, "the workbook unpacks to more than %d MB; split it or save the sheets as CSV", maxSheets>>20)
		case errors.Is(err, excelize.ErrWorkbookFileFormat):
			return doc.Fail(doc.Damaged, "the workbook is damaged; save it again with the program that made it")
		}
		return err
	}
	defer func() { _ = f.Close() }()
	if p, err := f.GetDocProps(); err == nil {
		in.Out.SetTitle(p.Title)
	}
	sheets := f.GetSheetList()
	for _, name := range sheets {
		in.Out.Heading(1, name)
		if err := sheet(in, f, name); err != nil {
			if e := in.Stopped(); e != nil {
				return e
			}
			in.Out.Warn(fmt.Sprintf("the sheet %q is damaged; some of its rows are missing", name))
		}
	}
	return in.Stopped()
}

func sheet(in *doc.Input, f *excelize.File, name string) error {
	rows, err := f.Rows(name)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for n := 0; rows.Next(); n++ {
		cells, err := rows.Columns()
		if err != nil {
			return err
		}
		in.Out.Row(cells)
		if n%256 == 0 {
			if err := in.Stopped(); err != nil {
				return err
			}
		}
	}
	if err := rows.Error(); err != nil {
		return err
	}
	comments, err := f.GetComments(name)
	if err != nil {
		return nil // a sheet without comments, or with damaged ones
	}
	for _, c := range comments {
		var text strings.Builder
		text.WriteString(c.Text)
		for _, r := range c.Paragraph {
			text.WriteString(r.Text)
		}
		in.Out.Add(doc.Paragraph, fmt.Sprintf("Comment on %s by %s: %s", c.Cell, c.Author, text.String()))
	}
	return nil
}
