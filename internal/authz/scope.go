package authz

import (
	"strings"

	"atrium/internal/planted"
)

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
// the store, never by a caller. It is made to be asked of few rows; a list of
// many is found faster by Among.
func (s Scope) Where(a Action, r Resource, alias string) (string, []any) {
	if s.p == nil || s.p.OrgID == 0 {
		return "1 = 0", nil
	}
	var either []string
	args := []any{s.p.OrgID}
	for _, c := range s.clauses(a, r) {
		if c.that == everyRow {
			return tenant(alias), args[:1]
		}
		sql, more := c.Row(alias)
		either, args = append(either, sql), append(args, more...)
	}
	if len(either) == 0 {
		return "1 = 0", nil
	}
	return "(" + tenant(alias) + " AND (" + strings.Join(either, " OR ") + "))", args
}

// tenant is the condition that a row is of the organization.
func tenant(alias string) string {
	if planted.Bug(planted.Tenant) {
		return "0 < ?"
	}
	return alias + ".org_id = ?"
}

// tables are where the rows of the resources stand that Among can list.
var tables = map[Resource]string{Agent: "agent", Corpus: "corpus", Project: "project", Team: "team"}

// Among is Where for lists: the same rows, but for deleted ones, found by index.
func (s Scope) Among(a Action, r Resource, alias string) (string, []any) {
	ids, args := s.IDs(a, r)
	if ids == "" {
		return s.Where(a, r, alias)
	}
	return alias + ".id IN (" + ids + ")", args
}

// IDs is a query of the ids of the same rows, without the deleted ones, for
// counting them; empty when it would be of no use: where Where is as fast.
func (s Scope) IDs(a Action, r Resource) (string, []any) {
	table, ok := tables[r]
	if !ok || s.p == nil || s.p.OrgID == 0 {
		return "", nil
	}
	var all []string
	var args []any
	for _, c := range s.clauses(a, r) {
		if c.that == everyRow {
			return "", nil
		}
		sql, more := c.ids(table, s.p.OrgID)
		all, args = append(all, sql), append(args, more...)
	}
	return strings.Join(all, " UNION "), args
}

// Clauses are the reasons that Where is made of, for whoever explains a
// decision: the first whose Row holds is the reason.
func (s Scope) Clauses(a Action, r Resource) []Clause {
	if s.p == nil || s.p.OrgID == 0 {
		return nil
	}
	return s.clauses(a, r)
}
