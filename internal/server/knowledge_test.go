package server_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"atrium/internal/server/servertest"
)

// strs are the strings at a field of each item of a list.
func strs(t *testing.T, a servertest.Answer, list, field string) []string {
	t.Helper()
	var out []string
	for i := range a.Len(list) {
		out = append(out, a.String(fmt.Sprintf("%s.%d.%s", list, i, field)))
	}
	return out
}

func TestTagsAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		ids, _ := world(t, h, c)
		for kind, id := range map[string]int64{"agents": ids["agent_id"], "corpora": ids["corpus_id"], "documents": ids["document_id"]} {
			path := fmt.Sprintf("/api/v2/%s/%d/tags", kind, id)
			c.Do("PUT", path, map[string]any{"add": []string{"a", " b ", "a", "c"}}).Want(t, 200)
			got := c.Do("PUT", path, map[string]any{"add": []string{"d", "a"}, "remove": []string{"c", "never there"}}).Want(t, 200)
			if tags := fmt.Sprint(got.At("data.tags")); tags != "[a b d]" {
				t.Errorf("%s: the tags are %s", kind, tags)
			}
			c.Do("PUT", path, map[string]any{"add": []string{"x"}, "remove": []string{"x"}}).Want(t, 400)
			c.Do("PUT", path, map[string]any{"add": []string{strings.Repeat("x", 101)}}).Want(t, 400)
			many := make([]string, 49)
			for i := range many {
				many[i] = fmt.Sprint("t", i)
			}
			c.Do("PUT", path, map[string]any{"add": many}).Want(t, 400)
			c.Do("PUT", path, map[string]any{}).Want(t, 200)
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() { c.Do("PUT", path, map[string]any{"add": []string{fmt.Sprint("at once ", i)}}).Want(t, 200) })
			}
			wg.Wait()
			if n := c.Do("PUT", path, map[string]any{}).Want(t, 200).Len("data.tags"); n != 9 {
				t.Errorf("%s: %d tags after six at once, want 9", kind, n)
			}
		}
	})
}

func TestTheTagsOfAgentsAreListedByPlace(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		ids, _ := world(t, h, c)
		second := c.Do("POST", "/api/v2/agents", map[string]any{"name": "Second", "project_id": ids["project_id"], "tags": []string{"law", "hr"}}).Want(t, 201).ID("data.id")
		c.Do("PUT", fmt.Sprintf("/api/v2/agents/%d/tags", ids["agent_id"]), map[string]any{"add": []string{"law", "zoo"}}).Want(t, 200)
		all := c.Do("GET", "/api/v2/agent-tags?sort=tag", nil).Want(t, 200)
		if got := strs(t, all, "data.tags", "tag"); !slices.Equal(got, []string{"hr", "law", "zoo"}) {
			t.Errorf("the organization's tags are %q", got)
		}
		if n := all.ID("data.tags.1.agents_count"); n != 2 {
			t.Errorf("law is on %d agents", n)
		}
		for _, query := range []string{fmt.Sprintf("project_id=%d", ids["project_id"]), fmt.Sprintf("team_id=%d", ids["team_id"])} {
			if got := strs(t, c.Do("GET", "/api/v2/agent-tags?sort=tag&"+query, nil).Want(t, 200), "data.tags", "tag"); !slices.Equal(got, []string{"hr", "law"}) {
				t.Errorf("the tags of %s are %q", query, got)
			}
			by := c.Do("GET", "/api/v2/agent-tags/by-agent?"+query, nil).Want(t, 200)
			if by.Len("data.agents") != 1 || by.ID("data.agents.0.agent.id") != second || by.Len("data.agents.0.tags") != 2 {
				t.Errorf("by agent of %s: %s", query, by.Body)
			}
		}
		c.Do("GET", "/api/v2/agent-tags?project_id=1&team_id=1", nil).Want(t, 400)
		if got := strs(t, c.Do("GET", "/api/v2/agent-tags?search=O&sort=-tag&page_size=1", nil).Want(t, 200), "data.tags", "tag"); !slices.Equal(got, []string{"zoo"}) {
			t.Errorf("found %q", got)
		}
		if n := h.Neighbour(t).Do("GET", "/api/v2/agent-tags", nil).Want(t, 200).ID("data.pagination.total"); n != 0 {
			t.Errorf("another organization sees %d tags", n)
		}
		if n := h.Person(t, "eve@example.com").Do("GET", "/api/v2/agent-tags/by-agent", nil).Want(t, 200).ID("data.pagination.total"); n != 0 {
			t.Errorf("a colleague sees the tags of %d agents that are not theirs", n)
		}
	})
}

