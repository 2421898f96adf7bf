package permission_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/permission"
	"atrium/internal/user"
)

// town is an organization made at random, beside another one.
type town struct {
	t     *testing.T
	d     *db.DB
	tx    *db.Tx // while it is being made
	rnd   *rand.Rand
	users *user.Users
	org   int64
	who   []int64
	rows  map[authz.Resource][]int64
}

func newUsers(t *testing.T, d *db.DB) *user.Users {
	t.Helper()
	u := user.New(user.Options{DB: d, Log: slog.New(slog.DiscardHandler), MasterKey: make([]byte, 32)})
	t.Cleanup(u.Close)
	return u
}

// write runs an insert; row answers the id of what it made.
func (w *town) write(query string, args ...any) {
	w.t.Helper()
	if _, err := db.Exec(w.t.Context(), w.tx, query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) row(query string, args ...any) int64 {
	w.t.Helper()
	id, err := db.One[int64](w.t.Context(), w.tx, query+` RETURNING id`, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func (w *town) person(email string, role authz.Role) int64 {
	return w.row(`INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, '', '', ?, '', TRUE, FALSE, '', 0, '', 0)`, w.org, email, email, string(role))
}

func newTown(t *testing.T, d *db.DB, seed uint64) *town {
	t.Helper()
	w := &town{t: t, d: d, rnd: rand.New(rand.NewPCG(seed, 1)), rows: map[authz.Resource][]int64{}, users: newUsers(t, d)}
	err := d.Relaxed(t.Context(), func(_ context.Context, tx *db.Tx) error {
		w.tx = tx
		w.build()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *town) build() {
	r := w.rnd
	w.org = w.row(`INSERT INTO organization (name, domain, created_on) VALUES ('x', '', 0)`)
	for i := range 7 {
		role := authz.Member
		if i < 2 {
			role = authz.Roles()[i]
		}
		w.who = append(w.who, w.person(fmt.Sprintf("p%d-%d@x.example", i, w.org), role))
	}
	chance := func(f func()) {
		if r.IntN(3) == 0 {
			f()
		}
	}
	place := func(table, column, more, value string, res authz.Resource, n int, roles []string) {
		for i := range n {
			id := w.row(`INSERT INTO `+table+` (org_id, name, description, `+more+`is_deleted, created_by, created_on, modified_by, modified_on)
				VALUES (?, ?, '', `+value+`FALSE, '', 0, '', 0)`, w.org, fmt.Sprintf("%s %d", table, i))
			w.rows[res] = append(w.rows[res], id)
			for _, p := range w.who {
				chance(func() {
					w.write(`INSERT INTO `+table+`_user (org_id, `+column+`, user_id, role) VALUES (?, ?, ?, ?)`, w.org, id, p, pick(r, roles))
				})
			}
		}
	}
	place("team", "team_id", "", "", authz.Team, 3, []string{"Owner", "Admin", "Member", "Member"})
	place("project", "project_id", "is_default, ", "FALSE, ", authz.Project, 3, []string{"Owner", "Admin", "Member"})
	w.rows[authz.Project] = append(w.rows[authz.Project], w.row(`INSERT INTO project (org_id, name, description, is_default, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, 'General', '', TRUE, FALSE, '', 0, '', 0)`, w.org))
	for _, p := range w.rows[authz.Project] {
		for _, tm := range w.rows[authz.Team] {
			chance(func() {
				w.write(`INSERT INTO project_team (org_id, project_id, team_id) VALUES (?, ?, ?)`, w.org, p, tm)
			})
		}
	}
	for i := range 6 {
		id := w.row(`INSERT INTO agent (org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt, instructions, access, status, model, language, tags,
			sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count, react_enabled, react_max_iteration_count, is_guide, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, ?, '', '', '', 'QnA', '', '[]', ?, 'Live', '', '', '[]', '', '', '', FALSE, 1, FALSE, 1, FALSE, FALSE, '', 0, '', 0)`,
			w.org, pick(r, w.rows[authz.Project]), pick(r, w.who), fmt.Sprintf("agent %d", i), pick(r, []string{"Only me", "Only me", "Team", "Team", "Everyone"}))
		w.rows[authz.Agent] = append(w.rows[authz.Agent], id)
		for _, p := range w.who {
			chance(func() {
				w.write(`INSERT INTO agent_user (org_id, agent_id, user_id, role) VALUES (?, ?, ?, ?)`, w.org, id, p, pick(r, []string{"Admin", "Member"}))
			})
		}
	}
	for i := range 5 {
		id := w.row(`INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, '', 'document', 1, ?, '[]', 0, FALSE, '', 0, '', 0)`, w.org, pick(r, w.who), fmt.Sprintf("corpus %d", i), r.IntN(2) == 0)
		w.rows[authz.Corpus] = append(w.rows[authz.Corpus], id)
		grant := func(column string, to int64) {
			chance(func() {
				w.write(`INSERT INTO corpus_grant (org_id, corpus_id, `+column+`, role, created_by, created_on) VALUES (?, ?, ?, ?, '', 0)`, w.org, id, to, pick(r, []string{"Viewer", "Editor", "Admin"}))
			})
		}
		for _, p := range w.who {
			grant("user_id", p)
		}
		for _, tm := range w.rows[authz.Team] {
			grant("team_id", tm)
		}
		for _, a := range w.rows[authz.Agent] {
			chance(func() {
				w.write(`INSERT INTO agent_corpus (org_id, agent_id, corpus_id, is_enabled, is_default, created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, ?, FALSE, '', 0, '', 0)`,
					w.org, a, id, r.IntN(4) > 0)
			})
		}
		w.rows[authz.Document] = append(w.rows[authz.Document], w.row(`INSERT INTO document (org_id, corpus_id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified,
			step, is_failed, failure_code, failure_reason, warnings, version, pieces, pages, tags, is_attachment, revision, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, 'd', 'text', '', '', 0, '', '', '', '', 'completed', FALSE, '', '', '[]', 1, 0, 0, '[]', FALSE, 0, 0, FALSE, '', 0, '', 0)`, w.org, id))
	}
	w.give()
}

// give makes permission sets and rights at random and gives them to people.
func (w *town) give() {
	r := w.rnd
	for i := range 3 {
		var rules []authz.Rule
		for range 1 + r.IntN(3) {
			rule := authz.Rule{Resource: pick(r, authz.Grantable()), Action: pick(r, authz.Actions()), Breadth: pick(r, []authz.Breadth{authz.WholeOrganization, authz.OneProject, authz.OneTeam})}
			switch rule.Breadth {
			case authz.OneProject:
				rule.ID = pick(r, w.rows[authz.Project])
			case authz.OneTeam:
				rule.ID = pick(r, w.rows[authz.Team])
			case authz.WholeOrganization:
			}
			if rule.Check() == nil {
				rules = append(rules, rule)
			}
		}
		name := fmt.Sprintf("set %d", i)
		set := w.row(`INSERT INTO permission_set (org_id, name, description, rules, is_deleted, created_by, created_on, modified_by, modified_on) VALUES (?, ?, '', ?, FALSE, '', 0, '', 0)`, w.org, name, db.JSON(rules))
		w.row(`INSERT INTO user_permission (org_id, user_id, kind, set_id, name, created_by, created_on, modified_by, modified_on) VALUES (?, ?, 'set', ?, ?, '', 0, '', 0)`, w.org, w.who[2+i], set, name)
	}
	right := string(pick(r, []authz.Resource{authz.Agent, authz.Corpus, authz.Document, authz.Project, authz.Team})) + ":" + string(pick(r, []authz.Action{authz.View, authz.Edit, authz.Manage}))
	w.row(`INSERT INTO user_permission (org_id, user_id, kind, name, created_by, created_on, modified_by, modified_on) VALUES (?, ?, 'right', ?, '', 0, '', 0)`, w.org, w.who[5], right)
}

func (w *town) principal(id int64) *authz.Principal {
	w.t.Helper()
	p, err := w.users.Principal(w.t.Context(), w.d, w.org, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// list are the ids of the rows that a predicate selects.
func (w *town) list(r authz.Resource, where string, args []any) []int64 {
	w.t.Helper()
	ids, err := db.All[int64](w.t.Context(), w.d, `SELECT x.id FROM `+string(r)+` x WHERE x.is_deleted = FALSE AND `+where, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func TestWhatIsExplainedIsWhatTheListsHold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for seed := range uint64(4) {
			w := newTown(t, d, seed)
			for _, who := range w.who {
				p := w.principal(who)
				sc := authz.For(p)
				for r, ids := range w.rows {
					where, among := map[authz.Action][]int64{}, map[authz.Action][]int64{}
					for _, a := range authz.Actions() {
						sql, args := sc.Where(a, r, "x")
						where[a] = w.list(r, sql, args)
						sql, args = sc.Among(a, r, "x")
						among[a] = w.list(r, sql, args)
					}
					for _, id := range ids {
						said, err := permission.Explain(t.Context(), d, p, r, id)
						if err != nil {
							t.Fatal(err)
						}
						for _, v := range said {
							may := authz.Decide(p, authz.To(v.Action, r)).Allowed
							if in, by := slices.Contains(where[v.Action], id), slices.Contains(among[v.Action], id); v.Allowed != (may && in) || in != by || v.Reason == "" {
								t.Errorf("seed %d, %s, %s %s %d: explained %v (%s), found %v, listed %v", seed, p.Email, v.Action, r, id, v.Allowed, v.Reason, in, by)
							}
						}
					}
				}
			}
		}
	})
}

func TestWhoMayReachAThingIsWhomEachExplanationAllows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for seed := range uint64(3) {
			w := newTown(t, d, seed+100)
			sc := authz.For(w.principal(w.who[0]))
			for _, r := range []authz.Resource{authz.Agent, authz.Corpus} {
				for _, id := range w.rows[r] {
					for _, a := range []authz.Action{authz.View, authz.Use, authz.Edit, authz.Manage} {
						f := permission.Asked{Action: string(a)}
						f.Page, f.PageSize, f.Sort = 1, 200, "created_on"
						said, total, err := permission.Who(t.Context(), d, sc, r, id, f)
						if err != nil {
							t.Fatal(err)
						}
						var got, want []string
						for _, x := range said {
							got = append(got, line(x.User.ID, actionsOf(x)))
						}
						for _, who := range w.who {
							verdicts, err := permission.Explain(t.Context(), d, w.principal(who), r, id)
							if err != nil {
								t.Fatal(err)
							}
							var may []string
							for _, v := range verdicts {
								if v.Allowed {
									may = append(may, string(v.Action))
								}
							}
							if slices.Contains(may, string(a)) {
								want = append(want, line(who, may))
							}
						}
						if !slices.Equal(got, want) || total != len(want) {
							t.Errorf("seed %d, %s %s %d: %d of %q, want %q", seed, a, r, id, total, got, want)
						}
					}
				}
			}
		}
	})
}

func line(id int64, actions []string) string { return fmt.Sprint(id, " ", strings.Join(actions, ",")) }

func actionsOf(x permission.Reach) []string {
	var out []string
	for _, a := range x.Actions {
		out = append(out, string(a.Action))
	}
	return out
}
