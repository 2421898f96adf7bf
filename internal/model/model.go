// Package model holds an organization's model configurations: which language
// model answers, where it is, with which key and at what price. The active one
// answers instead of the server's own model, and an agent may have another.
package model

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/org"
	"atrium/internal/secret"
)

// Kinds of providers.
const (
	OpenAI    = "openai" // and whatever speaks its chat completions
	Anthropic = "anthropic"
	Offline   = "offline" // quotes from the documents, without a model
)

// Parameters go with every request.
type Parameters struct {
	Temperature *float64 `json:"temperature,omitempty" nullable:"true" minimum:"0" maximum:"2" doc:"Where the agent sets none."`
	MaxTokens   *int     `json:"max_tokens,omitempty" nullable:"true" minimum:"1" maximum:"1000000" doc:"The most tokens of an answer."`
}

// Configuration is an organization's model.
type Configuration struct {
	ID              int64      `json:"id" db:"id"`
	Name            string     `json:"name" db:"name"`
	Provider        string     `json:"provider" db:"provider" enum:"openai,anthropic,offline"`
	Model           string     `json:"model" db:"model"`
	Endpoint        string     `json:"endpoint" db:"endpoint" doc:"Empty for the provider's own."`
	Parameters      Parameters `json:"parameters" db:"parameters,json"`
	PromptPrice     float64    `json:"prompt_price" db:"prompt_price" doc:"US dollars a million tokens."`
	CompletionPrice float64    `json:"completion_price" db:"completion_price" doc:"US dollars a million tokens."`
	HasKey          bool       `json:"has_key" db:"has_key" doc:"Whether a key is stored; it is never shown."`
	IsActive        bool       `json:"is_active" db:"is_active" doc:"Whether it answers for the organization."`
	CreatedBy       string     `json:"created_by" db:"created_by"`
	CreatedOn       time.Time  `json:"created_on" db:"created_on"`
	ModifiedBy      string     `json:"modified_by" db:"modified_by"`
	ModifiedOn      time.Time  `json:"modified_on" db:"modified_on"`
}

// Summary is a Configuration in short.
type Summary struct {
	ID       int64  `json:"id" db:"id"`
	Name     string `json:"name" db:"name"`
	Provider string `json:"provider" db:"provider" enum:"openai,anthropic,offline"`
	Model    string `json:"model" db:"model"`
	IsActive bool   `json:"is_active" db:"is_active"`
}

// Where a Deployment comes from.
const (
	FromServer        = "server settings"
	FromConfiguration = "configuration"
)

// Deployment says which model answers now.
type Deployment struct {
	Provider        string `json:"provider" enum:"openai,anthropic,offline"`
	Model           string `json:"model"`
	ConfigurationID *int64 `json:"configuration_id" nullable:"true"`
	Source          string `json:"source" enum:"server settings,configuration"`
}

// Fields are what a draft and a patch have in common.
type Fields struct {
	Model           *string      `json:"model,omitempty" nullable:"true" maxLength:"200" doc:"As the provider names it."`
	Endpoint        *string      `json:"endpoint,omitempty" nullable:"true" maxLength:"2000" doc:"The address up to and without /chat/completions or /v1/messages; empty for the provider's own. It has to be on the public internet."`
	Parameters      *Parameters  `json:"parameters,omitempty" doc:"Replaces those before."`
	PromptPrice     *float64     `json:"prompt_price,omitempty" nullable:"true" minimum:"0" maximum:"1000000" doc:"US dollars a million tokens."`
	CompletionPrice *float64     `json:"completion_price,omitempty" nullable:"true" minimum:"0" maximum:"1000000" doc:"US dollars a million tokens."`
	Key             *secret.Text `json:"key,omitempty" nullable:"true" maxLength:"1000" doc:"Stored encrypted and never shown; empty takes it away."`
	IsActive        *bool        `json:"is_active,omitempty" nullable:"true" doc:"true makes it answer for the organization instead of the one before; false gives back to the server's model."`
}

