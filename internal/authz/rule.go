package authz

import (
	"fmt"
	"slices"
	"strings"
)

// Breadth says how far a Rule reaches.
type Breadth string

const (
	WholeOrganization Breadth = "organization"
	OneProject        Breadth = "project" // the project and its agents
	OneTeam           Breadth = "team"    // the team, its projects and their agents
)

// Rule is one line of a permission set: an action on a resource, within a
// breadth. A person's rules add up; none takes anything away.
type Rule struct {
	Resource Resource `json:"resource"`
	Action   Action   `json:"action"`
	Breadth  Breadth  `json:"scope"`
	ID       int64    `json:"scope_id,omitempty"` // of the project or team
	// From says where it comes from, in words: the permission set X, the right x:y.
	From string `json:"-"`
}

// grantable are the resources that rules may name, with the breadths they
// have. Permissions are not among them: who could give those could give all.
var grantable = map[Resource][]Breadth{
	User:         {WholeOrganization},
	Team:         {WholeOrganization, OneTeam},
	Project:      {WholeOrganization, OneProject, OneTeam},
	Agent:        {WholeOrganization, OneProject, OneTeam},
	Corpus:       {WholeOrganization},
	Document:     {WholeOrganization},
	Notification: {WholeOrganization},
	FeatureFlag:  {WholeOrganization},
	LLMConfig:    {WholeOrganization},
	Audit:        {WholeOrganization},
}

// Check tells in words what is wrong with a rule.
func (r Rule) Check() error {
	breadths, ok := grantable[r.Resource]
	switch {
	case !ok:
		return fmt.Errorf("no rule can be about %q; it can be about %s", r.Resource, listed(Grantable()))
	case !slices.Contains(Actions(), r.Action):
		return fmt.Errorf("%q is no action; the actions are %s", r.Action, listed(Actions()))
	case !slices.Contains(breadths, r.Breadth):
		return fmt.Errorf("a rule about %s cannot have the scope %q; it can have %s", r.Resource.some(), r.Breadth, listed(breadths))
	case (r.Breadth == WholeOrganization) != (r.ID == 0):
		return fmt.Errorf("scope_id is the id of the project or team, and is left out for the organization")
	case r.Action == Create && r.Breadth != WholeOrganization && r.Resource != Agent:
		return fmt.Errorf("creating %s concerns the whole organization", r.Resource.some())
	}
	return nil
}

// allows tells whether the rule is about the action: a right to do anything to
// a thing is a right to see it.
func (r Rule) allows(a Action, on Resource) bool {
	return r.Resource == on && (r.Action == a || a == View)
}

// Grantable are the resources that rules may be about.
func Grantable() []Resource {
	var out []Resource
	for _, r := range Resources() {
		if _, ok := grantable[r]; ok {
			out = append(out, r)
		}
	}
	return out
}

// Right reads "agent:edit" as a rule over the whole organization.
func Right(s string) (Rule, error) {
	resource, action, _ := strings.Cut(s, ":")
	r := Rule{Resource: Resource(resource), Action: Action(action), Breadth: WholeOrganization, From: "the right " + s}
	return r, r.Check()
}

func listed[T ~string](items []T) string {
	words := make([]string, len(items))
	for i, x := range items {
		words[i] = string(x)
	}
	return strings.Join(words, ", ")
}
