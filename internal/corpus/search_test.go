package corpus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/document"
	"atrium/internal/rerank/reranktest"
)

func TestASearchIsRerankedAndSaysSo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var broken atomic.Bool
		r := &reranktest.Fake{}
		r.Do = func(_ context.Context, _ string, passages []string) ([]float64, error) {
			if broken.Load() {
				return nil, errors.New("out of order")
			}
			out := make([]float64, len(passages))
			for i, p := range passages {
				if strings.Contains(p, "leaves") {
					out[i] = 0.75
				}
			}
			return out, nil
		}
		h := newHouse(t, d, func(o *document.Options) { o.Rerank = r })
		c := h.corpus("ann")
		first := h.file("ann", c, "first.md", "# Quokka\n\nThe quokka, a marsupial quokka.")
		second := h.file("ann", c, "second.md", "# Food\n\nIt eats leaves, as a quokka would.")
		search := func(more string) answer {
			return h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/search?query=quokka&corpus_ids=%d%s", c, more), "")
		}
		found := search("").want(200, "data.reranking", "done", "data.passages.0.document_id", second, "data.passages.0.rerank", 0.75,
			"data.passages.1.document_id", first, "data.passages.1.rerank", 0)
		if a, b := found.at("data.passages.0.score").(float64), found.at("data.passages.1.score").(float64); a >= b {
			t.Errorf("the scores are %v and %v: they do not say what the order was without the reranker", a, b)
		}
		search("&limit=1").want(200, "data.reranking", "done", "data.passages.0.document_id", second)
		search("&mode=lexical").want(200, "data.reranking", "none", "data.passages.0.document_id", first, "data.passages.0.rerank", nil)
		search("&tags=none").want(200, "data.reranking", "none", "data.passages", "[]")

		h.do("eve", "GET", fmt.Sprintf("/api/v2/corpora/search?query=quokka&corpus_ids=%d", c), "").want(404)
		asked := len(r.Seen())
		for _, who := range []string{"eve", "bob"} {
			h.do(who, "GET", "/api/v2/corpora/search?query=quokka", "").want(200, "data.reranking", "none", "data.passages", "[]")
		}
		if len(r.Seen()) != asked {
			t.Error("the reranker is given passages for people who may see none")
		}

		broken.Store(true)
		search("").want(200, "data.reranking", "failed", "data.passages.0.document_id", first, "data.passages.0.rerank", nil, "data.passages.1.document_id", second)
	})
}
