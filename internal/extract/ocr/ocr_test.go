package ocr

import (
	"slices"
	"strings"
	"testing"
)

func TestLanguagesAreCheckedByTheirForm(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": "", "eng": "eng", "eng+deu+eng": "eng deu", "deu + chi_sim": "deu chi_sim", "script/Latin": "script/Latin"} {
		if got, err := Parse(s); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"eng,deu", "eng deu", "+", "eng+", "-l", "../eng", "eng/", "Deutsch!"} {
		if _, err := Parse(s); err == nil || !strings.Contains(err.Error(), "such as eng+deu") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestTheUsualLanguagesAreTheInstalledOnesEnglishFirst(t *testing.T) {
	t.Parallel()
	list := func(names ...string) []byte {
		return []byte("List of available languages in \"/data/\" (9):\n" + strings.Join(names, "\n") + "\n")
	}
	for _, c := range []struct {
		out       []byte
		use, left string
		ok        bool
	}{
		{list("deu", "eng", "osd"), "eng deu", "", true},
		{list("script/Latin", "equ", "fra", "deu", "osd"), "deu fra", "", true},
		{list("afr", "ces", "dan", "deu", "eng", "fra"), "eng afr ces dan", "deu fra", true},
		{list(), "", "", true},
		{[]byte("seen\n"), "", "", false},
		{nil, "", "", false},
	} {
		installed, ok := Installed(c.out)
		use, left := Usual(installed)
		if ok != c.ok || strings.Join(use, " ") != c.use || strings.Join(left, " ") != c.left {
			t.Errorf("%q: %v, %v, %v", c.out, use, left, ok)
		}
	}
}

func TestMissingLanguagesAreNamed(t *testing.T) {
	t.Parallel()
	missing := Missing([]string{"eng", "deu", "fra", "ita"}, []string{"osd", "eng"})
	if !slices.Equal(missing, []string{"deu", "fra", "ita"}) || Install(missing) != "install tesseract's data for deu, fra and ita" || Install(missing[:1]) != "install tesseract's data for deu" {
		t.Errorf("%v: %s", missing, Install(missing))
	}
}
