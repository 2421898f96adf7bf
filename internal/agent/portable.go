package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/feature"
	"atrium/internal/model"
	"atrium/internal/org"
	"atrium/internal/permission"
	"atrium/internal/project"
)

// Portable is an agent as a bundle carries it. What belongs to an organization
// is called by its name: the project, the model configuration (never its key),
// the people.
type Portable struct {
	Name              string               `json:"name"`
	Description       string               `json:"description"`
	IndustryArea      string               `json:"industry_area"`
	Domain            string               `json:"domain"`
	Type              string               `json:"type"`
	PrefixPrompt      string               `json:"prefix_prompt"`
	Instructions      []string             `json:"instructions"`
	Access            string               `json:"access"`
	Status            string               `json:"status"`
	Project           string               `json:"project"`
	LLMConfig         string               `json:"llm_configuration,omitempty"`
	Model             string               `json:"model"`
	Temperature       *float64             `json:"temperature"`
	Language          string               `json:"language"`
	Tags              []string             `json:"tags"`
	SampleQ1          string               `json:"sample_q1"`
	SampleQ2          string               `json:"sample_q2"`
	SampleQ3          string               `json:"sample_q3"`
	Starters          []string             `json:"conversation_starters,omitempty"`
	CachingEnabled    bool                 `json:"caching_enabled"`
	ChunkCount        int                  `json:"chunk_count"`
	ReactEnabled      bool                 `json:"react_enabled"`
	ReactMaxIteration int                  `json:"react_max_iteration_count"`
	People            []PortablePerson     `json:"people"`
	Corpora           []PortableConnection `json:"corpora"`
}

// PortablePerson is somebody on the agent, by their address.
type PortablePerson struct {
	Email string `json:"email" db:"email"`
	Role  string `json:"role" db:"role"`
}

// PortableConnection is a corpus that the agent quotes. Corpus counts the
// corpora of the bundle from 1; 0: it was left out.
type PortableConnection struct {
	ID        int64  `json:"-" db:"corpus_id"`
	Corpus    int    `json:"corpus" db:"-"`
	Name      string `json:"name" db:"name"`
	IsEnabled bool   `json:"is_enabled" db:"is_enabled"`
	IsDefault bool   `json:"is_default" db:"is_default"`
}

// PortableColumns are the columns of each table that a bundle carries.
func PortableColumns() map[string][]string {
	return map[string][]string{
		"agent": {
			"owner_id", "name", "description", "industry_area", "domain", "type", "prefix_prompt", "instructions", "access", "status", "project_id", "llm_configuration_id",
			"model", "temperature", "language", "tags", "sample_q1", "sample_q2", "sample_q3", "caching_enabled", "chunk_count", "react_enabled", "react_max_iteration_count",
		},
		"agent_user":    {"user_id", "role"},
		"agent_corpus":  {"corpus_id", "is_enabled", "is_default"},
		"agent_starter": {"ordinal", "question"},
	}
}

// Unported are the columns that a bundle leaves out, with the reason.
func Unported() map[string]string {
	return map[string]string{
		"org_id": "the other organization's", "id": "given anew", "agent_id": "given anew", "is_deleted": "deleted ones stay", "is_guide": "each organization has its own",
		"created_by": "whoever imports it", "created_on": "when it is imported", "modified_by": "whoever imports it", "modified_on": "when it is imported",
	}
}

