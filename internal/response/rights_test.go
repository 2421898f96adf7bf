package response

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/llm/offline"
)

func TestAPersonWhoWasSuspendedGetsNoAnswer(t *testing.T) {
	t.Parallel()
	each(t, hanging{}, func(t *testing.T, b *bench) {
		res := b.open(context.WithoutCancel(t.Context()), "ann", "POST", askPath(b.agent())+"/stream", q("What do mallards eat?"))
		var before []heard
		b.read(res, func(h heard) error {
			before = append(before, h)
			return errEnough
		})
		exec(t, b.d, `UPDATE users SET is_active = FALSE WHERE id = ?`, b.people.scope("ann").User())
		b.restart(says("pondweed"))
		after := rest(b, before)
		if last := after[len(after)-1]; last.Name != evError || at(last.Data, "output.error.code") != "forbidden" || spoken(after) != "" {
			t.Errorf("%s", last.Raw)
		}
	})
}

func TestWhatBelongsToOthersAnswersLikeWhatIsUnknown(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		id := b.agent()
		asked := b.do("ann", "POST", askPath(id), q("What do mallards eat?")).want(t, 200)
		rid, tid := asked.id("data.agent_response_id"), asked.id("data.thread_id")
		const none = int64(999_999)
		for _, who := range []string{"bob", "eve"} {
			for _, c := range []struct {
				method string
				path   func(int64) string
				id     int64
				body   any
			}{
				{"GET", func(i int64) string { return onResponse(i, "") }, rid, nil},
				{"GET", func(i int64) string { return onResponse(i, "/stream") }, rid, nil},
				{"POST", func(i int64) string { return onResponse(i, "/stop") }, rid, nil},
				{"GET", func(i int64) string { return onResponse(i, "/steps") }, rid, nil},
				{"GET", func(i int64) string { return onResponse(i, "/thoughts") }, rid, nil},
				{"GET", func(i int64) string { return onResponse(i, "/supporting-content") }, rid, nil},
				{"GET", func(i int64) string { return onResponse(i, "/comments") }, rid, nil},
				{"POST", func(i int64) string { return onResponse(i, "/comments") }, rid, map[string]any{"comment": "x"}},
				{"POST", func(i int64) string { return onResponse(i, "/feedbacks") }, rid, map[string]any{"vote_type": "upvote"}},
				{"GET", func(i int64) string { return onThread(i, "/agent-responses") }, tid, nil},
				{"DELETE", func(i int64) string { return onThread(i, "/agent-responses") }, tid, nil},
			} {
				foreign := b.do(who, c.method, c.path(c.id), c.body).want(t, 404)
				unknown := b.do(who, c.method, c.path(none), c.body).want(t, 404)
				if diff := cmp.Diff(strings.ReplaceAll(unknown.Body, itoa(none), "N"), strings.ReplaceAll(foreign.Body, " "+itoa(c.id)+" ", " N ")); diff != "" {
					t.Errorf("%s %s %s: %s", who, c.method, c.path(c.id), diff)
				}
			}
			b.do(who, "POST", askPath(id), q("Hi", "chat_thread_id", tid)).want(t, 404)
			b.do(who, "POST", askPath(id)+"/stream", q("Hi"), "Last-Event-ID", itoa(rid)+"-1").want(t, 404)
		}
		b.do("eve", "POST", askPath(id), q("Hi")).want(t, 404)
	})
}

func TestBadQuestionsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		id := b.agent()
		other := b.agent()
		tid := b.do("ann", "POST", "/api/v2/agents/"+itoa(other)+"/chat-threads", nil).want(t, 201).id("data.id")
		for name, c := range map[string]struct {
			body   any
			status int
			field  string
		}{
			"no question":               {map[string]any{}, 400, ""},
			"an empty one":              {q(""), 400, "user_query"},
			"a blank one":               {q(" \n\t "), 400, "user_query"},
			"a number":                  {map[string]any{"user_query": 5}, 400, "user_query"},
			"too long":                  {q(strings.Repeat("é", 32_001)), 400, "user_query"},
			"NUL":                       {q("a\x00b"), 400, "user_query"},
			"a thread that is a word":   {q("Hi", "chat_thread_id", "x"), 400, "chat_thread_id"},
			"a thread below one":        {q("Hi", "chat_thread_id", 0), 400, "chat_thread_id"},
			"a thread of another agent": {q("Hi", "chat_thread_id", tid), 409, ""},
			"an unknown thread":         {q("Hi", "chat_thread_id", 1<<40), 404, ""},
			"history that is a word":    {q("Hi", "history", "x"), 400, "history"},
			"corpora that are a word":   {q("Hi", "overrides", map[string]any{"corpus_ids": "x"}), 400, "overrides.corpus_ids"},
			"broken JSON":               {`{"user_query": `, 400, ""},
			"a list":                    {`[]`, 400, ""},
		} {
			for _, door := range []string{"", "/stream"} {
				a := b.do("ann", "POST", askPath(id)+door, c.body)
				if a.Status != c.status || a.at("success") != false || a.text("message") == "" || c.field != "" && a.text("error.fields.0.field") != c.field {
					t.Errorf("%s%s: %d %s", name, door, a.Status, a.Body)
				}
			}
		}
		b.do("ann", "POST", askPath(id)+"/stream", q("Hi"), "Last-Event-ID", "x").want(t, 400)
		b.do("ann", "GET", onResponse(1, "/stream"), nil, "Last-Event-ID", "2-1").want(t, 409)
		b.do("nobody", "POST", askPath(id)+"/stream", q("Hi")).want(t, 401)
		b.do("ann", "POST", askPath(id), q("Hi", "chat_thread_id", nil, "history", nil, "overrides", map[string]any{"corpus_ids": nil}, "caching_enabled", nil, "created_by", "x", "model", 5)).want(t, 200)
		inactive := "Inactive"
		if _, err := b.agents.Update(t.Context(), b.people.scope("ann"), id, agent.Patch{}); err != nil {
			t.Fatal(err)
		}
		exec(t, b.d, `UPDATE agent SET status = ? WHERE id = ?`, inactive, id)
		b.do("ann", "POST", askPath(id), q("Hi")).want(t, 409)
	})
}

