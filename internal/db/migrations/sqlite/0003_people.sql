-- +goose Up

-- People: how they are known elsewhere, and what they may beyond their role.
ALTER TABLE users ADD COLUMN last_sign_in_on INTEGER;
ALTER TABLE users ADD COLUMN invited_on INTEGER;

CREATE TABLE user_identity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX user_identity_user ON user_identity (user_id);

ALTER TABLE session ADD COLUMN way TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN last_used_on INTEGER;

-- handle is the hash of what names the attempt when the code itself is short.
ALTER TABLE one_time_token ADD COLUMN handle TEXT NOT NULL DEFAULT '';
ALTER TABLE one_time_token ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE one_time_token ADD COLUMN next TEXT NOT NULL DEFAULT '';
CREATE INDEX one_time_token_handle ON one_time_token (handle) WHERE handle <> '';
CREATE INDEX one_time_token_user ON one_time_token (user_id);

-- A sign-in that is under way at another issuer. state is a hash; no organization is known yet.
CREATE TABLE sso_attempt (
    state TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    browser TEXT NOT NULL,
    next TEXT NOT NULL,
    expires_on INTEGER NOT NULL
);

CREATE TABLE permission_set (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    rules TEXT NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE UNIQUE INDEX permission_set_name ON permission_set (org_id, name) WHERE NOT is_deleted;

-- kind is role, set or right: the role of users.role, a held permission set, or a single right.
CREATE TABLE user_permission (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    set_id INTEGER REFERENCES permission_set (id),
    name TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX user_permission_user ON user_permission (user_id);
CREATE UNIQUE INDEX user_permission_role ON user_permission (user_id) WHERE kind = 'role';
CREATE UNIQUE INDEX user_permission_right ON user_permission (user_id, kind, name) WHERE kind <> 'role';
INSERT INTO user_permission (org_id, user_id, kind, name, created_by, created_on, modified_by, modified_on)
    SELECT org_id, id, 'role', role, created_by, created_on, modified_by, modified_on FROM users;

-- What a person opened last; kind is project or team.
CREATE TABLE recent (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    item_id INTEGER NOT NULL,
    opened_on INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind, item_id)
);

CREATE INDEX users_created ON users (org_id, is_deleted, created_on);
CREATE UNIQUE INDEX team_name ON team (org_id, name) WHERE NOT is_deleted;
CREATE UNIQUE INDEX project_name ON project (org_id, name) WHERE NOT is_deleted;
CREATE INDEX project_user_user ON project_user (user_id);
CREATE INDEX project_team_team ON project_team (team_id);
CREATE INDEX agent_user_user ON agent_user (user_id);
-- These hold all that finding somebody's agents asks of them, so that it reads no rows.
DROP INDEX agent_owner;
CREATE INDEX agent_owner ON agent (owner_id, org_id, is_deleted, id);
CREATE INDEX agent_project ON agent (project_id, org_id, access, is_deleted, id);
CREATE INDEX agent_name ON agent (org_id, is_deleted, lower(name));
CREATE INDEX agent_access ON agent (org_id, access, is_deleted, id);
CREATE INDEX corpus_owner ON corpus (owner_id);
CREATE INDEX corpus_grant_user ON corpus_grant (user_id);
CREATE INDEX corpus_grant_team ON corpus_grant (team_id);
CREATE UNIQUE INDEX corpus_grant_once_user ON corpus_grant (corpus_id, user_id);
CREATE UNIQUE INDEX corpus_grant_once_team ON corpus_grant (corpus_id, team_id);
CREATE INDEX agent_response_user ON agent_response (user_id, id);

CREATE TABLE notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    user_id INTEGER REFERENCES users (id),
    team_id INTEGER REFERENCES team (id),
    author_id INTEGER REFERENCES users (id),
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    link TEXT NOT NULL,
    level TEXT NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX notification_org ON notification (org_id, id);

CREATE TABLE notification_read (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    notification_id INTEGER NOT NULL REFERENCES notification (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    read_on INTEGER NOT NULL,
    PRIMARY KEY (user_id, notification_id)
);

CREATE TABLE feature_flag (
    org_id INTEGER NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL,
    PRIMARY KEY (org_id, name)
);

-- logo_key names a blob.
ALTER TABLE organization ADD COLUMN logo_key TEXT NOT NULL DEFAULT '';
ALTER TABLE organization ADD COLUMN logo_type TEXT NOT NULL DEFAULT '';

-- key_sealed is encrypted with the row as associated data.
CREATE TABLE llm_configuration (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    parameters TEXT NOT NULL,
    prompt_price DOUBLE PRECISION NOT NULL,
    completion_price DOUBLE PRECISION NOT NULL,
    key_sealed TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE UNIQUE INDEX llm_configuration_name ON llm_configuration (org_id, name) WHERE NOT is_deleted;
ALTER TABLE agent ADD COLUMN llm_configuration_id INTEGER REFERENCES llm_configuration (id);

-- Who did what. hash chains each entry of an organization to the one before it.
CREATE TABLE audit_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    seq INTEGER NOT NULL,
    created_on INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    actor TEXT NOT NULL,
    carrier TEXT NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (org_id, seq)
);
CREATE INDEX audit_event_action ON audit_event (org_id, action, seq);
CREATE INDEX audit_event_actor ON audit_event (org_id, user_id, seq);

CREATE TABLE audit_head (
    org_id INTEGER PRIMARY KEY REFERENCES organization (id),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
);

-- +goose Down
SELECT 1;
