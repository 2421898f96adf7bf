// Package endpoint scores passages with any server that has the rerank operation
// of Cohere, as Jina, vLLM, LiteLLM and gateways before others have it too.
package endpoint

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"atrium/internal/fail"
	"atrium/internal/llm/wire"
)

// maxAnswer bounds an answer, because some servers send the passages back unasked.
const maxAnswer = 8 << 20

// Config says where the model is.
type Config struct {
	Label   string       // for messages; default "the reranker"
	BaseURL string       // up to and without /rerank
	APIKey  string       // empty: none is sent
	Model   string       // required
	Client  *http.Client // of package egress
	Limits  wire.Limits
}

// Reranker scores with one model of one endpoint.
type Reranker struct {
	c    Config
	name string
	wire *wire.Client
}

// New makes a Reranker; bad settings are a *fail.Error with code invalid_input.
func New(c Config) (*Reranker, error) {
	c.Label = cmp.Or(c.Label, "the reranker")
	if c.Model == "" {
		return nil, fail.Invalid("%s needs the name of a model", c.Label)
	}
	c.Limits.Total = cmp.Or(c.Limits.Total, 30*time.Second)
	c.Limits.MaxBytes = cmp.Or(c.Limits.MaxBytes, maxAnswer)
	c.Limits.Retries = cmp.Or(c.Limits.Retries, 1) // somebody waits
	h := http.Header{}
	if c.APIKey != "" {
		h.Set("Authorization", "Bearer "+c.APIKey)
	}
	w, err := wire.New(c.Label, c.BaseURL, c.Client, h, c.Limits)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, err
	}
	return &Reranker{c: c, wire: w, name: u.Host + strings.TrimRight(u.Path, "/") + " " + c.Model}, nil
}

// Name names endpoint and model.
func (r *Reranker) Name() string { return r.name }

type request struct {
	Model     string   `json:"model"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"`
	Top       int      `json:"top_n"`
	Return    bool     `json:"return_documents"`
}

type response struct {
	Results []struct {
		Index *int     `json:"index"`
		Score *float64 `json:"relevance_score"`
	} `json:"results"`
}

// Scores asks once for all passages.
func (r *Reranker) Scores(ctx context.Context, question string, passages []string) ([]float64, error) {
	if len(passages) == 0 {
		return nil, ctx.Err()
	}
	in := request{Model: r.c.Model, Query: filled(question), Documents: make([]string, len(passages)), Top: len(passages)}
	for i, p := range passages {
		in.Documents[i] = filled(p)
	}
	var out []float64
	err := r.wire.Do(ctx, wire.Call{
		Path:  "/rerank",
		Model: r.c.Model,
		Body:  in,
		Handle: func(reply *wire.Reply) (err error) {
			var res response
			if err := reply.JSON(&res); err != nil {
				return err
			}
			out, err = r.take(res, len(passages))
			return err
		},
	})
	return out, err
}

// filled is a text that servers do not refuse for being empty.
func filled(s string) string {
	if strings.TrimSpace(s) == "" {
		return "."
	}
	return s
}

// take puts the scores, which come best first, in the order of the passages.
func (r *Reranker) take(res response, n int) ([]float64, error) {
	if len(res.Results) != n {
		return nil, fail.Provider("%s answered %d scores for %d passages; an administrator has to check the model %q", r.c.Label, len(res.Results), n, r.c.Model)
	}
	out := make([]float64, n)
	given := make([]bool, n)
	for _, x := range res.Results {
		if x.Index == nil || *x.Index < 0 || *x.Index >= n || given[*x.Index] {
			return nil, fail.Provider("%s answered scores that do not belong to the passages; an administrator has to check the model %q", r.c.Label, r.c.Model)
		}
		if x.Score == nil || math.IsNaN(*x.Score) || math.IsInf(*x.Score, 0) {
			return nil, fail.Provider("%s answered a score that is no number; an administrator has to check that %q is a reranking model", r.c.Label, r.c.Model)
		}
		out[*x.Index], given[*x.Index] = *x.Score, true
	}
	return out, nil
}
