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
	const hidden, inner, positions = 32, 64, 16
	words := append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]"}, strings.Fields("does this model make vectors ? . , a b c ##a ##b ##c cat dog ##s sleep the")...)
	head := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var numbers []byte
	add := func(name string, base float32, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		from := len(numbers)
		for range n {
			seed = seed*6364136223846793005 + 1442695040888963407
			x := base + float32(float64(seed>>11)/(1<<53)-0.5)/2
			numbers = binary.LittleEndian.AppendUint32(numbers, math.Float32bits(x))
		}
		head[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int{from, len(numbers)}}
	}
	norm := func(name string) { add(name+".LayerNorm.weight", 1, hidden); add(name+".LayerNorm.bias", 0, hidden) }
	dense := func(name string, out, in int) { add(name+".weight", 0, out, in); add(name+".bias", 0, out) }
	add("embeddings.word_embeddings.weight", 0, len(words), hidden)
	add("embeddings.position_embeddings.weight", 0, positions, hidden)
	add("embeddings.token_type_embeddings.weight", 0, 2, hidden)
	norm("embeddings")
	for _, part := range []string{"query", "key", "value"} {
		dense("encoder.layer.0.attention.self."+part, hidden, hidden)
	}
	dense("encoder.layer.0.attention.output.dense", hidden, hidden)
	norm("encoder.layer.0.attention.output")
	dense("encoder.layer.0.intermediate.dense", inner, hidden)
	dense("encoder.layer.0.output.dense", hidden, inner)
	norm("encoder.layer.0.output")
	header, err := json.Marshal(head)
	if err != nil {
		panic(err)
	}
	weight := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	return map[string][]byte{
		"config.json": fmt.Appendf(nil, `{"model_type":"bert","hidden_act":"gelu","hidden_size":%d,"intermediate_size":%d,"num_attention_heads":1,"num_hidden_layers":1,"max_position_embeddings":%d,"type_vocab_size":2,"vocab_size":%d,"layer_norm_eps":1e-12}`,
			hidden, inner, positions, len(words)),
		"vocab.txt":             []byte(strings.Join(words, "\n") + "\n"),
		"modules.json":          []byte(`[{"type":"sentence_transformers.models.Transformer","path":""},{"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},{"type":"sentence_transformers.models.Normalize","path":"2_Normalize"}]`),
		"1_Pooling/config.json": []byte(`{"pooling_mode_mean_tokens":true}`),
		weights:                 append(weight, numbers...),
	}
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
