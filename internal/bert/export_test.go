package bert

import "bytes"

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
