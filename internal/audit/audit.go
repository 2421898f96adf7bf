// Package audit keeps who did what. Each entry is written in the transaction
// of the change that it tells of, so that there is never one without the
// other, and carries the hash of the one before it in its organization, so
// that an entry cannot be changed or taken out without being noticed.
//
// The gate opens an Entry for every operation that changes something (see
// Watch); what is done without an operation, and sign-ins, call Record.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"atrium/internal/db"
	"atrium/internal/planted"
)

// Entry is what is told of an act.
type Entry struct {
	OrgID      int64
	UserID     int64  // who acted; 0 for the server, or somebody unknown
	Actor      string // their address
	Carrier    string // how they proved themselves: cookie, token, api_key, or a way to sign in
	Address    string // where the request came from
	RequestID  string
	Action     string // the operation's id, or what was done
	Resource   string
	ResourceID string
	Detail     any // of the change; secrets are masked by their names
}

// Event is an entry as stored.
type Event struct {
	ID         int64           `json:"id" db:"id"`
	Seq        int64           `json:"seq" db:"seq" doc:"Counts the events of the organization, without gaps."`
	CreatedOn  time.Time       `json:"created_on" db:"created_on"`
	UserID     int64           `json:"user_id" db:"user_id" doc:"0 for the server itself, or somebody unknown."`
	Actor      string          `json:"actor" db:"actor"`
	Carrier    string          `json:"carrier" db:"carrier" doc:"How they proved themselves."`
	Address    string          `json:"address" db:"address" doc:"Where the request came from."`
	RequestID  string          `json:"request_id" db:"request_id"`
	Action     string          `json:"action" db:"action" doc:"The operation's id, or what was done."`
	Resource   string          `json:"resource" db:"resource"`
	ResourceID string          `json:"resource_id" db:"resource_id"`
	Detail     json.RawMessage `json:"detail" db:"detail" doc:"What was sent; secrets are masked."`
	Previous   string          `json:"previous" db:"previous" doc:"The hash of the event before."`
	Hash       string          `json:"hash" db:"hash"`
}

const columns = `id, seq, created_on, user_id, actor, carrier, address, request_id, action, resource, resource_id, detail, previous, hash`

// head is the end of an organization's log.
type head struct {
	Seq  int64  `db:"seq"`
	Hash string `db:"hash"`
}

// Record appends an entry to its organization's log, in the caller's transaction.
func Record(ctx context.Context, tx *db.Tx, e Entry) error {
	// The row is the lock that keeps the log of an organization in one line.
	h, err := db.One[head](ctx, tx, `INSERT INTO audit_head (org_id, seq, hash) VALUES (?, 1, '')
		ON CONFLICT (org_id) DO UPDATE SET seq = audit_head.seq + 1 RETURNING seq, hash`, e.OrgID)
	if err != nil {
		return err
	}
	detail, err := masked(e.Detail)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	v := Event{
		Seq: h.Seq, CreatedOn: time.Now().UTC().Truncate(time.Microsecond), UserID: e.UserID, Actor: e.Actor, Carrier: e.Carrier, Address: e.Address,
		RequestID: e.RequestID, Action: e.Action, Resource: e.Resource, ResourceID: e.ResourceID, Detail: detail, Previous: h.Hash,
	}
	v.Hash = v.sum(e.OrgID)
	_, err = db.Exec(ctx, tx, `INSERT INTO audit_event (org_id, seq, created_on, user_id, actor, carrier, address, request_id, action, resource, resource_id, detail, previous, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, e.OrgID, v.Seq, v.CreatedOn, v.UserID, v.Actor, v.Carrier, v.Address, v.RequestID, v.Action,
		v.Resource, v.ResourceID, string(v.Detail), v.Previous, v.Hash)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE audit_head SET hash = ? WHERE org_id = ?`, v.Hash, e.OrgID)
	return err
}

