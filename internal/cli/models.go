package cli

import (
	"fmt"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"atrium/internal/embed/local"
	"atrium/internal/server"
)

type models struct {
	List   modelsList   `cmd:"" help:"List the models that are there."`
	Pull   modelsPull   `cmd:"" help:"Fetch a model: by a known name, an address or a path."`
	Remove modelsRemove `cmd:"" help:"Take a model away."`
}

type modelsList struct{}

// Run lists the models with their size, and which one is in use.
func (modelsList) Run(t *terminal) error {
	cfg, store, done, err := modelStore(t)
	if err != nil {
		return err
	}
	defer done()
	found, err := store.List()
	if err != nil {
		return err
	}
	if len(found) == 0 {
		fmt.Fprintf(t.out, "No models in %s; fetch one with: atrium models pull %s\n", store.Dir, local.DefaultName)
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tDIMENSIONS\tSIZE\tSTATE")
	for _, m := range found {
		state := "not in use"
		switch {
		case m.Problem != "":
			state = "cannot be used: " + m.Problem
		case inUse(cfg, store, m.Name):
			state = "in use"
		}
		dimensions := strconv.Itoa(m.Dimensions)
		if m.Reranks {
			dimensions = "reranks"
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f MiB\t%s\n", m.Name, dimensions, float64(m.Bytes)/(1<<20), state)
	}
	return w.Flush()
}

type modelsPull struct {
	From   string `arg:"" help:"A known name such as all-MiniLM-L6-v2; an https address of a folder with a model's files or of a .tar.gz, .zip or .whl with them; or a path of either." placeholder:"NAME"`
	Name   string `help:"What to call it here; otherwise the last part of the address." placeholder:"NAME"`
	SHA256 string `name:"sha256" help:"SHA-256 that the archive, or the weights in a folder, must have." placeholder:"HEX"`
}

// Run fetches a model, checks it and puts it among the others.
func (p *modelsPull) Run(t *terminal) error {
	_, store, done, err := modelStore(t)
	if err != nil {
		return err
	}
	defer done()
	m, err := store.Pull(t.ctx, p.From, p.Name, p.SHA256)
	if err != nil {
		return err
	}
	what, setting := fmt.Sprintf("vectors of %d numbers", m.Dimensions), "ATRIUM_EMBED_MODEL"
	if m.Reranks {
		what, setting = "it reranks passages", "ATRIUM_RERANK_MODEL"
	}
	fmt.Fprintf(t.out, "The model %s is there: %s.\nTo use it, set %s=local:%s and start Atrium again.\n", m.Name, what, setting, m.Name)
	return nil
}

type modelsRemove struct {
	Name string `arg:"" help:"The model."`
}

// Run removes a model that is not in use.
func (r *modelsRemove) Run(t *terminal) error {
	cfg, store, done, err := modelStore(t)
	if err != nil {
		return err
	}
	defer done()
	if inUse(cfg, store, r.Name) {
		return fmt.Errorf("the model %s is in use; set ATRIUM_EMBED_MODEL or ATRIUM_RERANK_MODEL to something else first", r.Name)
	}
	if err := store.Remove(r.Name); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "The model %s is removed.\n", r.Name)
	return nil
}

func inUse(cfg server.Config, store *local.Store, name string) bool {
	dir := filepath.Join(store.Dir, name)
	return cfg.LocalModel() == dir || cfg.LocalReranker() == dir
}

func modelStore(t *terminal) (server.Config, *local.Store, func(), error) {
	cfg, err := server.Load(t.config, nil)
	if err != nil {
		return cfg, nil, nil, err
	}
	store, done, err := server.ModelStore(cfg, func(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) })
	return cfg, store, done, err
}
