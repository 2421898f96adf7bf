// Package local makes vectors on this machine, with no service: it computes
// sentence-transformers models of the BERT family, such as all-MiniLM-L6-v2, from
// the folder they are published as (see package bert).
//
// Weights of 16 bits change a vector by less than a millionth (cosine). Texts are
// computed on all processors; a question goes before them.
package local

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"atrium/internal/bert"
	"atrium/internal/fail"
)

const patience = 50 * time.Millisecond

// Model is an opened model; it is an embed.Embedder.
type Model struct {
	settings settings
	bert     *bert.Model

	texts, questions bert.Places
	asking           atomic.Int32 // questions that are there or wait
}

// Open reads what a folder says and checks it; the weights are loaded by the first
// text. What is wrong with the folder is a *fail.Error with code invalid_input.
func Open(dir string) (*Model, error) {
	f, err := bert.Open(dir)
	if err != nil {
		return nil, err
	}
	s, err := read(f)
	if err != nil {
		return nil, err
	}
	m, err := f.Model(s.tokens)
	if err != nil {
		return nil, err
	}
	return &Model{settings: s, bert: m, texts: bert.NewPlaces(), questions: bert.NewPlaces()}, nil
}

// Close gives the file back; the model is not used afterwards.
func (m *Model) Close() error { return m.bert.Close() }

// Name is the folder's name and a hash of all that makes the vectors.
func (m *Model) Name() string { return m.bert.Name() }

// Dimensions is the length of the vectors.
func (m *Model) Dimensions(ctx context.Context) (int, error) { return m.bert.Hidden(), ctx.Err() }

// Query embeds a question; it does not wait for texts.
func (m *Model) Query(ctx context.Context, text string) ([]float32, error) {
	m.asking.Add(1)
	defer m.asking.Add(-1)
	if err := m.questions.Enter(ctx); err != nil {
		return nil, err
	}
	defer m.questions.Leave()
	out := make([][]float32, 1)
	err := m.compute([]bert.Text{m.bert.Single(m.settings.queryPrefix+text, m.settings.tokens)}, out, ctx.Err)
	return out[0], err
}

// Passages embeds texts, in order; what is beyond the model's length is not read.
func (m *Model) Passages(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	out := make([][]float32, len(texts))
	text := func(i int) bert.Text {
		return m.bert.Single(m.settings.passagePrefix+texts[i], m.settings.tokens)
	}
	err := bert.Batches(ctx, len(texts), text, func(ctx context.Context, from int, batch []bert.Text) error {
		return m.passages(ctx, batch, out[from:])
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (m *Model) passages(ctx context.Context, batch []bert.Text, out [][]float32) error {
	if err := m.texts.Enter(ctx); err != nil {
		return err
	}
	defer m.texts.Leave()
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

func (m *Model) compute(batch []bert.Text, out [][]float32, between func() error) error {
	return m.bert.Compute(batch, func(i int, rows []float32) (err error) {
		if m.settings.firstToken {
			rows = rows[:m.bert.Hidden()]
		}
		out[i], err = pool(rows, m.bert.Hidden())
		return err
	}, between)
}

// pool is the mean of the rows, at unit length.
func pool(x []float32, hidden int) ([]float32, error) {
	v := make([]float32, hidden)
	for ; len(x) > 0; x = x[hidden:] {
		for i, f := range x[:hidden] {
			v[i] += f
		}
	}
	var sum float64
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, fail.Provider("the local model gave a vector without direction; its weights are damaged, fetch them again")
	}
	f := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * f)
	}
	return v, nil
}
