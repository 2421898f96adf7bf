package server_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"atrium/internal/server/servertest"
)

const ducks = `# Ducks

Ducks sleep standing on one leg in the reeds. Their feathers are waterproof because of oil from the preen gland.

## Food

Mallards eat pondweed, seeds and small snails. They feed mostly at dawn.
`

// The web chat sends these in this order (contract §6.1).
func TestAWebChatWorksFromSignInToDelete(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		anon := h.Anonymous(t)
		flags := anon.Do("GET", "/auth-service/api/v2/feature-flags/logins", nil).Want(t, 200)
		if flags.Len("data.items") < 6 || flags.String("data.items.0.name") == "" {
			t.Fatalf("login flags: %s", flags.Body)
		}
		signIn := anon.Form("POST", "/auth-service/api/v2/login/access-token", url.Values{"username": {servertest.AdminEmail}, "password": {servertest.AdminPassword}}).Want(t, 200)
		access, platform := signIn.String("data.access_token"), signIn.String("data.ejento_access_token")
		if strings.Count(access, ".") != 2 || platform == "" || access == platform || signIn.String("data.token_type") != "bearer" || signIn.ID("data.expires_in") != 604800 {
			t.Fatalf("tokens: %s", signIn.Body)
		}
		c := anon.With("Authorization", "Bearer "+platform).With("Ocp-Apim-Subscription-Key", servertest.APIKey)
		anon.With("Authorization", "Bearer "+platform).Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		anon.With("Authorization", "Bearer "+access).With("Ocp-Apim-Subscription-Key", servertest.APIKey).Do("GET", "/api/v2/users/me", nil).Want(t, 401)

		me := c.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		if me.String("data.email") != servertest.AdminEmail || me.ID("data.organization.id") == 0 || me.String("data.organization.org_name") == "" {
			t.Fatalf("me: %s", me.Body)
		}
		if ct := me.Header.Get("Content-Type"); ct != "application/json" || strings.Contains(me.Header.Get("Cache-Control"), "no-cache") {
			t.Errorf("content type %q, cache control %q", ct, me.Header.Get("Cache-Control"))
		}
		made := c.Do("POST", "/api/v2/agents", map[string]any{"name": "Ducks", "access": "Everyone", "stray": 1}).Want(t, 201)
		agent := made.ID("data.id")
		got := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d", agent), nil).Want(t, 200)
		if got.ID("data.chunk_count") != 32 || got.ID("data.react_max_iteration_count") != 50 || got.String("data.agent_type.name") != "QnA" || got.Len("data.instructions") != 0 {
			t.Fatalf("agent: %s", got.Body)
		}
		threads := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/chat-threads?query_source=app-ejento", agent), nil).Want(t, 200)
		if threads.Len("data.chat_threads") != 0 {
			t.Fatalf("threads: %s", threads.Body)
		}
		corpora := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora?verbosity=medium&is_enabled=true", agent), nil).Want(t, 200)
		if corpora.Len("data.items.agent_corpus") != 1 || corpora.String("data.items.agent_corpus.0.corpus.name") != "Ducks_Default" ||
			corpora.At("data.items.agent_corpus.0.is_default") != true || corpora.At("data.items.agent_corpus.0.is_enabled") != true {
			t.Fatalf("corpora: %s", corpora.Body)
		}
		corpus := corpora.ID("data.items.agent_corpus.0.corpus.id")
		up := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus), "ducks.md", []byte(ducks), map[string]string{"content_type": "file", "upload_from": "web"}).Want(t, 201)
		if up.String("message") != "Document has been queued for indexing" || up.String("data.step") != "pending" {
			t.Fatalf("upload: %s", up.Body)
		}
		if d := c.Indexed(up.ID("data.id")); d.At("data.is_failed") != false {
			t.Fatalf("indexing: %s", d.Body)
		}

		events := c.Stream("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses/stream", agent), map[string]any{
			"user_query": "What do mallards eat?", "chat_thread_id": nil, "query_source": "app-ejento", "history": []any{}, "approach": "rrr",
			"overrides": map[string]any{"corpus_ids": []any{nil}, "top": 3},
		})
		end := checkStream(t, events)
		answer := servertest.At(end, "output.answer").(string)
		if !strings.Contains(answer, "pondweed") || !strings.Contains(answer, "[1]") {
			t.Fatalf("answer: %q", answer)
		}
		if q := servertest.At(end, "output.references.0.quote").(string); !strings.Contains(ducks, q) {
			t.Errorf("the quote %q does not stand in the document", q)
		}
		if u := servertest.At(end, "output.references.0.url").(string); !strings.HasPrefix(u, h.URL+"/api/v2/citation/") {
			t.Errorf("url %q", u)
		} else if raw := c.Do("GET", strings.SplitN(strings.TrimPrefix(u, h.URL), "#", 2)[0], nil).Want(t, 200); string(raw.Body) != ducks {
			t.Errorf("the cited source is %q", raw.Body)
		}
		thread := int64(servertest.At(end, "output.thread_id").(float64))
		threads = c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/chat-threads?query_source=web", agent), nil).Want(t, 200)
		if threads.Len("data.chat_threads") != 1 || threads.ID("data.chat_threads.0.id") != thread || !strings.Contains(threads.String("data.chat_threads.0.title"), "mallards") {
			t.Fatalf("threads: %s", threads.Body)
		}
		list := c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d/agent-responses?include_steps=true", thread), nil).Want(t, 200)
		const first = "data.agent_responses.0."
		if list.Len("data.agent_responses") != 1 || list.At(first+"response.success") != true || list.String(first+"response.answer") != answer ||
			list.Len(first+"feedback") != 0 || list.Len(first+"comments") != 0 || list.Len(first+"response_steps") < 2 || list.String(first+"question") != "What do mallards eat?" {
			t.Fatalf("responses: %s", list.Body)
		}
		id := list.ID(first + "id")
		vote := c.Do("POST", fmt.Sprintf("/api/v2/agent-responses/%d/feedbacks", id), map[string]any{"vote_type": "upvote"})
		if vote.Status/100 != 2 || vote.ID("data.id") != id {
			t.Fatalf("feedback: %d %s", vote.Status, vote.Body)
		}
		note := c.Do("POST", fmt.Sprintf("/api/v2/agent-responses/%d/comments", id), map[string]any{"comment": "good", "created_by": "somebody@else.example"})
		if note.Status/100 != 2 {
			t.Fatalf("comment: %d %s", note.Status, note.Body)
		}
		list = c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d/agent-responses?include_steps=true", thread), nil).Want(t, 200)
		if list.At(first+"feedback.0.is_upvote") != true || list.String(first+"comments.0.created_by") != servertest.AdminEmail {
			t.Fatalf("after feedback: %s", list.Body)
		}
		c.Do("PUT", fmt.Sprintf("/api/v2/chat-threads/%d", thread), map[string]any{"title": "Food"}).Want(t, 200)
		if one := c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d", thread), nil).Want(t, 200); one.String("data.title") != "Food" {
			t.Fatalf("thread: %s", one.Body)
		}
		c.Do("DELETE", fmt.Sprintf("/api/v2/chat-threads/%d", thread), nil).Want(t, 200)
		c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d", thread), nil).Want(t, 404)

		fresh := anon.With("Authorization", "Bearer "+access).Do("POST", "/auth-service/api/v2/users/refresh-access-token", nil).Want(t, 200)
		if fresh.String("data.ejento_access_token") == platform {
			t.Error("refreshing did not rotate the platform token")
		}
		c.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		anon.With("Authorization", "Bearer "+access).Do("POST", "/auth-service/api/v2/users/refresh-access-token", nil).Want(t, 401)
		c.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
	})
}

