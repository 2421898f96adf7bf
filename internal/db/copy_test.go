package db_test

import (
	"context"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestEveryRowIsCopiedToPostgreSQLOrNone(t *testing.T) {
	t.Parallel()
	from, to := dbtest.Open(t, db.SQLite), dbtest.Open(t, db.Postgres)
	write := func(d *db.DB, query string, args ...any) error {
		return d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, query, args...)
			return err
		})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write(from, `INSERT INTO organization (id, name, domain, created_on) VALUES (7, 'Acme 鴨', '', 5), (9, 'Gone', '', 0)`))
	must(write(from, `DELETE FROM organization WHERE id = 9`))
	for i := range 700 {
		must(write(from, `INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (7, ?, ?, '', '', 'User', '', ?, FALSE, '', 0, '', 0)`, i, i, i%2 == 0))
	}
	must(write(from, `INSERT INTO llm_configuration (org_id, name, provider, model, endpoint, parameters, prompt_price, completion_price, key_sealed, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (7, 'm', 'p', '', '', '{}', 3, 0.25, '', TRUE, FALSE, '', 0, '', 0)`))
	for _, q := range []string{
		`INSERT INTO corpus (id, org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (1, 7, 1, '', '', 'document', 1, FALSE, '[]', 0, FALSE, '', 0, '', 0)`,
		`INSERT INTO document (id, org_id, corpus_id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified, step, is_failed, failure_code, failure_reason, warnings, version, pieces, pages,
			tags, is_attachment, revision, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (1, 7, 1, '', 'text', '', '', 0, '', '', '', '', 'completed', FALSE, '', '', '[]', 2, 0, 0, '[]', FALSE, 1, 0, FALSE, '', 0, '', 0)`,
		`INSERT INTO document_version (org_id, document_id, number, blob_key, media_type, size, sha256, title, indexing_mode_id, pages, text, embedder, encoded, created_on)
			VALUES (7, 1, 1, '', '', 0, '', '', 1, 0, '', '', x'', 0), (7, 1, 2, '', '', 0, '', '', 1, 0, '', '', x'00ff', 0)`,
	} {
		must(write(from, q))
	}
	var told []db.Copied
	must(db.Copy(t.Context(), from, to, func(c db.Copied) { told = append(told, c) }))
	rows := map[string]int64{}
	for _, c := range told {
		rows[c.Table] = c.Rows
	}
	if rows["organization"] != 1 || rows["users"] != 700 || rows["llm_configuration"] != 1 || len(told) < 30 {
		t.Errorf("copied: %v", rows)
	}
	active, err := db.One[int](t.Context(), to, `SELECT COUNT(*) FROM users WHERE is_active`)
	if err != nil || active != 350 {
		t.Error(active, err)
	}
	var id int64
	must(to.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = db.One[int64](ctx, tx, `INSERT INTO organization (name, domain, created_on) VALUES ('New', '', 0) RETURNING id`)
		return err
	}))
	if id != 10 {
		t.Errorf("the next id is %d, although 9 was used", id)
	}
	if err := db.Copy(t.Context(), from, to, func(db.Copied) {}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("copying into a database that is used: %v", err)
	}

	// One row that cannot be there undoes all of it.
	empty := dbtest.Open(t, db.Postgres)
	must(write(empty, `ALTER TABLE llm_configuration ADD CONSTRAINT cheap CHECK (prompt_price < 1)`))
	if err := db.Copy(t.Context(), from, empty, func(db.Copied) {}); err == nil {
		t.Error("a row that the target refuses was passed over")
	}
	if n, err := db.One[int](t.Context(), empty, `SELECT COUNT(*) FROM organization`); err != nil || n != 0 {
		t.Error(n, err)
	}
	// A row that comes out otherwise is found by its digest.
	must(write(empty, `ALTER TABLE llm_configuration DROP CONSTRAINT cheap`))
	must(write(empty, `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = NEW.name || '!'; RETURN NEW; END $$`))
	must(write(empty, `CREATE TRIGGER spoil BEFORE INSERT ON llm_configuration FOR EACH ROW EXECUTE FUNCTION spoil()`))
	if err := db.Copy(t.Context(), from, empty, func(db.Copied) {}); err == nil || !strings.Contains(err.Error(), "differ") {
		t.Errorf("a changed row was passed over: %v", err)
	}
}
