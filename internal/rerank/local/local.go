// Package local scores passages on this machine, with no service: it computes
// cross-encoders of the BERT family with one label, such as
// ms-marco-MiniLM-L-6-v2, from the folder they are published as (see package bert).
//
// A score is the sigmoid of the label, between 0 and 1.
package local

import (
	"context"
	"math"

	"atrium/internal/bert"
	"atrium/internal/fail"
)

// Model is an opened model; it is a rerank.Reranker.
type Model struct {
	bert       *bert.Model
	tokens     int // the most of a pair
	pooler     bert.Part
	classifier bert.Part
	places     bert.Places
}

// Open reads what a folder says and checks it; most of the weights are loaded by
// the first question. What is wrong with the folder is a *fail.Error with code
// invalid_input.
func Open(dir string) (*Model, error) {
	f, err := bert.Open(dir)
	if err != nil {
		return nil, err
	}
	switch {
	case !f.Classifies():
		return nil, fail.Invalid("config.json: the architecture is none of a cross-encoder (BertForSequenceClassification); choose a model that was made to rerank, such as ms-marco-MiniLM-L-6-v2")
	case len(f.Labels) > 1:
		return nil, fail.Invalid("config.json: the model tells %d labels apart; one that reranks has a single label", len(f.Labels))
	case f.Types < 2:
		return nil, fail.Invalid("config.json: the model does not tell a question from its passage (type_vocab_size is %d); choose one that was made to rerank", f.Types)
	}
	b, err := f.Model(f.Tokens())
	if err != nil {
		return nil, err
	}
	m := &Model{bert: b, tokens: f.Tokens(), places: bert.NewPlaces()}
	if m.pooler, err = b.Pooler(); err == nil {
		m.classifier, err = b.Classifier(1)
	}
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return m, nil
}

// Close gives the file back; the model is not used afterwards.
func (m *Model) Close() error { return m.bert.Close() }

// Name is the folder's name and a hash of all that makes the scores.
func (m *Model) Name() string { return m.bert.Name() }

// Scores computes a pair after the other on all processors.
func (m *Model) Scores(ctx context.Context, question string, passages []string) ([]float64, error) {
	out := make([]float64, len(passages))
	pair := m.bert.Pairs(question, m.tokens)
	err := bert.Batches(ctx, len(passages), func(i int) bert.Text { return pair(passages[i]) }, func(ctx context.Context, from int, batch []bert.Text) error {
		if err := m.places.Enter(ctx); err != nil {
			return err
		}
		defer m.places.Leave()
		return m.bert.Compute(batch, func(i int, rows []float32) (err error) {
			out[from+i], err = m.score(rows[:m.bert.Hidden()])
			return err
		}, ctx.Err)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// score makes the label of what the first token has come to.
func (m *Model) score(first []float32) (float64, error) {
	label := float64(m.classifier.Bias[0])
	for i, b := range m.pooler.Bias {
		sum := float64(b)
		for j, w := range m.pooler.Weights[i*len(first) : (i+1)*len(first)] {
			sum += float64(w) * float64(first[j])
		}
		label += math.Tanh(sum) * float64(m.classifier.Weights[i])
	}
	if math.IsNaN(label) {
		return 0, fail.Provider("the local reranker gave no number; its weights are damaged, fetch them again")
	}
	return 1 / (1 + math.Exp(-label)), nil
}
