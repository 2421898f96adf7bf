package authz

import (
	"slices"
	"strings"

	"atrium/internal/planted"
)

// Clause is one reason for which rows of a resource may be reached. The rows
// that a principal reaches are those of any of its clauses.
type Clause struct {
	Why string // "you own it": completes "allowed, because"
	// that is a condition on the row itself; {x} stands for its alias.
	that string
	args []any
	// on, key and from, when given, demand too that the row's column on is
	// among the values of key in from, which ends with a WHERE condition.
	on, key, from string
	fromArgs      []any
}

// Row is the clause as a predicate over the alias of a row.
func (c Clause) Row(alias string) (string, []any) {
	sql := strings.ReplaceAll(c.that, "{x}", alias)
	if c.from == "" {
		return "(" + sql + ")", c.args
	}
	if sql != "" {
		sql += " AND "
	}
	return "(" + sql + "EXISTS (SELECT 1 FROM " + c.from + " AND " + c.key + " = " + alias + "." + c.on + "))", slices.Concat(c.args, c.fromArgs)
}

// ids is the clause as a query of the ids of its rows, which finds them by
// index where Row would look at every row there is. The + keeps SQLite, which
// counts no rows, from going through all of the organization instead.
func (c Clause) ids(table string, org int64) (string, []any) {
	where, args := "ix.org_id = ? AND ix.is_deleted = FALSE", []any{org}
	if c.that != "" {
		where += " AND " + strings.ReplaceAll(c.that, "{x}", "ix")
		args = append(args, c.args...)
	}
	if c.from != "" {
		where = "+" + where + " AND ix." + c.on + " IN (SELECT " + c.key + " FROM " + c.from + ")"
		args = append(args, c.fromArgs...)
	}
	return "SELECT ix.id FROM " + table + " ix WHERE " + where, args
}

const everyRow = "1 = 1"

// clauses are the reasons of a principal for an action on a resource, below
// the organization. An empty list reaches nothing. Everything that decides on
// rows, and everything that explains a decision, comes from here.
func (s Scope) clauses(a Action, r Resource) []Clause {
	me := s.p.UserID
	if s.system {
		return []Clause{{Why: "it is the server's own work", that: everyRow}}
	}
	own := Clause{Why: "it is yours", that: "{x}.user_id = ?", args: []any{me}}
	if planted.Bug(planted.Owned) {
		own = Clause{that: everyRow}
	}
	switch r { // what not even Global Admins share
	case Thread, Response, Session, APIKey:
		return []Clause{own}
	case Notification:
		if a == View || a == Use {
			return addressed(me)
		}
	}
	if s.p.Role == GlobalAdmin {
		return []Clause{{Why: "Global Admins may do everything in the organization", that: everyRow}}
	}
	var out []Clause
	switch r {
	case User:
		out = s.userClauses(a)
	case Permission:
		out = []Clause{own}
		if s.p.Role == ApplicationAdmin {
			out = append(out, Clause{Why: "Application Admins see the permissions of users", that: everyRow})
		}
	case Team:
		out = teamClauses(a, me)
	case Project:
		out = projectClauses(a, me)
	case Agent:
		out = agentClauses(a, me)
	case Corpus:
		out = corpusClauses(a, me)
	case Document:
		return s.documentClauses(a)
	case Notification:
		out = []Clause{{Why: "you wrote it", that: "{x}.author_id = ?", args: []any{me}}}
	case Organization, FeatureFlag, LLMConfig, Audit: // the role's table has decided
		out = []Clause{{Why: "your role allows it", that: everyRow}}
	default:
	}
	return append(out, s.ruleClauses(a, r)...)
}

const admins = "('Owner', 'Admin')"

func (s Scope) userClauses(a Action) []Clause {
	if a == View || a == Use {
		return []Clause{{Why: "you are of the same organization", that: everyRow}}
	}
	var out []Clause
	if a == Edit {
		out = append(out, Clause{Why: "it is you", that: "{x}.id = ?", args: []any{s.p.UserID}})
	}
	if s.p.Role == ApplicationAdmin {
		out = append(out, Clause{Why: "Application Admins manage users who are no admins", that: "{x}.role = 'User'"})
	}
	return out
}

func teamClauses(a Action, me int64) []Clause {
	if a == View || a == Use {
		return []Clause{{Why: "you are a member of it", on: "id", key: "mu.team_id", from: "team_user mu WHERE mu.user_id = ?", fromArgs: []any{me}}}
	}
	return []Clause{{Why: "you are an Admin of it", on: "id", key: "mu.team_id", from: "team_user mu WHERE mu.role IN " + admins + " AND mu.user_id = ?", fromArgs: []any{me}}}
}

func projectClauses(a Action, me int64) []Clause {
	if a == View || a == Use {
		return []Clause{
			{Why: "it is the organization's default project", that: "{x}.is_default = TRUE"},
			{Why: "you are a member of it", on: "id", key: "pu.project_id", from: "project_user pu WHERE pu.user_id = ?", fromArgs: []any{me}},
			{Why: "you are in one of its teams", on: "id", key: "pt.project_id", from: "project_team pt JOIN team_user tu ON tu.team_id = pt.team_id WHERE tu.user_id = ?", fromArgs: []any{me}},
		}
	}
	return []Clause{{Why: "you are an Admin of it", on: "id", key: "pu.project_id", from: "project_user pu WHERE pu.role IN " + admins + " AND pu.user_id = ?", fromArgs: []any{me}}}
}

