package auditlog_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/audit"
	"atrium/internal/auditlog"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/org/orgtest"
)

const path = "/api/v2/audit-events"

func each(t *testing.T, run func(*testing.T, *orgtest.House)) {
	t.Helper()
	orgtest.Each(t, func(_ *testing.T, h *orgtest.House) { auditlog.New(h.DB).Mount(h.API) }, run)
}

// record writes n events of a person.
func record(t *testing.T, h *orgtest.House, who string, n int, change ...func(*audit.Entry)) {
	t.Helper()
	p := h.People[who]
	for i := range n {
		e := audit.Entry{OrgID: p.OrgID, UserID: p.UserID, Actor: p.Email, Carrier: "token", Address: "192.0.2.1", RequestID: "r", Action: "updateAgent", Resource: "agent", ResourceID: fmt.Sprint(i + 1), Detail: map[string]any{"body": map[string]any{"name": "Duck", "password": "hunter2"}}}
		for _, f := range change {
			f(&e)
		}
		err := h.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return audit.Record(ctx, tx, e) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheLogIsSearchedByWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		record(t, h, "ann", 3)
		record(t, h, "root", 1, func(e *audit.Entry) { e.Action, e.Resource, e.ResourceID = "deleteTeam", "team", "9" })
		record(t, h, "eve", 2)
		h.Do("root", "GET", path, nil).Want(200, "data.pagination.total", 4, "data.audit_events.0.action", "deleteTeam", "data.audit_events.0.seq", 4, "data.audit_events.3.actor", "ann@example.com",
			"data.audit_events.3.detail.body.name", "Duck", "data.audit_events.3.detail.body.password", "***")
		h.Do("eve", "GET", path, nil).Want(200, "data.pagination.total", 2)
		for query, n := range map[string]int{
			"search=DUCK": 4, "search=deleteteam": 1, "search=hunter2": 0, "search=%25": 0, "actor=ANN": 3, "action=updateAgent": 3, "resource=team": 1, "resource_id=2": 1, "resource=agent&resource_id=9": 0,
			"from=" + url.QueryEscape(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)): 4, "to=" + url.QueryEscape(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)): 0,
			"sort=created_on": 4, "page_size=1": 4,
		} {
			h.Do("root", "GET", path+"?"+query, nil).Want(200, "data.pagination.total", n)
		}
		h.Do("root", "GET", path+"?from=yesterday", nil).Want(400)
		for _, who := range []string{"ann", "hand"} {
			for _, p := range []string{"", "/export", "/verify"} {
				h.Do(who, "GET", path+p, nil).Want(403)
			}
		}
		p := *h.People["ann"]
		p.Rules = []authz.Rule{{Resource: authz.Audit, Action: authz.View, Breadth: authz.WholeOrganization, From: "the right audit_event:view"}}
		h.People["ann"] = &p
		h.Do("ann", "GET", path, nil).Want(200, "data.pagination.total", 4)
	})
}

func TestTheLogIsExported(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		record(t, h, "ann", 2)
		for _, actor := range []string{"=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "plain, with \"quotes\""} {
			record(t, h, "root", 1, func(e *audit.Entry) { e.Actor = actor })
		}
		record(t, h, "eve", 1)
		got := h.Do("root", "GET", path+"/export?format=csv", nil).Want(200)
		if d := got.Header.Get("Content-Disposition"); !strings.Contains(d, "audit-events.csv") {
			t.Errorf("%q", d)
		}
		cells, err := csv.NewReader(strings.NewReader(got.Body)).ReadAll()
		if err != nil || len(cells) != 9 {
			t.Fatalf("%d lines, %v", len(cells), err)
		}
		for i, want := range []string{"actor", "ann@example.com", "ann@example.com", "'=cmd()", "'+1", "'-1", "'@SUM(A1)", "'\tx", "plain, with \"quotes\""} {
			if cells[i][3] != want {
				t.Errorf("line %d: %q, want %q", i, cells[i][3], want)
			}
		}
		got = h.Do("root", "GET", path+"/export?format=jsonl&actor=ann", nil).Want(200)
		list := strings.Split(strings.TrimSpace(got.Body), "\n")
		if len(list) != 2 {
			t.Fatalf("%d lines", len(list))
		}
		var v audit.Event
		if err := json.Unmarshal([]byte(list[1]), &v); err != nil || v.Seq != 2 || v.Actor != "ann@example.com" || len(v.Hash) != 64 {
			t.Errorf("%+v, %v", v, err)
		}
		h.Do("root", "GET", path+"/export?format=xml", nil).Want(400)
	})
}

func TestALongLogIsExportedWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		err := h.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for range 2050 {
				if err := audit.Record(ctx, tx, audit.Entry{OrgID: h.Org, Action: "x"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(h.Do("root", "GET", path+"/export?format=jsonl", nil).Want(200).Body, "\n"); n != 2050 {
			t.Errorf("%d lines", n)
		}
		h.Do("root", "GET", path+"/verify", nil).Want(200, "data.events", 2050, "data.intact", true)
	})
}

func TestTamperingIsNoticed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		verify := func() orgtest.Answer { return h.Do("root", "GET", path+"/verify", nil).Want(200) }
		verify().Want(200, "data.events", 0, "data.intact", true, "data.problem", "")
		record(t, h, "ann", 5)
		record(t, h, "eve", 5)
		verify().Want(200, "data.events", 5, "data.intact", true, "data.problem", "")
		for _, c := range []struct{ do, undo, problem string }{
			{`UPDATE audit_event SET actor = 'bob@example.com' WHERE org_id = ? AND seq = 3`, `UPDATE audit_event SET actor = 'ann@example.com' WHERE org_id = ? AND seq = 3`, "event 3 was changed"},
			{`UPDATE audit_event SET detail = '{}' WHERE org_id = ? AND seq = 5`, `UPDATE audit_event SET detail = (SELECT x.detail FROM audit_event x WHERE x.org_id = audit_event.org_id AND x.seq = 4) WHERE org_id = ? AND seq = 5`, "event 5 was changed"},
			{`UPDATE audit_event SET created_on = created_on + 1 WHERE org_id = ? AND seq = 1`, `UPDATE audit_event SET created_on = created_on - 1 WHERE org_id = ? AND seq = 1`, "event 1 was changed"},
			{`UPDATE audit_event SET seq = 60 WHERE org_id = ? AND seq = 2`, `UPDATE audit_event SET seq = 2 WHERE org_id = ? AND seq = 60`, "event 2 is missing"},
			{`UPDATE audit_event SET seq = 60 WHERE org_id = ? AND seq = 5`, `UPDATE audit_event SET seq = 5 WHERE org_id = ? AND seq = 60`, "missing"},
			{`UPDATE audit_head SET seq = 4 WHERE org_id = ?`, `UPDATE audit_head SET seq = 5 WHERE org_id = ?`, ""},
			{`UPDATE audit_head SET seq = 6 WHERE org_id = ?`, `UPDATE audit_head SET seq = 5 WHERE org_id = ?`, "missing"},
		} {
			h.Exec(c.do, h.Org)
			if v := verify(); v.At("data.intact") != false || !strings.Contains(v.At("data.problem").(string), c.problem) {
				t.Errorf("%s: %s", c.do, v.Body)
			}
			h.Do("eve", "GET", path+"/verify", nil).Want(200, "data.intact", true)
			h.Exec(c.undo, h.Org)
			verify().Want(200, "data.intact", true)
		}
		h.Exec(`DELETE FROM audit_head WHERE org_id = ?`, h.Rival)
		h.Do("eve", "GET", path+"/verify", nil).Want(200, "data.intact", false)
		h.Exec(`DELETE FROM audit_event WHERE org_id = ? AND seq = 5`, h.Org)
		verify().Want(200, "data.events", 4, "data.intact", false)
		h.Exec(`DELETE FROM audit_event WHERE org_id = ?`, h.Org)
		verify().Want(200, "data.events", 0, "data.intact", false)
	})
}

// Nobody is accused while others go on writing.
func TestVerifyingAGrowingLogFindsItIntact(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		var writers sync.WaitGroup
		for range 2 {
			writers.Go(func() { record(t, h, "ann", 40) })
		}
		for range 40 {
			h.Do("root", "GET", path+"/verify", nil).Want(200, "data.intact", true)
		}
		writers.Wait()
		h.Do("root", "GET", path+"/verify", nil).Want(200, "data.intact", true, "data.events", 80)
	})
}
