// Package read finds out what a file is, by its content first and its name
// second, and hands it to the reader of that format.
package read

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"atrium/internal/extract/archive"
	"atrium/internal/extract/doc"
	"atrium/internal/extract/epub"
	"atrium/internal/extract/html"
	"atrium/internal/extract/legacy"
	"atrium/internal/extract/mail"
	"atrium/internal/extract/office"
	"atrium/internal/extract/pdf"
	"atrium/internal/extract/plain"
	"atrium/internal/extract/rtf"
)

// Job is a file to read.
type Job struct {
	File      io.ReaderAt
	Size      int64
	Name      string // its extension is a hint
	MediaType string // as claimed; a hint
	Mode      doc.Mode
	Password  string   // of a protected PDF
	Languages []string // of pictures of text; see doc.Input
	Limits    doc.Limits
	// Helper runs a program beside the worker; see doc.Input.
	Helper func(ctx context.Context, stdin io.Reader, name string, args ...string) ([]byte, error)
	// Log is told what a panicking reader was doing; may be nil.
	Log func(string)
}

// Document reads a file. The error is a *doc.Error.
func Document(ctx context.Context, j Job) (doc.Document, error) {
	l := j.Limits.OrDefault()
	if j.Size > l.Bytes {
		return doc.Document{}, doc.Fail(doc.TooLarge, "the file is larger than %d MB; split it", l.Bytes>>20)
	}
	if j.Size == 0 {
		return doc.Document{}, doc.Fail(doc.Empty, "the file is empty; check that it was saved")
	}
	ctx, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	in := &doc.Input{
		Ctx: ctx, File: j.File, Size: j.Size, Name: j.Name, Mode: j.Mode, Password: j.Password, Languages: j.Languages,
		Out: doc.NewBuilder(l), Budget: doc.NewBudget(l, j.Size), Helper: j.Helper,
	}
	in.Read = func(in *doc.Input) error { return dispatch(in, "", j.Log) }
	if err := dispatch(in, j.MediaType, j.Log); err != nil {
		return doc.Document{}, doc.AsError(err, "file")
	}
	d := in.Out.Document()
	if len(d.Blocks) == 0 {
		return doc.Document{}, doc.Fail(doc.Empty, "no text was found in the file")
	}
	return d, nil
}

type format struct {
	name  string // for people
	media string
	read  func(*doc.Input) error
}

var (
	formatPDF   = format{"PDF", "application/pdf", pdf.Read}
	formatDOCX  = format{"Word document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", office.Word}
	formatXLSX  = format{"Excel workbook", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", office.Workbook}
	formatPPTX  = format{"PowerPoint presentation", "application/vnd.openxmlformats-officedocument.presentationml.presentation", office.Slides}
	formatODT   = format{"OpenDocument text", "application/vnd.oasis.opendocument.text", office.OpenDocument}
	formatODS   = format{"OpenDocument spreadsheet", "application/vnd.oasis.opendocument.spreadsheet", office.OpenDocument}
	formatODP   = format{"OpenDocument presentation", "application/vnd.oasis.opendocument.presentation", office.OpenDocument}
	formatEPUB  = format{"EPUB book", "application/epub+zip", epub.Read}
	formatZIP   = format{"ZIP archive", "application/zip", archive.Zip}
	formatImage = format{"picture", "image", pdf.Picture} // detect says which kind
	formatGZIP  = format{"gzip file", "application/gzip", archive.Gzip}
	formatDOC   = format{"Word document", "application/msword", legacy.Word}
	formatXLS   = format{"Excel workbook", "application/vnd.ms-excel", legacy.Excel}
	formatPPT   = format{"PowerPoint presentation", "application/vnd.ms-powerpoint", legacy.Slides}
	formatMSG   = format{"Outlook message", "application/vnd.ms-outlook", legacy.Message}
	formatRTF   = format{"RTF document", "application/rtf", rtf.Read}
	formatHTML  = format{"web page", "text/html", html.Read}
	formatXML   = format{"XML file", "application/xml", plain.XML}
	formatMail  = format{"e-mail", "message/rfc822", mail.Read}
	formatCSV   = format{"CSV file", "text/csv", plain.CSV}
	formatTSV   = format{"TSV file", "text/tab-separated-values", plain.CSV}
	formatMD    = format{"Markdown file", "text/markdown", plain.Markdown}
	formatPlain = format{"text file", "text/plain", plain.Text}
)

// dispatch reads a file or a file inside one.
func dispatch(in *doc.Input, claimed string, log func(string)) (err error) {
	if err := in.Stopped(); err != nil {
		return err
	}
	f, err := detect(in, claimed)
	if err != nil {
		return err
	}
	in.MediaType = f.media
	in.Out.SetMediaType(f.media)
	// A reader that panics met a file that its format does not allow.
	defer func() {
		if r := recover(); r != nil {
			if log != nil {
				log(fmt.Sprintf("reading %s: panic: %v\n%s", f.media, r, debug.Stack()))
			}
			err = doc.Fail(doc.Damaged, "the %s is damaged and could not be read; save it again with the program that made it", f.name)
		}
	}()
	before := in.Out.Len()
	if err := f.read(in); err != nil {
		return doc.AsError(err, f.name)
	}
	if err := in.Stopped(); err != nil {
		return err
	}
	if in.Out.Len() == before {
		return doc.Fail(doc.Empty, "no text was found in the %s", f.name)
	}
	return nil
}

// head reads the first n bytes.
func head(in *doc.Input, n int64) []byte {
	b := make([]byte, min(n, in.Size))
	k, err := in.File.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil
	}
	return b[:k]
}

func hasPrefixFold(b []byte, p string) bool {
	return len(b) >= len(p) && strings.EqualFold(string(b[:len(p)]), p)
}

func trimHead(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF")), " \t\r\n")
}
