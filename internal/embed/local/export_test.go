package local

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// Tokens are those of a text for a model.
func Tokens(m *Model, text string) []int32 {
	return m.settings.tokenizer.tokens(text, m.settings.tokens)
}

// ReadHeader reads a file of weights as Open does.
func ReadHeader(b []byte) error {
	s, err := readSafetensors(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	for _, t := range s.tensors {
		if widths[t.dtype] > 0 {
			_, _ = t.all()
		}
	}
	return nil
}

var (
	Product, ProductGeneric = product, productGeneric
	Gelu, GeluGeneric       = gelu, geluGeneric
	Softmax, SoftmaxGeneric = softmax, softmaxGeneric
	AddNorm, AddNormGeneric = addNorm, addNormGeneric
	Half, FromHalf          = half, fromHalf
)

// Known replaces the models known by name until the test ends.
func Known(t *testing.T, name string, sums map[string]string, sources ...string) {
	t.Helper()
	was := known[name]
	known[name] = knownModel{sources: sources, sums: sums}
	t.Cleanup(func() { known[name] = was })
}

// HalfOf is 32 bits in 16.
func HalfOf(b []byte) uint16 { return half(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
