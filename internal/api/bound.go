package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Numbers stay where every JSON reader is exact, and text holds no NUL, which
// PostgreSQL cannot store. Both are said in the description and checked before
// an operation runs.
const (
	maxInteger = 1<<53 - 1
	noNUL      = `^[^\x00]*$`
)

// bound puts these limits on everything that operations take.
func (a *API) bound() {
	seen := map[*huma.Schema]bool{}
	var visit func(s *huma.Schema)
	visit = func(s *huma.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if s.Ref != "" {
			visit(a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref))
			return
		}
		limit(s)
		visit(s.Items)
		for _, p := range s.Properties {
			visit(p)
		}
		for _, list := range [][]*huma.Schema{s.OneOf, s.AnyOf, s.AllOf} {
			for _, x := range list {
				visit(x)
			}
		}
		s.PrecomputeMessages()
	}
	for _, path := range a.huma.OpenAPI().Paths {
		for _, op := range operations(path) {
			for _, p := range op.Parameters {
				visit(p.Schema)
			}
			if op.RequestBody != nil {
				for _, m := range op.RequestBody.Content {
					visit(m.Schema)
				}
			}
		}
	}
}

func limit(s *huma.Schema) {
	switch s.Type {
	case huma.TypeInteger:
		if s.Maximum == nil {
			most := float64(maxInteger)
			s.Maximum = &most
		}
		if s.Minimum == nil && s.ExclusiveMinimum == nil {
			least := -float64(maxInteger)
			s.Minimum = &least
		}
	case huma.TypeString:
		if s.Pattern == "" && s.Enum == nil && s.Format == "" {
			s.Pattern, s.PatternDescription = noNUL, "text without the character NUL"
		}
	}
}

// sortable limits the parameter sort of a list to the fields that it knows.
func sortable(op *huma.Operation, fields []string) {
	for _, p := range op.Parameters {
		if p.Name != "sort" || p.In != "query" {
			continue
		}
		p.Schema.Enum = nil
		for _, f := range fields {
			p.Schema.Enum = append(p.Schema.Enum, f, "-"+f)
		}
		p.Schema.MaxLength = nil
		p.Description = "Field to order by; a leading minus turns it round. One of " + strings.Join(fields, ", ") + "."
		p.Schema.Description = p.Description
		p.Schema.PrecomputeMessages()
	}
}
