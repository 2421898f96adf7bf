// Package auditlog shows the audit log of an organization to who may see it:
// searched, exported, and verified. Writing it is package audit's.
package auditlog

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
)

// Query narrows the log.
type Query struct {
	Actor      string    `query:"actor" maxLength:"254" doc:"Part of who acted: an e-mail address."`
	Action     string    `query:"action" maxLength:"100" doc:"What was done: an operation's id, such as updateAgent."`
	Resource   string    `query:"resource" maxLength:"100" doc:"A kind of thing, such as agent."`
	ResourceID string    `query:"resource_id" maxLength:"100"`
	From       time.Time `query:"from" doc:"The earliest time."`
	To         time.Time `query:"to" doc:"The time before which, not included."`
}

// Filter is a page of what a Query finds.
type Filter struct {
	api.Paging
	Query
}

// Export is what is downloaded.
type Export struct {
	Format string `query:"format" enum:"csv,jsonl" default:"csv"`
	Search string `query:"search" maxLength:"200" doc:"Text that the event holds, whatever the case."`
	Query
}

// Verdict tells whether the log is what was written.
type Verdict struct {
	Events  int64  `json:"events" doc:"That were found in order."`
	Intact  bool   `json:"intact"`
	Problem string `json:"problem" doc:"Where the chain is broken; empty when it is not."`
}

// Log is the audit log as it is read.
type Log struct{ db *db.DB }

// New makes a Log.
func New(d *db.DB) *Log { return &Log{d} }

const columns = `e.id, e.seq, e.created_on, e.user_id, e.actor, e.carrier, e.address, e.request_id, e.action, e.resource, e.resource_id, e.detail, e.previous, e.hash`

// where is the predicate over the alias e.
func (q Query) where(sc authz.Scope, search string) (string, []any) {
	where, args := sc.Where(authz.View, authz.Audit, "e")
	for _, c := range []struct {
		on  bool
		sql string
		arg any
	}{
		{search != "", `(lower(e.actor) LIKE lower(?) ESCAPE '\' OR lower(e.action) LIKE lower(?) ESCAPE '\' OR lower(e.resource) LIKE lower(?) ESCAPE '\'
			OR e.resource_id LIKE ? ESCAPE '\' OR e.address LIKE ? ESCAPE '\' OR lower(e.detail) LIKE lower(?) ESCAPE '\')`, db.Like(search)},
		{q.Actor != "", `lower(e.actor) LIKE lower(?) ESCAPE '\'`, db.Like(q.Actor)},
		{q.Action != "", `e.action = ?`, q.Action},
		{q.Resource != "", `e.resource = ?`, q.Resource},
		{q.ResourceID != "", `e.resource_id = ?`, q.ResourceID},
		{!q.From.IsZero(), `e.created_on >= ?`, q.From},
		{!q.To.IsZero(), `e.created_on < ?`, q.To},
	} {
		if c.on {
			where += " AND " + c.sql
			for range strings.Count(c.sql, "?") {
				args = append(args, c.arg)
			}
		}
	}
	return where, args
}

// List is a page of the log.
func (l *Log) List(ctx context.Context, sc authz.Scope, f Filter) ([]audit.Event, int, error) {
	where, args := f.where(sc, f.Search)
	return api.Rows[audit.Event](ctx, l.db, f.Paging, api.Listing{
		Columns: columns, Tables: `audit_event e`, Where: where, Args: args, Order: map[string]string{"created_on": "e.seq"}, ID: "e.id",
	})
}

// Verify walks the log of the caller's organization.
func (l *Log) Verify(ctx context.Context, sc authz.Scope) (Verdict, error) {
	n, err := audit.Verify(ctx, l.db, sc.Org())
	if errors.Is(err, audit.ErrBroken) {
		return Verdict{Events: n, Problem: err.Error()}, nil
	}
	return Verdict{Events: n, Intact: err == nil}, err
}

// temporary is a file without a name, so that nothing of it stays behind.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "atrium-audit-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

