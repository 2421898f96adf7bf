package user_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/fail"
	"atrium/internal/org"
	"atrium/internal/user"
)

const password = "Correct-Horse-9"

// place is an organization with people in it.
type place struct {
	t   *testing.T
	db  *db.DB
	u   *user.Users
	org int64
	ids map[string]int64
}

var masterKey = []byte(strings.Repeat("k", 32))

func open(t *testing.T, d *db.DB, change ...func(*user.Options)) *user.Users {
	t.Helper()
	o := user.Options{DB: d, Log: slog.New(slog.DiscardHandler), MasterKey: masterKey}
	for _, f := range change {
		f(&o)
	}
	u := user.New(o)
	t.Cleanup(u.Close)
	return u
}

// settle makes an organization with a Global Admin "ann", an Application Admin
// "app" and the users "bob" and "eve".
func settle(t *testing.T, d *db.DB, domain string, change ...func(*user.Options)) *place {
	t.Helper()
	p := &place{t: t, db: d, u: open(t, d, change...), ids: map[string]int64{}}
	p.tx(func(ctx context.Context, tx *db.Tx) error {
		o, _, err := org.Create(ctx, tx, domain, domain, "test")
		p.org = o.ID
		return err
	})
	for name, role := range map[string]authz.Role{"ann": authz.GlobalAdmin, "app": authz.ApplicationAdmin, "bob": authz.Member, "eve": authz.Member} {
		p.add(name, name+"@"+domain, role)
	}
	return p
}

func (p *place) tx(f func(context.Context, *db.Tx) error) {
	p.t.Helper()
	if err := p.db.Tx(p.t.Context(), f); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) add(name, email string, role authz.Role) int64 {
	p.t.Helper()
	p.tx(func(ctx context.Context, tx *db.Tx) error {
		id, err := p.u.Create(ctx, tx, user.Draft{OrgID: p.org, Email: email, FirstName: name, Role: role, By: "test"})
		p.ids[name] = id
		return err
	})
	return p.ids[name]
}

// as is the scope of a person, as they are now.
func (p *place) as(name string) authz.Scope {
	p.t.Helper()
	who, err := p.u.Principal(p.t.Context(), p.db, p.org, p.ids[name])
	if err != nil {
		p.t.Fatal(err)
	}
	return authz.For(who)
}

func (p *place) want(err error, code fail.Code) {
	p.t.Helper()
	if !fail.Is(err, code) {
		p.t.Errorf("want %s, got %v", code, err)
	}
}

// signedIn is somebody's tokens, and who the gate takes a bearer for.
func (p *place) signedIn(name string) user.Tokens {
	p.t.Helper()
	var t user.Tokens
	p.tx(func(ctx context.Context, tx *db.Tx) error {
		var err error
		t, err = p.u.Open(ctx, tx, p.org, p.ids[name], user.How{Way: "password", Agent: "test", Address: "192.0.2.1"})
		return err
	})
	return t
}

func bearer(t *testing.T, u *user.Users, token string) (*authz.Principal, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return u.Authenticate(r, false)
}

func works(t *testing.T, u *user.Users, token string) bool {
	t.Helper()
	p, err := bearer(t, u, token)
	if err != nil && !fail.Is(err, fail.CodeUnauthenticated) {
		t.Fatal(err)
	}
	return err == nil && p != nil
}

var page = api.Paging{Page: 1, PageSize: 50, Sort: "-created_on"}

// roles are a person's role where it stands twice.
func (p *place) roles(name string) [2]string {
	p.t.Helper()
	a, err := db.One[string](p.t.Context(), p.db, `SELECT role FROM users WHERE id = ?`, p.ids[name])
	b, err2 := db.One[string](p.t.Context(), p.db, `SELECT name FROM user_permission WHERE user_id = ? AND kind = 'role'`, p.ids[name])
	if err := errors.Join(err, err2); err != nil {
		p.t.Fatal(err)
	}
	return [2]string{a, b}
}

