package signin_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/signin"
)

func TestACodeSignsInOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ask := w.post(t, "users/passwordless-auth", object{"email": " Admin@Example.com", "next": "/agents?x=1"}).want(200)
		session := ask.data("otp_session_id")
		l := w.inbox.Next(t)
		if session == "" || l.To != "admin@example.com" || len(l.Code()) != 6 || !strings.Contains(l.Link(), "next=%2Fagents%3Fx%3D1") {
			t.Fatalf("%s\n%s", ask.Body, l.Text)
		}
		in := w.post(t, "users/verify-otp", object{"otp_session_id": session, "code": strings.ToLower(l.Code())}, "X-Atrium-Console", "1").want(200)
		if w.me(t, in.data("ejento_access_token")).want(200).data("email") != "admin@example.com" || !strings.Contains(in.Header.Get("Set-Cookie"), "HttpOnly") {
			t.Errorf("the session is not right: %s %v", in.Body, in.Header)
		}
		w.post(t, "users/verify-otp", object{"otp_session_id": session, "code": l.Code()}).want(401)
		w.post(t, "users/validate-magic-link", object{"token": token(t, l, "link")}).want(401) // went with the code
		if n := w.count(`SELECT COUNT(*) FROM audit_event WHERE action = 'signIn' AND carrier = 'code'`); n != 1 {
			t.Errorf("the audit log has %d sign-ins", n)
		}
		if n, err := audit.Verify(t.Context(), w.db, w.org); err != nil || n != 1 {
			t.Errorf("the audit log: %d %v", n, err)
		}
	})
}

func TestACodeIsTriedFiveTimes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		session := w.post(t, "users/passwordless-auth", object{"email": "admin@example.com"}).want(200).data("otp_session_id")
		code := w.inbox.Next(t).Code()
		wrong := "AAAAAA"
		if code == wrong {
			wrong = "BBBBBB"
		}
		for range 5 {
			w.post(t, "users/verify-otp", object{"otp_session_id": session, "code": wrong}).want(401)
		}
		w.post(t, "users/verify-otp", object{"otp_session_id": session, "code": code}).want(401)
	})
}

func TestACodeBelongsToItsAttemptAndTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ask := func(body object) (string, string, string) {
			session := w.post(t, "users/passwordless-auth", body).want(200).data("otp_session_id")
			l := w.inbox.Next(t)
			return session, l.Code(), token(t, l, "link")
		}
		first, firstCode, firstLink := ask(object{"email": "admin@example.com"})
		second, secondCode, _ := ask(object{"email": "admin@example.com"})
		if firstCode != secondCode {
			w.post(t, "users/verify-otp", object{"otp_session_id": first, "code": secondCode}).want(401)
		}
		// An attempt that replaces another ends it.
		third, thirdCode, thirdLink := ask(object{"email": "admin@example.com", "otp_session_id": first})
		w.post(t, "users/verify-otp", object{"otp_session_id": first, "code": firstCode}).want(401)
		w.post(t, "users/validate-magic-link", object{"token": firstLink}).want(401)
		w.post(t, "users/verify-otp", object{"otp_session_id": second, "code": secondCode}).want(200)
		w.exec(`UPDATE one_time_token SET expires_on = ? WHERE used_on IS NULL`, time.Now().Add(-time.Second))
		w.post(t, "users/verify-otp", object{"otp_session_id": third, "code": thirdCode}).want(401)
		w.post(t, "users/validate-magic-link", object{"token": thirdLink}).want(401)
		// Nothing that was mailed stands in the database.
		for _, secret := range []string{thirdCode, thirdLink, third} {
			n := w.count(`SELECT COUNT(*) FROM one_time_token WHERE hash = ? OR handle = ?`, secret, secret) + w.count(`SELECT COUNT(*) FROM job WHERE payload LIKE ?`, "%"+secret+"%")
			if n != 0 {
				t.Error("a secret stands in the database")
			}
		}
	})
}

