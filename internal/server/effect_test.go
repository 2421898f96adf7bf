package server_test

import (
	"bufio"
	"fmt"
	"net/http"
	"testing"
	"time"

	"atrium/internal/server/servertest"
)

// What is taken away is gone at the next request; two seconds are the generous
// bound of the test, the time that it took is in the log.
func TestWhatIsRevokedEndsAtOnce(t *testing.T) {
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		w := newFacts(t, h.Server.DB())
		org, _ := w.addOrg("effects")
		gina := w.addPerson(org, "gina@effects.example", "Global Admin")
		w.addPerson(org, "gwen@effects.example", "Global Admin")
		app := w.key(gina)
		as := func(p *human) *servertest.Client {
			return h.Anonymous(t).With("Authorization", "Bearer "+w.token(p, "")).With("Ocp-Apim-Subscription-Key", app)
		}
		admin := as(gina)
		n := 0
		somebody := func(role string) *human {
			n++
			return w.addPerson(org, fmt.Sprintf("p%d@effects.example", n), role)
		}
		ends := func(what string, c *servertest.Client, path string, before, after int, act func()) {
			t.Helper()
			c.Do("GET", path, nil).Want(t, before)
			act()
			start := time.Now()
			for {
				a := c.Do("GET", path, nil)
				if a.Status == after {
					t.Logf("%s: after %v", what, time.Since(start).Round(time.Microsecond))
					return
				}
				if time.Since(start) > time.Minute {
					t.Errorf("%s: still %d after a minute: %s", what, a.Status, a.Body)
					return
				}
			}
		}
		const me = "/api/v2/users/me"

		p := somebody("User")
		made := as(p).Do("POST", "/api/v2/api-keys", map[string]any{"name": "mine"}).Want(t, 201)
		key := h.Anonymous(t).With("Authorization", "Bearer "+made.String("data.key"))
		ends("a key revoked", key, me, 200, 401, func() {
			as(p).Do("DELETE", fmt.Sprintf("/api/v2/api-keys/%d", made.ID("data.id")), nil).Want(t, 200)
		})
		c := as(p)
		ends("a session ended by another", c, me, 200, 401, func() { as(p).Do("DELETE", "/api/v2/users/me/sessions", nil).Want(t, 200) })
		c = as(p)
		ends("signed out", c, me, 200, 401, func() { c.Do("POST", "/auth-service/api/v2/logout", nil).Want(t, 200) })
		c = as(p)
		key = h.Anonymous(t).With("Authorization", "Bearer "+w.key(p))
		ends("a person deactivated, their session", c, me, 200, 401, func() {
			key.Do("GET", me, nil).Want(t, 200)
			admin.Do("PUT", fmt.Sprintf("/api/v2/users/%d", p.id), map[string]any{"is_active": false}).Want(t, 200)
		})
		key.Do("GET", me, nil).Want(t, 401)

		q := somebody("Global Admin")
		ends("a role taken", as(q), "/api/v2/audit-events", 200, 403, func() {
			admin.Do("PUT", fmt.Sprintf("/api/v2/users/%d", q.id), map[string]any{"role": "User"}).Want(t, 200)
		})

		r, owner := somebody("User"), somebody("User")
		team, project := w.addTeam(org, "T"), w.addProject(org, "P")
		w.teamOf(project, team, true)
		w.member("team", team, r.id, "Member")
		agent := w.addAgent(owner, project, "Team", "shared")
		path := fmt.Sprintf("/api/v2/agents/%d", agent)
		ends("a membership ended", as(r), path, 200, 404, func() {
			admin.Do("DELETE", fmt.Sprintf("/api/v2/teams/%d/users/%d", team, r.id), nil).Want(t, 200)
		})
		w.member("agent", agent, r.id, "Member")
		ends("taken off an agent", as(r), path, 200, 404, func() {
			admin.Do("DELETE", fmt.Sprintf("/api/v2/agents/%d/users/%d", agent, r.id), nil).Want(t, 200)
		})
		ends("an agent opened", as(q), path, 404, 200, func() {
			admin.Do("PUT", path+"/access", map[string]any{"access": "Everyone"}).Want(t, 200)
		})

		s := somebody("User")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/api/v2/notifications/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = as(s).Header
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the stream answers %d", res.StatusCode)
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			for in := bufio.NewScanner(res.Body); in.Scan(); {
				continue
			}
		}()
		admin.Do("PUT", fmt.Sprintf("/api/v2/users/%d", s.id), map[string]any{"is_active": false}).Want(t, 200)
		start := time.Now()
		select {
		case <-over:
			t.Logf("an open stream ended: after %v", time.Since(start).Round(time.Millisecond))
		case <-time.After(time.Minute):
			t.Error("a stream of somebody suspended is open after a minute")
		}
	})
}
