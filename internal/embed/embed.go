// Package embed turns text into vectors. embedtest.Contract holds what every
// Embedder must do.
package embed

import "context"

// Embedder makes one vector of unit length a text, in order. Query and passage
// may be embedded differently by the model.
type Embedder interface {
	// Name names model and endpoint; vectors of different names are never compared.
	Name() string
	Dimensions(ctx context.Context) (int, error)
	Passages(ctx context.Context, texts []string) ([][]float32, error)
	Query(ctx context.Context, text string) ([]float32, error)
}
