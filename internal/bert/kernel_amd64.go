package bert

import (
	"math"

	"golang.org/x/sys/cpu"
)

var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F
)

// The products set rows × 32 numbers of c to base + a·b. Strides are in bytes.
//
//go:noescape
func product12(a *float32, lda uintptr, b0, b1 *float32, k uintptr, base *float32, ldb uintptr, c *float32, ldc uintptr)

//go:noescape
func product4(a *float32, lda uintptr, b0, b1 *float32, k uintptr, base *float32, ldb uintptr, c *float32, ldc uintptr)

// These set rows × 16 numbers.
//
//go:noescape
func product6x16(a *float32, lda uintptr, b *float32, k uintptr, base *float32, ldb uintptr, c *float32, ldc uintptr)

//go:noescape
func product4x16(a *float32, lda uintptr, b *float32, k uintptr, base *float32, ldb uintptr, c *float32, ldc uintptr)

// widenAVX2 takes n numbers, a multiple of 16.
//
//go:noescape
func widenAVX2(dst *float32, src *uint16, n uintptr)

// softmaxAVX2 takes n numbers, a multiple of 8.
//
//go:noescape
func softmaxAVX2(x *float32, n uintptr, t *[8]float32)

// geluAVX2 takes n numbers, a multiple of 8.
//
//go:noescape
func geluAVX2(x *float32, n uintptr, t *[8]float32)

// addNormAVX2 takes n numbers, a multiple of 8; over is 1/n.
//
//go:noescape
func addNormAVX2(x, y, gamma, beta *float32, n uintptr, over, eps float32)

// eight repeats each number, for instructions that take eight at once.
func eight(v ...float32) [][8]float32 {
	out := make([][8]float32, len(v))
	for i, x := range v {
		for j := range out[i] {
			out[i][j] = x
		}
	}
	return out
}

var (
	// The exponential as in Cephes: 2^n · e^r with |r| ≤ ln 2 / 2.
	expTable = eight(-87.3, math.Log2E, 0.693359375, -2.12194440e-4,
		1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1)
	// The error function as a quotient of polynomials, exact to the last places.
	geluTable = eight(1/math.Sqrt2, -4, 4,
		-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
		-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02,
		1, 0.5)
)

func product(n int, a []float32, lda int, b0, b1 []float32, k int, base []float32, ldb int, c []float32, ldc int) {
	if !hasAVX2 {
		productGeneric(n, a, lda, b0, b1, k, base, ldb, c, ldc)
		return
	}
	// The last rows that are written, and by the way the checks of the bounds.
	last := (n + rows - 1) / rows * rows
	_, _, _, _, _ = a[(last-1)*lda+k-1], b0[k*panel-1], b1[k*panel-1], base[(last-1)*ldb+tile-1], c[(last-1)*ldc+tile-1]
	sa, sb, sc, kk := uintptr(lda)*4, uintptr(ldb)*4, uintptr(ldc)*4, uintptr(k)
	for i := 0; i < last; {
		pa, pb, pc := &a[i*lda], &base[i*ldb], &c[i*ldc]
		switch step := last - i; {
		case step >= 12 && hasAVX512:
			product12(pa, sa, &b0[0], &b1[0], kk, pb, sb, pc, sc)
			i += 12
		case hasAVX512:
			product4(pa, sa, &b0[0], &b1[0], kk, pb, sb, pc, sc)
			i += 4
		case step >= 6 && step != 8:
			product6x16(pa, sa, &b0[0], kk, pb, sb, pc, sc)
			product6x16(pa, sa, &b1[0], kk, &base[i*ldb+panel], sb, &c[i*ldc+panel], sc)
			i += 6
		default:
			product4x16(pa, sa, &b0[0], kk, pb, sb, pc, sc)
			product4x16(pa, sa, &b1[0], kk, &base[i*ldb+panel], sb, &c[i*ldc+panel], sc)
			i += 4
		}
	}
}

func widen(dst []float32, src []uint16) {
	if !hasAVX2 {
		widenGeneric(dst, src)
		return
	}
	_ = dst[len(src)-1]
	widenAVX2(&dst[0], &src[0], uintptr(len(src)))
}

func softmax(x []float32) {
	if !hasAVX2 || len(x)%8 != 0 {
		softmaxGeneric(x)
		return
	}
	softmaxAVX2(&x[0], uintptr(len(x)), &expTable[0])
}

func gelu(x []float32) {
	if !hasAVX2 || len(x)%8 != 0 {
		geluGeneric(x)
		return
	}
	geluAVX2(&x[0], uintptr(len(x)), &geluTable[0])
}

func addNorm(x, y, gamma, beta []float32, eps float32) {
	if !hasAVX2 || len(x)%8 != 0 {
		addNormGeneric(x, y, gamma, beta, eps)
		return
	}
	_, _, _ = y[len(x)-1], gamma[len(x)-1], beta[len(x)-1]
	addNormAVX2(&x[0], &y[0], &gamma[0], &beta[0], uintptr(len(x)), 1/float32(len(x)), eps)
}