// Export is an agent that the caller may manage, with what it quotes.
func (s *Agents) Export(ctx context.Context, sc authz.Scope, id int64) (Portable, error) {
	r, err := load(ctx, s.db, sc, id, authz.Manage)
	if err != nil {
		return Portable{}, err
	}
	p := Portable{
		Name: r.Name, Description: r.Description, IndustryArea: r.IndustryArea, Domain: r.Domain, Type: r.Type, PrefixPrompt: r.PrefixPrompt, Instructions: []string{},
		Access: r.Access, Status: r.Status, Model: r.Model, Temperature: r.Temperature, Language: r.Language, Tags: r.Tags, SampleQ1: r.SampleQ1, SampleQ2: r.SampleQ2, SampleQ3: r.SampleQ3,
		CachingEnabled: r.CachingEnabled, ChunkCount: r.ChunkCount, ReactEnabled: r.ReactEnabled, ReactMaxIteration: r.ReactMax,
	}
	for _, x := range r.Instructions {
		p.Instructions = append(p.Instructions, x.Instruction)
	}
	starters, err := storedStarters(ctx, s.db, r)
	if err != nil {
		return p, err
	}
	for _, x := range starters {
		p.Starters = append(p.Starters, x.Question)
	}
	if p.Project, err = project.Name(ctx, s.db, sc, r.ProjectID); err != nil {
		return p, err
	}
	if r.LLMConfig != nil {
		if p.LLMConfig, err = model.Name(ctx, s.db, sc, *r.LLMConfig); err != nil {
			return p, err
		}
	}
	table, args := members(id)
	if p.People, err = db.All[PortablePerson](ctx, s.db, `SELECT u.email, m.role FROM `+table+` m JOIN users u ON u.id = m.user_id AND u.is_deleted = FALSE ORDER BY m.place, u.email`, args...); err != nil {
		return p, err
	}
	p.Corpora, err = db.All[PortableConnection](ctx, s.db, `SELECT x.corpus_id, c.name, x.is_enabled, x.is_default FROM agent_corpus x
		JOIN corpus c ON c.id = x.corpus_id AND c.org_id = x.org_id AND c.is_deleted = FALSE WHERE x.agent_id = ? AND x.org_id = ? ORDER BY x.id`, id, sc.Org())
	return p, err
}

// Check tells what of an agent cannot be as it says; corpora is how many the
// bundle has.
func (p Portable) Check(corpora int) error {
	_, known := typeNamed(p.Type)
	switch {
	case !known, !slices.Contains([]Access{OnlyMe, Team, Everyone, Public}, Access(p.Access)), !slices.Contains([]Status{Live, Inactive}, Status(p.Status)),
		p.ChunkCount < 1, p.ChunkCount > 100, p.ReactMaxIteration < 1, p.ReactMaxIteration > 50, p.Temperature != nil && !(*p.Temperature >= 0 && *p.Temperature <= 2),
		len(p.Tags) > 50, len(p.Starters) > maxStarters, slices.ContainsFunc(p.Starters, func(q string) bool { return len(q) > 4*500 }), len(p.People) > 10_000, len(p.Corpora) > 10_000:
		return malformed("settings")
	}
	for _, x := range []struct {
		text string
		most int
	}{
		{p.Name, 200}, {p.Description, 4000}, {p.IndustryArea, 200}, {p.Domain, 200}, {p.PrefixPrompt, 32000}, {p.Model, 200}, {p.Language, 50}, {p.SampleQ1, 500}, {p.SampleQ2, 500}, {p.SampleQ3, 500},
	} {
		if len(x.text) > 4*x.most {
			return malformed("settings")
		}
	}
	for _, x := range p.People {
		if !slices.Contains([]string{RoleOwner, RoleAdmin, RoleMember}, x.Role) {
			return malformed("people")
		}
	}
	defaults := 0
	for _, x := range p.Corpora {
		if x.IsDefault {
			defaults++
		}
		if x.Corpus < 0 || x.Corpus > corpora {
			return malformed("corpora")
		}
	}
	if defaults > 1 {
		return malformed("corpora")
	}
	return nil
}

func malformed(what string) error {
	return fail.Conflict("the bundle is not well formed: the %s of the agent cannot be; export it again", what)
}