const batch = 1000

// Export writes what the filter finds, the oldest first, to a file that is
// gone once it was sent: a log may be larger than memory.
func (l *Log) Export(ctx context.Context, sc authz.Scope, x Export) (api.Content, error) {
	f, err := temporary()
	if err != nil {
		return api.Content{}, err
	}
	if err := l.write(ctx, sc, x, f); err != nil {
		return api.Content{}, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return api.Content{}, errors.Join(err, f.Close())
	}
	return api.Content{Name: "audit-events." + x.Format, Body: f}, nil
}

func (l *Log) write(ctx context.Context, sc authz.Scope, x Export, to io.Writer) error {
	where, args := x.where(sc, x.Search)
	take, flush := lines(to)
	if x.Format == "csv" {
		take, flush = table(to)
	}
	for last := int64(0); ; {
		events, err := db.All[audit.Event](ctx, l.db, `SELECT `+columns+` FROM audit_event e WHERE `+where+` AND e.seq > ? ORDER BY e.seq LIMIT ?`,
			append(slices.Clip(args), last, batch)...)
		if err != nil {
			return err
		}
		for _, v := range events {
			if err := take(v); err != nil {
				return err
			}
			last = v.Seq
		}
		if len(events) < batch {
			return flush()
		}
	}
}

func lines(to io.Writer) (take func(audit.Event) error, flush func() error) {
	enc := json.NewEncoder(to)
	return func(v audit.Event) error { return enc.Encode(v) }, func() error { return nil }
}

func table(to io.Writer) (take func(audit.Event) error, flush func() error) {
	w := csv.NewWriter(to)
	err := w.Write([]string{"seq", "created_on", "user_id", "actor", "carrier", "address", "request_id", "action", "resource", "resource_id", "detail", "previous", "hash"})
	take = func(v audit.Event) error {
		cells := []string{
			strconv.FormatInt(v.Seq, 10), v.CreatedOn.Format(time.RFC3339Nano), strconv.FormatInt(v.UserID, 10), v.Actor, v.Carrier, v.Address,
			v.RequestID, v.Action, v.Resource, v.ResourceID, string(v.Detail), v.Previous, v.Hash,
		}
		for i, c := range cells {
			cells[i] = defused(c)
		}
		return errors.Join(err, w.Write(cells))
	}
	flush = func() error {
		w.Flush()
		return errors.Join(err, w.Error())
	}
	return take, flush
}

// defused keeps a spreadsheet from taking text for a formula.
func defused(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// Mount declares the operations.
func (l *Log) Mount(a *api.API) {
	const group, path = "Audit", "/api/v2/audit-events"
	see := authz.To(authz.View, authz.Audit)
	api.Many(a, api.Op{ID: "listAuditEvents", Route: "GET " + path, Title: "Get Audit Events", Group: group,
		Doc: "Every change and every sign-in of the organization, the newest first.", Needs: see}, "audit_events",
		func(ctx context.Context, in *Filter) ([]audit.Event, int, error) {
			return l.List(ctx, authz.From(ctx), *in)
		})
	api.Download(a, api.Op{ID: "exportAuditEvents", Route: "GET " + path + "/export", Title: "Export Audit Events", Group: group,
		Doc: "All that the filters find, the oldest first, as CSV or as one JSON object a line. In CSV, a ' stands before a cell that a spreadsheet would take for a formula.", Needs: see},
		func(ctx context.Context, in *Export) (api.Content, error) {
			return l.Export(ctx, authz.From(ctx), *in)
		})
	api.Do(a, api.Op{ID: "verifyAuditEvents", Route: "GET " + path + "/verify", Title: "Verify Audit Events", Group: group,
		Doc: fmt.Sprintf("Each event carries the hash of the one before it; this walks the chain, %d events at a time, and says where it is broken.", batch), Needs: see},
		func(ctx context.Context, _ *struct{}) (Verdict, error) { return l.Verify(ctx, authz.From(ctx)) })
}
