package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
)

// row is an agent as stored, joined with its owner.
type row struct {
	ID             int64         `db:"id"`
	OrgID          int64         `db:"org_id"`
	ProjectID      int64         `db:"project_id"`
	OwnerID        int64         `db:"owner_id"`
	OwnerEmail     string        `db:"owner_email"`
	OwnerFirst     string        `db:"owner_first"`
	OwnerLast      string        `db:"owner_last"`
	Name           string        `db:"name"`
	Description    string        `db:"description"`
	IndustryArea   string        `db:"industry_area"`
	Domain         string        `db:"domain"`
	Type           string        `db:"type"`
	PrefixPrompt   string        `db:"prefix_prompt"`
	Instructions   []Instruction `db:"instructions,json"`
	Access         string        `db:"access"`
	Status         string        `db:"status"`
	LLMConfig      *int64        `db:"llm_configuration_id"`
	Model          string        `db:"model"`
	Temperature    *float64      `db:"temperature"`
	Language       string        `db:"language"`
	Tags           []string      `db:"tags,json"`
	SampleQ1       string        `db:"sample_q1"`
	SampleQ2       string        `db:"sample_q2"`
	SampleQ3       string        `db:"sample_q3"`
	CachingEnabled bool          `db:"caching_enabled"`
	ChunkCount     int           `db:"chunk_count"`
	ReactEnabled   bool          `db:"react_enabled"`
	ReactMax       int           `db:"react_max_iteration_count"`
	IsDeleted      bool          `db:"is_deleted"`
	CreatedBy      string        `db:"created_by"`
	CreatedOn      time.Time     `db:"created_on"`
	ModifiedBy     string        `db:"modified_by"`
	ModifiedOn     time.Time     `db:"modified_on"`
	Allowed        bool          `db:"allowed"`
}

const columns = `a.id, a.org_id, a.project_id, a.owner_id, u.email AS owner_email, u.first_name AS owner_first, u.last_name AS owner_last,
	a.name, a.description, a.industry_area, a.domain, a.type, a.prefix_prompt, a.instructions, a.access, a.status, a.llm_configuration_id, a.model, a.temperature,
	a.language, a.tags, a.sample_q1, a.sample_q2, a.sample_q3, a.caching_enabled, a.chunk_count, a.react_enabled, a.react_max_iteration_count,
	a.is_deleted, a.created_by, a.created_on, a.modified_by, a.modified_on`

// newRow is an agent with the defaults of the contract.
func newRow(sc authz.Scope, name string) row {
	now := time.Now()
	return row{
		OrgID: sc.Org(), OwnerID: sc.User(), Name: name, Type: types[0].Name, Instructions: []Instruction{}, Tags: []string{},
		Access: string(OnlyMe), Status: string(Live), ChunkCount: 32, ReactEnabled: false, ReactMax: 50,
		CreatedBy: sc.Email(), CreatedOn: now, ModifiedBy: sc.Email(), ModifiedOn: now,
	}
}

