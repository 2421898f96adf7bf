package agent

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/feature"
)

// Mount declares the operations.
func (s *Agents) Mount(a *api.API) {
	const group = "Agents"
	for _, l := range []struct {
		id, path, title, group, doc string
		list                        func(context.Context, authz.Scope, Filter) ([]Agent, int, error)
	}{
		{"listAgents", "agents", "Get all Agents", group, "The agents that you may see.", s.List},
		{"listAccessibleAgents", "agents/accessible", "Get Agents accessible to the Current User across their Teams", group, "The agents that you may ask: your own, those you were added to, those of your teams and projects, and those for everyone.", s.Accessible},
		{"listMyTeamsAgents", "teams/me/agents", "Get all Agents of User's Team", "Teams", "The agents in the projects of your teams, as far as you may see them.", s.OfTeams},
	} {
		api.Many(a, api.Op{ID: l.id, Route: "GET /api/v2/" + l.path, Title: l.title, Group: l.group, Doc: l.doc, Sort: orderNames(), Needs: authz.To(authz.View, authz.Agent)}, "agents",
			func(ctx context.Context, in *Filter) ([]Agent, int, error) { return l.list(ctx, authz.From(ctx), *in) })
	}
	api.Do(a, api.Op{ID: "createAgent", Route: "POST /api/v2/agents", Title: "Create a new Agent", Group: group, Status: 201,
		Doc: "Makes an agent of yours, together with its default corpus, which is named after it.", Message: "Agent created successfully", Feature: feature.ChatAgentCreation, Needs: authz.To(authz.Create, authz.Agent)},
		func(ctx context.Context, in *struct{ Body Draft }) (Agent, error) {
			return s.Create(ctx, authz.From(ctx), in.Body)
		})
	api.Do(a, api.Op{ID: "getAgent", Route: "GET /api/v2/agents/{agent_id}", Title: "Get an Agent", Group: group, Needs: authz.To(authz.View, authz.Agent)},
		func(ctx context.Context, in *AgentID) (Agent, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateAgent", Route: "PUT /api/v2/agents/{agent_id}", Title: "Update an Agent", Group: group,
		Doc: "Changes only what is sent. Another access or project needs what updateAgentAccess needs, and a project that you may use.", Message: "Agent data updated successfully", Needs: authz.To(authz.Edit, authz.Agent)},
		func(ctx context.Context, in *struct {
			AgentID
			Body Patch
		}) (Agent, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteAgent", Route: "DELETE /api/v2/agents/{agent_id}", Title: "Delete an Agent", Group: group,
		Doc: "The agent answers no more; its answers stay for the figures.", Message: "Agent deleted", Needs: authz.To(authz.Delete, authz.Agent)},
		func(ctx context.Context, in *AgentID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	s.mountConnections(a)
	s.mountAccess(a)
	s.mountTags(a)
	s.mountStarters(a)
}