// checkStream holds a stream to contract §5 and answers the data of its end.
func checkStream(t *testing.T, events []servertest.Event) map[string]any {
	t.Helper()
	if len(events) < 3 || events[0].Name != "start" || events[0].Data["step"] != "start" {
		t.Fatalf("stream: %v", events)
	}
	text := ""
	for i, e := range events {
		if e.ID == "" || strings.ContainsAny(e.Raw, "\r\n") {
			t.Errorf("event %d has no id or more than one line: %+v", i, e)
		}
		ends := e.Name == "end" || e.Name == "error"
		if ends != (i == len(events)-1) {
			t.Errorf("event %d of %d is %s", i, len(events), e.Name)
		}
		if e.Name == "token" {
			if _, has := e.Data["message"]; has || e.Data["step"] != "assistant_stream" {
				t.Errorf("token: %s", e.Raw)
			}
			text += e.Data["delta"].(string)
		}
	}
	end := events[len(events)-1]
	if end.Name != "end" || end.Data["success"] != true || end.Data["step"] != "end" {
		t.Fatalf("end: %s", end.Raw)
	}
	if got := servertest.At(end.Data, "output.answer"); got != text {
		t.Errorf("the streamed text %q is not the answer %q", text, got)
	}
	for _, f := range []string{"answer", "query", "references", "followup_questions", "thread_id", "chat_thread_name", "agent_response_id", "chatlog_id", "agent_mode",
		"corpus_ids", "indexes", "cache_hit", "blocked", "guardrail_triggered", "run_id", "prompt_tokens", "completion_tokens", "total_tokens", "cost"} {
		if out, _ := end.Data["output"].(map[string]any); out == nil || !has(out, f) {
			t.Errorf("output lacks %s", f)
		}
	}
	return end.Data
}

