package cli

import (
	"os"
	"path/filepath"

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
// embedder and the reranker are those that are configured.
func (e *evaluateRetrieval) Run(t *terminal) error {
	cfg, err := server.Load(t.config, nil)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	var env []string
	for _, m := range []struct {
		setting, folder string
		of              server.Model
	}{{"ATRIUM_EMBED", cfg.LocalModel(), cfg.Embed}, {"ATRIUM_RERANK", cfg.LocalReranker(), cfg.Rerank}} {
		if m.folder != "" { // the server that measures has a data folder of its own
			dir, err := filepath.Abs(m.folder)
			if err != nil {
				return err
			}
			m.of.Model = "local:" + dir
		}
		env = append(env, m.setting+"_BASE_URL="+m.of.BaseURL, m.setting+"_MODEL="+m.of.Model, m.setting+"_API_KEY="+m.of.APIKey)
	}
	if e.DatabaseURL != "" {
		env = append(env, "ATRIUM_DATABASE_URL="+e.DatabaseURL)
	}
	return bench.Evaluate(t.ctx, bench.Options{Data: e.Dataset, Exe: exe, Env: env, Out: t.out, Log: t.err}, e.Part)
}