// Draft is a configuration to be made.
type Draft struct {
	Name     string `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Provider string `json:"provider" enum:"openai,anthropic,offline" doc:"openai is for whatever speaks its chat completions."`
	Fields
}

// Patch changes a configuration: only what is sent.
type Patch struct {
	Name     *string `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Provider *string `json:"provider,omitempty" nullable:"true" enum:"openai,anthropic,offline"`
	Fields
}

// Options make Models.
type Options struct {
	DB  *db.DB
	Box *secret.Box
	// Client reaches the addresses that people give: one of egress.Guard.Client
	// of a guard that opens no private network.
	Client *http.Client
	// Server is what answers where no configuration is active.
	Server Deployment
}

// Models is everything about model configurations.
type Models struct {
	Options

	mu    sync.Mutex
	built map[int64]built
}

// New makes Models.
func New(o Options) *Models {
	o.Server.Source = FromServer
	return &Models{Options: o, built: map[int64]built{}}
}

const (
	columns = `c.id, c.name, c.provider, c.model, c.endpoint, c.parameters, c.prompt_price, c.completion_price, c.key_sealed <> '' AS has_key, c.is_active,
		c.created_by, c.created_on, c.modified_by, c.modified_on`
	brief = `c.id, c.name, c.provider, c.model, c.is_active`
)

func unknown(id int64) error {
	return fail.NotFound("model configuration %d is unknown or not visible to you; check the id", id)
}

func load[T any](ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action, columns string) (T, error) {
	where, args := sc.Where(a, authz.LLMConfig, "c")
	v, err := db.One[T](ctx, q, `SELECT `+columns+` FROM llm_configuration c WHERE c.id = ? AND c.is_deleted = FALSE AND `+where, append([]any{id}, args...)...)
	if errors.Is(err, db.ErrNone) {
		err = unknown(id)
	}
	return v, err
}

// Check refuses the id of a configuration that the caller cannot see.
func Check(ctx context.Context, q db.Querier, sc authz.Scope, id int64) error {
	_, err := load[int64](ctx, q, sc, id, authz.View, "c.id")
	return err
}

// Get is one configuration.
func (m *Models) Get(ctx context.Context, sc authz.Scope, id int64) (Configuration, error) {
	return load[Configuration](ctx, m.DB, sc, id, authz.View, columns)
}

func list[T any](ctx context.Context, q db.Querier, sc authz.Scope, p api.Paging, columns string) ([]T, int, error) {
	where, args := sc.Where(authz.View, authz.LLMConfig, "c")
	return api.Rows[T](ctx, q, p, api.Listing{
		Columns: columns, Tables: `llm_configuration c`, Where: `c.is_deleted = FALSE AND ` + where, Args: args,
		Search: []string{"c.name", "c.model"}, Order: map[string]string{"created_on": "c.created_on", "name": "lower(c.name)"}, ID: "c.id",
	})
}

// List is a page of the organization's configurations.
func (m *Models) List(ctx context.Context, sc authz.Scope, p api.Paging) ([]Configuration, int, error) {
	return list[Configuration](ctx, m.DB, sc, p, columns)
}

// Summaries is List in short, for an organization that has to be the caller's.
func (m *Models) Summaries(ctx context.Context, sc authz.Scope, orgID int64, p api.Paging) ([]Summary, int, error) {
	if err := org.Own(sc, orgID); err != nil {
		return nil, 0, err
	}
	return list[Summary](ctx, m.DB, sc, p, brief)
}

// Active is the configuration that answers for the organization.
func (m *Models) Active(ctx context.Context, sc authz.Scope, orgID int64) (Summary, error) {
	if err := org.Own(sc, orgID); err != nil {
		return Summary{}, err
	}
	where, args := sc.Where(authz.View, authz.LLMConfig, "c")
	v, err := db.One[Summary](ctx, m.DB, `SELECT `+brief+` FROM llm_configuration c WHERE c.is_active = TRUE AND c.is_deleted = FALSE AND `+where, args...)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("no model configuration is active; the server's own model answers, see model-deployment")
	}
	return v, err
}