func TestARoleStandsInBothPlacesAndOnlyGlobalAdminsChangeIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		admin := string(authz.ApplicationAdmin)
		if _, err := p.u.Update(ctx, p.as("ann"), p.ids["bob"], user.Patch{Role: &admin}); err != nil {
			t.Fatal(err)
		}
		if got := p.roles("bob"); got != [2]string{admin, admin} {
			t.Errorf("roles: %v", got)
		}
		global := string(authz.GlobalAdmin)
		_, err := p.u.Update(ctx, p.as("app"), p.ids["eve"], user.Patch{Role: &global})
		p.want(err, fail.CodeForbidden)
		_, err = p.u.Update(ctx, p.as("app"), p.ids["app"], user.Patch{Role: &global})
		p.want(err, fail.CodeForbidden)
		_, err = p.u.Update(ctx, p.as("eve"), p.ids["eve"], user.Patch{Role: &global})
		p.want(err, fail.CodeForbidden)
		_, err = p.u.Update(ctx, p.as("ann"), p.ids["ann"], user.Patch{Role: &admin})
		p.want(err, fail.CodeConflict)
		p.add("gil", "gil@one.example", authz.GlobalAdmin)
		_, err = p.u.Update(ctx, p.as("ann"), p.ids["ann"], user.Patch{Role: &admin})
		p.want(err, fail.CodeForbidden)
		_, err = p.u.Update(ctx, p.as("app"), p.ids["ann"], user.Patch{FirstName: &admin})
		p.want(err, fail.CodeForbidden)
		same := string(authz.Member)
		if v, err := p.u.Update(ctx, p.as("eve"), p.ids["eve"], user.Patch{Role: &same, LastName: &same}); err != nil || v.LastName != same {
			t.Errorf("one's own name: %v %v", v, err)
		}
		// A key that may change users may not change roles.
		cut := *p.as("ann").Principal()
		cut.Scopes = []string{"user:*"}
		_, err = p.u.Update(ctx, authz.For(&cut), p.ids["eve"], user.Patch{Role: &global})
		p.want(err, fail.CodeForbidden)
	})
}

func TestTheLastGlobalAdminStays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		p.add("gil", "gil@one.example", authz.GlobalAdmin)
		ann, gil := p.as("ann"), p.as("gil")
		off := false
		var wg sync.WaitGroup
		errs := make([]error, 2)
		wg.Go(func() { _, errs[0] = p.u.Update(ctx, ann, p.ids["gil"], user.Patch{IsActive: &off}) })
		wg.Go(func() { errs[1] = p.u.Delete(ctx, gil, p.ids["ann"]) })
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("two admins removed each other, or neither: %v", errs)
		}
		n, err := db.One[int](ctx, d, `SELECT COUNT(*) FROM users WHERE org_id = ? AND role = ? AND is_active = TRUE AND is_deleted = FALSE`, p.org, string(authz.GlobalAdmin))
		if err != nil || n != 1 {
			t.Errorf("%d Global Admins are left, %v", n, err)
		}
	})
}

