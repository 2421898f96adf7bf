// Package charset turns bytes of an unknown encoding into text.
package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// sample is how much of a file is looked at to guess its encoding.
const sample = 64 << 10

// Decode returns data as UTF-8 text without a byte order mark, and the name of
// the encoding it was read as. declared is what the file or its container says
// about itself, or empty; it is believed only as far as the bytes agree.
// Bytes that fit no encoding become U+FFFD. It never fails.
func Decode(data []byte, declared string) (text, name string) {
	if t, n, ok := byMark(data); ok {
		return t, n
	}
	if n, ok := wide(data); ok {
		return decodeAs(data, n), n
	}
	declared = strings.ToLower(strings.TrimSpace(declared))
	head := data[:min(len(data), sample)]
	if bytes.Contains(head, []byte("\x1b$")) && utf8.Valid(head) {
		if t, err := japanese.ISO2022JP.NewDecoder().Bytes(data); err == nil && bad(string(t)) == 0 {
			return string(t), "iso-2022-jp"
		}
	}
	if utf8.Valid(data) {
		return string(data), "utf-8"
	}
	if e := lookup(declared); e != nil && declared != "utf-8" {
		t := decode(data, e)
		if float64(bad(t)) <= 0.001*float64(len(t)) {
			return t, declared
		}
	}
	if mostlyUTF8(data) {
		return strings.ToValidUTF8(string(data), "\uFFFD"), "utf-8"
	}
	if n := guess(head); n != "" {
		return decodeAs(data, n), n
	}
	return decodeAs(data, "windows-1252"), "windows-1252"
}

// Lookup finds an encoding by any of its names, or nil.
func Lookup(name string) encoding.Encoding { return lookup(strings.ToLower(strings.TrimSpace(name))) }

func lookup(name string) encoding.Encoding {
	switch name {
	case "":
		return nil
	case "utf-32le", "utf-32":
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	case "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	}
	e, err := htmlindex.Get(name)
	if err != nil || e == encoding.Replacement {
		return nil
	}
	return e
}

func byMark(data []byte) (text, name string, ok bool) {
	for _, m := range []struct{ mark, name string }{
		{"\xEF\xBB\xBF", "utf-8"},
		{"\xFF\xFE\x00\x00", "utf-32le"},
		{"\x00\x00\xFE\xFF", "utf-32be"},
		{"\xFF\xFE", "utf-16le"},
		{"\xFE\xFF", "utf-16be"},
	} {
		if rest, found := bytes.CutPrefix(data, []byte(m.mark)); found {
			return decodeAs(rest, m.name), m.name, true
		}
	}
	return "", "", false
}

// wide recognizes UTF-16 and UTF-32 without a mark by where the zero bytes
// stand: text has spaces, digits and line ends, whose high bytes are zero.
func wide(data []byte) (string, bool) {
	head := data[:min(len(data), 4096)&^3]
	if len(head) < 4 {
		return "", false
	}
	var zeros [4]int
	for i, c := range head {
		if c == 0 {
			zeros[i&3]++
		}
	}
	n := len(head) / 4
	even, odd := zeros[0]+zeros[2], zeros[1]+zeros[3]
	var name string
	switch {
	case zeros[2] > n*9/10 && zeros[3] > n*9/10 && zeros[0] == 0:
		name = "utf-32le"
	case zeros[0] > n*9/10 && zeros[1] > n*9/10 && zeros[3] == 0:
		name = "utf-32be"
	case odd*8 > n && even*20 <= odd:
		name = "utf-16le"
	case even*8 > n && odd*20 <= even:
		name = "utf-16be"
	default:
		return "", false
	}
	t := decodeAs(head, name)
	return name, bad(t)*50 < len(t) && strings.IndexFunc(t, control) < 0
}

// control tells control characters that do not occur in text.
func control(r rune) bool { return r < 0x20 && r != '\n' && r != '\r' && r != '\t' && r != '\f' }

func decodeAs(data []byte, name string) string {
	if name == "utf-8" {
		return strings.ToValidUTF8(string(data), "\uFFFD")
	}
	return decode(data, lookup(name))
}

func decode(data []byte, e encoding.Encoding) string {
	// The decoders of x/text replace what they cannot read and do not fail.
	t, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\uFFFD")
	}
	return string(t)
}

// bad counts characters that no person writes: replacements and C1 controls.
func bad(s string) int {
	n := strings.Count(s, "\uFFFD")
	for _, r := range s {
		if r >= 0x80 && r < 0xA0 {
			n++
		}
	}
	return n
}

// mostlyUTF8 tells whether data is UTF-8 with a few broken bytes, such as a cut
// character or two files of different encodings glued together.
func mostlyUTF8(data []byte) bool {
	good, broken := 0, 0
	for len(data) > 0 {
		if data[0] < utf8.RuneSelf {
			data = data[1:]
			continue
		}
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			broken++
		} else {
			good++
		}
		data = data[n:]
	}
	return good > 20*broken
}

// guess names the most likely encoding of text that is not UTF-8, or "".
func guess(head []byte) string {
	plain := stripMarkup(head)
	results, err := chardet.NewTextDetector().DetectAll(plain)
	if err != nil {
		return ""
	}
	best, bestScore := "", 0.0
	for _, r := range results {
		name := strings.ToLower(r.Charset)
		switch name {
		case "gb-18030":
			name = "gb18030"
		case "iso-8859-1":
			name = "windows-1252"
		case "iso-8859-9":
			name = "windows-1254"
		case "iso-8859-8-i":
			name = "iso-8859-8"
		}
		e := lookup(name)
		if e == nil || strings.HasPrefix(name, "utf") || strings.HasPrefix(name, "ibm") {
			continue
		}
		t := decode(plain, e)
		high := 0
		for _, c := range t {
			if c >= 0x80 {
				high++
			}
		}
		score := float64(r.Confidence) - 400*float64(bad(t))/float64(max(high, 1)) + 60*plausible(t)
		if best == "" || score > bestScore {
			best, bestScore = name, score
		}
	}
	if bestScore < 10 {
		return ""
	}
	return twin(plain, best)
}

// twin prefers the Windows relative of an ISO encoding where the bytes 0x80 to
// 0x9F are used: in the ISO encodings they are control characters.
func twin(b []byte, name string) string {
	w, ok := map[string]string{
		"iso-8859-2": "windows-1250", "iso-8859-5": "windows-1251", "iso-8859-6": "windows-1256",
		"iso-8859-7": "windows-1253", "iso-8859-8": "windows-1255",
	}[name]
	for _, c := range b {
		if ok && c >= 0x80 && c < 0xA0 {
			return w
		}
	}
	return name
}

// stripMarkup drops tags, whose ASCII letters say nothing about the encoding.
func stripMarkup(b []byte) []byte {
	out := make([]byte, 0, len(b))
	in := false
	for _, c := range b {
		switch {
		case c == '<':
			in = true
		case c == '>' && in:
			in = false
			out = append(out, ' ')
		case !in:
			out = append(out, c)
		}
	}
	if len(out) < len(b)/20 {
		return b
	}
	return out
}
