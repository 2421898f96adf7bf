package server_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

// The reference: who may do what, as the handbook says it, written a second
// time as plain Go over maps. It shares nothing with package authz, and the
// matrix and the walk hold the product to it.

type grantFact struct {
	action, resource string
	breadth          string // organization, project, team
	id               int64
}

type human struct {
	id, org int64
	email   string
	role    string
	active  bool
	rights  []grantFact
}

type teamFact struct {
	org     int64
	members map[int64]string
}

type projectFact struct {
	org       int64
	isDefault bool
	members   map[int64]string
	teams     map[int64]bool
}

type agentFact struct {
	org, owner, project int64
	access              string
	users               map[int64]string
}

type corpusFact struct {
	org, owner int64
	users      map[int64]string
	teams      map[int64]string
	restricted bool
}

// owned is a thing that is somebody's: a thread, an answer, a key, a session.
type owned struct{ org, owner int64 }

type noteFact struct {
	org              int64
	user, team, from int64
}

// facts are what is so, and the database that was told the same.
type facts struct {
	t         testing.TB
	ctx       context.Context
	db        *db.DB
	tx        *db.Tx // when several steps share one
	people    map[int64]*human
	teams     map[int64]*teamFact
	projects  map[int64]*projectFact
	agents    map[int64]*agentFact
	corpora   map[int64]*corpusFact
	documents map[int64]int64 // of which corpus
	quotes    map[int64]map[int64]bool
	private   map[string]map[int64]owned // by resource
	notes     map[int64]noteFact
	made      int
}

func newFacts(t testing.TB, d *db.DB) *facts {
	t.Helper()
	return &facts{
		t: t, ctx: t.Context(), db: d, people: map[int64]*human{}, teams: map[int64]*teamFact{}, projects: map[int64]*projectFact{}, agents: map[int64]*agentFact{},
		corpora: map[int64]*corpusFact{}, documents: map[int64]int64{}, quotes: map[int64]map[int64]bool{}, private: map[string]map[int64]owned{}, notes: map[int64]noteFact{},
	}
}

// What a role may do at all; a resource that is not listed is open to all.
var byRole = map[string]map[string][]string{
	"organization":      {"Application Admin": {"view", "use"}, "User": {"view", "use"}},
	"user":              {"Application Admin": {"view", "use", "create", "edit", "delete", "manage"}, "User": {"view", "use", "edit"}},
	"permission":        {"Application Admin": {"view"}, "User": {"view"}},
	"team":              {"Application Admin": {"view", "use", "create", "edit", "delete", "manage"}, "User": {"view", "use", "edit", "delete", "manage"}},
	"project":           {"Application Admin": {"view", "use", "create", "edit", "delete", "manage"}, "User": {"view", "use", "edit", "delete", "manage"}},
	"feature_flag":      {"Application Admin": {"view", "use"}, "User": {"view", "use"}},
	"llm_configuration": {"Application Admin": {"view", "use"}, "User": {"view", "use"}},
	"audit_event":       {},
}

// mayAtAll is what the gate has to answer for a signed-in person.
func (w *facts) mayAtAll(p *human, action, resource string) bool {
	if !p.active {
		return false
	}
	limited, ok := byRole[resource]
	if p.role == "Global Admin" || !ok || slices.Contains(limited[p.role], action) {
		return true
	}
	return slices.ContainsFunc(p.rights, func(g grantFact) bool { return g.about(action, resource) })
}

// about: a right to do anything to a thing shows the thing.
func (g grantFact) about(action, resource string) bool {
	return g.resource == resource && (g.action == action || action == "view")
}

func looks(action string) bool { return action == "view" || action == "use" }

func admin(role string) bool { return role == "Owner" || role == "Admin" }

// may is whether a person may do something to one thing.
func (w *facts) may(p *human, action, resource string, id int64) bool {
	if !w.mayAtAll(p, action, resource) {
		return false
	}
	global := p.role == "Global Admin"
	switch resource {
	case "chat_thread", "agent_response", "session", "api_key":
		x, ok := w.private[resource][id]
		return ok && x.org == p.org && x.owner == p.id
	case "organization":
		return id == p.org
	case "user":
		u, ok := w.people[id]
		if !ok || u.org != p.org {
			return false
		}
		return global || looks(action) || action == "edit" && u.id == p.id || u.role == "User" && (p.role == "Application Admin" || w.anyRight(p, action, resource, 0))
	case "permission":
		x, ok := w.private[resource][id]
		return ok && x.org == p.org && (x.owner == p.id || global || p.role == "Application Admin")
	case "team":
		x, ok := w.teams[id]
		if !ok || x.org != p.org {
			return false
		}
		role, member := x.members[p.id]
		return global || member && (looks(action) || admin(role)) || w.anyRight(p, action, resource, id)
	case "project":
		return w.mayProject(p, action, id)
	case "agent":
		return w.mayAgent(p, action, id)
	case "corpus":
		return w.mayCorpus(p, action, id)
	case "document":
		return w.mayDocument(p, action, id)
	case "notification":
		x, ok := w.notes[id]
		if !ok || x.org != p.org {
			return false
		}
		if !looks(action) {
			return global || x.from == p.id || w.anyRight(p, action, resource, 0)
		}
		return x.user == p.id || x.user == 0 && x.team == 0 || x.team != 0 && w.teams[x.team].members[p.id] != ""
	}
	return true // what has no rows of its own
}

