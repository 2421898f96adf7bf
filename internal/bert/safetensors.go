package bert

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"atrium/internal/fail"
)

const (
	maxHeader  = 16 << 20
	maxTensors = 4096
)

// tensor is where the numbers of one weight stand in the file.
type tensor struct {
	name  string
	dtype string
	shape []int
	at    int64
	file  io.ReaderAt
}

// safetensors is an opened file of weights. The numbers are read when they are
// needed, so that a file of any size costs nothing and one that is cut short
// while the server runs is an error and no crash.
type safetensors struct {
	file    *os.File
	tensors map[string]tensor
}

// widths are the kinds of numbers that can be read, with their bytes.
var widths = map[string]int64{"F32": 4, "F16": 2, "BF16": 2}

func openSafetensors(path string) (*safetensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var s *safetensors
		if s, err = readSafetensors(f, info.Size()); err == nil {
			s.file = f
			return s, nil
		}
	}
	_ = f.Close()
	return nil, err
}

// readSafetensors reads the header: a length, and JSON of that length that says
// where each tensor stands behind it.
func readSafetensors(r io.ReaderAt, size int64) (*safetensors, error) {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return nil, fail.Invalid("model.safetensors is too short to be weights; fetch it again")
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fail.Invalid("model.safetensors has a header of %d bytes in a file of %d; it is damaged or something else, fetch it again", n, size)
	}
	head := make([]byte, n)
	if _, err := r.ReadAt(head, 8); err != nil {
		return nil, fail.Invalid("model.safetensors cannot be read; fetch it again").Because(err)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(head, &entries); err != nil {
		return nil, fail.Invalid("the header of model.safetensors is no JSON; it is damaged or something else, fetch it again")
	}
	if len(entries) > maxTensors {
		return nil, fail.Invalid("model.safetensors names %d tensors; at most %d are read", len(entries), maxTensors)
	}
	s := &safetensors{tensors: map[string]tensor{}}
	start := int64(8 + n)
	for name, raw := range entries {
		if name == "__metadata__" {
			continue
		}
		var e struct {
			Dtype   string  `json:"dtype"`
			Shape   []int64 `json:"shape"`
			Offsets []int64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil || len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > size-start {
			return nil, fail.Invalid("the tensor %.100q of model.safetensors lies outside the file; fetch it again", name)
		}
		t := tensor{name: name, dtype: e.Dtype, at: start + e.Offsets[0], file: r}
		numbers := int64(1)
		for _, d := range e.Shape {
			if d < 0 || d > math.MaxInt32 || d > 0 && numbers > size/d {
				return nil, fail.Invalid("the tensor %.100q of model.safetensors has the impossible shape %v", name, e.Shape)
			}
			numbers *= d
			t.shape = append(t.shape, int(d))
		}
		if w, ok := widths[e.Dtype]; ok && numbers*w != e.Offsets[1]-e.Offsets[0] {
			return nil, fail.Invalid("the tensor %.100q of model.safetensors has %d bytes for the shape %v; fetch it again", name, e.Offsets[1]-e.Offsets[0], e.Shape)
		}
		s.tensors[name] = t
	}
	return s, nil
}

func (s *safetensors) close() error { return s.file.Close() }

// prefix stands before the names of an encoder that is a part of a larger model.
func (s *safetensors) prefix() string {
	if _, ok := s.tensors["bert.embeddings.word_embeddings.weight"]; ok {
		return "bert."
	}
	return ""
}

// get is a tensor that must be there with the shape.
func (s *safetensors) get(name string, shape ...int) (tensor, error) {
	t, ok := s.tensors[name]
	if !ok {
		return t, fail.Invalid("model.safetensors has no %s; only models of the BERT family can be read", name)
	}
	if !slices.Equal(t.shape, shape) {
		return t, fail.Invalid("%s of model.safetensors has the shape %v where config.json asks for %v", name, t.shape, shape)
	}
	if widths[t.dtype] == 0 {
		return t, fail.Invalid("%s of model.safetensors is stored as %.20q; F32, F16 and BF16 can be read", name, t.dtype)
	}
	return t, nil
}

// read fills dst with the numbers from the i-th on. buf is used when it is large enough.
func (t tensor) read(dst []float32, i int, buf []byte) error {
	w := int(widths[t.dtype])
	if n := w * len(dst); cap(buf) < n {
		buf = make([]byte, n)
	} else {
		buf = buf[:n]
	}
	if _, err := t.file.ReadAt(buf, t.at+int64(i)*int64(w)); err != nil {
		return fmt.Errorf("bert: reading %s: %w", t.name, err)
	}
	switch t.dtype {
	case "F32":
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
		}
	case "BF16":
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(buf[2*i:])) << 16)
		}
	default:
		for i := range dst {
			dst[i] = fromHalf(binary.LittleEndian.Uint16(buf[2*i:]))
		}
	}
	return nil
}

// all reads the whole tensor; numbers that are none are refused.
func (t tensor) all() ([]float32, error) {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	v := make([]float32, n)
	if err := t.read(v, 0, nil); err != nil {
		return nil, err
	}
	for _, x := range v {
		if !(x >= -maxHalf && x <= maxHalf) {
			return nil, fail.Invalid("%s of model.safetensors holds a number beyond ±%d or none; the weights are damaged, fetch them again", t.name, maxHalf)
		}
	}
	return v, nil
}

// maxHalf is the greatest number of 16 bits.
const maxHalf = 65504

// half is the nearest number of 16 bits; x is within ±maxHalf.
func half(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	if b < 0x38800000 { // below the normal numbers: in units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-0x38000000)>>13)
}

func fromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	e, m := uint32(h>>10&31), uint32(h&0x3ff)
	switch e {
	case 0:
		f := float32(m) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(f))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | m<<13)
	}
	return math.Float32frombits(sign | (e+112)<<23 | m<<13)
}
