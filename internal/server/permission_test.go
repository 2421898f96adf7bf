package server_test

import (
	"fmt"
	"strings"
	"testing"

	"atrium/internal/server/servertest"
)

func TestAPermissionSetReachesAsFarAsItsRules(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin := h.Admin(t)
		ann, bob := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com")
		project := admin.Do("POST", "/api/v2/projects", m{"name": "Zoo"}).Want(t, 201).ID("data.id")
		inside, at := madeAgent(t, admin, m{"name": "Ducks", "project_id": project})
		_, outside := madeAgent(t, admin, m{"name": "Geese"})
		rules := []m{{"resource": "agent", "action": "edit", "scope": "project", "scope_id": project}}
		made := admin.Do("POST", "/api/v2/permission-sets", m{"name": "Zoo editors", "rules": rules, "id": 77, "is_deleted": true}).Want(t, 201)
		id := made.ID("data.id")
		set := fmt.Sprintf("/api/v2/permission-sets/%d", id)
		if made.ID("data.rules.0.scope_id") != project || made.ID("data.held_by") != 0 || id == 77 {
			t.Errorf("%s", made.Body)
		}
		bob.Do("GET", set, nil).Want(t, 404)
		bob.Do("GET", at, nil).Want(t, 404)
		held := admin.Do("POST", fmt.Sprintf("/api/v2/users/%d/permissions", bob.id), m{"permission": "Zoo editors"})
		if held.Status != 200 && held.Status != 201 {
			t.Fatalf("%s", held.Body)
		}
		bob.Do("PUT", at, m{"description": "better"}).Want(t, 200)
		bob.Do("PUT", at, m{"access": "Everyone"}).Want(t, 403) // editing is not managing
		bob.Do("PUT", at+"/access", m{"access": "Everyone"}).Want(t, 403)
		bob.Do("GET", outside, nil).Want(t, 404)
		if l := bob.Do("GET", "/api/v2/permission-sets", nil).Want(t, 200); l.Len("data.permission_sets") != 1 || l.ID("data.permission_sets.0.held_by") != 1 {
			t.Errorf("%s", l.Body)
		}
		rights := bob.Do("GET", fmt.Sprintf("/api/v2/users/%d/rights?resource=agent&id=%d", bob.id, inside), nil).Want(t, 200)
		if rights.String("data.rights.2.action") != "edit" || rights.At("data.rights.2.allowed") != true || rights.String("data.rights.2.reason") != "the permission set Zoo editors allows it" {
			t.Errorf("%s", rights.Body)
		}
		if who := admin.Do("GET", at+"/rights?action=edit&search=bob", nil).Want(t, 200); !strings.Contains(who.String("data.users.0.actions.2.reason")+who.String("data.users.0.actions.1.reason"), "Zoo editors") {
			t.Errorf("%s", who.Body)
		}

		admin.Do("PUT", set, m{"name": "Zoo viewers", "rules": []m{{"resource": "agent", "action": "view", "scope": "project", "scope_id": project}}}).Want(t, 200)
		bob.Do("GET", at, nil).Want(t, 200)
		bob.Do("PUT", at, m{"description": "worse"}).Want(t, 403)
		if l := admin.Do("GET", fmt.Sprintf("/api/v2/users/%d/permissions", bob.id), nil).Want(t, 200); !strings.Contains(string(l.Body), "Zoo viewers") {
			t.Errorf("%s", l.Body)
		}
		admin.Do("DELETE", set, nil).Want(t, 200)
		bob.Do("GET", at, nil).Want(t, 404)
		admin.Do("GET", set, nil).Want(t, 404)
		admin.Do("POST", "/api/v2/permission-sets", m{"name": "Zoo viewers", "rules": []m{}}).Want(t, 201)
		ann.Do("POST", "/api/v2/permission-sets", m{"name": "Mine", "rules": []m{}}).Want(t, 403)
	})
}

