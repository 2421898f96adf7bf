package model

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/org"
)

type byID struct {
	ID int64 `path:"llm_configuration_id" minimum:"1"`
}

type page struct{ api.Paging }

type pageOf struct {
	OrgID int64 `path:"organization_id" minimum:"1"`
	api.Paging
}

// Mount declares the operations.
func (m *Models) Mount(a *api.API) {
	const group, mine = "Organizations", "/api/v2/organizations/me"
	const ours, one = "/api/v2/organizations/{organization_id}", mine + "/llm-configurations/{llm_configuration_id}"
	see, edit := authz.To(authz.View, authz.LLMConfig), authz.To(authz.Edit, authz.LLMConfig)
	sorts := []string{"created_on", "name"}
	api.Many(a, api.Op{ID: "listOrganizationConfigurations", Route: "GET " + ours + "/configurations", Title: "Get all Configurations", Group: group, Sort: sorts,
		Doc: "The model configurations, in short.", Needs: see}, "configurations",
		func(ctx context.Context, in *pageOf) ([]Summary, int, error) {
			return m.Summaries(ctx, authz.From(ctx), in.OrgID, in.Paging)
		})
	api.Do(a, api.Op{ID: "getActiveConfiguration", Route: "GET " + ours + "/configurations/active", Title: "Get active configuration for an Organization", Group: group,
		Doc: "404 when none is, and the server's own model answers.", Needs: see},
		func(ctx context.Context, in *org.ByID) (Summary, error) {
			return m.Active(ctx, authz.From(ctx), in.ID)
		})
	api.Do(a, api.Op{ID: "getModelDeployment", Route: "GET " + ours + "/model-deployment", Title: "Get the Model Deployment for an Organization", Group: group,
		Doc: "Which model answers now for agents that name no configuration of their own.", Needs: see},
		func(ctx context.Context, in *org.ByID) (Deployment, error) {
			return m.Deployed(ctx, authz.From(ctx), in.ID)
		})
	api.Many(a, api.Op{ID: "listMyConfigurations", Route: "GET " + mine + "/configurations", Title: "Get all Configurations of user's Organization", Group: group, Sort: sorts,
		Doc: "The model configurations, in short.", Needs: see}, "configurations",
		func(ctx context.Context, in *page) ([]Summary, int, error) {
			sc := authz.From(ctx)
			return m.Summaries(ctx, sc, sc.Org(), in.Paging)
		})
	api.Many(a, api.Op{ID: "listLLMConfigurations", Route: "GET " + mine + "/llm-configurations", Title: "Get all LLM configurations of the user's Organization", Group: group, Sort: sorts, Needs: see}, "llm_configurations",
		func(ctx context.Context, in *page) ([]Configuration, int, error) {
			return m.List(ctx, authz.From(ctx), in.Paging)
		})
	api.Do(a, api.Op{ID: "createLLMConfiguration", Route: "POST " + mine + "/llm-configurations", Title: "Create an LLM configuration", Group: group, Status: 201,
		Doc: "The key is stored encrypted and never shown again.", Message: "Model configuration created", Needs: authz.To(authz.Create, authz.LLMConfig)},
		func(ctx context.Context, in *struct{ Body Draft }) (Configuration, error) {
			return m.Create(ctx, authz.From(ctx), in.Body)
		})
	api.Do(a, api.Op{ID: "getLLMConfiguration", Route: "GET " + one, Title: "Get a specific LLM configuration by ID", Group: group, Needs: see},
		func(ctx context.Context, in *byID) (Configuration, error) {
			return m.Get(ctx, authz.From(ctx), in.ID)
		})
	api.Do(a, api.Op{ID: "updateLLMConfiguration", Route: "PUT " + one, Title: "Update an LLM configuration", Group: group,
		Doc: "Changes only what is sent. Another endpoint or provider forgets the key, unless it is sent along.", Message: "Model configuration updated", Needs: edit},
		func(ctx context.Context, in *struct {
			ID   int64 `path:"llm_configuration_id" minimum:"1"`
			Body Patch
		}) (Configuration, error) {
			return m.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteLLMConfiguration", Route: "DELETE " + one, Title: "Delete an LLM configuration", Group: group,
		Doc: "One that is active or that agents use is kept: 409.", Message: "Model configuration deleted", Needs: authz.To(authz.Delete, authz.LLMConfig)},
		func(ctx context.Context, in *byID) error { return m.Delete(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "activateLLMConfiguration", Route: "POST " + one + "/activate", Title: "Activate an LLM configuration", Group: group,
		Doc: "It answers for the organization from the next question on, instead of the one before.", Message: "Model configuration activated", Needs: edit},
		func(ctx context.Context, in *byID) (Configuration, error) {
			return m.Update(ctx, authz.From(ctx), in.ID, Patch{Fields: Fields{IsActive: new(true)}})
		})
	api.Do(a, api.Op{ID: "testLLMConfiguration", Route: "POST " + one + "/test", Title: "Test an LLM configuration", Group: group,
		Doc: "Asks the model for one word; answers what it said, or why it did not answer.", Needs: edit},
		func(ctx context.Context, in *byID) (Trial, error) { return m.Test(ctx, authz.From(ctx), in.ID) })
}
