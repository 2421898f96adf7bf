package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/notify"
	"atrium/internal/org/orgtest"
	"atrium/internal/sse"
)

const path = "/api/v2/notifications"

func each(t *testing.T, run func(*testing.T, *orgtest.House)) {
	t.Helper()
	orgtest.Each(t, func(_ *testing.T, h *orgtest.House) { notify.New(h.DB).Mount(h.API) }, run)
}

func note(more ...any) map[string]any {
	m := map[string]any{"title": "Hello", "message": "There is news."}
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

func one(id int64) string { return fmt.Sprintf("%s/%d", path, id) }

func TestWhoMayWriteToWhom(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		team := h.Team(h.Org, "Blue", map[string]string{"ann": "Admin", "bob": "Member"})
		foreign := h.Team(h.Rival, "Red", map[string]string{"ed": "Owner"})
		send := func(who string, want int, more ...any) orgtest.Answer {
			t.Helper()
			return h.Do(who, "POST", path, note(more...)).Want(want)
		}
		send("root", 201).Want(201, "data.recipient.kind", "organization", "data.recipient.id", h.Org, "data.level", "info", "data.created_by", "root@example.com", "data.is_read", false)
		send("hand", 201, "user_id", h.ID("ann")).Want(201, "data.recipient.kind", "user", "data.recipient.id", h.ID("ann"))
		send("hand", 201, "team_id", team).Want(201, "data.recipient.kind", "team", "data.recipient.id", team)
		send("ann", 201, "team_id", team)
		send("ann", 201, "user_id", h.ID("ann"))
		send("ann", 403, "user_id", h.ID("bob"))
		send("ann", 403)
		send("bob", 403, "team_id", team)
		send("cleo", 404, "team_id", team)
		send("root", 404, "team_id", foreign)
		send("root", 404, "user_id", h.ID("ed"))
		send("ann", 404, "user_id", h.ID("ed"))
		send("root", 404, "user_id", 999999)
		send("root", 400, "user_id", h.ID("ann"), "team_id", team)
		send("root", 400, "title", " ")
		send("root", 400, "level", "loud")
		p := *h.People["cleo"]
		p.Rules = []authz.Rule{{Resource: authz.Notification, Action: authz.Create, Breadth: authz.WholeOrganization, From: "the right notification:create"}}
		h.People["cleo"] = &p
		send("cleo", 201)
		send("cleo", 201, "team_id", team)
	})
}

func TestALinkLeadsToThisServerOrToHTTPS(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		for _, link := range []string{"", "/agents/7?tab=access#members", "https://example.com/a?b=c"} {
			h.Do("root", "POST", path, note("link", link)).Want(201, "data.link", link)
		}
		for _, link := range []string{"//example.com", "/\\example.com", "http://example.com", "javascript:alert(1)", "https:", "https://", "agents/7", "https://a:b@example.com", "/a\tb", " /a", "https://exa\nmple.com"} {
			h.Do("root", "POST", path, note("link", link)).Want(400)
		}
	})
}

func TestOneSeesWhatIsForOneAndKeepsOnesOwnReadState(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		team := h.Team(h.Org, "Blue", map[string]string{"ann": "Admin", "bob": "Member"})
		all := h.Do("root", "POST", path, note("title", "all")).Want(201).ID("data.id")
		ours := h.Do("root", "POST", path, note("title", "team", "team_id", team)).Want(201).ID("data.id")
		anns := h.Do("root", "POST", path, note("title", "ann", "user_id", h.ID("ann"))).Want(201).ID("data.id")
		theirs := h.Do("eve", "POST", path, note()).Want(201).ID("data.id")
		h.Do("ann", "GET", path, nil).Want(200, "data.pagination.total", 3, "data.notifications.0.id", anns, "data.notifications.1.id", ours, "data.notifications.2.id", all)
		h.Do("bob", "GET", path, nil).Want(200, "data.pagination.total", 2, "data.notifications.0.title", "team")
		h.Do("root", "GET", path, nil).Want(200, "data.pagination.total", 1, "data.notifications.0.title", "all")
		h.Do("ed", "GET", path, nil).Want(200, "data.pagination.total", 1, "data.notifications.0.id", theirs)
		h.Do("ann", "GET", path+"?search=TEA&sort=created_on", nil).Want(200, "data.pagination.total", 1)
		for _, id := range []int64{anns, theirs, 999999} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				var body any
				if method == "PUT" {
					body = map[string]any{"is_read": true}
				}
				a := h.Do("bob", method, one(id), body).Want(404)
				if want := fmt.Sprintf("notification %d is unknown or not visible to you; check the id", id); a.At("message") != want {
					t.Errorf("%s", a.Body)
				}
			}
		}
		h.Do("ann", "GET", path+"/unread-count", nil).Want(200, "data.unread", 3)
		h.Do("ann", "PUT", one(all), map[string]any{"is_read": true}).Want(200, "data.is_read", true)
		h.Do("ann", "PUT", one(all), map[string]any{"is_read": true}).Want(200, "data.is_read", true)
		h.Do("ann", "PUT", one(all), map[string]any{}).Want(200, "data.is_read", true)
		h.Do("ann", "GET", path+"?is_read=true", nil).Want(200, "data.pagination.total", 1, "data.notifications.0.id", all, "data.notifications.0.is_read", true)
		h.Do("ann", "GET", path+"?is_read=false", nil).Want(200, "data.pagination.total", 2)
		h.Do("bob", "GET", one(all), nil).Want(200, "data.is_read", false)
		h.Do("ann", "PUT", one(all), map[string]any{"is_read": false}).Want(200, "data.is_read", false)
		h.Do("ann", "GET", path+"/unread-count", nil).Want(200, "data.unread", 3)

		mine := fmt.Sprintf("/api/v2/users/%d/notifications", h.ID("ann"))
		h.Do("ann", "PUT", mine, map[string]any{"notification_ids": []int64{anns, ours}}).Want(200, "data.updated", 2)
		h.Do("ann", "PUT", mine, map[string]any{"notification_ids": []int64{}}).Want(200, "data.updated", 0)
		h.Do("ann", "PUT", mine, map[string]any{"notification_ids": []int64{all, theirs}}).Want(404)
		h.Do("ann", "PUT", mine, map[string]any{}).Want(200, "data.updated", 1)
		h.Do("ann", "GET", path+"/unread-count", nil).Want(200, "data.unread", 0)
		h.Do("ann", "PUT", mine, map[string]any{"is_read": false}).Want(200, "data.updated", 3)
		h.Do("root", "PUT", mine, map[string]any{}).Want(403)
		h.Do("eve", "PUT", mine, map[string]any{}).Want(404)
		h.Do("ann", "PUT", "/api/v2/users/999999/notifications", map[string]any{}).Want(404)
	})
}