func TestDeactivatingAndDeletingEndEverythingAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		bob, app := p.signedIn("bob"), p.as("app")
		key, err := p.u.CreateKey(ctx, p.as("bob"), user.KeyDraft{Name: "k"})
		if err != nil {
			t.Fatal(err)
		}
		if !works(t, p.u, bob.PlatformToken) || !works(t, p.u, key.Secret) {
			t.Fatal("fresh credentials do not work")
		}
		off, on := false, true
		if _, err := p.u.Update(ctx, app, p.ids["bob"], user.Patch{IsActive: &off}); err != nil {
			t.Fatal(err)
		}
		if works(t, p.u, bob.PlatformToken) || works(t, p.u, key.Secret) {
			t.Error("credentials of somebody deactivated work")
		}
		if _, err := p.u.Refresh(ctx, bob.AccessToken, ""); !fail.Is(err, fail.CodeUnauthenticated) {
			t.Errorf("refreshing: %v", err)
		}
		if _, err := p.u.Update(ctx, app, p.ids["bob"], user.Patch{IsActive: &on}); err != nil {
			t.Fatal(err)
		}
		if works(t, p.u, bob.PlatformToken) || !works(t, p.u, key.Secret) {
			t.Error("after activating again an ended session works, or a key does not")
		}
		p.tx(func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `INSERT INTO project_user (org_id, project_id, user_id, role) SELECT org_id, id, ?, 'Member' FROM project WHERE org_id = ?`, p.ids["bob"], p.org)
			return err
		})
		bob = p.signedIn("bob")
		if err := p.u.Delete(ctx, app, p.ids["bob"]); err != nil {
			t.Fatal(err)
		}
		if works(t, p.u, bob.PlatformToken) || works(t, p.u, key.Secret) {
			t.Error("credentials of somebody deleted work")
		}
		if n, err := db.One[int](ctx, d, `SELECT COUNT(*) FROM project_user WHERE user_id = ?`, p.ids["bob"]); err != nil || n != 0 {
			t.Errorf("%d memberships stay, %v", n, err)
		}
		_, err = p.u.Get(ctx, app, p.ids["bob"])
		p.want(err, fail.CodeNotFound)
		if _, err := p.u.Principal(ctx, d, p.org, p.ids["bob"]); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("principal of somebody deleted: %v", err)
		}
		// An admin may bring the address back, as somebody new.
		again, err := p.u.Invite(ctx, app, user.Invitation{Email: "Bob@one.example"})
		if err != nil || again.ID == p.ids["bob"] {
			t.Errorf("again: %v %v", again, err)
		}
	})
}

func TestDeletingManyAnswersForEach(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p, other := settle(t, d, "one.example"), settle(t, d, "two.example")
		out, err := p.u.DeleteMany(t.Context(), p.as("app"), []int64{p.ids["bob"], p.ids["bob"], p.ids["ann"], p.ids["app"], other.ids["bob"], 99999})
		if err != nil {
			t.Fatal(err)
		}
		var did []bool
		for _, r := range out {
			did = append(did, r.Success)
		}
		if !slices.Equal(did, []bool{true, false, false, false, false, false}) {
			t.Errorf("results: %+v", out)
		}
		if a, b := strings.ReplaceAll(out[4].Message, fmt.Sprint(out[4].ID), "N"), strings.ReplaceAll(out[5].Message, fmt.Sprint(out[5].ID), "N"); a != b {
			t.Errorf("a foreign id is answered otherwise: %q, %q", a, b)
		}
	})
}

