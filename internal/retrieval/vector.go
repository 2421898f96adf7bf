package retrieval

import "math"

// levels is the largest magnitude of a quantised component: 16 bits, of which
// the upper 8 are scanned and all are used for the best.
const levels = 127 << 8

// queryLevels bounds a quantised question so that sums of products with 8 bits
// stay within 32 bits for any number of dimensions that is stored.
const queryLevels = 1<<11 - 1

const maxDimensions = 1 << 13

// vectorScale is what a quantised component is multiplied by to give it back.
func vectorScale(v []float32) (float32, bool) {
	var top float64
	for _, x := range v {
		a := math.Abs(float64(x))
		if math.IsNaN(a) || math.IsInf(a, 0) {
			return 0, false
		}
		top = max(top, a)
	}
	scale := float32(top / levels)
	return scale, scale > 0 && len(v) <= maxDimensions
}

func quantise(x, scale float32) int16 {
	return int16(max(-levels, min(levels, math.Round(float64(x)/float64(scale)))))
}

// vectors are those of a segment's pieces, one number of dimensions for all:
// a component is high × 256 + low, times the piece's scale.
type vectors struct {
	dims  int
	scale []float32 // a piece; 0: it has no vector
	high  []int8
	low   []byte // int8 each; read for the best only, so it may lie in a file
	count int
}

func (v *vectors) bytes() int { return 4*len(v.scale) + len(v.high) + len(v.low) }

// newVectors keeps the vectors that have as many dimensions as the first.
func newVectors(pieces []decodedPiece) vectors {
	var v vectors
	for _, p := range pieces {
		if len(p.vector) > 0 {
			v = roomFor(len(p.vector), len(pieces))
			break
		}
	}
	if v.dims == 0 {
		return v
	}
	for ord, p := range pieces {
		if len(p.vector) != v.dims {
			continue
		}
		v.scale[ord] = p.scale
		v.count++
		at := ord * v.dims
		for i, x := range p.vector {
			h := (int32(x) + 128) >> 8
			v.high[at+i], v.low[at+i] = int8(h), byte(int32(x)-h<<8)
		}
	}
	return v
}

func roomFor(dims, pieces int) vectors {
	return vectors{dims: dims, scale: make([]float32, pieces), high: make([]int8, pieces*dims), low: make([]byte, pieces*dims)}
}

// mergeVectors moves vectors as merge moved the pieces; all have the same
// number of dimensions or none.
func mergeVectors(in []view, moved [][]uint16, gone uint16, pieces int) vectors {
	var out vectors
	for i, v := range in {
		if v.vec.dims == 0 {
			continue
		}
		if out.dims == 0 {
			out = roomFor(v.vec.dims, pieces)
		}
		d := out.dims
		for from, to := range moved[i] {
			if to == gone || v.vec.scale[from] == 0 {
				continue
			}
			out.scale[to] = v.vec.scale[from]
			copy(out.high[int(to)*d:int(to+1)*d], v.vec.high[from*d:])
			copy(out.low[int(to)*d:int(to+1)*d], v.vec.low[from*d:])
			out.count++
		}
	}
	return out
}

// asked is a question's vector, prepared.
type asked struct {
	exact  []float32
	coarse []int16
	unit   float64 // what a coarse cosine is multiplied by to be a cosine
}

func ask(v []float32) (asked, bool) {
	if _, ok := vectorScale(v); !ok {
		return asked{}, false
	}
	var sum, top float64
	for _, x := range v {
		sum += float64(x) * float64(x)
		top = max(top, math.Abs(float64(x)))
	}
	a := asked{exact: make([]float32, len(v)), coarse: make([]int16, len(v)), unit: 256 * top / queryLevels / math.Sqrt(sum)}
	for i, x := range v {
		a.exact[i] = float32(float64(x) / math.Sqrt(sum))
		a.coarse[i] = int16(math.Round(float64(x) / top * queryLevels))
	}
	return a, true
}

// exactCosine is the cosine of a piece's 16-bit vector.
func (v *vectors) exactCosine(ord int, a asked) float64 {
	if v.dims != len(a.exact) || v.scale[ord] == 0 {
		return 0
	}
	high, low := v.high[ord*v.dims:(ord+1)*v.dims], v.low[ord*v.dims:(ord+1)*v.dims]
	var sum float64
	for i, q := range a.exact {
		sum += float64(q) * float64(int32(high[i])<<8+int32(int8(low[i])))
	}
	return sum * float64(v.scale[ord])
}

// coarseCosine is nearly the cosine, of the upper 8 bits, in asked's unit.
func (v *vectors) coarseCosine(ord int, a asked) float32 {
	return float32(dot(a.coarse, v.high[ord*v.dims:(ord+1)*v.dims])) * v.scale[ord]
}

func dotGeneric(a []int16, b []int8) int32 {
	var sum int32
	b = b[:len(a)]
	for i, x := range a {
		sum += int32(x) * int32(b[i])
	}
	return sum
}
