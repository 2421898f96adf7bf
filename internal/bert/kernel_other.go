//go:build !amd64

package bert

func product(n int, a []float32, lda int, b0, b1 []float32, k int, base []float32, ldb int, c []float32, ldc int) {
	productGeneric(n, a, lda, b0, b1, k, base, ldb, c, ldc)
}

func widen(dst []float32, src []uint16) { widenGeneric(dst, src) }

func softmax(x []float32) { softmaxGeneric(x) }

func gelu(x []float32) { geluGeneric(x) }

func addNorm(x, y, gamma, beta []float32, eps float32) { addNormGeneric(x, y, gamma, beta, eps) }
