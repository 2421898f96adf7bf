package cli

import (
	"os"

	"atrium/internal/bench"
	"atrium/internal/server"
)

type evaluate struct {
	Retrieval evaluateRetrieval `cmd:"" help:"Measure how well a test set's documents are found, beside plain BM25."`
}

type evaluateRetrieval struct {
	Dataset string `required:"" help:"Folder with corpus.jsonl, queries.jsonl (either may end in .gz) and qrels.tsv, as BEIR has them." type:"existingdir" placeholder:"DIR"`
	Part    string `help:"Part of the set: train for train_queries.jsonl and train_qrels.tsv." placeholder:"NAME"`
	// An empty database of an ordinary role.
	DatabaseURL string `help:"Measure on this empty PostgreSQL database instead of SQLite." placeholder:"URL"`
}

// Run ingests the set into a server of its own and prints the table. The
// embedder is the one that is configured.
func (e *evaluateRetrieval) Run(t *terminal) error {
	cfg, err := server.Load(t.config, nil)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	env := []string{"ATRIUM_EMBED_BASE_URL=" + cfg.Embed.BaseURL, "ATRIUM_EMBED_MODEL=" + cfg.Embed.Model, "ATRIUM_EMBED_API_KEY=" + cfg.Embed.APIKey}
	if e.DatabaseURL != "" {
		env = append(env, "ATRIUM_DATABASE_URL="+e.DatabaseURL)
	}
	return bench.Evaluate(t.ctx, bench.Options{Data: e.Dataset, Exe: exe, Env: env, Out: t.out, Log: t.err}, e.Part)
}
