package response

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
)

// soon bounds the wait for what has to happen within a second, on a machine
// that is busy with other tests.
const soon = 10 * time.Second

func TestTakingAnAgentAwayEndsItsStreamsAndItsAnswers(t *testing.T) {
	t.Parallel()
	each(t, hanging{}, func(t *testing.T, b *bench) {
		for name, take := range map[string]func(id int64) error{
			"its access is narrowed": func(id int64) error {
				_, err := b.agents.SetAccess(t.Context(), b.people.scope("ann"), id, agent.OnlyMe)
				return err
			},
			"it is deleted": func(id int64) error { return b.agents.Delete(t.Context(), b.people.scope("ann"), id) },
		} {
			id := b.agent()
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			res := b.open(ctx, "bob", "POST", askPath(id)+"/stream", q("What do mallards eat?"))
			var seen []heard
			b.read(res, func(h heard) error {
				if seen = append(seen, h); len(seen) == 1 {
					return take(id)
				}
				return nil
			})
			if ctx.Err() != nil {
				t.Fatalf("%s: the stream went on", name)
			}
			rid, _ := eventID(seen[0].ID)
			got := b.do("bob", "GET", onResponse(rid, ""), nil).want(t, 200)
			for ; got.text("data.state") == Running && ctx.Err() == nil; got = b.do("bob", "GET", onResponse(rid, ""), nil) {
				time.Sleep(10 * time.Millisecond)
			}
			if got.text("data.state") != Failed {
				t.Errorf("%s: %s", name, got.Body)
			}
			all := b.stream("bob", "GET", onResponse(rid, "/stream"), nil)
			if end := all[len(all)-1]; end.Name != evError || at(end.Data, "output.error.code") != "forbidden" {
				t.Errorf("%s: %s", name, end.Raw)
			}
		}
	})
}

func TestAnAnswerUnderWayIsNotContinuedWithoutTheAgent(t *testing.T) {
	t.Parallel()
	each(t, hanging{}, func(t *testing.T, b *bench) {
		id := b.agent()
		rid, err := b.s.Ask(t.Context(), b.people.scope("bob"), id, Ask{UserQuery: "What do mallards eat?"})
		if err != nil {
			t.Fatal(err)
		}
		exec(t, b.d, `UPDATE agent SET access = 'Only me' WHERE id = ?`, id)
		a := b.do("bob", "GET", onResponse(rid, "/stream"), nil)
		if a.Status == 200 && !strings.Contains(a.Body, `"forbidden"`) || a.Status != 200 && a.Status != 403 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

func TestListsOfAnswersShowOthersNoMoreThanTheyMaySee(t *testing.T) {
	t.Parallel()
	each(t, says("Pondweed."), func(t *testing.T, b *bench) {
		id := b.agent()
		for _, who := range []string{"root", "lead"} {
			err := b.d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return b.person(ctx, tx, who, "one") })
			if err != nil {
				t.Fatal(err)
			}
		}
		b.people.mu.Lock()
		b.people.all["root"].Role = authz.GlobalAdmin
		b.people.mu.Unlock()
		bob, lead := b.people.scope("bob"), b.people.scope("lead")
		project, err := db.One[int64](t.Context(), b.d, `SELECT project_id FROM agent WHERE id = ?`, id)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, b.d, `INSERT INTO project_user (org_id, project_id, user_id, role) VALUES (?, ?, ?, 'Admin')`, lead.Org(), project, lead.User())
		b.do("bob", "POST", askPath(id), q("Is it seaweed?")).want(t, 200)
		b.do("ann", "POST", askPath(id), q("What do mallards eat?")).want(t, 200)
		of, in := fmt.Sprintf("/api/v2/users/%d/agent-responses", bob.User()), fmt.Sprintf("/api/v2/projects/%d/agent-responses", project)
		for name, c := range map[string]struct {
			who, path string
			total     int64
			texts     bool
		}{
			"one's own":                            {"bob", of, 1, true},
			"a Global Admin":                       {"root", of, 1, true},
			"a project's, for its Admin":           {"lead", in, 2, false},
			"a project's, for a Global Admin":      {"root", in, 2, true},
			"a project's, for anyone":              {"bob", in, 1, true},
			"a text, for a project's Admin":        {"lead", in + "?search=seaweed", 0, false},
			"a text, for a Global Admin":           {"root", in + "?search=seaweed", 1, true},
			"an address, for a project's Admin":    {"lead", in + "?search=bob@", 1, false},
			"a page, for a project's Admin":        {"lead", in + "?page=2&page_size=1&sort=created_on", 2, false},
			"somebody else's among one's own":      {"ann", in + "?search=seaweed", 0, true},
			"nothing of one who has asked nothing": {"root", fmt.Sprintf("/api/v2/users/%d/agent-responses", lead.User()), 0, true},
		} {
			a := b.do(c.who, "GET", c.path, nil).want(t, 200)
			if a.id("data.pagination.total") != c.total {
				t.Errorf("%s: %s", name, a.Body)
			}
			for i := range a.len("data.agent_responses") {
				one := fmt.Sprintf("data.agent_responses.%d.", i)
				shown := a.text(one+"question") != "" && a.text(one+"response.answer") != "" && a.text(one+"thread.title") != ""
				if shown != c.texts || a.at(one+"is_reduced") == c.texts || a.text(one+"user.email") == "" || a.text(one+"agent.agent_name") == "" {
					t.Errorf("%s: %s", name, a.Body)
				}
			}
			if !c.texts && (strings.Contains(a.Body, "seaweed") && !strings.Contains(c.path, "seaweed") || strings.Contains(a.Body, "Pondweed")) {
				t.Errorf("%s leaks: %s", name, a.Body)
			}
		}
		b.do("ann", "GET", of, nil).want(t, 403)
		b.do("eve", "GET", of, nil).want(t, 404)
		b.do("eve", "GET", in, nil).want(t, 404)
		exec(t, b.d, `UPDATE agent_response SET is_cleared = TRUE WHERE user_id = ?`, bob.User())
		if a := b.do("root", "GET", of, nil).want(t, 200); a.at("data.agent_responses.0.is_reduced") != true {
			t.Errorf("what was cleared: %s", a.Body)
		}
		if a := b.do("bob", "GET", of, nil).want(t, 200); a.at("data.agent_responses.0.is_reduced") != false {
			t.Errorf("one's own that was cleared: %s", a.Body)
		}
	})
}
