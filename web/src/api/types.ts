import type { Data } from './client';

export type User = Data<'/api/v2/users/me', 'get'>;
export type Agent = Data<'/api/v2/agents/{agent_id}', 'get'>;
export type AgentCorpus = NonNullable<Data<'/api/v2/agents/{agent_id}/corpora', 'get'>['items']['agent_corpus']>[number];
export type Thread = Data<'/api/v2/chat-threads/{chat_thread_id}', 'get'>;
export type AgentResponse = NonNullable<
  Data<'/api/v2/chat-threads/{chat_thread_id}/agent-responses', 'get'>['agent_responses']
>[number];
export type Corpus = Data<'/api/v2/corpora/{corpus_id}', 'get'>;
export type FoundSource = Data<'/api/v2/corpora/{corpus_id}/sources/{source_id}', 'get'>;
export type Doc = Data<'/api/v2/documents/{document_id}', 'get'>;
export type Passage = Data<'/api/v2/documents/{document_id}/passage', 'get'>;
export type ApiKey = NonNullable<Data<'/api/v2/api-keys', 'get'>['api_keys']>[number];
export type Reference = NonNullable<AgentResponse['response']['references']>[number];
export type Step = NonNullable<AgentResponse['response_steps']>[number];

export type Team = Data<'/api/v2/teams/{team_id}', 'get'>;
export type Project = Data<'/api/v2/projects/{project_id}', 'get'>;
export type Permission = NonNullable<Data<'/api/v2/users/{user_id}/permissions', 'get'>['permissions']>[number];
export type PermissionSet = Data<'/api/v2/permission-sets/{permission_set_id}', 'get'>;
export type Session = NonNullable<Data<'/api/v2/users/me/sessions', 'get'>['sessions']>[number];
export type AuditEvent = NonNullable<Data<'/api/v2/audit-events', 'get'>['audit_events']>[number];
export type ModelConfig = NonNullable<Data<'/api/v2/organizations/me/llm-configurations', 'get'>['llm_configurations']>[number];
export type Notice = NonNullable<Data<'/api/v2/notifications', 'get'>['notifications']>[number];
export type Grant = NonNullable<Data<'/api/v2/corpora/{corpus_id}/permissions', 'get'>['permissions']>[number];
export type FoundList = Data<'/api/v2/corpora/search', 'get'>;
export type Found = NonNullable<FoundList['passages']>[number];
export type Version = NonNullable<Data<'/api/v2/documents/{document_id}/versions', 'get'>['versions']>[number];
