package project_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/org/orgtest"
	"atrium/internal/project"
	"atrium/internal/team"
)

func each(t *testing.T, run func(*testing.T, *house)) {
	t.Helper()
	t.Parallel()
	orgtest.Each(t, func(_ *testing.T, h *orgtest.House) {
		team.New(h.DB).Mount(h.API)
		project.New(h.DB).Mount(h.API)
	}, func(t *testing.T, h *orgtest.House) { run(t, &house{h}) })
}

type house struct{ *orgtest.House }

const projects = "/api/v2/projects"

type body map[string]any

func at(id int64, rest string) string { return fmt.Sprintf("%s/%d%s", projects, id, rest) }

// project makes one as somebody.
func (h *house) project(t *testing.T, who, name string, teams ...int64) int64 {
	t.Helper()
	return h.Do(who, "POST", projects, body{"name": name, "team_ids": teams}).Want(201).ID("data.id")
}

func (h *house) join(project int64, who, role string) {
	h.Exec(`INSERT INTO project_user (org_id, project_id, user_id, role) VALUES (?, ?, ?, ?)`, h.Org, project, h.ID(who), role)
}

func (h *house) agent(owner string, project int64) int64 {
	return h.Insert(`INSERT INTO agent (org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt, instructions, access, status,
		model, language, tags, sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count, react_enabled, react_max_iteration_count, is_guide, is_deleted,
		created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, 'Agent', '', '', '', 'QnA', '', '[]', 'Only me', 'Live', '', '', '[]', '', '', '',
		FALSE, 32, FALSE, 50, FALSE, FALSE, '', 0, '', 0) RETURNING id`, h.Org, project, h.ID(owner))
}

// list is the names of the projects that a list holds.
func list(a orgtest.Answer) string { return names(a.Want(200), "data.projects", "name") }

func names(a orgtest.Answer, list, field string) string {
	out := make([]string, a.Len(list))
	for i := range out {
		out[i] = fmt.Sprint(a.At(fmt.Sprintf("%s.%d.%s", list, i, field)))
	}
	return strings.Join(out, " ")
}

func TestWhoMakesAProjectOwnsIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sales := h.Team(h.Org, "Sales", map[string]string{"ann": "Owner", "bob": "Member"})
		foreign := h.Team(h.Rival, "Foes", map[string]string{"eve": "Owner"})
		made := h.Do("root", "POST", projects, body{"name": "Plan", "team_ids": []int64{sales, sales}, "is_default": true, "id": 5}).
			Want(201, "data.role", "Owner", "data.is_default", false, "data.teams.0.name", "Sales", "data.members_count", 3, "data.agents_count", 0)
		h.Do("bob", "GET", at(made.ID("data.id"), ""), nil).Want(200, "data.role", "Member", "data.teams.0.id", sales)
		h.Do("ann", "POST", projects, body{"name": "Mine"}).Want(403)
		h.Do("root", "POST", projects, body{"name": " Plan "}).Want(409)
		h.Do("root", "POST", projects, body{"name": "General"}).Want(409)
		h.Do("eve", "POST", projects, body{"name": "Plan"}).Want(201)
		for _, teams := range [][]int64{{foreign}, {9999}, {sales, 9999}} {
			h.Do("root", "POST", projects, body{"name": "Other", "team_ids": teams}).Want(404)
		}
		h.Do("hand", "POST", projects, body{"name": "Other", "team_ids": []int64{sales}}).Want(404) // not hers to see
		h.Do("hand", "POST", projects, body{"name": "Other"}).Want(201, "data.role", "Owner", "data.teams", "[]")
		for _, bad := range []any{body{}, body{"name": " "}, body{"name": "x", "team_ids": "1"}, body{"name": "x", "team_ids": []any{nil}}, `{"name": "x"`} {
			h.Do("root", "POST", projects, bad).Want(400)
		}
	})
}

