package server_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"atrium/internal/server/servertest"
)

// world is one of everything that has an id, all of the first organization's
// admin, and the name of the source that an answer cites.
func world(t *testing.T, h *servertest.Harness, c *servertest.Client) (ids map[string]int64, citation string) {
	t.Helper()
	ids = map[string]int64{}
	ids["agent_id"] = c.Do("POST", "/api/v2/agents", map[string]any{"name": "Ours"}).Want(t, 201).ID("data.id")
	ids["corpus_id"] = c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora", ids["agent_id"]), nil).Want(t, 200).ID("data.items.agent_corpus.0.corpus.id")
	up := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", ids["corpus_id"]), "secret.md", []byte("The secret word is rhubarb, and the vault opens at nine."), map[string]string{"content_type": "file"}).Want(t, 201)
	ids["document_id"] = up.ID("data.id")
	c.Indexed(ids["document_id"])
	a := c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", ids["agent_id"]), map[string]any{"user_query": "What is the secret word?"}).Want(t, 200)
	ids["chat_thread_id"], ids["agent_response_id"] = a.ID("data.thread_id"), a.ID("data.agent_response_id")
	ids["team_id"] = c.Do("POST", "/api/v2/teams", map[string]any{"name": "Ours"}).Want(t, 201).ID("data.id")
	ids["project_id"] = c.Do("POST", "/api/v2/projects", map[string]any{"name": "Ours", "team_ids": []int64{ids["team_id"]}}).Want(t, 201).ID("data.id")
	ids["api_key_id"] = c.Do("POST", "/api/v2/api-keys", map[string]any{"name": "k"}).Want(t, 201).ID("data.id")
	url := strings.TrimPrefix(a.String("data.references.0.url"), h.URL)
	name, _, _ := strings.Cut(url[strings.LastIndexByte(url, '/')+1:], "#")
	return ids, name
}

// Ids in bodies go through the same scoped loaders as ids in paths.
func TestForeignIDsInBodiesReachNothing(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		ids, _ := world(t, h, h.Admin(t))
		for name, c := range map[string]*servertest.Client{"another organization's admin": h.Neighbour(t), "a colleague": h.Person(t, "eve@example.com")} {
			agent := c.Do("POST", "/api/v2/agents", map[string]any{"name": "Mine"}).Want(t, 201).ID("data.id")
			ask := func(extra map[string]any) servertest.Answer {
				in := map[string]any{"user_query": "What is the secret word of the vault?"}
				maps.Copy(in, extra)
				return c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", agent), in)
			}
			ask(map[string]any{"chat_thread_id": ids["chat_thread_id"]}).Want(t, 404)
			a := ask(map[string]any{"overrides": map[string]any{"corpus_ids": []int64{ids["corpus_id"]}}})
			if a.Status != 200 && a.Status != 404 || strings.Contains(string(a.Body), "rhubarb") {
				t.Errorf("%s: a foreign corpus in overrides: %d %s", name, a.Status, a.Body)
			}
			c.Do("POST", fmt.Sprintf("/api/v2/agents/%d/corpora/%d", agent, ids["corpus_id"]), nil).Want(t, 404)
			if p := c.Do("PUT", fmt.Sprintf("/api/v2/agents/%d", agent), map[string]any{"project_id": 1}); name != "a colleague" && p.Status != 404 {
				t.Errorf("%s: a foreign project: %d %s", name, p.Status, p.Body)
			}
			own := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora", agent), nil).Want(t, 200).ID("data.items.agent_corpus.0.corpus.id")
			del := c.Do("DELETE", fmt.Sprintf("/api/v2/corpora/%d/documents", own), map[string]any{"document_ids": []int64{ids["document_id"]}})
			if del.Status == 200 && h.Admin(t).Do("GET", fmt.Sprintf("/api/v2/documents/%d", ids["document_id"]), nil).Status != 200 {
				t.Errorf("%s deleted a foreign document: %s", name, del.Body)
			}
		}
	})
}
