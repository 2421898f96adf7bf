package local_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atrium/internal/embed/local/localtest"
	"atrium/internal/fail"
	"atrium/internal/rerank"
	"atrium/internal/rerank/local"
	"atrium/internal/rerank/reranktest"
)

// folder is where a model lies that means nothing; change adjusts its files.
func folder(t *testing.T, change ...func(map[string][]byte)) string {
	t.Helper()
	m := localtest.TinyReranker(3)
	for _, c := range change {
		c(m)
	}
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := localtest.Write(dir, m); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, change ...func(map[string][]byte)) *local.Model {
	t.Helper()
	m, err := local.Open(folder(t, change...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestTheModelKeepsTheContract(t *testing.T) {
	t.Parallel()
	reranktest.Contract(t, func(t *testing.T) rerank.Reranker { return open(t) })
}

// slow is a cross-encoder computed plainly, in 64 bits, by the words of the model.
type slow struct {
	ids                             map[string]int
	tensors                         map[string][]float64
	hidden, heads, layers, position int
}

func newSlow(t *testing.T) *slow {
	t.Helper()
	m := localtest.TinyReranker(3)
	file := m["model.safetensors"]
	n := int(binary.LittleEndian.Uint64(file))
	var head map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	s := &slow{ids: map[string]int{}, tensors: map[string][]float64{}, hidden: 64, heads: 2, layers: 2, position: 24}
	for i, w := range localtest.Words() {
		s.ids[w] = i
	}
	for name, raw := range head {
		var at struct {
			Offsets [2]int `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(raw, &at); err != nil {
			t.Fatal(err)
		}
		for b := file[8+n+at.Offsets[0] : 8+n+at.Offsets[1]]; len(b) > 0; b = b[4:] {
			s.tensors[strings.TrimPrefix(name, "bert.")] = append(s.tensors[strings.TrimPrefix(name, "bert.")], float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	}
	return s
}

func (s *slow) dense(name string, in [][]float64) [][]float64 {
	w, b := s.tensors[name+".weight"], s.tensors[name+".bias"]
	out := make([][]float64, len(in))
	for i, row := range in {
		out[i] = slices.Clone(b)
		for o := range b {
			for j, x := range row {
				out[i][o] += x * w[o*len(row)+j]
			}
		}
	}
	return out
}

func (s *slow) norm(name string, x [][]float64) {
	gamma, beta := s.tensors[name+".LayerNorm.weight"], s.tensors[name+".LayerNorm.bias"]
	for _, row := range x {
		mean, square := 0.0, 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(len(row))
		}
		for i := range row {
			row[i] = (row[i]-mean)/math.Sqrt(square+1e-12)*gamma[i] + beta[i]
		}
	}
}

func plus(a, b [][]float64) [][]float64 {
	for i := range a {
		for j := range a[i] {
			a[i][j] += b[i][j]
		}
	}
	return a
}

// score takes tokens by their words, and how many of them are of the first kind.
func (s *slow) score(words []string, first int) float64 {
	var x [][]float64
	for pos, w := range words {
		kind := 0
		if pos >= first {
			kind = 1
		}
		id, ok := s.ids[w]
		if !ok {
			panic(w)
		}
		row := make([]float64, s.hidden)
		for i := range row {
			row[i] = s.tensors["embeddings.word_embeddings.weight"][id*s.hidden+i] +
				s.tensors["embeddings.position_embeddings.weight"][pos*s.hidden+i] +
				s.tensors["embeddings.token_type_embeddings.weight"][kind*s.hidden+i]
		}
		x = append(x, row)
	}
	s.norm("embeddings", x)
	for l := range s.layers {
		name := fmt.Sprintf("encoder.layer.%d.", l)
		q, k, v := s.dense(name+"attention.self.query", x), s.dense(name+"attention.self.key", x), s.dense(name+"attention.self.value", x)
		mixed := make([][]float64, len(x))
		size := s.hidden / s.heads
		for i := range x {
			mixed[i] = make([]float64, s.hidden)
			for h := range s.heads {
				shares, sum := make([]float64, len(x)), 0.0
				for j := range x {
					dot := 0.0
					for c := h * size; c < (h+1)*size; c++ {
						dot += q[i][c] * k[j][c]
					}
					shares[j] = math.Exp(dot / math.Sqrt(float64(size)))
					sum += shares[j]
				}
				for j := range x {
					for c := h * size; c < (h+1)*size; c++ {
						mixed[i][c] += shares[j] / sum * v[j][c]
					}
				}
			}
		}
		x = plus(s.dense(name+"attention.output.dense", mixed), x)
		s.norm(name+"attention.output", x)
		inner := s.dense(name+"intermediate.dense", x)
		for _, row := range inner {
			for i, g := range row {
				row[i] = g / 2 * (1 + math.Erf(g/math.Sqrt2))
			}
		}
		x = plus(s.dense(name+"output.dense", inner), x)
		s.norm(name+"output", x)
	}
	pooled := s.dense("pooler.dense", x[:1])
	for i, v := range pooled[0] {
		pooled[0][i] = math.Tanh(v)
	}
	return 1 / (1 + math.Exp(-s.dense("classifier", pooled)[0][0]))
}

// pair are the tokens of a question and a passage, and how many are of the first kind.
func pair(question, passage string) ([]string, int) {
	q, p := strings.Fields(question), strings.Fields(passage)
	return slices.Concat([]string{"[CLS]"}, q, []string{"[SEP]"}, p, []string{"[SEP]"}), len(q) + 2
}

// near is what weights of 16 bits change.
const near = 2e-4

func TestScoresAreThoseOfAPlainComputation(t *testing.T) {
	t.Parallel()
	m, s := open(t), newSlow(t)
	for _, question := range []string{"does the cat sleep ?", "dog", "a b c"} {
		var passages []string
		var want []float64
		for _, p := range []string{"the cat sleep .", "dog dog dog", "a", "", "this model make vectors , does a dog ##s make the cat sleep"} {
			passages = append(passages, strings.ReplaceAll(p, " ##", ""))
			want = append(want, s.score(pair(question, p)))
		}
		got, err := m.Scores(t.Context(), question, passages)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > near {
				t.Errorf("%q, %q: %.5f, want %.5f", question, passages[i], got[i], want[i])
			}
		}
		if spread := slices.Max(want) - slices.Min(want); spread < 50*near {
			t.Errorf("the scores are too alike to tell anything: %v", want)
		}
	}
}

func TestAQuestionIsToldFromItsPassage(t *testing.T) {
	t.Parallel()
	m, s := open(t), newSlow(t)
	words, first := pair("the cat", "dog sleep")
	got, err := m.Scores(t.Context(), "the cat", []string{"dog sleep"})
	if err != nil {
		t.Fatal(err)
	}
	if want, blind := s.score(words, first), s.score(words, len(words)); math.Abs(got[0]-want) > near || math.Abs(want-blind) < 20*near {
		t.Errorf("got %.5f, want %.5f; without kinds of tokens it is %.5f", got[0], want, blind)
	}
}

func TestTheLongerSideIsCut(t *testing.T) {
	t.Parallel()
	m, s := open(t), newSlow(t)
	many := func(word string, n int) string { return strings.TrimSpace(strings.Repeat(word+" ", n)) }
	for name, x := range map[string]struct{ question, passage, cutQuestion, cutPassage string }{
		"fits":             {many("a", 9), many("b", 12), many("a", 9), many("b", 12)},
		"a long passage":   {many("a", 5), many("b", 300), many("a", 5), many("b", 16)},
		"a long question":  {many("a", 300), many("b", 4), many("a", 17), many("b", 4)},
		"both":             {many("a", 300), many("b", 300), many("a", 10), many("b", 11)},
		"both, unequal":    {many("a", 15), many("b", 12), many("a", 11), many("b", 10)},
		"no passage":       {many("a", 300), "", many("a", 21), ""},
		"nothing of words": {" ", "\n", "", ""},
	} {
		want := s.score(pair(x.cutQuestion, x.cutPassage))
		got, err := m.Scores(t.Context(), x.question, []string{x.passage})
		if err != nil || math.Abs(got[0]-want) > near {
			t.Errorf("%s: %v, %v, want %.5f", name, got, err, want)
		}
	}
}

func TestAFolderThatIsNoRerankerIsRefusedInWords(t *testing.T) {
	t.Parallel()
	replaced := func(file, was, by string) func(map[string][]byte) {
		return func(m map[string][]byte) { m[file] = bytes.Replace(m[file], []byte(was), []byte(by), 1) }
	}
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		says   string
	}{
		"a model for vectors": {func(m map[string][]byte) {
			clear(m)
			maps.Copy(m, localtest.Tiny(1))
		}, "none of a cross-encoder"},
		"several labels": {replaced("config.json", `"0":"LABEL_0"`, `"0":"no","1":"yes"`), "2 labels"},
		"one kind":       {replaced("config.json", `type_vocab_size":2`, `type_vocab_size":1`), "type_vocab_size is 1"},
		"no classifier":  {replaced("model.safetensors", `classifier.weight`, `qualifier.weight_`), "no classifier.weight"},
		"no pooler":      {replaced("model.safetensors", `bert.pooler.dense.bias`, `bert.pooler.dense.b1as`), "no bert.pooler.dense.bias"},
		"another family": {replaced("config.json", `"bert"`, `"roberta"`), "only \"bert\""},
		"no config":      {func(m map[string][]byte) { delete(m, "config.json") }, "no config.json"},
		"no weights":     {func(m map[string][]byte) { delete(m, "model.safetensors") }, "no model.safetensors"},
		"damaged numbers": {func(m map[string][]byte) {
			copy(m["model.safetensors"][len(m["model.safetensors"])-4:], "\x00\x00\xc0\x7f")
		}, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := local.Open(folder(t, c.change))
			if err == nil {
				m.Close()
			}
			if !fail.Is(err, fail.CodeInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want one that says %q", err, c.says)
			}
		})
	}
}