func TestOnlyOneOfManyUsesOfATokenWins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.post(t, "login/passwordless/request-token", object{"email": "admin@example.com"}).want(200)
		l := w.inbox.Next(t)
		var secret string
		for line := range strings.SplitSeq(l.Text, "\n") {
			if line = strings.TrimSpace(line); len(line) == 43 && !strings.Contains(line, " ") {
				secret = line
			}
		}
		w.post(t, "login/passwordless/exchange-tokens", object{"token": secret, "email": "eve@example.com"}).want(401)
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[int]int{}
		for range 8 {
			wg.Go(func() {
				a := w.post(t, "login/passwordless/exchange-tokens", object{"token": secret, "email": "Admin@example.com"})
				mu.Lock()
				defer mu.Unlock()
				got[a.Status]++
			})
		}
		wg.Wait()
		if got[200] != 1 || got[401] != 7 {
			t.Errorf("statuses are %v", got)
		}
	})
}

func TestAnswersDoNotTellWhoIsKnown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gone := w.person("gone@example.com", authz.Member)
		w.exec(`UPDATE users SET is_active = FALSE WHERE id = ?`, gone)
		for _, path := range []string{"users/passwordless-auth", "users/forgot-password", "login/passwordless/request-token"} {
			strip := func(a answer) string {
				return fmt.Sprint(a.Status, strings.ReplaceAll(a.Body, a.data("otp_session_id"), ""))
			}
			known := w.post(t, path, object{"email": "admin@example.com"})
			for _, email := range []string{"nobody@example.com", "gone@example.com", "nobody"} {
				if got := w.post(t, path, object{"email": email}); strip(got) != strip(known) {
					t.Errorf("%s: %s is answered %s, not %s", path, email, got.Body, known.Body)
				}
			}
			if l := w.inbox.Next(t); l.To != "admin@example.com" {
				t.Errorf("a mail went to %s", l.To)
			}
		}
		session := w.post(t, "users/passwordless-auth", object{"email": "nobody2@example.com"}).want(200).data("otp_session_id")
		known := w.post(t, "users/passwordless-auth", object{"email": "admin@example.com"}).want(200).data("otp_session_id")
		w.inbox.Next(t)
		a, b := w.post(t, "users/verify-otp", object{"otp_session_id": session, "code": "AAAAAA"}), w.post(t, "users/verify-otp", object{"otp_session_id": known, "code": "AAAAA1"})
		if a.Status != 401 || a.Body != b.Body {
			t.Errorf("%s\n%s", a.Body, b.Body)
		}
		if w.inbox.Waiting() != 0 {
			t.Error("somebody else got mail")
		}
	})
}

func TestAskingIsLimited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, email := range []string{"admin@example.com", "nobody@example.com"} {
			for range 5 {
				w.post(t, "users/forgot-password", object{"email": email}).want(200)
			}
			if a := w.post(t, "users/passwordless-auth", object{"email": strings.ToUpper(email)}).want(429); a.Header.Get("Retry-After") == "" {
				t.Error("it is not told when to try again")
			}
		}
		for range 60 {
			w.post(t, "users/validate-magic-link", object{"token": "wrong"}).want(401)
		}
		w.post(t, "users/validate-magic-link", object{"token": "wrong"}).want(429)
	})
}

func TestBadTokensLetNobodyIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.post(t, "users/forgot-password", object{"email": "admin@example.com"}).want(200)
		reset := token(t, w.inbox.Next(t), "reset")
		for path, field := range map[string]string{"users/validate-magic-link": "token", "users/verify-email": "token", "login/passwordless/exchange-tokens": "token", "users/accept-invitation": "token",
			"users/reset-password": "token", "users/verify-otp": "code", "login/azure/exchange-token": "id_token"} {
			for _, bad := range []any{nil, "", 7, []string{"x"}, object{"x": 1}, strings.Repeat("x", 30_000), "\x00"} {
				a := w.post(t, path, object{field: bad, "password": password, "otp_session_id": "x"})
				if a.Status != 400 && a.Status != 422 && a.Status != 401 {
					t.Errorf("%s with %.20v: %d %s", path, bad, a.Status, a.Body)
				}
			}
			w.post(t, path, object{}).want(400)
			// A token is good for its own purpose only.
			if a := w.post(t, path, object{field: reset, "password": "weak", "otp_session_id": "x"}); a.Status == 200 {
				t.Errorf("%s took a token for a new password: %s", path, a.Body)
			}
		}
		for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/a\r\nb", "agents", "/\t/evil.example"} {
			w.post(t, "users/passwordless-auth", object{"email": "x@example.com", "next": next}).want(400)
		}
	})
}

