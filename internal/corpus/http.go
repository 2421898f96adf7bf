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

type manyTexts struct {
	ByID
	Body Texts
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
		Doc: "Changes the fields that are sent. Restricting it to its viewers, or no longer, and what is redacted in it need the role Admin.", Message: "Corpus updated", Needs: authz.To(authz.Edit, authz.Corpus)},
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
	s.mountSources(a)
}

func (s *Corpora) mountDocuments(a *api.API) {
	api.Upload[ByID, fields](a, api.Op{ID: "uploadDocument", Route: "POST /indexing-service/api/v2/corpora/{corpus_id}/documents", Title: "Upload a Document to a Corpus", Group: "Corpora",
		Doc:     "Adds files, an address or a text; reading goes on in the background, see the document's step. A file of a name that is there is a new version of that document; the same bytes are recognized and not read again.",
		Message: "Document has been queued for indexing", Status: http.StatusCreated, MaxBody: s.maxUpload + 1<<20, Needs: authz.To(authz.Create, authz.Document)},
		func(ctx context.Context, in *ByID, form *api.Form) (Uploaded, error) {
			return s.Upload(ctx, authz.From(ctx), in.ID, form)
		})
	api.Do(a, api.Op{ID: "uploadTexts", Route: "POST /indexing-service/api/v2/corpora/{corpus_id}/documents/texts", Title: "Upload many Texts to a Corpus", Group: "Corpora",
		Doc:     "Adds up to 500 texts as documents, all of them or none; the way to load many short ones. Reading goes on in the background, as after an upload.",
		Message: "Documents have been queued for indexing", Status: http.StatusCreated, MaxBody: 8 << 20, Needs: authz.To(authz.Create, authz.Document)},
		func(ctx context.Context, in *manyTexts) (AddedTexts, error) {
			return s.AddTexts(ctx, authz.From(ctx), in.ID, in.Body)
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

// BySource is the ids in a source's path.
type BySource struct {
	ByID
	SourceID int64 `path:"source_id" minimum:"1"`
}

type sourceList struct {
	ByID
	api.Paging
}

type sourceDrafted struct {
	ByID
	Body SourceDraft
}

type sourceDeletion struct {
	BySource
	Keep bool `query:"keep_documents" doc:"Leave its documents where they are; they are no longer looked after."`
}

type sourcePages struct {
	BySource
	api.Paging
	Outcome string `query:"outcome" enum:"pending,added,changed,unchanged,not_modified,listing,removed,skipped,failed" doc:"Only these."`
}

// addSource is what createCorpusSource demands, and an import for each source.
var addSource = authz.To(authz.Edit, authz.Corpus)

func (s *Corpora) mountSources(a *api.API) {
	const path = "/api/v2/corpora/{corpus_id}/sources"
	api.Many(a, api.Op{ID: "listCorpusSources", Route: "GET " + path, Title: "Get the sources of a Corpus", Group: "Corpora", Sort: slices.Sorted(maps.Keys(sourceSort)),
		Doc: "The sites and sitemaps that its documents come from by themselves.", Needs: authz.To(authz.View, authz.Corpus)}, "sources",
		func(ctx context.Context, in *sourceList) ([]Source, int, error) {
			return s.Sources(ctx, authz.From(ctx), in.ID, in.Paging)
		})
	api.Do(a, api.Op{ID: "createCorpusSource", Route: "POST " + path, Title: "Add a source to a Corpus", Group: "Corpora", Status: http.StatusCreated,
		Doc:     "A site or a sitemap is walked in the background, within its limits and what robots.txt, pages and headers allow, and its pages become documents. An address that is there already gets the new limits and is walked again.",
		Message: "Source has been queued for walking", Needs: addSource},
		func(ctx context.Context, in *sourceDrafted) (Source, error) {
			return s.AddSource(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.Do(a, api.Op{ID: "getCorpusSource", Route: "GET " + path + "/{source_id}", Title: "Get a source of a Corpus", Group: "Corpora", Needs: authz.To(authz.View, authz.Corpus)},
		func(ctx context.Context, in *BySource) (Source, error) {
			return s.SourceOf(ctx, s.db, authz.From(ctx), in.ID, in.SourceID, authz.View)
		})
	api.Many(a, api.Op{ID: "listCorpusSourcePages", Route: "GET " + path + "/{source_id}/pages", Title: "Get the pages of a source", Group: "Corpora", Sort: slices.Sorted(maps.Keys(pageSort)),
		Doc: "Each address that its walks came by, what came of it, and why.", Needs: authz.To(authz.View, authz.Corpus)}, "pages",
		func(ctx context.Context, in *sourcePages) ([]SourcePage, int, error) {
			return s.SourcePages(ctx, authz.From(ctx), in.ID, in.SourceID, in.Paging, in.Outcome)
		})
	api.Do(a, api.Op{ID: "refreshCorpusSource", Route: "POST " + path + "/{source_id}/refresh", Title: "Refresh a source", Group: "Corpora", Status: http.StatusAccepted,
		Doc:     "Walks it again: what is unchanged is not transferred, what is gone is marked. While it is being walked already nothing changes.",
		Message: "Source has been queued for walking", Needs: authz.To(authz.Edit, authz.Corpus)},
		func(ctx context.Context, in *BySource) (Source, error) {
			return s.RefreshSource(ctx, authz.From(ctx), in.ID, in.SourceID)
		})
	api.Do(a, api.Op{ID: "cancelCorpusSource", Route: "POST " + path + "/{source_id}/cancel", Title: "Stop the walk of a source", Group: "Corpora",
		Doc: "What it found so far stays.", Message: "The walk has been stopped", Needs: authz.To(authz.Edit, authz.Corpus)},
		func(ctx context.Context, in *BySource) (Source, error) {
			return s.CancelSource(ctx, authz.From(ctx), in.ID, in.SourceID)
		})
	api.None(a, api.Op{ID: "deleteCorpusSource", Route: "DELETE " + path + "/{source_id}", Title: "Delete a source", Group: "Corpora",
		Doc: "Its documents go with it unless they are to be kept.", Message: "Source deleted", Needs: authz.To(authz.Edit, authz.Corpus)},
		func(ctx context.Context, in *sourceDeletion) error {
			return s.DeleteSource(ctx, authz.From(ctx), in.ID, in.SourceID, in.Keep)
		})
	api.Do(a, api.Op{ID: "refreshCorpus", Route: "POST /indexing-service/api/v2/corpora/{corpus_id}/refresh", Title: "Trigger a Refresh (Reindex) of a Corpus", Group: "Corpora", Status: http.StatusAccepted,
		Doc:     "Walks its sources and asks its addresses again: what is unchanged is not transferred. Files and texts are read again that failed, or were read in another mode than the corpus has now.",
		Message: "Corpus has been queued for indexing", Needs: authz.To(authz.Edit, authz.Corpus)},
		func(ctx context.Context, in *ByID) (Refresh, error) { return s.RefreshNow(ctx, authz.From(ctx), in.ID) })
	api.Many(a, api.Op{ID: "listRefreshedCorpora", Route: "GET /api/v2/corpora/refresh-enabled", Title: "Get Corpora with Refresh (Reindex) Enabled", Group: "Corpora", Sort: slices.Sorted(maps.Keys(sortable)),
		Doc: "With what the last look at each of their addresses came to.", Needs: authz.To(authz.View, authz.Corpus)}, "corpora",
		func(ctx context.Context, in *struct{ api.Paging }) ([]Refresh, int, error) {
			return s.Refreshed(ctx, authz.From(ctx), in.Paging)
		})
}
