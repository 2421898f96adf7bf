package team_test

import (
	"fmt"
	"strings"
	"testing"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/org/orgtest"
	"atrium/internal/team"
)

func each(t *testing.T, run func(*testing.T, *orgtest.House)) {
	t.Helper()
	t.Parallel()
	orgtest.Each(t, func(_ *testing.T, h *orgtest.House) { team.New(h.DB).Mount(h.API) }, run)
}

const teams = "/api/v2/teams"

type body map[string]any

func at(id int64, rest string) string { return fmt.Sprintf("%s/%d%s", teams, id, rest) }

// names is a field of each item of a list.
func names(a orgtest.Answer, list, field string) string {
	out := make([]string, a.Len(list))
	for i := range out {
		out[i] = fmt.Sprint(a.At(fmt.Sprintf("%s.%d.%s", list, i, field)))
	}
	return strings.Join(out, " ")
}

func TestWhoMakesATeamOwnsIt(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		for _, who := range []string{"root", "hand"} {
			made := h.Do(who, "POST", teams, body{"name": " " + who, "id": 77, "created_by": "somebody", "role": "Member"}).
				Want(201, "data.name", who, "data.role", "Owner", "data.members_count", 1, "data.created_by", who+"@example.com")
			h.Do(who, "GET", at(made.ID("data.id"), ""), nil).Want(200, "data.role", "Owner", "data.is_deleted", false)
		}
		h.Do("ann", "POST", teams, body{"name": "Mine"}).Want(403)
		h.Do("root", "POST", teams, body{"name": "hand"}).Want(409)
		h.Do("eve", "POST", teams, body{"name": "hand"}).Want(201)
		for _, bad := range []any{body{}, body{"name": " \t"}, body{"name": nil}, body{"name": 3}, body{"name": strings.Repeat("x", 201)}, body{"name": "a\x00b"}} {
			h.Do("root", "POST", teams, bad).Want(400)
		}
		n, err := db.One[int](t.Context(), h.DB, `SELECT COUNT(*) FROM audit_event WHERE action = 'createTeam' AND resource_id <> ''`)
		if err != nil || n != 3 {
			t.Errorf("%d audit events, %v", n, err)
		}
	})
}

func TestATeamIsSeenByItsMembersAndChangedByItsAdmins(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		id := h.Team(h.Org, "Sales", map[string]string{"ann": "Owner", "bob": "Admin", "cleo": "Member"})
		h.Person(h.Org, "dan", authz.Member)
		for _, stranger := range []string{"dan", "hand", "eve", "ed"} {
			unknown := strings.ReplaceAll(h.Do(stranger, "GET", at(9999, ""), nil).Want(404).Body, "9999", "N")
			if got := strings.ReplaceAll(h.Do(stranger, "GET", at(id, ""), nil).Want(404).Body, fmt.Sprintf("team %d", id), "team N"); got != unknown {
				t.Errorf("%s: a hidden team answers otherwise:\n%s\n%s", stranger, got, unknown)
			}
			h.Do(stranger, "PUT", at(id, ""), body{"name": "x"}).Want(404)
			h.Do(stranger, "DELETE", at(id, ""), nil).Want(404)
			h.Do(stranger, "GET", at(id, "/users"), nil).Want(404)
			h.Do(stranger, "POST", at(id, "/recent"), nil).Want(404)
			h.Do(stranger, "GET", teams, nil).Want(200, "data.pagination.total", 0)
		}
		h.Do("cleo", "GET", at(id, ""), nil).Want(200, "data.role", "Member", "data.members_count", 3)
		h.Do("root", "GET", at(id, ""), nil).Want(200, "data.role", nil)
		if a := h.Do("cleo", "PUT", at(id, ""), body{"name": "x"}).Want(403); !strings.Contains(a.At("message").(string), "ann@example.com") {
			t.Errorf("it does not say whom to ask: %s", a.Body)
		}
		h.Do("cleo", "DELETE", at(id, ""), nil).Want(403)
		h.Do("bob", "PUT", at(id, ""), body{"description": "Sells", "is_deleted": true, "org_id": h.Rival, "created_by": "x"}).
			Want(200, "data.name", "Sales", "data.description", "Sells", "data.is_deleted", false, "data.modified_by", "bob@example.com", "data.created_by", "")
		h.Do("bob", "PUT", at(id, ""), body{"name": "Sellers", "description": nil}).Want(200, "data.name", "Sellers", "data.description", "Sells")
		h.Team(h.Org, "Others", nil)
		h.Do("bob", "PUT", at(id, ""), body{"name": "Others"}).Want(409)
		h.Do("bob", "PUT", at(id, ""), body{"name": "Sellers"}).Want(200)
	})
}

