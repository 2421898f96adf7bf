package corpus_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
)

func TestACorpusIsMadeFoundChangedAndDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		made := h.do("ann", "POST", "/api/v2/corpora", `{"name": " Animals ", "description": "All of them", "indexing_mode_id": 2, "tags": ["a", " a", "b"], "owner_id": 999, "is_deleted": true}`)
		made.want(201, "success", true, "data.name", "Animals", "data.description", "All of them", "data.corpus_type", "document", "data.indexing_mode.id", 2, "data.indexing_mode.mode", "standard",
			"data.owner.email", "ann@example.com", "data.owner.id", h.people["ann"].UserID, "data.owner.first_name", "ann", "data.owner.last_name", "Person", "data.tags", "[a b]", "data.document_count", 0,
			"data.restrict_to_viewers", false, "data.is_deleted", false, "data.created_by", "ann@example.com", "data.modified_by", "ann@example.com")
		id := made.id("data.id")
		path := fmt.Sprintf("/api/v2/corpora/%d", id)
		h.do("ann", "GET", path, "").want(200, "data.id", id)
		h.do("ann", "PUT", path, `{"description": "Some", "tags": null}`).want(200, "data.name", "Animals", "data.description", "Some", "data.tags", "[a b]", "data.indexing_mode.id", 2)
		h.do("root", "PUT", path, `{"name": "Beasts", "indexing_mode_id": 3, "restrict_to_viewers": true, "tags": []}`).want(200, "data.name", "Beasts", "data.indexing_mode.mode", "basic", "data.restrict_to_viewers", true,
			"data.tags", "[]", "data.modified_by", "root@example.com", "data.owner.email", "ann@example.com")
		h.do("ann", "DELETE", path, "").want(200, "data", nil)
		for _, method := range []string{"GET", "DELETE"} {
			h.do("ann", method, path, "").want(404, "error.code", "not_found")
		}
	})
}

func TestAttachmentsAreBasicAndListedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.do("ann", "POST", "/api/v2/corpora", `{"name": "a", "corpus_type": "attachment"}`).want(201, "data.indexing_mode.id", 3, "data.corpus_type", "attachment")
		h.do("ann", "POST", "/api/v2/corpora", `{"name": "Zebras 100%"}`).want(201, "data.indexing_mode.id", 1)
		h.do("ann", "POST", "/api/v2/corpora", `{"name": "Yaks", "description": "not zebras"}`).want(201)
		h.do("bob", "POST", "/api/v2/corpora", `{"name": "Bob's zebras"}`).want(201)
		h.do("ann", "GET", "/api/v2/corpora", "").want(200, "data.pagination.total", 2, "data.pagination.page", 1, "data.pagination.page_size", 20, "data.corpora.0.name", "Yaks")
		h.do("ann", "GET", "/api/v2/corpora?corpus_type=attachment", "").want(200, "data.pagination.total", 1)
		h.do("ann", "GET", "/api/v2/corpora?search=ZEBRA&sort=name", "").want(200, "data.pagination.total", 2, "data.corpora.0.name", "Yaks")
		h.do("ann", "GET", "/api/v2/corpora?search=100%25", "").want(200, "data.pagination.total", 1)
		h.do("ann", "GET", "/api/v2/corpora?page_size=1&page=2", "").want(200, "data.pagination.total_pages", 2, "data.corpora.0.name", "Zebras 100%")
		h.do("root", "GET", "/api/v2/corpora", "").want(200, "data.pagination.total", 3)
		h.do("eve", "GET", "/api/v2/corpora", "").want(200, "data.pagination.total", 0, "data.corpora", "[]")
		for _, bad := range []string{"sort=owner", "page=0", "page_size=201", "corpus_type=x", "search=" + strings.Repeat("x", 201)} {
			h.do("ann", "GET", "/api/v2/corpora?"+bad, "").want(400, "error.code", "invalid_input")
		}
	})
}

func TestABadCorpusIsRefusedByTheField(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		for body, field := range map[string]string{
			`{}`: "name", `{"name": ""}`: "name", `{"name": " \t"}`: "name", `{"name": 7}`: "name", `{"name": "` + strings.Repeat("x", 201) + `"}`: "name",
			`{"name": "a", "indexing_mode_id": 4}`: "indexing_mode_id", `{"name": "a", "corpus_type": "secret"}`: "corpus_type",
			`{"name": "a", "restrict_to_viewers": "yes"}`: "restrict_to_viewers", `{"name": "a", "tags": "x"}`: "tags",
			`{"name": "a", "tags": ["` + strings.Repeat("x", 101) + `"]}`: "tags",
		} {
			a := h.do("ann", "POST", "/api/v2/corpora", body).want(400, "success", false, "data", nil)
			if got := fmt.Sprint(a.at("error.fields.0.field")); !strings.HasPrefix(got+a.body, field) && !strings.Contains(a.body, field) {
				t.Errorf("%s names the field %s", body, got)
			}
		}
		h.do("ann", "POST", "/api/v2/corpora", `{`).want(400)
		h.do("", "POST", "/api/v2/corpora", `{"name": "a"}`).want(401)
		h.do("ann", "GET", "/api/v2/corpora", "").want(200, "data.pagination.total", 0)
	})
}

