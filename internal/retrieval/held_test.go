package retrieval_test

import (
	"context"
	"testing"

	"atrium/internal/retrieval"
	"atrium/internal/retrieval/vectortest"
)

// held are corpora in memory, vectors and all.
type held map[int64]*retrieval.Index

func (h held) Put(corpus int64, d vectortest.Document) error {
	if h[corpus] == nil {
		h[corpus] = retrieval.NewIndex()
	}
	return h[corpus].Put(d.ID, retrieval.Encode("", d.Pieces))
}

func (h held) Remove(corpus, document int64) error {
	h[corpus].Remove(document)
	return nil
}

func (h held) Search(ctx context.Context, corpora []int64, q retrieval.Query) ([]retrieval.Hit, error) {
	var in []*retrieval.Index
	for _, id := range corpora {
		in = append(in, h[id])
	}
	return retrieval.Search(ctx, in, q)
}

func TestVectorsInMemory(t *testing.T) {
	t.Parallel()
	vectortest.Contract(t, func(*testing.T) (func(int64) vectortest.Engine, func()) {
		return func(int64) vectortest.Engine { return held{} }, func() {}
	})
}
