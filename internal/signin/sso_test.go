package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"atrium/internal/authz"
	"atrium/internal/signin"
)

func ann(more ...any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "ann-1", "email": "Ann@example.com", "email_verified": true, "given_name": "Ann", "family_name": "Bee"}
	for i := 0; i+1 < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	return c
}

func TestAnIssuerSignsInAndIsRememberedBySubject(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		b := w.browser(t)
		if at := b.signIn("google", "/agents?tab=1"); at != "/agents?tab=1" {
			t.Fatalf("the browser ends at %s", at)
		}
		if b.who() != "Ann@example.com" {
			t.Errorf("the browser is signed in as %q", b.who())
		}
		if q := w.issuer.asked; q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("nonce")) < 32 || len(q.Get("state")) < 32 {
			t.Errorf("the request is %v", q)
		}
		if n := w.count(`SELECT COUNT(*) FROM users WHERE email_key = 'ann@example.com' AND role = 'User' AND first_name = 'Ann'`); n != 1 {
			t.Errorf("%d users were made", n)
		}
		// The address may change at the issuer, and need not be verified any more.
		w.issuer.person(ann("email", "bee@elsewhere.example", "email_verified", false), bending{})
		again := w.browser(t)
		if at := again.signIn("google", "/"); at != "/" || again.who() != "Ann@example.com" {
			t.Errorf("the second time ends at %s as %q", at, again.who())
		}
		for action, want := range map[string]int64{"createUserBySSO": 1, "signIn": 2} {
			if n := w.count(`SELECT COUNT(*) FROM audit_event WHERE action = ? AND carrier = 'google'`, action); n != want {
				t.Errorf("the audit log has %d %s, want %d", n, action, want)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM session WHERE way = 'google'`); n != 2 {
			t.Errorf("%d sessions", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM sso_attempt`); n != 0 {
			t.Errorf("%d attempts are left", n)
		}
	})
}

func TestAKnownAddressIsLinkedOnlyWhenItIsVerified(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ann@example.com", authz.ApplicationAdmin)
		for _, verified := range []any{false, nil, "no", 0, "false"} {
			w.issuer.person(ann("email_verified", verified), bending{})
			if at := w.browser(t).signIn("oidc", "/"); at != "/sign-in?error=unverified" {
				t.Errorf("verified %v: %s", verified, at)
			}
		}
		w.issuer.person(ann(), bending{})
		b := w.browser(t)
		if at := b.signIn("oidc", "/"); at != "/" || b.who() != "ann@example.com" {
			t.Errorf("%s %q", at, b.who())
		}
		// The same address from another account of the issuer is somebody else.
		w.issuer.person(ann("sub", "mallory"), bending{})
		if at := w.browser(t).signIn("oidc", "/"); at != "/sign-in?error=other_account" {
			t.Errorf("another account: %s", at)
		}
		w.exec(`UPDATE users SET is_active = FALSE WHERE email_key = 'ann@example.com'`)
		w.issuer.person(ann(), bending{})
		if at := w.browser(t).signIn("oidc", "/"); at != "/sign-in?error=inactive" {
			t.Errorf("deactivated: %s", at)
		}
	})
}

