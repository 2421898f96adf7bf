package server_test

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"atrium/internal/embed/local/localtest"
	"atrium/internal/rerank/reranktest"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

func TestAConfiguredRerankerOrdersWhatTheServerFinds(t *testing.T) {
	t.Parallel()
	const key = "rk-secret-value"
	srv := httptest.NewServer(reranktest.Server(key))
	t.Cleanup(srv.Close)
	folder := filepath.Join(t.TempDir(), "tiny")
	if err := localtest.Write(folder, localtest.TinyReranker(1)); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		model server.Model
		done  bool
	}{
		"endpoint":  {server.Model{Model: "judge", BaseURL: srv.URL, APIKey: key}, true},
		"local":     {server.Model{Model: "local:" + folder}, true},
		"wrong key": {server.Model{Model: "judge", BaseURL: srv.URL, APIKey: "wrong"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
				c := h.Admin(t)
				corpus := c.Do("POST", "/api/v2/corpora", map[string]any{"name": "Animals"}).Want(t, 201).ID("data.id")
				for _, text := range []string{"The quokka is a marsupial of an island.", "What does a quokka eat? Leaves."} {
					c.Indexed(c.Do("POST", fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus), map[string]any{"content_type": "text", "source": text}).Want(t, 201).ID("data.id"))
				}
				found := c.Do("GET", fmt.Sprintf("/api/v2/corpora/search?query=what+does+a+quokka+eat&corpus_ids=%d", corpus), nil).Want(t, 200)
				figures := string(h.Anonymous(t).Do("GET", "/metrics", nil).Want(t, 200).Body)
				if x.done != (found.String("data.reranking") == "done") || x.done == (found.At("data.passages.0.rerank") == nil) || found.Len("data.passages") < 2 {
					t.Errorf("found %s", found.Body)
				}
				state := map[bool]string{true: "done", false: "failed"}[x.done]
				if !strings.Contains(figures, `atrium_rerankings_total{state="`+state+`"} 1`) {
					t.Errorf("the figures do not count it")
				}
				theirs := h.Neighbour(t).Do("GET", "/api/v2/corpora/search?query=what+does+a+quokka+eat", nil).Want(t, 200)
				if theirs.Len("data.passages") != 0 || theirs.String("data.reranking") != "none" {
					t.Errorf("another organization finds %s", theirs.Body)
				}
			}, func(c *server.Config) { c.Rerank = x.model })
		})
	}
}
