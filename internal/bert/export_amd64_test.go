package bert

// Kernel is a way to compute the products.
type Kernel struct {
	Name string
	wide bool
}

// Kernels are those that this processor has.
func Kernels() []Kernel {
	out := []Kernel{{"narrow", false}}
	if hasAVX512 {
		out = append(out, Kernel{"wide", true})
	}
	return out
}

// Use computes with the kernel.
func (k Kernel) Use(do func()) {
	was := hasAVX512
	hasAVX512 = k.wide
	defer func() { hasAVX512 = was }()
	do()
}
