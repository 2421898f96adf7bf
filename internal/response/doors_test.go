package response

import (
	"context"
	"encoding/json"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"atrium/internal/agent"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/egress"
	"atrium/internal/llm"
	"atrium/internal/llm/fake"
	"atrium/internal/llm/offline"
	"atrium/internal/llm/openai"
	"atrium/internal/llm/wire"
)

// remote is a provider that talks to a fake server.
func remote(t testing.TB, o fake.Options) llm.Provider {
	t.Helper()
	front := httptest.NewServer(fake.Server(o))
	guard := egress.New(egress.Options{})
	t.Cleanup(func() {
		guard.Close()
		front.CloseClientConnections()
		front.Close()
	})
	p, err := openai.New(openai.Config{BaseURL: front.URL + "/v1", Model: "fake", Client: guard.Operator(egress.Limits{}),
		Limits: wire.Limits{FirstByte: time.Second, Idle: time.Second, MaxBytes: 64 << 10, Retries: -1, Backoff: time.Millisecond, MaxWait: 20 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryFaultOfAProviderEndsInAnErrorEventAndAnEnvelope(t *testing.T) {
	t.Parallel()
	each(t, remote(t, fake.Options{}), func(t *testing.T, b *bench) {
		for model, status := range map[string]int{
			fake.Hang: 502, fake.Stall: 502, fake.Garbage: 502, fake.BadJSON: 502, fake.Cut: 502, fake.HTML: 502,
			fake.NoKey: 502, fake.NoModel: 502, fake.TooMany: 429, fake.Broken: 502, fake.Busy: 503, fake.Endless: 502,
		} {
			id := b.agent(func(d *agent.Draft) { d.Model = &model })
			events := b.stream("ann", "POST", askPath(id)+"/stream", q("What do mallards eat?"))
			checkEvents(t, events)
			last := events[len(events)-1]
			if last.Name != evError || last.Data["message"] == "" || at(last.Data, "output.error.details") == "" || at(last.Data, "output.blocked") != false {
				t.Errorf("%s: %s", model, last.Raw)
			}
			rid, _ := eventID(last.ID)
			one := b.do("ann", "GET", onResponse(rid, ""), nil).want(t, 200)
			if one.text("data.state") != Failed || one.at("data.response.success") != false || one.text("data.response.answer") != spoken(events) || one.text("data.response.message") != last.Data["message"] {
				t.Errorf("%s: stored %s", model, one.Body)
			}
			plain := b.do("ann", "POST", askPath(id), q("What do mallards eat?"))
			if plain.Status != status && (plain.Status != 504 || status != 502) {
				t.Errorf("%s: status %d: %s", model, plain.Status, plain.Body)
			}
			if strings.Contains(last.Raw+one.Body+plain.Body, fake.Secret) {
				t.Errorf("%s: a secret came out", model)
			}
			if status == 429 && plain.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", model)
			}
		}
	})
}

func TestAModelAnswersWithCitationsTokensAndCost(t *testing.T) {
	t.Parallel()
	m := remote(t, fake.Options{Tokens: 24})
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d, m, func(o *Options) { o.Models = fixed{m, Price{Prompt: 2, Completion: 10}} })
		a := b.do("ann", "POST", askPath(b.agent()), q("What do mallards eat?", "overrides", map[string]any{"suggest_followup_questions": true})).want(t, 200)
		prompt, completion := a.at("data.prompt_tokens").(float64), a.at("data.completion_tokens").(float64)
		if a.text("data.agent_mode") != ModeModel || prompt < 50 || completion < 10 || a.at("data.total_tokens") != prompt+completion {
			t.Errorf("%s", a.Body)
		}
		if cost := a.at("data.cost").(float64); math.Abs(cost-(2*prompt+10*completion)/1e6) > 1e-9 {
			t.Errorf("cost %v", cost)
		}
		if a.len("data.references") < 1 || a.len("data.followup_questions") < 1 || a.len("data.corpus_ids") != 1 || a.text("data.indexes.0") != "Ducks_Default" {
			t.Errorf("%s", a.Body)
		}
		for _, r := range a.at("data.references").([]any) {
			if quote := at(r, "quote").(string); quote == "" || !strings.Contains(ducks, quote) || string([]rune(docText(t, b, r))[int(at(r, "start").(float64)):int(at(r, "end").(float64))]) != quote {
				t.Errorf("reference %v", r)
			}
		}
	})
}

