package agent

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/feature"
	"atrium/internal/model"
)

// Told is a list of custom instructions as clients send it.
type Told []string

const (
	maxInstructions = 100
	maxInstruction  = 8000
)

// UnmarshalJSON takes a list of strings or of objects with an instruction, or
// either as JSON text; other text is one instruction.
func (t *Told) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		if strings.TrimSpace(text) == "" {
			*t = Told{}
			return nil
		}
		if b = []byte(text); !strings.HasPrefix(strings.TrimSpace(text), "[") || !json.Valid(b) {
			*t = Told{text}
			return nil
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(b, &items); err != nil {
		return err
	}
	out := make(Told, 0, len(items))
	for _, raw := range items {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			var o Instruction
			if err := json.Unmarshal(raw, &o); err != nil {
				return err
			}
			s = o.Instruction
		}
		out = append(out, s)
	}
	*t = out
	return nil
}

// Schema describes the forms that are taken.
func (Told) Schema(api.Registry) *api.Schema {
	most := maxInstructions
	return &api.Schema{AnyOf: []*api.Schema{
		{Type: "array", MaxItems: &most, Items: &api.Schema{Type: "string"}},
		{Type: "array", MaxItems: &most, Items: &api.Schema{
			Type: "object", Required: []string{"instruction"}, AdditionalProperties: true,
			Properties: map[string]*api.Schema{"instruction": {Type: "string"}},
		}},
		{Type: "string", Description: "One of these as JSON text, or one instruction."},
	}}
}

// apply sets what was sent, after checking it.
func (f Fields) apply(r *row) error {
	for name, p := range map[string]*string{
		"description": f.Description, "industry_area": f.IndustryArea, "domain": f.Domain, "prefix_prompt": f.PrefixPrompt, "model": f.Model,
		"language": f.Language, "sample_q1": f.SampleQ1, "sample_q2": f.SampleQ2, "sample_q3": f.SampleQ3,
	} {
		if p != nil && strings.ContainsRune(*p, 0) {
			return fail.InvalidField(name, "%s: the character NUL cannot be stored; take it out", name)
		}
	}
	set(&r.Description, f.Description)
	set(&r.IndustryArea, f.IndustryArea)
	set(&r.Domain, f.Domain)
	set(&r.PrefixPrompt, f.PrefixPrompt)
	set(&r.Type, f.Type)
	set(&r.Access, f.Access)
	set(&r.Status, f.Status)
	set(&r.Model, f.Model)
	set(&r.Language, f.Language)
	set(&r.SampleQ1, f.SampleQ1)
	set(&r.SampleQ2, f.SampleQ2)
	set(&r.SampleQ3, f.SampleQ3)
	set(&r.CachingEnabled, f.CachingEnabled)
	set(&r.ChunkCount, f.ChunkCount)
	set(&r.ReactEnabled, f.ReactEnabled)
	set(&r.ReactMax, f.ReactMaxIteration)
	if f.Temperature != nil {
		r.Temperature = f.Temperature
	}
	if f.Tags != nil {
		tags, err := cleanTags(f.Tags)
		if err != nil {
			return err
		}
		r.Tags = tags
	}
	if f.Instructions == nil || *f.Instructions == nil {
		return nil
	}
	return instruct(r, *f.Instructions)
}

// choose sets what depends on the organization: its model configurations, and
// whether its agents may be shared with the world.
func (f Fields) choose(ctx context.Context, tx *db.Tx, sc authz.Scope, old row, r *row) error {
	if r.Access == string(Public) && old.Access != r.Access {
		if err := feature.Refuse(ctx, tx, sc.Org(), feature.ShareAgent); err != nil {
			return err
		}
	}
	switch {
	case f.LLMConfig == nil:
		return nil
	case *f.LLMConfig == 0:
		r.LLMConfig = nil
		return nil
	}
	r.LLMConfig = f.LLMConfig
	return model.Check(ctx, tx, sc, *f.LLMConfig)
}

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

func instruct(r *row, told Told) error {
	if len(told) > maxInstructions {
		return fail.InvalidField("custom_instructions", "custom_instructions: at most %d are kept; send fewer", maxInstructions)
	}
	r.Instructions = make([]Instruction, 0, len(told))
	for i, s := range told {
		if len(s) > maxInstruction || strings.ContainsRune(s, 0) {
			return fail.InvalidField("custom_instructions", "custom_instructions: number %d is longer than %d bytes or holds the character NUL; shorten it", i+1, maxInstruction)
		}
		r.Instructions = append(r.Instructions, Instruction{ID: int64(i + 1), Instruction: s})
	}
	return nil
}

func cleanName(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", fail.InvalidField("name", "name: an agent needs a name")
	case strings.ContainsRune(s, 0):
		return "", fail.InvalidField("name", "name: the character NUL cannot be stored; take it out")
	}
	return s, nil
}

func cleanTags(tags []string) ([]string, error) {
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		t = strings.TrimSpace(t)
		if t == "" || slices.Contains(out, t) {
			continue
		}
		if len(t) > 100 || strings.ContainsRune(t, 0) {
			return nil, fail.InvalidField("tags", "tags: a tag is at most 100 bytes, without the character NUL")
		}
		out = append(out, t)
	}
	return out, nil
}
