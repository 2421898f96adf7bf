// Package authz is the one place that decides who may do what.
//
// A Principal is whoever sent a request, however they carried their proof. An
// operation declares a Need; Decide says whether the principal's role and key
// scopes allow it at all. Which rows it reaches is the Scope's business: only
// this package makes a Scope, every read and write of tenant data takes one,
// and its Where is part of the SQL, so that a foreign row is simply not found.
package authz

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"atrium/internal/db"
	"atrium/internal/planted"
)

// Resource is a kind of thing that permission is about.
type Resource string

const (
	Organization Resource = "organization"
	User         Resource = "user"
	Permission   Resource = "permission" // of a user, and permission sets
	Session      Resource = "session"
	APIKey       Resource = "api_key"
	Team         Resource = "team"
	Project      Resource = "project"
	Agent        Resource = "agent"
	Corpus       Resource = "corpus"
	Document     Resource = "document"
	Thread       Resource = "chat_thread"
	Response     Resource = "agent_response"
	Notification Resource = "notification"
	FeatureFlag  Resource = "feature_flag"
	LLMConfig    Resource = "llm_configuration"
	Audit        Resource = "audit_event"
)

// Action is what is done to a Resource.
type Action string

const (
	View   Action = "view"   // see it
	Use    Action = "use"    // ask it, quote from it
	Create Action = "create" // make a new one
	Edit   Action = "edit"   // change it
	Delete Action = "delete" // remove it
	Manage Action = "manage" // say who belongs to it and who may reach it
)

// Need is what an operation demands: an action on a resource, or nothing but
// a reason why it is public.
type Need struct {
	Resource Resource
	Action   Action
	public   string
}

// To is the need for an action on a resource.
func To(a Action, r Resource) Need { return Need{Resource: r, Action: a} }

// Public is the need of an operation that anyone may call; why is published.
func Public(why string) Need { return Need{public: why} }

// IsZero tells that no need was declared, which no operation may do.
func (n Need) IsZero() bool { return n == Need{} }

// IsPublic tells that no principal is needed.
func (n Need) IsPublic() bool { return n.public != "" }

// Why is the reason of a public need.
func (n Need) Why() string { return n.public }

func (n Need) String() string {
	if n.IsPublic() {
		return "public"
	}
	return string(n.Resource) + ":" + string(n.Action)
}

// Role is a user's role in the organization.
type Role string

const (
	GlobalAdmin      Role = "Global Admin"
	ApplicationAdmin Role = "Application Admin"
	Member           Role = "User"
)

// Carrier says how the principal proved itself.
type Carrier string

const (
	ByCookie Carrier = "cookie"
	ByToken  Carrier = "token"
	ByKey    Carrier = "api_key"
)

// Principal is a user acting within one organization. Keys act as their owner,
// cut to the key's scopes.
type Principal struct {
	UserID  int64
	OrgID   int64
	Email   string
	Name    string
	Role    Role
	Carrier Carrier
	// SessionID or KeyID names the credential, so that it can be ended.
	SessionID int64
	KeyID     int64
	// Scopes of a key: "agent:view", "agent:*", "*:view" or "*". A session has "*".
	Scopes []string
	// Rules are what the permission sets and rights allow that the person holds.
	Rules []Rule
}

// Decision is an answer with its reason, which may be shown.
type Decision struct {
	Allowed bool
	Reason  string
}

