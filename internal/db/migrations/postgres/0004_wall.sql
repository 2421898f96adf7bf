-- +goose Up

-- The second wall: whatever a statement asks for, it reaches the rows of the organization
-- in the setting atrium.org, which package db sets; empty is the server's own work. Each
-- new table with an org_id calls atrium_wall. The settings are read once a statement, in
-- subqueries, and the comparisons are leakproof, so that indexes serve as before.
-- +goose StatementBegin
CREATE FUNCTION atrium_wall(target regclass, org TEXT DEFAULT 'org_id') RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY wall ON %s
        USING (%I = (SELECT nullif(current_setting(''atrium.org'', true), '''')::bigint)
            OR (SELECT coalesce(current_setting(''atrium.org'', true), '''') = ''''))', target, org);
END
$$;
-- +goose StatementEnd

-- Not job: the queue serves all organizations, and its handlers run behind the wall.
SELECT atrium_wall(c.oid::regclass)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
WHERE a.attname = 'org_id' AND NOT a.attisdropped AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'job';
SELECT atrium_wall('organization', 'id');

-- +goose Down
SELECT 1;
