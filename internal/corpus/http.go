package corpus

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/document"
)

// ByID is the id in a path.
type ByID struct {
	ID int64 `path:"corpus_id" minimum:"1"`
}

type listed struct {
	api.Paging
	Type string `query:"corpus_type" enum:"document,attachment" default:"document" doc:"Attachments are listed only when asked for."`
}

type drafted struct{ Body Draft }

type patched struct {
	ByID
	Body Patch
}

type tagged struct {
	ByID
	Body document.Tagging
}

type starting struct {
	ByID
	document.Drafting
}

type documentList struct {
	ByID
	api.LongPaging
	ContentType string `query:"content_type" enum:"file,weblink,text" doc:"Only these."`
	Step        string `query:"step" enum:"pending,extracting,chunking,embedding,completed" doc:"Only those at this step."`
	Failed      string `query:"is_failed" enum:"true,false" doc:"Only those that failed, or did not."`
}

func (l *documentList) filter() document.Filter {
	f := document.Filter{ContentType: l.ContentType, Step: l.Step}
	if l.Failed != "" {
		failed := l.Failed == "true"
		f.Failed = &failed
	}
	return f
}

type deletion struct {
	ByID
	Body struct {
		IDs []int64 `json:"document_ids" minItems:"1" maxItems:"1000" doc:"The documents to delete."`
	}
}

type duplicates struct {
	ByID
	Body struct {
		Names  []string `json:"documents" maxItems:"1000" doc:"File names."`
		SHA256 []string `json:"sha256,omitempty" nullable:"true" maxItems:"1000" doc:"Contents, as SHA-256 in hexadecimal."`
	}
}

// Mount declares the operations.
func (s *Corpora) Mount(a *api.API) {
	api.Many(a, api.Op{ID: "listCorpora", Route: "GET /api/v2/corpora", Title: "Get all Corpus", Group: "Corpora", Sort: slices.Sorted(maps.Keys(sortable)),
		Doc:   "The corpora that you may see. Attachments of chats are left out unless asked for.",
		Needs: authz.To(authz.View, authz.Corpus)}, "corpora",
		func(ctx context.Context, in *listed) ([]Corpus, int, error) {
			return s.List(ctx, authz.From(ctx), in.Paging, Filter{Type: in.Type})
		})
	api.Do(a, api.Op{ID: "createCorpus", Route: "POST /api/v2/corpora", Title: "Create a Corpus", Group: "Corpora", Status: http.StatusCreated,
		Doc: "You become its owner.", Message: "Corpus created", Needs: authz.To(authz.Create, authz.Corpus)},
		func(ctx context.Context, in *drafted) (Corpus, error) {
			return s.Make(ctx, authz.From(ctx), in.Body)
		})
	api.Do(a, api.Op{ID: "getCorpus", Route: "GET /api/v2/corpora/{corpus_id}", Title: "Get a Corpus", Group: "Corpora",
		Needs: authz.To(authz.View, authz.Corpus)},
		func(ctx context.Context, in *ByID) (Corpus, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateCorpus", Route: "PUT /api/v2/corpora/{corpus_id}", Title: "Update a Corpus", Group: "Corpora",
		Doc: "Changes the fields that are sent. Restricting it to its viewers, or no longer, needs the role Admin.", Message: "Corpus updated", Needs: authz.To(authz.Edit, authz.Corpus)},
		func(ctx context.Context, in *patched) (Corpus, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Do(a, api.Op{ID: "tagCorpus", Route: "PUT /api/v2/corpora/{corpus_id}/tags", Title: "Annotate/Tag a Corpus", Group: "Corpora",
		Doc: "Adds tags and removes tags; the others stay.", Message: "Tags updated", Needs: authz.To(authz.Edit, authz.Corpus)},
		func(ctx context.Context, in *tagged) (Corpus, error) {
			return s.Tag(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Do(a, api.Op{ID: "listCorpusStarters", Route: "GET /api/v2/corpora/{corpus_id}/conversation-starters", Title: "Get Conversation Starters for a Corpus", Group: "Corpora",
		Doc:   "Questions that the corpus answers, drafted from its newest documents that you may see.",
		Needs: authz.To(authz.View, authz.Corpus)},
		func(ctx context.Context, in *starting) (document.Starters, error) {
			return s.documents.CorpusStarters(ctx, authz.From(ctx), in.ID, in.Limit)
		})
	api.None(a, api.Op{ID: "deleteCorpus", Route: "DELETE /api/v2/corpora/{corpus_id}", Title: "Delete a Corpus", Group: "Corpora",
		Doc:     "Its documents go with it, and the agents connected to it lose that knowledge. The default corpus of an agent is refused with 409.",
		Message: "Corpus deleted", Needs: authz.To(authz.Delete, authz.Corpus)},
		func(ctx context.Context, in *ByID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	s.mountDocuments(a)
	s.mountSearch(a)
	s.mountGrants(a)
}

func (s *Corpora) mountDocuments(a *api.API) {
	api.Upload[ByID, fields](a, api.Op{ID: "uploadDocument", Route: "POST /indexing-service/api/v2/corpora/{corpus_id}/documents", Title: "Upload a Document to a Corpus", Group: "Corpora",
		Doc:     "Adds files, an address or a text; reading goes on in the background, see the document's step. A file of a name that is there is a new version of that document; the same bytes are recognized and not read again.",
		Message: "Document has been queued for indexing", Status: http.StatusCreated, MaxBody: s.maxUpload + 1<<20, Needs: authz.To(authz.Create, authz.Document)},
		func(ctx context.Context, in *ByID, form *api.Form) (Uploaded, error) {
			return s.Upload(ctx, authz.From(ctx), in.ID, form)
		})
	api.Many(a, api.Op{ID: "listDocuments", Route: "GET /api/v2/corpora/{corpus_id}/documents", Title: "Get all Documents for a Corpus", Group: "Corpora", Sort: document.Sortable(),
		Needs: authz.To(authz.View, authz.Document)}, "documents",
		func(ctx context.Context, in *documentList) ([]document.Document, int, error) {
			return s.documents.List(ctx, authz.From(ctx), in.ID, in.Slice(), in.filter())
		})
	api.Do(a, api.Op{ID: "deleteDocuments", Route: "DELETE /api/v2/corpora/{corpus_id}/documents", Title: "Delete Document(s) from a Corpus", Group: "Corpora",
		Doc:     "Answers which of the ids were deleted and which are not there.",
		Message: "Documents deleted", Needs: authz.To(authz.Delete, authz.Document)},
		func(ctx context.Context, in *deletion) (document.Deleted, error) {
			return s.documents.DeleteMany(ctx, authz.From(ctx), in.ID, in.Body.IDs)
		})
	api.Do(a, api.Op{ID: "checkDuplicateDocuments", Route: "POST /api/v2/corpora/{corpus_id}/documents/duplicates", Title: "Check Duplicate Documents in a Corpus", Group: "Corpora",
		Doc:   "Tells which of the file names, and which of the contents, the corpus has already.",
		Needs: authz.To(authz.View, authz.Document)},
		func(ctx context.Context, in *duplicates) (document.Duplicates, error) {
			return s.documents.Duplicates(ctx, authz.From(ctx), in.ID, in.Body.Names, in.Body.SHA256)
		})
}
