package read

import (
	"bytes"
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
	"atrium/internal/extract/legacy"
	"atrium/internal/extract/mail"
	"atrium/internal/extract/pack"
)

const headBytes = 64 << 10

// detect finds the format. The content decides; the name and the claimed type
// choose only between kinds of text, which look alike.
func detect(in *doc.Input, claimed string) (format, error) {
	b := head(in, headBytes)
	if len(trimHead(b)) == 0 {
		return format{}, doc.Fail(doc.Empty, "the file holds only white space")
	}
	switch {
	case bytes.Contains(b[:min(len(b), 1024)], []byte("%PDF-")):
		return formatPDF, nil
	case bytes.HasPrefix(b, []byte("PK\x03\x04")), bytes.HasPrefix(b, []byte("PK\x05\x06")):
		return detectZip(in, b)
	case bytes.HasPrefix(b, []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")):
		return detectCompound(in)
	case bytes.HasPrefix(b, []byte("\x1F\x8B")):
		return formatGZIP, nil
	case hasPrefixFold(trimHead(b), `{\rtf`):
		return formatRTF, nil
	}
	if !isText(b) {
		media := mimetype.Detect(b)
		for _, kind := range []string{"image/png", "image/jpeg", "image/tiff"} {
			if media.Is(kind) && in.Mode == doc.Exhaustive && in.Depth == 0 {
				f := formatImage
				f.media = kind
				return f, nil
			}
		}
		return format{}, unsupported(media.String())
	}
	return detectText(in, b, claimed), nil
}

func unsupported(media string) error {
	kind, _, _ := strings.Cut(media, "/")
	what := map[string]string{
		"image": "an image; add it to a corpus of the mode exhaustive, which recognizes the text of PNG, JPEG and TIFF, or add a document that holds its text",
		"audio": "a sound recording; add its transcript",
		"video": "a film; add its transcript",
		"font":  "a font",
	}[kind]
	if what == "" {
		what = "of a kind (" + media + ") that Atrium does not read; save it as PDF, Word or text"
		if media == "application/octet-stream" {
			what = "of an unknown kind; save it as PDF, Word or text"
		}
	}
	return doc.Fail(doc.Unsupported, "the file is %s", what)
}

// isText tells text from other data by control characters, in whatever
// encoding the text is.
func isText(b []byte) bool {
	m := mimetype.Detect(b)
	known := !m.Is("application/octet-stream")
	for k := m; k != nil; k = k.Parent() {
		if k.Is("text/plain") {
			known = false
		}
	}
	if known {
		return false
	}
	if bytes.IndexByte(b, 0) >= 0 {
		_, name := charset.Decode(b, "")
		return strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32")
	}
	odd := 0
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1B && c != 0x08 {
			odd++
		}
	}
	return odd*50 <= len(b)
}

func detectZip(in *doc.Input, b []byte) (format, error) {
	z, err := pack.List(in)
	if err != nil {
		return format{}, err
	}
	types := map[string]format{
		"application/epub+zip":                            formatEPUB,
		"application/vnd.oasis.opendocument.text":         formatODT,
		"application/vnd.oasis.opendocument.spreadsheet":  formatODS,
		"application/vnd.oasis.opendocument.presentation": formatODP,
	}
	// These formats store their type as the first entry, unpacked.
	if len(b) > 38 && string(b[30:min(38, len(b))]) == "mimetype" {
		for t, f := range types {
			if bytes.HasPrefix(b[38:], []byte(t)) {
				return f, nil
			}
		}
	}
	if z.Has("[Content_Types].xml") {
		for _, k := range []struct {
			prefix string
			format format
		}{{"word/", formatDOCX}, {"xl/", formatXLSX}, {"ppt/", formatPPTX}} {
			for _, f := range z.Files() {
				if hasPrefixFold([]byte(strings.TrimPrefix(f.Name, "/")), k.prefix) {
					if k.prefix == "xl/" && z.Has("xl/workbook.bin") {
						return format{}, doc.Fail(doc.Unsupported, "the file is a binary Excel workbook (.xlsb); save it as .xlsx")
					}
					return k.format, nil
				}
			}
		}
	}
	switch {
	case z.Has("META-INF/container.xml"):
		return formatEPUB, nil
	case z.Has("content.xml") && z.Has("META-INF/manifest.xml"):
		return formatODT, nil
	}
	return formatZIP, nil
}

func detectCompound(in *doc.Input) (format, error) {
	names, err := legacy.Streams(in)
	if err != nil {
		return format{}, err
	}
	switch {
	case names["EncryptedPackage"]:
		return format{}, doc.Fail(doc.Encrypted, "the office file is protected by a password; remove the protection and add it again")
	case names["WordDocument"]:
		return formatDOC, nil
	case names["Workbook"], names["Book"]:
		return formatXLS, nil
	case names["PowerPoint Document"]:
		return formatPPT, nil
	case names["__properties_version1.0"]:
		return formatMSG, nil
	}
	return format{}, unsupported("application/x-ole-storage")
}

// detectText tells kinds of text apart.
func detectText(in *doc.Input, b []byte, claimed string) format {
	text, _ := charset.Decode(b, "")
	t := strings.TrimLeft(text, " \t\r\n")
	low := strings.ToLower(t[:min(len(t), 2048)])
	ext := strings.ToLower(path.Ext(in.Name))
	claimed, _, _ = strings.Cut(strings.ToLower(claimed), ";")
	hint := func(exts, medias string) bool {
		return ext != "" && strings.Contains(exts+" ", ext+" ") ||
			ext == "" && claimed != "" && strings.Contains(medias+" ", claimed+" ")
	}
	xml := strings.HasPrefix(low, "<?xml")
	switch {
	case hint(".eml .mht .mhtml", "message/rfc822") && mail.Is(b), ext == "" && mail.Is(b), ext == ".txt" && mail.Is(b):
		return formatMail
	case hint(".md .markdown .mdown .mkd", "text/markdown text/x-markdown"):
		return formatMD
	case strings.HasPrefix(low, "<!doctype html"), strings.HasPrefix(low, "<html"), xml && strings.Contains(low, "<html"):
		return formatHTML
	case xml:
		return formatXML
	case hint(".htm .html .xhtml .shtml", "text/html application/xhtml+xml"):
		return formatHTML
	case hint(".csv", "text/csv"):
		return formatCSV
	case hint(".tsv .tab", "text/tab-separated-values"):
		return formatTSV
	case hint(".xml .rss .atom .xsd .svg .dita", "application/xml text/xml") && strings.HasPrefix(t, "<"):
		return formatXML
	case hint(".txt .log .text .json .yaml .yml", "text/plain application/json"):
		return formatPlain
	case strings.HasPrefix(low, "<!--") && strings.Contains(low, "<html"), strings.HasPrefix(low, "<head"), strings.HasPrefix(low, "<body"):
		return formatHTML
	case strings.HasPrefix(low, "<!doctype"):
		return formatXML
	case mail.Is(b):
		return formatMail
	}
	return formatPlain
}
