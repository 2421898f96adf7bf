package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

// colleague makes somebody of the admin's organization, and signs them in.
func colleague(t *testing.T, h *servertest.Harness, admin *servertest.Client, email, role string) (*servertest.Client, int64) {
	t.Helper()
	org := admin.Do("GET", "/api/v2/users/me", nil).Want(t, 200).ID("data.organization.id")
	made := admin.Do("POST", fmt.Sprintf("/api/v2/organizations/%d/users", org), map[string]any{
		"email": email, "first_name": "Some", "last_name": "Body", "role": role, "password": servertest.AdminPassword, "send_invitation": false,
	}).Want(t, 201)
	in := signIn(h.Anonymous(t), email, servertest.AdminPassword).Want(t, 200)
	c := h.Anonymous(t).With("Authorization", "Bearer "+in.String("data.ejento_access_token")).With("Ocp-Apim-Subscription-Key", servertest.APIKey)
	return c, made.ID("data.id")
}

func TestPeopleAreMadeChangedAndDeleted(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin, other := h.Admin(t), h.Neighbour(t)
		me := admin.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		org, mine := me.ID("data.organization.id"), me.ID("data.id")
		theirs := other.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		app, appID := colleague(t, h, admin, "app@example.com", "Application Admin")
		bob, bobID := colleague(t, h, admin, "bob@example.com", "User")

		got := bob.Do("GET", fmt.Sprintf("/api/v2/users/%d", appID), nil).Want(t, 200)
		if got.String("data.role") != "Application Admin" || got.At("data.is_active") != true || got.String("data.last_sign_in_on") == "" || got.At("data.invited_on") != nil || got.String("data.created_by") != servertest.AdminEmail {
			t.Errorf("a user: %s", got.Body)
		}
		if l := bob.Do("GET", fmt.Sprintf("/api/v2/organizations/%d/users?role=User&is_active=true&search=bob", org), nil).Want(t, 200); l.ID("data.pagination.total") != 1 {
			t.Errorf("filtered: %s", l.Body)
		}
		bob.Do("GET", fmt.Sprintf("/api/v2/organizations/%d/users", theirs.ID("data.organization.id")), nil).Want(t, 404)
		admin.Do("POST", fmt.Sprintf("/api/v2/organizations/%d/users", theirs.ID("data.organization.id")), map[string]any{"email": "spy@example.com"}).Want(t, 404)
		bob.Do("POST", fmt.Sprintf("/api/v2/organizations/%d/users", org), map[string]any{"email": "x@example.com"}).Want(t, 403)
		app.Do("POST", fmt.Sprintf("/api/v2/organizations/%d/users", org), map[string]any{"email": "x@example.com", "role": "Global Admin"}).Want(t, 403)
		admin.Do("POST", fmt.Sprintf("/api/v2/organizations/%d/users", org), map[string]any{"email": "weak@example.com", "password": "Password123"}).Want(t, 400)

		admin.Do("GET", "/api/v2/users/by-email?user_email=BOB@example.com", nil).Want(t, 200)
		a, b := bob.Do("GET", "/api/v2/users/by-email?user_email=app@example.com", nil).Want(t, 404), bob.Do("GET", "/api/v2/users/by-email?user_email=no@example.com", nil).Want(t, 404)
		if string(a.Body) != string(b.Body) {
			t.Errorf("the answers differ:\n%s\n%s", a.Body, b.Body)
		}
		bob.Do("GET", "/api/v2/users/by-email", nil).Want(t, 400)

		put := func(c *servertest.Client, id int64, body map[string]any, status int) servertest.Answer {
			t.Helper()
			return c.Do("PUT", fmt.Sprintf("/api/v2/users/%d", id), body).Want(t, status)
		}
		if v := put(bob, bobID, map[string]any{"first_name": " Robert ", "id": 1, "org_id": 9, "is_deleted": true, "email": "root@example.com", "created_by": "x"}, 200); v.String("data.full_name") != "Robert Body" || v.String("data.email") != "bob@example.com" || v.ID("data.id") != bobID {
			t.Errorf("one's own name: %s", v.Body)
		}
		put(bob, bobID, map[string]any{"role": "Global Admin"}, 403)
		put(bob, bobID, map[string]any{"is_active": false}, 403)
		put(bob, appID, map[string]any{"first_name": "x"}, 403)
		put(app, mine, map[string]any{"first_name": "x"}, 403)
		put(admin, mine, map[string]any{"role": "User"}, 409)
		put(admin, theirs.ID("data.id"), map[string]any{"first_name": "x"}, 404)
		put(app, bobID, map[string]any{"is_active": false}, 200)
		bob.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		signIn(h.Anonymous(t), "bob@example.com", servertest.AdminPassword).Want(t, 401)
		put(app, bobID, map[string]any{"is_active": true}, 200)
		bob.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		again := signIn(h.Anonymous(t), "bob@example.com", servertest.AdminPassword).Want(t, 200)
		bob = bob.With("Authorization", "Bearer "+again.String("data.ejento_access_token"))

		bob.Do("DELETE", fmt.Sprintf("/api/v2/users/%d", appID), nil).Want(t, 403)
		app.Do("DELETE", fmt.Sprintf("/api/v2/users/%d", mine), nil).Want(t, 403)
		admin.Do("DELETE", fmt.Sprintf("/api/v2/users/%d", mine), nil).Want(t, 409)
		many := admin.Do("DELETE", "/api/v2/users", map[string]any{"user_ids": []int64{bobID, mine, theirs.ID("data.id")}}).Want(t, 200)
		if many.At("data.results.0.success") != true || many.At("data.results.1.success") != false || many.At("data.results.2.success") != false {
			t.Errorf("many: %s", many.Body)
		}
		admin.Do("GET", fmt.Sprintf("/api/v2/users/%d", bobID), nil).Want(t, 404)
		other.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
	})
}