func TestResettingAPasswordEndsEverything(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.post(t, "login/passwordless/request-token", object{"email": "admin@example.com"}).want(200)
		other := w.inbox.Next(t)
		w.post(t, "users/passwordless-auth", object{"email": "admin@example.com"}).want(200)
		old := w.post(t, "users/validate-magic-link", object{"token": token(t, w.inbox.Next(t), "link")}).want(200).data("ejento_access_token")
		w.me(t, old).want(200)
		w.post(t, "users/forgot-password", object{"email": "admin@example.com"}).want(200)
		first := token(t, w.inbox.Next(t), "reset")
		w.post(t, "users/forgot-password", object{"email": "admin@example.com"}).want(200)
		second := token(t, w.inbox.Next(t), "reset")
		next := "Another-Horse-10"
		w.post(t, "users/reset-password", object{"token": first, "password": next}).want(401) // only the last counts
		w.post(t, "users/reset-password", object{"token": second, "password": "password"}).want(400)
		w.post(t, "users/reset-password", object{"token": second, "password": next}).want(200)
		w.post(t, "users/reset-password", object{"token": second, "password": next}).want(401)
		w.me(t, old).want(401)
		if strings.Contains(other.Text, "token") {
			w.exec(`UPDATE one_time_token SET expires_on = ? WHERE used_on IS NULL`, time.Now().Add(time.Hour))
			if n := w.count(`SELECT COUNT(*) FROM one_time_token WHERE used_on IS NULL`); n != 0 {
				t.Errorf("%d tokens outlive the reset", n)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM audit_event WHERE action = 'resetPassword'`); n != 1 {
			t.Errorf("the audit log has %d resets", n)
		}
	})
}

func (w *world) adminToken(t *testing.T) string {
	t.Helper()
	w.post(t, "users/passwordless-auth", object{"email": "admin@example.com"}).want(200)
	return w.post(t, "users/validate-magic-link", object{"token": token(t, w.inbox.Next(t), "link")}).want(200).data("ejento_access_token")
}

func TestAnInvitationOutlivesAMailServerThatIsDown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bearer := []string{"Authorization", "Bearer " + w.adminToken(t)}
		for w.count(`SELECT COUNT(*) FROM job WHERE kind = 'mail' AND state <> 'done'`) > 0 {
			time.Sleep(time.Millisecond)
		}
		w.inbox.Stop()
		w.send(t, "POST", fmt.Sprintf("/api/v2/organizations/%d/users", w.org), object{"email": "new@example.com", "first_name": "New"}, bearer...).want(201)
		deadline := time.Now().Add(time.Minute)
		for w.count(`SELECT COUNT(*) FROM job WHERE kind = 'mail' AND attempt >= 2 AND state <> 'done'`) == 0 {
			if time.Now().After(deadline) {
				t.Fatal("the mail is not tried again")
			}
			time.Sleep(5 * time.Millisecond)
		}
		w.inbox.Start(t)
		l := w.inbox.Next(t)
		if l.To != "new@example.com" || !strings.Contains(l.Text, "admin@example.com invites you to Example") {
			t.Errorf("to %s:\n%s", l.To, l.Text)
		}
		first := token(t, l, "invitation")
		if n := w.count(`SELECT COUNT(*) FROM one_time_token WHERE purpose = 'invite' AND used_on IS NULL`); n != 1 {
			t.Errorf("%d invitations are good, of tries that failed too", n)
		}
		id := w.count(`SELECT id FROM users WHERE email = 'new@example.com'`)
		w.send(t, "POST", fmt.Sprintf("/api/v2/users/%d/invitation", id), nil, bearer...).want(200)
		second := token(t, w.inbox.Next(t), "invitation")
		w.post(t, "users/accept-invitation", object{"token": first, "password": password}).want(401)
		w.post(t, "users/accept-invitation", object{"token": second, "password": "short"}).want(400)
		in := w.post(t, "users/accept-invitation", object{"token": second, "password": password}).want(200)
		w.me(t, in.data("ejento_access_token")).want(200)
		w.post(t, "users/accept-invitation", object{"token": second, "password": password}).want(401)
		w.send(t, "POST", fmt.Sprintf("/api/v2/users/%d/invitation", id), nil, bearer...).want(409)
		w.send(t, "POST", "/api/v2/users/99999999/invitation", nil, bearer...).want(404)
		w.send(t, "POST", fmt.Sprintf("/api/v2/users/%d/invitation", w.admin), nil, "Authorization", "Bearer "+in.data("ejento_access_token")).want(403)
		w.send(t, "POST", fmt.Sprintf("/api/v2/users/%d/invitation", id), nil).want(401)
	})
}

func TestARegistrationIsConfirmedByItsLink(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		register := func(with string) {
			w.post(t, "users/register", object{"email": "ann@example.com", "password": with, "first_name": "Ann"}).want(202)
		}
		register("Mallory-Guess-1")
		first := token(t, w.inbox.Next(t), "verify")
		register(password)
		second := token(t, w.inbox.Next(t), "verify")
		w.post(t, "users/verify-email", object{"token": first}).want(401)
		in := w.post(t, "users/verify-email", object{"token": second}).want(200)
		w.me(t, in.data("ejento_access_token")).want(200)
		w.post(t, "users/verify-email", object{"token": second}).want(401)
	})
}

func TestWithoutAMailServerNothingIsPromised(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, path := range []string{"users/passwordless-auth", "users/forgot-password", "login/passwordless/request-token"} {
			w.post(t, path, object{"email": "admin@example.com"}).want(403)
		}
		a := w.send(t, "GET", "/auth-service/api/v2/feature-flags/logins", nil).want(200)
		for _, off := range []string{"otp", "okta_sso", "forgot_password", "registration"} {
			if !strings.Contains(a.Body, `{"name":"`+off+`","is_active":false}`) {
				t.Errorf("%s is on: %s", off, a.Body)
			}
		}
		if !strings.Contains(a.Body, `{"name":"google_sso","is_active":true}`) {
			t.Errorf("google is off: %s", a.Body)
		}
	}, func(o *signin.Options) { o.Mail = nil })
}

// A person of another organization is not to be seen, so not to be invited.
func TestAForeignUserIsNotInvited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mine := w.org
		token := w.adminToken(t)
		w.exec(`INSERT INTO organization (name, domain, created_on) VALUES ('Other', 'other.example', ?)`, time.Now())
		w.org = w.count(`SELECT MAX(id) FROM organization`)
		foreign := w.person("ann@other.example", authz.Member)
		w.org = mine
		a := w.send(t, "POST", fmt.Sprintf("/api/v2/users/%d/invitation", foreign), nil, "Authorization", "Bearer "+token).want(404)
		b := w.send(t, "POST", "/api/v2/users/99999999/invitation", nil, "Authorization", "Bearer "+token).want(404)
		if strings.ReplaceAll(a.Body, fmt.Sprint(foreign), "N") != strings.ReplaceAll(b.Body, "99999999", "N") {
			t.Errorf("%s\n%s", a.Body, b.Body)
		}
		if w.inbox.Waiting() != 0 {
			t.Error("a mail went out")
		}
	})
}
