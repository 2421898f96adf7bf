// Package permission holds named permission sets and answers what somebody may
// do, and why. It decides nothing: package authz does, and what is told here
// comes from the same clauses that its decisions are made of.
package permission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Set is a named list of rules that can be given to people. What somebody
// holds adds up.
type Set struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Rules       []Rule    `json:"rules" nullable:"false"`
	HeldBy      int       `json:"held_by" doc:"How many people hold it."`
	CreatedBy   string    `json:"created_by"`
	CreatedOn   time.Time `json:"created_on"`
	ModifiedBy  string    `json:"modified_by"`
	ModifiedOn  time.Time `json:"modified_on"`
}

// Rule is one line of a set, as it is sent and shown.
type Rule struct {
	Resource string `json:"resource" maxLength:"50" doc:"What it is about, such as agent."`
	Action   string `json:"action" enum:"view,use,create,edit,delete,manage" doc:"A rule to do anything to a thing is a rule to see it."`
	Scope    string `json:"scope,omitempty" enum:"organization,project,team" doc:"How far it reaches; the whole organization when not given."`
	ScopeID  *int64 `json:"scope_id,omitempty" nullable:"true" minimum:"1" doc:"Id of the project or team."`
}

// Draft is a set to be made.
type Draft struct {
	Name        string `json:"name" minLength:"1" maxLength:"100" pattern:"\\S"`
	Description string `json:"description,omitempty" maxLength:"2000"`
	Rules       []Rule `json:"rules" maxItems:"200"`
}

// Patch changes a set: only what is sent.
type Patch struct {
	Name        *string `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"100" pattern:"\\S"`
	Description *string `json:"description,omitempty" nullable:"true" maxLength:"2000"`
	Rules       []Rule  `json:"rules,omitempty" nullable:"true" maxItems:"200" doc:"Replaces the list."`
}

// People are those whose rights are told; *user.Users is it.
type People interface {
	// Principal is who a person of the organization is when signed in.
	Principal(ctx context.Context, q db.Querier, orgID, userID int64) (*authz.Principal, error)
	// Forget makes changed rights count at once.
	Forget()
}

// Permissions is everything about permission sets and about what is allowed.
type Permissions struct {
	db     *db.DB
	people People
}

// New makes Permissions.
func New(d *db.DB, p People) *Permissions { return &Permissions{d, p} }

// row is a set as stored.
type row struct {
	ID          int64        `db:"id"`
	Name        string       `db:"name"`
	Description string       `db:"description"`
	Rules       []authz.Rule `db:"rules,json"`
	HeldBy      int          `db:"held_by"`
	CreatedBy   string       `db:"created_by"`
	CreatedOn   time.Time    `db:"created_on"`
	ModifiedBy  string       `db:"modified_by"`
	ModifiedOn  time.Time    `db:"modified_on"`
}

const columns = `s.id, s.name, s.description, s.rules, (SELECT COUNT(*) FROM user_permission h WHERE h.set_id = s.id) AS held_by,
	s.created_by, s.created_on, s.modified_by, s.modified_on`

func (r row) set() Set {
	out := Set{ID: r.ID, Name: r.Name, Description: r.Description, Rules: make([]Rule, len(r.Rules)), HeldBy: r.HeldBy,
		CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn}
	for i, x := range r.Rules {
		out.Rules[i] = Rule{Resource: string(x.Resource), Action: string(x.Action), Scope: string(x.Breadth)}
		if x.ID != 0 {
			out.Rules[i].ScopeID = &x.ID
		}
	}
	return out
}

// seen are the sets that the caller sees: administrators all, others their own.
func seen(sc authz.Scope) (string, []any) {
	if p := sc.Principal(); p == nil || p.Role == authz.Member {
		return `s.is_deleted = FALSE AND s.org_id = ? AND s.id IN (SELECT m.set_id FROM user_permission m WHERE m.user_id = ? AND m.kind = 'set')`, []any{sc.Org(), sc.User()}
	}
	return `s.is_deleted = FALSE AND s.org_id = ?`, []any{sc.Org()}
}

func load(ctx context.Context, q db.Querier, sc authz.Scope, id int64) (row, error) {
	see, args := seen(sc)
	r, err := db.One[row](ctx, q, `SELECT `+columns+` FROM permission_set s WHERE s.id = ? AND `+see, append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("permission set %d is unknown or not visible to you; check the id", id)
	}
	return r, err
}

var sortable = map[string]string{"created_on": "s.created_on", "modified_on": "s.modified_on", "name": "lower(s.name)"}

