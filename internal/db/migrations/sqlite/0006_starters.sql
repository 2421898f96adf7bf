-- +goose Up

-- Questions drafted from a document: one row a document, of the version they were drafted
-- from. asked is the model that was asked last, empty for none.
CREATE TABLE document_starter (
    id INTEGER PRIMARY KEY,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    document_id INTEGER NOT NULL UNIQUE REFERENCES document (id),
    version INTEGER NOT NULL,
    asked TEXT NOT NULL,
    questions TEXT NOT NULL,
    created_on INTEGER NOT NULL
);

-- Questions that people gave an agent; without any, sample_q1 to sample_q3 are its starters.
CREATE TABLE agent_starter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    agent_id INTEGER NOT NULL REFERENCES agent (id),
    ordinal INTEGER NOT NULL,
    question TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL
);
CREATE INDEX agent_starter_agent ON agent_starter (agent_id, ordinal);

-- +goose Down
SELECT 1;