func TestStartersOfAnAgentAreItsSampleQuestionsUntilPeopleWriteOthers(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		agent := c.Do("POST", "/api/v2/agents", map[string]any{"name": "A", "access": "Everyone", "sample_q1": "One?", "sample_q3": "Three?"}).Want(t, 201).ID("data.id")
		path, at := fmt.Sprintf("/api/v2/agents/%d/conversation-starters", agent), fmt.Sprintf("/api/v2/agents/%d", agent)
		list := func() []string {
			return strs(t, c.Do("GET", path, nil).Want(t, 200), "data.conversation_starters", "question")
		}
		if got := list(); !slices.Equal(got, []string{"One?", "Three?"}) {
			t.Errorf("the starters are %q", got)
		}
		made := c.Do("POST", path, map[string]any{"question": "  Four  is it? "}).Want(t, 201)
		if made.String("data.question") != "Four is it?" || made.ID("data.id") == 0 {
			t.Errorf("made %s", made.Body)
		}
		if got := list(); !slices.Equal(got, []string{"One?", "Three?", "Four is it?"}) {
			t.Errorf("after one more: %q", got)
		}
		c.Do("POST", path, map[string]any{"question": "Four is it?"}).Want(t, 409)
		c.Do("POST", path, map[string]any{"question": "   "}).Want(t, 400)
		c.Do("POST", path, map[string]any{"question": strings.Repeat("x", 501)}).Want(t, 400)
		c.Do("PUT", path, map[string]any{"questions": []string{"Four is it?", "Five?", "Six?", "Seven?"}}).Want(t, 200)
		a := c.Do("GET", at, nil).Want(t, 200)
		if a.String("data.sample_q1") != "Four is it?" || a.String("data.sample_q3") != "Six?" {
			t.Errorf("the samples do not follow: %s", a.Body)
		}
		kept := c.Do("GET", path, nil).Want(t, 200)
		if kept.ID("data.conversation_starters.0.id") != made.ID("data.id") {
			t.Error("a question that stays loses its id")
		}
		c.Do("PUT", at, map[string]any{"sample_q2": "Neu?"}).Want(t, 200)
		if got := list(); !slices.Equal(got, []string{"Four is it?", "Neu?", "Six?", "Seven?"}) {
			t.Errorf("the starters do not follow the samples: %q", got)
		}
		c.Do("PUT", path, map[string]any{"questions": make([]string, 21)}).Want(t, 400)
		c.Do("PUT", path, map[string]any{"questions": []string{}}).Want(t, 200)
		if got := list(); len(got) != 0 {
			t.Errorf("emptied, there are %q", got)
		}
		eve := h.Person(t, "eve@example.com")
		eve.Do("GET", path, nil).Want(t, 200)
		eve.Do("POST", path, map[string]any{"question": "Mine?"}).Want(t, 403)
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() { c.Do("POST", path, map[string]any{"question": fmt.Sprint("At once ", i, "?")}).Want(t, 201) })
		}
		wg.Wait()
		if got := list(); len(got) != 5 {
			t.Errorf("of five at once there are %q", got)
		}
	})
}

func TestACorpusTellsWhichAgentsQuoteIt(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		ids, _ := world(t, h, c)
		other := c.Do("POST", "/api/v2/agents", map[string]any{"name": "Other"}).Want(t, 201).ID("data.id")
		c.Do("POST", fmt.Sprintf("/api/v2/agents/%d/corpora/%d", other, ids["corpus_id"]), nil).Want(t, 201)
		path := fmt.Sprintf("/api/v2/corpora/%d/agents", ids["corpus_id"])
		all := c.Do("GET", path+"?sort=name", nil).Want(t, 200)
		if got := strs(t, all, "data.agent_corpus", "agent.agent_name"); !slices.Equal(got, []string{"Other", "Ours"}) {
			t.Errorf("quoted by %q", got)
		}
		if d := c.Do("GET", path+"/default", nil).Want(t, 200); d.ID("data.agent.id") != ids["agent_id"] || d.At("data.is_default") != true {
			t.Errorf("the default is %s", d.Body)
		}
		own := c.Do("POST", "/api/v2/corpora", map[string]any{"name": "By itself"}).Want(t, 201).ID("data.id")
		c.Do("GET", fmt.Sprintf("/api/v2/corpora/%d/agents/default", own), nil).Want(t, 404)
		// A viewer of the corpus sees it, but not agents that are not theirs.
		eve := h.Person(t, "eve@example.com")
		c.Do("POST", fmt.Sprintf("/api/v2/corpora/%d/permissions", ids["corpus_id"]), map[string]any{"user_email": "eve@example.com", "role": "Viewer"}).Want(t, 201)
		if n := eve.Do("GET", path, nil).Want(t, 200).ID("data.pagination.total"); n != 0 {
			t.Errorf("a viewer sees %d agents", n)
		}
		eve.Do("GET", path+"/default", nil).Want(t, 404)
	})
}

func TestDocumentsAreFetchedTogether(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		ids, _ := world(t, h, c)
		foreign, _ := world(t, h, h.Neighbour(t))
		a := c.Do("GET", fmt.Sprintf("/api/v2/documents/batch?document_ids=%d,999999,%d,%d", foreign["document_id"], ids["document_id"], ids["document_id"]), nil).Want(t, 200)
		if a.Len("data.documents") != 1 || a.ID("data.documents.0.id") != ids["document_id"] || a.Len("data.not_found_ids") != 2 || strings.Contains(string(a.Body), "rhubarb") {
			t.Errorf("got %s", a.Body)
		}
		c.Do("GET", "/api/v2/documents/batch", nil).Want(t, 400)
		c.Do("GET", "/api/v2/documents/batch?document_ids=x", nil).Want(t, 400)
	})
}