func TestOnlyTheAuthorOrAGlobalAdminTakesANotificationAway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		team := h.Team(h.Org, "Blue", map[string]string{"ann": "Admin", "bob": "Member"})
		first := h.Do("ann", "POST", path, note("team_id", team)).Want(201).ID("data.id")
		second := h.Do("ann", "POST", path, note("team_id", team)).Want(201).ID("data.id")
		h.Do("bob", "DELETE", one(first), nil).Want(403)
		h.Do("eve", "DELETE", one(first), nil).Want(404)
		h.Do("ann", "DELETE", one(first), nil).Want(200)
		h.Do("bob", "GET", one(first), nil).Want(404)
		h.Do("root", "GET", one(second), nil).Want(404) // it is not for root,
		h.Do("root", "DELETE", one(second), nil).Want(200)
		h.Do("root", "DELETE", one(second), nil).Want(404)
		h.Do("bob", "GET", path, nil).Want(200, "data.pagination.total", 0)
		n, err := db.One[int](t.Context(), h.DB, `SELECT COUNT(*) FROM audit_event WHERE action = 'deleteNotification'`)
		if err != nil || n != 2 {
			t.Errorf("%d audit events, %v", n, err)
		}
	})
}

// stream follows as a person and gives the events to a channel.
func stream(t *testing.T, url, who, lastID string) <-chan sse.Event {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+who)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	out := make(chan sse.Event, 100)
	go func() {
		defer close(out)
		defer res.Body.Close()
		_ = sse.Read(res.Body, func(e sse.Event) error {
			e.Data = []byte(string(e.Data))
			out <- e
			return nil
		})
	}()
	return out
}

func next(t *testing.T, events <-chan sse.Event, name, what string) sse.Event {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.Name != name {
				continue
			}
			if !strings.Contains(string(e.Data), what) {
				t.Fatalf("%s, want %s", e.Data, what)
			}
			return e
		case <-time.After(time.Minute):
			t.Fatalf("no %s with %s", name, what)
		}
	}
}

func TestAStreamTellsWhatIsNewForItsReaderAndGoesOnWhereItBrokeOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		url := h.Serve()
		h.Do("root", "POST", path, note("title", "before")).Want(201)
		ann := stream(t, url, "ann", "")
		next(t, ann, "unread", `{"unread":1}`)
		h.Do("root", "POST", path, note("title", "for bob", "user_id", h.ID("bob"))).Want(201)
		h.Do("eve", "POST", path, note("title", "elsewhere")).Want(201)
		h.Do("root", "POST", path, note("title", "first")).Want(201)
		e := next(t, ann, "notification", `"title":"first"`)
		next(t, ann, "unread", `{"unread":2}`)
		for i := range 3 {
			h.Do("root", "POST", path, note("title", fmt.Sprint("later ", i))).Want(201)
		}
		again := stream(t, url, "ann", e.ID)
		for i := range 3 {
			got := next(t, again, "notification", fmt.Sprintf(`"title":"later %d"`, i))
			var n notify.Notification
			if err := json.Unmarshal(got.Data, &n); err != nil || fmt.Sprint(n.ID) != got.ID {
				t.Errorf("%s: %v", got.Data, err)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path+"/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer ann")
		r.Header.Set("Last-Event-ID", "x")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("status %d", res.StatusCode)
		}
	})
}

// What another process sends is seen within a second, by looking at the table.
func TestAStreamSeesWhatAnotherProcessSends(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := orgtest.New(t, d)
		notify.New(d).Mount(h.API)
		h.API.Seal()
		elsewhere := notify.New(d)
		ann := stream(t, h.Serve(), "ann", "")
		next(t, ann, "unread", `{"unread":0}`)
		start := time.Now()
		err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := elsewhere.Send(ctx, tx, authz.System(h.Org), notify.Draft{Title: "Done", Message: "The import is done.", Link: new("/corpora/3"), UserID: new(h.ID("ann"))})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		next(t, ann, "notification", `"link":"/corpora/3"`)
		t.Log("seen after", time.Since(start))
	})
}