// Deployed says which model answers for the organization now.
func (m *Models) Deployed(ctx context.Context, sc authz.Scope, orgID int64) (Deployment, error) {
	c, err := m.Active(ctx, sc, orgID)
	if fail.Is(err, fail.CodeNotFound) && orgID == sc.Org() {
		return m.Server, nil
	}
	return Deployment{Provider: c.Provider, Model: c.Model, ConfigurationID: &c.ID, Source: FromConfiguration}, err
}

// Create makes a configuration.
func (m *Models) Create(ctx context.Context, sc authz.Scope, d Draft) (Configuration, error) {
	var out Configuration
	err := m.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		c := Configuration{Name: strings.TrimSpace(d.Name), Provider: d.Provider}
		if err := d.apply(&c); err != nil {
			return err
		}
		if err := org.Lock(ctx, tx, sc.Org()); err != nil {
			return err
		}
		now := time.Now()
		id, err := db.One[int64](ctx, tx, `INSERT INTO llm_configuration (org_id, name, provider, model, endpoint, parameters, prompt_price, completion_price, key_sealed, is_active, is_deleted,
			created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', FALSE, FALSE, ?, ?, ?, ?) RETURNING id`,
			sc.Org(), c.Name, c.Provider, c.Model, c.Endpoint, db.JSON(c.Parameters), c.PromptPrice, c.CompletionPrice, sc.Email(), now, sc.Email(), now)
		if err != nil {
			return named(err, c.Name)
		}
		audit.About(ctx, id)
		out, err = m.finish(ctx, tx, sc, id, d.Fields)
		return err
	})
	return out, err
}

// finish stores what needs the row's id, and reads the row back.
func (m *Models) finish(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, f Fields) (Configuration, error) {
	if f.Key != nil {
		sealed := ""
		if *f.Key != "" {
			sealed = m.Box.Seal(*f.Key, place(sc.Org(), id))
		}
		if _, err := db.Exec(ctx, tx, `UPDATE llm_configuration SET key_sealed = ? WHERE id = ? AND org_id = ?`, sealed, id, sc.Org()); err != nil {
			return Configuration{}, err
		}
	}
	if f.IsActive != nil {
		if err := activate(ctx, tx, sc, id, *f.IsActive); err != nil {
			return Configuration{}, err
		}
	}
	return load[Configuration](ctx, tx, sc, id, authz.View, columns)
}

func place(orgID, id int64) secret.Place {
	return secret.Place{Table: "llm_configuration", OrgID: orgID, RowID: id}
}

