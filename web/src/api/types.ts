import type { Data } from './client';

export type User = Data<'/api/v2/users/me', 'get'>;
export type Agent = Data<'/api/v2/agents/{agent_id}', 'get'>;
export type AgentCorpus = NonNullable<Data<'/api/v2/agents/{agent_id}/corpora', 'get'>['items']['agent_corpus']>[number];
export type Thread = Data<'/api/v2/chat-threads/{chat_thread_id}', 'get'>;
export type AgentResponse = NonNullable<
  Data<'/api/v2/chat-threads/{chat_thread_id}/agent-responses', 'get'>['agent_responses']
>[number];
export type Corpus = Data<'/api/v2/corpora/{corpus_id}', 'get'>;
export type Doc = Data<'/api/v2/documents/{document_id}', 'get'>;
export type Passage = Data<'/api/v2/documents/{document_id}/passage', 'get'>;
export type ApiKey = NonNullable<Data<'/api/v2/api-keys', 'get'>['api_keys']>[number];
export type Reference = NonNullable<AgentResponse['response']['references']>[number];
export type Step = NonNullable<AgentResponse['response_steps']>[number];
