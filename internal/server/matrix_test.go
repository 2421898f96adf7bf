package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

// The matrix: every operation × every kind of principal × each way to carry it
// × every place where an id can stand. It is made of the list of operations,
// so that one which comes is in it from its first day. What must come out is
// what the reference policy says, not package authz.

// subject is one set of credentials.
type subject struct {
	name    string
	p       *human // nil: nobody
	header  http.Header
	refused bool     // 401 whatever is asked
	noKey   bool     // lacks the application's key
	scopes  []string // of a key
	cookie  bool
}

// thing is one id that can stand for a parameter; a foreign and an unknown one
// must be answered alike.
type thing struct {
	name string // home, other ones of the organization, foreign, unknown
	id   string
	org  int64 // whose it is; 0: nobody's, -1: no row
}

// place is what stands behind a kind of id.
type place struct {
	resource string
	things   []thing // the first is at home
}

// anyBody marks operations that take more than the id: see bodies.
type matrix struct {
	*facts
	h         *servertest.Harness
	spec      map[string]any
	subjects  []subject
	places    map[string]*place
	ours      *human // who owns what is at home
	cells     atomic.Int64
	commits   atomic.Int64
	secrets   []secret
	admin     *human
	foreign   *human
	forger    *human
	once      sync.Once
	asked     int64 // the last thread and answer of the fixture
	tieChecks []string
	bundle    []byte // a corpus that was exported
}

// secret is a word that only some may see.
type secret struct {
	word string
	may  func(p *human) bool
}

// errRolledBack ends each transaction of the matrix that came as far as its
// commit: the operation was allowed, and nothing has changed.
var errRolledBack = &fail.Error{Code: fail.CodeStale, Message: "the matrix takes it back"}

const ghost = "99999999"

func newMatrix(t *testing.T, h *servertest.Harness) *matrix {
	t.Helper()
	m := &matrix{facts: newFacts(t, h.Server.DB()), h: h, places: map[string]*place{}}
	raw := h.Server.API().OpenAPI()
	if err := json.Unmarshal(raw, &m.spec); err != nil {
		t.Fatal(err)
	}
	m.settle()
	return m
}

