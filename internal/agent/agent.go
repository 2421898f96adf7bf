// Package agent holds agents: what they are told, which corpora they quote,
// and who may use or change them. Asking them is package response.
package agent

import (
	"context"
	"errors"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/org"
	"atrium/internal/permission"
	"atrium/internal/planted"
	"atrium/internal/project"
)

// Access says who may use an agent; roles say who may change it.
type Access string

const (
	OnlyMe   Access = "Only me"  // the owner, people added, Global Admins
	Team     Access = "Team"     // members of the project's teams
	Everyone Access = "Everyone" // the organization
	Public   Access = "Public"   // the organization, and anyone with the share link
)

// Status says whether an agent answers.
type Status string

const (
	Live     Status = "Live"
	Inactive Status = "Inactive" // refuses questions
)

// Agent as the API shows it.
type Agent struct {
	ID                int64         `json:"id"`
	Type              Type          `json:"agent_type"`
	Instructions      []Instruction `json:"instructions" doc:"Custom instructions, in order."`
	Owner             Owner         `json:"user"`
	Name              string        `json:"agent_name"`
	Description       string        `json:"description"`
	IndustryArea      string        `json:"industry_area"`
	Domain            string        `json:"domain"`
	PrefixPrompt      string        `json:"prefix_prompt" doc:"What the agent is told before every question."`
	Access            Access        `json:"access" enum:"Only me,Team,Everyone,Public"`
	Status            Status        `json:"status" enum:"Live,Inactive"`
	Project           int64         `json:"project" doc:"Id of the project that the agent belongs to."`
	LLMConfig         *int64        `json:"llm_config" nullable:"true" doc:"Id of a model configuration; null for what answers in the organization."`
	Model             string        `json:"model" doc:"Name of the model at the server's provider; empty for its default."`
	Temperature       *float64      `json:"temperature" nullable:"true"`
	Language          string        `json:"language" doc:"Language to answer in; empty for the question's own."`
	Tags              []string      `json:"tags"`
	ToolNames         []string      `json:"connected_tool_names"`
	SampleQ1          string        `json:"sample_q1"`
	SampleQ2          string        `json:"sample_q2"`
	SampleQ3          string        `json:"sample_q3"`
	Alias             *string       `json:"alias" nullable:"true"`
	Image             *string       `json:"agent_image" nullable:"true"`
	CachingEnabled    bool          `json:"caching_enabled"`
	ChunkCount        int           `json:"chunk_count" doc:"The most passages that an answer is based on."`
	ReactEnabled      bool          `json:"react_enabled" doc:"Whether the model may search again while it answers."`
	ReactMaxIteration int           `json:"react_max_iteration_count"`
	IsActive          bool          `json:"is_active"`
	IsDeleted         bool          `json:"is_deleted"`
	CanEdit           bool          `json:"can_edit" doc:"Whether you may change it."`
	CreatedBy         string        `json:"created_by"`
	CreatedOn         time.Time     `json:"created_on"`
	ModifiedBy        string        `json:"modified_by"`
	ModifiedOn        time.Time     `json:"modified_on"`
}

