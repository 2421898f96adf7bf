package user_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/fail"
	"atrium/internal/user"
)

func TestOnlyOurOwnAccessTokensRefresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p, other := settle(t, d, "one.example"), open(t, d, func(o *user.Options) { o.MasterKey = []byte(strings.Repeat("x", 32)) })
		in := p.signedIn("bob")
		claims := func(change func(*jwt.RegisteredClaims)) jwt.RegisteredClaims {
			c := jwt.RegisteredClaims{Issuer: "atrium", Audience: jwt.ClaimStrings{"auth-service"}, Subject: strconv.FormatInt(p.ids["bob"], 10), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}
			change(&c)
			return c
		}
		same := func(*jwt.RegisteredClaims) {}
		rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		signed := func(m jwt.SigningMethod, key any) string {
			s, err := jwt.NewWithClaims(m, claims(same)).SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		parts := strings.Split(in.AccessToken, ".")
		for name, token := range map[string]string{
			"empty":                      "",
			"null":                       "null",
			"a platform token":           in.PlatformToken,
			"no algorithm":               signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
			"no signature":               parts[0] + "." + parts[1] + ".",
			"RS256":                      signed(jwt.SigningMethodRS256, rsaKey),
			"ES256":                      signed(jwt.SigningMethodES256, ecKey),
			"a public key as the secret": signed(jwt.SigningMethodHS256, public),
			"HS512 with a guessed key":   signed(jwt.SigningMethodHS512, []byte("secret")),
			"another server's":           other.Sign(claims(same)),
			"ours but never given out":   p.u.Sign(claims(same)),
			"another audience":           p.u.Sign(claims(func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{"platform"} })),
			"no audience":                p.u.Sign(claims(func(c *jwt.RegisteredClaims) { c.Audience = nil })),
			"another issuer":             p.u.Sign(claims(func(c *jwt.RegisteredClaims) { c.Issuer = "https://accounts.example" })),
			"expired":                    p.u.Sign(claims(func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Hour)) })),
			"without an end":             p.u.Sign(claims(func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil })),
			"the payload of another":     parts[0] + ".e30." + parts[2],
			"very long":                  strings.Repeat("a", 100_000),
		} {
			if _, err := p.u.Refresh(t.Context(), token, ""); !fail.Is(err, fail.CodeUnauthenticated) {
				t.Errorf("%s: %v", name, err)
			}
			if token != in.PlatformToken && works(t, p.u, token) {
				t.Errorf("%s is taken for a platform token", name)
			}
		}
		if works(t, p.u, in.AccessToken) {
			t.Error("an access token is taken for a platform token")
		}
		if _, err := p.u.Refresh(t.Context(), in.AccessToken, ""); err != nil {
			t.Errorf("the true one does not refresh: %v", err)
		}
	})
}

func TestExactlyOneRefreshWinsAndTheOthersEndTheFamily(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		in := p.signedIn("bob")
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			wins []user.Tokens
		)
		for range 12 {
			wg.Go(func() {
				if got, err := p.u.Refresh(t.Context(), in.AccessToken, ""); err == nil {
					mu.Lock()
					defer mu.Unlock()
					wins = append(wins, got)
				} else if !fail.Is(err, fail.CodeUnauthenticated) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(wins) != 1 {
			t.Fatalf("%d refreshes won", len(wins))
		}
		if works(t, p.u, wins[0].PlatformToken) || works(t, p.u, in.PlatformToken) {
			t.Error("the family goes on although its token was used twice")
		}
	})
}

func TestAKeyMakesNoStrongerKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		soon := time.Now().Add(time.Hour)
		made, err := p.u.CreateKey(ctx, p.as("bob"), user.KeyDraft{Name: "parent", Scopes: user.Scopes{"*:view", "api_key:*"}, ExpiresOn: &soon})
		if err != nil {
			t.Fatal(err)
		}
		who, err := bearer(t, p.u, made.Secret)
		if err != nil {
			t.Fatal(err)
		}
		sc, later, before, past := authz.For(who), soon.Add(time.Hour), soon.Add(-time.Minute), time.Now().Add(-time.Second)
		for name, x := range map[string]struct {
			draft user.KeyDraft
			want  fail.Code
		}{
			"weaker":                {user.KeyDraft{Scopes: user.Scopes{"agent:view", "api_key:create"}, ExpiresOn: &before}, ""},
			"equal":                 {user.KeyDraft{Scopes: user.Scopes{"*:view"}, ExpiresOn: &before}, ""},
			"everything":            {user.KeyDraft{ExpiresOn: &before}, fail.CodeForbidden},
			"another action":        {user.KeyDraft{Scopes: user.Scopes{"agent:edit"}, ExpiresOn: &before}, fail.CodeForbidden},
			"all actions":           {user.KeyDraft{Scopes: user.Scopes{"agent:*"}, ExpiresOn: &before}, fail.CodeForbidden},
			"lasting longer":        {user.KeyDraft{Scopes: user.Scopes{"agent:view"}, ExpiresOn: &later}, fail.CodeForbidden},
			"lasting for ever":      {user.KeyDraft{Scopes: user.Scopes{"agent:view"}}, fail.CodeForbidden},
			"ended before it began": {user.KeyDraft{Scopes: user.Scopes{"agent:view"}, ExpiresOn: &past}, fail.CodeConflict},
		} {
			x.draft.Name = name
			_, err := p.u.CreateKey(ctx, sc, x.draft)
			if x.want == "" && err != nil || x.want != "" && !fail.Is(err, x.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		p.u.WriteLastUse()
		keys, _, err := p.u.Keys(ctx, p.as("bob"), page)
		if err != nil || len(keys) != 3 || keys[len(keys)-1].LastUsedOn == nil {
			t.Errorf("keys: %+v %v", keys, err)
		}
		if err := p.u.RevokeKey(ctx, p.as("bob"), made.ID); err != nil || works(t, p.u, made.Secret) {
			t.Errorf("a revoked key works, %v", err)
		}
	})
}

func TestAMistypedKeyIsRefusedAndAnOperatorsOwnIsNot(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		good := user.NewSecret()
		typo := good[:20] + strings.Map(func(r rune) rune {
			if r == 'x' {
				return 'y'
			}
			return 'x'
		}, good[20:21]) + good[21:]
		p.tx(func(ctx context.Context, tx *db.Tx) error {
			for _, s := range []string{good, "operators-own-key", "atrk_operators-own-key"} {
				if err := p.u.KeepKey(ctx, tx, p.org, p.ids["ann"], "k", s); err != nil {
					return err
				}
			}
			return nil
		})
		err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return p.u.KeepKey(ctx, tx, p.org, p.ids["ann"], "k", typo)
		})
		p.want(err, fail.CodeInvalid)
		for key, want := range map[string]bool{good: true, "operators-own-key": true, "atrk_operators-own-key": true, typo: false, good + "x": false, "": false} {
			if works(t, p.u, key) != want {
				t.Errorf("%q: not %v", key, want)
			}
		}
	})
}