// Decide says whether the principal may do what the need names at all; rows
// are narrowed by the Scope afterwards.
func Decide(p *Principal, n Need) Decision {
	if n.IsPublic() {
		return Decision{true, n.public}
	}
	if p == nil {
		return Decision{false, "sign in first"}
	}
	if !inScopes(p.Scopes, n) && !planted.Bug(planted.Scopes) {
		return Decision{false, fmt.Sprintf("this API key lacks the scope %s; use a key that has it", n)}
	}
	if slices.Contains(roleActions(p.Role, n.Resource), n.Action) {
		return Decision{true, fmt.Sprintf("your role %s may %s %s", p.Role, n.Action, n.Resource.some())}
	}
	for _, r := range p.Rules {
		if r.allows(n.Action, n.Resource) {
			return Decision{true, fmt.Sprintf("%s lets you %s %s", r.From, n.Action, n.Resource.some())}
		}
	}
	return Decision{false, fmt.Sprintf("your role %s may not %s %s; ask an administrator", p.Role, n.Action, n.Resource.some())}
}

// some is the resource in a sentence.
func (r Resource) some() string {
	words := strings.ReplaceAll(string(r), "_", " ")
	if r == LLMConfig {
		words = "model configuration"
	}
	if strings.ContainsRune("aeio", rune(words[0])) {
		return "an " + words
	}
	return "a " + words
}

func inScopes(scopes []string, n Need) bool {
	for _, s := range scopes {
		if s == "*" || s == string(n.Resource)+":*" || s == "*:"+string(n.Action) || s == n.String() {
			return true
		}
	}
	return false
}

// Actions are all that can be done.
func Actions() []Action { return []Action{View, Use, Create, Edit, Delete, Manage} }

// Resources are all kinds of things that permission is about.
func Resources() []Resource {
	return []Resource{
		Organization, User, Permission, Session, APIKey, Team, Project, Agent, Corpus, Document, Thread, Response,
		Notification, FeatureFlag, LLMConfig, Audit,
	}
}

// Roles are the organization's, the strongest first.
func Roles() []Role { return []Role{GlobalAdmin, ApplicationAdmin, Member} }

var (
	everything = Actions()
	looking    = []Action{View, Use}
)

// beyond is what the roles below Global Admin may do; a resource that is not
// listed is theirs entirely, as far as the rows are. Global Admins may do
// everything.
var beyond = map[Resource]map[Role][]Action{
	Organization: {ApplicationAdmin: looking, Member: looking},
	User:         {ApplicationAdmin: everything, Member: {View, Use, Edit}}, // Edit: oneself
	Permission:   {ApplicationAdmin: {View}, Member: {View}},                // their own
	Team:         {ApplicationAdmin: everything, Member: {View, Use, Edit, Delete, Manage}},
	Project:      {ApplicationAdmin: everything, Member: {View, Use, Edit, Delete, Manage}},
	FeatureFlag:  {ApplicationAdmin: looking, Member: looking},
	LLMConfig:    {ApplicationAdmin: looking, Member: looking},
	Audit:        {},
}

func roleActions(r Role, on Resource) []Action {
	if !slices.Contains(Roles(), r) {
		return nil
	}
	if below, limited := beyond[on]; limited && r != GlobalAdmin {
		return below[r]
	}
	return everything
}

// Scopes are all that a key can have: a resource and an action, either of
// which may be *, or * alone.
func Scopes() []string {
	out := []string{"*"}
	for _, r := range append(Resources(), "*") {
		for _, a := range append(slices.Clone(everything), "*") {
			out = append(out, string(r)+":"+string(a))
		}
	}
	return out
}

// ValidScope tells whether s may be the scope of a key.
func ValidScope(s string) bool { return slices.Contains(Scopes(), s) }

type scopeKey struct{}

// With puts the scope of a principal into the context, and everything done with
// it behind the database's wall; only the gate calls it. Jobs have no principal:
// their runner puts them behind the wall of their organization.
func With(ctx context.Context, s Scope) context.Context {
	return db.WithOrg(context.WithValue(ctx, scopeKey{}, s), s.Org())
}

// From takes the scope out of the context. It panics when there is none,
// because then the code was reached past the gate.
func From(ctx context.Context) Scope {
	s, ok := ctx.Value(scopeKey{}).(Scope)
	if !ok {
		panic("authz: no scope in the context: reached past the gate")
	}
	return s
}