func TestAProjectIsSeenByWhoBelongsAndChangedByItsAdmins(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sales := h.Team(h.Org, "Sales", map[string]string{"cleo": "Admin"})
		id := h.project(t, "root", "Plan", sales)
		h.join(id, "ann", "Admin")
		h.join(id, "bob", "Member")
		h.Person(h.Org, "dan", authz.Member)
		for _, stranger := range []string{"dan", "hand", "eve", "ed"} {
			for _, rest := range []string{"", "/users", "/workflows"} {
				h.Do(stranger, "GET", at(id, rest), nil).Want(404)
			}
			h.Do(stranger, "PUT", at(id, ""), body{"name": "x"}).Want(404)
			h.Do(stranger, "DELETE", at(id, ""), nil).Want(404)
			h.Do(stranger, "POST", at(id, "/recent"), nil).Want(404)
			h.Do(stranger, "POST", at(id, "/users"), body{"user_ids": []int64{h.ID("dan")}}).Want(404)
		}
		for _, who := range []string{"bob", "cleo"} {
			h.Do(who, "GET", at(id, ""), nil).Want(200, "data.role", "Member")
			h.Do(who, "GET", at(id, "/workflows"), nil).Want(200, "data.workflows", "[]")
			if a := h.Do(who, "PUT", at(id, ""), body{"name": "x"}).Want(403); !strings.Contains(a.At("message").(string), "root@example.com") {
				t.Errorf("it does not say whom to ask: %s", a.Body)
			}
			h.Do(who, "DELETE", at(id, ""), nil).Want(403)
		}
		h.Do("ann", "PUT", at(id, ""), body{"description": "Wide", "is_default": true, "is_deleted": true}).Want(200, "data.name", "Plan", "data.description", "Wide", "data.is_default", false)
		h.Do("ann", "PUT", at(id, ""), body{"name": "General"}).Want(409)
		h.Do("dan", "GET", projects, nil).Want(200, "data.projects.0.is_default", true, "data.projects.0.role", nil, "data.pagination.total", 1)
	})
}

func TestTheTeamsOfAProjectAreReplacedByWhoMayManageIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		hidden := h.Team(h.Org, "Hidden", map[string]string{"root": "Owner", "bob": "Member"})
		sales := h.Team(h.Org, "Sales", map[string]string{"ann": "Member"})
		other := h.Team(h.Org, "Other", nil)
		foreign := h.Team(h.Rival, "Foes", nil)
		id := h.project(t, "root", "Plan", hidden)
		h.join(id, "ann", "Admin")
		h.join(id, "cleo", "Member")
		// Whoever manages the project sees all its teams; the others only their own.
		h.Do("ann", "GET", at(id, ""), nil).Want(200, "data.teams.0.name", "Hidden")
		h.Do("cleo", "GET", at(id, ""), nil).Want(200, "data.teams", "[]")
		h.Do("cleo", "GET", projects+"/with-teams?search=Plan", nil).Want(200, "data.projects.0.teams", "[]")
		h.Do("ann", "GET", projects+"/with-teams?search=Plan", nil).Want(200, "data.projects.0.teams.0.members_count", 2, "data.projects.0.teams.0.role", nil)
		h.Do("bob", "GET", projects+"/with-teams?search=Plan", nil).Want(200, "data.projects.0.teams.0.role", "Member")
		for _, bad := range []int64{other, foreign, 9999} {
			h.Do("ann", "PUT", at(id, ""), body{"name": "Never", "team_ids": []int64{hidden, bad}}).Want(404)
		}
		a := h.Do("ann", "PUT", at(id, ""), body{"team_ids": []int64{sales, hidden, sales}}).Want(200, "data.name", "Plan")
		if got := names(a, "data.teams", "name"); got != "Hidden Sales" {
			t.Errorf("teams are %s", got)
		}
		h.Do("bob", "GET", at(id, ""), nil).Want(200)
		h.Do("ann", "PUT", at(id, ""), body{"team_ids": []int64{sales}}).Want(200, "data.teams.0.name", "Sales", "data.members_count", 3)
		h.Do("bob", "GET", at(id, ""), nil).Want(404)
		h.Do("ann", "PUT", at(id, ""), body{"team_ids": nil}).Want(200, "data.teams.0.name", "Sales")
		h.Do("ann", "PUT", at(id, ""), body{"team_ids": []int64{}}).Want(200, "data.teams", "[]")
		// A right to edit projects is none to say who belongs to them.
		edit, err := authz.Right("project:edit")
		if err != nil {
			t.Fatal(err)
		}
		h.People["bob"].Rules = []authz.Rule{edit}
		h.Do("bob", "PUT", at(id, ""), body{"name": "Renamed"}).Want(200)
		h.Do("bob", "PUT", at(id, ""), body{"team_ids": []int64{hidden}}).Want(403)
		h.People["ann"].Scopes = []string{"project:view", "project:edit"}
		h.Do("ann", "PUT", at(id, ""), body{"name": "Plan"}).Want(200)
		h.Do("ann", "PUT", at(id, ""), body{"team_ids": []int64{sales}}).Want(403)
	})
}

