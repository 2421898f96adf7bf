package bert_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"atrium/internal/bert"
	"atrium/internal/embed/local/localtest"
)

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
		for _, k2 := range bert.Kernels() {
			k2.Use(func() {
				got, want := make([]float32, room*40), make([]float32, room*40)
				bert.Product(n, a, k, b0, b1, k, base, 40, got, 40)
				bert.ProductGeneric(n, a, k, b0, b1, k, base, 40, want, 40)
				for i := range n {
					near(t, k2.Name+" product", got[i*40:i*40+32], want[i*40:i*40+32])
				}
			})
		}
		m := 8 * rapid.IntRange(1, 9).Draw(t, "eights")
		x, y := numbers(t, m, 12), numbers(t, m, 2)
		g, w := slices.Clone(x), slices.Clone(x)
		bert.Gelu(g)
		bert.GeluGeneric(w)
		near(t, "gelu", g, w)
		g, w = slices.Clone(x), slices.Clone(x)
		bert.Softmax(g)
		bert.SoftmaxGeneric(w)
		near(t, "softmax", g, w)
		gamma, beta := numbers(t, m, 1), numbers(t, m, 1)
		g, w = slices.Clone(x), slices.Clone(x)
		bert.AddNorm(g, y, gamma, beta, 1e-12)
		bert.AddNormGeneric(w, y, gamma, beta, 1e-12)
		near(t, "norm", g, w)
	})
}

func TestNumbersOf16BitsAreTheNearest(t *testing.T) {
	t.Parallel()
	for h := range uint32(0x7c00) {
		f := bert.FromHalf(uint16(h))
		if bert.Half(f) != uint16(h) || bert.Half(-f) != uint16(h)|0x8000 {
			t.Fatalf("%#x does not come back", h)
		}
		if h > 0 {
			below := bert.FromHalf(uint16(h - 1))
			if mid := (f + below) / 2; bert.Half(math.Nextafter32(mid, 1e9)) != uint16(h) || bert.Half(math.Nextafter32(mid, 0)) != uint16(h-1) {
				t.Fatalf("around %v it is not the nearest", mid)
			}
		}
	}
}

func FuzzWeights(f *testing.F) {
	f.Add(localtest.Tiny(1)[bert.Weights])
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("\x50\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}      `))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = bert.ReadHeader(b) })
}
