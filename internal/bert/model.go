// Package bert computes models of the BERT family on this machine, from the
// folder they are published as: a WordPiece tokenizer, a reader of safetensors,
// and the encoder's forward pass in Go with assembly for AVX2 and AVX-512.
// What is made of an encoder's numbers (a vector, a score) is its users' business.
//
// The weights are packed in 16 bits at the first use; the table of words, half of
// the file, stays on disk and is read by the row. Texts are computed one after
// the other or several short ones at once, never padded.
package bert

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const batchTokens = 256 // computed at once; more gains nothing and holds others up

// Model is an opened model.
type Model struct {
	config    Config
	name      string
	limit     int // tokens of a text
	tokenizer *tokenizer
	file      *safetensors

	loading sync.Mutex
	net     atomic.Pointer[network]
	spaces  sync.Pool
}

// Close gives the file back; the model is not used afterwards.
func (m *Model) Close() error { return m.file.close() }

// Name is the folder's name and a hash of all that makes the numbers.
func (m *Model) Name() string { return m.name }

// Hidden is how many numbers a token has.
func (m *Model) Hidden() int { return m.config.Hidden }

// Part is a dense layer over the encoder: weights, the inputs of an output side
// by side, and a bias for each output.
type Part struct{ Weights, Bias []float32 }

// Pooler reads the layer that goes with the encoder: as many outputs as inputs.
func (m *Model) Pooler() (Part, error) {
	return m.part(m.file.prefix()+"pooler.dense", m.config.Hidden)
}

// Classifier reads the layer behind the pooler, which has so many outputs.
func (m *Model) Classifier(labels int) (Part, error) { return m.part("classifier", labels) }

func (m *Model) part(name string, out int) (Part, error) {
	w, err := m.file.get(name+".weight", out, m.config.Hidden)
	if err != nil {
		return Part{}, err
	}
	b, err := m.file.get(name+".bias", out)
	if err != nil {
		return Part{}, err
	}
	var p Part
	if p.Weights, err = w.all(); err == nil {
		p.Bias, err = b.all()
	}
	return p, err
}

// Compute calls take for each text with its numbers, a row of Hidden a token,
// which are valid until it returns. between is called after every larger step and
// ends the computation with its error.
func (m *Model) Compute(batch []Text, take func(i int, rows []float32) error, between func() error) error {
	if err := between(); err != nil {
		return err
	}
	n, err := m.network()
	if err != nil {
		return err
	}
	tokens := 0
	for _, t := range batch {
		tokens += len(t.IDs)
	}
	w, ok := m.spaces.Get().(*workspace)
	if !ok || w.size < tokens {
		w = n.workspace(max(tokens, batchTokens))
	}
	defer m.spaces.Put(w)
	return n.forward(w, batch, take, between)
}

// network is the loaded one; after an error the next text tries again.
func (m *Model) network() (*network, error) {
	if n := m.net.Load(); n != nil {
		return n, nil
	}
	m.loading.Lock()
	defer m.loading.Unlock()
	if n := m.net.Load(); n != nil {
		return n, nil
	}
	n, err := build(m.file, m.config, m.limit)
	if err != nil {
		return nil, err
	}
	m.net.Store(n)
	return n, nil
}

// Batches puts n texts together to what is computed at once, and calls do for
// each batch, on as many goroutines as there are processors; from is its first text.
func Batches(ctx context.Context, n int, text func(i int) Text, do func(ctx context.Context, from int, batch []Text) error) error {
	if n == 0 {
		return ctx.Err()
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var batch []Text
	tokens, from := 0, 0
	send := func(to int) {
		first, part := from, batch
		g.Go(func() error { return do(ctx, first, part) })
		batch, tokens, from = nil, 0, to
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		t := text(i)
		if tokens+len(t.IDs) > batchTokens && len(batch) > 0 {
			send(i)
		}
		batch, tokens = append(batch, t), tokens+len(t.IDs)
	}
	send(n) // after a break it only tells why
	return g.Wait()
}

// Places are those on the processors that texts wait for.
type Places chan struct{}

// NewPlaces has one for each processor.
func NewPlaces() Places { return make(Places, max(1, runtime.GOMAXPROCS(0))) }

// Enter takes a place when one is free.
func (p Places) Enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave gives it back.
func (p Places) Leave() { <-p }
