-- +goose Up
-- Events that were appended at once share a row; seq is the number of the first.
ALTER TABLE event ADD COLUMN size INTEGER NOT NULL DEFAULT 1;

-- +goose Down
SELECT 1;