func TestWhoSeesACorpusMayNotAlwaysChangeIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		id := h.corpus("ann")
		h.grant(id, "vera", "Viewer")
		h.grant(id, "ed", "Editor")
		path := fmt.Sprintf("/api/v2/corpora/%d", id)
		h.do("vera", "GET", path, "").want(200)
		h.do("vera", "PUT", path, `{"name": "Mine"}`).want(403, "error.code", "forbidden")
		h.do("vera", "DELETE", path, "").want(403)
		h.upload("vera", id, part{"content_type", "", "text"}, part{"source", "", "Hello there."}).want(403)
		h.do("ed", "PUT", path, `{"name": "Ed's"}`).want(200, "data.name", "Ed's")
		h.upload("ed", id, part{"content_type", "", "text"}, part{"source", "", "Hello there."}).want(201)
		h.do("ed", "DELETE", path, "").want(403)
	})
}

// TestForeignIdsAnswerLikeUnknownOnes compares byte for byte.
func TestForeignIdsAnswerLikeUnknownOnes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		d := h.file("ann", c, "quokka.md", "The quokka lives on Rottnest Island.")
		version := strings.TrimPrefix(h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d", d), "").at("data.access_url").(string), "https://atrium.example/api/v2/citation/")
		const unknown = 987_654
		requests := []struct{ method, path, body string }{
			{"GET", "/api/v2/corpora/{c}", ""},
			{"PUT", "/api/v2/corpora/{c}", `{"name": "x"}`},
			{"DELETE", "/api/v2/corpora/{c}", ""},
			{"GET", "/api/v2/corpora/{c}/documents", ""},
			{"DELETE", "/api/v2/corpora/{c}/documents", `{"document_ids": [{d}]}`},
			{"POST", "/api/v2/corpora/{c}/documents/duplicates", `{"documents": ["quokka.md"]}`},
			{"GET", "/api/v2/corpora/search?query=quokka&corpus_ids={c}", ""},
			{"GET", "/api/v2/documents/{d}", ""},
			{"PUT", "/api/v2/documents/{d}", `{"name": "x"}`},
			{"DELETE", "/api/v2/documents/{d}", ""},
			{"POST", "/indexing-service/api/v2/documents/{d}/refresh", ""},
			{"GET", "/api/v2/documents/{d}/passage?start=0&end=5", ""},
			{"GET", "/api/v2/citation/{v}", ""},
		}
		numbers := func(s string, c, d int64, v string) string {
			return strings.NewReplacer("{c}", fmt.Sprint(c), "{d}", fmt.Sprint(d), "{v}", v).Replace(s)
		}
		for _, r := range requests {
			for _, who := range []string{"eve", "bob"} {
				theirs := h.do(who, r.method, numbers(r.path, c, d, version), numbers(r.body, c, d, ""))
				nobodys := h.do(who, r.method, numbers(r.path, unknown, unknown, fmt.Sprint(unknown, "-quokka.md")), numbers(r.body, unknown, unknown, ""))
				theirs.want(404)
				strip := func(a answer, id int64) string { return strings.ReplaceAll(a.body, fmt.Sprint(id), "ID") }
				got, want := strip(theirs, c), strip(nobodys, unknown)
				got = strings.NewReplacer(version, "ID-quokka.md", fmt.Sprintf("document %d ", d), "document ID ").Replace(got)
				if got != want {
					t.Errorf("%s %s answers %s for %s: %s, and for an unknown id %s", r.method, r.path, "404", who, got, want)
				}
			}
		}
		up := func(who string, id int64) string {
			a := h.upload(who, id, part{"content_type", "", "text"}, part{"source", "", "x"}).want(404)
			return strings.ReplaceAll(a.body, fmt.Sprint(id), "ID")
		}
		if up("eve", c) != up("eve", unknown) {
			t.Error("an upload tells a foreign corpus from an unknown one")
		}
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d", d), "").want(200, "data.name", "quokka.md")
	})
}

