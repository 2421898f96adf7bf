//go:build !amd64

package bert

// Kernel is a way to compute the products.
type Kernel struct{ Name string }

// Kernels are those that this processor has.
func Kernels() []Kernel { return []Kernel{{"portable"}} }

// Use computes with the kernel.
func (Kernel) Use(do func()) { do() }
