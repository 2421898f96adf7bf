// Package local makes vectors on this machine, with no service: it computes
// sentence-transformers models of the BERT family, such as all-MiniLM-L6-v2, from
// the folder they are published as.
//
// The weights are packed in 16 bits at the first use, which changes a vector by
// less than a millionth (cosine); the table of words, half of the file, stays on
// disk and is read by the row. Texts are computed one after the other or several
// short ones at once, never padded, on all processors; a question goes before them.
package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"atrium/internal/fail"
)

// Weights is the file of a folder that holds the numbers.
const Weights = "model.safetensors"

const (
	batchTokens = 256 // computed at once; more gains nothing and holds up questions
	patience    = 50 * time.Millisecond
)

// Model is an opened model; it is an embed.Embedder.
type Model struct {
	name     string
	settings settings
	file     *safetensors

	loading sync.Mutex
	net     atomic.Pointer[network]
	spaces  sync.Pool

	texts, questions chan struct{} // places on the processors
	asking           atomic.Int32  // questions that are there or wait
}

// Open reads what a folder says and checks it; the weights are loaded by the first
// text. What is wrong with the folder is a *fail.Error with code invalid_input.
func Open(dir string) (*Model, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	s, err := folder{dir, sum}.settings()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, Weights)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fail.Invalid("there is no %s; fetch the weights in that format", Weights)
	}
	w, err := openSafetensors(path)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(sum, io.NewSectionReader(w.file, 0, 1<<62)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	n := max(1, runtime.GOMAXPROCS(0))
	return &Model{
		name: "local " + filepath.Base(dir) + " " + hex.EncodeToString(sum.Sum(nil)[:6]), settings: s, file: w,
		texts: make(chan struct{}, n), questions: make(chan struct{}, n),
	}, nil
}

// Close gives the file back; the model is not used afterwards.
func (m *Model) Close() error { return m.file.close() }

// Name is the folder's name and a hash of all that makes the vectors.
func (m *Model) Name() string { return m.name }

// Dimensions is the length of the vectors.
func (m *Model) Dimensions(ctx context.Context) (int, error) { return m.settings.Hidden, ctx.Err() }

// Query embeds a question; it does not wait for texts.
func (m *Model) Query(ctx context.Context, text string) ([]float32, error) {
	m.asking.Add(1)
	defer m.asking.Add(-1)
	if err := enter(ctx, m.questions); err != nil {
		return nil, err
	}
	defer leave(m.questions)
	out := make([][]float32, 1)
	ids := m.settings.tokenizer.tokens(m.settings.queryPrefix+text, m.settings.tokens)
	err := m.compute([][]int32{ids}, out, ctx.Err)
	return out[0], err
}

// Passages embeds texts, in order; what is beyond the model's length is not read.
func (m *Model) Passages(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	out := make([][]float32, len(texts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(m.texts))
	var batch [][]int32
	tokens, from := 0, 0
	send := func(to int) {
		part, places := batch, out[from:to]
		g.Go(func() error { return m.passages(ctx, part, places) })
		batch, tokens, from = nil, 0, to
	}
	for i, t := range texts {
		if ctx.Err() != nil {
			break
		}
		ids := m.settings.tokenizer.tokens(m.settings.passagePrefix+t, m.settings.tokens)
		if tokens+len(ids) > batchTokens && len(batch) > 0 {
			send(i)
		}
		batch, tokens = append(batch, ids), tokens+len(ids)
	}
	send(len(texts)) // after a break it only tells why
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

func (m *Model) passages(ctx context.Context, batch [][]int32, out [][]float32) error {
	if err := enter(ctx, m.texts); err != nil {
		return err
	}
	defer leave(m.texts)
	return m.compute(batch, out, func() error {
		// The rest of the server is let in, and questions go first, but texts go on
		// in the end however many are asked.
		runtime.Gosched()
		for waited := time.Duration(0); m.asking.Load() > 0 && waited < patience; waited += time.Millisecond {
			time.Sleep(time.Millisecond)
		}
		return ctx.Err()
	})
}

func (m *Model) compute(batch [][]int32, out [][]float32, between func() error) error {
	if err := between(); err != nil {
		return err
	}
	n, err := m.network()
	if err != nil {
		return err
	}
	tokens := 0
	for _, ids := range batch {
		tokens += len(ids)
	}
	w, ok := m.spaces.Get().(*workspace)
	if !ok || w.size < tokens {
		w = n.workspace(max(tokens, batchTokens))
	}
	defer m.spaces.Put(w)
	return n.forward(w, batch, m.settings.firstToken, out, between)
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
	n, err := build(m.file, m.settings.config, m.settings.tokens)
	if err != nil {
		return nil, err
	}
	m.net.Store(n)
	return n, nil
}

func enter(ctx context.Context, places chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func leave(places chan struct{}) { <-places }
