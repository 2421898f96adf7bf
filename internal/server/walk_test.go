package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/server/servertest"
)

// walkSteps is how long the walk is: ATRIUM_WALK_STEPS, else a part of it under
// the race detector and the whole without.
func walkSteps(t *testing.T, whole int) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("ATRIUM_WALK_STEPS")); err == nil {
		return n * whole / wholeWalk
	}
	if raceDetector {
		return whole / 20
	}
	return whole
}

const wholeWalk = 200_000

// walkSeed is printed, and ATRIUM_WALK_SEED goes the same way again.
func walkSeed(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("ATRIUM_WALK_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("ATRIUM_WALK_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 7))
}

type walker struct {
	*facts
	rnd                                    *rand.Rand
	orgs                                   []int64
	persons                                []*human
	teamIDs, projectIDs, agentIDs, corpora []int64
	documentIDs                            []int64
	changes, reads, lists                  int
}

func newWalker(t *testing.T, d *db.DB, rnd *rand.Rand) *walker {
	t.Helper()
	w := &walker{facts: newFacts(t, d), rnd: rnd}
	for o := range 3 {
		org, general := w.addOrg(fmt.Sprintf("Org %d", o))
		w.orgs, w.projectIDs = append(w.orgs, org), append(w.projectIDs, general)
		for i := range 8 {
			role := []string{"Global Admin", "Application Admin", "User"}[min(i, 2)]
			w.persons = append(w.persons, w.addPerson(org, fmt.Sprintf("p%d@org%d.example", i, o), role))
		}
		for i := range 3 {
			w.teamIDs = append(w.teamIDs, w.addTeam(org, fmt.Sprintf("T%d", i)))
			w.projectIDs = append(w.projectIDs, w.addProject(org, fmt.Sprintf("P%d", i)))
		}
	}
	// Each organization has some of all: what is picked for it is there.
	someone := func(i int) *human { return pickOf(rnd, w.orgs[i%len(w.orgs)], w.persons, w.orgOfPerson) }
	for i := range 30 {
		p := someone(i)
		w.agentIDs = append(w.agentIDs, w.addAgent(p, w.of(p.org, w.projectIDs, w.orgOfProject), pick(w.rnd, accesses), fmt.Sprintf("A%d", i)))
	}
	for i := range 15 {
		id := w.addCorpus(someone(i), "document", fmt.Sprintf("C%d", i))
		w.corpora = append(w.corpora, id)
		w.documentIDs = append(w.documentIDs, w.addDocument(id, fmt.Sprintf("D%d", i)))
	}
	return w
}

