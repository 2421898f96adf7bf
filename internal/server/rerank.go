package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"atrium/internal/egress"
	"atrium/internal/rerank"
	"atrium/internal/rerank/endpoint"
	"atrium/internal/rerank/local"
)

// likeReranker is a model that many rerank with.
const likeReranker = "ms-marco-MiniLM-L-6-v2"

func (c *Config) checkRerank() error {
	return c.checkModel("ATRIUM_RERANK", c.Rerank, likeReranker, "atrium models pull ADDRESS --name ")
}

// newReranker is nil when none is configured: the order is then the search's own.
func newReranker(c Config, client *http.Client) (rerank.Reranker, error) {
	if dir := c.LocalReranker(); dir != "" {
		m, err := local.Open(dir)
		if err != nil {
			return nil, fmt.Errorf("ATRIUM_RERANK_MODEL: the model in %s: %w", dir, err)
		}
		return m, nil
	}
	if c.Rerank.BaseURL == "" {
		return nil, nil
	}
	return endpoint.New(endpoint.Config{BaseURL: c.Rerank.BaseURL, APIKey: c.Rerank.APIKey, Model: c.Rerank.Model, Client: client})
}

// DescribeReranker says in words what puts the best passages in order, after
// trying it, and whether anything does. The error is what keeps it from working.
func DescribeReranker(ctx context.Context, c Config) (string, bool, error) {
	guard := egress.New(egress.Options{})
	defer guard.Close()
	r, err := newReranker(c, guard.Operator(egress.Limits{}))
	if err != nil {
		return "", false, err
	}
	if r == nil {
		return "none: passages stay in the order of the search; see ATRIUM_RERANK_MODEL in the handbook", false, nil
	}
	where := c.Rerank.Model + " at " + c.Rerank.BaseURL
	if dir := c.LocalReranker(); dir != "" {
		where = "the model in " + dir + ", computed on this machine"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := r.Scores(ctx, "Does it answer?", []string{"It does.", "Nothing."}); err != nil {
		return where, true, fmt.Errorf("%s does not answer, so that searches go without it: %w", where, err)
	}
	return fmt.Sprintf("%s; it answered in %d ms", where, time.Since(began).Milliseconds()), true, nil
}

// rerankFigures counts the searches of this process that were reranked.
type rerankFigures struct{ s *Server }

var rerankDesc = prometheus.NewDesc("atrium_rerankings_total", "Searches that the reranker put in order, or failed to.", []string{"state"}, nil)

func (rerankFigures) Describe(ch chan<- *prometheus.Desc) { ch <- rerankDesc }

func (f rerankFigures) Collect(ch chan<- prometheus.Metric) {
	done, failed, asked := f.s.documents.Rerankings()
	if !asked {
		return
	}
	ch <- prometheus.MustNewConstMetric(rerankDesc, prometheus.CounterValue, float64(done), "done")
	ch <- prometheus.MustNewConstMetric(rerankDesc, prometheus.CounterValue, float64(failed), "failed")
}