func TestListsHoldTheProjectsThatOneMaySee(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sales := h.Team(h.Org, "Sales", map[string]string{"ann": "Member"})
		quiet := h.Team(h.Org, "Quiet", map[string]string{"bob": "Member"})
		foes := h.Team(h.Rival, "Foes", map[string]string{"eve": "Owner"})
		alpha := h.project(t, "root", "Alpha", sales)
		beta := h.project(t, "hand", "Beta")
		gamma := h.project(t, "root", "Gamma", sales, quiet)
		h.join(beta, "bob", "Member")
		foreign := h.project(t, "eve", "Foreign", foes)
		for _, c := range []struct{ who, path, want string }{
			{"root", projects + "?sort=name", "Alpha Beta Gamma General"},
			{"ann", projects + "?sort=name", "Alpha Gamma General"},
			{"bob", projects + "?sort=-name", "General Gamma Beta"},
			{"cleo", projects, "General"},
			{"eve", projects + "?sort=name", "Foreign General"},
			{"root", projects + "?search=A&sort=name&page=2&page_size=3", "General"},
			{"root", projects + "/filter?is_default=false&sort=name", "Alpha Beta Gamma"},
			{"root", projects + "/filter?is_default=true", "General"},
			{"root", projects + "/filter?name=bETA", "Beta"},
			{"root", projects + "/filter?name=bet", ""},
			{"root", projects + "/filter?created_by=HAND@example.com", "Beta"},
			{"ann", projects + fmt.Sprintf("/filter?team_id=%d&sort=name", sales), "Alpha Gamma"},
			{"ann", fmt.Sprintf("/api/v2/teams/%d/projects?sort=name", sales), "Alpha Gamma"},
			{"bob", fmt.Sprintf("/api/v2/teams/%d/projects", quiet), "Gamma"},
			{"ann", projects + fmt.Sprintf("/batch?project_ids=%d,%d,%d,9999&sort=name", gamma, beta, foreign), "Gamma"},
			{"root", projects + fmt.Sprintf("/batch?project_ids=%d&project_ids=%d&sort=name", gamma, alpha), "Alpha Gamma"},
			{"ann", "/api/v2/users/me/projects?sort=name", "Alpha Gamma General"},
			{"root", fmt.Sprintf("/api/v2/users/%d/projects?sort=name", h.ID("bob")), "Beta Gamma General"},
			{"ann", fmt.Sprintf("/api/v2/users/%d/projects?sort=name", h.ID("bob")), "Gamma General"},
			{"cleo", "/api/v2/users/me/projects", "General"},
		} {
			if got := list(h.Do(c.who, "GET", c.path, nil)); got != c.want {
				t.Errorf("%s %s: %q, want %q", c.who, c.path, got, c.want)
			}
		}
		for _, path := range []string{"?sort=org_id", "/filter?is_default=1", "/filter?team_id=0", "/batch", "/batch?project_ids=", "/batch?project_ids=1,x", "/batch?project_ids=-1",
			"/batch?project_ids=99999999999999999999", "/batch?project_ids=" + strings.Repeat("1,", 200) + "1"} {
			h.Do("root", "GET", projects+path, nil).Want(400)
		}
		// A team that one may not see tells nothing about the projects that it has.
		for _, id := range []int64{quiet, foes, 9999} {
			h.Do("ann", "GET", projects+fmt.Sprintf("/filter?team_id=%d", id), nil).Want(404)
			h.Do("ann", "GET", fmt.Sprintf("/api/v2/teams/%d/projects", id), nil).Want(404)
		}
		for _, list := range []string{"projects", "workflows", "workflow-tables"} {
			for _, id := range []int64{h.ID("ed"), 9999} {
				h.Do("root", "GET", fmt.Sprintf("/api/v2/users/%d/%s", id, list), nil).Want(404)
			}
		}
		h.Do("ann", "GET", fmt.Sprintf("/api/v2/users/%d/workflows", h.ID("ann")), nil).Want(200, "data.workflows", "[]", "data.pagination.total", 0)
		h.Do("ann", "GET", fmt.Sprintf("/api/v2/users/%d/workflow-tables", h.ID("ann")), nil).Want(200, "data.workflow_tables", "[]")
	})
}

