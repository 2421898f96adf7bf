package response

import (
	"context"
	"errors"
	"strings"
	"testing"

	"atrium/internal/agent"
	"atrium/internal/rerank/reranktest"
)

func TestAnAnswerIsWrittenFromRerankedPassages(t *testing.T) {
	t.Parallel()
	model := says("Pondweed [1].")
	each(t, model, func(t *testing.T, b *bench) {
		r := &reranktest.Fake{Score: func(_, passage string) float64 {
			if strings.Contains(passage, "pondweed") {
				return 0.9
			}
			return 0.1
		}}
		b.docs.Rerank = r
		id := b.agent(func(d *agent.Draft) { d.Name = "Birds" })
		corpusID, err := b.agents.CorpusIDs(t.Context(), b.people.scope("ann"), id)
		if err != nil {
			t.Fatal(err)
		}
		b.add("ann", corpusID[0], "herons.md", "text/markdown", "# Herons\n\nThey eat fish, as mallards do not.")
		given := func() answer {
			asked := b.do("ann", "POST", askPath(id), q("What do mallards eat?")).want(t, 200)
			return b.do("ann", "GET", onResponse(asked.id("data.agent_response_id"), "/supporting-content"), nil).want(t, 200)
		}
		if got := given(); got.text("data.supporting_content.0.title") != "ducks.md" || got.at("data.supporting_content.0.rerank") != 0.9 || got.at("data.supporting_content.1.rerank") != 0.1 {
			t.Errorf("it was written from %s", got.Body)
		}
		r.Do = func(context.Context, string, []string) ([]float64, error) { return nil, errors.New("out of order") }
		if got := given(); got.text("data.supporting_content.0.title") != "herons.md" || strings.Contains(got.Body, "rerank") {
			t.Errorf("without the reranker it was written from %s", got.Body)
		}
	})
}
