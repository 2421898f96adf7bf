-- +goose Up

-- state: pending (ready), delayed (until run_at), running (until lease_until, by
-- owner), done, failed, cancelled. lease counts the claims and fences them.
CREATE TABLE job (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    org_id      BIGINT  NOT NULL,
    key         TEXT    NOT NULL DEFAULT '',
    payload     TEXT    NOT NULL,
    priority    BIGINT  NOT NULL DEFAULT 0,
    state       TEXT    NOT NULL,
    run_at      BIGINT  NOT NULL,
    attempt     BIGINT  NOT NULL DEFAULT 0,
    crashes     BIGINT  NOT NULL DEFAULT 0,
    lease       BIGINT  NOT NULL DEFAULT 0,
    lease_until BIGINT,
    owner       TEXT    NOT NULL DEFAULT '',
    cancel      BOOLEAN NOT NULL DEFAULT FALSE,
    error       TEXT    NOT NULL DEFAULT '',
    created_at  BIGINT  NOT NULL,
    ended_at    BIGINT
);
CREATE INDEX job_ready ON job (kind, org_id, priority DESC, id) WHERE state = 'pending';
CREATE INDEX job_delayed ON job (run_at) WHERE state = 'delayed';
CREATE INDEX job_running ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_over ON job (ended_at) WHERE state IN ('done', 'cancelled');
CREATE INDEX job_failed ON job (ended_at) WHERE state = 'failed';
-- A job that is being cancelled no longer holds its key, so that it can be asked for again.
CREATE UNIQUE INDEX job_key ON job (kind, key)
    WHERE key <> '' AND NOT cancel AND state IN ('pending', 'delayed', 'running');

CREATE TABLE event (
    stream     TEXT    NOT NULL,
    seq        BIGINT  NOT NULL,
    org_id     BIGINT  NOT NULL,
    name       TEXT    NOT NULL,
    data       TEXT    NOT NULL,
    last       BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