// List is a page of the sets that the caller sees.
func (s *Permissions) List(ctx context.Context, sc authz.Scope, p api.Paging) ([]Set, int, error) {
	where, args := seen(sc)
	return api.Page(ctx, s.db, p, api.Listing{
		Columns: columns, Tables: `permission_set s`, Where: where, Args: args, Search: []string{"s.name", "s.description"}, Order: sortable, ID: "s.id",
	}, row.set)
}

// Get is one set that the caller sees.
func (s *Permissions) Get(ctx context.Context, sc authz.Scope, id int64) (Set, error) {
	r, err := load(ctx, s.db, sc, id)
	return r.set(), err
}

// Create makes a set.
func (s *Permissions) Create(ctx context.Context, sc authz.Scope, d Draft) (Set, error) {
	name, err := cleanName(d.Name)
	if err != nil {
		return Set{}, err
	}
	var id int64
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		rules, err := resolve(ctx, tx, sc, d.Rules)
		if err != nil {
			return err
		}
		now := time.Now()
		id, err = db.One[int64](ctx, tx, `INSERT INTO permission_set (org_id, name, description, rules, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, ?, FALSE, ?, ?, ?, ?) RETURNING id`, sc.Org(), name, d.Description, db.JSON(rules), sc.Email(), now, sc.Email(), now)
		audit.About(ctx, id)
		return taken(err, name)
	})
	if err != nil {
		return Set{}, err
	}
	return s.Get(ctx, sc, id)
}

// Update changes what is sent; whoever holds the set has the new rules at once.
func (s *Permissions) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Set, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := load(ctx, tx, sc, id)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "from", r.set())
		if p.Name != nil {
			if r.Name, err = cleanName(*p.Name); err != nil {
				return err
			}
		}
		if p.Description != nil {
			r.Description = *p.Description
		}
		if p.Rules != nil {
			if r.Rules, err = resolve(ctx, tx, sc, p.Rules); err != nil {
				return err
			}
		}
		now := time.Now()
		if _, err := db.Exec(ctx, tx, `UPDATE permission_set SET name = ?, description = ?, rules = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
			r.Name, r.Description, db.JSON(r.Rules), sc.Email(), now, id, sc.Org()); err != nil {
			return taken(err, r.Name)
		}
		_, err = db.Exec(ctx, tx, `UPDATE user_permission SET name = ?, modified_by = ?, modified_on = ? WHERE set_id = ? AND org_id = ? AND name <> ?`,
			r.Name, sc.Email(), now, id, sc.Org(), r.Name)
		tx.AfterCommit(s.people.Forget)
		return err
	})
	if err != nil {
		return Set{}, err
	}
	return s.Get(ctx, sc, id)
}

// Delete takes a set away, also from those who hold it.
func (s *Permissions) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := load(ctx, tx, sc, id)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "from", r.set())
		if _, err := db.Exec(ctx, tx, `DELETE FROM user_permission WHERE set_id = ? AND org_id = ?`, id, sc.Org()); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, `UPDATE permission_set SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), id, sc.Org())
		tx.AfterCommit(s.people.Forget)
		return err
	})
}

// cleanName refuses names that could be taken for a role or a single right.
func cleanName(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", fail.InvalidField("name", "name: give the permission set a name")
	case strings.ContainsRune(s, ':'):
		return "", fail.InvalidField("name", "name: a colon is kept for single rights such as agent:edit; leave it out")
	case slices.ContainsFunc(authz.Roles(), func(r authz.Role) bool { return strings.EqualFold(string(r), s) }):
		return "", fail.InvalidField("name", "name: %s is a role; choose another name", s)
	}
	return s, nil
}

func taken(err error, name string) error {
	if db.IsUnique(err) {
		return fail.Conflict("a permission set named %s exists already; choose another name", name)
	}
	return err
}

// resolve checks rules; their projects and teams are found as the caller sees them.
func resolve(ctx context.Context, q db.Querier, sc authz.Scope, in []Rule) ([]authz.Rule, error) {
	out := make([]authz.Rule, 0, len(in))
	for i, x := range in {
		r := authz.Rule{Resource: authz.Resource(x.Resource), Action: authz.Action(x.Action), Breadth: authz.Breadth(x.Scope)}
		if r.Breadth == "" {
			r.Breadth = authz.WholeOrganization
		}
		if x.ScopeID != nil {
			r.ID = *x.ScopeID
		}
		if err := r.Check(); err != nil {
			return nil, fail.InvalidField("rules", "rules: number %d: %s", i+1, err)
		}
		of := map[authz.Breadth]authz.Resource{authz.OneProject: authz.Project, authz.OneTeam: authz.Team}[r.Breadth]
		if of != "" {
			if err := Visible(ctx, q, sc, of, r.ID); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out, nil
}