func TestBadPermissionSetsAreRefusedInWords(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin, rival := h.Admin(t), h.Neighbour(t)
		foreign := rival.Do("POST", "/api/v2/teams", m{"name": "Theirs"}).Want(t, 201).ID("data.id")
		set := rival.Do("POST", "/api/v2/permission-sets", m{"name": "Theirs", "rules": []m{}}).Want(t, 201).ID("data.id")
		admin.Do("POST", "/api/v2/permission-sets", m{"name": "Ours", "rules": []m{}}).Want(t, 201)
		rule := func(more ...any) m {
			r := m{"resource": "agent", "action": "edit"}
			for i := 0; i < len(more); i += 2 {
				r[more[i].(string)] = more[i+1]
			}
			return m{"name": "x", "rules": []m{r}}
		}
		for name, c := range map[string]struct {
			body   any
			status int
		}{
			"no name":                   {m{"rules": []m{}}, 400},
			"a blank one":               {m{"name": "  ", "rules": []m{}}, 400},
			"the name of a role":        {m{"name": "global admin", "rules": []m{}}, 400},
			"the name of a right":       {m{"name": "agent:edit", "rules": []m{}}, 400},
			"a name that is taken":      {m{"name": "Ours", "rules": []m{}}, 409},
			"no rules":                  {m{"name": "x"}, 400},
			"rules that are a word":     {m{"name": "x", "rules": "all"}, 400},
			"an unknown resource":       {rule("resource", "moon"), 400},
			"permission itself":         {rule("resource", "permission"), 400},
			"an unknown action":         {rule("action", "fly"), 400},
			"a project without an id":   {rule("scope", "project"), 400},
			"an id without a project":   {rule("scope_id", 1), 400},
			"an unknown team":           {rule("scope", "team", "scope_id", 999_999), 404},
			"another organization's":    {rule("scope", "team", "scope_id", foreign), 404},
			"a corpus within a project": {rule("resource", "corpus", "scope", "project", "scope_id", 1), 400},
			"creating teams in a team":  {rule("resource", "team", "action", "create", "scope", "team", "scope_id", 1), 400},
		} {
			if a := admin.Do("POST", "/api/v2/permission-sets", c.body); a.Status != c.status || a.String("message") == "" {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		for _, id := range []int64{set, 999_999} {
			path := fmt.Sprintf("/api/v2/permission-sets/%d", id)
			admin.Do("GET", path, nil).Want(t, 404)
			admin.Do("PUT", path, m{"name": "x"}).Want(t, 404)
			admin.Do("DELETE", path, nil).Want(t, 404)
		}
	})
}

func TestRightsAreToldToOneselfAndToAdministrators(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin := h.Admin(t)
		ann, bob := somebodyAt(t, h, "ann@example.com"), somebodyAt(t, h, "bob@example.com")
		id, _ := madeAgent(t, ann.Client, m{"name": "Ducks"})
		of := func(who int64, rest string) string { return fmt.Sprintf("/api/v2/users/%d/rights%s", who, rest) }
		mine := ann.Do("GET", of(ann.id, ""), nil).Want(t, 200)
		if mine.String("data.role") != "User" || mine.String("data.rights.0.resource") != "organization" || mine.At("data.rights.0.allowed") != true ||
			!strings.HasPrefix(mine.String("data.rights.0.reason"), "your role User may view") {
			t.Errorf("%s", mine.Body)
		}
		if theirs := admin.Do("GET", of(ann.id, ""), nil).Want(t, 200); !strings.HasPrefix(theirs.String("data.rights.0.reason"), "their role User may view") {
			t.Errorf("%s", theirs.Body)
		}
		bob.Do("GET", of(ann.id, ""), nil).Want(t, 403)
		admin.Do("GET", of(999_999, ""), nil).Want(t, 404)
		h.Neighbour(t).Do("GET", of(ann.id, ""), nil).Want(t, 404)
		ann.Do("GET", of(ann.id, "?resource=agent"), nil).Want(t, 400)
		ann.Do("GET", of(ann.id, "?id=1"), nil).Want(t, 400)
		one := fmt.Sprintf("?resource=agent&id=%d", id)
		if a := admin.Do("GET", of(bob.id, one), nil).Want(t, 200); a.At("data.rights.0.allowed") != false || !strings.Contains(a.String("data.rights.0.reason"), "they own it") {
			t.Errorf("%s", a.Body)
		}
		bob.Do("GET", of(bob.id, one), nil).Want(t, 404)
	})
}