func TestOnlyTheOrganizationsDomainMakesUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.exec(`INSERT INTO organization (name, domain, created_on) VALUES ('Freemail', 'gmail.com', ?)`, time.Now())
		for range 2 {
			w.exec(`INSERT INTO organization (name, domain, created_on) VALUES ('Twins', 'twins.example', ?)`, time.Now())
		}
		for _, email := range []string{"x@elsewhere.example", "x@sub.example.com", "x@gmail.com", "x@twins.example", "x@example.com.evil.example", "x@", "x", "a@example.com@evil.example"} {
			w.issuer.person(ann("email", email), bending{})
			if at := w.browser(t).signIn("google", "/"); at != "/sign-in?error=unknown_person" {
				t.Errorf("%s: %s", email, at)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM users`); n != 1 {
			t.Errorf("%d users", n)
		}
	})
}

func TestUsersAreNotMadeWhenTheOperatorSaysSo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		if at := w.browser(t).signIn("google", "/"); at != "/sign-in?error=unknown_person" {
			t.Error(at)
		}
	}, func(o *signin.Options) { o.CreateUsers = false })
}

func TestTokensThatDoNotHoldAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ann@example.com", authz.Member)
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&issuerKey().PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		set := func(k string, v any) bending { return bending{Claims: func(c jwt.MapClaims) { c[k] = v }} }
		without := func(k string) bending { return bending{Claims: func(c jwt.MapClaims) { delete(c, k) }} }
		hmac := func(key []byte) bending {
			return bending{Sign: func(c jwt.MapClaims) string {
				s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
				if err != nil {
					panic(err)
				}
				return s
			}}
		}
		for name, b := range map[string]bending{
			"another nonce": set("nonce", "x"), "no nonce": without("nonce"), "an empty nonce": set("nonce", ""),
			"another audience": set("aud", "somebody"), "no audience": without("aud"), "an empty audience": set("aud", ""),
			"two audiences and nobody named": set("aud", []string{clientID, "somebody"}), "made for somebody else": set("azp", "somebody"),
			"another issuer": set("iss", "https://evil.example"), "no issuer": without("iss"), "an issuer with a slash": set("iss", w.issuer.URL+"/"),
			"expired": set("exp", time.Now().Add(-time.Minute).Unix()), "no end": without("exp"), "not yet": set("nbf", time.Now().Add(time.Hour).Unix()),
			"no subject": set("sub", ""), "a long subject": set("sub", strings.Repeat("x", 300)), "another access token": set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
			"the algorithm none": {Sign: func(c jwt.MapClaims) string {
				s, _ := jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)
				return s
			}},
			"the client secret as key": hmac([]byte(clientSecret)),
			"the public key as key":    hmac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
			"somebody else's key":      {Sign: func(c jwt.MapClaims) string { return w.issuer.sign(c, other) }},
			"no signature":             {Sign: func(c jwt.MapClaims) string { s := w.issuer.sign(c, other); return s[:strings.LastIndexByte(s, '.')+1] }},
			"no token":                 {Sign: func(jwt.MapClaims) string { return "" }},
			"rubbish":                  {Sign: func(jwt.MapClaims) string { return "a.b.c" }},
		} {
			w.issuer.person(ann(), b)
			br := w.browser(t)
			if at := br.signIn("oidc", "/"); at != "/sign-in?error=refused" || br.who() != "" {
				t.Errorf("%s: %s %q", name, at, br.who())
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM session`); n != 0 {
			t.Errorf("%d sessions were opened", n)
		}
	}, unlimited)
}

// unlimited is for tests that try more often than a person would.
func unlimited(o *signin.Options) { o.Tries = 10_000 }

func TestACallbackCountsOnceInItsOwnBrowser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		const expired = "/sign-in?error=expired"
		callback := func(b *browser, provider string) string {
			_, to := b.get("/auth-service/api/v2/sso/" + provider + "/login")
			_, back := b.get(to)
			return back
		}
		b := w.browser(t)
		back := callback(b, "google")
		if _, at := w.browser(t).get(back); at != expired {
			t.Errorf("another browser: %s", at)
		}
		if _, at := b.get(strings.Replace(back, "/google/", "/oidc/", 1)); at != expired {
			t.Errorf("another issuer's callback: %s", at)
		}
		b = w.browser(t)
		back = callback(b, "google")
		u, _ := url.Parse(back)
		q := u.Query()
		for _, state := range []string{"", "x", q.Get("state") + "x", strings.Repeat("y", 900)} {
			if _, at := b.get(u.Path + "?" + url.Values{"code": q["code"], "state": {state}}.Encode()); at != expired {
				t.Errorf("state %q: %s", state, at)
			}
		}
		if _, at := b.get(back); at != "/" || b.who() == "" {
			t.Errorf("the right one: %s", at)
		}
		if _, at := b.get(back); at != expired {
			t.Errorf("again: %s", at)
		}
		// A code of another attempt fails by its verifier.
		one, two := w.browser(t), w.browser(t)
		first, second := callback(one, "google"), callback(two, "google")
		f, _ := url.Parse(first)
		s, _ := url.Parse(second)
		if _, at := two.get(s.Path + "?" + url.Values{"code": f.Query()["code"], "state": s.Query()["state"]}.Encode()); at != "/sign-in?error=refused" {
			t.Errorf("an injected code: %s", at)
		}
		b = w.browser(t)
		back = callback(b, "oidc")
		if _, at := b.get(back + "&iss=https%3A%2F%2Fevil.example"); at != "/sign-in?error=refused" {
			t.Errorf("mixed up: %s", at)
		}
		b = w.browser(t)
		back = callback(b, "oidc")
		if _, at := b.get(back + "&error=access_denied"); at != "/sign-in?error=denied" {
			t.Errorf("denied: %s", at)
		}
		b = w.browser(t)
		back = callback(b, "oidc")
		w.exec(`UPDATE sso_attempt SET expires_on = ?`, time.Now().Add(-time.Second))
		if _, at := b.get(back); at != expired {
			t.Errorf("too late: %s", at)
		}
	}, unlimited)
}

