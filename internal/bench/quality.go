package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"atrium/internal/extract"
	"atrium/internal/extract/extractbench"
	"atrium/internal/retrieval/eval"
)

// product is the product as a test set sees it: documents go in by upload, and
// come out by search and by asking an agent.
type product struct {
	*process
	agent, corpus int64
	mu            sync.Mutex
	ids           map[int64]string // document → id in the set
	mode          string           // of search; empty: as the product does it
	perRequest    int              // texts that are sent together; 0: 100
	reranked      map[string]int   // searches, by what became of their reranking
}

// newProduct makes an agent with an empty corpus on a running server.
func newProduct(ctx context.Context, p *process) (*product, error) {
	a, err := call[made](ctx, p, "POST", "/api/v2/agents", map[string]any{"name": fmt.Sprintf("Set %d", time.Now().UnixNano())})
	if err != nil {
		return nil, err
	}
	corpus, err := defaultCorpus(ctx, p, a.ID)
	return &product{process: p, agent: a.ID, corpus: corpus, ids: map[int64]string{}, reranked: map[string]int{}}, err
}

func defaultCorpus(ctx context.Context, p *process, agent int64) (int64, error) {
	list, err := call[struct {
		Items struct {
			Corpora []struct {
				Corpus made `json:"corpus"`
			} `json:"agent_corpus"`
		} `json:"items"`
	}](ctx, p, "GET", fmt.Sprintf("/api/v2/agents/%d/corpora", agent), nil)
	if err == nil && len(list.Items.Corpora) == 0 {
		err = errors.New("the agent has no default corpus")
	}
	if err != nil {
		return 0, err
	}
	return list.Items.Corpora[0].Corpus.ID, nil
}

const senders = 32

// completed is how many documents are indexed.
func (p *product) completed(ctx context.Context) (int, error) {
	list, err := call[struct {
		Pagination struct {
			Total int `json:"total"`
		} `json:"pagination"`
	}](ctx, p.process, "GET", fmt.Sprintf("/api/v2/corpora/%d/documents?page_size=1&step=completed", p.corpus), nil)
	return list.Pagination.Total, err
}

// send uploads texts in one request.
func (p *product) send(ctx context.Context, docs []eval.Doc) error {
	type text struct {
		Text string `json:"text"`
	}
	texts := make([]text, len(docs))
	for i, d := range docs {
		texts[i].Text = d.Text
		if d.Title != "" {
			texts[i].Text = d.Title + "\n\n" + d.Text
		}
	}
	path := fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", p.corpus)
	if len(docs) == 1 {
		got, err := call[made](ctx, p.process, "POST", path, map[string]any{"content_type": "text", "source": texts[0].Text, "upload_from": "bench"})
		p.took(docs, []made{got})
		return err
	}
	got, err := call[struct {
		Documents []made `json:"documents"`
	}](ctx, p.process, "POST", path+"/texts", map[string]any{"texts": texts})
	p.took(docs, got.Documents)
	return err
}

// took notes which documents the texts became.
func (p *product) took(docs []eval.Doc, became []made) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, m := range became {
		p.ids[m.ID] = docs[i].ID
	}
}

