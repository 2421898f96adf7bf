package permission

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Verdict is whether something is allowed, and why.
type Verdict struct {
	Action  authz.Action `json:"action" enum:"view,use,create,edit,delete,manage"`
	Allowed bool         `json:"allowed"`
	Reason  string       `json:"reason"`
}

// tables are where the rows stand that rights can be explained of.
var tables = map[authz.Resource]string{
	authz.Agent: "agent", authz.Corpus: "corpus", authz.Project: "project", authz.Team: "team", authz.Document: "document",
}

// onRows are the actions that are done to a row that is there.
var onRows = []authz.Action{authz.View, authz.Use, authz.Edit, authz.Delete, authz.Manage}

// Visible is the scoped loader for those who need only to know that a row is
// there: 404 when it is unknown or not visible to the caller.
func Visible(ctx context.Context, q db.Querier, sc authz.Scope, r authz.Resource, id int64) error {
	see, args := sc.Where(authz.View, r, "x")
	_, err := db.One[int64](ctx, q, `SELECT x.id FROM `+tables[r]+` x WHERE x.id = ? AND x.is_deleted = FALSE AND `+see, append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("%s %d is unknown or not visible to you; check the id", r, id)
	}
	return err
}

// check is a condition of the query that explains: one clause of one action.
type check struct {
	action authz.Action
	why    string
	sql    string
	args   []any
}

// bits is the text of a 1 or 0 for each check, as an SQL expression.
func bits(checks []check) (string, []any) {
	sql, args := "''", []any{}
	for _, c := range checks {
		sql += " || CASE WHEN " + c.sql + " THEN '1' ELSE '0' END"
		args = append(args, c.args...)
	}
	return sql, args
}

// reason is the first check of the action that held.
func reason(checks []check, held string, a authz.Action) (string, bool) {
	for i, c := range checks {
		if c.action == a && held[i] == '1' {
			return c.why, true
		}
	}
	return "", false
}

// Explain tells what a principal may do to a row, in one query over the very
// clauses that reads and writes are narrowed by. The caller has loaded the row.
func Explain(ctx context.Context, q db.Querier, p *authz.Principal, r authz.Resource, id int64) ([]Verdict, error) {
	sc := authz.For(p)
	var checks []check
	for _, a := range onRows {
		for _, c := range sc.Clauses(a, r) {
			sql, args := c.Row("x")
			checks = append(checks, check{a, c.Why, sql, args})
		}
	}
	sql, args := bits(checks)
	held, err := db.One[string](ctx, q, `SELECT `+sql+` FROM `+tables[r]+` x WHERE x.id = ? AND x.org_id = ? AND x.is_deleted = FALSE`, append(args, id, p.OrgID)...)
	if errors.Is(err, db.ErrNone) {
		return nil, fail.NotFound("%s %d is unknown or not visible to you; check the id", r, id)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Verdict, 0, len(onRows))
	for _, a := range onRows {
		v := Verdict{Action: a}
		if d := sc.Can(authz.To(a, r)); !d.Allowed {
			v.Reason = d.Reason
		} else if v.Reason, v.Allowed = reason(checks, held, a); !v.Allowed {
			v.Reason = missing(checks, a)
		}
		out = append(out, v)
	}
	return out, nil
}

// missing says what would allow an action that nothing allows.
func missing(checks []check, a authz.Action) string {
	var either []string
	for _, c := range checks {
		if c.action == a && !slices.Contains(either, c.why) {
			either = append(either, c.why)
		}
	}
	if len(either) == 0 {
		return "nobody may do this"
	}
	return "it would be allowed if one of these held: " + strings.Join(either, "; ")
}

// Of is Explain in words about somebody else, unless they ask about themselves.
func Of(ctx context.Context, q db.Querier, sc authz.Scope, p *authz.Principal, r authz.Resource, id int64) ([]Verdict, error) {
	out, err := Explain(ctx, q, p, r, id)
	for i := range out {
		out[i].Reason = to(sc, p.UserID, out[i].Reason)
	}
	return out, err
}

var third = map[string]string{"you": "they", "your": "their", "yours": "theirs"}

// to is a reason in the person in which it is told.
func to(sc authz.Scope, about int64, why string) string {
	if about == sc.User() {
		return why
	}
	words := strings.Split(why, " ")
	for i, w := range words {
		bare := strings.TrimRight(w, ",;:")
		other, ok := third[bare]
		if bare == "you" && i > 0 && words[i-1] == "lets" {
			other = "them"
		}
		if ok {
			words[i] = other + w[len(bare):]
		}
	}
	return strings.Join(words, " ")
}