func TestMembersOfAProjectComeByThemselvesOrThroughTeams(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sales := h.Team(h.Org, "Sales", map[string]string{"ann": "Admin", "bob": "Member"})
		also := h.Team(h.Org, "Also", map[string]string{"bob": "Member"})
		id := h.project(t, "root", "Plan", sales, also)
		one := func(name string) string { return at(id, fmt.Sprintf("/users/%d", h.ID(name))) }
		a := h.Do("bob", "GET", at(id, "/users?sort=first_name"), nil).Want(200, "data.pagination.total", 3)
		if got := names(a, "data.users", "user.first_name") + " " + names(a, "data.users", "role") + " " + names(a, "data.users", "via_teams"); got != "ann bob root Member Member Owner true true false" {
			t.Errorf("members: %s", got)
		}
		h.Do("root", "DELETE", one("bob"), nil).Want(409)
		h.Do("bob", "DELETE", one("bob"), nil).Want(409)
		h.Do("root", "PUT", one("bob")+"/role", body{"role": "Admin"}).Want(409)
		h.Do("bob", "POST", at(id, "/users"), body{"user_ids": []int64{h.ID("cleo")}}).Want(403)
		h.Do("root", "POST", at(id, "/users"), body{"users": []body{{"user_id": h.ID("bob"), "role": "Admin"}, {"user_id": h.ID("cleo")}}}).
			Want(201, "data.users.0.role", "Admin", "data.users.0.via_teams", false, "data.users.1.role", "Member")
		h.Do("bob", "GET", at(id, ""), nil).Want(200, "data.role", "Admin", "data.members_count", 4)
		h.Do("bob", "PUT", one("root")+"/role", body{"role": "Member"}).Want(409)
		h.Do("bob", "DELETE", one("root"), nil).Want(409)
		h.Do("bob", "PUT", one("cleo")+"/role", body{"role": "Admin"}).Want(200, "data.role", "Admin")
		h.Do("cleo", "DELETE", one("cleo"), nil).Want(200)
		h.Do("cleo", "GET", at(id, ""), nil).Want(404)
		h.Do("bob", "DELETE", one("bob"), nil).Want(200)
		h.Do("bob", "GET", at(id, ""), nil).Want(200, "data.role", "Member")
		for _, name := range []string{"ed", "cleo"} {
			h.Do("root", "DELETE", one(name), nil).Want(404)
			h.Do("root", "PUT", one(name)+"/role", body{"role": "Admin"}).Want(404)
		}
	})
}

func TestAProjectWithAgentsStaysAndTheDefaultAlways(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sales := h.Team(h.Org, "Sales", map[string]string{"ann": "Admin"})
		id := h.project(t, "root", "Plan", sales)
		agent := h.agent("ann", id)
		h.Do("ann", "POST", at(id, "/recent"), nil).Want(201)
		h.Do("root", "GET", at(id, ""), nil).Want(200, "data.agents_count", 1)
		h.Do("root", "DELETE", at(id, ""), nil).Want(409)
		h.Exec(`UPDATE agent SET is_deleted = TRUE WHERE id = ?`, agent)
		h.Do("root", "DELETE", at(id, ""), nil).Want(200)
		h.Do("root", "GET", at(id, ""), nil).Want(404)
		left, err := db.One[int](t.Context(), h.DB, `SELECT (SELECT COUNT(*) FROM project_user WHERE project_id = ?) + (SELECT COUNT(*) FROM project_team WHERE project_id = ?)
			+ (SELECT COUNT(*) FROM recent WHERE kind = 'project' AND item_id = ?)`, id, id, id)
		if err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
		h.project(t, "root", "Plan")
		general := h.Do("root", "GET", projects+"/filter?is_default=true", nil).Want(200).ID("data.projects.0.id")
		h.Do("root", "DELETE", at(general, ""), nil).Want(409)
		h.Do("ann", "DELETE", at(general, ""), nil).Want(403)
	})
}

func TestRecentProjectsAreTheLastTwentyThatOneMaySee(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const recent = projects + "/recent"
		var ids []int64
		for i := range 21 {
			ids = append(ids, h.project(t, "root", fmt.Sprint("P", i)))
			h.join(ids[i], "ann", "Member")
		}
		for _, id := range append(ids, ids[3]) {
			h.Do("ann", "POST", at(id, "/recent"), nil).Want(201, "data.id", id)
		}
		h.Do("ann", "GET", recent, nil).Want(200, "data.pagination.total", 20, "data.projects.0.name", "P3", "data.projects.1.name", "P20", "data.projects.19.name", "P1")
		h.Do("root", "GET", recent, nil).Want(200, "data.pagination.total", 0)
		h.Exec(`DELETE FROM project_user WHERE project_id = ? AND user_id = ?`, ids[3], h.ID("ann"))
		h.Do("ann", "GET", recent, nil).Want(200, "data.pagination.total", 19, "data.projects.0.name", "P20")
	})
}

// Giving a project a team while the team is deleted ends with one of the two.
func TestATeamIsNotDeletedUnderAProjectThatTakesIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for i := range 10 {
			sales := h.Team(h.Org, fmt.Sprint("Sales", i), nil)
			id := h.project(t, "root", fmt.Sprint("Plan", i))
			var wg sync.WaitGroup
			var gone, taken orgtest.Answer
			wg.Go(func() { gone = h.Do("root", "DELETE", fmt.Sprintf("/api/v2/teams/%d", sales), nil) })
			wg.Go(func() { taken = h.Do("root", "PUT", at(id, ""), body{"team_ids": []int64{sales}}) })
			wg.Wait()
			if got := fmt.Sprint(gone.Status, taken.Status); got != "200 404" && got != "409 200" {
				t.Errorf("deleting and taking answer %s: %s %s", got, gone.Body, taken.Body)
			}
		}
	})
}
