package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

func signIn(c *servertest.Client, email, password string) servertest.Answer {
	return c.Form("POST", "/auth-service/api/v2/login/access-token", url.Values{"username": {email}, "password": {password}})
}

func TestSigningInTellsNobodyWhichAddressesExist(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		anon := h.Anonymous(t)
		wrong := signIn(anon, servertest.AdminEmail, "Wrong-Horse-9").Want(t, 401)
		unknown := signIn(anon, "nobody@example.com", "Wrong-Horse-9").Want(t, 401)
		if string(wrong.Body) != string(unknown.Body) || wrong.String("detail") == "" {
			t.Errorf("the answers differ:\n%s\n%s", wrong.Body, unknown.Body)
		}
		for range 9 {
			signIn(anon, servertest.AdminEmail, "Wrong-Horse-9").Want(t, 401)
		}
		if a := signIn(anon, servertest.AdminEmail, servertest.AdminPassword).Want(t, 429); a.Header.Get("Retry-After") == "" {
			t.Error("a limited sign-in does not say when to try again")
		}
	})
}

func TestBadSignInBodiesAreRefusedInWords(t *testing.T) {
	t.Parallel()
	anon := servertest.Start(t, db.SQLite).Anonymous(t)
	const path = "/auth-service/api/v2/login/access-token"
	anon.Form("POST", path, url.Values{"username": {"a@b.example"}}).Want(t, 400)
	anon.Form("POST", path, nil).Want(t, 400)
	anon.Do("POST", path, map[string]any{"username": nil, "password": []int{1}}).Want(t, 400)
	for _, bearer := range []string{"", "Bearer ", "Bearer null", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."} {
		anon.With("Authorization", bearer).Do("POST", "/auth-service/api/v2/users/refresh-access-token", nil).Want(t, 401)
	}
	for _, body := range []string{`{"email": "", "full_name": "x"}`, `{"email": "no address", "full_name": "x"}`, `{}`} {
		anon.With("ejento-auth-key", servertest.AppSecret).Do("POST", "/user-token", body).Want(t, 400)
	}
	anon.Do("POST", "/user-token", map[string]any{"email": "x@example.com"}).Want(t, 401)
}

func TestExactlyOneOfManyRefreshesWins(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		anon := h.Anonymous(t)
		in := signIn(anon, servertest.AdminEmail, servertest.AdminPassword).Want(t, 200)
		old := anon.With("Authorization", "Bearer "+in.String("data.access_token"))
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			wins int
		)
		for range 8 {
			wg.Go(func() {
				a := old.Do("POST", "/auth-service/api/v2/users/refresh-access-token", nil)
				mu.Lock()
				defer mu.Unlock()
				if a.Status == http.StatusOK {
					wins++
				} else if a.Status != http.StatusUnauthorized {
					t.Errorf("status %d: %s", a.Status, a.Body)
				}
			})
		}
		wg.Wait()
		if wins != 1 {
			t.Errorf("%d refreshes won", wins)
		}
	})
}

func TestAReplacedTokenUsedAgainEndsTheSession(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		anon := h.Anonymous(t)
		in := signIn(anon, servertest.AdminEmail, servertest.AdminPassword).Want(t, 200)
		old := anon.With("Authorization", "Bearer "+in.String("data.access_token"))
		fresh := old.Do("POST", "/auth-service/api/v2/users/refresh-access-token", nil).Want(t, 200)
		c := anon.With("Authorization", "Bearer "+fresh.String("data.ejento_access_token")).With("Ocp-Apim-Subscription-Key", servertest.APIKey)
		c.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		old.Do("POST", "/auth-service/api/v2/users/refresh-access-token", nil).Want(t, 401)
		c.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
	})
}

