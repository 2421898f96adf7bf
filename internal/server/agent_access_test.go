package server_test

import (
	"fmt"
	"slices"
	"testing"

	"atrium/internal/server/servertest"
)

type somebody struct {
	*servertest.Client
	id int64
}

func somebodyAt(t *testing.T, h *servertest.Harness, email string) somebody {
	t.Helper()
	c := h.Person(t, email)
	return somebody{c, c.Do("GET", "/api/v2/users/me", nil).Want(t, 200).ID("data.id")}
}

type m = map[string]any

func madeAgent(t *testing.T, c *servertest.Client, body m) (id int64, path string) {
	t.Helper()
	id = c.Do("POST", "/api/v2/agents", body).Want(t, 201).ID("data.id")
	return id, fmt.Sprintf("/api/v2/agents/%d", id)
}

func TestAccessSaysWhoMayUseAnAgentAndRolesWhoMayChangeIt(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin := h.Admin(t)
		ann, bob, eve := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com"), somebodyAt(t, h, "eve@example.com")
		id, at := madeAgent(t, ann.Client, m{"name": "Ducks"})
		bob.Do("GET", at, nil).Want(t, 404)
		bob.Do("PUT", at+"/access", m{"access": "Everyone"}).Want(t, 404)
		bob.Do("POST", at+"/users", m{"user_id": bob.id}).Want(t, 404)

		added := ann.Do("POST", at+"/users", m{"user_id": bob.id, "agent_id": 5}).Want(t, 201)
		if added.ID("data.users.0.user.id") != bob.id || added.String("data.users.0.role") != "Member" {
			t.Errorf("%s", added.Body)
		}
		bob.Do("GET", at, nil).Want(t, 200)
		bob.Do("PUT", at+"/access", m{"access": "Everyone"}).Want(t, 403)
		bob.Do("PUT", at, m{"description": "mine"}).Want(t, 403)
		bob.Do("POST", at+"/users", m{"user_id": eve.id}).Want(t, 403)
		bob.Do("GET", at+"/rights", nil).Want(t, 403)
		ann.Do("POST", at+"/users", m{"user_ids": []int64{bob.id}, "role": "Admin"}).Want(t, 201)
		bob.Do("PUT", at, m{"description": "ours"}).Want(t, 200)
		if again := ann.Do("POST", at+"/users", m{"user_id": bob.id}).Want(t, 201); again.String("data.users.0.role") != "Admin" {
			t.Errorf("adding again took the role: %s", again.Body)
		}
		ann.Do("POST", at+"/users", m{"user_id": ann.id}).Want(t, 409)
		ann.Do("POST", at+"/users", m{}).Want(t, 400)
		ann.Do("POST", at+"/users", m{"user_ids": []int64{eve.id, 999_999}}).Want(t, 404)
		eve.Do("GET", at, nil).Want(t, 404) // all or none

		for access, status := range map[string]int{"Everyone": 200, "Public": 200, "Team": 404, "Only me": 404} {
			got := bob.Do("PUT", at+"/access", m{"access": access}).Want(t, 200)
			if got.String("data.access") != access || got.At("data.share_link") != nil || got.String("data.shared_with.0.role") != "Owner" || got.Len("data.shared_with") != 2 {
				t.Errorf("%s", got.Body)
			}
			eve.Do("GET", at, nil).Want(t, status)
		}
		bob.Do("PUT", at+"/access", m{"access": "Only me"}).Want(t, 200)
		bob.Do("PUT", at+"/access", m{"access": "Nobody"}).Want(t, 400)

		users := bob.Do("GET", at+"/users?sort=email", nil).Want(t, 200)
		if users.ID("data.pagination.total") != 2 || users.String("data.users.0.role") != "Owner" || users.String("data.users.1.user.email") != "bob@example.com" {
			t.Errorf("%s", users.Body)
		}
		if all := ann.Do("GET", "/api/v2/agent-users", nil).Want(t, 200); all.ID("data.agent_users.0.agent.id") != id || all.ID("data.agent_users.0.users_count") != 2 {
			t.Errorf("%s", all.Body)
		}
		if all := eve.Do("GET", "/api/v2/agent-users", nil).Want(t, 200); all.Len("data.agent_users") != 0 {
			t.Errorf("%s", all.Body)
		}
		ann.Do("DELETE", fmt.Sprintf("%s/users/%d", at, ann.id), nil).Want(t, 409)
		ann.Do("DELETE", fmt.Sprintf("%s/users/%d", at, eve.id), nil).Want(t, 404)
		bob.Do("DELETE", fmt.Sprintf("%s/users/%d", at, bob.id), nil).Want(t, 200) // leaves
		bob.Do("GET", at, nil).Want(t, 404)
		admin.Do("POST", at+"/users", m{"user_id": eve.id}).Want(t, 201)
		eve.Do("GET", at, nil).Want(t, 200)
	})
}