// Ingest uploads the documents as texts and waits until all are indexed.
func (p *product) Ingest(ctx context.Context, docs []eval.Doc) error {
	// Some sets have documents without a word.
	docs = slices.DeleteFunc(slices.Clone(docs), func(d eval.Doc) bool { return strings.TrimSpace(d.Title+d.Text) == "" })
	perRequest := cmp.Or(p.perRequest, 100)
	next := make(chan []eval.Doc)
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for range max(4, senders/perRequest) {
		wg.Go(func() {
			for d := range next {
				if err := p.send(sending, d); err != nil {
					stop(err)
				}
			}
		})
	}
	for part := range slices.Chunk(docs, perRequest) {
		select {
		case next <- part:
		case <-sending.Done():
		}
	}
	close(next)
	wg.Wait()
	if err := context.Cause(sending); err != nil {
		return err
	}
	for {
		n, err := p.completed(ctx)
		if err != nil {
			return err
		}
		if n >= len(p.ids) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Search answers the documents of the best passages, each once.
func (p *product) Search(ctx context.Context, question string, k int) ([]string, error) {
	list, err := call[struct {
		Passages []struct {
			DocumentID int64 `json:"document_id"`
		} `json:"passages"`
		Reranking string `json:"reranking"`
	}](ctx, p.process, "GET", fmt.Sprintf("/api/v2/corpora/search?corpus_ids=%d&limit=%d&fold=false&exact=false&mode=%s&query=%s",
		p.corpus, min(2*k, 200), cmp.Or(p.mode, "fused"), url.QueryEscape(question)), nil)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reranked[list.Reranking]++
	var out []string
	seen := map[int64]bool{}
	for _, x := range list.Passages {
		if !seen[x.DocumentID] && len(out) < k {
			seen[x.DocumentID] = true
			out = append(out, p.ids[x.DocumentID])
		}
	}
	return out, nil
}

// Answer asks the agent.
func (p *product) Answer(ctx context.Context, question string) (eval.Answered, error) {
	a, err := call[struct {
		Answer     string `json:"answer"`
		References []struct {
			DocumentID int64  `json:"document_id"`
			Quote      string `json:"quote"`
		} `json:"references"`
	}](ctx, p.process, "POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", p.agent), map[string]any{"user_query": question})
	out := eval.Answered{Declined: len(a.References) == 0, Text: a.Answer}
	for _, r := range a.References {
		out.Citations = append(out.Citations, eval.Citation{DocumentID: p.ids[r.DocumentID], Quote: r.Quote})
	}
	return out, err
}

// ranking measures a set through the product, beside plain BM25.
func ranking(name, goal string) func(context.Context, Options) ([]Row, error) {
	return func(ctx context.Context, o Options) ([]Row, error) {
		rows, err := rank(ctx, o, filepath.Join(o.Data, name), "")
		if err == nil {
			rows[0].Goal = goal
		}
		return rows, err
	}
}

// rank measures the set in a folder: a row for the product as it searches, and
// when it has an embedder or a reranker one for each part alone.
func rank(ctx context.Context, o Options, dir, part string) ([]Row, error) {
	set, err := eval.Load(dir, part)
	if err != nil {
		return nil, err
	}
	p, err := launch(ctx, o.Exe, o.Env...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	e, err := newProduct(ctx, p)
	if err != nil {
		return nil, err
	}
	r, err := eval.Rank(ctx, set, e)
	if err != nil {
		return nil, err
	}
	plain, err := eval.Rank(ctx, set, eval.PlainBM25())
	if err != nil {
		return nil, err
	}
	figures := func(r eval.Ranking) string { return fmt.Sprintf("%.4f, %.4f, %.4f", r.NDCG10, r.Recall100, r.MRR) }
	what := set.Name + ", nDCG@10, Recall@100, MRR"
	rows := []Row{{what, figures(r), "", "plain BM25 " + figures(plain)}}
	var sides []string
	if done, failed := e.reranked["done"], e.reranked["failed"]; done+failed > 0 {
		rows[0].What += fmt.Sprintf(", %d of %d reranked", done, done+failed)
		sides = []string{"lexical"}
	}
	e.mode = "vector"
	if _, err := e.Search(ctx, "which sides are there", 1); err == nil {
		rows[0].What += ", fused"
		sides = []string{"lexical", "vector"}
	}
	for _, e.mode = range sides {
		one, err := eval.Ask(ctx, set, e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{what + ", " + e.mode, figures(one), "less than together", ""})
	}
	return append(rows,
		Row{set.Name + ", ingest", fmt.Sprintf("%.0f documents/s", float64(r.Documents)/r.Ingest.Seconds()), "", ""},
		Row{set.Name + ", one search over HTTP", ms(r.Median), "", fmt.Sprintf("99th percentile %s", ms(r.P99))}), nil
}

// Evaluate measures the ranking of a test set through the product and prints the table.
func Evaluate(ctx context.Context, o Options, part string) error {
	rows, err := rank(ctx, o, o.Data, part)
	if err == nil {
		err = table(o.Out, rows)
	}
	return err
}

// answers measures the offline answerer through the product.
func answers(ctx context.Context, o Options) ([]Row, error) {
	p, err := launch(ctx, o.Exe)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	var failed error
	r, err := eval.XQuAD(ctx, filepath.Join(o.Data, "xquad_en"), func() eval.Answerer {
		e, err := newProduct(ctx, p)
		failed = errors.Join(failed, err)
		return e
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return []Row{
		{"xquad: right paragraph cited, of those answered", percent(r.RightParagraph), "≥ 98 %", fmt.Sprintf("%d of %d answered", r.Answered, r.Questions)},
		{"xquad: answer holds the expected span", percent(r.HoldsSpan), "≥ 87 %", ""},
		{"xquad: declined, article left out", percent(r.AbsentDeclined), "≥ 90 %", fmt.Sprintf("%d questions", r.Absent)},
		{"xquad: answered, article there", percent(r.PresentAnswered), "≥ 95 %", fmt.Sprintf("%d questions", r.Present)},
		{"xquad: quotes that stand in their document", percent(r.Verbatim), "100 %", fmt.Sprintf("%d quotes", r.Quotes)},
	}, nil
}

// documents measures reading against the phrases that must be found.
func documents(ctx context.Context, o Options) ([]Row, error) {
	pool := extract.NewPool(extract.Options{Command: []string{o.Exe, "extract-worker"}, Workers: 2})
	defer pool.Close()
	r, err := extractbench.Measure(ctx, pool, filepath.Join(o.Data, "docs"))
	if err != nil {
		return nil, err
	}
	full, err := extractbench.MeasureMode(ctx, pool, filepath.Join(o.Data, "docs"), extract.Exhaustive)
	if err != nil {
		return nil, err
	}
	pace, err := extractbench.MeasurePace(ctx, pool, filepath.Join(o.Data, "docs"), 2, 9)
	if err != nil {
		return nil, err
	}
	rows := []Row{
		{"docs: phrases found", percent(r.Share()), "≥ 98 %", fmt.Sprintf("%d of %d in %d files", r.Found, r.Asked, r.Files)},
		{"docs: phrases found, exhaustive", percent(full.Share()), "≥ 98 %", fmt.Sprintf("%d of %d", full.Found, full.Asked)},
		{"docs: hostile or damaged files that end in a clear failure", fmt.Sprintf("%d of %d", r.Hostile-r.Untyped, r.Hostile), "all", ""},
		{"docs: slowest hostile file, most memory of a worker", fmt.Sprintf("%.1f s, %d MiB", r.HostileTime.Seconds(), r.Memory>>20), "≤ 30 s, 512 MiB", ""},
	}
	for _, m := range []extract.Mode{extract.Basic, extract.Standard, extract.Exhaustive} {
		rows = append(rows, Row{fmt.Sprintf("docs: PDF pages, %s, two workers", m), fmt.Sprintf("%.0f/s", pace.Rate(pace.Modes[m])), "≥ 80 % of pdftotext",
			fmt.Sprintf("pdftotext alone %.0f/s (ratio %.2f)", pace.Rate(pace.Plain), pace.Ratio(m))})
	}
	return rows, nil
}
