package thread

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/document"
)

type ofAgent struct {
	api.LongPaging
	AgentID     int64  `path:"agent_id" minimum:"1"`
	QuerySource string `query:"query_source" maxLength:"100" doc:"Accepted, and narrows nothing: a program may list with one name and ask with another."`
}

type create struct {
	AgentID int64 `path:"agent_id" minimum:"1"`
	Body    *Draft
}

type threadID struct {
	ID int64 `path:"chat_thread_id" minimum:"1"`
}

type update struct {
	ID   int64 `path:"chat_thread_id" minimum:"1"`
	Body Patch
}

type threadCorpus struct {
	ID       int64 `path:"chat_thread_id" minimum:"1"`
	CorpusID int64 `path:"corpus_id" minimum:"1"`
}

type documents struct {
	api.LongPaging
	ID int64 `path:"chat_thread_id" minimum:"1"`
}

// Mount declares the operations.
func (s *Threads) Mount(a *api.API) {
	const group = "Chat Thread"
	sortable := []string{"created_on", "modified_on", "title"}
	const ofAgents = "Agents / Agent Chat Threads"
	api.Many(a, api.Op{ID: "listAgentChatThreads", Route: "GET /api/v2/agents/{agent_id}/chat-threads", Title: "Get Chat Threads of an Agent", Group: ofAgents,
		Doc: "Your own threads with the agent, newest first.", Message: "Chat Threads Found Successfully.", Needs: authz.To(authz.View, authz.Thread), Sort: sortable}, "chat_threads",
		func(ctx context.Context, in *ofAgent) ([]Thread, int, error) {
			return s.OfAgent(ctx, authz.From(ctx), in.AgentID, Filter{LongPaging: in.LongPaging})
		})
	api.Do(a, api.Op{ID: "createAgentChatThread", Route: "POST /api/v2/agents/{agent_id}/chat-threads", Title: "Create Chat Thread for an Agent", Group: ofAgents, Status: 201,
		Doc: "Begins a conversation with an agent that you may use. Its first question names it when no title is given.", Message: "Chat Thread created successfully.", Needs: authz.To(authz.Create, authz.Thread)},
		func(ctx context.Context, in *create) (Thread, error) {
			var d Draft
			if in.Body != nil {
				d = *in.Body
			}
			return s.Create(ctx, authz.From(ctx), in.AgentID, d)
		})
	api.Many(a, api.Op{ID: "listChatThreads", Route: "GET /api/v2/chat-threads", Title: "Get Chat Threads based on various filters", Group: group,
		Doc: "Your own threads with all agents, newest first.", Message: "Chat Threads Found Successfully.", Needs: authz.To(authz.View, authz.Thread), Sort: sortable}, "chat_threads",
		func(ctx context.Context, in *Filter) ([]Thread, int, error) {
			return s.List(ctx, authz.From(ctx), *in)
		})
	api.Do(a, api.Op{ID: "getChatThread", Route: "GET /api/v2/chat-threads/{chat_thread_id}", Title: "Get Chat Thread", Group: group, Doc: "One of your own threads.",
		Needs: authz.To(authz.View, authz.Thread)},
		func(ctx context.Context, in *threadID) (Thread, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
	api.Do(a, api.Op{ID: "updateChatThread", Route: "PUT /api/v2/chat-threads/{chat_thread_id}", Title: "Update Chat Thread", Group: group, Doc: "Renames a thread.",
		Message: "Chat Thread Updated Successfully.", Needs: authz.To(authz.Edit, authz.Thread)},
		func(ctx context.Context, in *update) (Thread, error) {
			return s.Update(ctx, authz.From(ctx), in.ID, in.Body)
		})
	api.None(a, api.Op{ID: "deleteChatThread", Route: "DELETE /api/v2/chat-threads/{chat_thread_id}", Title: "Delete Chat Thread", Group: group,
		Doc: "Takes the thread and its responses away; the figures keep counting them.", Message: "Chat Thread Deleted Successfully.", Needs: authz.To(authz.Delete, authz.Thread)},
		func(ctx context.Context, in *threadID) error { return s.Delete(ctx, authz.From(ctx), in.ID) })
	s.mountAttachments(a)
}

func (s *Threads) mountAttachments(a *api.API) {
	const group = "Chat Thread / Corpus Connection"
	api.Do(a, api.Op{ID: "getChatThreadCorpora", Route: "GET /api/v2/chat-threads/{chat_thread_id}/corpora", Title: "Get Corpus Connection by ChatThread ID", Group: group,
		Doc: "The corpus of attachments linked to the thread; 404 when there is none.", Needs: authz.To(authz.View, authz.Thread)},
		func(ctx context.Context, in *threadID) (Attachments, error) {
			return s.Linked(ctx, authz.From(ctx), in.ID, 0)
		})
	api.None(a, api.Op{ID: "unlinkChatThreadCorpora", Route: "DELETE /api/v2/chat-threads/{chat_thread_id}/corpora", Title: "Delete Corpus Connection by ChatThread ID", Group: group,
		Doc: "Answers in the thread use the attachments no more; the corpus stays.", Message: "Corpus unlinked", Needs: authz.To(authz.Edit, authz.Thread)},
		func(ctx context.Context, in *threadID) error { return s.Unlink(ctx, authz.From(ctx), in.ID, 0) })
	api.Do(a, api.Op{ID: "getChatThreadCorpus", Route: "GET /api/v2/chat-threads/{chat_thread_id}/corpora/{corpus_id}", Title: "Get a ChatThread-Corpus connection", Group: group,
		Doc: "404 unless the thread is linked to this corpus.", Needs: authz.To(authz.View, authz.Thread)},
		func(ctx context.Context, in *threadCorpus) (Attachments, error) {
			return s.Linked(ctx, authz.From(ctx), in.ID, in.CorpusID)
		})
	api.Do(a, api.Op{ID: "linkChatThreadCorpus", Route: "POST /api/v2/chat-threads/{chat_thread_id}/corpora/{corpus_id}", Title: "Create a ChatThread-Corpus connection", Group: group, Status: 201,
		Doc: "Links a corpus of the type attachment, which you can edit, to the thread; it takes the place of one that was linked. 409 for a corpus of another type.", Message: "Corpus linked", Needs: authz.To(authz.Edit, authz.Thread)},
		func(ctx context.Context, in *threadCorpus) (Attachments, error) {
			return s.Link(ctx, authz.From(ctx), in.ID, in.CorpusID)
		})
	api.None(a, api.Op{ID: "unlinkChatThreadCorpus", Route: "DELETE /api/v2/chat-threads/{chat_thread_id}/corpora/{corpus_id}", Title: "Delete a ChatThread-Corpus connection", Group: group,
		Doc: "404 unless the thread is linked to this corpus, which stays.", Message: "Corpus unlinked", Needs: authz.To(authz.Edit, authz.Thread)},
		func(ctx context.Context, in *threadCorpus) error {
			return s.Unlink(ctx, authz.From(ctx), in.ID, in.CorpusID)
		})
	api.Many(a, api.Op{ID: "listChatThreadDocuments", Route: "GET /api/v2/chat-threads/{chat_thread_id}/documents", Title: "Get Documents in Chat Thread", Group: "Chat Thread / Documents",
		Doc: "The documents attached to the thread.", Needs: authz.To(authz.View, authz.Thread),
		Sort: []string{"created_on", "modified_on", "name", "size", "step", "pieces", "id"}}, "documents",
		func(ctx context.Context, in *documents) ([]document.Document, int, error) {
			return s.Documents(ctx, authz.From(ctx), in.ID, in.Slice())
		})
}