func TestWhatSomebodyMayDoWithAnAgentIsToldWithItsReason(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin := h.Admin(t)
		ann, bob, eve := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com"), somebodyAt(t, h, "eve@example.com")
		_, at := madeAgent(t, ann.Client, m{"name": "Ducks"})
		ann.Do("POST", at+"/users", m{"user_id": bob.id}).Want(t, 201)
		rights := func(c *servertest.Client, of int64) servertest.Answer {
			return c.Do("GET", fmt.Sprintf("%s/users/%d/permissions", at, of), nil)
		}
		for name, c := range map[string]struct {
			by     *servertest.Client
			of     int64
			view   bool
			reason string
			edit   bool
		}{
			"oneself":            {bob.Client, bob.id, true, "you were added to it", false},
			"by the owner":       {ann.Client, bob.id, true, "they were added to it", false},
			"by an admin":        {admin, ann.id, true, "they own it", true},
			"of someone outside": {ann.Client, eve.id, false, "", false},
		} {
			a := rights(c.by, c.of).Want(t, 200)
			if a.String("data.permissions.0.action") != "view" || a.At("data.permissions.0.allowed") != c.view || c.view && a.String("data.permissions.0.reason") != c.reason ||
				a.String("data.permissions.2.action") != "edit" || a.At("data.permissions.2.allowed") != c.edit || a.String("data.permissions.2.reason") == "" {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
		rights(bob.Client, ann.id).Want(t, 403)
		rights(eve.Client, eve.id).Want(t, 404)
		rights(ann.Client, 999_999).Want(t, 404)

		who := ann.Do("GET", at+"/rights?sort=email&action=use", nil).Want(t, 200)
		if who.ID("data.pagination.total") != 3 || who.String("data.users.0.user.email") != servertest.AdminEmail || who.String("data.users.2.actions.0.reason") != "they were added to it" {
			t.Errorf("%s", who.Body)
		}
		if who := ann.Do("GET", at+"/rights?action=manage&search=bob", nil).Want(t, 200); who.Len("data.users") != 0 {
			t.Errorf("%s", who.Body)
		}
		if role := bob.Do("GET", at+"/team-role", nil).Want(t, 200); role.At("data.role") != nil || role.Len("data.teams") != 0 {
			t.Errorf("%s", role.Body)
		}
	})
}

