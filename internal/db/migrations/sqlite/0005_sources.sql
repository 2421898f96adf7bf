-- +goose Up

-- Where documents come from when nobody uploads them, and when they are looked at again.
CREATE TABLE source (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    max_depth INTEGER NOT NULL,
    max_pages INTEGER NOT NULL,
    include TEXT NOT NULL,
    exclude TEXT NOT NULL,
    tags TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT NOT NULL,
    run INTEGER NOT NULL,
    found INTEGER NOT NULL,
    added INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    not_modified INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    is_cut BOOLEAN NOT NULL,
    started_on INTEGER,
    ended_on INTEGER,
    is_deleted BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_on INTEGER NOT NULL
);
CREATE INDEX source_corpus ON source (corpus_id, is_deleted, created_on);

-- An item of a source: still to be visited in a run, or how it was at its last visit.
CREATE TABLE source_item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES organization (id),
    source_id INTEGER NOT NULL REFERENCES source (id),
    key TEXT NOT NULL,
    depth INTEGER NOT NULL,
    is_listing BOOLEAN NOT NULL,
    is_pinned BOOLEAN NOT NULL,
    listed TEXT NOT NULL,
    run INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    etag TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    fetched_listed TEXT NOT NULL,
    leads TEXT NOT NULL,
    document_id INTEGER REFERENCES document (id),
    visited_on INTEGER,
    UNIQUE (source_id, key)
);
CREATE INDEX source_item_run ON source_item (source_id, run, outcome, tries, depth, id);

ALTER TABLE document ADD COLUMN source_id INTEGER REFERENCES source (id);
ALTER TABLE document ADD COLUMN weblink_type TEXT NOT NULL DEFAULT '';
ALTER TABLE document ADD COLUMN is_removed_at_source BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE document ADD COLUMN checked_on INTEGER;
ALTER TABLE document ADD COLUMN check_result TEXT NOT NULL DEFAULT '';
CREATE INDEX document_source ON document (source_id) WHERE source_id IS NOT NULL;

ALTER TABLE corpus ADD COLUMN refresh_enabled BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE corpus ADD COLUMN refresh_schedule TEXT NOT NULL DEFAULT '';
ALTER TABLE corpus ADD COLUMN next_refresh_on INTEGER;
ALTER TABLE corpus ADD COLUMN last_refresh_on INTEGER;
CREATE INDEX corpus_refresh ON corpus (next_refresh_on) WHERE refresh_enabled;

-- +goose Down
SELECT 1;