func TestListsHoldTheTeamsThatOneMaySee(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		h.Team(h.Org, "Aces", map[string]string{"ann": "Owner"})
		h.Team(h.Org, "Bees", map[string]string{"ann": "Member", "bob": "Admin"})
		h.Team(h.Org, "Cats", map[string]string{"bob": "Member"})
		h.Team(h.Rival, "Foes", map[string]string{"eve": "Owner"})
		for _, c := range []struct{ who, path, want string }{
			{"ann", teams + "?sort=name", "Aces Bees"},
			{"bob", teams + "?sort=-name", "Cats Bees"},
			{"root", teams + "?sort=name", "Aces Bees Cats"},
			{"root", teams + "?sort=name&page=2&page_size=2", "Cats"},
			{"root", teams + "?search=EE", "Bees"},
			{"root", teams + "?search=%25", ""},
			{"root", teams + "/me", ""},
			{"ann", teams + "/me?sort=name", "Aces Bees"},
			{"cleo", teams + "/me", ""},
			{"eve", teams, "Foes"},
		} {
			if got := names(h.Do(c.who, "GET", c.path, nil).Want(200), "data.teams", "name"); got != c.want {
				t.Errorf("%s %s: %q, want %q", c.who, c.path, got, c.want)
			}
		}
		h.Do("root", "GET", teams+"?sort=org_id", nil).Want(400)
		h.Do("", "GET", teams, nil).Want(401)
	})
}

func TestMembersAreAddedAllOrNone(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		id := h.Team(h.Org, "Sales", map[string]string{"ann": "Owner"})
		users := at(id, "/users")
		list := func(want string) {
			t.Helper()
			a := h.Do("ann", "GET", users+"?sort=first_name", nil).Want(200)
			got := make([]string, a.Len("data.users"))
			for i := range got {
				got[i] = fmt.Sprint(a.At(fmt.Sprintf("data.users.%d.user.first_name", i)), ":", a.At(fmt.Sprintf("data.users.%d.role", i)))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("members are %v, want %s", got, want)
			}
		}
		foreign := h.Do("ann", "POST", users, body{"user_ids": []int64{h.ID("bob"), h.ID("ed")}}).Want(404)
		unknown := h.Do("ann", "POST", users, body{"user_ids": []int64{h.ID("bob"), 9999}}).Want(404)
		if strings.ReplaceAll(foreign.Body, fmt.Sprint(h.ID("ed")), "N") != strings.ReplaceAll(unknown.Body, "9999", "N") {
			t.Errorf("a foreign person answers otherwise:\n%s\n%s", foreign.Body, unknown.Body)
		}
		list("ann:Owner")
		h.Do("ann", "POST", users, body{"user_ids": []int64{h.ID("bob"), h.ID("cleo"), h.ID("bob")}}).Want(201, "data.users.0.role", "Member", "data.users.1.role", "Member")
		list("ann:Owner bob:Member cleo:Member")
		h.Do("ann", "POST", users, body{"user_ids": []int64{h.ID("bob")}, "role": "Admin"}).Want(201)
		h.Do("bob", "POST", users, body{"user_ids": []int64{h.ID("bob"), h.ID("ann")}}).Want(201) // no role is sent, so none changes
		list("ann:Owner bob:Admin cleo:Member")
		h.Do("bob", "POST", users, body{"users": []body{{"user_id": h.ID("cleo"), "role": "Admin"}, {"user_id": h.ID("ann"), "role": "Member"}}}).Want(409)
		list("ann:Owner bob:Admin cleo:Member")
		for _, bad := range []any{body{}, body{"user_ids": []int64{}}, body{"user_ids": []any{"x"}}, body{"user_ids": []int64{h.ID("bob")}, "role": "Owner"},
			body{"users": []body{{"role": "Admin"}}}, body{"users": []body{{"user_id": h.ID("bob"), "role": "owner"}}}} {
			h.Do("ann", "POST", users, bad).Want(400)
		}
		h.Do("cleo", "POST", users, body{"user_ids": []int64{h.ID("root")}}).Want(403)
		if got := names(h.Do("cleo", "GET", users+"?search=OB%40", nil).Want(200), "data.users", "user.full_name"); got != "bob Person" {
			t.Errorf("found %q", got)
		}
		h.Exec(`UPDATE users SET is_deleted = TRUE WHERE id = ?`, h.ID("cleo"))
		h.Do("ann", "POST", users, body{"user_ids": []int64{h.ID("cleo")}}).Want(404)
		list("ann:Owner bob:Admin")
	})
}

func TestRolesChangeAndMembersLeaveButTheOwnerStays(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		id := h.Team(h.Org, "Sales", map[string]string{"ann": "Owner", "bob": "Admin", "cleo": "Member"})
		h.Person(h.Org, "dan", authz.Member)
		one := func(name string) string { return at(id, fmt.Sprintf("/users/%d", h.ID(name))) }
		for _, who := range []string{"root", "ann", "bob"} {
			h.Do(who, "PUT", one("ann")+"/role", body{"role": "Member"}).Want(409)
			h.Do(who, "DELETE", one("ann"), nil).Want(409)
		}
		for _, name := range []string{"dan", "ed"} {
			h.Do("ann", "PUT", one(name)+"/role", body{"role": "Member"}).Want(404)
			h.Do("ann", "DELETE", one(name), nil).Want(404)
		}
		h.Do("cleo", "PUT", one("cleo")+"/role", body{"role": "Admin"}).Want(403)
		h.Do("cleo", "DELETE", one("bob"), nil).Want(403)
		h.Do("ann", "PUT", one("cleo")+"/role", body{"role": "Owner"}).Want(400)
		h.Do("bob", "PUT", one("cleo")+"/role", body{"role": "Admin"}).Want(200, "data.role", "Admin", "data.user.email", "cleo@example.com")
		detail, err := db.One[string](t.Context(), h.DB, `SELECT detail FROM audit_event WHERE action = 'updateTeamUserRole'`)
		if err != nil || !strings.Contains(detail, `"from":"Member"`) {
			t.Errorf("the log says %s, %v", detail, err)
		}
		h.Do("cleo", "PUT", one("bob")+"/role", body{"role": "Member"}).Want(200)
		h.Do("bob", "DELETE", one("cleo"), nil).Want(403)
		h.Do("bob", "DELETE", one("bob"), nil).Want(200)
		h.Do("bob", "GET", at(id, ""), nil).Want(404)
		h.Do("ann", "DELETE", one("cleo"), nil).Want(200)
		h.Do("ann", "DELETE", one("cleo"), nil).Want(404)
	})
}

