package local_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"atrium/internal/embed/local"
)

func TestTokensAreThoseOfTheMakersTokenizer(t *testing.T) {
	t.Parallel()
	m := open(t)
	for _, r := range references(t) {
		if got := local.Tokens(m, r.Text); !slices.Equal(got, r.IDs) {
			t.Errorf("%.40q: %v, want %v", r.Text, got, r.IDs)
		}
	}
}

func TestALongTextIsReadNoFurtherThanTheModelLooks(t *testing.T) {
	t.Parallel()
	m := open(t)
	long := local.Tokens(m, strings.Repeat("word ", 1<<20))
	if len(long) != 256 || long[255] != long[len(long)-1] {
		t.Errorf("%d tokens", len(long))
	}
	if n := len(local.Tokens(m, strings.Repeat("x", 1<<22))); n != 3 {
		t.Errorf("one endless word is %d tokens", n)
	}
}

func TestSpecialTokensInATextAreWords(t *testing.T) {
	t.Parallel()
	if ids := local.Tokens(open(t), "a [SEP] b"); slices.Contains(ids[1:len(ids)-1], ids[len(ids)-1]) {
		t.Errorf("a text ends itself: %v", ids)
	}
}

func FuzzTokens(f *testing.F) {
	m := open(f)
	for _, r := range references(f) {
		f.Add(r.Text)
	}
	f.Add("\xff\xfe\x80 İ ǅ ﷺ \U0010ffff é")
	f.Fuzz(func(t *testing.T, text string) {
		ids := local.Tokens(m, text)
		if len(ids) < 2 || len(ids) > 256 || ids[0] != 101 || ids[len(ids)-1] != 102 {
			t.Fatalf("%q: %v", text, ids)
		}
		// Case, accents and broken bytes at the end change nothing.
		if utf8.ValidString(text) && len(ids) < 256 && !slices.Equal(ids, local.Tokens(m, text+" \xff\u0301 ")) {
			t.Fatalf("%q: a space and what is no letter behind it change the tokens", text)
		}
	})
}