func TestAPermissionCountsAtOnce(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin := h.Admin(t)
		bob, id := colleague(t, h, admin, "bob@example.com", "User")
		agent := admin.Do("POST", "/api/v2/agents", map[string]any{"name": "Ours"}).Want(t, 201).ID("data.id")
		path := fmt.Sprintf("/api/v2/users/%d/permissions", id)
		bob.Do("GET", fmt.Sprintf("/api/v2/agents/%d", agent), nil).Want(t, 404)
		bob.Do("POST", path, map[string]any{"permission": "agent:edit"}).Want(t, 403)
		right := admin.Do("POST", path, map[string]any{"permission": "agent:edit"}).Want(t, 201)
		bob.Do("PUT", fmt.Sprintf("/api/v2/agents/%d", agent), map[string]any{"description": "x"}).Want(t, 200)
		admin.Do("POST", path, map[string]any{"permission": "agent:edit"}).Want(t, 409)
		if l := bob.Do("GET", path+"?sort=permission", nil).Want(t, 200); l.Len("data.permissions") != 2 || l.String("data.permissions.0.organization.org_name") == "" {
			t.Errorf("permissions: %s", l.Body)
		}
		admin.Do("PUT", fmt.Sprintf("%s/%d", path, right.ID("data.id")), map[string]any{"permission": "agent:view"}).Want(t, 200)
		bob.Do("PUT", fmt.Sprintf("/api/v2/agents/%d", agent), map[string]any{"description": "x"}).Want(t, 403)
		admin.Do("DELETE", fmt.Sprintf("%s/%d", path, right.ID("data.id")), nil).Want(t, 200)
		bob.Do("GET", fmt.Sprintf("/api/v2/agents/%d", agent), nil).Want(t, 404)
		role := admin.Do("POST", path, map[string]any{"permission": "Global Admin"}).Want(t, 201)
		bob.Do("GET", fmt.Sprintf("/api/v2/agents/%d", agent), nil).Want(t, 200)
		admin.Do("DELETE", fmt.Sprintf("%s/%d", path, role.ID("data.id")), nil).Want(t, 200)
		bob.Do("GET", fmt.Sprintf("/api/v2/agents/%d", agent), nil).Want(t, 404)
	})
}

