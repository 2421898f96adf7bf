package document

import (
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/source/web"
)

const (
	maxName   = 200 // characters
	maxURL    = 2000
	maxTags   = 50
	maxTag    = 100
	maxETag   = 500
	maxDate   = 100
	slugBytes = 80
)

// cleanName makes a file name that can be shown and stored: one path element,
// no control characters, none that turn the direction of text round.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ReplaceAll(s, `\`, "/"))
	s = strings.TrimSpace(path.Base(s))
	if s == "" || s == "." || s == ".." || s == "/" {
		return "file"
	}
	if utf8.RuneCountInString(s) <= maxName {
		return s
	}
	ext := []rune(path.Ext(s))
	if len(ext) > 20 {
		ext = nil
	}
	return string([]rune(s)[:maxName-len(ext)]) + string(ext)
}

// firstLine is the name of a text that has none: its first line, cut at a word.
func firstLine(text string) string {
	line := lineOne(text)
	if r := []rune(line); len(r) > 80 {
		line = string(r[:80])
		if i := strings.LastIndexByte(line, ' '); i > 40 {
			line = line[:i]
		}
		line += "…"
	}
	if line == "" {
		return "Text"
	}
	return line
}

// lineOne is the first line of a text, without the marks of a heading.
func lineOne(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.Join(strings.Fields(strings.TrimLeft(strings.TrimSpace(line), "#")), " ")
}

// headline is the first line of a text when it is one: short, and more follows.
func headline(text string) string {
	line := lineOne(text)
	_, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if utf8.RuneCountInString(line) > 300 || strings.TrimSpace(rest) == "" {
		return ""
	}
	return line
}

// Tags reads a comma-separated list: trimmed, without doubles.
func Tags(list string) ([]string, error) { return CleanTags(strings.Split(list, ",")) }

// CleanTags trims tags and takes doubles out.
func CleanTags(in []string) ([]string, error) {
	out := make([]string, 0, len(in))
	seen := map[string]bool{}
	for _, t := range in {
		t = strings.TrimSpace(t)
		if t == "" || seen[t] {
			continue
		}
		if utf8.RuneCountInString(t) > maxTag {
			return nil, fail.InvalidField("tags", "tags: a tag has at most %d characters", maxTag)
		}
		seen[t] = true
		out = append(out, t)
	}
	if len(out) > maxTags {
		return nil, fail.InvalidField("tags", "tags: give at most %d", maxTags)
	}
	return out, nil
}

// checkAddress refuses what no job would be able to fetch.
func checkAddress(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxURL {
		return "", fail.InvalidField("source", "source: an address has at most %d characters", maxURL)
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fail.InvalidField("source", "source: %q is not an address; it starts with http:// or https://", clip(s, 100))
	}
	if err := egress.Check(u); err != nil {
		e := fail.As(err)
		return "", fail.InvalidField("source", "source: %s", e.Message)
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), nil
}

// checkWeblink makes sure of what an address is read as, and of its name.
func checkWeblink(d *Draft) error {
	switch d.WeblinkType {
	case "", Page:
		d.WeblinkType = Page
	case YouTube:
		id := web.VideoID(d.Source)
		if id == "" {
			return fail.InvalidField("source", "source: %q is no video on YouTube; give the address of its watch page", clip(d.Source, 100))
		}
		d.Source = "https://www.youtube.com/watch?v=" + id
	default:
		return fail.InvalidField("weblink_type", "weblink_type: %q is not one of page, youtube", clip(d.WeblinkType, 40))
	}
	d.Name = addressName(d.Source)
	return nil
}

// addressName is what a page is called until its title is known.
func addressName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return cleanName(address)
	}
	s := u.Hostname() + strings.TrimSuffix(u.Path, "/")
	if u.RawQuery != "" {
		s += "?" + u.RawQuery
	}
	return clip(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")), maxName)
}

// clip cuts to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// CitationName is the last part of the address of a version's original:
// "<version id>-<slug of the name>".
func CitationName(versionID int64, name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if r < utf8.RuneSelf && (r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r)) {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		} else {
			dash = true
		}
		if b.Len() >= slugBytes {
			break
		}
	}
	slug := strings.Trim(b.String(), ".-")
	if slug == "" {
		slug = "document"
	}
	return strconv.FormatInt(versionID, 10) + "-" + slug
}

// CitationURL is the address of a version's original.
func (s *Documents) CitationURL(versionID int64, name string) string {
	return s.PublicURL + "/api/v2/citation/" + CitationName(versionID, name)
}

// versionOf reads the version id of a CitationName; 0 when there is none.
func versionOf(name string) int64 {
	digits, _, _ := strings.Cut(name, "-")
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || id < 1 {
		return 0
	}
	return id
}

// titleOf is what a name says about the content: no extension, words parted.
func titleOf(name string) string {
	if ext := path.Ext(name); len(ext) > 1 && len(ext) <= 6 {
		name = strings.TrimSuffix(name, ext)
	}
	return strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(name))
}
