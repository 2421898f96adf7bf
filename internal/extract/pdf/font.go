package pdf

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	core "github.com/pdfcpu/pdfcpu/pkg/font"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/text/encoding"

	"atrium/internal/extract/charset"
)

// char is a decoded code of a string.
type char struct {
	text  string
	width float64 // in thousandths of the font size
	space bool    // the one-byte code 32, to which word spacing applies
}

// font is what decoding and measuring text needs.
type font struct {
	simple    [256]string // text by code, where a code is one byte
	widths    map[int]float64
	missing   float64
	composite bool
	vertical  bool
	utf16     bool              // the codes are text themselves
	multi     encoding.Encoding // the codes are text in this encoding
	cmap      *cmap             // code to glyph number
	unicode   *cmap             // code to text
}

// font reads a font once.
func (f *file) font(o types.Object) *font {
	id := 0
	if ref, ok := o.(types.IndirectRef); ok {
		id = ref.ObjectNumber.Value()
		if v, ok := f.fonts[id]; ok {
			return v
		}
	}
	d := f.dict(o)
	if d == nil {
		return nil
	}
	v := &font{widths: map[int]float64{}, missing: 500}
	if b := f.stream(d["ToUnicode"]); len(b) > 0 {
		v.unicode = parseCMap(b)
	}
	if f.name(d["Subtype"]) == "Type0" {
		f.compositeFont(v, d)
	} else {
		f.simpleFont(v, d)
	}
	if id != 0 {
		f.fonts[id] = v
	}
	return v
}

func (f *file) simpleFont(v *font, d types.Dict) {
	desc := f.dict(d["FontDescriptor"])
	base := f.name(d["BaseFont"])
	v.simple = f.encoding(d, desc)
	first := int(f.num(d["FirstChar"]))
	scale := 1.0
	if f.name(d["Subtype"]) == "Type3" {
		if m, ok := f.object(d["FontMatrix"]).(types.Array); ok && len(m) == 6 {
			scale = 1000 * f.num(m[0])
		}
	}
	if a, ok := f.object(d["Widths"]).(types.Array); ok {
		v.missing = f.num(desc["MissingWidth"])
		for i, w := range a[:min(len(a), 256)] {
			v.widths[first+i] = f.num(w) * scale
		}
		return
	}
	name := coreFont(base)
	for c := range 256 {
		if s := v.simple[c]; s != "" {
			v.widths[c] = float64(core.CharWidth(name, rune(c)))
		}
	}
}

// coreFont finds the standard font that is nearest by name.
func coreFont(base string) string {
	low := strings.ToLower(base)
	bold := strings.Contains(low, "bold")
	italic := strings.Contains(low, "italic") || strings.Contains(low, "oblique")
	family, tail := "Helvetica", map[[2]bool]string{{true, false}: "-Bold", {false, true}: "-Oblique", {true, true}: "-BoldOblique"}
	switch {
	case strings.Contains(low, "courier"), strings.Contains(low, "mono"):
		family = "Courier"
	case strings.Contains(low, "times"), strings.Contains(low, "serif"), strings.Contains(low, "roman"):
		family = "Times"
		tail = map[[2]bool]string{{false, false}: "-Roman", {true, false}: "-Bold", {false, true}: "-Italic", {true, true}: "-BoldItalic"}
	}
	return family + tail[[2]bool{bold, italic}]
}

// encoding is the text of each code of a font with one byte a code.
func (f *file) encoding(d, desc types.Dict) [256]string {
	var enc [256]string
	base := ""
	var differences types.Array
	switch e := f.object(d["Encoding"]).(type) {
	case types.Name:
		base = string(e)
	case types.Dict:
		base = f.name(e["BaseEncoding"])
		differences, _ = f.object(e["Differences"]).(types.Array)
	}
	switch base {
	case "WinAnsiEncoding":
		enc = fromCharset("windows-1252")
	case "MacRomanEncoding":
		enc = fromCharset("macintosh")
	default:
		enc = standardEncoding()
		if own := f.fontEncoding(desc); own != nil {
			for c, name := range own {
				enc[c] = glyphText(name)
			}
		}
	}
	code := 0
	for _, o := range differences {
		switch e := f.object(o).(type) {
		case types.Integer:
			code = int(e)
		case types.Name:
			if code >= 0 && code < 256 {
				enc[code] = glyphText(string(e))
			}
			code++
		}
	}
	return enc
}

var fontDup = regexp.MustCompile(`dup\s+(\d{1,3})\s*/([A-Za-z0-9_.]+)\s+put`)