func (w *facts) mayProject(p *human, action string, id int64) bool {
	x, ok := w.projects[id]
	if !ok || x.org != p.org {
		return false
	}
	if p.role == "Global Admin" || w.anyRight(p, action, "project", id) {
		return true
	}
	if !looks(action) {
		return admin(x.members[p.id])
	}
	return x.isDefault || x.members[p.id] != "" || w.inTeamOf(p, x)
}

func (w *facts) inTeamOf(p *human, x *projectFact) bool {
	for id := range x.teams {
		if w.teams[id].members[p.id] != "" {
			return true
		}
	}
	return false
}

func (w *facts) mayAgent(p *human, action string, id int64) bool {
	x, ok := w.agents[id]
	if !ok || x.org != p.org {
		return false
	}
	of := w.projects[x.project]
	if p.role == "Global Admin" || x.owner == p.id || admin(of.members[p.id]) || w.anyRight(p, action, "agent", x.project) {
		return true
	}
	if !looks(action) {
		return x.users[p.id] == "Admin"
	}
	switch x.access {
	case "Everyone", "Public":
		return true
	case "Team":
		if of.members[p.id] != "" || w.inTeamOf(p, of) {
			return true
		}
	}
	return x.users[p.id] != ""
}

func (w *facts) mayCorpus(p *human, action string, id int64) bool {
	x, ok := w.corpora[id]
	if !ok || x.org != p.org {
		return false
	}
	if p.role == "Global Admin" || x.owner == p.id || w.anyRight(p, action, "corpus", 0) {
		return true
	}
	enough := map[string]string{"view": "Viewer Editor Admin", "use": "Viewer Editor Admin", "create": "Editor Admin", "edit": "Editor Admin", "delete": "Admin", "manage": "Admin"}[action]
	has := func(role string) bool { return role != "" && slices.Contains(strings.Fields(enough), role) }
	for t, role := range x.teams {
		if has(role) && w.teams[t].members[p.id] != "" {
			return true
		}
	}
	return has(x.users[p.id])
}

func (w *facts) mayDocument(p *human, action string, id int64) bool {
	of, ok := w.documents[id]
	if !ok {
		return false
	}
	if x := w.corpora[of]; x.org != p.org {
		return false
	}
	if w.anyRight(p, action, "document", 0) {
		return true
	}
	on := action
	if on == "delete" {
		on = "edit"
	}
	if w.mayCorpus(p, on, of) {
		return true
	}
	if action == "use" && !w.corpora[of].restricted {
		for a := range w.quotes[of] {
			if w.mayAgent(p, "use", a) {
				return true
			}
		}
	}
	return false
}

// anyRight is whether a permission set or right reaches the row; place is the
// project of an agent, the project, or the team.
func (w *facts) anyRight(p *human, action, resource string, place int64) bool {
	return slices.ContainsFunc(p.rights, func(g grantFact) bool {
		if !g.about(action, resource) {
			return false
		}
		switch g.breadth {
		case "project":
			return resource != "team" && place == g.id
		case "team":
			if resource == "team" {
				return place == g.id
			}
			x := w.projects[place]
			return x != nil && x.teams[g.id]
		}
		return true
	})
}

// How the database is told.

func (w *facts) write(f func(ctx context.Context, tx *db.Tx) error) {
	w.t.Helper()
	var err error
	if w.tx != nil {
		err = f(w.ctx, w.tx)
	} else {
		err = w.db.Relaxed(w.ctx, f)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *facts) exec(query string, args ...any) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
}

func (w *facts) insert(table, columns string, args ...any) (id int64) {
	w.t.Helper()
	marks := ""
	for i := range args {
		if i > 0 {
			marks += ", "
		}
		marks += "?"
	}
	w.write(func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = db.One[int64](ctx, tx, `INSERT INTO `+table+` (`+columns+`) VALUES (`+marks+`) RETURNING id`, args...)
		return err
	})
	return id
}

const stamps = ", created_by, created_on, modified_by, modified_on"