// Person is somebody, in short.
type Person struct {
	ID        int64  `json:"id" db:"id"`
	Email     string `json:"email" db:"email"`
	FirstName string `json:"first_name" db:"first_name"`
	LastName  string `json:"last_name" db:"last_name"`
}

// Reach is what somebody may do to a thing.
type Reach struct {
	User    Person     `json:"user"`
	Role    authz.Role `json:"role" enum:"Global Admin,Application Admin,User" doc:"In the organization."`
	Actions []Why      `json:"actions" nullable:"false"`
}

// Why is something that is allowed.
type Why struct {
	Action authz.Action `json:"action" enum:"view,use,edit,delete,manage"`
	Reason string       `json:"reason"`
}

// Asked narrows who is listed.
type Asked struct {
	api.Paging
	Action string `query:"action" enum:"view,use,edit,delete,manage" default:"view" doc:"Only those who may do this."`
}

// anybody stands for the person in clauses that are asked of everyone at once;
// no person has this id.
const anybody = math.MinInt64

// everyone are the checks of all people (u) on one row (x): what their role
// gives, and what a permission set or right gives that somebody holds. It is for
// the resources whose roles may all do everything as far as the row allows.
func everyone(ctx context.Context, q db.Querier, org int64, r authz.Resource) ([]check, error) {
	var out []check
	add := func(cs []authz.Clause, a authz.Action, of string, ofArgs ...any) {
		for _, c := range cs {
			sql, args := c.Row("x")
			sql, args = forEach(sql, args)
			out = append(out, check{a, c.Why, "(" + of + " AND " + sql + ")", slices.Concat(ofArgs, args)})
		}
	}
	ghost := func(role authz.Role, rules ...authz.Rule) authz.Scope {
		return authz.For(&authz.Principal{OrgID: org, UserID: anybody, Role: role, Scopes: []string{"*"}, Rules: rules})
	}
	for _, a := range onRows {
		for _, role := range authz.Roles() {
			add(ghost(role).Clauses(a, r), a, "u.role = ?", string(role))
		}
	}
	held, err := heldBy(ctx, q, org)
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		for _, a := range onRows {
			base := len(ghost(authz.Member).Clauses(a, r)) // what rules add comes behind
			add(ghost(authz.Member, h.rules...).Clauses(a, r)[base:], a,
				"EXISTS (SELECT 1 FROM user_permission up WHERE up.user_id = u.id AND up.kind = ? AND up.name = ?)", h.kind, h.name)
		}
	}
	return out, nil
}

// forEach puts the person's column where the clause has anybody.
func forEach(sql string, args []any) (string, []any) {
	var b strings.Builder
	rest := []any{}
	n := 0
	for _, c := range sql {
		if c != '?' {
			b.WriteRune(c)
			continue
		}
		if args[n] == any(int64(anybody)) {
			b.WriteString("u.id")
		} else {
			b.WriteByte('?')
			rest = append(rest, args[n])
		}
		n++
	}
	return b.String(), rest
}

type held struct {
	kind, name string
	rules      []authz.Rule
}

// heldBy are the permission sets and rights that anybody of the organization holds.
func heldBy(ctx context.Context, q db.Querier, org int64) ([]held, error) {
	type line struct {
		Kind  string       `db:"kind"`
		Name  string       `db:"name"`
		Rules []authz.Rule `db:"rules,json"`
	}
	lines, err := db.All[line](ctx, q, `SELECT DISTINCT up.kind, up.name, COALESCE(s.rules, '[]') AS rules FROM user_permission up
		LEFT JOIN permission_set s ON s.id = up.set_id AND s.is_deleted = FALSE WHERE up.org_id = ? AND up.kind <> 'role' ORDER BY up.kind, up.name`, org)
	if err != nil {
		return nil, err
	}
	out := make([]held, 0, len(lines))
	for _, l := range lines {
		h := held{l.Kind, l.Name, l.Rules}
		if l.Kind == "right" {
			r, err := authz.Right(l.Name)
			if err != nil {
				continue // a right of an older release
			}
			h.rules = []authz.Rule{r}
		}
		for i := range h.rules {
			if l.Kind == "set" {
				h.rules[i].From = "the permission set " + l.Name
			}
		}
		out = append(out, h)
	}
	return out, nil
}

var peopleBy = map[string]string{"created_on": "u.created_on", "email": "u.email", "first_name": "lower(u.first_name)", "last_name": "lower(u.last_name)"}

