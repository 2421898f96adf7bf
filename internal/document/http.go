package document

import (
	"context"
	"net/http"

	"atrium/internal/api"
	"atrium/internal/authz"
)

// ByID is the id in a path.
type ByID struct {
	ID int64 `path:"document_id" minimum:"1"`
}

type patched struct {
	ByID
	Body Patch
}

type span struct {
	ByID
	Version int `query:"version" minimum:"1" maximum:"1000000000" doc:"Number of the version; the newest when not given."`
	Start   int `query:"start" minimum:"0" maximum:"1000000000" doc:"Where the quote begins, in code points of the document's text."`
	End     int `query:"end" minimum:"1" maximum:"1000000000" doc:"Where it ends, exclusive; without it the text is shown from start on."`
}

type original struct {
	Name  string `path:"name" minLength:"1" maxLength:"300" doc:"The last part of a reference's address: a version's id, a dash, any words."`
	ToPDF bool   `query:"convert_to_pdf" doc:"Ask for a PDF. A PDF is sent as it is; others cannot be converted here."`
}

// Mount declares the operations.
func (s *Documents) Mount(a *api.API) {
	api.Do(a, api.Op{ID: "getDocument", Route: "GET /api/v2/documents/{document_id}", Title: "Get a Document", Group: "Documents",
		Doc:   "Its step tells how far its reading is; is_failed and failure_reason tell what went wrong.",
		Needs: authz.To(authz.View, authz.Document)},
		func(ctx context.Context, in *ByID) (Document, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateDocument", Route: "PUT /api/v2/documents/{document_id}", Title: "Update a Document", Group: "Documents",
		Doc: "Changes the fields that are sent. The content is changed by uploading a file of the same name.", Message: "Document updated",
		Needs: authz.To(authz.Edit, authz.Document)},
		func(ctx context.Context, in *patched) (Document, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteDocument", Route: "DELETE /api/v2/documents/{document_id}", Title: "Delete a Document", Group: "Documents",
		Doc: "It is left out of answers at once.", Message: "Document deleted",
		Needs: authz.To(authz.Delete, authz.Document)},
		func(ctx context.Context, in *ByID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "refreshDocument", Route: "POST /indexing-service/api/v2/documents/{document_id}/refresh", Title: "Trigger a Refresh (Reindex) of a Document", Group: "Documents",
		Doc:     "Reads the document again: a failed one is tried anew, an address is fetched anew. A version of its own is made only when the text has changed. While it is being read already nothing changes.",
		Message: "Document has been queued for indexing", Status: http.StatusAccepted, Needs: authz.To(authz.Edit, authz.Document)},
		func(ctx context.Context, in *ByID) (Document, error) { return s.Refresh(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "getDocumentPassage", Route: "GET /api/v2/documents/{document_id}/passage", Title: "Get a passage of a Document at its place", Group: "Documents",
		Doc:   "What a citation points at, with the text around it. Whoever may ask an agent that quotes the document may see it.",
		Needs: authz.To(authz.Use, authz.Document)},
		func(ctx context.Context, in *span) (Place, error) {
			return s.Passage(ctx, authz.From(ctx), in.ID, in.Version, in.Start, in.End)
		})
	api.Download(a, api.Op{ID: "getCitation", Route: "GET /api/v2/citation/{name}", Title: "Download a cited source", Group: "Documents",
		Doc:   "The raw bytes of the version that was cited, as a download.",
		Needs: authz.To(authz.Use, authz.Document)},
		func(ctx context.Context, in *original) (api.Content, error) {
			return s.Original(ctx, authz.From(ctx), in.Name, in.ToPDF)
		})
}
