-- +goose Up

-- What personal data is replaced when a corpus's documents are read: a JSON object, or
-- empty for nothing. A version says what it was read under, and how much was replaced.
ALTER TABLE corpus ADD COLUMN pii_redaction TEXT NOT NULL DEFAULT '';
ALTER TABLE document ADD COLUMN redactions TEXT NOT NULL DEFAULT '{}';
ALTER TABLE document_version ADD COLUMN pii_redaction TEXT NOT NULL DEFAULT '';
ALTER TABLE document_version ADD COLUMN redactions TEXT NOT NULL DEFAULT '{}';

-- +goose Down
SELECT 1;