func TestPermissionsAreGivenChangedAndTakenAway(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx, ann := t.Context(), p.as("ann")
		p.tx(func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `INSERT INTO permission_set (org_id, name, description, rules, is_deleted, created_by, created_on, modified_by, modified_on)
				VALUES (?, 'Curators', '', ?, FALSE, 'test', ?, 'test', ?)`, p.org, db.JSON([]authz.Rule{{Resource: authz.Corpus, Action: authz.Edit, Breadth: authz.WholeOrganization}}), time.Now(), time.Now())
			return err
		})
		bob := p.signedIn("bob")
		may := func(a authz.Action, r authz.Resource) bool {
			who, err := bearer(t, p.u, bob.PlatformToken)
			if err != nil {
				t.Fatal(err)
			}
			clauses := authz.For(who).Clauses(a, r)
			return slices.ContainsFunc(clauses, func(c authz.Clause) bool { return strings.Contains(c.Why, "allows it") })
		}
		if may(authz.Edit, authz.Corpus) || may(authz.Edit, authz.Agent) {
			t.Fatal("bob may too much to begin with")
		}
		set, err := p.u.Grant(ctx, ann, p.ids["bob"], "Curators", &p.org)
		if err != nil || set.Kind != "set" || set.SetID == nil || !may(authz.Edit, authz.Corpus) {
			t.Errorf("a set: %+v %v", set, err)
		}
		right, err := p.u.Grant(ctx, ann, p.ids["bob"], "agent:edit", nil)
		if err != nil || right.Kind != "right" || !may(authz.Edit, authz.Agent) {
			t.Errorf("a right: %+v %v", right, err)
		}
		_, err = p.u.Grant(ctx, ann, p.ids["bob"], "agent:edit", nil)
		p.want(err, fail.CodeConflict)
		for _, bad := range []string{"", "Nobody", "agent:fly", "permission:manage", "x:y"} {
			_, err = p.u.Grant(ctx, ann, p.ids["bob"], bad, nil)
			p.want(err, fail.CodeInvalid)
		}
		_, err = p.u.Regrant(ctx, ann, p.ids["bob"], right.ID, "Curators")
		p.want(err, fail.CodeInvalid)
		if _, err = p.u.Regrant(ctx, ann, p.ids["bob"], right.ID, "agent:delete"); err != nil || may(authz.Edit, authz.Agent) {
			t.Errorf("changing a right: %v", err)
		}
		if err = p.u.Withdraw(ctx, ann, p.ids["bob"], set.ID); err != nil || may(authz.Edit, authz.Corpus) {
			t.Errorf("taking a set away: %v", err)
		}
		role, err := p.u.Grant(ctx, ann, p.ids["bob"], "Global Admin", nil)
		if err != nil || role.Kind != "role" || p.roles("bob") != [2]string{"Global Admin", "Global Admin"} {
			t.Errorf("a role: %+v %v", role, err)
		}
		p.want(p.u.Withdraw(ctx, p.as("bob"), p.ids["bob"], role.ID), fail.CodeForbidden)
		if err = p.u.Withdraw(ctx, ann, p.ids["bob"], role.ID); err != nil || p.roles("bob") != [2]string{"User", "User"} {
			t.Errorf("taking a role away: %v", err)
		}
		p.want(p.u.Withdraw(ctx, ann, p.ids["bob"], role.ID), fail.CodeConflict)
		list, total, err := p.u.Permissions(ctx, p.as("bob"), p.ids["bob"], page)
		if err != nil || total != 2 || len(list) != 2 {
			t.Errorf("bob's: %v %d %v", list, total, err)
		}
		_, _, err = p.u.Permissions(ctx, p.as("eve"), p.ids["bob"], page)
		p.want(err, fail.CodeForbidden)
		if _, _, err = p.u.Permissions(ctx, p.as("app"), p.ids["bob"], page); err != nil {
			t.Error(err)
		}
		p.want(p.u.Withdraw(ctx, ann, p.ids["eve"], right.ID), fail.CodeNotFound)
		other := settle(t, d, "two.example")
		_, err = other.u.Grant(ctx, other.as("ann"), p.ids["bob"], "User", nil)
		p.want(err, fail.CodeNotFound)
		_, err = p.u.Grant(ctx, ann, p.ids["eve"], "Application Admin", &other.org)
		p.want(err, fail.CodeNotFound)
	})
}

