package local_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"atrium/internal/embed"
	"atrium/internal/embed/embedtest"
	"atrium/internal/embed/local"
	"atrium/internal/embed/local/localtest"
)

var shared = sync.OnceValues(func() (*local.Model, error) { return local.Open(folder) })

var folder string

// open is one model for all tests, so that its weights are packed once.
func open(t testing.TB) *local.Model {
	t.Helper()
	dir := localtest.Folder(t)
	once.Do(func() { folder = dir })
	m, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var once sync.Once

func TestTheModelKeepsTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Contract(t, func(t *testing.T) embed.Embedder { return open(t) })
}

// reference is a text with its ids and vector as the makers' tokenizer and a
// computation in 64 bits gave them.
type reference struct {
	Text   string
	IDs    []int32
	Vector []float32
}

func references(t testing.TB) []reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var stored []struct {
		Text   string
		IDs    []int32
		Vector string
	}
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	var out []reference
	for _, s := range stored {
		raw, err := base64.StdEncoding.DecodeString(s.Vector)
		if err != nil {
			t.Fatal(err)
		}
		r := reference{s.Text, s.IDs, make([]float32, len(raw)/4)}
		for i := range r.Vector {
			r.Vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		out = append(out, r)
	}
	return out
}

func TestVectorsAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	m := open(t)
	var texts []string
	for _, r := range references(t) {
		texts = append(texts, r.Text)
		got, err := m.Query(t.Context(), r.Text)
		if err != nil || embedtest.Dot(got, r.Vector) < 0.99999 {
			t.Errorf("%.40q: cosine %.6f, %v", r.Text, embedtest.Dot(got, r.Vector), err)
		}
	}
	got, err := m.Passages(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range references(t) {
		if c := embedtest.Dot(got[i], r.Vector); c < 0.99999 {
			t.Errorf("%.40q among others: cosine %.6f", r.Text, c)
		}
	}
}

func TestTheNameTellsModelAndContent(t *testing.T) {
	t.Parallel()
	m := open(t)
	if n := m.Name(); !strings.HasPrefix(n, "local all-MiniLM-L6-v2 ") || !slices.Equal(strings.Fields(n), strings.Split(n, " ")) {
		t.Errorf("the name %q", n)
	}
}

// words is a text of about 150 words.
var words = strings.TrimSpace(strings.Repeat("A deficiency of vitamin increases blood levels of homocysteine in elderly patients with cognitive decline. ", 10))

func BenchmarkPassages(b *testing.B) {
	m := open(b)
	texts := make([]string, 64)
	for i := range texts {
		texts[i] = words
	}
	n := 0
	for b.Loop() {
		if _, err := m.Passages(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
		n += len(texts)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "texts/s")
}

func BenchmarkQuery(b *testing.B) {
	m := open(b)
	for b.Loop() {
		if _, err := m.Query(b.Context(), "where does the cat sleep on the warm roof?"); err != nil {
			b.Fatal(err)
		}
	}
}
