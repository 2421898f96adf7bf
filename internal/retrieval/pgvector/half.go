package pgvector

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// unit is how many of half's smallest number make one. In it every half is whole, so
// that sums are exact and taking a vector out leaves what was before.
const unit = 1 << 24

// halves are a vector at unit length, in units, as it is stored; nil when it has no
// direction.
func halves(v []float32) []int64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	if !(length > 0) || math.IsInf(length, 0) {
		return nil
	}
	out := make([]int64, len(v))
	for i, x := range v {
		k := int64(math.RoundToEven(float64(x) / length * unit))
		// A half has 11 significant bits.
		if over := bits.Len64(uint64(max(k, -k))) - 11; over > 0 {
			step := float64(int64(1) << over)
			k = int64(math.RoundToEven(float64(k)/step) * step)
		}
		out[i] = k
	}
	return out
}

// text is a vector as the extension reads it.
func text(v []int64) string {
	out := make([]byte, 0, 12*len(v)+2)
	for i, k := range v {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		out = append(out, sep)
		out = strconv.AppendFloat(out, float64(k)/unit, 'g', -1, 32)
	}
	return string(append(out, ']'))
}

// sent reads a vector as halfvec_send gives it: the number of components and a
// reserved one, then the components, all in 16 bits.
func sent(b []byte) []int64 {
	if len(b) < 4 {
		return nil
	}
	out := make([]int64, (len(b)-4)/2)
	for i := range out {
		h := binary.BigEndian.Uint16(b[4+2*i:])
		k := int64(h & 0x3FF)
		if exp := h >> 10 & 0x1F; exp > 0 {
			k = (k + 0x400) << (exp - 1)
		}
		if h>>15 == 1 {
			k = -k
		}
		out[i] = k
	}
	return out
}

// tally is the sum of vectors of one space.
type tally struct {
	pieces int64
	total  []int64
}

func (t *tally) add(v []int64, times int64) {
	if t.total == nil {
		t.total = make([]int64, len(v))
	}
	t.pieces += times
	for i := range min(len(v), len(t.total)) {
		t.total[i] += times * v[i]
	}
}

func (t *tally) bytes() []byte {
	out := make([]byte, 0, 8*len(t.total))
	for _, k := range t.total {
		out = binary.LittleEndian.AppendUint64(out, uint64(k))
	}
	return out
}

func totalOf(b []byte) []int64 {
	out := make([]int64, len(b)/8)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}

// dot is the product of a vector's direction and a sum, in ones.
func dot(q, total []int64) float64 {
	var sum, length float64
	for i := range min(len(q), len(total)) {
		sum += float64(q[i]) * float64(total[i])
		length += float64(q[i]) * float64(q[i])
	}
	return sum / math.Sqrt(length) / unit
}
