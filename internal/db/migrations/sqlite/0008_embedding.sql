-- +goose Up

-- An organization whose documents have vectors of another embedder than the one that is set:
-- embedder made those that are searched, target is to make them all.
CREATE TABLE embedding (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL UNIQUE REFERENCES organization (id),
    embedder TEXT NOT NULL,
    target TEXT NOT NULL,
    done INTEGER NOT NULL,
    todo INTEGER NOT NULL,
    reason TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);

-- The index of a version with vectors of the target, until the organization has them all.
CREATE TABLE reembedded (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    version_id INTEGER NOT NULL UNIQUE REFERENCES document_version (id),
    embedder TEXT NOT NULL,
    encoded BLOB NOT NULL
);
CREATE INDEX reembedded_org ON reembedded (org_id, embedder);

-- Who made the vectors, without reading past the texts.
CREATE INDEX document_version_embedder ON document_version (document_id, number, embedder);

-- What is said before a piece when it is indexed and is not part of it.
ALTER TABLE piece ADD COLUMN context TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;