// sum is the hash of everything in the event and of the one before it.
func (v Event) sum(orgID int64) string {
	b, err := json.Marshal([]any{orgID, v.Seq, v.CreatedOn.UnixMicro(), v.UserID, v.Actor, v.Carrier, v.Address, v.RequestID, v.Action,
		v.Resource, v.ResourceID, string(v.Detail), v.Previous})
	if err != nil {
		panic(err) // strings and numbers
	}
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// watched is an entry that waits for its change to be committed.
type watched struct {
	mu    sync.Mutex
	entry Entry
	done  bool
}

type watchedKey struct{}

// Watch answers a context whose first committed transaction records the entry.
func Watch(ctx context.Context, e Entry) context.Context {
	w := &watched{entry: e}
	ctx = context.WithValue(ctx, watchedKey{}, w)
	return db.WithLast(ctx, func(ctx context.Context, tx *db.Tx) error {
		w.mu.Lock()
		e, done := w.entry, w.done
		w.mu.Unlock()
		if done || planted.Bug(planted.Audit) {
			return nil
		}
		tx.AfterCommit(func() {
			w.mu.Lock()
			w.done = true
			w.mu.Unlock()
		})
		return Record(ctx, tx, e)
	})
}

// Tell adds to the detail of the entry that is being watched, if any: what was
// sent (body), or what a change was from and to.
func Tell(ctx context.Context, name string, value any) {
	w, ok := ctx.Value(watchedKey{}).(*watched)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	detail := map[string]any{}
	if old, ok := w.entry.Detail.(map[string]any); ok {
		maps.Copy(detail, old)
	}
	detail[name] = value
	w.entry.Detail = detail
}

// About names what the entry being watched is about, when its address does
// not: the id of what was made.
func About(ctx context.Context, id int64) {
	w, ok := ctx.Value(watchedKey{}).(*watched)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entry.ResourceID = fmt.Sprint(id)
}

const (
	longest  = 500     // runes of a text in a detail
	maxBytes = 8 << 10 // of a detail
)

var secrets = []string{"password", "secret", "token", "code", "hash", "key"}

// masked is a detail as JSON, without secrets and bounded.
func masked(v any) (json.RawMessage, error) {
	if v == nil {
		return json.RawMessage("{}"), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		return nil, err
	}
	if b, err = json.Marshal(mask(plain)); err != nil {
		return nil, err
	}
	if len(b) > maxBytes {
		return json.RawMessage(`{"too_long": true}`), nil
	}
	return b, nil
}

func mask(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, inner := range x {
			name := strings.ToLower(k)
			x[k] = mask(inner)
			for _, s := range secrets {
				if name == s || strings.HasSuffix(name, "_"+s) {
					x[k] = "***"
				}
			}
		}
	case []any:
		for i := range x {
			x[i] = mask(x[i])
		}
	case string:
		if r := []rune(x); len(r) > longest {
			return string(r[:longest]) + "…"
		}
	}
	return v
}

// Verify walks an organization's log and answers the number of its events. The
// error says where the chain is broken.
func Verify(ctx context.Context, q db.Querier, orgID int64) (int64, error) {
	// The head comes first: what is appended meanwhile is past it.
	h := head{}
	heads, err := db.All[head](ctx, q, `SELECT seq, hash FROM audit_head WHERE org_id = ?`, orgID)
	if err != nil {
		return 0, err
	}
	if len(heads) > 0 {
		h = heads[0]
	}
	const batch = 1000
	var n int64
	previous := ""
	for {
		events, err := db.All[Event](ctx, q, `SELECT `+columns+` FROM audit_event WHERE org_id = ? AND seq > ? ORDER BY seq LIMIT ?`, orgID, n, batch)
		if err != nil {
			return n, err
		}
		for _, v := range events {
			switch {
			case v.Seq != n+1:
				return n, fmt.Errorf("%w: event %d is missing", ErrBroken, n+1)
			case v.Previous != previous || v.Hash != v.sum(orgID):
				return n, fmt.Errorf("%w: event %d was changed", ErrBroken, v.Seq)
			}
			if n, previous = v.Seq, v.Hash; n == h.Seq && previous != h.Hash {
				return n, fmt.Errorf("%w: event %d is not the one that was written", ErrBroken, n)
			}
		}
		if len(events) < batch {
			break
		}
	}
	if n > 0 && len(heads) == 0 {
		if heads, err = db.All[head](ctx, q, `SELECT seq, hash FROM audit_head WHERE org_id = ?`, orgID); err == nil && len(heads) == 0 {
			err = fmt.Errorf("%w: the end of the log is not known any more", ErrBroken)
		}
		return n, err
	}
	if n < h.Seq {
		return n, fmt.Errorf("%w: the last %d events are missing", ErrBroken, h.Seq-n)
	}
	return n, nil
}

// ErrBroken tells that a log is not what was written.
var ErrBroken = errors.New("the audit log was tampered with")