func TestACorpusTakesItsDocumentsAndConnectionsAlong(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c, other := h.corpus("ann"), h.corpus("ann")
		d := h.file("ann", c, "a.md", "The quokka lives on Rottnest Island.")
		project := h.insert(`INSERT INTO project (org_id, name, description, is_default, is_deleted, created_by, created_on, modified_by, modified_on) VALUES (?, 'P', '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, h.org)
		agent := h.insert(`INSERT INTO agent (org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt, instructions, access, status, model, language, tags,
				sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count, react_enabled, react_max_iteration_count, is_guide, created_by, is_deleted, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, 'Zookeeper', '', '', '', '', '', '[]', 'Everyone', 'Live', '', '', '[]', '', '', '', FALSE, 8, FALSE, 1, FALSE, '', FALSE, 0, '', 0) RETURNING id`, h.org, project, h.people["ann"].UserID)
		connect := func(corpusID int64, isDefault bool) {
			h.insert(`INSERT INTO agent_corpus (org_id, agent_id, corpus_id, is_enabled, is_default, created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, TRUE, ?, '', 0, '', 0) RETURNING id`, h.org, agent, corpusID, isDefault)
		}
		connect(c, false)
		connect(other, true)
		thread := h.insert(`INSERT INTO chat_thread (org_id, agent_id, user_id, title, chat_id, query_source, corpus_id, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, '', '', '', ?, FALSE, '', 0, '', 0) RETURNING id`, h.org, agent, h.people["ann"].UserID, c)

		refused := h.do("ann", "DELETE", fmt.Sprintf("/api/v2/corpora/%d", other), "").want(409)
		if !strings.Contains(refused.body, "Zookeeper") {
			t.Errorf("it does not say which agent: %s", refused.body)
		}
		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/corpora/%d", c), "").want(200)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d", d), "").want(404)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d/passage?start=0&end=3", d), "").want(404)
		left, err := db.One[int](t.Context(), h.db, `SELECT COUNT(*) FROM agent_corpus WHERE corpus_id = ?`, c)
		if err != nil || left != 0 {
			t.Errorf("%d connections are left, %v", left, err)
		}
		linked, err := db.One[int64](t.Context(), h.db, `SELECT COALESCE(corpus_id, 0) FROM chat_thread WHERE id = ?`, thread)
		if err != nil || linked != 0 {
			t.Errorf("the thread is linked to %d, %v", linked, err)
		}
		h.insert(`UPDATE agent SET is_deleted = TRUE WHERE id = ? RETURNING id`, agent)
		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/corpora/%d", other), "").want(200)
	})
}

func TestACorpusIsMadeInsideAnotherTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		sc := authz.For(h.people["ann"])
		var made corpus.Corpus
		err := h.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			made, err = h.corpora.Create(ctx, tx, sc, corpus.Draft{Name: "Zoo_Default", OwnerID: h.people["bob"].UserID})
			return err
		})
		if err != nil || made.Owner.Email != "bob@example.com" || made.CreatedBy != "ann@example.com" {
			t.Fatalf("made %+v, %v", made, err)
		}
		h.do("bob", "GET", fmt.Sprintf("/api/v2/corpora/%d", made.ID), "").want(200)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d", made.ID), "").want(404)
	})
}

func TestRedactionIsSetByAdminsAndShown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		id := h.do("ann", "POST", "/api/v2/corpora", `{"name": "Letters", "pii_redaction": {"types": ["phone", "email", "email"]}}`).
			want(201, "data.pii_redaction.types", "[email phone]", "data.pii_redaction.keep_original", true).id("data.id")
		path := fmt.Sprintf("/api/v2/corpora/%d", id)
		h.grant(id, "ed", "Editor")
		doc := h.file("ed", id, "a.txt", "Write to jo@example.org or jo@example.org, not to 212.")
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d", doc), "").want(200, "data.redactions", "map[email:2]")
		h.do("ed", "PUT", path, `{"pii_redaction": {"types": []}}`).want(403)
		h.do("ed", "PUT", path, `{"name": "L", "pii_redaction": {"types": ["email", "phone"]}}`).want(200, "data.name", "L")
		h.do("ann", "PUT", path, `{"pii_redaction": {"types": ["nose"]}}`).want(400)
		h.do("ann", "PUT", path, `{"pii_redaction": {"types": ["email"], "keep_original": false}}`).want(200, "data.pii_redaction.types", "[email]", "data.pii_redaction.keep_original", false)
		h.do("ann", "PUT", path, `{"name": "M"}`).want(200, "data.pii_redaction.types", "[email]")
		refresh := fmt.Sprintf("/indexing-service/api/v2/documents/%d/refresh", doc)
		var a answer
		for range 300 { // until the documents were read again
			if a = h.do("ann", "POST", refresh, ""); a.status == 409 {
				break
			}
			h.completed(doc)
		}
		if a.want(409); !strings.Contains(a.body, "upload the file again") {
			t.Errorf("the refusal is %s", a.body)
		}
		h.do("ann", "PUT", path, `{"pii_redaction": {"types": []}}`).want(200, "data.pii_redaction.types", "[]")
		plain := h.corpus("ann")
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d", plain), "").want(200, "data.pii_redaction.types", "[]", "data.pii_redaction.keep_original", true)
	})
}