func TestTheBrowserStaysOnThisServer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", "agents", "/a\r\nSet-Cookie: x=y", "/\t/evil.example", ""} {
			if at := w.browser(t).signIn("google", next); at != "/" {
				t.Errorf("%q leads to %s", next, at)
			}
		}
	})
}

func TestAnIssuerThatIsDownIsTold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{Down: true})
		if at := w.browser(t).signIn("google", "/"); at != "/sign-in?error=issuer_down" {
			t.Errorf("while beginning: %s", at)
		}
		w.post(t, "login/azure/exchange-token", object{"id_token": "a.b.c"}).want(502)
		w.issuer.person(ann(), bending{})
		b := w.browser(t)
		_, to := b.get("/auth-service/api/v2/sso/oidc/login")
		_, back := b.get(to)
		w.issuer.person(ann(), bending{Down: true})
		if _, at := b.get(back); at != "/sign-in?error=issuer_down" {
			t.Errorf("while finishing: %s", at)
		}
		// What is known of the issuer is remembered, so that beginning still works.
		if status, to := b.get("/auth-service/api/v2/sso/oidc/login"); status != http.StatusFound || !strings.HasPrefix(to, w.issuer.URL) {
			t.Errorf("from memory: %d %s", status, to)
		}
		if at := w.browser(t).signIn("okta", "/"); at != "/sign-in?error=not_configured" {
			t.Errorf("what is not configured: %s", at)
		}
		if status, _ := w.browser(t).get("/auth-service/api/v2/sso/evil/login"); status != 404 {
			t.Errorf("an unknown issuer is answered %d", status)
		}
	})
}

func TestAnIssuerIsBelievedOnlyAboutItself(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, bend := range map[string]func(map[string]any){
			"google": func(m map[string]any) { m["issuer"] = "https://evil.example" },
			"oidc":   func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" },
		} {
			w.issuer.person(ann(), bending{Metadata: bend})
			if at := w.browser(t).signIn(name, "/"); at != "/sign-in?error=issuer_down" {
				t.Errorf("%s: %s", name, at)
			}
		}
	})
}

func TestWhatTheTokenLeavesOutIsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		claims := jwt.MapClaims{"sub": "ann-1"}
		w.issuer.person(claims, bending{Userinfo: map[string]any{"sub": "mallory", "email": "ann@example.com", "email_verified": true}})
		if at := w.browser(t).signIn("oidc", "/"); at != "/sign-in?error=refused" {
			t.Errorf("somebody else's: %s", at)
		}
		w.issuer.person(claims, bending{Userinfo: map[string]any{"sub": "ann-1", "email": "ann@example.com", "email_verified": "true", "name": "Ann Bee"}})
		b := w.browser(t)
		if at := b.signIn("oidc", "/"); at != "/" || b.who() != "ann@example.com" {
			t.Errorf("%s %q", at, b.who())
		}
	})
}

func TestLinkedInKnowsNoNonceAndNoPKCE(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		if at := w.browser(t).signIn("linkedin", "/"); at != "/" {
			t.Error(at)
		}
		if q := w.issuer.asked; q.Has("nonce") || q.Has("code_challenge") {
			t.Errorf("it was asked %v", q)
		}
	})
}

func TestGitHubsVerifiedPrimaryAddressCounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mail := func(email string, primary, verified bool) map[string]any {
			return map[string]any{"email": email, "primary": primary, "verified": verified}
		}
		w.issuer.person(nil, bending{Emails: []map[string]any{mail("admin@example.com", false, true), mail("ann@example.com", true, false)}})
		if at := w.browser(t).signIn("github", "/"); at != "/sign-in?error=unverified" {
			t.Errorf("not verified: %s", at)
		}
		w.issuer.person(nil, bending{Emails: []map[string]any{mail("admin@example.com", false, true), mail("ann@example.com", true, true)}})
		b := w.browser(t)
		if at := b.signIn("github", "/"); at != "/" || b.who() != "ann@example.com" {
			t.Errorf("%s %q", at, b.who())
		}
		if n := w.count(`SELECT COUNT(*) FROM user_identity WHERE provider = 'github' AND subject = '4711'`); n != 1 {
			t.Errorf("%d identities", n)
		}
	})
}

// microsoft is Ann as a tenant says.
func (w *world) microsoft(more ...any) jwt.MapClaims {
	c := ann(append([]any{"iss", w.issuer.URL + "/" + tenant + "/v2.0", "tid", tenant}, more...)...)
	delete(c, "email_verified")
	return c
}