func TestSessionsAndThePasswordAreOnesOwn(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		admin, anon := h.Admin(t), h.Anonymous(t)
		bob, _ := colleague(t, h, admin, "bob@example.com", "User")
		in := signIn(anon.With("User-Agent", "Phone "+strings.Repeat("x", 300)), "bob@example.com", servertest.AdminPassword).Want(t, 200)
		phone := anon.With("Authorization", "Bearer "+in.String("data.ejento_access_token")).With("Ocp-Apim-Subscription-Key", servertest.APIKey)
		l := bob.Do("GET", "/api/v2/users/me/sessions", nil).Want(t, 200)
		if l.Len("data.sessions") != 2 || l.At("data.sessions.1.is_current") != true || l.At("data.sessions.0.is_current") != false || len(l.String("data.sessions.0.agent")) != 200 || l.String("data.sessions.0.address") == "" {
			t.Fatalf("sessions: %s", l.Body)
		}
		admin.Do("DELETE", fmt.Sprintf("/api/v2/users/me/sessions/%d", l.ID("data.sessions.0.id")), nil).Want(t, 404)
		bob.Do("DELETE", fmt.Sprintf("/api/v2/users/me/sessions/%d", l.ID("data.sessions.0.id")), nil).Want(t, 200)
		phone.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		in = signIn(anon, "bob@example.com", servertest.AdminPassword).Want(t, 200)
		const path = "/auth-service/api/v2/users/me/password"
		own := anon.With("Authorization", "Bearer "+in.String("data.ejento_access_token"))
		account := anon.With("Authorization", "Bearer "+in.String("data.access_token")) // which is for the authentication service, and for nothing else
		account.Do("PATCH", path, map[string]any{"current_password": "Wrong-Horse-9", "new_password": "Another-Horse-9"}).Want(t, 403)
		account.With("Ocp-Apim-Subscription-Key", servertest.APIKey).Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		account.With("Authorization", "Bearer "+in.String("data.access_token")+"x").Do("PATCH", path, map[string]any{}).Want(t, 401)
		own.Do("PATCH", path, map[string]any{"current_password": "Wrong-Horse-9", "new_password": "Another-Horse-9"}).Want(t, 403)
		own.Do("PATCH", path, map[string]any{"current_password": servertest.AdminPassword, "new_password": "password"}).Want(t, 400)
		own.Do("PATCH", path, map[string]any{"current_password": servertest.AdminPassword, "new_password": "Another-Horse-9"}).Want(t, 200)
		bob.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		bob = own.With("Ocp-Apim-Subscription-Key", servertest.APIKey)
		signIn(anon, "bob@example.com", "Another-Horse-9").Want(t, 200)
		bob.Do("DELETE", "/api/v2/users/me/sessions", nil).Want(t, 200)
		if l := bob.Do("GET", "/api/v2/users/me/sessions", nil).Want(t, 200); l.Len("data.sessions") != 1 {
			t.Errorf("after ending the others: %s", l.Body)
		}
		bob.Do("DELETE", "/api/v2/users/me/sessions?all=true", nil).Want(t, 200)
		bob.Do("GET", "/api/v2/users/me", nil).Want(t, 401)
		anon.Do("POST", "/auth-service/api/v2/users/register", map[string]any{"email": "x@example.com", "password": "Another-Horse-9"}).Want(t, 403)
	})
}

func TestAFloodOfSignInsLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite)
	admin, anon := h.Admin(t), h.Anonymous(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan map[int]int)
	go func() {
		seen := map[int]int{}
		answers := make(chan int)
		for range 200 {
			go func() {
				a := signIn(anon, servertest.AdminEmail, "Wrong-Horse-9")
				if a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
					a.Status = 0
				}
				answers <- a.Status
			}()
		}
		for range 200 {
			seen[<-answers]++
		}
		stop()
		done <- seen
	}()
	for ctx.Err() == nil {
		admin.Do("GET", "/api/v2/users/me", nil).Want(t, 200)
	}
	if seen := <-done; seen[401] != 10 || seen[429] != 190 {
		t.Errorf("statuses of the flood: %v", seen)
	}
}