var (
	accesses = []string{"Only me", "Team", "Everyone", "Public"}
	actions  = []string{"view", "use", "create", "edit", "delete", "manage"}
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func (w *walker) anyone() *human              { return pick(w.rnd, w.persons) }
func (w *walker) orgOfProject(id int64) int64 { return w.projects[id].org }
func (w *walker) orgOfTeam(id int64) int64    { return w.teams[id].org }
func (w *walker) orgOfAgent(id int64) int64   { return w.agents[id].org }
func (w *walker) orgOfPerson(p *human) int64  { return p.org }

// of picks one of the organization's.
func (w *walker) of(org int64, ids []int64, orgOf func(int64) int64) int64 {
	return pickOf(w.rnd, org, ids, orgOf)
}

func pickOf[T any](r *rand.Rand, org int64, all []T, orgOf func(T) int64) T {
	for {
		if x := pick(r, all); orgOf(x) == org {
			return x
		}
	}
}

// change does one of all that changes who may do what.
func (w *walker) change() {
	w.changes++
	org := pick(w.rnd, w.orgs)
	p := pickOf(w.rnd, org, w.persons, w.orgOfPerson)
	role := pick(w.rnd, []string{"", "", "Member", "Admin", "Owner"})
	switch w.rnd.IntN(12) {
	case 0, 1:
		w.member("team", w.of(org, w.teamIDs, w.orgOfTeam), p.id, role)
	case 2:
		w.member("project", w.of(org, w.projectIDs, w.orgOfProject), p.id, role)
	case 3:
		w.member("agent", w.of(org, w.agentIDs, w.orgOfAgent), p.id, pick(w.rnd, []string{"", "Member", "Admin"}))
	case 4:
		w.teamOf(w.of(org, w.projectIDs, w.orgOfProject), w.of(org, w.teamIDs, w.orgOfTeam), w.rnd.IntN(2) == 0)
	case 5:
		id := w.of(org, w.agentIDs, w.orgOfAgent)
		w.agents[id].access = pick(w.rnd, accesses)
		w.exec(`UPDATE agent SET access = ? WHERE id = ?`, w.agents[id].access, id)
	case 6: // a move
		id := w.of(org, w.agentIDs, w.orgOfAgent)
		w.agents[id].project = w.of(org, w.projectIDs, w.orgOfProject)
		w.exec(`UPDATE agent SET project_id = ? WHERE id = ?`, w.agents[id].project, id)
	case 7:
		id := pickOf(w.rnd, org, w.corpora, func(id int64) int64 { return w.facts.corpora[id].org })
		w.granted(id, "user_id", p.id, pick(w.rnd, []string{"", "Viewer", "Editor", "Admin"}))
	case 8:
		id := pickOf(w.rnd, org, w.corpora, func(id int64) int64 { return w.facts.corpora[id].org })
		w.granted(id, "team_id", w.of(org, w.teamIDs, w.orgOfTeam), pick(w.rnd, []string{"", "Viewer", "Editor", "Admin"}))
	case 9:
		id := pickOf(w.rnd, org, w.corpora, func(id int64) int64 { return w.facts.corpora[id].org })
		if a := w.of(org, w.agentIDs, w.orgOfAgent); w.rnd.IntN(2) == 0 {
			w.quote(a, id)
		} else {
			w.unquote(a, id)
		}
		if w.rnd.IntN(4) == 0 {
			x := w.facts.corpora[id]
			x.restricted = !x.restricted
			w.exec(`UPDATE corpus SET restrict_to_viewers = ? WHERE id = ?`, x.restricted, id)
		}
	case 10:
		w.setRole(p, pick(w.rnd, []string{"User", "User", "User", "User", "Application Admin", "Global Admin"}))
	case 11:
		if len(p.rights) > 1 || w.rnd.IntN(3) == 0 {
			w.unright(p)
			return
		}
		g := grantFact{resource: pick(w.rnd, []string{"agent", "project", "team", "corpus", "document", "user"}), action: pick(w.rnd, actions), breadth: "organization"}
		if w.rnd.IntN(2) == 0 {
			switch g.resource {
			case "agent", "project":
				g.breadth, g.id = "project", w.of(org, w.projectIDs, w.orgOfProject)
				if w.rnd.IntN(2) == 0 {
					g.breadth, g.id = "team", w.of(org, w.teamIDs, w.orgOfTeam)
				}
			case "team":
				g.breadth, g.id = "team", w.of(org, w.teamIDs, w.orgOfTeam)
			}
		}
		w.right(p, g)
	}
}

// principal is the person as the gate would make them.
func (p *human) principal() *authz.Principal {
	out := &authz.Principal{UserID: p.id, OrgID: p.org, Email: p.email, Role: authz.Role(p.role), Carrier: authz.ByToken, Scopes: []string{"*"}}
	for _, g := range p.rights {
		out.Rules = append(out.Rules, authz.Rule{Resource: authz.Resource(g.resource), Action: authz.Action(g.action), Breadth: authz.Breadth(g.breadth), ID: g.id, From: "a right"})
	}
	return out
}

// rows are the resources that the walk reads.
func (w *walker) rows() map[string][]int64 {
	people := make([]int64, len(w.persons))
	for i, p := range w.persons {
		people[i] = p.id
	}
	return map[string][]int64{"agent": w.agentIDs, "project": w.projectIDs, "team": w.teamIDs, "corpus": w.corpora, "document": w.documentIDs, "users": people}
}

// read asks whether somebody may do something to one thing, and now and then
// lists all that they may do it to; both have to say what the reference says.
func (w *walker) read(q db.Querier, all map[string][]int64) {
	w.t.Helper()
	p := w.anyone()
	table := pick(w.rnd, []string{"agent", "agent", "project", "team", "corpus", "document", "users"})
	resource := table
	if table == "users" {
		resource = "user"
	}
	action := pick(w.rnd, actions)
	sc := authz.For(p.principal())
	a, r := authz.Action(action), authz.Resource(resource)
	atAll := sc.Can(authz.To(a, r)).Allowed
	if atAll != w.mayAtAll(p, action, resource) {
		w.t.Fatalf("%s (%s): %s %s at all: %v", p.email, p.role, action, resource, atAll)
	}
	if !atAll {
		return
	}
	id := pick(w.rnd, all[table])
	w.reads++
	where, args := sc.Where(a, r, "x")
	n, err := db.One[int](w.ctx, q, `SELECT COUNT(*) FROM `+table+` x WHERE x.id = ? AND `+where, append([]any{id}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	if want := w.may(p, action, resource, id); want != (n == 1) {
		w.t.Fatalf("after %d changes: may %s (%s, %+v) %s %s %d? the reference says %v, Where %v: %s", w.changes, p.email, p.role, p.rights, action, resource, id, want, n == 1, where)
	}
	if w.rnd.IntN(12) != 0 {
		return
	}
	w.lists++
	var want []int64
	for _, id := range all[table] {
		if w.may(p, action, resource, id) {
			want = append(want, id)
		}
	}
	for name, f := range map[string]func(authz.Action, authz.Resource, string) (string, []any){"Where": sc.Where, "Among": sc.Among} {
		where, args := f(a, r, "x")
		got, err := db.All[int64](w.ctx, q, `SELECT x.id FROM `+table+` x WHERE `+where+` ORDER BY x.id`, args...)
		if err != nil {
			w.t.Fatal(err)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) && len(got)+len(want) > 0 {
			w.t.Fatalf("after %d changes: what may %s (%s, %+v) %s of %s? the reference says %v, %s %v", w.changes, p.email, p.role, p.rights, action, table, want, name, got)
		}
	}
}

// go walks a number of steps, many in a transaction.
func (w *walker) walk(steps int) {
	w.t.Helper()
	const batch = 400
	for done := 0; done < steps; done += batch {
		err := w.db.Relaxed(w.ctx, func(_ context.Context, tx *db.Tx) error {
			w.tx = tx
			defer func() { w.tx = nil }()
			all := w.rows()
			for range min(batch, steps-done) {
				if w.rnd.IntN(3) == 0 {
					w.change()
				} else {
					w.read(tx, all)
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Logf("%d steps: %d changes, %d reads, %d lists", steps, w.changes, w.reads, w.lists)
}

func TestTheRandomWalkMeetsTheReferencePolicy(t *testing.T) {
	t.Parallel()
	for e, steps := range map[db.Engine]int{db.SQLite: wholeWalk * 9 / 10, db.Postgres: wholeWalk / 10} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			newWalker(t, dbtest.Open(t, e), walkSeed(t)).walk(walkSteps(t, steps))
		})
	}
}

// digest is how credentials are kept.
func digest(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// token opens a session for a person beside the operations.
func (w *facts) token(p *human, columns string, args ...any) string {
	w.t.Helper()
	w.made++
	token := sessionToken(w.made)
	now := time.Now()
	all := append([]any{p.org, p.id, fmt.Sprintf("family %d", w.made), "user", digest("a" + token), digest(token), now, now.Add(time.Hour)}, args...)
	w.insert("session", "org_id, user_id, family, kind, access_hash, platform_hash, created_on, expires_on"+columns, all...)
	return token
}

// The same through HTTP: what getAgent and listAgents answer is what the
// reference says, at once after each change.
func TestTheRandomWalkThroughTheOperationsMeetsTheReferencePolicy(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		w := newWalker(t, h.Server.DB(), walkSeed(t))
		anon := h.Anonymous(t)
		apps := map[int64]string{}
		for _, p := range w.persons {
			if apps[p.org] == "" {
				apps[p.org] = w.key(p)
			}
		}
		rounds := 60
		if raceDetector {
			rounds = 12
		}
		for range rounds {
			for range 25 {
				w.change()
			}
			for range 4 {
				p := w.anyone()
				c := anon.With("Authorization", "Bearer "+w.token(p, "")).With("Ocp-Apim-Subscription-Key", apps[p.org])
				for _, x := range []struct{ resource, path, list, items string }{
					{"agent", "/api/v2/agents/%d", "/api/v2/agents?page_size=200", "data.agents"},
					{"corpus", "/api/v2/corpora/%d", "/api/v2/corpora?page_size=200", "data.corpora"},
				} {
					all := w.rows()[x.resource]
					id := pick(w.rnd, all)
					want := 404
					if w.may(p, "view", x.resource, id) {
						want = 200
					}
					if a := c.Do("GET", fmt.Sprintf(x.path, id), nil); a.Status != want {
						t.Fatalf("%s (%s, %+v) gets %s %d: %d, the reference says %d: %s", p.email, p.role, p.rights, x.resource, id, a.Status, want, a.Body)
					}
					list := c.Do("GET", x.list, nil).Want(t, 200)
					var got, may []int64
					for i := range max(list.Len(x.items), 0) {
						got = append(got, list.ID(fmt.Sprintf("%s.%d.id", x.items, i)))
					}
					for _, id := range all {
						if w.may(p, "view", x.resource, id) {
							may = append(may, id)
						}
					}
					slices.Sort(got)
					slices.Sort(may)
					if !slices.Equal(got, may) {
						t.Fatalf("%s (%s, %+v) lists %s: %v, the reference says %v", p.email, p.role, p.rights, x.resource, got, may)
					}
				}
			}
		}
	})
}