func has(m map[string]any, k string) bool { _, ok := m[k]; return ok }

// The chat bot sends these in this order (contract §6.2).
func TestAChatBotAsksAboutAnAttachedFile(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		agent := h.Admin(t).Do("POST", "/api/v2/agents", map[string]any{"name": "Helper", "access": "Everyone"}).Want(t, 201).ID("data.id")
		anon := h.Anonymous(t)
		anon.With("ejento-auth-key", "wrong-secret-wrong-secret").Do("POST", "/user-token", map[string]any{"email": "ann@example.com", "full_name": "Ann Lee"}).Want(t, 401)
		tok := anon.With("ejento-auth-key", servertest.AppSecret).Do("POST", "/user-token", map[string]any{"email": "ann@example.com", "full_name": "Ann Lee"}).Want(t, 201)
		if tok.String("token") == "" || tok.ID("user_id") == 0 || tok.String("role") != "User" || tok.String("expires_on") == "" || tok.At("success") != nil {
			t.Fatalf("token: %s", tok.Body)
		}
		c := anon.With("Authorization", "Bearer "+tok.String("token")).With("Ocp-Apim-Subscription-Key", servertest.APIKey)
		if l := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/chat-threads?query_source=slack-ejento", agent), nil).Want(t, 200); l.Len("data.chat_threads") != 0 {
			t.Fatalf("threads: %s", l.Body)
		}
		thread := c.Do("POST", fmt.Sprintf("/api/v2/agents/%d/chat-threads", agent), map[string]any{}).Want(t, 201).ID("data.id")
		c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d/corpora", thread), nil).Want(t, 404)
		corpus := c.Do("POST", "/api/v2/corpora", map[string]any{"name": "file", "description": "", "indexing_mode_id": 3, "corpus_type": "attachment"}).Want(t, 201).ID("data.id")
		c.Do("POST", fmt.Sprintf("/api/v2/chat-threads/%d/corpora/%d", thread, corpus), nil).Want(t, 201)
		linked := c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d/corpora", thread), nil).Want(t, 200)
		if linked.ID("data.corpus.id") != corpus {
			t.Fatalf("linked: %s", linked.Body)
		}
		dup := c.Do("POST", fmt.Sprintf("/api/v2/corpora/%d/documents/duplicates", corpus), map[string]any{"documents": []string{"ducks.md"}}).Want(t, 200)
		if dup.Len("data.duplicate_files") != 0 {
			t.Fatalf("duplicates: %s", dup.Body)
		}
		up := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus), "ducks.md", []byte(ducks),
			map[string]string{"content_type": "file", "user_id": "7", "upload_from": "web", "tags": "birds,ponds", "attachment": "true"}).Want(t, 201)
		c.Indexed(up.ID("data.id"))
		dup = c.Do("POST", fmt.Sprintf("/api/v2/corpora/%d/documents/duplicates", corpus), map[string]any{"documents": []string{"ducks.md", "geese.md"}}).Want(t, 200)
		if dup.Len("data.duplicate_files") != 1 || dup.String("data.duplicate_files.0") != "ducks.md" {
			t.Fatalf("duplicates: %s", dup.Body)
		}
		ask := map[string]any{"user_query": "Where do ducks sleep?", "chat_thread_id": thread, "query_source": "slack-ejento", "is_file_attached": true,
			"history": []any{map[string]any{"user": "hi", "bot": "hello"}}, "overrides": map[string]any{"corpus_ids": []any{[]any{corpus}}, "suggest_followup_questions": true}}
		plain := c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", agent), ask).Want(t, 200)
		if !strings.Contains(plain.String("data.answer"), "one leg") || plain.ID("data.thread_id") != thread || plain.ID("data.references.0.document_id") != up.ID("data.id") {
			t.Fatalf("answer: %s", plain.Body)
		}
		end := checkStream(t, c.Stream("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses/stream", agent), ask))
		if servertest.At(end, "output.answer") != plain.String("data.answer") {
			t.Errorf("plain and streamed differ: %q and %q", plain.String("data.answer"), servertest.At(end, "output.answer"))
		}
		docs := c.Do("GET", fmt.Sprintf("/api/v2/chat-threads/%d/documents", thread), nil).Want(t, 200)
		if docs.Len("data.documents") != 1 {
			t.Fatalf("documents: %s", docs.Body)
		}
		c.Do("DELETE", fmt.Sprintf("/api/v2/corpora/%d/documents", corpus), map[string]any{"document_ids": []int64{up.ID("data.id")}}).Want(t, 200)
		c.Do("GET", fmt.Sprintf("/api/v2/documents/%d", up.ID("data.id")), nil).Want(t, 404)
	})
}