func TestPasswordsAreHeldToTheRules(t *testing.T) {
	t.Parallel()
	if n := user.Leaked(); n < 10_000 {
		t.Errorf("only %d leaked passwords are known", n)
	}
	for p, ok := range map[string]bool{
		password: true, "Zwölfzehn-Ä": true, "Short1A": false, "alllowercase": false, "ALLUPPERCASE": false, "12345678": false,
		"Password1": false, "PASSWORd123": false, "Qwertyuiop": false, "Trustno1": false, strings.Repeat("aA", 200): false,
	} {
		if err := user.Check(p); (err == nil) != ok || err != nil && !fail.Is(err, fail.CodeInvalid) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestChangingThePasswordEndsAllOtherSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		ctx := t.Context()
		p.want(p.u.ChangePassword(ctx, p.as("bob"), "", "Another-Horse-9", ""), fail.CodeForbidden)
		hash, err := p.u.HashPassword(ctx, password)
		if err != nil {
			t.Fatal(err)
		}
		p.tx(func(ctx context.Context, tx *db.Tx) error { return p.u.SetPassword(ctx, tx, p.org, p.ids["bob"], hash) })
		here, there := p.signedIn("bob"), p.signedIn("bob")
		who, err := bearer(t, p.u, here.PlatformToken)
		if err != nil {
			t.Fatal(err)
		}
		sc := authz.For(who)
		p.want(p.u.ChangePassword(ctx, sc, "Wrong-Horse-9", "Another-Horse-9", ""), fail.CodeForbidden)
		p.want(p.u.ChangePassword(ctx, sc, password, "Password1", ""), fail.CodeInvalid)
		if err := p.u.ChangePassword(ctx, sc, password, "Another-Horse-9", ""); err != nil {
			t.Fatal(err)
		}
		if !works(t, p.u, here.PlatformToken) || works(t, p.u, there.PlatformToken) {
			t.Error("the wrong sessions ended")
		}
		_, err = p.u.SignIn(ctx, "bob@one.example", password, user.How{})
		p.want(err, fail.CodeUnauthenticated)
		if _, err = p.u.SignIn(ctx, "bob@one.example", "Another-Horse-9", user.How{}); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedSignInsAreLimitedByPairAccountAndAddress(t *testing.T) {
	t.Parallel()
	attempt := user.Attempts()
	try := func(email, address string) bool {
		_, err := attempt(email, address)
		if err != nil && (!fail.Is(err, fail.CodeTooMany) || fail.As(err).RetryAfter <= 0) {
			t.Error(err)
		}
		return err == nil
	}
	for range 10 {
		if !try("bob", "192.0.2.1") {
			t.Fatal("limited too early")
		}
	}
	if try("bob", "192.0.2.1") {
		t.Error("an account from one address is not limited")
	}
	for i := range 40 {
		if !try("bob", fmt.Sprintf("198.51.100.%d", i)) {
			t.Fatal("limited too early")
		}
	}
	if try("bob", "203.0.113.1") {
		t.Error("an account from many addresses is not limited")
	}
	for i := range 50 {
		if !try(fmt.Sprintf("x%d", i), "192.0.2.1") {
			t.Fatal("limited too early")
		}
	}
	if try("eve", "192.0.2.1") || !try("eve", "192.0.2.2") {
		t.Error("an address is not limited, or somebody else is")
	}
	for range 100 {
		succeeded, err := attempt("ann", "192.0.2.3")
		if err != nil {
			t.Fatal("attempts that succeed are counted")
		}
		succeeded()
	}
}

func TestAFloodOfSignInsIsRefusedBeforeItIsHashed(t *testing.T) {
	t.Parallel()
	p := settle(t, dbtest.Open(t, db.SQLite), "one.example")
	empty := p.u.FillHashing()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			_, err := p.u.SignIn(t.Context(), fmt.Sprintf("x%d@one.example", i), "Wrong-Horse-9", user.How{Address: fmt.Sprint(i)})
			if !fail.Is(err, fail.CodeTooMany) || fail.As(err).RetryAfter <= 0 {
				t.Errorf("while the queue is full: %v", err)
			}
		})
	}
	wg.Wait()
	empty()
	if _, err := p.u.SignIn(t.Context(), "bob@one.example", "Wrong-Horse-9", user.How{}); !fail.Is(err, fail.CodeUnauthenticated) {
		t.Errorf("after the flood: %v", err)
	}
}

// post is a Verifier and an Inviter that remembers.
type post struct {
	mu   sync.Mutex
	sent []int64
	err  error
}

func (m *post) send(id int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, id)
	return m.err
}

func (m *post) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent)
}

func (m *post) Verify(_ context.Context, _ *db.Tx, _, id int64) error { return m.send(id) }

func (m *post) Invite(_ context.Context, _ *db.Tx, _, id int64, _ string) error { return m.send(id) }

func TestWhoRegistersActsAfterProvingTheAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		in := user.Registration{Email: "New@one.example", Password: password}
		closed := settle(t, d, "closed.example")
		closed.want(closed.u.Register(ctx, in, ""), fail.CodeForbidden)
		p := settle(t, d, "one.example", func(o *user.Options) { o.OpenRegistration = true })
		p.want(p.u.Register(ctx, in, ""), fail.CodeForbidden)
		m := &post{}
		p.u.SetVerifier(m)
		p.want(p.u.Register(ctx, user.Registration{Email: "nobody", Password: password}, ""), fail.CodeInvalid)
		p.want(p.u.Register(ctx, user.Registration{Email: "x@one.example", Password: "Password1"}, ""), fail.CodeInvalid)
		for email, mails := range map[string]int{"bob@one.example": 0, "x@elsewhere.example": 0, in.Email: 2} {
			for range max(mails, 1) {
				before := m.count()
				if err := p.u.Register(ctx, user.Registration{Email: email, Password: password}, ""); err != nil {
					t.Errorf("%s: %v", email, err)
				}
				for try := 0; mails > 0 && m.count() == before && try < 3000; try++ { // it is done after its answer
					time.Sleep(20 * time.Millisecond)
				}
			}
		}
		if m.count() != 2 || m.sent[0] != m.sent[1] {
			t.Fatalf("mailed to %v", m.sent)
		}
		_, err := p.u.SignIn(ctx, in.Email, password, user.How{})
		p.want(err, fail.CodeUnauthenticated)
		p.tx(func(ctx context.Context, tx *db.Tx) error { return p.u.Activate(ctx, tx, p.org, m.sent[0]) })
		if _, err = p.u.SignIn(ctx, in.Email, password, user.How{}); err != nil {
			t.Error(err)
		}
		// Whom an admin deactivated is not activated by an old link.
		off := false
		if _, err := p.u.Update(ctx, p.as("ann"), m.sent[0], user.Patch{IsActive: &off}); err != nil {
			t.Fatal(err)
		}
		p.want(d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return p.u.Activate(ctx, tx, p.org, m.sent[0]) }), fail.CodeConflict)
	})
}

func TestAnInvitationIsSentWithThePersonOrNotAtAll(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p, m, no := settle(t, d, "one.example"), &post{}, false
		ctx := t.Context()
		p.u.SetInviter(m)
		v, err := p.u.Invite(ctx, p.as("app"), user.Invitation{Email: "new@one.example"})
		if err != nil || v.InvitedOn == nil || m.count() != 1 || v.Role != authz.Member {
			t.Errorf("%+v %v", v, err)
		}
		if v, err = p.u.Invite(ctx, p.as("app"), user.Invitation{Email: "quiet@one.example", Send: &no}); err != nil || v.InvitedOn != nil || m.count() != 1 {
			t.Errorf("%+v %v", v, err)
		}
		admin := string(authz.ApplicationAdmin)
		_, err = p.u.Invite(ctx, p.as("app"), user.Invitation{Email: "more@one.example", Role: &admin})
		p.want(err, fail.CodeForbidden)
		_, err = p.u.Invite(ctx, p.as("ann"), user.Invitation{Email: "BOB@one.example", Role: &admin})
		p.want(err, fail.CodeConflict)
		m.err = fail.Unavailable("no mail")
		_, err = p.u.Invite(ctx, p.as("ann"), user.Invitation{Email: "lost@one.example"})
		p.want(err, fail.CodeUnavailable)
		_, err = p.u.ByEmail(ctx, p.as("ann"), "lost@one.example")
		p.want(err, fail.CodeNotFound)
		if v, err := p.u.ByEmail(ctx, p.as("bob"), "Bob@one.example"); err != nil || v.ID != p.ids["bob"] {
			t.Errorf("oneself: %v %v", v, err)
		}
		_, err = p.u.ByEmail(ctx, p.as("bob"), "eve@one.example")
		p.want(err, fail.CodeNotFound)
	})
}

func TestPeopleAreFoundAndOrdered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := settle(t, d, "one.example")
		settle(t, d, "two.example")
		ctx := t.Context()
		list := func(f user.Filter) string {
			t.Helper()
			f.Page, f.PageSize = 1, 50
			if f.Sort == "" {
				f.Sort = "name"
			}
			people, total, err := p.u.List(ctx, p.as("bob"), f)
			if err != nil || total != len(people) {
				t.Fatalf("%d of %d, %v", len(people), total, err)
			}
			var names []string
			for _, v := range people {
				names = append(names, v.FirstName)
			}
			return strings.Join(names, " ")
		}
		var f user.Filter
		if got := list(f); got != "ann app bob eve" {
			t.Error(got)
		}
		f.Sort = "-email"
		if got := list(f); got != "eve bob app ann" {
			t.Error(got)
		}
		f.Search = "A"
		f.Role = "Application Admin"
		if got := list(f); got != "app" {
			t.Error(got)
		}
		if got := list(user.Filter{IsActive: "false"}); got != "" {
			t.Error(got)
		}
		for _, sort := range []string{"created_on", "modified_on", "last_sign_in_on", "-name"} {
			f = user.Filter{}
			f.Sort = sort
			if got := list(f); len(got) != len("ann app bob eve") {
				t.Errorf("%s: %s", sort, got)
			}
		}
	})
}
