// Package feature holds the feature flags: switches that an organization sets
// over the defaults of the product. A flag that is off makes the operations
// that name it (api.Op.Feature) answer 403 with that reason.
package feature

import (
	"context"
	"fmt"
	"sync"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Names of the flags that code asks for.
const (
	Caching           = "caching"
	ChatAgentCreation = "chat-agent-creation"
	DeveloperPortal   = "developer-portal"
	ShareAgent        = "share-agent"
)

// Flag as the API shows it.
type Flag struct {
	Name        string `json:"name"`
	IsActive    bool   `json:"is_active"`
	Description string `json:"description"`
}

type kind struct {
	name, noun  string
	operation   string
	active      bool // unless an organization says otherwise
	description string
}

// kinds are all flags there are. Those whose feature is not in the product yet
// are off, so that no client offers it.
var kinds = []kind{
	{"agent-alias", "Agent Alias", "AgentAliasFeatureFlag", false, "Short names that open an agent. Not in this release yet."},
	{"api-tools", "Api Tools", "APIToolsFeatureFlag", false, "Tools that call other services. Not in this release yet."},
	{Caching, "Caching", "CachingFeatureFlag", true, "Answers to a question that was asked before are given again, where the agent allows it."},
	{ChatAgentCreation, "Chat Agent Creation", "ChatAgentCreationFeatureFlag", true, "New agents can be made."},
	{"dall-e", "dall_e Image Generation", "DallEFeatureFlag", false, "Pictures of agents from a description. Not in this release yet."},
	{DeveloperPortal, "Developer Portal", "DeveloperPortalFeatureFlag", true, "People see and make their own API keys."},
	{"guardrail", "Guardrail", "GuardrailFeatureFlag", false, "Checks of questions and answers. Not in this release yet."},
	{"pii-redaction", "PII Redaction", "PIIRedactionFeatureFlag", false, "Personal data is replaced when documents are read. Not in this release yet."},
	{ShareAgent, "Share Agent", "ShareAgentFeatureFlag", true, "Agents can be given the access Public."},
	{"sharepoint-connector", "Sharepoint Connector", "SharepointConnectorFeatureFlag", false, "Connections to SharePoint. Not in this release yet."},
	{"sharepoint-index", "Sharepoint Index", "SharepointIndexFeatureFlag", false, "Documents from SharePoint. Not in this release yet."},
	{"youtube-index", "Youtube Index", "YoutubeIndexFeatureFlag", false, "Transcripts of videos as documents. Not in this release yet."},
}

// Known tells whether there is such a flag.
func Known(name string) bool {
	_, ok := kindOf(name)
	return ok
}

func kindOf(name string) (kind, bool) {
	for _, k := range kinds {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

func unknown(name string) error { return fmt.Errorf("feature: there is no flag %q", name) }

// believed is how long settings are used without looking again; what is
// switched by another process counts after it, in this process at once.
const believed = 750 * time.Millisecond

// settings are what an organization has set over the defaults.
type settings struct {
	set   map[string]bool
	until time.Time
}

// Features answers whether flags are on.
type Features struct {
	db    *db.DB
	mu    sync.Mutex
	cache map[int64]settings
	epoch int // counts what was forgotten, so that nothing older is kept after it
}

// New makes Features.
func New(d *db.DB) *Features { return &Features{db: d, cache: map[int64]settings{}} }

// Active tells whether a flag is on in an organization.
func (f *Features) Active(ctx context.Context, orgID int64, name string) (bool, error) {
	k, ok := kindOf(name)
	if !ok {
		return false, unknown(name)
	}
	set, err := f.settings(ctx, orgID)
	if err != nil {
		return false, err
	}
	return k.in(set), nil
}

func (k kind) in(set map[string]bool) bool {
	if on, said := set[k.name]; said {
		return on
	}
	return k.active
}

func (k kind) flag(set map[string]bool) Flag {
	return Flag{Name: k.name, IsActive: k.in(set), Description: k.description}
}

func (f *Features) settings(ctx context.Context, orgID int64) (map[string]bool, error) {
	f.mu.Lock()
	s, epoch := f.cache[orgID], f.epoch
	f.mu.Unlock()
	if time.Now().Before(s.until) {
		return s.set, nil
	}
	asked := time.Now()
	set, err := read(ctx, f.db, orgID)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch == epoch {
		if len(f.cache) > 10_000 {
			clear(f.cache)
		}
		f.cache[orgID] = settings{set, asked.Add(believed)}
	}
	return set, nil
}

func (f *Features) forget(orgID int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
	delete(f.cache, orgID)
}

func read(ctx context.Context, q db.Querier, orgID int64) (map[string]bool, error) {
	type row struct {
		Name     string `db:"name"`
		IsActive bool   `db:"is_active"`
	}
	rows, err := db.All[row](ctx, q, `SELECT name, is_active FROM feature_flag WHERE org_id = ?`, orgID)
	set := make(map[string]bool, len(rows))
	for _, r := range rows {
		set[r.Name] = r.IsActive
	}
	return set, err
}

// Refuse answers the failure for a flag that is off, within a transaction or
// without; it looks at the database itself.
func Refuse(ctx context.Context, q db.Querier, orgID int64, name string) error {
	k, ok := kindOf(name)
	if !ok {
		return unknown(name)
	}
	set, err := read(ctx, q, orgID)
	if err == nil && !k.in(set) {
		err = fail.Forbidden("the feature %s is switched off in your organization; ask a Global Admin", name)
	}
	return err
}

// List are all flags of the caller's organization.
func (f *Features) List(ctx context.Context, sc authz.Scope) ([]Flag, error) {
	set, err := f.settings(ctx, sc.Org())
	out := make([]Flag, len(kinds))
	for i, k := range kinds {
		out[i] = k.flag(set)
	}
	return out, err
}

// Get is one flag.
func (f *Features) Get(ctx context.Context, sc authz.Scope, name string) (Flag, error) {
	k, ok := kindOf(name)
	if !ok {
		return Flag{}, unknown(name)
	}
	set, err := f.settings(ctx, sc.Org())
	return k.flag(set), err
}

// Set switches a flag for the caller's organization.
func (f *Features) Set(ctx context.Context, sc authz.Scope, name string, active bool) (Flag, error) {
	before, err := f.Get(ctx, sc, name)
	if err != nil {
		return Flag{}, err
	}
	audit.Tell(ctx, "from", before.IsActive)
	defer f.forget(sc.Org())
	err = f.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `INSERT INTO feature_flag (org_id, name, is_active, modified_by, modified_on) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (org_id, name) DO UPDATE SET is_active = excluded.is_active, modified_by = excluded.modified_by, modified_on = excluded.modified_on`,
			sc.Org(), name, active, sc.Email(), time.Now())
		return err
	})
	before.IsActive = active
	return before, err
}

