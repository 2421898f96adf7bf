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
)

// Resource is a kind of thing that permission is about.
type Resource string

const (
	Organization Resource = "organization"
	User         Resource = "user"
	APIKey       Resource = "api_key"
	Project      Resource = "project"
	Agent        Resource = "agent"
	Corpus       Resource = "corpus"
	Document     Resource = "document"
	Thread       Resource = "chat_thread"
	Response     Resource = "agent_response"
)

// Action is what is done to a Resource.
type Action string

const (
	View   Action = "view"   // see it
	Use    Action = "use"    // ask it, quote from it
	Create Action = "create" // make a new one
	Edit   Action = "edit"   // change it
	Delete Action = "delete" // remove it
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
	if !inScopes(p.Scopes, n) {
		return Decision{false, fmt.Sprintf("this API key lacks the scope %s; use a key that has it", n)}
	}
	if !slices.Contains(roleActions(p.Role, n.Resource), n.Action) {
		return Decision{false, fmt.Sprintf("your role %s may not %s a %s; ask an administrator", p.Role, n.Action, n.Resource)}
	}
	return Decision{true, fmt.Sprintf("your role %s may %s a %s", p.Role, n.Action, n.Resource)}
}

func inScopes(scopes []string, n Need) bool {
	for _, s := range scopes {
		if s == "*" || s == string(n.Resource)+":*" || s == "*:"+string(n.Action) || s == n.String() {
			return true
		}
	}
	return false
}

var (
	everything = []Action{View, Use, Create, Edit, Delete}
	looking    = []Action{View, Use}
)

// roleActions is the table of what a role may do, before rows are looked at.
func roleActions(r Role, on Resource) []Action {
	switch r {
	case GlobalAdmin:
		return everything
	case ApplicationAdmin:
		if on == Organization {
			return looking
		}
		return everything
	case Member:
		switch on {
		case Organization, User, Project:
			return looking
		default:
			return everything
		}
	}
	return nil
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

// Resources are all kinds of things that permission is about.
func Resources() []Resource {
	return []Resource{Organization, User, APIKey, Project, Agent, Corpus, Document, Thread, Response}
}

type scopeKey struct{}

// With puts the scope of a principal into the context; only the gate and the
// runner of jobs call it.
func With(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
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
