package agent

import (
	"context"
	"errors"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
)

// Connection lets an agent quote a corpus.
type Connection struct {
	ID          int64         `json:"id"`
	Agent       Short         `json:"agent"`
	Corpus      corpus.Corpus `json:"corpus"`
	IsEnabled   bool          `json:"is_enabled" doc:"Whether answers use it."`
	IsDefault   bool          `json:"is_default" doc:"Whether it came with the agent."`
	IsDeleted   bool          `json:"is_deleted"`
	CreatedBy   string        `json:"created_by"`
	CreatedOn   time.Time     `json:"created_on"`
	ModifiedBy  string        `json:"modified_by"`
	ModifiedOn  time.Time     `json:"modified_on"`
	ConnectedBy string        `json:"connected_by"`
}

// Short is an agent in few words.
type Short struct {
	ID   int64  `json:"id"`
	Name string `json:"agent_name"`
}

// ConnectionFilter narrows the list of connections.
type ConnectionFilter struct {
	IsEnabled string `query:"is_enabled" enum:"true,false" doc:"Only connections that are enabled, or only those that are not."`
	Verbosity string `query:"verbosity" enum:"low,medium,high" doc:"Accepted for old clients; the answer is always whole."`
}

// Connections is the answer of the list: data.items.agent_corpus.
type Connections struct {
	Items struct {
		AgentCorpus []Connection `json:"agent_corpus"`
	} `json:"items"`
}

type connectionRow struct {
	ID         int64     `db:"id"`
	CorpusID   int64     `db:"corpus_id"`
	IsEnabled  bool      `db:"is_enabled"`
	IsDefault  bool      `db:"is_default"`
	CreatedBy  string    `db:"created_by"`
	CreatedOn  time.Time `db:"created_on"`
	ModifiedBy string    `db:"modified_by"`
	ModifiedOn time.Time `db:"modified_on"`
}

// Connections lists what an agent is connected to. Whoever may use the agent
// sees the corpora it quotes, by name.
func (s *Agents) Connections(ctx context.Context, sc authz.Scope, agentID int64, f ConnectionFilter) (Connections, error) {
	var out Connections
	out.Items.AgentCorpus = []Connection{}
	a, err := load(ctx, s.db, sc, agentID, authz.View)
	if err != nil {
		return out, err
	}
	where, args := "", []any{agentID, sc.Org()}
	if f.IsEnabled != "" {
		where = " AND x.is_enabled = ?"
		args = append(args, f.IsEnabled == "true")
	}
	rows, err := db.All[connectionRow](ctx, s.db, `SELECT x.id, x.corpus_id, x.is_enabled, x.is_default, x.created_by, x.created_on, x.modified_by, x.modified_on
		FROM agent_corpus x JOIN corpus c ON c.id = x.corpus_id AND c.org_id = x.org_id AND c.is_deleted = FALSE
		WHERE x.agent_id = ? AND x.org_id = ?`+where+` ORDER BY x.is_default DESC, x.id`, args...)
	if err != nil {
		return out, err
	}
	for _, r := range rows {
		c, err := s.connection(ctx, s.db, a, r)
		if err != nil {
			return out, err
		}
		out.Items.AgentCorpus = append(out.Items.AgentCorpus, c)
	}
	return out, nil
}

// connection completes a stored connection; the agent was loaded by scope, and
// its connections are part of it, so the corpus is read as the organization's.
func (s *Agents) connection(ctx context.Context, q db.Querier, a row, r connectionRow) (Connection, error) {
	c, err := s.corpora.Visible(ctx, q, authz.System(a.OrgID), r.CorpusID, authz.View)
	return Connection{
		ID: r.ID, Agent: Short{a.ID, a.Name}, Corpus: c, IsEnabled: r.IsEnabled, IsDefault: r.IsDefault,
		CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn, ConnectedBy: r.CreatedBy,
	}, err
}

// Connection is one connection of an agent that the caller may see.
func (s *Agents) Connection(ctx context.Context, sc authz.Scope, agentID, corpusID int64) (Connection, error) {
	a, err := load(ctx, s.db, sc, agentID, authz.View)
	if err != nil {
		return Connection{}, err
	}
	r, err := oneConnection(ctx, s.db, sc, agentID, corpusID)
	if err != nil {
		return Connection{}, err
	}
	return s.connection(ctx, s.db, a, r)
}