// Owner is the person an agent belongs to, in short.
type Owner struct {
	ID        int64  `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// Type is a kind of agent.
type Type struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// types is the list that every organization starts with.
var types = []Type{
	{1, "QnA", "Answers questions from its knowledge."},
	{2, "Chat", "Talks, and uses its knowledge where that helps."},
	{3, "Custom", "Does what its instructions say."},
}

func typeNamed(name string) (Type, bool) {
	for _, t := range types {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}

// Instruction is one custom instruction.
type Instruction struct {
	ID          int64  `json:"id"`
	Instruction string `json:"instruction"`
}

// Fields are what a draft and a patch have in common.
type Fields struct {
	Description       *string  `json:"description,omitempty" nullable:"true" maxLength:"4000"`
	IndustryArea      *string  `json:"industry_area,omitempty" nullable:"true" maxLength:"200"`
	Domain            *string  `json:"domain,omitempty" nullable:"true" maxLength:"200"`
	PrefixPrompt      *string  `json:"prefix_prompt,omitempty" nullable:"true" maxLength:"32000" doc:"What the agent is told before every question."`
	Instructions      *Told    `json:"custom_instructions,omitempty" doc:"Custom instructions, in order: strings or objects with an instruction, or the same as JSON text. Replaces the list."`
	Type              *string  `json:"type,omitempty" nullable:"true" enum:"QnA,Chat,Custom" doc:"QnA when a new agent names none."`
	Access            *string  `json:"access,omitempty" nullable:"true" enum:"Only me,Team,Everyone,Public"`
	Status            *string  `json:"status,omitempty" nullable:"true" enum:"Live,Inactive"`
	ProjectID         *int64   `json:"project_id,omitempty" nullable:"true" minimum:"1" doc:"The organization's default project when a new agent names none."`
	LLMConfig         *int64   `json:"llm_config_id,omitempty" nullable:"true" minimum:"0" doc:"Id of one of the organization's model configurations; 0 for what answers in the organization."`
	Model             *string  `json:"model,omitempty" nullable:"true" maxLength:"200" doc:"Name of a model at the server's provider; empty for its default."`
	Temperature       *float64 `json:"temperature,omitempty" nullable:"true" minimum:"0" maximum:"2"`
	Language          *string  `json:"language,omitempty" nullable:"true" maxLength:"50"`
	Tags              []string `json:"tags,omitempty" nullable:"true" maxItems:"50" doc:"Replaces the list."`
	SampleQ1          *string  `json:"sample_q1,omitempty" nullable:"true" maxLength:"500"`
	SampleQ2          *string  `json:"sample_q2,omitempty" nullable:"true" maxLength:"500"`
	SampleQ3          *string  `json:"sample_q3,omitempty" nullable:"true" maxLength:"500"`
	CachingEnabled    *bool    `json:"caching_enabled,omitempty" nullable:"true"`
	ChunkCount        *int     `json:"chunk_count,omitempty" nullable:"true" minimum:"1" maximum:"100"`
	ReactEnabled      *bool    `json:"react_enabled,omitempty" nullable:"true"`
	ReactMaxIteration *int     `json:"react_max_iteration_count,omitempty" nullable:"true" minimum:"1" maximum:"50"`
}

// Draft is an agent to be made.
type Draft struct {
	Name string `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Fields
}

// Patch changes an agent: only what is sent.
type Patch struct {
	Name      *string `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	AgentName *string `json:"agent_name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank" doc:"The same as name."`
	Fields
}

// Filter narrows a list of agents.
type Filter struct {
	api.Paging
	Access  string `query:"access" enum:"Only me,Team,Everyone,Public" doc:"Only agents with this access."`
	Status  string `query:"status" enum:"Live,Inactive" doc:"Only agents with this status."`
	Project int64  `query:"project_id" minimum:"1" doc:"Only agents of this project."`
	Tag     string `query:"tag" maxLength:"100" doc:"Only agents with this tag."`
}

// Settings are what package response needs to ask an agent.
type Settings struct {
	ID, OrgID, OwnerID int64
	Name, Prompt       string
	Instructions       []string
	LLMConfig          *int64 // nil: what answers in the organization
	Model              string
	Temperature        *float64
	Language           string
	ChunkCount         int
	React              bool
	MaxIterations      int
	Caching            bool
	Modified           time.Time // names the version of the agent that answers
}

// Agents is everything about agents.
type Agents struct {
	db       *db.DB
	corpora  *corpus.Corpora
	projects *project.Projects
	people   permission.People
}

// Options configure Agents.
type Options struct {
	DB       *db.DB
	Corpora  *corpus.Corpora
	Projects *project.Projects
	People   permission.People // whose rights are explained
}

// New makes Agents.
func New(o Options) *Agents {
	return &Agents{db: o.DB, corpora: o.Corpora, projects: o.Projects, people: o.People}
}

// Create makes an agent, with its default corpus, owned by the caller.
func (s *Agents) Create(ctx context.Context, sc authz.Scope, d Draft) (Agent, error) {
	var id int64
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		var err error
		id, _, err = s.CreateIn(ctx, tx, sc, d)
		return err
	})
	if err != nil {
		return Agent{}, err
	}
	return s.Get(ctx, sc, id)
}

// CreateIn is Create within a transaction; it answers the ids of the agent and
// of its default corpus.
func (s *Agents) CreateIn(ctx context.Context, tx *db.Tx, sc authz.Scope, d Draft) (id, corpusID int64, err error) {
	name, err := cleanName(d.Name)
	if err != nil {
		return 0, 0, err
	}
	r := newRow(sc, name)
	if r.ProjectID, err = s.project(ctx, tx, sc, d.ProjectID); err != nil {
		return 0, 0, err
	}
	if err := d.apply(&r); err != nil {
		return 0, 0, err
	}
	if err := d.choose(ctx, tx, sc, newRow(sc, name), &r); err != nil {
		return 0, 0, err
	}
	if id, err = insert(ctx, tx, r); err != nil {
		return 0, 0, err
	}
	audit.About(ctx, id)
	c, err := s.corpora.Create(ctx, tx, sc, corpus.Draft{Name: name + "_Default", Description: "Default corpus of the agent " + name + "."})
	if err != nil {
		return 0, 0, err
	}
	_, err = connect(ctx, tx, sc, id, c.ID, true, true)
	return id, c.ID, err
}

// Update changes what is sent.
func (s *Agents) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Agent, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err := load(ctx, tx, sc, id, authz.Edit)
		if err != nil {
			return err
		}
		old := r
		for _, n := range []*string{p.AgentName, p.Name} {
			if n == nil {
				continue
			}
			if r.Name, err = cleanName(*n); err != nil {
				return err
			}
		}
		if p.ProjectID != nil {
			if r.ProjectID, err = s.project(ctx, tx, sc, p.ProjectID); err != nil {
				return err
			}
		}
		if err := p.apply(&r); err != nil {
			return err
		}
		if err := p.choose(ctx, tx, sc, old, &r); err != nil {
			return err
		}
		if r.Access != old.Access || r.ProjectID != old.ProjectID { // who may use it changes
			if _, err := load(ctx, tx, sc, id, authz.Manage); err != nil {
				return err
			}
			audit.Tell(ctx, "from", map[string]any{"access": old.Access, "project_id": old.ProjectID})
		}
		r.ModifiedBy, r.ModifiedOn = sc.Email(), time.Now()
		if err := follow(ctx, tx, sc, old, &r); err != nil {
			return err
		}
		return update(ctx, tx, r)
	})
	if err != nil {
		return Agent{}, err
	}
	return s.Get(ctx, sc, id)
}

// Delete takes an agent away; its answers stay for the figures.
func (s *Agents) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, id, authz.Delete); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `UPDATE agent SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), id, sc.Org())
		return err
	})
}