func TestVotesAndCommentsOfAPerson(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		asked := b.do("ann", "POST", askPath(b.agent()), q("What do mallards eat?")).want(t, 200)
		id, tid := asked.id("data.agent_response_id"), asked.id("data.thread_id")
		vote := func(kind string, more ...any) answer {
			body := map[string]any{"vote_type": kind}
			for i := 0; i < len(more); i += 2 {
				body[more[i].(string)] = more[i+1]
			}
			return b.do("ann", "POST", onResponse(id, "/feedbacks"), body)
		}
		if v := vote("upvote", "comment", "right").want(t, 201); v.id("data.id") != id {
			t.Errorf("%s", v.Body)
		}
		vote("upvote").want(t, 201)
		vote("downvote").want(t, 201)
		vote("sideways").want(t, 400)
		b.do("ann", "POST", onResponse(id, "/comments"), map[string]any{"comment": "good", "created_by": "other@example.org"}).want(t, 201)
		b.do("ann", "POST", onResponse(id, "/comments"), map[string]any{"comment": ""}).want(t, 400)
		b.do("ann", "POST", onResponse(id, "/comments"), map[string]any{"comment": "a\x00"}).want(t, 400)
		list := b.do("ann", "GET", onThread(tid, "/agent-responses"), nil).want(t, 200)
		const first = "data.agent_responses.0."
		if list.len(first+"feedback") != 1 || list.at(first+"feedback.0.is_downvote") != true || list.at(first+"feedback.0.is_upvote") != false || list.text(first+"feedback.0.comment") != "right" {
			t.Errorf("votes: %s", list.Body)
		}
		if list.len(first+"comments") != 1 || list.text(first+"comments.0.created_by") != "ann@one.example" {
			t.Errorf("comments: %s", list.Body)
		}
		if c := b.do("ann", "GET", onResponse(id, "/comments?search=GOO"), nil).want(t, 200); c.len("data.comments") != 1 || c.id("data.pagination.total") != 1 {
			t.Errorf("%s", c.Body)
		}
	})
}

func TestAClearedThreadIsEmptyButItsResponsesStay(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		asked := b.do("ann", "POST", askPath(b.agent()), q("What do mallards eat?")).want(t, 200)
		tid := asked.id("data.thread_id")
		b.do("ann", "DELETE", onThread(tid, "/agent-responses"), nil).want(t, 200)
		if list := b.do("ann", "GET", onThread(tid, "/agent-responses"), nil).want(t, 200); list.len("data.agent_responses") != 0 || list.id("data.pagination.total") != 0 {
			t.Errorf("%s", list.Body)
		}
		if one := b.do("ann", "GET", onResponse(asked.id("data.agent_response_id"), ""), nil).want(t, 200); one.at("data.is_cleared") != true {
			t.Errorf("%s", one.Body)
		}
		b.do("ann", "DELETE", onThread(tid, ""), nil).want(t, 200)
		b.do("ann", "GET", onResponse(asked.id("data.agent_response_id"), ""), nil).want(t, 404)
	})
}

func TestARestrictedCorpusIsQuotedToItsViewersOnly(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		id := b.agent()
		ids, err := b.agents.CorpusIDs(t.Context(), b.people.scope("ann"), id)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, b.d, `UPDATE corpus SET restrict_to_viewers = TRUE WHERE id = ?`, ids[0])
		if a := b.do("ann", "POST", askPath(id), q("What do mallards eat?")).want(t, 200); a.len("data.references") == 0 {
			t.Errorf("the owner: %s", a.Body)
		}
		if a := b.do("bob", "POST", askPath(id), q("What do mallards eat?")).want(t, 200); a.len("data.references") != 0 || a.len("data.corpus_ids") != 0 || strings.Contains(a.Body, "pondweed") {
			t.Errorf("another: %s", a.Body)
		}
	})
}

func TestAnAskerIsTheUserAsTheyAreNow(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		sc, err := b.s.asker(t.Context(), b.d, b.people.scope("ann").Org(), b.people.scope("ann").User())
		if err != nil || sc.IsAdmin() || sc.Email() != "ann@one.example" {
			t.Errorf("%v %v", sc, err)
		}
		_, err = b.s.asker(t.Context(), b.d, b.people.scope("eve").Org(), b.people.scope("ann").User())
		if err == nil || errors.Is(err, db.ErrNone) {
			t.Errorf("a person of another organization: %v", err)
		}
		if d := authz.Decide(sc.Principal(), authz.To(authz.Create, authz.Response)); !d.Allowed {
			t.Error(d.Reason)
		}
	})
}
