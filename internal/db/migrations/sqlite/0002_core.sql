-- +goose Up
CREATE TABLE organization (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    created_on INTEGER NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX users_org ON users (org_id);

CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    family TEXT NOT NULL,
    kind TEXT NOT NULL,
    access_hash TEXT NOT NULL UNIQUE,
    platform_hash TEXT NOT NULL UNIQUE,
    created_on INTEGER NOT NULL,
    expires_on INTEGER NOT NULL,
    rotated_on INTEGER,
    revoked_on INTEGER
);
CREATE INDEX session_family ON session (family);
CREATE INDEX session_by_user ON session (user_id);

CREATE TABLE one_time_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    purpose TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    expires_on INTEGER NOT NULL,
    used_on INTEGER
);

CREATE TABLE api_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    expires_on INTEGER,
    last_used_on INTEGER,
    revoked_on INTEGER,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL
);
CREATE INDEX api_key_user ON api_key (org_id, user_id);

CREATE TABLE project (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    is_default BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX project_org ON project (org_id);

CREATE TABLE project_user (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    project_id INTEGER NOT NULL REFERENCES project (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);

CREATE TABLE team (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX team_org ON team (org_id);

CREATE TABLE team_user (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    team_id INTEGER NOT NULL REFERENCES team (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX team_user_user ON team_user (user_id);

CREATE TABLE project_team (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    project_id INTEGER NOT NULL REFERENCES project (id),
    team_id INTEGER NOT NULL REFERENCES team (id),
    PRIMARY KEY (project_id, team_id)
);

CREATE TABLE agent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    project_id INTEGER NOT NULL REFERENCES project (id),
    owner_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    industry_area TEXT NOT NULL,
    domain TEXT NOT NULL,
    type TEXT NOT NULL,
    prefix_prompt TEXT NOT NULL,
    instructions TEXT NOT NULL,
    access TEXT NOT NULL,
    status TEXT NOT NULL,
    model TEXT NOT NULL,
    temperature DOUBLE PRECISION,
    language TEXT NOT NULL,
    tags TEXT NOT NULL,
    sample_q1 TEXT NOT NULL,
    sample_q2 TEXT NOT NULL,
    sample_q3 TEXT NOT NULL,
    caching_enabled BOOLEAN NOT NULL,
    chunk_count INTEGER NOT NULL,
    react_enabled BOOLEAN NOT NULL,
    react_max_iteration_count INTEGER NOT NULL,
    is_guide BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX agent_org ON agent (org_id, is_deleted, created_on);
CREATE INDEX agent_owner ON agent (owner_id);

CREATE TABLE agent_user (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    agent_id INTEGER NOT NULL REFERENCES agent (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    PRIMARY KEY (agent_id, user_id)
);

CREATE TABLE corpus (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    owner_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    corpus_type TEXT NOT NULL,
    indexing_mode_id INTEGER NOT NULL,
    restrict_to_viewers BOOLEAN NOT NULL,
    tags TEXT NOT NULL,
    index_seq INTEGER NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX corpus_org ON corpus (org_id, is_deleted, created_on);

CREATE TABLE corpus_grant (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    user_id INTEGER REFERENCES users (id),
    team_id INTEGER REFERENCES team (id),
    role TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL
);
CREATE INDEX corpus_grant_corpus ON corpus_grant (corpus_id, user_id);

CREATE TABLE document (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    source TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    blob_key TEXT NOT NULL,
    etag TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    step TEXT NOT NULL,
    is_failed BOOLEAN NOT NULL,
    failure_code TEXT NOT NULL,
    failure_reason TEXT NOT NULL,
    warnings TEXT NOT NULL,
    version INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    tags TEXT NOT NULL,
    is_attachment BOOLEAN NOT NULL,
    revision INTEGER NOT NULL,
    index_seq INTEGER NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX document_corpus ON document (corpus_id, is_deleted, created_on);
CREATE INDEX document_index_seq ON document (corpus_id, index_seq);
CREATE INDEX document_sha ON document (corpus_id, sha256);
CREATE INDEX document_name ON document (corpus_id, name);
CREATE INDEX document_link ON document (corpus_id, source) WHERE content_type = 'weblink';
CREATE INDEX document_blob ON document (blob_key);

CREATE TABLE document_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    document_id INTEGER NOT NULL REFERENCES document (id),
    number INTEGER NOT NULL,
    blob_key TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    title TEXT NOT NULL,
    indexing_mode_id INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    text TEXT NOT NULL,
    embedder TEXT NOT NULL,
    encoded BLOB NOT NULL,
    created_on INTEGER NOT NULL,
    UNIQUE (document_id, number)
);
CREATE INDEX document_version_blob ON document_version (blob_key);

CREATE TABLE piece (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    document_id INTEGER NOT NULL REFERENCES document (id),
    version_id INTEGER NOT NULL REFERENCES document_version (id),
    ordinal INTEGER NOT NULL,
    page INTEGER NOT NULL,
    heading TEXT NOT NULL,
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX piece_version ON piece (version_id, ordinal);

CREATE TABLE agent_corpus (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    agent_id INTEGER NOT NULL REFERENCES agent (id),
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    is_enabled BOOLEAN NOT NULL,
    is_default BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL,
    UNIQUE (agent_id, corpus_id)
);
CREATE INDEX agent_corpus_corpus ON agent_corpus (corpus_id);

CREATE TABLE chat_thread (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    agent_id INTEGER NOT NULL REFERENCES agent (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    title TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    query_source TEXT NOT NULL,
    corpus_id INTEGER REFERENCES corpus (id),
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX chat_thread_user ON chat_thread (user_id, is_deleted, created_on);
CREATE INDEX chat_thread_agent ON chat_thread (agent_id, user_id, is_deleted);

CREATE TABLE agent_response (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    agent_id INTEGER NOT NULL REFERENCES agent (id),
    thread_id INTEGER NOT NULL REFERENCES chat_thread (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    question TEXT NOT NULL,
    query TEXT NOT NULL,
    query_source TEXT NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL,
    answer TEXT NOT NULL,
    message TEXT NOT NULL,
    reference_list TEXT NOT NULL,
    followup_questions TEXT NOT NULL,
    passages TEXT NOT NULL,
    thoughts TEXT NOT NULL,
    agent_mode TEXT NOT NULL,
    model TEXT NOT NULL,
    run_id TEXT NOT NULL,
    cache_key TEXT NOT NULL,
    cache_hit BOOLEAN NOT NULL,
    blocked BOOLEAN NOT NULL,
    guardrail_triggered BOOLEAN NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    is_cleared BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX agent_response_thread ON agent_response (thread_id, is_deleted, id);
CREATE INDEX agent_response_agent ON agent_response (agent_id, created_on);
CREATE INDEX agent_response_cache ON agent_response (agent_id, cache_key) WHERE cache_key <> '';

CREATE TABLE response_step (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    response_id INTEGER NOT NULL REFERENCES agent_response (id),
    ordinal INTEGER NOT NULL,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    detail TEXT NOT NULL,
    started_on INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    UNIQUE (response_id, ordinal)
);

CREATE TABLE response_feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    response_id INTEGER NOT NULL REFERENCES agent_response (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    is_upvote BOOLEAN NOT NULL,
    is_downvote BOOLEAN NOT NULL,
    comment TEXT NOT NULL,
    category TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL,
    UNIQUE (response_id, user_id)
);

CREATE TABLE response_comment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    response_id INTEGER NOT NULL REFERENCES agent_response (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    comment TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL
);
CREATE INDEX response_comment_response ON response_comment (response_id);

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
SELECT 1;