// fontEncoding reads the encoding out of an embedded Type 1 font, whose head is
// plain text.
func (f *file) fontEncoding(desc types.Dict) map[int]string {
	b := f.stream(desc["FontFile"])
	if i := bytes.Index(b, []byte("eexec")); i >= 0 {
		b = b[:i]
	}
	enc := map[int]string{}
	for _, m := range fontDup.FindAllSubmatch(b, 256) {
		if c, err := strconv.Atoi(string(m[1])); err == nil && c < 256 {
			enc[c] = string(m[2])
		}
	}
	if len(enc) == 0 {
		return nil
	}
	return enc
}

func (f *file) compositeFont(v *font, d types.Dict) {
	v.composite = true
	v.missing = 1000
	if name := f.name(d["Encoding"]); name != "" {
		v.vertical = strings.HasSuffix(name, "-V")
		v.namedCMap(name)
	} else if b := f.stream(d["Encoding"]); len(b) > 0 {
		v.cmap = parseCMap(b)
		v.vertical = f.num(f.dict(d["Encoding"])["WMode"]) == 1
	}
	kids, _ := f.object(d["DescendantFonts"]).(types.Array)
	if len(kids) == 0 {
		return
	}
	cid := f.dict(kids[0])
	if dw, ok := number(f.object(cid["DW"])); ok {
		v.missing = dw
	}
	a, _ := f.object(cid["W"]).(types.Array)
	for i := 0; i+1 < len(a) && len(v.widths) < 70_000; {
		from := int(f.num(a[i]))
		if list, ok := f.object(a[i+1]).(types.Array); ok {
			for k, w := range list {
				v.widths[from+k] = f.num(w)
			}
			i += 2
			continue
		}
		if i+2 >= len(a) {
			break
		}
		w := f.num(a[i+2])
		for c := from; c <= int(f.num(a[i+1])) && c-from < 70_000; c++ {
			v.widths[c] = w
		}
		i += 3
	}
}

// namedCMap knows the predefined encodings whose codes are text already.
func (v *font) namedCMap(name string) {
	switch {
	case strings.Contains(name, "UCS2"), strings.Contains(name, "UTF16"):
		v.utf16 = true
	case strings.Contains(name, "RKSJ"):
		v.multi = charset.Lookup("shift_jis")
	case strings.HasPrefix(name, "GBK"), strings.HasPrefix(name, "GB-EUC"):
		v.multi = charset.Lookup("gbk")
	case strings.HasPrefix(name, "ETen"), strings.HasPrefix(name, "B5pc"), strings.HasPrefix(name, "HKscs"):
		v.multi = charset.Lookup("big5")
	case strings.HasPrefix(name, "KSC"):
		v.multi = charset.Lookup("euc-kr")
	case strings.HasPrefix(name, "EUC"):
		v.multi = charset.Lookup("euc-jp")
	}
}

// decode splits a string into its codes.
func (v *font) decode(s []byte) []char {
	out := make([]char, 0, len(s))
	for len(s) > 0 {
		code, n := v.code(s)
		c := char{width: v.width(code), space: n == 1 && s[0] == ' '}
		c.text = v.text(code, s[:n])
		out = append(out, c)
		s = s[n:]
	}
	return out
}

// code reads the next code and its length in bytes.
func (v *font) code(s []byte) (code, n int) {
	switch {
	case !v.composite:
		return int(s[0]), 1
	case v.multi != nil:
		if s[0] < 0x80 || len(s) < 2 {
			return int(s[0]), 1
		}
		return int(s[0])<<8 | int(s[1]), 2
	case v.cmap != nil:
		return v.cmap.code(s)
	case len(s) < 2:
		return int(s[0]), 1
	}
	return int(s[0])<<8 | int(s[1]), 2
}

func (v *font) width(code int) float64 {
	if v.composite && v.cmap != nil {
		if cid, ok := v.cmap.cid(code); ok {
			code = cid
		}
	}
	if w, ok := v.widths[code]; ok {
		return w
	}
	return v.missing
}

func (v *font) text(code int, raw []byte) string {
	if v.unicode != nil {
		if s, ok := v.unicode.text(code); ok {
			return s
		}
	}
	switch {
	case !v.composite:
		return v.simple[code]
	case v.utf16 && len(raw) == 2:
		return string(utf16.Decode([]uint16{uint16(code)}))
	case v.multi != nil:
		if b, err := v.multi.NewDecoder().Bytes(raw); err == nil {
			return string(b)
		}
	}
	return ""
}