// settle makes the organizations: ours with one of everything, the other with
// one of everything too, whose texts hold a word that must never be seen here.
func (m *matrix) settle() {
	const foreignWord, homeWord = "rhubarb", "tamarind"
	org, general := m.addOrg("home")
	other, otherGeneral := m.addOrg(foreignWord)
	add := func(name, role string) *human { return m.addPerson(org, name+"@home.example", role) }
	gina, abel := add("gina", "Global Admin"), add("abel", "Application Admin")
	add("gwen", "Global Admin") // or gina would be the last
	olga, eve := add("olga", "User"), add("eve", "User")
	tim, tess := add("tim", "User"), add("tess", "User")
	pete, pam := add("pete", "User"), add("pam", "User")
	amy, ada := add("amy", "User"), add("ada", "User")
	vic, ed, cora, kim := add("vic", "User"), add("ed", "User"), add("cora", "User"), add("kim", "User")
	rita, sol := add("rita", "User"), add("sol", "User")
	sue, dan := add("sue", "User"), add("dan", "User")
	fay := m.addPerson(other, "fay@"+foreignWord+".example", "Global Admin")
	fred := m.addPerson(other, "fred@"+foreignWord+".example", "User")
	m.ours, m.admin, m.foreign = olga, gina, fay

	type side struct {
		owner, user            *human
		team, project          int64
		agent, corpus          int64
		document, thread, resp int64
		ids                    map[string]string
		citation               string
	}
	build := func(owner, user *human, org, general int64, word string) side {
		s := side{owner: owner, user: user, ids: map[string]string{}}
		s.team, s.project = m.addTeam(org, word+" team"), m.addProject(org, word+" project")
		m.teamOf(s.project, s.team, true)
		s.agent, s.corpus = m.addAgent(owner, s.project, "Only me", word+" agent"), m.addCorpus(owner, "document", word+" corpus")
		m.quote(s.agent, s.corpus)
		c := m.client(owner)
		up := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", s.corpus), word+".md", []byte("# The "+word+"\n\nThe word of the vault is "+word+", and it opens at nine."), map[string]string{"content_type": "file"}).Want(m.t, 201)
		s.document = up.ID("data.id")
		m.documents[s.document] = s.corpus
		c.Indexed(s.document)
		a := c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", s.agent), map[string]any{"user_query": "What is the word of the vault?"}).Want(m.t, 200)
		s.thread, s.resp = a.ID("data.thread_id"), a.ID("data.agent_response_id")
		m.owns("chat_thread", s.thread, owner)
		m.owns("agent_response", s.resp, owner)
		url := strings.TrimPrefix(a.String("data.references.0.url"), m.h.URL)
		s.citation, _, _ = strings.Cut(url[strings.LastIndexByte(url, '/')+1:], "#")
		m.exec(`UPDATE chat_thread SET title = ? WHERE id = ?`, word+" thread", s.thread)
		attached := m.addCorpus(owner, "attachment", word+" attachments")
		m.exec(`UPDATE chat_thread SET corpus_id = ? WHERE id = ?`, attached, s.thread)
		m.key(owner)
		n := m.insert("notification", "org_id, user_id, author_id, title, message, link, level, is_deleted"+stamps, stamped(org, owner.id, owner.id, word+" note", word, "", "info", false)...)
		m.notes[n] = noteFact{org: org, user: owner.id, from: owner.id}
		session := m.insert("session", "org_id, user_id, family, kind, access_hash, platform_hash, created_on, expires_on, agent",
			org, owner.id, "spare "+word, "user", digest("spare a"+word), digest("spare p"+word), time.Now(), time.Now().Add(time.Hour), word)
		m.owns("session", session, owner)
		set := m.insert("permission_set", "org_id, name, description, rules, is_deleted"+stamps, stamped(org, word+" set", word, `[{"resource": "flag", "action": "view", "scope": "organization"}]`, false)...)
		m.exec(`UPDATE permission_set SET rules = ? WHERE id = ?`, `[{"resource": "feature_flag", "action": "view", "scope": "organization"}]`, set)
		model := m.insert("llm_configuration", "org_id, name, provider, model, endpoint, parameters, prompt_price, completion_price, key_sealed, is_active, is_deleted"+stamps,
			stamped(org, word+" model", "offline", "offline", "", "{}", 0.0, 0.0, "", false, false)...)
		found := m.insert("source", "org_id, corpus_id, kind, address, max_depth, max_pages, include, exclude, tags, state, error, run, found, added, changed, unchanged, not_modified, removed, skipped, failed, is_cut, is_deleted"+stamps,
			stamped(org, s.corpus, "site", "https://"+word+".example/", 3, 200, "[]", "[]", "[]", "completed", "", 1, 0, 0, 0, 0, 0, 0, 0, 0, false, false)...)
		say := func(name string, id any) { s.ids[name] = fmt.Sprint(id) }
		say("source_id", found)
		say("team_id", s.team)
		say("project_id", s.project)
		say("agent_id", s.agent)
		say("corpus_id", s.corpus)
		say("attachment", attached)
		say("document_id", s.document)
		say("chat_thread_id", s.thread)
		say("agent_response_id", s.resp)
		say("notification_id", n)
		say("session_id", session)
		say("permission_set_id", set)
		say("llm_configuration_id", model)
		say("organization_id", org)
		say("user_id", user.id)
		say("citation", s.citation)
		for id, x := range m.private["api_key"] {
			if x.owner == owner.id {
				say("api_key_id", id)
			}
		}
		return s
	}
	home := build(olga, eve, org, general, homeWord)
	away := build(fay, fred, other, otherGeneral, foreignWord)

	m.asked = max(away.thread, away.resp)
	m.member("team", home.team, tim.id, "Member")
	m.member("team", home.team, tess.id, "Admin")
	m.member("project", home.project, pete.id, "Member")
	m.member("project", home.project, pam.id, "Admin")
	m.member("agent", home.agent, amy.id, "Member")
	m.member("agent", home.agent, ada.id, "Admin")
	m.member("team", away.team, fred.id, "Member")
	m.member("project", away.project, fred.id, "Member")
	m.member("agent", away.agent, fred.id, "Member")
	choir := m.addTeam(org, "choir")
	m.member("team", choir, kim.id, "Member")
	viewed := m.granted(home.corpus, "user_id", vic.id, "Viewer")
	m.granted(home.corpus, "user_id", ed.id, "Editor")
	m.granted(home.corpus, "user_id", cora.id, "Admin")
	m.granted(home.corpus, "team_id", choir, "Editor")
	awayGrant := m.granted(away.corpus, "user_id", fred.id, "Viewer")
	ritas := m.right(rita, grantFact{"edit", "agent", "organization", 0})
	m.owns("permission", ritas, rita)
	m.right(sol, grantFact{"delete", "agent", "project", home.project})
	freds := m.right(fred, grantFact{"edit", "agent", "organization", 0})
	m.owns("permission", freds, fred)

	teamAgent := m.addAgent(olga, home.project, "Team", "quince team agent")
	openAgent := m.addAgent(olga, general, "Everyone", "open agent")
	m.quote(teamAgent, home.corpus)
	shut := m.addCorpus(olga, "document", "medlar corpus")
	shutDocument := m.addDocument(shut, "medlar document")
	for _, a := range []int64{teamAgent, openAgent} {
		for _, who := range []*human{amy} {
			m.member("agent", a, who.id, "Member")
		}
	}
	toAll := m.insert("notification", "org_id, author_id, title, message, link, level, is_deleted"+stamps, stamped(org, gina.id, "to all", "to all", "", "info", false)...)
	m.notes[toAll] = noteFact{org: org, from: gina.id}

	both := func(kind, resource string, more ...thing) {
		p := &place{resource: resource, things: append([]thing{{"home", home.ids[kind], org}}, more...)}
		p.things = append(p.things, thing{"foreign", away.ids[kind], other}, thing{"unknown", ghost, 0})
		m.places[kind] = p
	}
	text := func(id int64) string { return fmt.Sprint(id) }
	both("team_id", "team", thing{"choir", text(choir), org})
	both("project_id", "project", thing{"the default", text(general), org})
	both("agent_id", "agent", thing{"for teams", text(teamAgent), org}, thing{"for everyone", text(openAgent), org})
	both("corpus_id", "corpus", thing{"shut", text(shut), org})
	both("source_id", "source")
	both("document_id", "document", thing{"shut", text(shutDocument), org})
	both("chat_thread_id", "chat_thread")
	both("agent_response_id", "agent_response")
	both("notification_id", "notification", thing{"to all", text(toAll), org})
	both("api_key_id", "api_key")
	both("session_id", "session")
	both("permission_set_id", "permission_set")
	both("llm_configuration_id", "llm_configuration")
	both("organization_id", "organization")
	both("user_id", "user", thing{"an admin", text(gina.id), org}, thing{"olga", text(olga.id), org}, thing{"abel", text(abel.id), org})
	m.places["citation"] = &place{resource: "citation", things: []thing{{"home", home.citation, org}, {"foreign", away.citation, other}, {"unknown", "99999999-" + strings.SplitN(away.citation, "-", 2)[1], 0}}}
	m.places["attachment"] = &place{resource: "corpus", things: []thing{{"home", home.ids["attachment"], org}, {"foreign", away.ids["attachment"], other}, {"unknown", ghost, 0}}}
	of := func(kind string, resource string, a, b any) {
		m.places[kind] = &place{resource: resource, things: []thing{{"home", fmt.Sprint(a), org}, {"foreign", fmt.Sprint(b), other}, {"unknown", ghost, 0}}}
	}
	of("team member", "member", tim.id, fred.id)
	of("project member", "member", pete.id, fred.id)
	of("agent member", "member", amy.id, fred.id)
	of("corpus viewer", "member", vic.id, fred.id)
	of("corpus grant", "grant", viewed, awayGrant)
	of("user permission", "permission", ritas, freds)
	of("user with permission", "user", rita.id, fred.id)

	m.secrets = []secret{
		{foreignWord, func(p *human) bool { return p.org == other }},
		{homeWord, func(p *human) bool { return p.org == org }},
		{"quince", func(p *human) bool { return m.may(p, "view", "agent", teamAgent) }},
		{"medlar", func(p *human) bool { return m.may(p, "view", "corpus", shut) }},
		{homeWord + " thread", func(p *human) bool { return p == olga || p.role == "Global Admin" }},
	}
	packed := m.addCorpus(olga, "document", "to be taken along")
	m.bundle = m.client(olga).Do("GET", fmt.Sprintf("/api/v2/corpora/%d/export", packed), nil).Want(m.t, 200).Body
	m.enlist(gina, abel, olga, eve, tim, tess, pete, pam, amy, ada, vic, ed, cora, kim, rita, sol, sue, dan, fay, fred)
	for _, o := range m.h.Server.API().Ops() {
		if o.ID == "setOrganizationLogo" {
			b := m.bodyOf(o, org)
			for p, id := range map[*human]int64{gina: org, fay: other} {
				m.client(p).Raw(o.Method(), fmt.Sprintf("/api/v2/organizations/%d/logo", id), b.contentType, bytes.NewReader(b.bytes)).Want(m.t, o.Status)
			}
		}
	}
}