// Flags are all of them.
type Flags struct {
	Items []Flag `json:"items"`
}

type change struct {
	Body struct {
		IsActive bool `json:"is_active"`
	}
}

// Mount declares the operations.
func (f *Features) Mount(a *api.API) {
	const group, path = "Feature Flags", "/api/v2/feature-flags"
	look := authz.To(authz.View, authz.FeatureFlag)
	api.Do(a, api.Op{ID: "listFeatureFlags", Route: "GET " + path, Title: "Get All Feature Flags", Group: group,
		Doc: "What your organization has switched on and off.", Needs: look},
		func(ctx context.Context, _ *struct{}) (Flags, error) {
			items, err := f.List(ctx, authz.From(ctx))
			return Flags{items}, err
		})
	for _, k := range kinds {
		api.Do(a, api.Op{ID: "get" + k.operation, Route: "GET " + path + "/" + k.name, Title: "Get " + k.noun + " Feature Flag", Group: group, Doc: k.description, Needs: look},
			func(ctx context.Context, _ *struct{}) (Flag, error) { return f.Get(ctx, authz.From(ctx), k.name) })
		api.Do(a, api.Op{ID: "set" + k.operation, Route: "PUT " + path + "/" + k.name, Title: "Set " + k.noun + " Feature Flag", Group: group,
			Doc: k.description + " Counts at once on this server, and within a second on every other of the same database.", Message: "Feature flag set", Needs: authz.To(authz.Edit, authz.FeatureFlag)},
			func(ctx context.Context, in *change) (Flag, error) {
				return f.Set(ctx, authz.From(ctx), k.name, in.Body.IsActive)
			})
	}
}
