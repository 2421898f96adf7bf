package org

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
)

// ByID is the input of operations under an organization.
type ByID struct {
	ID int64 `path:"organization_id" minimum:"1"`
}

// logoForm describes the fields of the upload.
type logoForm struct {
	Logo []byte `form:"logo" required:"true" doc:"A PNG, JPEG or WebP picture of at most 512 KiB."`
}

// Mount declares the operations.
func (o *Organizations) Mount(a *api.API) {
	const group = "Organizations"
	api.Do(a, api.Op{ID: "updateMyOrganization", Route: "PUT /api/v2/organizations/me", Title: "Update the user's Organization", Group: group,
		Doc: "Changes only what is sent.", Message: "Organization updated", Needs: authz.To(authz.Edit, authz.Organization)},
		func(ctx context.Context, in *struct{ Body Patch }) (Organization, error) {
			return o.Update(ctx, authz.From(ctx), in.Body)
		})
	api.Download(a, api.Op{ID: "getOrganizationLogo", Route: "GET /api/v2/organizations/{organization_id}/logo", Title: "Get Organization Logo", Group: group,
		Doc: "The picture as it was uploaded; 404 when there is none.", Needs: authz.To(authz.View, authz.Organization)},
		func(ctx context.Context, in *ByID) (api.Content, error) { return o.Logo(ctx, authz.From(ctx), in.ID) })
	api.Upload[ByID, logoForm](a, api.Op{ID: "setOrganizationLogo", Route: "PUT /api/v2/organizations/{organization_id}/logo", Title: "Set Organization Logo", Group: group,
		Doc: "The kind of picture is found in its bytes, whatever its name says.", Message: "Logo set", MaxBody: maxLogo + formSlack, Needs: authz.To(authz.Edit, authz.Organization)},
		func(ctx context.Context, in *ByID, f *api.Form) (Logo, error) {
			return o.SetLogo(ctx, authz.From(ctx), in.ID, f)
		})
	api.None(a, api.Op{ID: "deleteOrganizationLogo", Route: "DELETE /api/v2/organizations/{organization_id}/logo", Title: "Delete Organization Logo", Group: group,
		Message: "Logo deleted", Needs: authz.To(authz.Edit, authz.Organization)},
		func(ctx context.Context, in *ByID) error { return o.DeleteLogo(ctx, authz.From(ctx), in.ID) })
}