// one finds a visible agent, and whether the action is allowed on it.
func one(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (row, error) {
	can, canArgs := sc.Where(a, authz.Agent, "a")
	see, seeArgs := sc.Where(authz.View, authz.Agent, "a")
	args := append(canArgs, id)
	return db.One[row](ctx, q, `SELECT `+columns+`, (`+can+`) AS allowed FROM agent a JOIN users u ON u.id = a.owner_id
		WHERE a.id = ? AND a.is_deleted = FALSE AND `+see, append(args, seeArgs...)...)
}

func insert(ctx context.Context, tx *db.Tx, r row) (int64, error) {
	return db.One[int64](ctx, tx, `INSERT INTO agent (org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt,
		instructions, access, status, llm_configuration_id, model, temperature, language, tags, sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count,
		react_enabled, react_max_iteration_count, is_guide, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE, FALSE, ?, ?, ?, ?) RETURNING id`,
		r.OrgID, r.ProjectID, r.OwnerID, r.Name, r.Description, r.IndustryArea, r.Domain, r.Type, r.PrefixPrompt,
		db.JSON(r.Instructions), r.Access, r.Status, r.LLMConfig, r.Model, r.Temperature, r.Language, db.JSON(r.Tags), r.SampleQ1, r.SampleQ2, r.SampleQ3,
		r.CachingEnabled, r.ChunkCount, r.ReactEnabled, r.ReactMax, r.CreatedBy, r.CreatedOn, r.ModifiedBy, r.ModifiedOn)
}

func update(ctx context.Context, tx *db.Tx, r row) error {
	_, err := db.Exec(ctx, tx, `UPDATE agent SET project_id = ?, name = ?, description = ?, industry_area = ?, domain = ?, type = ?, prefix_prompt = ?,
		instructions = ?, access = ?, status = ?, llm_configuration_id = ?, model = ?, temperature = ?, language = ?, tags = ?, sample_q1 = ?, sample_q2 = ?, sample_q3 = ?,
		caching_enabled = ?, chunk_count = ?, react_enabled = ?, react_max_iteration_count = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`,
		r.ProjectID, r.Name, r.Description, r.IndustryArea, r.Domain, r.Type, r.PrefixPrompt, db.JSON(r.Instructions), r.Access, r.Status, r.LLMConfig, r.Model,
		r.Temperature, r.Language, db.JSON(r.Tags), r.SampleQ1, r.SampleQ2, r.SampleQ3, r.CachingEnabled, r.ChunkCount, r.ReactEnabled, r.ReactMax,
		r.ModifiedBy, r.ModifiedOn, r.ID, r.OrgID)
	return err
}

func (r row) agent() Agent {
	t, _ := typeNamed(r.Type)
	return Agent{
		ID: r.ID, Type: t, Instructions: r.Instructions, Owner: Owner{r.OwnerID, r.OwnerEmail, r.OwnerFirst, r.OwnerLast},
		Name: r.Name, Description: r.Description, IndustryArea: r.IndustryArea, Domain: r.Domain, PrefixPrompt: r.PrefixPrompt,
		Access: Access(r.Access), Status: Status(r.Status), Project: r.ProjectID, LLMConfig: r.LLMConfig, Model: r.Model, Temperature: r.Temperature, Language: r.Language,
		Tags: r.Tags, ToolNames: []string{}, SampleQ1: r.SampleQ1, SampleQ2: r.SampleQ2, SampleQ3: r.SampleQ3, CachingEnabled: r.CachingEnabled,
		ChunkCount: r.ChunkCount, ReactEnabled: r.ReactEnabled, ReactMaxIteration: r.ReactMax, IsActive: Status(r.Status) == Live,
		IsDeleted: r.IsDeleted, CanEdit: r.Allowed, CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn,
	}
}

// Get is one agent that the caller may see.
func (s *Agents) Get(ctx context.Context, sc authz.Scope, id int64) (Agent, error) {
	r, err := one(ctx, s.db, sc, id, authz.Edit)
	if errors.Is(err, db.ErrNone) {
		return Agent{}, notFound(id)
	}
	return r.agent(), err
}

// orders are what agents can be ordered by.
var orders = map[string]string{"created_on": "a.created_on", "modified_on": "a.modified_on", "name": "lower(a.name)", "agent_name": "lower(a.name)"}

func orderNames() []string { return []string{"created_on", "modified_on", "name", "agent_name"} }

// List is a page of the agents that the caller may see.
func (s *Agents) List(ctx context.Context, sc authz.Scope, f Filter) ([]Agent, int, error) {
	return s.list(ctx, sc, authz.View, "", f)
}

// Accessible is a page of the agents that the caller may ask.
func (s *Agents) Accessible(ctx context.Context, sc authz.Scope, f Filter) ([]Agent, int, error) {
	return s.list(ctx, sc, authz.Use, "", f)
}

// OfTeams is a page of the agents in the projects of the caller's teams, as far
// as the caller may see them.
func (s *Agents) OfTeams(ctx context.Context, sc authz.Scope, f Filter) ([]Agent, int, error) {
	return s.list(ctx, sc, authz.View, ` AND a.project_id IN (SELECT pt.project_id FROM project_team pt JOIN team_user tu ON tu.team_id = pt.team_id
		WHERE pt.org_id = ? AND tu.user_id = ?)`, f, sc.Org(), sc.User())
}

// list is a page of the agents on which the action is allowed, narrowed further
// by a condition and its arguments.
func (s *Agents) list(ctx context.Context, sc authz.Scope, action authz.Action, narrow string, f Filter, narrowed ...any) ([]Agent, int, error) {
	order, err := f.Order(orders, "a.id")
	if err != nil {
		return nil, 0, err
	}
	wanted, wantedArgs := f.where()
	if narrow += wanted; narrow != "" {
		return s.search(ctx, sc, action, narrow, order, f, slices.Concat(narrowed, wantedArgs))
	}
	among, args := sc.Among(action, authz.Agent, "a")
	counted, countArgs := `agent a WHERE a.is_deleted = FALSE AND `+among, args
	if ids, idArgs := sc.IDs(action, authz.Agent); ids != "" {
		counted, countArgs = `(`+ids+`) i`, idArgs
	}
	total, err := db.One[int](ctx, s.db, `SELECT COUNT(*) FROM `+counted, countArgs...)
	if err != nil {
		return nil, 0, err
	}
	const many = 500
	indexed := strings.HasPrefix(order, orders["created_on"]) || strings.HasPrefix(order, orders["name"])
	if total > many && f.Offset() < many && indexed {
		// The page is met soon on a walk along the index; finding all first would take longer.
		among, args = sc.Where(action, authz.Agent, "a")
	}
	agents, err := s.page(ctx, sc, among, args, order, f.Limit(), f.Offset())
	return agents, total, err
}

// search is list where it is narrowed: what matches is looked for once, for the page and
// for how many there are.
func (s *Agents) search(ctx context.Context, sc authz.Scope, action authz.Action, narrow, order string, f Filter, args []any) ([]Agent, int, error) {
	among, amongArgs := sc.Among(action, authz.Agent, "a")
	from, args := `agent a WHERE a.is_deleted = FALSE AND `+among+narrow, slices.Concat(amongArgs, args)
	found, err := db.All[struct {
		ID    int64 `db:"id"`
		Total int   `db:"total"`
	}](ctx, s.db, `SELECT a.id, COUNT(*) OVER () AS total FROM `+from+` ORDER BY `+order+` LIMIT ? OFFSET ?`, append(args, f.Limit(), f.Offset())...)
	if err != nil {
		return nil, 0, err
	}
	if len(found) == 0 {
		total := 0
		if f.Offset() > 0 {
			total, err = db.One[int](ctx, s.db, `SELECT COUNT(*) FROM `+from, args...)
		}
		return []Agent{}, total, err
	}
	ids := make([]int64, len(found))
	for i, x := range found {
		ids[i] = x.ID
	}
	marks, in := db.In(ids)
	visible, visibleArgs := sc.Where(action, authz.Agent, "a")
	agents, err := s.page(ctx, sc, `a.id IN (`+marks+`) AND `+visible, slices.Concat(in, visibleArgs), order, len(ids), 0)
	return agents, found[0].Total, err
}

func (s *Agents) page(ctx context.Context, sc authz.Scope, where string, args []any, order string, limit, offset int) ([]Agent, error) {
	can, canArgs := sc.Where(authz.Edit, authz.Agent, "a")
	rows, err := db.All[row](ctx, s.db, `SELECT `+columns+`, (`+can+`) AS allowed FROM agent a JOIN users u ON u.id = a.owner_id
		WHERE a.is_deleted = FALSE AND `+where+` ORDER BY `+order+` LIMIT ? OFFSET ?`, slices.Concat(canArgs, args, []any{limit, offset})...)
	return api.Shaped(rows, row.agent), err
}

// where is what a filter asks of agents, as conditions to be added.
func (f Filter) where() (conditions string, args []any) {
	for _, c := range []struct {
		on  bool
		sql string
		arg any
	}{
		{f.Search != "", `(lower(a.name) LIKE lower(?) ESCAPE '\' OR lower(a.description) LIKE lower(?) ESCAPE '\')`, db.Like(f.Search)},
		{f.Access != "", `a.access = ?`, f.Access},
		{f.Status != "", `a.status = ?`, f.Status},
		{f.Project != 0, `a.project_id = ?`, f.Project},
		{f.Tag != "", `a.tags LIKE ? ESCAPE '\'`, db.Like(quoted(f.Tag))},
	} {
		if c.on {
			conditions += " AND " + c.sql
			args = append(args, slices.Repeat([]any{c.arg}, strings.Count(c.sql, "?"))...)
		}
	}
	return conditions, args
}

// quoted is a tag as it stands in the stored JSON.
func quoted(tag string) string {
	b, err := json.Marshal(tag)
	if err != nil {
		return tag
	}
	return string(b)
}
