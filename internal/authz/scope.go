package authz

import "fmt"

// Scope is what a principal can reach. The zero Scope reaches nothing.
type Scope struct {
	p      *Principal
	system bool
}

// For makes the scope of a principal.
func For(p *Principal) Scope { return Scope{p: p} }

// System makes the scope of the server's own work in one organization, such as
// an indexing job. It reaches all rows of that organization and no others.
func System(orgID int64) Scope {
	return Scope{p: &Principal{OrgID: orgID, Role: GlobalAdmin, Email: "system", Scopes: []string{"*"}}, system: true}
}

// Org is the organization that every row is of.
func (s Scope) Org() int64 {
	if s.p == nil {
		return 0
	}
	return s.p.OrgID
}

// User is the acting user, 0 for the system.
func (s Scope) User() int64 {
	if s.p == nil {
		return 0
	}
	return s.p.UserID
}

// Email is what created_by and modified_by say.
func (s Scope) Email() string {
	if s.p == nil {
		return ""
	}
	return s.p.Email
}

// Principal is who acts.
func (s Scope) Principal() *Principal { return s.p }

// IsAdmin tells whether everything in the organization is reached.
func (s Scope) IsAdmin() bool { return s.p != nil && (s.system || s.p.Role == GlobalAdmin) }

// Can decides on a need as the gate does.
func (s Scope) Can(n Need) Decision { return Decide(s.p, n) }

// Where is the SQL predicate, over the table alias, of the rows of a resource
// on which the action is allowed, with its arguments. The alias is written by
// the store, never by a caller.
func (s Scope) Where(a Action, r Resource, alias string) (string, []any) {
	if s.p == nil || s.p.OrgID == 0 {
		return "1 = 0", nil
	}
	sql := alias + ".org_id = ?"
	args := []any{s.p.OrgID}
	if s.IsAdmin() && r != Thread && r != Response {
		return sql, args
	}
	more, margs := s.rows(a, r, alias)
	return "(" + sql + " AND (" + more + "))", append(args, margs...)
}

// rows is the part of the predicate below the organization, a rule a resource.
func (s Scope) rows(a Action, r Resource, alias string) (string, []any) {
	me := s.p.UserID
	switch r {
	case Agent:
		if a == View || a == Use {
			return agentUse(alias), []any{me, me, me, me}
		}
		return agentEdit(alias), []any{me, me, me}
	case Corpus:
		return corpusRows(a, alias), []any{me, me, me}
	case Document:
		if a == Delete {
			a = Edit // whoever may put documents in may take them out
		}
		doc := fmt.Sprintf("EXISTS (SELECT 1 FROM corpus dc WHERE dc.id = %s.corpus_id AND dc.org_id = %s.org_id AND dc.is_deleted = FALSE AND (%s))",
			alias, alias, corpusRows(a, "dc"))
		args := []any{me, me, me}
		if a == Use {
			quoted := fmt.Sprintf(`EXISTS (SELECT 1 FROM agent_corpus qa JOIN agent qg ON qg.id = qa.agent_id AND qg.org_id = qa.org_id
				JOIN corpus qc ON qc.id = qa.corpus_id AND qc.restrict_to_viewers = FALSE
				WHERE qa.corpus_id = %s.corpus_id AND qa.org_id = %s.org_id AND qa.is_enabled = TRUE AND qg.is_deleted = FALSE AND (%s))`,
				alias, alias, agentUse("qg"))
			return doc + " OR " + quoted, append(args, me, me, me, me)
		}
		return doc, args
	case Thread, Response:
		if s.system {
			return "1 = 1", nil
		}
		return alias + ".user_id = ?", []any{me}
	case APIKey:
		return alias + ".user_id = ?", []any{me}
	case User:
		if a == View || s.p.Role == ApplicationAdmin {
			return "1 = 1", nil
		}
		return alias + ".id = ?", []any{me}
	default:
		return "1 = 1", nil
	}
}

// agentUse: the owner, people added, everyone in the organization for Everyone
// and Public, members of the project's teams for Team, admins of the project.
func agentUse(x string) string {
	return fmt.Sprintf(`%[1]s.owner_id = ? OR %[1]s.access IN ('Everyone', 'Public')
		OR EXISTS (SELECT 1 FROM agent_user au WHERE au.agent_id = %[1]s.id AND au.user_id = ?)
		OR EXISTS (SELECT 1 FROM project_user pu WHERE pu.project_id = %[1]s.project_id AND pu.user_id = ? AND pu.role = 'Admin')
		OR (%[1]s.access = 'Team' AND EXISTS (SELECT 1 FROM project_team pt JOIN team_user tu ON tu.team_id = pt.team_id
			WHERE pt.project_id = %[1]s.project_id AND tu.user_id = ?))`, x)
}

// agentEdit: the owner, admins of the agent, admins of its project.
func agentEdit(x string) string {
	return fmt.Sprintf(`%[1]s.owner_id = ?
		OR EXISTS (SELECT 1 FROM agent_user au WHERE au.agent_id = %[1]s.id AND au.user_id = ? AND au.role = 'Admin')
		OR EXISTS (SELECT 1 FROM project_user pu WHERE pu.project_id = %[1]s.project_id AND pu.user_id = ? AND pu.role = 'Admin')`, x)
}

// corpusRows: the owner, and grants to the user or a team of theirs whose role
// is enough: Viewer < Editor < Admin.
func corpusRows(a Action, x string) string {
	roles := "'Viewer', 'Editor', 'Admin'"
	switch a {
	case Create, Edit:
		roles = "'Editor', 'Admin'"
	case Delete:
		roles = "'Admin'"
	}
	return fmt.Sprintf(`%[1]s.owner_id = ?
		OR EXISTS (SELECT 1 FROM corpus_grant cg WHERE cg.corpus_id = %[1]s.id AND cg.role IN (%[2]s) AND cg.user_id = ?)
		OR EXISTS (SELECT 1 FROM corpus_grant cg JOIN team_user tu ON tu.team_id = cg.team_id WHERE cg.corpus_id = %[1]s.id AND cg.role IN (%[2]s) AND tu.user_id = ?)`, x, roles)
}
