package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"atrium/internal/egress"
	"atrium/internal/embed"
	"atrium/internal/embed/local"
	embedopenai "atrium/internal/embed/openai"
)

// localPrefix begins the ATRIUM_EMBED_MODEL and ATRIUM_RERANK_MODEL of a model on
// this machine.
const localPrefix = "local:"

// ModelsDir is where the models on this machine are kept.
func (c *Config) ModelsDir() string { return filepath.Join(c.Data, "models") }

// LocalModel is the folder of the model on this machine that makes the vectors,
// "" when none does.
func (c *Config) LocalModel() string { return c.folder(c.Embed) }

// LocalReranker is that of the model that reranks.
func (c *Config) LocalReranker() string { return c.folder(c.Rerank) }

func (c *Config) folder(m Model) string {
	name, ok := strings.CutPrefix(m.Model, localPrefix)
	if !ok {
		return ""
	}
	if local.ValidName(name) {
		return filepath.Join(c.ModelsDir(), name)
	}
	return name
}

func (c *Config) checkEmbed() error {
	return c.checkModel("ATRIUM_EMBED", c.Embed, local.DefaultName, "atrium models pull ")
}

// checkModel looks at the settings below a name of an endpoint or of a model on this
// machine; like is the name of one, and pull with a name behind it fetches it.
func (c *Config) checkModel(name string, m Model, like, pull string) error {
	if m.BaseURL != "" && m.Model == "" {
		return fmt.Errorf("%s_BASE_URL is set but %s_MODEL is not; name the model", name, name)
	}
	if m.BaseURL == "" && m.Model != "" && !strings.HasPrefix(m.Model, localPrefix) {
		return fmt.Errorf("%s_MODEL is set but %s_BASE_URL is not; name the server that has it, or a model on this machine, such as local:%s", name, name, like)
	}
	dir := c.folder(m)
	if dir == "" {
		if m.Model == localPrefix {
			return fmt.Errorf("%s_MODEL %q names no model; use one such as local:%s or local:/folder", name, m.Model, like)
		}
		return nil
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if model := strings.TrimPrefix(m.Model, localPrefix); local.ValidName(model) {
		return fmt.Errorf("%s_MODEL names the model %s, which is not on this machine; fetch it with: %s", name, model, pull+model)
	}
	return fmt.Errorf("%s_MODEL names the folder %s, which is not there or no folder; name one with a model, or a model that is fetched with: %s", name, dir, pull+like)
}

// newEmbedder is nil when none is configured: search is then by words only.
func newEmbedder(c Config, guard *egress.Guard) (embed.Embedder, error) {
	if dir := c.LocalModel(); dir != "" {
		m, err := local.Open(dir)
		if err != nil {
			return nil, fmt.Errorf("ATRIUM_EMBED_MODEL: the model in %s: %w", dir, err)
		}
		return m, nil
	}
	if c.Embed.BaseURL == "" {
		return nil, nil
	}
	return openEndpoint(c, guard, c.Embed.Model)
}

func openEndpoint(c Config, guard *egress.Guard, model string) (embed.Embedder, error) {
	return embedopenai.New(embedopenai.Config{BaseURL: c.Embed.BaseURL, APIKey: c.Embed.APIKey, Model: model, Client: guard.Operator(egress.Limits{})})
}

// formerEmbedder opens the embedder that made vectors before the setting was
// changed, by its name: a model that is still on this machine, or another one of
// the endpoint that is still set. It is nil when there is none such.
func formerEmbedder(c Config, guard *egress.Guard, name string) embed.Embedder {
	if folder, ok := local.FolderOf(name); ok {
		for _, dir := range []string{filepath.Join(c.ModelsDir(), folder), c.LocalModel()} {
			if filepath.Base(dir) != folder {
				continue
			}
			if m, err := local.Open(dir); err == nil {
				if m.Name() == name {
					return m
				}
				_ = m.Close()
			}
		}
		return nil
	}
	u, err := url.Parse(c.Embed.BaseURL)
	if err != nil || u.Host == "" {
		return nil
	}
	model, ok := strings.CutPrefix(name, u.Host+strings.TrimRight(u.Path, "/")+" ")
	if !ok {
		return nil
	}
	e, err := openEndpoint(c, guard, model)
	if err != nil || e.Name() != name {
		return nil
	}
	return e
}

// DescribeEmbedder says in words what makes the vectors, and whether anything does.
func DescribeEmbedder(c Config) (string, bool) {
	if dir := c.LocalModel(); dir != "" {
		return "the model in " + dir + ", computed on this machine", true
	}
	if c.Embed.BaseURL == "" {
		return fmt.Sprintf("none: search is by words; to search by meaning too, run \"atrium models pull %s\" and set ATRIUM_EMBED_MODEL=local:%s, or set ATRIUM_EMBED_BASE_URL and ATRIUM_EMBED_MODEL", local.DefaultName, local.DefaultName), false
	}
	return c.Embed.Model + " at " + c.Embed.BaseURL, true
}

// modelLimits are for a file of some gigabytes on a slow line.
var modelLimits = egress.Limits{Timeout: 6 * time.Hour, MaxBytes: 8 << 30}

// ModelStore is the folder of models. Fetching reaches what the operator names,
// also in a private network; where that leads elsewhere, only the public internet.
func ModelStore(c Config, say func(format string, args ...any)) (*local.Store, func(), error) {
	allow, err := c.allowed()
	if err != nil {
		return nil, nil, err
	}
	guard := egress.New(egress.Options{Allow: allow})
	named := guard.Operator(modelLimits)
	named.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	get := func(ctx context.Context, address string) (*http.Response, error) {
		res, err := ask(ctx, named, address)
		if err != nil || res.StatusCode < 300 || res.StatusCode > 399 {
			return res, err
		}
		_ = res.Body.Close()
		next, err := res.Location()
		if err != nil {
			return nil, egress.Explain(err, res.Request.URL.Hostname())
		}
		return ask(ctx, guard.Client(modelLimits), next.String())
	}
	return &local.Store{Dir: c.ModelsDir(), Get: get, Say: say}, guard.Close, nil
}

func ask(ctx context.Context, client *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, egress.Explain(err, req.URL.Hostname())
	}
	return res, nil
}
