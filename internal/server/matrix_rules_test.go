package server_test

import (
	"fmt"
	"strings"

	"atrium/internal/api"
	"atrium/internal/authz"
)

// What the matrix cannot know of an operation by itself is said here.

// leastCells there are, of the issue that made the matrix; there are more.
const leastCells = 20_000

// fixed are path parameters that name no row.
var fixed = map[string][]thing{
	"provider": {{"home", "google", -1}},
	"flag":     {{"home", "caching", -1}},
}

// standsFor says what a parameter of an operation is, where its name does not.
var standsFor = map[string]string{
	"getCitation name":                 "citation",
	"getChatThreadCorpus corpus_id":    "attachment",
	"linkChatThreadCorpus corpus_id":   "attachment",
	"unlinkChatThreadCorpus corpus_id": "attachment",
}

// inPath says it for the families of addresses.
func inPath(path, param string) (string, bool) {
	for _, x := range []struct{ path, param, kind string }{
		{"/teams/{team_id}/users/{user_id}", "user_id", "team member"},
		{"/projects/{project_id}/users/{user_id}", "user_id", "project member"},
		{"/agents/{agent_id}/users/{user_id}", "user_id", "agent member"},
		{"/corpora/{corpus_id}/permissions/users/{user_id}", "user_id", "corpus viewer"},
		{"/corpora/{corpus_id}/permissions/{permission_id}", "permission_id", "corpus grant"},
		{"/users/{user_id}/permissions/{permission_id}", "permission_id", "user permission"},
		{"/users/{user_id}/permissions/{permission_id}", "user_id", "user with permission"},
		{"/feature-flags/{", "name", "flag"},
	} {
		if x.param == param && strings.Contains(path, x.path) {
			return x.kind, true
		}
	}
	return "", false
}

// asks are the operations that answer although their rows are not yet durable:
// the matrix cannot take them back, and their answers differ by their ids.
var asks = map[string]bool{"askAgent": true, "streamAgent": true}

// rule is what an operation demands of the things in its path, all of the
// person's own organization.
type rule func(m *matrix, p *human, o api.Op, x at) verdict

// special are the operations whose rule is their own.
var special = map[string]rule{
	"getActiveConfiguration": func(*matrix, *human, api.Op, at) verdict { return anyhow }, // none is active
	"getUserByEmail": func(m *matrix, p *human, _ api.Op, _ at) verdict {
		if p.org == m.admin.org && (p.role != "User" || p.email == "eve@home.example") {
			return passes
		}
		return isUnknown
	},
	"listUserPermissions": aboutOneself,
	"getUserRights":       aboutOneself,
	"getPermissionSet":    forAdmins,
	"removeTeamUser":      leaving,
	"removeProjectUser":   leaving,
	"removeAgentUser":     leaving,
	"listAgentRights":     managing,
	"getUserAgentPermission": func(m *matrix, p *human, o api.Op, x at) verdict {
		if x.chosen[1].id == fmt.Sprint(p.id) || p.role != "User" {
			return m.plainRow(p, o, x)
		}
		return managing(m, p, o, x)
	},
	"deleteCorpusUserPermission": leaving,
	"deleteCorpusPermission": func(m *matrix, p *human, o api.Op, x at) verdict {
		if p.email == "vic@home.example" && x.varied < 0 { // the grant is theirs
			return passes
		}
		return m.plainRow(p, o, x)
	},
	"listCorpusRights": managing,
	// None of the corpora came with an agent.
	"getDefaultCorpusAgent": func(*matrix, *human, api.Op, at) verdict { return isUnknown },
	"getCitation": func(m *matrix, p *human, _ api.Op, x at) verdict {
		var id int64
		_, _ = fmt.Sscan(m.places["document_id"].of(p.org).id, &id)
		if m.may(p, "use", "document", id) {
			return passes
		}
		return isUnknown
	},
	"listUserAgentResponses": func(_ *matrix, p *human, _ api.Op, x at) verdict {
		if p.role == "Global Admin" || x.chosen[0].id == fmt.Sprint(p.id) {
			return passes
		}
		return mustNot
	},
	"updateUserNotifications": func(_ *matrix, p *human, _ api.Op, x at) verdict {
		if x.chosen[0].id == fmt.Sprint(p.id) {
			return passes
		}
		return mustNot
	},
	"createNotification": func(_ *matrix, p *human, _ api.Op, _ at) verdict {
		if p.role != "User" {
			return passes
		}
		return mustNot // to everybody
	},
}

// managing: needs the action manage on what stands first, whatever the need says.
func managing(m *matrix, p *human, o api.Op, x at) verdict {
	o.Needs = authz.To(authz.Manage, o.Needs.Resource)
	return m.plainRow(p, o, x)
}

// leaving: who may manage a thing takes anybody out, everybody themself.
func leaving(m *matrix, p *human, o api.Op, x at) verdict {
	if x.chosen[1].id == fmt.Sprint(p.id) {
		if x.varied >= 0 {
			return anyhow
		}
		return passes
	}
	return m.plainRow(p, o, x)
}

// aboutOneself: what concerns a person is for them and for admins.
func aboutOneself(_ *matrix, p *human, _ api.Op, x at) verdict {
	if p.role != "User" || x.chosen[0].id == fmt.Sprint(p.id) {
		return passes
	}
	return mustNot
}

func forAdmins(_ *matrix, p *human, _ api.Op, _ at) verdict {
	if p.role != "User" {
		return passes
	}
	return isUnknown
}

// bodies are what to send where the description is not enough.
var bodies = map[string]string{
	"addTeamUsers":    `{"user_ids": [{user_id}]}`,
	"addProjectUsers": `{"user_ids": [{user_id}]}`,
	"addAgentUser":    `{"user_id": {user_id}}`,
}
