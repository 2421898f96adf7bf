// Package rerank scores passages for a question with a model that reads both
// together, which ranks better than comparing words or vectors and costs a
// computation a passage. reranktest.Contract holds what every Reranker must do.
package rerank

import "context"

// Reranker scores passages: one finite score each, in their order, higher is
// better. Scores can be compared within one call only.
type Reranker interface {
	// Name names model and endpoint.
	Name() string
	Scores(ctx context.Context, question string, passages []string) ([]float64, error)
}