func TestSessionsThatEndedLongAgoGoWithTheNextSignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		for _, who := range []string{"bob", "bob", "ann"} {
			p.signedIn(who)
		}
		p.tx(func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `UPDATE session SET expires_on = ?`, time.Now().Add(-25*time.Hour))
			return err
		})
		p.signedIn("bob")
		for who, want := range map[string]int{"bob": 1, "ann": 1} {
			if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM session WHERE user_id = ?`, p.ids[who]); err != nil || n != want {
				t.Errorf("%s has %d sessions, want %d (%v)", who, n, want, err)
			}
		}
	})
}

func TestSessionsAreListedAndEndedByFamily(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		first, second := p.signedIn("bob"), p.signedIn("bob")
		p.signedIn("eve")
		fresh, err := p.u.Refresh(ctx, first.AccessToken, "")
		if err != nil {
			t.Fatal(err)
		}
		who, err := bearer(t, p.u, fresh.PlatformToken)
		if err != nil {
			t.Fatal(err)
		}
		sc := authz.For(who)
		list, total, err := p.u.Sessions(ctx, sc, page)
		if err != nil || total != 2 || len(list) != 2 {
			t.Fatalf("%v %d %v", list, total, err)
		}
		if !list[1].IsCurrent || list[0].IsCurrent || list[0].Way != "password" || list[0].Agent != "test" || list[0].Address != "192.0.2.1" || list[0].LastUsedOn == nil {
			t.Errorf("sessions: %+v", list)
		}
		p.want(p.u.EndSession(ctx, p.as("eve"), list[0].ID), fail.CodeNotFound)
		p.want(p.u.EndSession(ctx, p.as("ann"), list[0].ID), fail.CodeNotFound)
		if err := p.u.EndSession(ctx, sc, list[0].ID); err != nil || works(t, p.u, second.PlatformToken) || !works(t, p.u, fresh.PlatformToken) {
			t.Errorf("ending one: %v", err)
		}
		p.want(p.u.EndSession(ctx, sc, list[0].ID), fail.CodeNotFound)
		third := p.signedIn("bob")
		if err := p.u.EndSessions(ctx, sc, false); err != nil || works(t, p.u, third.PlatformToken) || !works(t, p.u, fresh.PlatformToken) {
			t.Errorf("ending the others: %v", err)
		}
		if err := p.u.EndSessions(ctx, sc, true); err != nil || works(t, p.u, fresh.PlatformToken) {
			t.Errorf("ending all: %v", err)
		}
	})
}

func TestReuseOfAReplacedTokenEndsTheFamilyAfterARestartToo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		old := p.signedIn("bob")
		fresh, err := p.u.Refresh(ctx, old.AccessToken, "")
		if err != nil {
			t.Fatal(err)
		}
		restarted := open(t, d)
		if _, err := restarted.Refresh(ctx, old.AccessToken, "192.0.2.9"); !fail.Is(err, fail.CodeUnauthenticated) {
			t.Errorf("reuse: %v", err)
		}
		if works(t, restarted, fresh.PlatformToken) {
			t.Error("the family goes on after a reuse")
		}
		if _, err := restarted.Refresh(ctx, fresh.AccessToken, ""); !fail.Is(err, fail.CodeUnauthenticated) {
			t.Errorf("the family is refreshed after a reuse: %v", err)
		}
		n, err := db.One[int](ctx, d, `SELECT COUNT(*) FROM audit_event WHERE org_id = ? AND action = 'refreshReused' AND address = '192.0.2.9'`, p.org)
		if err != nil || n != 1 {
			t.Errorf("%d entries of the reuse, %v", n, err)
		}
	})
}

func TestSignInsAreAuditedWithoutSecrets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		hash, err := p.u.HashPassword(ctx, password)
		if err != nil {
			t.Fatal(err)
		}
		p.tx(func(ctx context.Context, tx *db.Tx) error { return p.u.SetPassword(ctx, tx, p.org, p.ids["bob"], hash) })
		how := user.How{Way: "password", Address: "192.0.2.7", Agent: strings.Repeat("ä", 500)}
		if _, err := p.u.SignIn(ctx, "BOB@one.example ", password, how); err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"bob@one.example", "nobody@one.example"} {
			_, err := p.u.SignIn(ctx, who, "Wrong-"+password, how)
			p.want(err, fail.CodeUnauthenticated)
		}
		type entry struct {
			Action string `db:"action"`
			Actor  string `db:"actor"`
			All    string `db:"everything"`
		}
		var entries []entry
		for range 3000 { // the failure is written after its answer
			entries, err = db.All[entry](ctx, d, `SELECT action, actor, actor || carrier || address || detail AS everything FROM audit_event WHERE org_id = ? ORDER BY seq`, p.org)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) >= 2 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if len(entries) != 2 || entries[0].Action != "signIn" || entries[1].Action != "signInFailed" || entries[1].Actor != "bob@one.example" {
			t.Errorf("entries: %+v", entries)
		}
		for _, e := range entries {
			if strings.Contains(e.All, password) || !strings.Contains(e.All, "192.0.2.7") {
				t.Errorf("entry: %+v", e)
			}
		}
		if n, err := audit.Verify(ctx, d, p.org); err != nil || n != 2 {
			t.Errorf("the log: %d %v", n, err)
		}
	})
}
