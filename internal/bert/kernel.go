package bert

import "math"

const (
	tile  = 32 // columns that are computed at once; sizes of a model are multiples
	panel = 16 // columns that stand together in memory
	rows  = 4  // fewest rows that are computed at once; buffers are that much longer
	depth = 384
)

// matrix is a layer's weights as the product wants them: panels of 16 columns,
// in each all numbers of an input side by side, in 16 bits, and the bias.
type matrix struct {
	in, out int
	panels  []uint16
	bias    []float32
}

// newMatrix takes weights as they are stored, the inputs of an output side by
// side. Several are put beside each other.
func newMatrix(in int, scale []float32, weights, biases [][]float32) *matrix {
	m := &matrix{in: in}
	for i, b := range biases {
		for _, x := range b {
			m.bias = append(m.bias, x*scale[i])
		}
	}
	m.out = len(m.bias)
	m.panels = make([]uint16, in*m.out)
	col := 0
	for i, w := range weights {
		for from := 0; from < len(w); from, col = from+in, col+1 {
			p := m.panels[col/panel*panel*in+col%panel:]
			for k, x := range w[from : from+in] {
				p[k*panel] = half(x * scale[i])
			}
		}
	}
	return m
}

// mul sets c to a times the matrix plus the bias. a has n rows of in numbers, c of
// out; both have room for n rounded up to rows. buf has room for 2*panel*depth.
func (m *matrix) mul(c, a []float32, n int, buf []float32) {
	b0, b1 := buf[:depth*panel], buf[depth*panel:2*depth*panel]
	for j := 0; j < m.out; j += tile {
		p0 := m.panels[j*m.in:]
		p1 := p0[panel*m.in:]
		for k := 0; k < m.in; k += depth {
			d := min(depth, m.in-k)
			widen(b0, p0[k*panel:(k+d)*panel])
			widen(b1, p1[k*panel:(k+d)*panel])
			if k == 0 {
				product(n, a[k:], m.in, b0, b1, d, m.bias[j:], 0, c[j:], m.out)
			} else {
				product(n, a[k:], m.in, b0, b1, d, c[j:], m.out, c[j:], m.out)
			}
		}
	}
}

// productGeneric sets n rows of 32 columns of c to base + a·b; the strides are
// counted in numbers.
func productGeneric(n int, a []float32, lda int, b0, b1 []float32, k int, base []float32, ldb int, c []float32, ldc int) {
	for i := range n {
		var acc [tile]float32
		copy(acc[:], base[i*ldb:i*ldb+tile])
		for p, x := range a[i*lda : i*lda+k] {
			for j, w := range b0[p*panel : p*panel+panel] {
				acc[j] += x * w
			}
			for j, w := range b1[p*panel : p*panel+panel] {
				acc[panel+j] += x * w
			}
		}
		copy(c[i*ldc:i*ldc+tile], acc[:])
	}
}

func widenGeneric(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = fromHalf(h)
	}
}

// softmaxGeneric turns a row of scores into shares that add up to one.
func softmaxGeneric(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sum float32
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - top)))
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func geluGeneric(x []float32) {
	for i, v := range x {
		x[i] = float32(0.5 * float64(v) * (1 + math.Erf(float64(v)/math.Sqrt2)))
	}
}

// addNormGeneric adds y to x and brings it to the layer's mean and spread.
func addNormGeneric(x, y, gamma, beta []float32, eps float32) {
	var sum, square float32
	for i := range x {
		x[i] += y[i]
		sum += x[i]
	}
	mean := sum / float32(len(x))
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	f := 1 / float32(math.Sqrt(float64(square/float32(len(x))+eps)))
	for i := range x {
		x[i] = (x[i]-mean)*f*gamma[i] + beta[i]
	}
}