func oneConnection(ctx context.Context, q db.Querier, sc authz.Scope, agentID, corpusID int64) (connectionRow, error) {
	r, err := db.One[connectionRow](ctx, q, `SELECT x.id, x.corpus_id, x.is_enabled, x.is_default, x.created_by, x.created_on, x.modified_by, x.modified_on
		FROM agent_corpus x JOIN corpus c ON c.id = x.corpus_id AND c.is_deleted = FALSE WHERE x.agent_id = ? AND x.corpus_id = ? AND x.org_id = ?`, agentID, corpusID, sc.Org())
	if errors.Is(err, db.ErrNone) {
		return r, fail.NotFound("agent %d is not connected to corpus %d; check the ids", agentID, corpusID)
	}
	return r, err
}

// ConnectionPatch says whether answers use a connection.
type ConnectionPatch struct {
	IsEnabled *bool `json:"is_enabled,omitempty" nullable:"true"`
}

// Connect lets an agent quote a corpus: the caller changes the agent and edits
// the corpus. Connecting again changes nothing.
func (s *Agents) Connect(ctx context.Context, sc authz.Scope, agentID, corpusID int64, p ConnectionPatch) (Connection, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, agentID, authz.Edit); err != nil {
			return err
		}
		if err := document.MayOn(ctx, tx, sc, corpusID, authz.Edit); err != nil {
			return err
		}
		if err := touch(ctx, tx, sc, agentID); err != nil {
			return err
		}
		_, err := connect(ctx, tx, sc, agentID, corpusID, false, p.IsEnabled == nil || *p.IsEnabled)
		return err
	})
	if err != nil {
		return Connection{}, err
	}
	return s.Connection(ctx, sc, agentID, corpusID)
}

// connect writes a connection.
func connect(ctx context.Context, tx *db.Tx, sc authz.Scope, agentID, corpusID int64, isDefault, enabled bool) (int64, error) {
	now := time.Now()
	return db.One[int64](ctx, tx, `INSERT INTO agent_corpus (org_id, agent_id, corpus_id, is_enabled, is_default, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (agent_id, corpus_id) DO UPDATE SET is_enabled = excluded.is_enabled RETURNING id`,
		sc.Org(), agentID, corpusID, enabled, isDefault, sc.Email(), now, sc.Email(), now)
}

// UpdateConnection switches a connection on or off.
func (s *Agents) UpdateConnection(ctx context.Context, sc authz.Scope, agentID, corpusID int64, p ConnectionPatch) (Connection, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, agentID, authz.Edit); err != nil {
			return err
		}
		r, err := oneConnection(ctx, tx, sc, agentID, corpusID)
		if err != nil || p.IsEnabled == nil {
			return err
		}
		if *p.IsEnabled && !r.IsEnabled && !r.IsDefault { // it is quoted again, as if it were connected anew
			if err := document.MayOn(ctx, tx, sc, corpusID, authz.Edit); err != nil {
				return err
			}
		}
		if err := touch(ctx, tx, sc, agentID); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, `UPDATE agent_corpus SET is_enabled = ?, modified_by = ?, modified_on = ? WHERE id = ?`, *p.IsEnabled, sc.Email(), time.Now(), r.ID)
		return err
	})
	if err != nil {
		return Connection{}, err
	}
	return s.Connection(ctx, sc, agentID, corpusID)
}

// Disconnect ends connections of an agent: of the corpora named, or all but
// the default one when none is named.
func (s *Agents) Disconnect(ctx context.Context, sc authz.Scope, agentID int64, corpusIDs []int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, agentID, authz.Edit); err != nil {
			return err
		}
		for _, id := range corpusIDs {
			if _, err := oneConnection(ctx, tx, sc, agentID, id); err != nil {
				return err
			}
		}
		where, args := "is_default = FALSE", []any{agentID, sc.Org()}
		if len(corpusIDs) > 0 {
			marks, ids := db.In(corpusIDs)
			where, args = "corpus_id IN ("+marks+")", append(args, ids...)
		}
		if err := touch(ctx, tx, sc, agentID); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, `DELETE FROM agent_corpus WHERE agent_id = ? AND org_id = ? AND `+where, args...)
		return err
	})
}

// touch makes a new version of the agent, because what it may quote changed.
func touch(ctx context.Context, tx *db.Tx, sc authz.Scope, agentID int64) error {
	_, err := db.Exec(ctx, tx, `UPDATE agent SET modified_by = ?, modified_on = ? WHERE id = ? AND org_id = ?`, sc.Email(), time.Now(), agentID, sc.Org())
	return err
}