func stamped(args ...any) []any {
	now := time.Now()
	return append(args, "test", now, "test", now)
}

func (w *facts) addOrg(name string) (id, defaultProject int64) {
	w.t.Helper()
	id = w.insert("organization", "name, domain, created_on", name, name+".example", time.Now())
	defaultProject = w.insert("project", "org_id, name, description, is_default, is_deleted"+stamps, stamped(id, "General of "+name, name, true, false)...)
	w.projects[defaultProject] = &projectFact{org: id, isDefault: true, members: map[int64]string{}, teams: map[int64]bool{}}
	return id, defaultProject
}

// passwordHash is of the password that the matrix sends, made as cheap as it can be.
var passwordHash = sync.OnceValue(func() string {
	h, err := argon2id.CreateHash(servertest.AdminPassword, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		panic(err)
	}
	return h
})

func (w *facts) addPerson(org int64, email, role string) *human {
	w.t.Helper()
	id := w.insert("users", "org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted"+stamps,
		stamped(org, email, email, "First", "Last", role, passwordHash(), true, false)...)
	w.insert("user_permission", "org_id, user_id, kind, name"+stamps, stamped(org, id, "role", role)...)
	p := &human{id: id, org: org, email: email, role: role, active: true}
	w.people[id] = p
	return p
}

func (w *facts) setRole(p *human, role string) {
	p.role = role
	w.exec(`UPDATE users SET role = ? WHERE id = ?`, role, p.id)
	w.exec(`UPDATE user_permission SET name = ? WHERE user_id = ? AND kind = 'role'`, role, p.id)
}

func (w *facts) addTeam(org int64, name string) int64 {
	w.t.Helper()
	id := w.insert("team", "org_id, name, description, is_deleted"+stamps, stamped(org, name, name, false)...)
	w.teams[id] = &teamFact{org: org, members: map[int64]string{}}
	return id
}

func (w *facts) addProject(org int64, name string) int64 {
	w.t.Helper()
	id := w.insert("project", "org_id, name, description, is_default, is_deleted"+stamps, stamped(org, name, name, false, false)...)
	w.projects[id] = &projectFact{org: org, members: map[int64]string{}, teams: map[int64]bool{}}
	return id
}

func (w *facts) addAgent(owner *human, project int64, access, name string) int64 {
	w.t.Helper()
	id := w.insert("agent", `org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt, instructions, access, status, model,
		language, tags, sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count, react_enabled, react_max_iteration_count, is_guide, is_deleted`+stamps,
		stamped(owner.org, project, owner.id, name, name, "", "", "QnA", name, "[]", access, "Live", "", "", "[]", "", "", "", false, 32, false, 50, false, false)...)
	w.agents[id] = &agentFact{org: owner.org, owner: owner.id, project: project, access: access, users: map[int64]string{}}
	return id
}

func (w *facts) addCorpus(owner *human, kind, name string) int64 {
	w.t.Helper()
	id := w.insert("corpus", "org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted"+stamps,
		stamped(owner.org, owner.id, name, name, kind, 1, false, "[]", 0, false)...)
	w.corpora[id] = &corpusFact{org: owner.org, owner: owner.id, users: map[int64]string{}, teams: map[int64]string{}}
	return id
}

func (w *facts) addDocument(corpus int64, name string) int64 {
	w.t.Helper()
	id := w.insert("document", `org_id, corpus_id, name, content_type, source, media_type, size, sha256, blob_key, etag, last_modified, step, is_failed, failure_code,
		failure_reason, warnings, version, pieces, pages, tags, is_attachment, revision, index_seq, is_deleted`+stamps,
		stamped(w.corpora[corpus].org, corpus, name, "text", "", "text/plain", 1, "", "", "", "", "completed", false, "", "", "[]", 0, 0, 0, "[]", false, 1, 0, false)...)
	w.documents[id] = corpus
	return id
}

func (w *facts) quote(agent, corpus int64) {
	w.t.Helper()
	if w.quotes[corpus] == nil {
		w.quotes[corpus] = map[int64]bool{}
	}
	if !w.quotes[corpus][agent] {
		w.insert("agent_corpus", "org_id, agent_id, corpus_id, is_enabled, is_default"+stamps, stamped(w.agents[agent].org, agent, corpus, true, false)...)
	}
	w.quotes[corpus][agent] = true
}

func (w *facts) unquote(agent, corpus int64) {
	delete(w.quotes[corpus], agent)
	w.exec(`DELETE FROM agent_corpus WHERE agent_id = ? AND corpus_id = ?`, agent, corpus)
}