// docText is the text of the version that a reference cites.
func docText(t *testing.T, b *bench, ref any) string {
	t.Helper()
	text, err := db.One[string](t.Context(), b.d, `SELECT text FROM document_version WHERE document_id = ? AND number = ?`, int64(at(ref, "document_id").(float64)), int(at(ref, "version").(float64)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAModelMaySearchAgainWithinBounds(t *testing.T) {
	t.Parallel()
	call := func(id, query string) llm.ToolCall {
		return llm.ToolCall{ID: id, Name: "search_knowledge", Arguments: json.RawMessage(`{"query": "` + query + `"}`)}
	}
	say := func(_ int, req llm.Request) said {
		switch last := req.Messages[len(req.Messages)-1]; {
		case last.Role == llm.User && len(req.Tools) == 1:
			return said{reasoning: []string{"I need ", "more."}, calls: []llm.ToolCall{call("a", "swan weight"), {ID: "b", Name: "rm", Arguments: json.RawMessage(`{}`)}, call("c", "\\u0000")}}
		case len(req.Tools) == 1:
			return said{calls: []llm.ToolCall{call("d", "Swan  weight")}}
		default:
			return said{text: []string{"A swan weighs ten kilos [", "2]."}}
		}
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := &script{name: "scripted", say: say}
		b := newBench(t, d, m)
		on := true
		id := b.agent(func(d *agent.Draft) { d.ReactEnabled = &on })
		ids, err := b.agents.CorpusIDs(t.Context(), b.people.scope("ann"), id)
		if err != nil {
			t.Fatal(err)
		}
		b.add("ann", ids[0], "swans.md", "text/markdown", "# Swans\n\nA swan has a weight of ten kilos.")
		events := b.stream("ann", "POST", askPath(id)+"/stream", q("pondweed"))
		checkEvents(t, events)
		end := events[len(events)-1]
		if end.Name != evEnd || at(end.Data, "output.answer") != "A swan weighs ten kilos [2]." || !strings.Contains(at(end.Data, "output.references.0.quote").(string), "ten kilos") {
			t.Fatalf("%s", end.Raw)
		}
		heardTools, steps := "", []string{}
		for _, e := range events {
			if e.Data["step"] == stepTools {
				heardTools += e.Data["delta"].(string)
			}
			if e.Name == evStatus && e.Data["step"] != stepTools {
				steps = append(steps, e.Data["step"].(string))
			}
		}
		if !strings.HasPrefix(heardTools, "I need more.search_knowledge: swan weight\n") {
			t.Errorf("tools: %q", heardTools)
		}
		if len(steps) < 4 || steps[0] != "retrieval_start" || steps[1] != "assistant_start" || steps[2] != "tool_start" {
			t.Errorf("steps: %v", steps)
		}
		rid, _ := eventID(end.ID)
		if a := b.do("ann", "GET", onResponse(rid, "/thoughts"), nil).want(t, 200); a.text("data.thoughts.0") != "I need more." {
			t.Errorf("thoughts: %s", a.Body)
		}
		asked := m.asked()
		if last := asked[len(asked)-1]; last.Tools != nil || len(last.Messages) != 1 || len(last.Passages) < 2 {
			t.Errorf("the last request is %+v", last)
		}
	})
}

func TestAFollowUpIsUnderstoodInItsConversation(t *testing.T) {
	t.Parallel()
	say := func(_ int, req llm.Request) said {
		if req.System == rewriteSystem {
			return said{text: []string{`"What do mallards `, `eat?"`}, usage: llm.Usage{PromptTokens: 7, CompletionTokens: 3}}
		}
		return said{text: []string{"Pondweed [1]."}, usage: llm.Usage{PromptTokens: 10, CompletionTokens: 5}}
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := &script{name: "scripted", say: say}
		b := newBench(t, d, m)
		id := b.agent()
		first := b.do("ann", "POST", askPath(id), q("Tell me of mallards, those that swim on the pond of the park near the old mill of the town")).want(t, 200)
		if first.at("data.total_tokens") != 15.0 || first.text("data.chat_thread_name") != "Tell me of mallards, those that swim on the pond of the park…" {
			t.Errorf("%s", first.Body)
		}
		second := b.do("ann", "POST", askPath(id), q("And what do they eat?", "chat_thread_id", first.id("data.thread_id"))).want(t, 200)
		if second.text("data.query") != "What do mallards eat?" || second.at("data.total_tokens") != 25.0 {
			t.Errorf("%s", second.Body)
		}
		third := b.do("ann", "POST", askPath(id), q("And they?", "history", []any{map[string]any{"user": "What of mallards?", "bot": "They swim [3]."}, map[string]any{"user": "unanswered"}})).want(t, 200)
		if third.text("data.query") != "What do mallards eat?" {
			t.Errorf("%s", third.Body)
		}
		list := b.do("ann", "GET", onThread(first.id("data.thread_id"), "/agent-responses?include_steps=true"), nil).want(t, 200)
		if list.len("data.agent_responses") != 2 || list.text("data.agent_responses.1.question") != "And what do they eat?" ||
			list.text("data.agent_responses.1.response_steps.0.step_name") != "query_rewrite" || list.at("data.agent_responses.1.response_steps.0.prompt_tokens") != 7.0 {
			t.Errorf("%s", list.Body)
		}
		if short := b.do("ann", "GET", onThread(first.id("data.thread_id"), "/agent-responses"), nil).want(t, 200); short.len("data.agent_responses.1.response_steps") != 0 {
			t.Errorf("%s", short.Body)
		}
		for _, r := range m.asked() {
			for _, msg := range r.Messages {
				if strings.Contains(msg.Text, "[3]") {
					t.Errorf("an old citation went to the model: %+v", r.Messages)
				}
			}
		}
	})
}

func TestASameQuestionIsAnsweredFromTheCacheWithinItsScope(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := says("Answer.")
		on := true
		b := newBench(t, d, m, func(o *Options) { o.Caching = func(context.Context, int64) (bool, error) { return on, nil } })
		caching := true
		id := b.agent(func(a *agent.Draft) { a.CachingEnabled = &caching })
		ids, err := b.agents.CorpusIDs(t.Context(), b.people.scope("ann"), id)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(who string, want int, hit bool, more ...any) {
			t.Helper()
			a := b.do(who, "POST", askPath(id), q(" What do  mallards eat?", more...)).want(t, 200)
			if n := len(m.asked()); n != want || a.at("data.cache_hit") != hit || a.text("data.answer") != "Answer." {
				t.Errorf("%d calls, want %d: %s", n, want, a.Body)
			}
		}
		ask("ann", 1, false)
		ask("ann", 1, true)
		ask("bob", 1, true)
		ask("ann", 2, false, "caching_enabled", false)
		ask("ann", 3, false, "overrides", map[string]any{"cache_skip": true})
		b.add("ann", ids[0], "more.md", "text/markdown", "More of mallards.")
		ask("ann", 4, false)
		ask("ann", 4, true)
		exec(t, d, `UPDATE corpus SET restrict_to_viewers = TRUE WHERE id = ?`, ids[0])
		ask("ann", 4, true)
		ask("bob", 5, false)
		name := "Other"
		if _, err := b.agents.Update(t.Context(), b.people.scope("ann"), id, agent.Patch{Name: &name}); err != nil {
			t.Fatal(err)
		}
		ask("ann", 6, false)
		ask("ann", 6, true)
		on = false // the organization's switch
		ask("ann", 7, false)
	})
}

