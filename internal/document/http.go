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

type tagged struct {
	ByID
	Body Tagging
}

type batch struct {
	IDs []int64 `query:"document_ids" required:"true" minItems:"1" maxItems:"200" doc:"Ids of documents, parted by commas."`
}

type versionList struct {
	ByID
	api.Paging
}

// Drafting says how many conversation starters are wanted.
type Drafting struct {
	Limit int `query:"limit" minimum:"1" maximum:"20" default:"6" doc:"The most to answer."`
}

type starting struct {
	ByID
	Drafting
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
	api.Do(a, api.Op{ID: "tagDocument", Route: "PUT /api/v2/documents/{document_id}/tags", Title: "Annotate a Document", Group: "Documents",
		Doc: "Adds tags and removes tags; the others stay.", Message: "Tags updated",
		Needs: authz.To(authz.Edit, authz.Document)},
		func(ctx context.Context, in *tagged) (Document, error) {
			return s.Tag(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Do(a, api.Op{ID: "getDocuments", Route: "GET /api/v2/documents/batch", Title: "Retrieve multiple Documents by IDs", Group: "Documents",
		Doc:   "The documents in the order of their ids. What is unknown and what is not visible to you is told alike.",
		Needs: authz.To(authz.View, authz.Document)},
		func(ctx context.Context, in *batch) (Batch, error) { return s.GetMany(ctx, authz.From(ctx), in.IDs) })
	api.Many(a, api.Op{ID: "listDocumentVersions", Route: "GET /api/v2/documents/{document_id}/versions", Title: "Get the versions of a Document", Group: "Documents", Sort: []string{"number", "created_on", "size"},
		Doc:   "Each changed reading made one. New answers use the current one; citations stay with the one they quoted.",
		Needs: authz.To(authz.View, authz.Document)}, "versions",
		func(ctx context.Context, in *versionList) ([]Version, int, error) {
			return s.Versions(ctx, authz.From(ctx), in.ID, in.Paging)
		})
	api.Do(a, api.Op{ID: "listDocumentStarters", Route: "GET /api/v2/documents/{document_id}/conversation-starters", Title: "Get Conversation Starters for a Document", Group: "Documents",
		Doc:   "Questions that the document answers, drafted from its current version at the first request. Each was tried: the best passage of the corpus for it stands in this document.",
		Needs: authz.To(authz.View, authz.Document)},
		func(ctx context.Context, in *starting) (Starters, error) {
			return s.Starters(ctx, authz.From(ctx), in.ID, in.Limit)
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