// member puts somebody into a team, a project or an agent with a role, or out
// of it with none.
func (w *facts) member(kind string, id, user int64, role string) {
	w.t.Helper()
	var org int64
	var of map[int64]string
	switch kind {
	case "team":
		org, of = w.teams[id].org, w.teams[id].members
	case "project":
		org, of = w.projects[id].org, w.projects[id].members
	case "agent":
		org, of = w.agents[id].org, w.agents[id].users
	}
	if role == "" {
		delete(of, user)
		w.exec(`DELETE FROM `+kind+`_user WHERE `+kind+`_id = ? AND user_id = ?`, id, user)
		return
	}
	of[user] = role
	w.exec(`INSERT INTO `+kind+`_user (org_id, `+kind+`_id, user_id, role) VALUES (?, ?, ?, ?) ON CONFLICT (`+kind+`_id, user_id) DO UPDATE SET role = excluded.role`, org, id, user, role)
}

func (w *facts) teamOf(project, team int64, on bool) {
	x := w.projects[project]
	if on == x.teams[team] {
		return
	}
	if on {
		x.teams[team] = true
		w.exec(`INSERT INTO project_team (org_id, project_id, team_id) VALUES (?, ?, ?)`, x.org, project, team)
		return
	}
	delete(x.teams, team)
	w.exec(`DELETE FROM project_team WHERE project_id = ? AND team_id = ?`, project, team)
}

// granted gives a role on a corpus to a user or a team, or takes it with none.
func (w *facts) granted(corpus int64, column string, id int64, role string) int64 {
	w.t.Helper()
	x := w.corpora[corpus]
	of := x.users
	if column == "team_id" {
		of = x.teams
	}
	if of[id] != "" {
		w.exec(`DELETE FROM corpus_grant WHERE corpus_id = ? AND `+column+` = ?`, corpus, id)
	}
	if role == "" {
		delete(of, id)
		return 0
	}
	of[id] = role
	return w.insert("corpus_grant", "org_id, corpus_id, "+column+", role, created_by, created_on", x.org, corpus, id, role, "test", time.Now())
}

// right gives somebody a right, or a permission set of one rule.
func (w *facts) right(p *human, g grantFact) int64 {
	w.t.Helper()
	p.rights = append(p.rights, g)
	w.made++
	name := g.resource + ":" + g.action
	if g.breadth == "organization" && !slices.ContainsFunc(p.rights[:len(p.rights)-1], func(o grantFact) bool { return o == g }) {
		return w.insert("user_permission", "org_id, user_id, kind, name"+stamps, stamped(p.org, p.id, "right", name)...)
	}
	id := ""
	if g.id != 0 {
		id = fmt.Sprintf(`, "scope_id": %d`, g.id)
	}
	set := w.insert("permission_set", "org_id, name, description, rules, is_deleted"+stamps, stamped(p.org, fmt.Sprintf("Set %d", w.made), "",
		fmt.Sprintf(`[{"resource": %q, "action": %q, "scope": %q%s}]`, g.resource, g.action, g.breadth, id), false)...)
	return w.insert("user_permission", "org_id, user_id, kind, set_id, name"+stamps, stamped(p.org, p.id, "set", set, fmt.Sprintf("Set %d", w.made))...)
}

// unright takes all rights beyond the role away.
func (w *facts) unright(p *human) {
	p.rights = nil
	w.exec(`DELETE FROM user_permission WHERE user_id = ? AND kind <> 'role'`, p.id)
}

// sessionToken and keyToken have the form of real ones, with their checksums.
func sessionToken(n int) string { return formed("atrs_", n) }

func formed(prefix string, n int) string {
	var b [32]byte
	for i := range b {
		b[i] = byte(n >> (i % 8 * 8))
	}
	body := prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return body + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

// key makes an API key of a person beside the operations; columns and args say
// more of it.
func (w *facts) key(p *human, scopes ...string) string {
	w.t.Helper()
	return w.keyUntil(p, nil, nil, scopes...)
}

func (w *facts) keyUntil(p *human, expires, revoked *time.Time, scopes ...string) string {
	w.t.Helper()
	w.made++
	if len(scopes) == 0 {
		scopes = []string{"*"}
	}
	key := formed("atrk_", w.made)
	id := w.insert("api_key", "org_id, user_id, name, prefix, hash, scopes, expires_on, revoked_on, created_by, created_on",
		p.org, p.id, "key of "+p.email, key[:10], digest(key), db.JSON(scopes), expires, revoked, p.email, time.Now())
	w.owns("api_key", id, p)
	return key
}

func (w *facts) owns(resource string, id int64, p *human) {
	if w.private[resource] == nil {
		w.private[resource] = map[int64]owned{}
	}
	w.private[resource][id] = owned{p.org, p.id}
}