// CorpusIDs are the corpora that answers of the agent use.
func (s *Agents) CorpusIDs(ctx context.Context, sc authz.Scope, agentID int64) ([]int64, error) {
	where, args := sc.Where(authz.Use, authz.Agent, "a")
	return db.All[int64](ctx, s.db, `SELECT x.corpus_id FROM agent_corpus x JOIN agent a ON a.id = x.agent_id JOIN corpus c ON c.id = x.corpus_id
		WHERE x.agent_id = ? AND x.is_enabled = TRUE AND c.is_deleted = FALSE AND a.is_deleted = FALSE AND c.org_id = a.org_id AND `+where+` ORDER BY x.corpus_id`,
		append([]any{agentID}, args...)...)
}

// CorpusAgents is a page of the connections of a corpus that the caller sees, to
// agents that the caller sees too.
func (s *Agents) CorpusAgents(ctx context.Context, sc authz.Scope, corpusID int64, p api.Paging) ([]Connection, int, error) {
	c, err := s.corpora.Get(ctx, sc, corpusID)
	if err != nil {
		return nil, 0, err
	}
	where, args := sc.Among(authz.View, authz.Agent, "a")
	return api.Page(ctx, s.db, p, api.Listing{
		Columns: quotingColumns, Tables: quoting, Where: `x.corpus_id = ? AND x.org_id = ? AND ` + where, Args: append([]any{corpusID, sc.Org()}, args...),
		Search: []string{"a.name", "a.description"},
		Order:  map[string]string{"created_on": "x.created_on", "modified_on": "x.modified_on", "name": "lower(a.name)"}, ID: "x.id",
	}, func(r quotingRow) Connection { return r.connection(c) })
}

// DefaultAgent is the connection of a corpus to the agent that it came with.
func (s *Agents) DefaultAgent(ctx context.Context, sc authz.Scope, corpusID int64) (Connection, error) {
	c, err := s.corpora.Get(ctx, sc, corpusID)
	if err != nil {
		return Connection{}, err
	}
	where, args := sc.Where(authz.View, authz.Agent, "a")
	r, err := db.One[quotingRow](ctx, s.db, `SELECT `+quotingColumns+` FROM `+quoting+`
		WHERE x.corpus_id = ? AND x.org_id = ? AND x.is_default = TRUE AND `+where+` ORDER BY x.id LIMIT 1`, append([]any{corpusID, sc.Org()}, args...)...)
	if errors.Is(err, db.ErrNone) {
		return Connection{}, fail.NotFound("corpus %d is not the default corpus of an agent that you may see; list its agents instead", corpusID)
	}
	return r.connection(c), err
}

// quotingRow is a connection seen from its corpus.
type quotingRow struct {
	connectionRow

	AgentID   int64  `db:"agent_id"`
	AgentName string `db:"agent_name"`
}

const quoting = `agent_corpus x JOIN agent a ON a.id = x.agent_id AND a.org_id = x.org_id AND a.is_deleted = FALSE`

const quotingColumns = `x.id, x.corpus_id, x.is_enabled, x.is_default, x.created_by, x.created_on, x.modified_by, x.modified_on, a.id AS agent_id, a.name AS agent_name`

func (r quotingRow) connection(c corpus.Corpus) Connection {
	return Connection{
		ID: r.ID, Agent: Short{r.AgentID, r.AgentName}, Corpus: c, IsEnabled: r.IsEnabled, IsDefault: r.IsDefault,
		CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn, ConnectedBy: r.CreatedBy,
	}
}

type corpusIDs struct {
	CorpusIDs []int64 `json:"corpus_ids,omitempty" nullable:"true" maxItems:"1000" doc:"Corpora to disconnect; all but the default one when empty."`
}

// AgentID is the agent in a path.
type AgentID struct {
	ID int64 `path:"agent_id" minimum:"1"`
}

// AgentAndCorpus are the two ends of a connection in a path.
type AgentAndCorpus struct {
	AgentID
	CorpusID int64 `path:"corpus_id" minimum:"1"`
}