func TestAnOldAnswerKeepsCitingTheVersionThatItQuoted(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		agent := c.Do("POST", "/api/v2/agents", map[string]any{"name": "Vault", "caching_enabled": false}).Want(t, 201).ID("data.id")
		corpus := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora", agent), nil).Want(t, 200).ID("data.items.agent_corpus.0.corpus.id")
		put := func(text string) int64 {
			up := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus), "vault.md", []byte(text), map[string]string{"content_type": "file"}).Want(t, 201)
			c.Indexed(up.ID("data.id"))
			return up.ID("data.id")
		}
		ask := func() servertest.Answer {
			return c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", agent), map[string]any{"user_query": "What is the word of the vault?"}).Want(t, 200)
		}
		open := func(a servertest.Answer) (place, bytes string) {
			ref := func(field string) string { return fmt.Sprint(a.At("data.references.0." + field)) }
			place = string(c.Do("GET", fmt.Sprintf("/api/v2/documents/%s/passage?version=%s&start=%s&end=%s", ref("document_id"), ref("version"), ref("start"), ref("end")), nil).Want(t, 200).Body)
			path, _, _ := strings.Cut(strings.TrimPrefix(ref("url"), h.URL), "#")
			return place, string(c.Do("GET", path, nil).Want(t, 200).Body)
		}
		document := put("# The vault\n\nThe word of the vault is rhubarb, and it opens at nine.")
		before := ask()
		if again := put("# The vault\n\nThe word of the vault is quince, and it opens at ten."); again != document {
			t.Fatalf("the changed file is another document: %d, was %d", again, document)
		}
		after := ask()
		for word, a := range map[string]servertest.Answer{"rhubarb": before, "quince": after} {
			if place, bytes := open(a); !strings.Contains(place, word) || !strings.Contains(bytes, word) {
				t.Errorf("the answer that quoted %s opens %s and %s", word, place, bytes)
			}
		}
		list := c.Do("GET", fmt.Sprintf("/api/v2/documents/%d/versions?sort=-number", document), nil).Want(t, 200)
		if list.Len("data.versions") != 2 || list.ID("data.versions.0.number") != 2 || list.At("data.versions.0.is_current") != true || list.At("data.versions.1.is_current") != false {
			t.Errorf("the versions are %s", list.Body)
		}
		if old := c.Do("GET", strings.TrimPrefix(list.String("data.versions.1.access_url"), h.URL), nil).Want(t, 200); !strings.Contains(string(old.Body), "rhubarb") {
			t.Errorf("the old version is %s", old.Body)
		}
		// The bytes of the second version are recognized, whatever they are called; those of the first make a third.
		if up := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus), "vault.md", []byte("# The vault\n\nThe word of the vault is quince, and it opens at ten."), map[string]string{"content_type": "file"}).Want(t, 201); up.At("data.is_duplicate") != true {
			t.Errorf("the same bytes are not recognized: %s", up.Body)
		}
		dup := c.Do("POST", fmt.Sprintf("/api/v2/corpora/%d/documents/duplicates", corpus), map[string]any{"documents": []string{"vault.md", "new.md"}, "sha256": []string{list.String("data.versions.0.sha256")}}).Want(t, 200)
		if fmt.Sprint(dup.At("data.duplicate_files")) != "[vault.md]" || dup.Len("data.duplicate_content") != 1 {
			t.Errorf("the duplicates are %s", dup.Body)
		}
		h.Neighbour(t).Do("GET", fmt.Sprintf("/api/v2/documents/%d/versions", document), nil).Want(t, 404)
	})
}

func TestStartersDraftedFromDocumentsAreAnsweredFromThem(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		ids, _ := world(t, h, c)
		got := c.Do("GET", fmt.Sprintf("/api/v2/corpora/%d/conversation-starters?limit=2", ids["corpus_id"]), nil).Want(t, 200)
		own := c.Do("GET", fmt.Sprintf("/api/v2/documents/%d/conversation-starters", ids["document_id"]), nil).Want(t, 200)
		if n := got.Len("data.conversation_starters"); n == 0 || n > 2 || own.Len("data.conversation_starters") == 0 {
			t.Fatalf("drafted %s and %s", got.Body, own.Body)
		}
		for _, q := range strs(t, got, "data.conversation_starters", "question") {
			a := c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", ids["agent_id"]), map[string]any{"user_query": q}).Want(t, 200)
			if a.Len("data.references") == 0 || a.ID("data.references.0.document_id") != ids["document_id"] {
				t.Errorf("%q is answered %s", q, a.Body)
			}
		}
	})
}
