package local_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

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

// Not parallel: it changes the kernel that is used.
func TestKernelsAgreeWithThePortableOnes(t *testing.T) {
	numbers := func(t *rapid.T, n int, most float64) []float32 {
		out := make([]float32, n)
		seed := rapid.Uint64().Draw(t, "seed")
		for i := range out {
			seed = seed*6364136223846793005 + 1442695040888963407
			out[i] = float32((float64(seed>>11)/(1<<53) - 0.5) * 2 * most)
		}
		return out
	}
	near := func(t *rapid.T, what string, got, want []float32) {
		for i := range want {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-5+2e-5*math.Abs(float64(want[i]))) {
				t.Fatalf("%s %d: %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(1, 41).Draw(t, "rows"), rapid.IntRange(1, 70).Draw(t, "depth")
		room := (n + 3) / 4 * 4
		a, b0, b1, base := numbers(t, room*k, 1), numbers(t, k*16, 1), numbers(t, k*16, 1), numbers(t, room*40, 1)
		for _, k2 := range local.Kernels() {
			k2.Use(func() {
				got, want := make([]float32, room*40), make([]float32, room*40)
				local.Product(n, a, k, b0, b1, k, base, 40, got, 40)
				local.ProductGeneric(n, a, k, b0, b1, k, base, 40, want, 40)
				for i := range n {
					near(t, k2.Name+" product", got[i*40:i*40+32], want[i*40:i*40+32])
				}
			})
		}
		m := 8 * rapid.IntRange(1, 9).Draw(t, "eights")
		x, y := numbers(t, m, 12), numbers(t, m, 2)
		g, w := slices.Clone(x), slices.Clone(x)
		local.Gelu(g)
		local.GeluGeneric(w)
		near(t, "gelu", g, w)
		g, w = slices.Clone(x), slices.Clone(x)
		local.Softmax(g)
		local.SoftmaxGeneric(w)
		near(t, "softmax", g, w)
		gamma, beta := numbers(t, m, 1), numbers(t, m, 1)
		g, w = slices.Clone(x), slices.Clone(x)
		local.AddNorm(g, y, gamma, beta, 1e-12)
		local.AddNormGeneric(w, y, gamma, beta, 1e-12)
		near(t, "norm", g, w)
	})
}

func TestNumbersOf16BitsAreTheNearest(t *testing.T) {
	t.Parallel()
	for h := range uint32(0x7c00) {
		f := local.FromHalf(uint16(h))
		if local.Half(f) != uint16(h) || local.Half(-f) != uint16(h)|0x8000 {
			t.Fatalf("%#x does not come back", h)
		}
		if h > 0 {
			below := local.FromHalf(uint16(h - 1))
			if mid := (f + below) / 2; local.Half(math.Nextafter32(mid, 1e9)) != uint16(h) || local.Half(math.Nextafter32(mid, 0)) != uint16(h-1) {
				t.Fatalf("around %v it is not the nearest", mid)
			}
		}
	}
}