func TestATeamGoesWithWhatItWasGivenUnlessItHasProjects(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		id := h.Team(h.Org, "Sales", map[string]string{"ann": "Owner", "bob": "Member"})
		h.Do("bob", "POST", at(id, "/recent"), nil).Want(201)
		project := h.Insert(`INSERT INTO project (org_id, name, description, is_default, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, 'Plan', '', FALSE, FALSE, '', 0, '', 0) RETURNING id`, h.Org)
		h.Exec(`INSERT INTO project_team (org_id, project_id, team_id) VALUES (?, ?, ?)`, h.Org, project, id)
		corpus := h.Insert(`INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, 'C', '', 'document', 1, FALSE, '[]', 0, FALSE, '', 0, '', 0) RETURNING id`, h.Org, h.ID("ann"))
		h.Exec(`INSERT INTO corpus_grant (org_id, corpus_id, team_id, role, created_by, created_on) VALUES (?, ?, ?, 'Viewer', '', 0)`, h.Org, corpus, id)
		h.Do("ann", "GET", at(id, ""), nil).Want(200, "data.projects_count", 1)
		h.Do("ann", "DELETE", at(id, ""), nil).Want(409)
		h.Exec(`UPDATE project SET is_deleted = TRUE WHERE id = ?`, project)
		h.Do("ann", "DELETE", at(id, ""), nil).Want(200)
		h.Do("root", "GET", at(id, ""), nil).Want(404)
		h.Do("root", "DELETE", at(id, ""), nil).Want(404)
		left, err := db.One[int](t.Context(), h.DB, `SELECT (SELECT COUNT(*) FROM team_user WHERE team_id = ?) + (SELECT COUNT(*) FROM project_team WHERE team_id = ?)
			+ (SELECT COUNT(*) FROM corpus_grant WHERE team_id = ?) + (SELECT COUNT(*) FROM recent WHERE kind = 'team' AND item_id = ?)`, id, id, id, id)
		if err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
		h.Do("root", "POST", teams, body{"name": "Sales"}).Want(201)
	})
}

func TestRecentTeamsAreTheLastTwentyThatOneMaySee(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		const recent = teams + "/recent"
		var ids []int64
		for i := range 22 {
			ids = append(ids, h.Team(h.Org, fmt.Sprint("T", i), map[string]string{"ann": "Member"}))
		}
		for _, id := range ids {
			h.Do("ann", "POST", at(id, "/recent"), nil).Want(201, "data.id", id, "data.role", "Member")
		}
		h.Do("ann", "POST", at(ids[10], "/recent"), nil).Want(201)
		h.Do("ann", "GET", recent, nil).Want(200, "data.pagination.total", 20, "data.teams.0.name", "T10", "data.teams.1.name", "T21", "data.teams.19.name", "T2")
		h.Do("ann", "GET", recent+"?page=2&page_size=19", nil).Want(200, "data.teams.0.name", "T2", "data.pagination.total_pages", 2)
		h.Do("bob", "GET", recent, nil).Want(200, "data.pagination.total", 0)
		h.Exec(`DELETE FROM team_user WHERE team_id = ?`, ids[10])
		h.Do("ann", "GET", recent, nil).Want(200, "data.pagination.total", 19, "data.teams.0.name", "T21")
	})
}

func TestAKeyDoesOnlyWhatItsScopesSay(t *testing.T) {
	each(t, func(t *testing.T, h *orgtest.House) {
		id := h.Team(h.Org, "Sales", map[string]string{"ann": "Owner"})
		h.People["ann"].Scopes = []string{"*:view"}
		h.Do("ann", "GET", at(id, ""), nil).Want(200)
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"PUT", at(id, ""), body{"name": "x"}},
			{"DELETE", at(id, ""), nil},
			{"POST", at(id, "/recent"), nil},
			{"POST", at(id, "/users"), body{"user_ids": []int64{h.ID("bob")}}},
			{"DELETE", at(id, fmt.Sprintf("/users/%d", h.ID("ann"))), nil},
		} {
			h.Do("ann", c.method, c.path, c.body).Want(403)
		}
	})
}
