-- +goose Up
SELECT 1; -- row-level security is PostgreSQL's

-- +goose Down
SELECT 1;
