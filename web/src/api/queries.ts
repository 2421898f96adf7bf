import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, take } from './client';

const most = 200; // the largest page that the server gives

/** The keys under which answers are kept; a shorter key stands for all below it. */
export const keys = {
  me: ['me'] as const,
  logins: ['logins'] as const,
  agents: ['agents'] as const,
  agent: (id: number) => ['agents', id] as const,
  agentCorpora: (id: number) => ['agents', id, 'corpora'] as const,
  threads: (agentId: number) => ['threads', agentId] as const,
  thread: (id: number) => ['thread', id] as const,
  responses: (threadId: number) => ['thread', threadId, 'responses'] as const,
  thoughts: (responseId: number) => ['thoughts', responseId] as const,
  threadDocuments: (threadId: number) => ['thread', threadId, 'documents'] as const,
  corpora: ['corpora'] as const,
  corpus: (id: number) => ['corpora', id] as const,
  sources: (corpusId: number) => ['corpora', corpusId, 'sources'] as const,
  documents: (corpusId: number) => ['corpora', corpusId, 'documents'] as const,
  document: (id: number) => ['document', id] as const,
  passage: (id: number, version: number, start: number, end: number) => ['document', id, 'passage', version, start, end] as const,
  versions: (id: number) => ['document', id, 'versions'] as const,
  documentStarters: (id: number, version: number) => ['document', id, 'starters', version] as const,
  corpusStarters: (id: number) => ['corpora', id, 'starters'] as const,
  agentStarters: (id: number) => ['agents', id, 'starters'] as const,
  search: (asked: Asked) => ['search', asked] as const,
  apiKeys: ['api-keys'] as const,
  notices: ['notices'] as const,
};

export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => take(api.GET('/api/v2/users/me', { signal })),
  staleTime: 5 * 60_000,
});

export const loginsQuery = queryOptions({
  queryKey: keys.logins,
  queryFn: ({ signal }) => take(api.GET('/auth-service/api/v2/feature-flags/logins', { signal })),
  staleTime: Infinity,
});

export const agentsQuery = queryOptions({
  queryKey: keys.agents,
  queryFn: async ({ signal }) =>
    (await take(api.GET('/api/v2/agents', { signal, params: { query: { page_size: most } } }))).agents ?? [],
  staleTime: 30_000,
});

export const agentQuery = (id: number) =>
  queryOptions({
    queryKey: keys.agent(id),
    queryFn: ({ signal }) => take(api.GET('/api/v2/agents/{agent_id}', { signal, params: { path: { agent_id: id } } })),
    staleTime: 30_000,
  });

export const agentCorporaQuery = (id: number) =>
  queryOptions({
    queryKey: keys.agentCorpora(id),
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v2/agents/{agent_id}/corpora', { signal, params: { path: { agent_id: id } } }))).items
        ?.agent_corpus ?? [],
  });

export const threadsQuery = (agentId: number) =>
  queryOptions({
    queryKey: keys.threads(agentId),
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v2/agents/{agent_id}/chat-threads', {
            signal,
            params: { path: { agent_id: agentId }, query: { page_size: most } },
          }),
        )
      ).chat_threads ?? [],
    staleTime: 30_000,
  });

export const responsesQuery = (threadId: number) =>
  queryOptions({
    queryKey: keys.responses(threadId),
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v2/chat-threads/{chat_thread_id}/agent-responses', {
            signal,
            params: { path: { chat_thread_id: threadId }, query: { include_steps: true, page_size: most } },
          }),
        )
      ).agent_responses ?? [],
    staleTime: 60_000,
  });

export const thoughtsQuery = (responseId: number) =>
  queryOptions({
    queryKey: keys.thoughts(responseId),
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v2/agent-responses/{agent_response_id}/thoughts', {
            signal,
            params: { path: { agent_response_id: responseId } },
          }),
        )
      ).thoughts ?? [],
    staleTime: Infinity,
  });

export const threadDocumentsQuery = (threadId: number) =>
  queryOptions({
    queryKey: keys.threadDocuments(threadId),
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v2/chat-threads/{chat_thread_id}/documents', {
            signal,
            params: { path: { chat_thread_id: threadId } },
          }),
        )
      ).documents ?? [],
    staleTime: 60_000,
  });

export const corporaQuery = queryOptions({
  queryKey: keys.corpora,
  queryFn: async ({ signal }) =>
    (await take(api.GET('/api/v2/corpora', { signal, params: { query: { page_size: most } } }))).corpora ?? [],
  staleTime: 15_000,
});