// activate makes one the only active one of the organization, or none; the
// organization is locked.
func activate(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64, active bool) error {
	if active {
		if _, err := db.Exec(ctx, tx, `UPDATE llm_configuration SET is_active = FALSE WHERE org_id = ? AND is_active = TRUE AND id <> ?`, sc.Org(), id); err != nil {
			return err
		}
	}
	_, err := db.Exec(ctx, tx, `UPDATE llm_configuration SET is_active = ?, modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, active, sc.Email(), time.Now(), id, sc.Org())
	return err
}

// Update changes what is sent.
func (m *Models) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (Configuration, error) {
	var out Configuration
	err := m.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := org.Lock(ctx, tx, sc.Org()); err != nil {
			return err
		}
		was, err := load[Configuration](ctx, tx, sc, id, authz.Edit, columns)
		if err != nil {
			return err
		}
		c := was
		if p.Name != nil {
			c.Name = strings.TrimSpace(*p.Name)
		}
		if p.Provider != nil {
			c.Provider = *p.Provider
		}
		if moved := p.Endpoint != nil && tidy(*p.Endpoint) != was.Endpoint || c.Provider != was.Provider; moved && p.Key == nil {
			// Whoever may change the address must not get the key sent to it.
			p.Key, c.HasKey = new(secret.Text("")), false
		}
		if err := p.apply(&c); err != nil {
			return err
		}
		audit.Tell(ctx, "from", was)
		_, err = db.Exec(ctx, tx, `UPDATE llm_configuration SET name = ?, provider = ?, model = ?, endpoint = ?, parameters = ?, prompt_price = ?, completion_price = ?, modified_by = ?, modified_on = ?
			WHERE id = ? AND org_id = ?`, c.Name, c.Provider, c.Model, c.Endpoint, db.JSON(c.Parameters), c.PromptPrice, c.CompletionPrice, sc.Email(), time.Now(), id, sc.Org())
		if err != nil {
			return named(err, c.Name)
		}
		out, err = m.finish(ctx, tx, sc, id, p.Fields)
		return err
	})
	return out, err
}

func named(err error, name string) error {
	if db.IsUnique(err) {
		return fail.Conflict("there is already a model configuration named %q; choose another name", name)
	}
	return err
}

// Delete takes away a configuration that nothing uses.
func (m *Models) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return m.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := org.Lock(ctx, tx, sc.Org()); err != nil {
			return err
		}
		c, err := load[Configuration](ctx, tx, sc, id, authz.Delete, columns)
		if err != nil {
			return err
		}
		if c.IsActive {
			return fail.Conflict("the model configuration %s answers for the organization; activate another or set is_active to false first", c.Name)
		}
		n, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM agent WHERE llm_configuration_id = ? AND org_id = ? AND is_deleted = FALSE`, id, sc.Org())
		if err != nil {
			return err
		}
		if n > 0 {
			return fail.Conflict("the model configuration %s is used by agents (%d); give them another one first", c.Name, n)
		}
		_, err = db.Exec(ctx, tx, `UPDATE llm_configuration SET is_deleted = TRUE, key_sealed = '', modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), id, sc.Org())
		return err
	})
}

// apply sets what was sent, and checks the whole.
func (f Fields) apply(c *Configuration) error {
	set(&c.Model, f.Model)
	set(&c.Endpoint, f.Endpoint)
	set(&c.Parameters, f.Parameters)
	set(&c.PromptPrice, f.PromptPrice)
	set(&c.CompletionPrice, f.CompletionPrice)
	if f.Key != nil {
		c.HasKey = *f.Key != ""
		for _, r := range string(*f.Key) {
			if r <= ' ' || r > '~' {
				return fail.InvalidField("key", "key: a key has no spaces and no letters beyond ASCII; copy it again")
			}
		}
	}
	c.Model, c.Endpoint = strings.TrimSpace(c.Model), tidy(c.Endpoint)
	if c.Provider == Offline {
		if c.Endpoint != "" || c.HasKey {
			return fail.Invalid("the provider offline calls nobody; leave endpoint and key out")
		}
		return nil
	}
	if c.Model == "" {
		return fail.InvalidField("model", "model: name the model as its provider does")
	}
	return checkEndpoint(c.Endpoint, c.HasKey)
}

func tidy(endpoint string) string { return strings.TrimRight(strings.TrimSpace(endpoint), "/") }

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

// checkEndpoint refuses what is wrong by its spelling; where a name leads is
// looked at when it is called.
func checkEndpoint(s string, hasKey bool) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return fail.InvalidField("endpoint", "endpoint: this is no address such as https://models.example.com/v1")
	}
	if err := egress.Check(u); err != nil {
		return fail.InvalidField("endpoint", "endpoint: %s", fail.As(err).Message)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); u.Scheme != "https" && hasKey && (err != nil || !ip.IsLoopback()) {
		return fail.InvalidField("endpoint", "endpoint: the key would be sent unencrypted; give an address that begins with https://")
	}
	return nil
}
