// Package bundle takes a corpus, or an agent with its corpora, from one server
// to another as one file.
//
// The file is a tar archive: a manifest with the hash of every entry, the
// settings and access lists as JSON, the documents with their versions, pieces
// and encoded indexes as compressed lines of JSON, the sources with what was seen of
// each of their items as lines of JSON, and the files as they are.
// Nothing in it names a row of the server it comes from, and no secret is in it.
//
// An import reads the whole file before it stores anything, and then stores all
// of it or nothing, in one transaction. Pieces keep their order, and their index
// comes along as it is, so that searches answer alike on both sides.
package bundle

import (
	"context"
	"net/http"
	"os"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
)

// Options configure Bundles.
type Options struct {
	DB        *db.DB
	Documents *document.Documents
	Corpora   *corpus.Corpora
	Agents    *agent.Agents
	Dir       string // for files while they are made or read
	Version   string // of this server, for the manifest
	MaxBytes  int64  // of a bundle that is imported; 16 GiB when 0
}

// Bundles makes and takes bundles.
type Bundles struct {
	Options

	turns chan struct{} // one is held while a bundle is worked on
}

// atOnce is how many bundles are worked on at the same time.
const atOnce = 2

// New makes Bundles.
func New(o Options) *Bundles {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 30
	}
	return &Bundles{Options: o, turns: make(chan struct{}, atOnce)}
}

func (s *Bundles) turn(ctx context.Context) (func(), error) {
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// scratch is a file that has no name any more, so that a crash leaves none.
func (s *Bundles) scratch() (*os.File, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.Dir, "bundle-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

type fields struct {
	Bundle []byte `form:"bundle" required:"true" doc:"The bundle, as a file part."`
	SHA256 string `form:"sha256" doc:"What the file must hash to, in hexadecimal; another one is refused."`
}

// Imported is what an import has made.
type Imported struct {
	AgentID *int64           `json:"agent_id" nullable:"true" doc:"Null when the bundle is of a corpus."`
	Corpora []ImportedCorpus `json:"corpora" nullable:"false"`
	Missing []string         `json:"missing" nullable:"false" doc:"What is not known here and was left out, in words."`
}

// ImportedCorpus is a corpus that an import has made.
type ImportedCorpus struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Documents int    `json:"documents"`
	Versions  int    `json:"versions"`
	Pieces    int    `json:"pieces"`
	Sources   int    `json:"sources" doc:"Sites and sitemaps that it is refreshed from, by its schedule or refreshCorpus."`
}

// Mount declares the operations.
func (s *Bundles) Mount(a *api.API) {
	api.Download(a, api.Op{ID: "exportCorpus", Route: "GET /api/v2/corpora/{corpus_id}/export", Title: "Export a Corpus as a bundle", Group: "Corpora",
		Doc:   "One file with the corpus, its documents in all versions, their index and files, its sources, settings and access list: for importBundle of any Atrium server.",
		Needs: authz.To(authz.Manage, authz.Corpus)},
		func(ctx context.Context, in *corpus.ByID) (api.Content, error) {
			return s.ExportCorpus(ctx, authz.From(ctx), in.ID)
		})
	api.Download(a, api.Op{ID: "exportAgent", Route: "GET /api/v2/agents/{agent_id}/export", Title: "Export an Agent as a bundle", Group: "Agents",
		Doc:   "One file with the agent and the corpora that it quotes, as exportCorpus has them. A corpus that you may not manage is only named. No key of a model is in it.",
		Needs: authz.To(authz.Manage, authz.Agent)},
		func(ctx context.Context, in *agent.AgentID) (api.Content, error) {
			return s.ExportAgent(ctx, authz.From(ctx), in.ID)
		})
	api.Upload[struct{}, fields](a, api.Op{ID: "importBundle", Route: "POST /api/v2/bundles/import", Title: "Import a bundle", Group: "Corpora",
		Doc:     "Makes what the bundle holds; you own it. The whole file is checked first, and all of it is stored or nothing. A file that is no whole bundle of this format is refused with 409. People and teams are found by address and name; who is not known is told in missing.",
		Message: "Bundle imported", Status: http.StatusCreated, MaxBody: s.MaxBytes + 1<<20, Needs: authz.To(authz.Create, authz.Corpus)},
		func(ctx context.Context, _ *struct{}, form *api.Form) (Imported, error) {
			return s.Import(ctx, authz.From(ctx), form)
		})
}

// malformed is the answer for a file that no export has made: it is at odds with
// what it says of itself, while the request is in order.
func malformed(format string, args ...any) *fail.Error {
	e := fail.Conflict(format, args...)
	e.Message = "the bundle is damaged or was changed: " + e.Message + "; export it again"
	return e
}