func exec(t *testing.T, d *db.DB, query string, args ...any) {
	t.Helper()
	err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheCorporaAskedForAreSearched(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		id := b.agent()
		own, err := b.agents.CorpusIDs(t.Context(), b.people.scope("ann"), id)
		if err != nil {
			t.Fatal(err)
		}
		var foreign corpus.Corpus
		err = b.d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			foreign, err = b.corpora.Create(ctx, tx, b.people.scope("eve"), corpus.Draft{Name: "Hers"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			ids  any
			want int
		}{
			"null is no limit":              {[]any{nil}, 1},
			"an empty list is no limit":     {[]any{}, 1},
			"nothing at all is no limit":    {nil, 1},
			"a list in the list":            {[]any{[]any{own[0], nil}}, 1},
			"a foreign corpus is not found": {[]any{foreign.ID}, 0},
			"an unknown one neither":        {[]any{1 << 40}, 0},
			"what is no id matches none":    {[]any{"1", true}, 0},
		} {
			a := b.do("ann", "POST", askPath(id), q("What do mallards eat?", "overrides", map[string]any{"corpus_ids": c.ids})).want(t, 200)
			if a.len("data.corpus_ids") != c.want || (a.len("data.references") > 0) != (c.want > 0) {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
	})
}

func TestAttachmentsAreSearchedInTheirThreadOnly(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		id := b.agent()
		th := b.do("ann", "POST", "/api/v2/agents/"+itoa(id)+"/chat-threads", map[string]any{}).want(t, 201)
		var c corpus.Corpus
		sc := b.people.scope("ann")
		err := b.d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			c, err = b.corpora.Create(ctx, tx, sc, corpus.Draft{Name: "Files", Type: corpus.Attachment, ModeID: 3})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.add("ann", c.ID, "memo.pdf", "application/pdf", "# Memo\n\nThe zeppelin departs from the hangar on Tuesday at 17:30. It carries mail and two passengers.")
		b.do("ann", "POST", onThread(th.id("data.id"), "/corpora/"+itoa(c.ID)), nil).want(t, 201)
		in := b.do("ann", "POST", askPath(id), q("When does the zeppelin depart from the hangar?", "chat_thread_id", th.id("data.id"), "is_file_attached", true)).want(t, 200)
		if !strings.Contains(in.text("data.answer"), "17:30") || !strings.HasSuffix(in.text("data.references.0.url"), "#page=3") || in.at("data.references.0.page") != 3.0 {
			t.Errorf("%s", in.Body)
		}
		if in.text("data.chat_thread_name") != "When does the zeppelin depart from the hangar?" {
			t.Errorf("the first question did not name the thread: %s", in.Body)
		}
		if out := b.do("ann", "POST", askPath(id), q("When does the zeppelin depart from the hangar?")).want(t, 200); strings.Contains(out.text("data.answer"), "17:30") {
			t.Errorf("%s", out.Body)
		}
	})
}

func TestAnAgentWithoutDocumentsSaysSo(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		sc := b.people.scope("ann")
		a, err := b.agents.Create(t.Context(), sc, agent.Draft{Name: "Empty"})
		if err != nil {
			t.Fatal(err)
		}
		got := b.do("ann", "POST", askPath(a.ID), q("What do mallards eat?")).want(t, 200)
		if got.text("data.answer") != noDocuments || got.len("data.references") != 0 {
			t.Errorf("%s", got.Body)
		}
	})
}