func TestAgentsAreReachedThroughTeamsAndProjects(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin := h.Admin(t)
		ann, bob, eve := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com"), somebodyAt(t, h, "eve@example.com")
		team := admin.Do("POST", "/api/v2/teams", m{"name": "Keepers"}).Want(t, 201).ID("data.id")
		admin.Do("POST", fmt.Sprintf("/api/v2/teams/%d/users", team), m{"user_ids": []int64{ann.id, bob.id}}).Want(t, 201)
		project := admin.Do("POST", "/api/v2/projects", m{"name": "Zoo", "team_ids": []int64{team}}).Want(t, 201).ID("data.id")
		foreign := h.Neighbour(t).Do("POST", "/api/v2/projects", m{"name": "Theirs"}).Want(t, 201).ID("data.id")

		for _, p := range []int64{project, foreign, 999_999} {
			eve.Do("POST", "/api/v2/agents", m{"name": "x", "project_id": p}).Want(t, 404)
		}
		id, at := madeAgent(t, ann.Client, m{"name": "Ducks", "project_id": project, "access": "Team"})
		hidden, _ := madeAgent(t, ann.Client, m{"name": "Geese", "project_id": project})
		madeAgent(t, eve.Client, m{"name": "Elsewhere", "access": "Everyone"})
		ann.Do("PUT", at, m{"project_id": foreign}).Want(t, 404)
		if l := bob.Do("GET", "/api/v2/teams/me/agents", nil).Want(t, 200); l.ID("data.pagination.total") != 1 || l.ID("data.agents.0.id") != id {
			t.Errorf("bob's teams have %d, not %d: %s", id, hidden, l.Body)
		}
		if l := bob.Do("GET", "/api/v2/agents/accessible?search=e&sort=name", nil).Want(t, 200); l.String("data.agents.1.agent_name") != "Elsewhere" && l.String("data.agents.0.agent_name") != "Elsewhere" {
			t.Errorf("%s", l.Body)
		}
		if l := eve.Do("GET", "/api/v2/teams/me/agents", nil).Want(t, 200); l.Len("data.agents") != 0 {
			t.Errorf("%s", l.Body)
		}
		if r := bob.Do("GET", at+"/team-role", nil).Want(t, 200); r.String("data.role") != "Member" || r.ID("data.teams.0.id") != team {
			t.Errorf("%s", r.Body)
		}
		eve.Do("GET", at+"/team-role", nil).Want(t, 404)
		ann.Do("PUT", at+"/access", m{"access": "Only me"}).Want(t, 200)
		bob.Do("GET", at, nil).Want(t, 404)
	})
}

func TestSwitchingAConnectionOnAgainNeedsTheCorpus(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		ann, bob := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com")
		_, at := madeAgent(t, ann.Client, m{"name": "Ducks"})
		ann.Do("POST", at+"/users", m{"user_id": bob.id, "role": "Admin"}).Want(t, 201)
		corpus := ann.Do("POST", "/api/v2/corpora", m{"name": "Ponds"}).Want(t, 201).ID("data.id")
		link := fmt.Sprintf("%s/corpora/%d", at, corpus)
		bob.Do("POST", link, nil).Want(t, 404)
		ann.Do("POST", fmt.Sprintf("/api/v2/corpora/%d/permissions", corpus), m{"user_id": bob.id, "role": "Viewer"}).Want(t, 201)
		bob.Do("POST", link, nil).Want(t, 403)
		ann.Do("POST", link, nil).Want(t, 201)
		bob.Do("PUT", link, m{"is_enabled": false}).Want(t, 200)
		bob.Do("PUT", link, m{"is_enabled": true}).Want(t, 403)
		ann.Do("PUT", link, m{"is_enabled": true}).Want(t, 200)
	})
}

func TestANarrowedListOfAgentsHasItsPagesAndItsTotal(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		ann, bob := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com")
		for i := range 5 {
			madeAgent(t, ann.Client, m{"name": fmt.Sprintf("Heron %d", i), "tags": []string{"bird"}})
			madeAgent(t, ann.Client, m{"name": fmt.Sprintf("Otter %d", i), "description": "fears no heron"})
			madeAgent(t, bob.Client, m{"name": fmt.Sprintf("Heron of Bob %d", i), "tags": []string{"bird"}})
		}
		for query, all := range map[string][]string{
			"search=HERON+":  {"Heron 4", "Heron 3", "Heron 2", "Heron 1", "Heron 0"},
			"search=heron":   {"Otter 4", "Otter 3", "Otter 2", "Otter 1", "Otter 0", "Heron 4", "Heron 3", "Heron 2", "Heron 1", "Heron 0"},
			"tag=bird":       {"Heron 4", "Heron 3", "Heron 2", "Heron 1", "Heron 0"},
			"search=pelican": {},
		} {
			for page := 1; page <= 4; page++ {
				got := ann.Do("GET", fmt.Sprintf("/api/v2/agents?%s&sort=-name&page_size=3&page=%d", query, page), nil).Want(t, 200)
				var names []string
				for i := range got.Len("data.agents") {
					names = append(names, got.String(fmt.Sprintf("data.agents.%d.agent_name", i)))
				}
				if want := all[min(len(all), 3*page-3):min(len(all), 3*page)]; !slices.Equal(names, want) || got.At("data.pagination.total") != float64(len(all)) {
					t.Errorf("page %d of %s has %q of %v, want %q of %d", page, query, names, got.At("data.pagination.total"), want, len(all))
				}
			}
		}
	})
}