func TestTheConsoleSignsInByCookieAndOnlyFromItsOwnSite(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		anon := h.Anonymous(t)
		in := signIn(anon.With("X-Atrium-Console", "1"), servertest.AdminEmail, servertest.AdminPassword).Want(t, 200)
		res := http.Response{Header: in.Header}
		cookies := res.Cookies()
		if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
			t.Fatalf("cookies: %v", cookies)
		}
		if len((&http.Response{Header: signIn(anon, servertest.AdminEmail, servertest.AdminPassword).Header}).Cookies()) != 0 {
			t.Error("a program that did not ask for a cookie got one")
		}
		c := anon.With("Cookie", cookies[0].Name+"="+cookies[0].Value)
		c.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		c.With("Sec-Fetch-Site", "same-origin").Do("POST", "/api/v2/api-keys", map[string]any{"name": "mine"}).Want(t, 201)
		c.With("Sec-Fetch-Site", "cross-site").Do("POST", "/api/v2/api-keys", map[string]any{"name": "theirs"}).Want(t, 403)
		c.With("Origin", "https://evil.example").Do("POST", "/api/v2/api-keys", map[string]any{"name": "theirs"}).Want(t, 403)
		c.Do("POST", "/auth-service/api/v2/logout", nil).Want(t, 200)
		c.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
	})
}

func TestAKeyDoesWhatItsScopesSayAndNothingAfterItsEnd(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin, anon := h.Admin(t), h.Anonymous(t)
		made := admin.Do("POST", "/api/v2/api-keys", map[string]any{"name": "reader", "scopes": []string{"agent:view", "api_key:*"}}).Want(t, 201)
		c := anon.With("Authorization", "Bearer "+made.String("data.key"))
		c.Do("GET", "/api/v2/agents", nil).Want(t, 200)
		c.Do("POST", "/api/v2/agents", map[string]any{"name": "x"}).Want(t, 403)
		c.Do("POST", "/api/v2/api-keys", map[string]any{"name": "more", "scopes": []string{"*"}}).Want(t, 403)
		c.Do("POST", "/api/v2/api-keys", map[string]any{"name": "all"}).Want(t, 403)
		admin.Do("POST", "/api/v2/api-keys", map[string]any{"name": "bad", "scopes": []string{"everything"}}).Want(t, 400)
		admin.Do("POST", "/api/v2/api-keys", map[string]any{"name": "past", "expires_on": "2001-01-01T00:00:00Z"}).Want(t, 409)
		list := admin.Do("GET", "/api/v2/api-keys?search=reader", nil).Want(t, 200)
		if list.Len("data.api_keys") != 1 || list.At("data.api_keys.0.key") != nil || list.ID("data.pagination.total") != 1 {
			t.Errorf("keys: %s", list.Body)
		}
		person := h.Person(t, "bob@example.com")
		unknown := person.Do("DELETE", "/api/v2/api-keys/987654", nil).Want(t, 404)
		foreign := person.Do("DELETE", fmt.Sprintf("/api/v2/api-keys/%d", made.ID("data.id")), nil).Want(t, 404)
		if a, b := unknown.String("error.code"), foreign.String("error.code"); a != b {
			t.Errorf("unknown %s, foreign %s", a, b)
		}
		admin.Do("DELETE", fmt.Sprintf("/api/v2/api-keys/%d", made.ID("data.id")), nil).Want(t, 200)
		c.Do("GET", "/api/v2/agents", nil).Want(t, 401)
	})
}

func TestTheFirstAdminChoosesAPasswordOnce(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite)
	token, err := h.Server.AddOrganization(t.Context(), "Second", "second@example.com")
	if err != nil {
		t.Fatal(err)
	}
	anon := h.Anonymous(t)
	const path = "/auth-service/api/v2/setup"
	for _, weak := range []string{"short", "alllowercase", "Password123"} {
		anon.Do("POST", path, map[string]any{"token": token, "password": weak}).Want(t, 400)
	}
	anon.Do("POST", path, map[string]any{"token": "atr1_guess", "password": "Correct-Horse-9"}).Want(t, 401)
	anon.Do("POST", path, map[string]any{"token": token, "password": "Correct-Horse-9"}).Want(t, 200)
	anon.Do("POST", path, map[string]any{"token": token, "password": "Another-Horse-9"}).Want(t, 401)
	signIn(anon, "second@example.com", "Correct-Horse-9").Want(t, 200)
}