func TestAMicrosoftAddressCountsOnlyWhenItsDomainIsTheTenants(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ann@example.com", authz.GlobalAdmin)
		// Any tenant's administrator can write any address.
		w.issuer.person(w.microsoft(), bending{})
		if at := w.browser(t).signIn("microsoft", "/"); at != "/sign-in?error=unverified" {
			t.Errorf("an address that a tenant made up: %s", at)
		}
		w.issuer.person(w.microsoft("email_verified", true), bending{})
		if at := w.browser(t).signIn("microsoft", "/"); at != "/sign-in?error=unverified" {
			t.Errorf("a claim that Microsoft does not make: %s", at)
		}
		const other = "99999999-2222-3333-4444-555555555555"
		for name, claims := range map[string]jwt.MapClaims{
			"another tenant's issuer": w.microsoft("tid", other), "no tenant": w.microsoft("tid", ""), "a tenant that is none": w.microsoft("tid", "x", "iss", w.issuer.URL+"/x/v2.0"),
			"the template itself": w.microsoft("tid", "{tenantid}", "iss", w.issuer.URL+"/{tenantid}/v2.0"),
			"personal accounts":   w.microsoft("tid", "9188040d-6c67-4c5b-b112-36a304b66dad", "iss", w.issuer.URL+"/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", "xms_edov", true),
		} {
			w.issuer.person(claims, bending{})
			if at := w.browser(t).signIn("microsoft", "/"); at != "/sign-in?error=refused" {
				t.Errorf("%s: %s", name, at)
			}
		}
		w.issuer.person(w.microsoft("xms_edov", "1"), bending{})
		b := w.browser(t)
		if at := b.signIn("microsoft", "/"); at != "/" || b.who() != "ann@example.com" {
			t.Errorf("%s %q", at, b.who())
		}
	})
}

func TestTheOwnTenantIsBelieved(t *testing.T) {
	own := func(o *signin.Options) {
		for i := range o.Providers {
			if o.Providers[i].Name == "microsoft" {
				o.Providers[i].Tenant = "example.com" // the issuer names it by its id
			}
		}
	}
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(w.microsoft("email", "", "preferred_username", "ann@example.com"), bending{})
		b := w.browser(t)
		if at := b.signIn("microsoft", "/"); at != "/" || b.who() != "ann@example.com" {
			t.Errorf("%s %q", at, b.who())
		}
		const other = "99999999-2222-3333-4444-555555555555"
		w.issuer.person(w.microsoft("tid", other, "iss", w.issuer.URL+"/"+other+"/v2.0"), bending{})
		if at := w.browser(t).signIn("microsoft", "/"); at != "/sign-in?error=refused" {
			t.Errorf("another tenant: %s", at)
		}
	}, own)
}

func TestAMicrosoftTokenIsExchanged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		good := func(more ...any) string {
			return w.issuer.idToken(w.microsoft(append([]any{"xms_edov", true}, more...)...), bending{}, "")
		}
		in := w.post(t, "login/azure/exchange-token", object{"id_token": good()}).want(200)
		w.me(t, in.data("ejento_access_token")).want(200)
		for name, bad := range map[string]string{
			"another audience": good("aud", "somebody"), "expired": good("exp", time.Now().Add(-time.Minute).Unix()), "another issuer": good("iss", "https://evil.example"),
			"an access token": in.data("access_token"), "a platform token": in.data("ejento_access_token"), "rubbish": "x",
			"no signature": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good(), ".")[1] + ".",
		} {
			if a := w.post(t, "login/azure/exchange-token", object{"id_token": bad}); a.Status != 401 {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM session`); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestManyFirstSignInsMakeOneUser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		var wg sync.WaitGroup
		for range 6 {
			b := w.browser(t)
			wg.Go(func() {
				if at := b.signIn("google", "/"); at != "/" {
					t.Errorf("it ends at %s", at)
				}
			})
		}
		wg.Wait()
		if n, m := w.count(`SELECT COUNT(*) FROM users`), w.count(`SELECT COUNT(*) FROM user_identity`); n != 2 || m != 1 {
			t.Errorf("%d users, %d identities", n, m)
		}
	})
}

func TestSomebodyWhoWasDeletedStaysOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.issuer.person(ann(), bending{})
		if at := w.browser(t).signIn("google", "/"); at != "/" {
			t.Fatal(at)
		}
		w.exec(`UPDATE users SET is_deleted = TRUE WHERE email_key = 'ann@example.com'`)
		if at := w.browser(t).signIn("google", "/"); at != "/sign-in?error=inactive" {
			t.Errorf("deleted: %s", at)
		}
		w.exec(`UPDATE users SET email_key = 'deleted' WHERE email_key = 'ann@example.com'`) // as inviting anew does
		w.person("ann@example.com", authz.Member)
		if at := w.browser(t).signIn("google", "/"); at != "/" {
			t.Errorf("invited anew: %s", at)
		}
	})
}
