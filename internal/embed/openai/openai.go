// Package openai makes vectors with any server that has OpenAI's embeddings:
// OpenAI, Azure, vLLM, Ollama, llama.cpp, text-embeddings-inference and others.
package openai

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/wire"
)

// DefaultBaseURL is OpenAI's own.
const DefaultBaseURL = "https://api.openai.com/v1"

const maxDimensions = 16384

// Config says where the model is and how to send texts to it.
type Config struct {
	Label       string       // for messages; default "the embedder"
	BaseURL     string       // up to and without /embeddings; default DefaultBaseURL
	APIKey      string       // empty: none is sent
	Model       string       // required
	Dimensions  int          // asked for and held to; 0: the model's own
	QueryPrefix string       // some models want "query: " before questions
	TextPrefix  string       // and "passage: " before texts
	BatchSize   int          // texts in a request; default 32, which all known servers take
	BatchTokens int          // estimated tokens in a request; default 16,000; one longer text goes alone
	Concurrency int          // requests at a time over all callers; default 4
	Client      *http.Client // of package egress
	Limits      wire.Limits
}

// Embedder makes vectors with one model of one endpoint.
type Embedder struct {
	c      Config
	name   string
	wire   *wire.Client
	slots  chan struct{}
	dims   atomic.Int64 // 0 until known
	asking sync.Mutex   // of Dimensions
}

// New makes an Embedder; bad settings are a *fail.Error with code invalid_input.
func New(c Config) (*Embedder, error) {
	c.Label = cmp.Or(c.Label, "the embedder")
	c.BaseURL = cmp.Or(c.BaseURL, DefaultBaseURL)
	if c.Model == "" {
		return nil, fail.Invalid("%s needs the name of a model", c.Label)
	}
	if c.Dimensions < 0 || c.Dimensions > maxDimensions {
		return nil, fail.Invalid("the dimensions of %s have to be between 1 and %d, or 0 for the model's own", c.Label, maxDimensions)
	}
	positive := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	positive(&c.BatchSize, 32)
	positive(&c.BatchTokens, 16000)
	positive(&c.Concurrency, 4)
	if c.Limits.Total <= 0 {
		c.Limits.Total = 2 * time.Minute
	}
	h := http.Header{}
	if c.APIKey != "" {
		h.Set("Authorization", "Bearer "+c.APIKey)
	}
	w, err := wire.New(c.Label, c.BaseURL, c.Client, h, c.Limits)
	if err != nil {
		return nil, err
	}
	e := &Embedder{c: c, wire: w, slots: make(chan struct{}, c.Concurrency)}
	e.dims.Store(int64(c.Dimensions))
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, err
	}
	// Dimensions and prefixes change the vectors, so they are part of the name.
	e.name = u.Host + strings.TrimRight(u.Path, "/") + " " + c.Model
	if c.Dimensions > 0 {
		e.name += " " + strconv.Itoa(c.Dimensions)
	}
	if c.QueryPrefix+c.TextPrefix != "" {
		e.name += " " + c.QueryPrefix + "|" + c.TextPrefix
	}
	return e, nil
}

// Name names endpoint, model, asked dimensions and prefixes.
func (e *Embedder) Name() string { return e.name }

// Dimensions is the length of the vectors; the first call may ask the server.
func (e *Embedder) Dimensions(ctx context.Context) (int, error) {
	e.asking.Lock()
	defer e.asking.Unlock()
	if n := e.dims.Load(); n > 0 {
		return int(n), nil
	}
	if _, err := e.embed(ctx, "", []string{"dimensions"}); err != nil {
		return 0, err
	}
	return int(e.dims.Load()), nil
}

// Passages embeds texts, in order. An empty list gives an empty list.
func (e *Embedder) Passages(ctx context.Context, texts []string) ([][]float32, error) {
	return e.embed(ctx, e.c.TextPrefix, texts)
}

// Query embeds a question.
func (e *Embedder) Query(ctx context.Context, text string) ([]float32, error) {
	v, err := e.embed(ctx, e.c.QueryPrefix, []string{text})
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

func (e *Embedder) embed(ctx context.Context, prefix string, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	inputs := make([]string, len(texts))
	for i, t := range texts {
		if strings.TrimSpace(t) == "" {
			t = "." // servers refuse empty texts
		}
		inputs[i] = prefix + t
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.c.Concurrency)
	for start := 0; start < len(inputs); {
		end := e.batch(inputs, start)
		from, to := start, end
		g.Go(func() error { return e.send(ctx, inputs[from:to], out[from:to]) })
		start = end
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// batch is where the batch that begins at start ends.
func (e *Embedder) batch(inputs []string, start int) int {
	tokens, end := 0, start
	for end < len(inputs) && end-start < e.c.BatchSize {
		tokens += llm.EstimateTokens(inputs[end])
		if tokens > e.c.BatchTokens && end > start {
			break
		}
		end++
	}
	return end
}

type request struct {
	Model      string   `json:"model"`
	Input      []string `json:"input"`
	Dimensions int      `json:"dimensions,omitempty"`
	Format     string   `json:"encoding_format"`
}

type response struct {
	Data []struct {
		Index     *int      `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
}

// send embeds one batch into out.
func (e *Embedder) send(ctx context.Context, inputs []string, out [][]float32) error {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.wire.Do(ctx, wire.Call{
		Path:  "/embeddings",
		Model: e.c.Model,
		Body:  request{e.c.Model, inputs, e.c.Dimensions, "float"},
		Handle: func(r *wire.Reply) error {
			var res response
			if err := r.JSON(&res); err != nil {
				return err
			}
			return e.take(res, out)
		},
	})
}

// take checks a batch's vectors and puts them, at unit length, in the texts' order.
func (e *Embedder) take(res response, out [][]float32) error {
	if len(res.Data) != len(out) {
		return fail.Provider("%s answered %d vectors for %d texts; an administrator has to check the model %q", e.c.Label, len(res.Data), len(out), e.c.Model)
	}
	clear(out)
	for i, d := range res.Data {
		at := i
		if d.Index != nil {
			at = *d.Index
		}
		if at < 0 || at >= len(out) || out[at] != nil {
			return fail.Provider("%s answered vectors that do not belong to the texts; an administrator has to check the model %q", e.c.Label, e.c.Model)
		}
		n := int64(len(d.Embedding))
		if n == 0 || n > maxDimensions {
			return fail.Provider("%s answered a vector of %d numbers; an administrator has to check that %q is an embedding model", e.c.Label, n, e.c.Model)
		}
		if !e.dims.CompareAndSwap(0, n) && e.dims.Load() != n {
			return fail.Provider("%s answered vectors of %d numbers where %d were expected; an administrator has to check the model %q and its dimensions", e.c.Label, n, e.dims.Load(), e.c.Model)
		}
		if !normalize(d.Embedding) {
			return fail.Provider("%s answered a vector without direction; an administrator has to check the model %q", e.c.Label, e.c.Model)
		}
		out[at] = d.Embedding
	}
	return nil
}

// normalize brings v to unit length; it cannot for zeros.
func normalize(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return false
	}
	f := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * f)
	}
	return true
}
