package localtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Tiny is a model of a few kilobytes as it is published, by file: real in its form,
// with weights that mean nothing. seed makes different ones.
func Tiny(seed uint64) map[string][]byte {
	m := shape{hidden: 32, inner: 64, heads: 1, layers: 1, positions: 16}.files(seed, nil)
	m["modules.json"] = []byte(`[{"type":"sentence_transformers.models.Transformer","path":""},{"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},{"type":"sentence_transformers.models.Normalize","path":"2_Normalize"}]`)
	m["1_Pooling/config.json"] = []byte(`{"pooling_mode_mean_tokens":true}`)
	return m
}

// TinyReranker is a cross-encoder of that kind: it scores pairs of up to 24 tokens.
func TinyReranker(seed uint64) map[string][]byte {
	s := shape{hidden: 64, inner: 96, heads: 2, layers: 2, positions: 24, prefix: "bert.", about: `,"architectures":["BertForSequenceClassification"],"id2label":{"0":"LABEL_0"}`}
	return s.files(seed, func(w *weights) {
		w.dense("bert.pooler.dense", s.hidden, s.hidden)
		w.dense("classifier", 1, s.hidden)
	})
}

// Words are those that the models know, in the order of their numbers.
func Words() []string {
	return append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]"}, strings.Fields("does this model make vectors ? . , a b c ##a ##b ##c cat dog ##s sleep the")...)
}

// shape is how large a model is, and what its weights and config.json have besides.
type shape struct {
	hidden, inner, heads, layers, positions int
	prefix, about                           string
}

func (s shape) files(seed uint64, more func(*weights)) map[string][]byte {
	words := Words()
	w := &weights{seed: seed, head: map[string]any{"__metadata__": map[string]string{"format": "pt"}}}
	norm := func(name string) {
		w.add(s.prefix+name+".LayerNorm.weight", 1, s.hidden)
		w.add(s.prefix+name+".LayerNorm.bias", 0, s.hidden)
	}
	w.add(s.prefix+"embeddings.word_embeddings.weight", 0, len(words), s.hidden)
	w.add(s.prefix+"embeddings.position_embeddings.weight", 0, s.positions, s.hidden)
	w.add(s.prefix+"embeddings.token_type_embeddings.weight", 0, 2, s.hidden)
	norm("embeddings")
	for i := range s.layers {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		for _, part := range []string{"query", "key", "value"} {
			w.dense(s.prefix+layer+"attention.self."+part, s.hidden, s.hidden)
		}
		w.dense(s.prefix+layer+"attention.output.dense", s.hidden, s.hidden)
		norm(layer + "attention.output")
		w.dense(s.prefix+layer+"intermediate.dense", s.inner, s.hidden)
		w.dense(s.prefix+layer+"output.dense", s.hidden, s.inner)
		norm(layer + "output")
	}
	if more != nil {
		more(w)
	}
	return map[string][]byte{
		"config.json": fmt.Appendf(nil, `{"model_type":"bert","hidden_act":"gelu","hidden_size":%d,"intermediate_size":%d,"num_attention_heads":%d,"num_hidden_layers":%d,"max_position_embeddings":%d,"type_vocab_size":2,"vocab_size":%d,"layer_norm_eps":1e-12%s}`,
			s.hidden, s.inner, s.heads, s.layers, s.positions, len(words), s.about),
		"vocab.txt": []byte(strings.Join(words, "\n") + "\n"),
		weightsFile: w.file(),
	}
}

// weights are numbers around a base, by the names of their tensors.
type weights struct {
	seed    uint64
	head    map[string]any
	numbers []byte
}

func (w *weights) add(name string, base float32, shape ...int) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	from := len(w.numbers)
	for range n {
		w.seed = w.seed*6364136223846793005 + 1442695040888963407
		x := base + float32(float64(w.seed>>11)/(1<<53)-0.5)/2
		w.numbers = binary.LittleEndian.AppendUint32(w.numbers, math.Float32bits(x))
	}
	w.head[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int{from, len(w.numbers)}}
}

func (w *weights) dense(name string, out, in int) {
	w.add(name+".weight", 0, out, in)
	w.add(name+".bias", 0, out)
}

func (w *weights) file() []byte {
	header, err := json.Marshal(w.head)
	if err != nil {
		panic(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), w.numbers...)
}

// Write puts a model's files into a folder.
func Write(dir string, model map[string][]byte) error {
	for name, b := range model {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