export const corpusQuery = (id: number) =>
  queryOptions({
    queryKey: keys.corpus(id),
    queryFn: ({ signal }) => take(api.GET('/api/v2/corpora/{corpus_id}', { signal, params: { path: { corpus_id: id } } })),
    staleTime: 15_000,
  });

export const sourcesQuery = (corpusId: number) =>
  queryOptions({
    queryKey: keys.sources(corpusId),
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v2/corpora/{corpus_id}/sources', {
            signal,
            params: { path: { corpus_id: corpusId }, query: { page_size: most } },
          }),
        )
      ).sources ?? [],
    staleTime: 15_000,
  });

export const documentsQuery = (corpusId: number, search: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.documents(corpusId), search] as const,
    queryFn: ({ signal, pageParam }) =>
      take(
        api.GET('/api/v2/corpora/{corpus_id}/documents', {
          signal,
          params: {
            path: { corpus_id: corpusId },
            query: { page: pageParam, page_size: most, search: search || undefined },
          },
        }),
      ),
    initialPageParam: 1,
    getNextPageParam: (last) =>
      last.pagination && last.pagination.page < last.pagination.total_pages ? last.pagination.page + 1 : undefined,
  });

export const documentQuery = (id: number) =>
  queryOptions({
    queryKey: keys.document(id),
    queryFn: ({ signal }) =>
      take(api.GET('/api/v2/documents/{document_id}', { signal, params: { path: { document_id: id } } })),
  });

export const passageQuery = (id: number, version: number, start: number, end: number) =>
  queryOptions({
    queryKey: keys.passage(id, version, start, end),
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v2/documents/{document_id}/passage', {
          signal,
          params: { path: { document_id: id }, query: { version: version || undefined, start, end } },
        }),
      ),
    // A version's text never changes.
    staleTime: Infinity,
  });

export const versionsQuery = (id: number) =>
  infiniteQueryOptions({
    queryKey: keys.versions(id),
    queryFn: ({ signal, pageParam }) =>
      take(
        api.GET('/api/v2/documents/{document_id}/versions', {
          signal,
          params: { path: { document_id: id }, query: { page: pageParam, sort: '-number' } },
        }),
      ),
    initialPageParam: 1,
    getNextPageParam: (last) =>
      last.pagination && last.pagination.page < last.pagination.total_pages ? last.pagination.page + 1 : undefined,
  });

const draftingPoll = 2000; // milliseconds, while a model writes starters

/** The questions drafted from a version of a document. */
export const documentStartersQuery = (id: number, version: number) =>
  queryOptions({
    queryKey: keys.documentStarters(id, version),
    queryFn: ({ signal }) =>
      take(api.GET('/api/v2/documents/{document_id}/conversation-starters', { signal, params: { path: { document_id: id } } })),
    refetchInterval: (q) => (q.state.data?.is_drafting ? draftingPoll : false),
    staleTime: 60_000,
  });

export const corpusStartersQuery = (id: number) =>
  queryOptions({
    queryKey: keys.corpusStarters(id),
    queryFn: ({ signal }) =>
      take(api.GET('/api/v2/corpora/{corpus_id}/conversation-starters', { signal, params: { path: { corpus_id: id }, query: { limit: 4 } } })),
    staleTime: 60_000,
  });

export const agentStartersQuery = (id: number) =>
  queryOptions({
    queryKey: keys.agentStarters(id),
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v2/agents/{agent_id}/conversation-starters', { signal, params: { path: { agent_id: id } } })))
        .conversation_starters ?? [],
    staleTime: 30_000,
  });

/** The passages that an agent would be given; corpora empty are all. */
/** A question with what narrows its search. */
export interface Asked {
  question: string;
  corpora: readonly number[];
  tags: readonly string[];
  side: 'fused' | 'lexical' | 'vector';
  limit: number;
}

export const searchQuery = (asked: Asked) =>
  queryOptions({
    queryKey: keys.search(asked),
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v2/corpora/search', {
          signal,
          params: {
            query: {
              query: asked.question,
              limit: asked.limit,
              mode: asked.side,
              ...(asked.corpora.length > 0 ? { corpus_ids: [...asked.corpora] } : {}),
              ...(asked.tags.length > 0 ? { tags: [...asked.tags] } : {}),
            },
          },
          querySerializer: { array: { style: 'form', explode: false } },
        }),
      ),
    staleTime: 15_000,
  });

export const apiKeysQuery = queryOptions({
  queryKey: keys.apiKeys,
  queryFn: async ({ signal }) =>
    (await take(api.GET('/api/v2/api-keys', { signal, params: { query: { page_size: most } } }))).api_keys ?? [],
});