// Usable fails unless the caller may use the agent.
func (s *Agents) Usable(ctx context.Context, sc authz.Scope, id int64) error {
	_, err := load(ctx, s.db, sc, id, authz.Use)
	return err
}

// ToAsk is what is needed to ask an agent that the caller may use.
func (s *Agents) ToAsk(ctx context.Context, sc authz.Scope, id int64) (Settings, error) {
	r, err := load(ctx, s.db, sc, id, authz.Use)
	if err != nil {
		return Settings{}, err
	}
	if Status(r.Status) != Live {
		return Settings{}, fail.Conflict("the agent %s is inactive and answers no questions; ask its owner to make it Live", r.Name)
	}
	told := make([]string, len(r.Instructions))
	for i, x := range r.Instructions {
		told[i] = x.Instruction
	}
	return Settings{
		ID: r.ID, OrgID: r.OrgID, OwnerID: r.OwnerID, Name: r.Name, Prompt: r.PrefixPrompt, Instructions: told, LLMConfig: r.LLMConfig, Model: r.Model,
		Temperature: r.Temperature, Language: r.Language, ChunkCount: r.ChunkCount, React: r.ReactEnabled, MaxIterations: r.ReactMax,
		Caching: r.CachingEnabled, Modified: r.ModifiedOn,
	}, nil
}

// project is the project that an agent goes to: the one named, or the default.
func (s *Agents) project(ctx context.Context, tx *db.Tx, sc authz.Scope, id *int64) (int64, error) {
	if id == nil {
		return org.DefaultProject(ctx, tx, sc.Org())
	}
	if planted.Bug(planted.Body) {
		return *id, nil
	}
	return *id, s.projects.Visible(ctx, tx, sc, *id, authz.Use)
}

func notFound(id int64) error {
	return fail.NotFound("agent %d is unknown or not visible to you; check the id", id)
}

// load is the scoped loader: 404 when the agent is unknown or not visible, 403
// when it is visible but the action is not allowed.
func load(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (row, error) {
	r, err := one(ctx, q, sc, id, a)
	if errors.Is(err, db.ErrNone) {
		return row{}, notFound(id)
	}
	if err == nil && !r.Allowed {
		return row{}, fail.Forbidden("you may use the agent %s but not %s it; ask its owner %s", r.Name, a, r.OwnerEmail)
	}
	return r, err
}