// client is a person at the server, over the wire, for what the fixture needs.
func (m *matrix) client(p *human) *servertest.Client {
	return m.h.Anonymous(m.t).With("Authorization", "Bearer "+m.token(p, "")).With("Ocp-Apim-Subscription-Key", m.key(p))
}

// enlist makes the credentials.
func (m *matrix) enlist(people ...*human) {
	const keyHeader = "Ocp-Apim-Subscription-Key"
	by := map[string]*human{}
	for _, p := range people {
		name, _, _ := strings.Cut(p.email, "@")
		by[name] = p
	}
	gina, sue, dan := by["gina"], by["sue"], by["dan"]
	app, otherApp := m.key(gina), m.key(by["fay"])
	apps := map[int64]string{gina.org: app, by["fay"].org: otherApp}
	add := func(s subject, headers ...string) {
		s.header = http.Header{}
		for i := 0; i < len(headers); i += 2 {
			s.header.Set(headers[i], headers[i+1])
		}
		m.subjects = append(m.subjects, s)
	}
	bearer := func(t string) []string { return []string{"Authorization", "Bearer " + t} }
	behind := func(t, key string) []string { return append(bearer(t), keyHeader, key) }
	cookie := func(t string) []string { return []string{"Cookie", "atrium_session=" + t} }
	bad := func(name string, headers ...string) { add(subject{name: name, refused: true}, headers...) }

	for _, p := range people {
		if p == sue || p == dan {
			continue
		}
		name, _, _ := strings.Cut(p.email, "@")
		token := m.token(p, "")
		add(subject{name: name + " by cookie", p: p, cookie: true}, cookie(token)...)
		add(subject{name: name + " by token and key", p: p}, behind(token, apps[p.org])...)
		add(subject{name: name + " by key", p: p, scopes: []string{"*"}}, bearer(m.key(p))...)
		add(subject{name: name + " by token alone", p: p, noKey: true}, bearer(token)...)
	}
	past := time.Now().Add(-time.Hour)
	bad("nobody")
	bad("an empty bearer", "Authorization", "Bearer ")
	bad("an unknown token", behind(sessionToken(1<<40), app)...)
	for name, columns := range map[string]string{"a revoked session": ", revoked_on", "a session replaced long ago": ", rotated_on"} {
		token := m.token(gina, columns, past)
		bad(name+" by cookie", cookie(token)...)
		bad(name+" by token", behind(token, app)...)
	}
	expired := m.token(gina, "")
	m.exec(`UPDATE session SET expires_on = ? WHERE platform_hash = ?`, past, digest(expired))
	bad("an expired session by cookie", cookie(expired)...)
	bad("an expired session by token", behind(expired, app)...)
	out := m.client(gina)
	out.Do("POST", "/auth-service/api/v2/logout", nil).Want(m.t, 200)
	bad("somebody signed out", "Authorization", out.Header.Get("Authorization"), keyHeader, app)
	for _, p := range []*human{sue, dan} {
		token := m.token(p, "")
		name := map[*human]string{sue: "somebody suspended", dan: "somebody deleted"}[p]
		bad(name+" by cookie", cookie(token)...)
		bad(name+" by token", behind(token, app)...)
		key := m.key(p)
		bad(name+" by key", bearer(key)...)
		bad("gina beside the key of "+name, behind(m.token(gina, ""), key)...)
	}
	m.exec(`UPDATE users SET is_active = FALSE WHERE id = ?`, sue.id)
	m.exec(`UPDATE users SET is_deleted = TRUE WHERE id = ?`, dan.id)
	sue.active, dan.active = false, false
	now := time.Now()
	bad("an expired key", bearer(m.keyUntil(gina, &past, nil))...)
	bad("a revoked key", bearer(m.keyUntil(gina, nil, &now))...)
	bad("gina beside an expired key", behind(m.token(gina, ""), m.keyUntil(gina, &past, nil))...)
	bad("gina beside a revoked key", behind(m.token(gina, ""), m.keyUntil(gina, nil, &now))...)
	bad("gina beside an unknown key", behind(m.token(gina, ""), formed("atrk_", 1<<40))...)
	bad("gina beside the other organization's key", behind(m.token(gina, ""), otherApp)...)
	bad("the other organization's admin beside our key", behind(m.token(by["fay"], ""), app)...)
	bad("a key in the cookie", cookie(m.key(gina))...)
	for name, scopes := range map[string][]string{
		"a read-only key": {"*:view"}, "a key for something else": {"notification:view"}, "a key for agents": {"agent:*"}, "a key to edit": {"*:edit"},
	} {
		add(subject{name: name, p: gina, scopes: scopes}, bearer(m.key(gina, scopes...))...)
	}
	add(subject{name: "olga's read-only key", p: by["olga"], scopes: []string{"*:view"}}, bearer(m.key(by["olga"], "*:view"))...)
	add(subject{name: "fay's read-only key", p: by["fay"], scopes: []string{"*:view"}}, bearer(m.key(by["fay"], "*:view"))...)
}