// PeopleSort are the fields that a list of people can be ordered by.
func PeopleSort() []string { return []string{"created_on", "email", "first_name", "last_name"} }

// Who is a page of the people who may do an action to a row, with all that each
// may do to it and why. The caller has loaded the row for Manage.
func Who(ctx context.Context, q db.Querier, sc authz.Scope, r authz.Resource, id int64, f Asked) ([]Reach, int, error) {
	checks, err := everyone(ctx, q, sc.Org(), r)
	if err != nil {
		return nil, 0, err
	}
	where, args := `u.org_id = ? AND u.is_deleted = FALSE AND u.is_active = TRUE AND (1 = 0`, []any{id, sc.Org()}
	for _, c := range checks {
		if string(c.action) == f.Action {
			where, args = where+" OR "+c.sql, append(args, c.args...)
		}
	}
	type line struct {
		Person
		Role authz.Role `db:"role"`
		Held string     `db:"held"`
	}
	sql, bitArgs := bits(checks)
	lines, total, err := api.Rows[line](ctx, q, f.Paging, api.Listing{
		Columns: `u.id, u.email, u.first_name, u.last_name, u.role, ` + sql + ` AS held`, Given: bitArgs,
		Tables: `users u JOIN ` + tables[r] + ` x ON x.id = ? AND x.org_id = u.org_id`, Where: where + `)`, Args: args,
		Search: []string{"u.email", "u.first_name || ' ' || u.last_name"}, Order: peopleBy, ID: "u.id",
	})
	out := make([]Reach, len(lines))
	for i, l := range lines {
		out[i] = Reach{User: l.Person, Role: l.Role, Actions: []Why{}}
		for _, a := range onRows {
			if why, ok := reason(checks, l.Held, a); ok {
				out[i].Actions = append(out[i].Actions, Why{a, to(sc, l.ID, why)})
			}
		}
	}
	return out, total, err
}

// Right is what somebody may do to a kind of thing, or to one thing.
type Right struct {
	Resource authz.Resource `json:"resource"`
	Verdict
}

// Rights are all that somebody may do.
type Rights struct {
	User   Person     `json:"user"`
	Role   authz.Role `json:"role" enum:"Global Admin,Application Admin,User"`
	Rights []Right    `json:"rights" nullable:"false"`
}

// Rights tells what somebody may do to every kind of thing, or to the one named:
// about oneself, and for administrators about everybody.
func (s *Permissions) Rights(ctx context.Context, sc authz.Scope, userID int64, r authz.Resource, id int64) (Rights, error) {
	if (r == "") != (id == 0) {
		return Rights{}, fail.Invalid("resource and id go together; send both or neither")
	}
	person, p, err := s.principal(ctx, sc, userID)
	if err != nil {
		return Rights{}, err
	}
	out := Rights{User: person, Role: p.Role, Rights: []Right{}}
	if r != "" {
		if err := Visible(ctx, s.db, sc, r, id); err != nil {
			return Rights{}, err
		}
		found, err := Of(ctx, s.db, sc, p, r, id)
		for _, v := range found {
			out.Rights = append(out.Rights, Right{r, v})
		}
		return out, err
	}
	for _, r := range authz.Resources() {
		for _, a := range authz.Actions() {
			d := authz.Decide(p, authz.To(a, r))
			out.Rights = append(out.Rights, Right{r, Verdict{a, d.Allowed, to(sc, userID, d.Reason)}})
		}
	}
	return out, nil
}

// principal is a person with what they are when signed in.
func (s *Permissions) principal(ctx context.Context, sc authz.Scope, userID int64) (Person, *authz.Principal, error) {
	person, err := FindPerson(ctx, s.db, sc, userID)
	if err != nil {
		return person, nil, err
	}
	if userID == sc.User() {
		return person, sc.Principal(), nil
	}
	if sc.Principal().Role == authz.Member {
		return person, nil, fail.Forbidden("you may ask about your own rights only; ask an administrator about those of others")
	}
	p, err := s.people.Principal(ctx, s.db, sc.Org(), userID)
	return person, p, err
}

// FindPerson is the scoped loader of people who are named by an id: 404 when
// unknown or not visible to the caller.
func FindPerson(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (Person, error) {
	see, args := sc.Where(authz.View, authz.User, "u")
	p, err := db.One[Person](ctx, q, `SELECT u.id, u.email, u.first_name, u.last_name FROM users u WHERE u.id = ? AND u.is_deleted = FALSE AND `+see, append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("user %d is unknown or not visible to you; check the id", id)
	}
	return p, err
}
