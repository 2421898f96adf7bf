// Package ocr chooses the languages in which tesseract reads pictures of text.
package ocr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Most is how many installed languages are read when none are set: each one more
// makes a page take longer.
const Most = 4

// ListArgs has tesseract name the languages that are installed.
var ListArgs = []string{"--list-langs"}

// name is a file of tesseract's data, such as deu, chi_sim or script/Latin.
var name = regexp.MustCompile(`^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?$`)

// Parse reads languages joined by +, as tesseract itself takes them; none when s
// is empty. It looks at their form only.
func Parse(s string) ([]string, error) {
	var out []string
	if s == "" {
		return nil, nil
	}
	for l := range strings.SplitSeq(s, "+") {
		if l = strings.TrimSpace(l); !name.MatchString(l) {
			return nil, fmt.Errorf("%q does not name languages as tesseract does, joined by +, such as eng+deu", s)
		}
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out, nil
}

// Installed reads what tesseract answers to ListArgs; ok is false when that is no
// list.
func Installed(out []byte) (languages []string, ok bool) {
	lines := strings.Split(string(out), "\n")
	if !strings.HasPrefix(lines[0], "List of available languages") {
		return nil, false
	}
	for _, l := range lines[1:] {
		if l = strings.TrimSpace(l); name.MatchString(l) {
			languages = append(languages, l)
		}
	}
	return languages, true
}

// Usual is what is read when nothing is set: the installed languages, English
// first and the others by the alphabet, and of more than Most those that are left
// out. Data for finding lines, formulas and whole scripts is no language.
func Usual(installed []string) (use, left []string) {
	for _, l := range installed {
		if l != "osd" && l != "equ" && !strings.Contains(l, "/") {
			use = append(use, l)
		}
	}
	slices.SortFunc(use, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == "eng":
			return -1
		case b == "eng":
			return 1
		}
		return strings.Compare(a, b)
	})
	n := min(len(use), Most)
	return use[:n:n], use[n:]
}

// Missing are the languages that are not installed.
func Missing(languages, installed []string) []string {
	var out []string
	for _, l := range languages {
		if !slices.Contains(installed, l) {
			out = append(out, l)
		}
	}
	return out
}

// Install says what to do about languages that are missing.
func Install(missing []string) string {
	last := len(missing) - 1
	list := missing[last]
	if last > 0 {
		list = strings.Join(missing[:last], ", ") + " and " + list
	}
	return "install tesseract's data for " + list
}