func agentClauses(a Action, me int64) []Clause {
	owner := Clause{Why: "you own it", that: "{x}.owner_id = ?", args: []any{me}}
	projectAdmin := Clause{Why: "you are an Admin of its project", on: "project_id", key: "pu.project_id",
		from: "project_user pu WHERE pu.role IN " + admins + " AND pu.user_id = ?", fromArgs: []any{me}}
	if a != View && a != Use {
		return []Clause{owner,
			{Why: "you are an Admin of it", on: "id", key: "au.agent_id", from: "agent_user au WHERE au.role = 'Admin' AND au.user_id = ?", fromArgs: []any{me}},
			projectAdmin,
		}
	}
	return []Clause{owner,
		{Why: "everyone in the organization may use it", that: "{x}.access IN ('Everyone', 'Public')"},
		{Why: "you were added to it", on: "id", key: "au.agent_id", from: "agent_user au WHERE au.user_id = ?", fromArgs: []any{me}},
		projectAdmin,
		{Why: "you are in a team of its project, and its access is Team", that: "{x}.access = 'Team'", on: "project_id", key: "pt.project_id",
			from: "project_team pt JOIN team_user tu ON tu.team_id = pt.team_id WHERE tu.user_id = ?", fromArgs: []any{me}},
		{Why: "you are a member of its project, and its access is Team", that: "{x}.access = 'Team'", on: "project_id", key: "pm.project_id",
			from: "project_user pm WHERE pm.user_id = ?", fromArgs: []any{me}},
	}
}

// corpusClauses: Viewer < Editor < Admin, beside the owner.
func corpusClauses(a Action, me int64) []Clause {
	roles, least := "('Viewer', 'Editor', 'Admin')", "Viewer"
	switch a {
	case Create, Edit:
		roles, least = "('Editor', 'Admin')", "Editor"
	case Delete, Manage:
		roles, least = "('Admin')", "Admin"
	case View, Use:
	}
	return []Clause{
		{Why: "you own it", that: "{x}.owner_id = ?", args: []any{me}},
		{Why: "you were made at least " + least + " of it", on: "id", key: "cg.corpus_id", from: "corpus_grant cg WHERE cg.role IN " + roles + " AND cg.user_id = ?", fromArgs: []any{me}},
		{Why: "a team of yours was made at least " + least + " of it", on: "id", key: "cg.corpus_id",
			from: "corpus_grant cg JOIN team_user tu ON tu.team_id = cg.team_id WHERE cg.role IN " + roles + " AND tu.user_id = ?", fromArgs: []any{me}},
	}
}

// documentClauses: what one may do to a corpus one may do to its documents,
// and an agent quotes its corpora to whoever may use it.
func (s Scope) documentClauses(a Action) []Clause {
	of := a
	if a == Delete {
		of = Edit // whoever may put documents in may take them out
	}
	var either []string
	var args []any
	for _, c := range s.clauses(of, Corpus) {
		sql, more := c.Row("dc")
		either, args = append(either, sql), append(args, more...)
	}
	out := []Clause{{Why: "you may do so to its corpus", on: "corpus_id", key: "dc.id", fromArgs: args,
		from: "corpus dc WHERE dc.is_deleted = FALSE AND (" + strings.Join(either, " OR ") + ")"}}
	if a == Use {
		either, args = nil, nil
		for _, c := range s.clauses(Use, Agent) {
			sql, more := c.Row("qg")
			either, args = append(either, sql), append(args, more...)
		}
		out = append(out, Clause{Why: "an agent that you may use quotes its corpus", on: "corpus_id", key: "qa.corpus_id", fromArgs: args,
			from: `agent_corpus qa JOIN agent qg ON qg.id = qa.agent_id AND qg.org_id = qa.org_id
				JOIN corpus qc ON qc.id = qa.corpus_id AND qc.org_id = qa.org_id AND qc.is_deleted = FALSE AND qc.restrict_to_viewers = FALSE
				WHERE qa.is_enabled = TRUE AND qg.is_deleted = FALSE AND (` + strings.Join(either, " OR ") + ")"})
	}
	return append(out, s.ruleClauses(a, Document)...)
}

// addressed: a notification is for one person, for a team, or for everybody.
func addressed(me int64) []Clause {
	return []Clause{
		{Why: "it is for you", that: "{x}.user_id = ?", args: []any{me}},
		{Why: "it is for everybody", that: "{x}.user_id IS NULL AND {x}.team_id IS NULL"},
		{Why: "it is for a team of yours", on: "team_id", key: "tu.team_id", from: "team_user tu WHERE tu.user_id = ?", fromArgs: []any{me}},
	}
}

// ruleClauses are what the rules add that the person holds.
func (s Scope) ruleClauses(a Action, r Resource) []Clause {
	var out []Clause
	for _, rule := range s.p.Rules {
		if !rule.allows(a, r) {
			continue
		}
		c := Clause{Why: rule.From + " allows it", that: everyRow}
		if r == User && a != View && a != Use {
			c.that = "{x}.role = 'User'" // a right over people is none over admins
		}
		column := map[Resource]string{Agent: "project_id", Project: "id"}[r]
		switch {
		case rule.Breadth == OneProject, rule.Breadth == OneTeam && r == Team:
			if r == Team {
				column = "id"
			}
			c.that, c.args = "{x}."+column+" = ?", []any{rule.ID}
		case rule.Breadth == OneTeam:
			c.that, c.on, c.key, c.from, c.fromArgs = "", column, "rt.project_id", "project_team rt WHERE rt.team_id = ?", []any{rule.ID}
		}
		out = append(out, c)
	}
	return out
}