// Import makes the agent within a transaction; the caller owns it. corpora are
// the ids of the bundle's. What this organization does not know is told.
func (s *Agents) Import(ctx context.Context, tx *db.Tx, sc authz.Scope, p Portable, corpora []int64) (id int64, missing []string, err error) {
	if err := feature.Refuse(ctx, tx, sc.Org(), feature.ChatAgentCreation); err != nil {
		return 0, nil, err
	}
	name, err := cleanName(p.Name)
	if err != nil {
		return 0, nil, err
	}
	told := Told(p.Instructions)
	f := Fields{
		Description: &p.Description, IndustryArea: &p.IndustryArea, Domain: &p.Domain, PrefixPrompt: &p.PrefixPrompt, Instructions: &told, Type: &p.Type, Access: &p.Access, Status: &p.Status,
		Model: &p.Model, Temperature: p.Temperature, Language: &p.Language, Tags: p.Tags, SampleQ1: &p.SampleQ1, SampleQ2: &p.SampleQ2, SampleQ3: &p.SampleQ3,
		CachingEnabled: &p.CachingEnabled, ChunkCount: &p.ChunkCount, ReactEnabled: &p.ReactEnabled, ReactMaxIteration: &p.ReactMaxIteration,
	}
	say := func(format string, args ...any) { missing = append(missing, fmt.Sprintf(format, args...)) }
	r := newRow(sc, name)
	if r.ProjectID, err = project.Called(ctx, tx, sc, p.Project); errors.Is(err, db.ErrNone) {
		say("the project %s is not known here or not yours to use; the agent is in the default project", p.Project)
		r.ProjectID, err = org.DefaultProject(ctx, tx, sc.Org())
	}
	if err != nil {
		return 0, nil, err
	}
	if p.LLMConfig != "" {
		known, err := model.Called(ctx, tx, sc, p.LLMConfig)
		switch {
		case errors.Is(err, db.ErrNone):
			say("the model configuration %s is not known here; the agent uses what answers in the organization", p.LLMConfig)
		case err != nil:
			return 0, nil, err
		default:
			f.LLMConfig = &known
		}
	}
	if err := f.apply(&r); err != nil {
		return 0, nil, err
	}
	if err := f.choose(ctx, tx, sc, newRow(sc, name), &r); err != nil {
		return 0, nil, err
	}
	if id, err = insert(ctx, tx, r); err != nil {
		return 0, nil, err
	}
	audit.About(ctx, id)
	if r.ID = id; len(p.Starters) > 0 {
		questions, err := cleanStarters(p.Starters)
		if err == nil {
			err = storeStarters(ctx, tx, sc, &r, questions)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	unmet, err := s.importPeople(ctx, tx, sc, id, p)
	missing = append(missing, unmet...)
	if err != nil {
		return 0, nil, err
	}
	unmet, err = s.importConnections(ctx, tx, sc, id, p, corpora)
	return id, append(missing, unmet...), err
}

func (s *Agents) importPeople(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, p Portable) (missing []string, err error) {
	may := sc.Can(authz.To(authz.Manage, authz.Agent)).Allowed
	for _, x := range p.People {
		user, err := permission.PersonCalled(ctx, tx, sc, x.Email)
		switch {
		case errors.Is(err, db.ErrNone):
			missing = append(missing, fmt.Sprintf("%s is not known here and was not given the role %s on the agent %s", x.Email, x.Role, p.Name))
			continue
		case err != nil:
			return nil, err
		case user == sc.User():
			continue
		case !may:
			missing = append(missing, fmt.Sprintf("your key may not say who uses an agent, so %s was not given the role %s on %s", x.Email, x.Role, p.Name))
			continue
		}
		if x.Role == RoleOwner {
			x.Role = RoleAdmin
		}
		if _, err := db.Exec(ctx, tx, `INSERT INTO agent_user (org_id, agent_id, user_id, role) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, sc.Org(), id, user, x.Role); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// importConnections connects the corpora that came along; an agent whose default
// corpus did not gets an empty one.
func (s *Agents) importConnections(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, p Portable, corpora []int64) (missing []string, err error) {
	hasDefault := false
	for _, x := range p.Corpora {
		if x.Corpus == 0 {
			missing = append(missing, fmt.Sprintf("the corpus %s is not in the bundle and was not connected", x.Name))
			continue
		}
		hasDefault = hasDefault || x.IsDefault
		if _, err := connect(ctx, tx, sc, id, corpora[x.Corpus-1], x.IsDefault, x.IsEnabled); err != nil {
			return nil, err
		}
	}
	if hasDefault {
		return missing, nil
	}
	c, err := s.corpora.Create(ctx, tx, sc, corpus.Draft{Name: p.Name + "_Default", Description: "Default corpus of the agent " + p.Name + "."})
	if err != nil {
		return nil, err
	}
	_, err = connect(ctx, tx, sc, id, c.ID, true, true)
	return missing, err
}