// mountConnections declares the operations on connections.
func (s *Agents) mountConnections(a *api.API) {
	const group = "Agents"
	s.mountQuoting(a)
	api.Do(a, api.Op{ID: "listAgentCorpora", Route: "GET /api/v2/agents/{agent_id}/corpora", Title: "Get Agent-Corpus Connections", Group: group,
		Doc: "Whoever may use the agent sees which corpora it quotes.", Needs: authz.To(authz.View, authz.Agent)},
		func(ctx context.Context, in *struct {
			AgentID
			ConnectionFilter
		}) (Connections, error) {
			return s.Connections(ctx, authz.From(ctx), in.ID, in.ConnectionFilter)
		})
	api.Do(a, api.Op{ID: "getAgentCorpus", Route: "GET /api/v2/agents/{agent_id}/corpora/{corpus_id}", Title: "Get Agent-Corpus Connection Details", Group: group,
		Needs: authz.To(authz.View, authz.Agent), Message: "Agent corpus connection fetched successfully."},
		func(ctx context.Context, in *AgentAndCorpus) (Connection, error) {
			return s.Connection(ctx, authz.From(ctx), in.ID, in.CorpusID)
		})
	api.Do(a, api.Op{ID: "connectAgentCorpus", Route: "POST /api/v2/agents/{agent_id}/corpora/{corpus_id}", Title: "Create Agent-Corpus Connection", Group: group, Status: 201,
		Doc:   "Lets the agent quote the corpus to whoever may use the agent. You need to be able to change the agent and to edit the corpus. Connecting again changes nothing.",
		Needs: authz.To(authz.Edit, authz.Agent), Message: "Corpus connected"},
		func(ctx context.Context, in *struct {
			AgentAndCorpus
			Body *ConnectionPatch
		}) (Connection, error) {
			return s.Connect(ctx, authz.From(ctx), in.ID, in.CorpusID, valueOf(in.Body))
		})
	api.Do(a, api.Op{ID: "updateAgentCorpus", Route: "PUT /api/v2/agents/{agent_id}/corpora/{corpus_id}", Title: "Update Agent-Corpus Connection", Group: group,
		Doc: "Switches a connection on or off. Switching one on again needs the corpus rights that connecting does, unless it came with the agent.", Needs: authz.To(authz.Edit, authz.Agent), Message: "Connection updated"},
		func(ctx context.Context, in *struct {
			AgentAndCorpus
			Body ConnectionPatch
		}) (Connection, error) {
			return s.UpdateConnection(ctx, authz.From(ctx), in.ID, in.CorpusID, in.Body)
		})
	api.None(a, api.Op{ID: "disconnectAgentCorpus", Route: "DELETE /api/v2/agents/{agent_id}/corpora/{corpus_id}", Title: "Delete Agent-Corpus Connection", Group: group,
		Needs: authz.To(authz.Edit, authz.Agent), Message: "Corpus disconnected"},
		func(ctx context.Context, in *AgentAndCorpus) error {
			return s.Disconnect(ctx, authz.From(ctx), in.ID, []int64{in.CorpusID})
		})
	api.None(a, api.Op{ID: "disconnectAgentCorpora", Route: "DELETE /api/v2/agents/{agent_id}/corpora", Title: "Delete Agent-Corpus Connections", Group: group,
		Doc: "Disconnects the corpora named, or all but the default one.", Needs: authz.To(authz.Edit, authz.Agent), Message: "Corpora disconnected"},
		func(ctx context.Context, in *struct {
			AgentID
			Body *corpusIDs
		}) error {
			return s.Disconnect(ctx, authz.From(ctx), in.ID, valueOf(in.Body).CorpusIDs)
		})
}

// mountQuoting declares the operations on connections seen from their corpus.
func (s *Agents) mountQuoting(a *api.API) {
	const group, path = "Corpora", "GET /api/v2/corpora/{corpus_id}/agents"
	needs := authz.To(authz.View, authz.Corpus)
	api.Many(a, api.Op{ID: "listCorpusAgents", Route: path, Title: "Get Corpus Agent Connections", Group: group, Sort: []string{"created_on", "modified_on", "name"},
		Doc: "The agents that quote the corpus, as far as you may see them.", Needs: needs}, "agent_corpus",
		func(ctx context.Context, in *struct {
			corpus.ByID
			api.Paging
		}) ([]Connection, int, error) {
			return s.CorpusAgents(ctx, authz.From(ctx), in.ID, in.Paging)
		})
	api.Do(a, api.Op{ID: "getDefaultCorpusAgent", Route: path + "/default", Title: "Get Default Corpus Agent Connection", Group: group,
		Doc: "The agent that the corpus was made with. A corpus that was made by itself has none: 404.", Needs: needs},
		func(ctx context.Context, in *corpus.ByID) (Connection, error) {
			return s.DefaultAgent(ctx, authz.From(ctx), in.ID)
		})
}

func valueOf[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
