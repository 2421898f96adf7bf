package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"atrium/internal/api"
	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

// forged are fields that only the server sets, in the spellings that decoders
// take for each other.
func forged(m *matrix, not map[string]any) map[string]any {
	eve := json.Number(fmt.Sprint(m.forger.id))
	fields := map[string]any{
		"id": 1, "org_id": m.foreign.org, "organization": m.foreign.org, "owner_id": eve, "owner": eve, "user_id": eve, "author_id": eve, "created_by": "forged@home.example",
		"modified_by": "forged@home.example", "created_on": "2001-01-01T00:00:00Z", "is_deleted": true, "is_superuser": true, "is_staff": true, "role": "Global Admin",
		"password_hash": "forged", "key_sealed": "forged", "is_default": true, "is_guide": true,
	}
	out := map[string]any{}
	for name, v := range fields {
		words := strings.Split(name, "_")
		for i := 1; i < len(words); i++ {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
		camel := strings.Join(words, "")
		for _, spelling := range []string{name, strings.ToUpper(name), camel, strings.ToUpper(camel[:1]) + camel[1:], strings.ReplaceAll(name, "_", "-")} {
			known := false
			for k := range not { // what the operation takes it takes in any case
				known = known || strings.EqualFold(k, spelling)
			}
			if !known {
				out[spelling] = v
			}
		}
	}
	return out
}

// marks are the figures that no forged field may move.
func (m *matrix) marks(columns []string) []string {
	out := []string{
		`SELECT COUNT(*) FROM users WHERE role = 'Global Admin' OR password_hash = 'forged'`,
		fmt.Sprintf(`SELECT COUNT(*) FROM agent WHERE owner_id = %d OR is_guide = TRUE`, m.forger.id),
		fmt.Sprintf(`SELECT COUNT(*) FROM corpus WHERE owner_id = %d`, m.forger.id),
		fmt.Sprintf(`SELECT COUNT(*) FROM api_key WHERE user_id = %d`, m.forger.id),
		fmt.Sprintf(`SELECT COUNT(*) FROM chat_thread WHERE user_id = %d`, m.forger.id),
		`SELECT COUNT(*) FROM project WHERE is_default = TRUE`,
	}
	for _, x := range columns {
		table, column, _ := strings.Cut(x, ".")
		switch {
		case table == "audit_event" || table == "event" || strings.HasPrefix(table, "job"):
		case column == "created_by" || column == "modified_by":
			out = append(out, `SELECT COUNT(*) FROM `+table+` WHERE `+column+` = 'forged@home.example'`)
		case column == "is_deleted":
			out = append(out, `SELECT COUNT(*) FROM `+table+` WHERE is_deleted = TRUE`)
		case column == "org_id":
			out = append(out, fmt.Sprintf(`SELECT COUNT(*) FROM %s WHERE org_id = %d`, table, m.foreign.org))
		case column == "created_on":
			out = append(out, `SELECT COUNT(*) FROM `+table+` WHERE created_on < 1100000000000000`)
		}
	}
	return out
}

// Fields that the server owns change nothing, whatever operation they are sent
// to and however they are spelt.
func TestNobodySetsWhatTheServerOwns(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		m := newMatrix(t, h)
		d := h.Server.DB()
		m.forger = m.addPerson(m.admin.org, "forger@home.example", "User")
		columns, err := db.All[string](t.Context(), d, d.Pick(`SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`,
			`SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()`))
		if err != nil {
			t.Fatal(err)
		}
		type mark struct {
			sql string
			n   int64
		}
		var before []mark
		for _, sql := range m.marks(columns) {
			n, err := db.One[int64](db.WithOrg(t.Context(), m.admin.org), d, sql) // as the requests see it
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			before = append(before, mark{sql, n})
		}
		reached := 0
		for _, o := range h.Server.API().Ops() {
			b := m.bodyOf(o, m.admin.org)
			if b.contentType != "application/json" || o.Needs.IsPublic() || asks[o.ID] {
				continue
			}
			for _, who := range []*human{m.ours, m.admin} {
				i := slices.IndexFunc(m.subjects, func(s subject) bool { return s.p == who && s.cookie })
				body := maps.Clone(b.value)
				if body == nil {
					body = map[string]any{}
				}
				maps.Copy(body, forged(m, m.fields(o)))
				raw, _ := json.Marshal(body)
				c := m.ask(m.subjects[i], o, m.targets(o)[0].target+b.query(""), b.contentType, raw, func(ctx context.Context, tx *db.Tx) error {
					for _, x := range before {
						if strings.Contains(x.sql, "is_deleted = TRUE") && o.Method() == "DELETE" {
							continue
						}
						n, err := db.One[int64](ctx, tx, x.sql)
						if err != nil {
							return err
						}
						if n != x.n {
							return fmt.Errorf("a field that the server owns was taken: %s: %d, was %d", x.sql, n, x.n)
						}
					}
					return m.untied(ctx, tx)
				})
				if c.committed {
					reached++
				}
			}
		}
		t.Logf("%d came as far as their commit", reached)
		if reached < 20 {
			t.Errorf("only %d forged requests came as far as their commit", reached)
		}
	})
}

// fields are what an operation takes by name.
func (m *matrix) fields(o api.Op) map[string]any {
	op, _ := dig(m.spec, "paths", o.Path(), strings.ToLower(o.Method()), "requestBody", "content", "application/json", "schema").(map[string]any)
	if op == nil {
		return nil
	}
	props, _ := m.resolve(op)["properties"].(map[string]any)
	return props
}
