package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"atrium/internal/db"
)

// Enqueue writes the job in the caller's transaction and answers its id. Workers are
// woken once the transaction is committed.
func (q *Queue) Enqueue(ctx context.Context, tx *db.Tx, s Spec) (int64, error) {
	payload, err := json.Marshal(s.Payload)
	if err != nil {
		return 0, fmt.Errorf("job: the payload of %s: %w", s.Kind, err)
	}
	now := time.Now()
	j := &Job{Kind: s.Kind, OrgID: s.OrgID, Key: s.Key, Payload: payload, Priority: s.Priority,
		CreatedAt: now, completed: new(atomic.Bool)}
	state, owner, runAt := Pending, "", now
	var until *time.Time
	k := q.kinds[s.Kind]
	switch {
	case s.RunAt.After(now):
		state, runAt = Delayed, s.RunAt
	case s.Immediate && q.free(k) > 0:
		end := now.Add(q.lease)
		state, owner, until, j.Attempt, j.Lease = Running, q.owner, &end, 1, 1
	}
	// A job that ends between the two statements frees its key: then once more.
	for range 5 {
		j.ID, err = db.One[int64](ctx, tx, `INSERT INTO job (kind, org_id, key, payload, priority, state, run_at, attempt, lease, lease_until, owner, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, key) WHERE key <> '' AND NOT cancel AND state IN ('pending', 'delayed', 'running') DO NOTHING
			RETURNING id`, s.Kind, s.OrgID, s.Key, json.RawMessage(payload), s.Priority, state, runAt, j.Attempt, j.Lease, until, owner, now)
		if err == nil {
			tx.AfterCommit(func() { q.enqueued(k, j, state, runAt) })
			return j.ID, nil
		}
		if !errors.Is(err, db.ErrNone) {
			return 0, err
		}
		id, err := db.One[int64](ctx, tx, `SELECT id FROM job WHERE kind = ? AND key = ?
			AND key <> '' AND NOT cancel AND state IN ('pending', 'delayed', 'running')`, s.Kind, s.Key)
		if !errors.Is(err, db.ErrNone) {
			return id, err
		}
	}
	return 0, fmt.Errorf("job: the key %q of %s changes too fast", s.Key, s.Kind)
}

func (q *Queue) enqueued(k *kind, j *Job, state string, runAt time.Time) {
	switch {
	case k == nil:
	case state == Running:
		q.launch(k, j)
	case state == Delayed:
		q.due(runAt)
	default:
		q.more(k)
	}
}

// Cancel ends a job that has not started, and asks a running one to stop: its context
// ends with ErrCancelled, here at once and in other processes within about a second,
// and then Handler.Failed is called. A job that has ended stays as it is.
func (q *Queue) Cancel(ctx context.Context, tx *db.Tx, id int64) error {
	return q.cancel(ctx, tx, `id = ?`, id)
}

// CancelKey is Cancel for the unfinished job with the key, if there is one.
func (q *Queue) CancelKey(ctx context.Context, tx *db.Tx, kind, key string) error {
	return q.cancel(ctx, tx, `kind = ? AND key = ? AND key <> '' AND NOT cancel AND state IN ('pending', 'delayed', 'running')`, kind, key)
}

func (q *Queue) cancel(ctx context.Context, tx *db.Tx, where string, args ...any) error {
	type row struct {
		ID    int64  `db:"id"`
		State string `db:"state"`
	}
	now := time.Now()
	rows, err := db.All[row](ctx, tx, `UPDATE job SET cancel = TRUE,
			ended_at = CASE WHEN state = 'running' THEN NULL ELSE `+tx.Pick(`?`, `?::bigint`)+` END,
			error = CASE WHEN state = 'running' THEN error ELSE 'cancelled' END,
			state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END
		WHERE `+where+` AND state IN ('pending', 'delayed', 'running') RETURNING id, state`, append([]any{now}, args...)...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.State == Running {
			tx.AfterCommit(func() { q.interrupt(r.ID, ErrCancelled) })
		}
	}
	return nil
}