// cell is one request and what came of it.
type cell struct {
	status    int
	body      string
	committed bool
}

// stopped is a writer that ends an endless answer at its first event.
type stopped struct {
	*httptest.ResponseRecorder
	cancel context.CancelFunc
}

func (w *stopped) Write(b []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(b)
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		w.cancel()
	}
	return n, err
}

func (*stopped) SetWriteDeadline(time.Time) error { return nil }

func (w *stopped) FlushError() error { return nil }

// ask sends a request through the handler, without a socket. check, if any,
// looks at what would be committed.
func (m *matrix) ask(s subject, o api.Op, target, contentType string, body []byte, check func(context.Context, *db.Tx) error) cell {
	var c cell
	request := fmt.Sprintf("matrix-%08d", m.cells.Add(1))
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	ctx = db.WithLast(ctx, func(ctx context.Context, tx *db.Tx) error {
		c.committed = true
		if told(o) {
			n, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM audit_event WHERE request_id = ? AND action = ? AND org_id = ?`, request, o.ID, s.p.org)
			if err != nil || n != 1 {
				m.t.Errorf("%s by %s: %d entries in the audit log (%v)", o.ID, s.name, n, err)
			}
		}
		if check != nil {
			if err := check(ctx, tx); err != nil {
				m.t.Errorf("%s by %s at %s: %v\nbody: %s", o.ID, s.name, target, err, body)
			}
		}
		return errRolledBack
	})
	r := httptest.NewRequestWithContext(ctx, o.Method(), target, bytes.NewReader(body))
	r.Header = s.header.Clone()
	r.Header.Set("X-Request-Id", request)
	if len(body) > 0 {
		r.Header.Set("Content-Type", contentType)
	}
	w := &stopped{httptest.NewRecorder(), cancel}
	m.h.Server.Handler().ServeHTTP(w, r)
	c.status, c.body = w.Code, w.Body.String()
	if c.committed {
		m.commits.Add(1)
	}
	if c.status >= 500 {
		m.t.Errorf("%s by %s at %s: %d %s\nbody: %s", o.ID, s.name, target, c.status, c.body, body)
	}
	for _, x := range m.secrets {
		if strings.Contains(c.body, x.word) && !strings.Contains(string(body)+target, x.word) && (s.p == nil || s.refused || !x.may(s.p)) {
			m.t.Errorf("%s by %s at %s tells %q: %s", o.ID, s.name, target, x.word, c.body)
		}
	}
	return c
}

// told is whether the audit log has to tell of an operation: of each that
// changes something but one's own conversations.
func told(o api.Op) bool {
	switch o.Needs.Resource {
	case authz.Thread, authz.Response:
		return false
	}
	return !o.Needs.IsPublic() && !looks(string(o.Needs.Action))
}

// inScope is whether a key's scopes hold what the operation needs.
func (s subject) inScope(n authz.Need) bool {
	if s.scopes == nil {
		return true
	}
	return slices.ContainsFunc(s.scopes, func(x string) bool {
		resource, action, both := strings.Cut(x, ":")
		return x == "*" || both && (resource == "*" || resource == string(n.Resource)) && (action == "*" || action == string(n.Action))
	})
}

// verdict is what has to come out of a cell.
type verdict string

const (
	passes     verdict = "passes"
	isUnknown  verdict = "404"
	mustNot    verdict = "403"
	refusedRow verdict = "403 or 404"
	mustSignIn verdict = "401"
	anyhow     verdict = "anything without a leak"
)

func (c cell) is(v verdict) bool {
	switch v {
	case passes:
		return c.committed || c.status != 401 && c.status != 403 && c.status != 404
	case isUnknown:
		return c.status == 404 && !c.committed
	case mustNot:
		return c.status == 403 && !c.committed
	case refusedRow:
		return (c.status == 403 || c.status == 404) && !c.committed
	case mustSignIn:
		return c.status == 401 && !c.committed
	}
	return true
}

// gate is what the operation's need alone says of a subject.
func (m *matrix) gate(s subject, o api.Op) (verdict, bool) {
	switch {
	case s.refused, s.noKey && !o.NoKey:
		return mustSignIn, true
	case !s.inScope(o.Needs), !m.mayAtAll(s.p, string(o.Needs.Action), string(o.Needs.Resource)):
		return mustNot, true
	}
	return passes, false
}

// at is what a path with one thing in each of its places demands.
type at struct {
	target string
	chosen []thing
	kinds  []string // by parameter
	varied int      // which parameter is not at home; -1: none
}

// outside is the first thing that a person's organization does not hold; -1: none.
func (x at) outside(p *human) int {
	return slices.IndexFunc(x.chosen, func(c thing) bool { return c.org >= 0 && c.org != p.org })
}

var pathParams = regexp.MustCompile(`\{([a-z_]+)\}`)

// kindsOf are the kinds of an operation's path parameters.
func (m *matrix) kindsOf(o api.Op) []string {
	var out []string
	for _, x := range pathParams.FindAllStringSubmatch(o.Path(), -1) {
		kind := x[1]
		if k, ok := standsFor[o.ID+" "+kind]; ok {
			kind = k
		} else if k, ok := inPath(o.Path(), kind); ok {
			kind = k
		}
		if m.places[kind] == nil && fixed[kind] == nil {
			m.t.Fatalf("%s: the matrix knows no {%s}: add it to settle (with one of the other organization), or to fixed when it names no row", o.ID, kind)
		}
		out = append(out, kind)
	}
	return out
}

// targets are the paths of an operation: each parameter in turn with all that
// can stand for it, the others at home.
func (m *matrix) targets(o api.Op) []at {
	kinds := m.kindsOf(o)
	of := func(kind string) []thing {
		if p := m.places[kind]; p != nil {
			return p.things
		}
		return fixed[kind]
	}
	base := at{kinds: kinds, varied: -1}
	for _, k := range kinds {
		base.chosen = append(base.chosen, of(k)[0])
	}
	out := []at{base}
	for i, k := range kinds {
		if m.places[k] == nil {
			continue
		}
		for _, x := range of(k)[1:] {
			v := at{kinds: kinds, varied: i, chosen: slices.Clone(base.chosen)}
			v.chosen[i] = x
			out = append(out, v)
		}
	}
	for i := range out {
		n := 0
		out[i].target = pathParams.ReplaceAllStringFunc(o.Path(), func(string) string { n++; return out[i].chosen[n-1].id })
	}
	return out
}

// run asks every cell of the operations.
func (m *matrix) run(t *testing.T, ops []api.Op, subjects []subject) {
	t.Helper()
	work := make(chan api.Op)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for o := range work {
				m.operation(t, o, subjects)
			}
		})
	}
	for _, o := range ops {
		if t.Failed() && os.Getenv("PLANTED") != "" {
			break // found
		}
		work <- o
	}
	close(work)
	wg.Wait()
}

func (m *matrix) operation(t *testing.T, o api.Op, subjects []subject) {
	t.Helper()
	b, away := m.bodyOf(o, m.admin.org), m.bodyOf(o, m.foreign.org)
	if o.Needs.IsPublic() {
		for _, s := range subjects {
			if s.p == m.foreign || s.name == "nobody" {
				m.ask(s, o, m.targets(o)[0].target+b.query(""), b.contentType, b.bytes, nil)
			}
		}
		return
	}
	targets := m.targets(o)
	for _, s := range subjects {
		got, b := make([]cell, len(targets)), b
		if s.p != nil && s.p.org == m.foreign.org {
			b = away
		}
		for i, x := range targets {
			got[i] = m.ask(s, o, x.target+b.query(""), b.contentType, b.bytes, nil)
			want, final := m.gate(s, o)
			if !final {
				want = m.row(s, o, x)
			}
			if c := got[i]; !c.is(want) {
				t.Errorf("%s (%s) by %s at %s (%s): want %s, got %d committed=%v %s\nbody: %s", o.ID, o.Needs, s.name, x.target, x.say(), want, c.status, c.committed, c.body, b.bytes)
			}
		}
		if s.refused || s.noKey {
			continue
		}
		m.same(t, o, s, targets, got)
		if !s.cookie {
			m.inside(t, o, s, b)
		}
	}
}

func (x at) say() string {
	names := make([]string, len(x.chosen))
	for i, c := range x.chosen {
		names[i] = x.kinds[i] + " " + c.name
	}
	return strings.Join(names, ", ")
}

// same demands that a foreign id is answered like an unknown one.
func (m *matrix) same(t *testing.T, o api.Op, s subject, targets []at, got []cell) {
	t.Helper()
	for i, unknown := range targets {
		k := unknown.varied
		if k < 0 || unknown.chosen[k].org != 0 {
			continue
		}
		want := got[i]
		want.body = neutral(want.body, unknown.chosen[k].id)
		for j, x := range targets {
			if x.chosen[k].org <= 0 || x.chosen[k].org == s.p.org || x.varied != k && x.varied != -1 {
				continue
			}
			c := got[j]
			c.body = neutral(c.body, x.chosen[k].id)
			if c != want {
				t.Errorf("%s by %s: a foreign and an unknown %s are answered otherwise:\n%d %s\n%d %s", o.ID, s.name, x.kinds[k], c.status, c.body, want.status, want.body)
			}
		}
	}
}

var numbers = regexp.MustCompile(`\d+`)

var stampForm = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// neutral is an answer without the numbers and times in it.
func neutral(body, id string) string {
	if strings.Contains(id, "-") { // a name
		body = strings.ReplaceAll(body, id, "N")
	}
	return numbers.ReplaceAllString(stampForm.ReplaceAllString(body, "TIME"), "N")
}

// row is what the reference says of the things in the path.
func (m *matrix) row(s subject, o api.Op, x at) verdict {
	rule := m.plainRow
	if f, ok := special[o.ID]; ok {
		rule = func(p *human, o api.Op, x at) verdict { return f(m, p, o, x) }
	}
	out := x.outside(s.p)
	switch {
	case out < 0:
		return rule(s.p, o, x)
	case out == 0:
		return isUnknown
	}
	// What stands before it is looked at first.
	before := at{kinds: x.kinds, chosen: slices.Clone(x.chosen), varied: -1}
	for i, k := range x.kinds[out:] {
		before.chosen[out+i] = m.places[k].things[0]
	}
	if before.outside(s.p) < 0 && rule(s.p, o, before) == passes && special[o.ID] == nil {
		return isUnknown
	}
	return refusedRow
}

func (m *matrix) plainRow(p *human, o api.Op, x at) verdict {
	for i, kind := range x.kinds {
		stands := m.places[kind]
		if stands == nil {
			continue
		}
		action, resource := string(o.Needs.Action), stands.resource
		switch {
		case resource == "member" || resource == "grant" || resource == "citation" || resource == "llm_configuration" || resource == "permission_set":
			continue // of what stands before it, or for the role alone to say
		case string(o.Needs.Resource) == "document" && resource == "corpus":
			if action == "delete" {
				action = "edit"
			}
		case resource != string(o.Needs.Resource):
			action = besides(o, resource)
		}
		if action == "" {
			continue
		}
		var id int64
		_, _ = fmt.Sscan(x.chosen[i].id, &id)
		switch {
		case m.may(p, action, resource, id):
		case m.may(p, "view", resource, id):
			return mustNot
		default:
			return isUnknown
		}
	}
	// Of two things that do not belong together nothing more can be said.
	if len(x.kinds) > 1 && x.varied >= 0 {
		return anyhow
	}
	return passes
}

// besides is what an operation demands of a thing in its path that is not of
// the resource it needs.
func besides(o api.Op, resource string) string {
	need := string(o.Needs.Resource)
	switch {
	case resource == "agent" && (need == "chat_thread" || need == "agent_response") && o.Method() == "POST":
		return "use"
	case resource == "corpus" && need == "agent" && o.Method() == "POST":
		return "edit"
	case resource == "corpus" && (need == "agent" || need == "chat_thread"):
		return "" // the connection is the agent's
	case resource == "chat_thread" && need == "agent_response":
		return "view"
	}
	return "view"
}

// idle waits until the server works on nothing by itself, such as the handbook.
func (m *matrix) idle(t *testing.T) {
	t.Helper()
	for {
		n, err := db.One[int](t.Context(), m.h.Server.DB(), `SELECT COUNT(*) FROM job WHERE state IN ('pending', 'running')`)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A digest over every table: the matrix must leave the fixture as it was.
func (m *matrix) digest(t *testing.T) map[string]string {
	// Asking is not taken back: what it adds is left out, what was there is not.
	t.Helper()
	d := m.h.Server.DB()
	tables, err := db.All[string](t.Context(), d, d.Pick(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
		`SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()`))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, table := range tables {
		if table == "goose_db_version" || table == "event" || table == "server" || strings.HasPrefix(table, "job") {
			continue
		}
		where := map[string]string{"chat_thread": "id", "agent_response": "id", "response_step": "response_id"}[table]
		if where != "" {
			where = fmt.Sprintf(" WHERE %s <= %d", where, m.asked)
		}
		row := table + "::text"
		if d.Engine() == db.SQLite {
			columns, err := db.All[string](t.Context(), d, `SELECT 'quote("' || name || '")' FROM pragma_table_info('`+table+`') WHERE name <> 'last_used_on'`)
			if err != nil {
				t.Fatal(err)
			}
			row = strings.Join(columns, " || '|' || ")
		} else if table == "session" || table == "api_key" {
			row = "(to_jsonb(" + table + ") - 'last_used_on')::text"
		}
		rows, err := db.All[string](t.Context(), d, `SELECT `+row+` FROM `+table+where)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(rows)
		out[table] = digest(strings.Join(rows, "\n")) + fmt.Sprintf(" (%d rows)", len(rows))
	}
	return out
}

func TestTheMatrix(t *testing.T) {
	mailing := func(c *server.Config) { c.SMTPURL, c.MailFrom = "smtp://127.0.0.1:9", "atrium@home.example" }
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		m := newMatrix(t, h)
		m.idle(t)
		before := m.digest(t)
		ops, subjects := h.Server.API().Ops(), m.subjects
		switch {
		case raceDetector:
			subjects = sample(subjects, 8)
		case h.Server.DB().Engine() == db.Postgres:
			subjects = sample(subjects, 3)
		}
		start := time.Now()
		m.run(t, ops, subjects)
		t.Logf("%d operations × %d sets of credentials: %d cells, %d came as far as their commit, in %v", len(ops), len(subjects), m.cells.Load(), m.commits.Load(), time.Since(start).Round(time.Millisecond))
		for table, now := range m.digest(t) {
			if before[table] != now {
				t.Errorf("the table %s has changed: %s, was %s", table, now, before[table])
			}
		}
		if len(subjects) == len(m.subjects) && m.cells.Load() < leastCells {
			t.Errorf("only %d cells", m.cells.Load())
		}
	}, mailing)
}

// sample is every nth set of credentials.
func sample(all []subject, n int) []subject {
	var out []subject
	for i := 0; i < len(all); i += n {
		out = append(out, all[i])
	}
	return out
}

var errTied = errors.New("a row ties two organizations")
