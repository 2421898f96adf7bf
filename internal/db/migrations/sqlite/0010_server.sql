-- +goose Up
-- Servers that run on this database, so that they can compare how they are set up.
CREATE TABLE server (
    id TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    settings TEXT NOT NULL,
    started_on INTEGER NOT NULL,
    seen_on INTEGER NOT NULL
);

-- +goose Down
SELECT 1;
