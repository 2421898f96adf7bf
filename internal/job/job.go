// Package job runs the work that outlives a request.
//
// A job is a row, written in the transaction of what caused it, and claimed by one
// process at a time under a lease. It always ends: done, cancelled, or failed with a
// reason.
//
//	q := job.New(d, log)
//	q.Handle("document.index", job.Handler{Workers: 2, Timeout: 10 * time.Minute, Run: s.index, Failed: s.indexFailed})
//	q.Start(ctx)
//	d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
//		...
//		_, err := q.Enqueue(ctx, tx, job.Spec{Kind: "document.index", OrgID: org, Payload: task{id}})
//		return err
//	})
//
// A job runs at least once: after a crash it runs again. A handler whose effect must
// happen once calls Job.Complete inside the transaction that stores the effect. When
// the lease was lost meanwhile, or the job cancelled, Complete answers ErrLost and the
// transaction must roll back, so that of two runs only one counts.
//
// Organizations share the workers of a kind evenly: a free worker goes to the one with
// the fewest running jobs, and there to the highest priority, oldest first.
//
// A kind that yields leaves most of the processors to people who are waiting for
// answers, see Queue.YieldTo.
//
// Processes on one PostgreSQL compare leases by their clocks, which must agree within a
// few seconds.
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

// States of a job.
const (
	Pending   = "pending"   // ready to run
	Delayed   = "delayed"   // waits for its time, or for the next attempt
	Running   = "running"   // claimed by a process
	Done      = "done"      // ended well
	Failed    = "failed"    // ended with a reason
	Cancelled = "cancelled" // ended by Cancel
)

var (
	// ErrCrashed is the cause that Failed is given when the process did not
	// survive the job, again and again.
	ErrCrashed = errors.New("the server ended")
	// ErrLost says that the job is no longer ours to complete: another process has
	// claimed it, or it was cancelled. Roll the transaction back.
	ErrLost = errors.New("job: it belongs to another run now, or was cancelled")
	// ErrCancelled is the cause of a cancelled job's context and what Failed gets.
	// It is a context.Canceled too.
	ErrCancelled = fmt.Errorf("job: cancelled: %w", context.Canceled)

	errStopping = fmt.Errorf("job: the server is stopping: %w", context.Canceled)
)

// Spec describes a job to enqueue.
type Spec struct {
	Kind  string
	OrgID int64 // shares of the workers are counted by it
	// Key, when given, is unique among the unfinished jobs of the kind: enqueueing
	// again changes nothing and answers the id of the job that is there.
	Key      string
	Payload  any       // stored as JSON; see Job.Decode
	RunAt    time.Time // not before; zero is now
	Priority int       // higher runs first within its organization
	// Immediate hands the job to a worker of this process as soon as the transaction is
	// committed, without a search for work. With no worker free it is an ordinary job.
	Immediate bool
}

// Job is a claimed job, given to a handler.
type Job struct {
	ID        int64           `db:"id"`
	Kind      string          `db:"kind"`
	OrgID     int64           `db:"org_id"`
	Key       string          `db:"key"`
	Payload   json.RawMessage `db:"payload"`
	Priority  int             `db:"priority"`
	Attempt   int             `db:"attempt"` // 1 at the first; runs that the process did not survive are not counted
	Crashes   int             `db:"crashes"` // runs that the process did not survive
	CreatedAt time.Time       `db:"created_at"`

	Lease     int64        `db:"lease"`  // counts the claims; fences a run that lost its lease
	Cancel    bool         `db:"cancel"` // somebody asked to cancel it
	completed *atomic.Bool // set once Complete is committed
}

const columns = `id, kind, org_id, key, payload, priority, attempt, crashes, created_at, lease, cancel`

// Decode reads the payload into v.
func (j *Job) Decode(v any) error {
	if err := json.Unmarshal(j.Payload, v); err != nil {
		return Permanent(fmt.Errorf("job: the payload of %s %d cannot be read: %w", j.Kind, j.ID, err))
	}
	return nil
}

// Complete marks the job done in the caller's transaction, so that its effect and its
// end are one. It answers ErrLost when this run no longer owns the job.
func (j *Job) Complete(ctx context.Context, tx *db.Tx) error { return CompleteAll(ctx, tx, j) }

// CompleteAll is Complete for several jobs whose effects share the transaction. It
// answers ErrLost when one of them is no longer ours.
func CompleteAll(ctx context.Context, tx *db.Tx, jobs ...*Job) error {
	ids, err := markDone(ctx, tx, jobs)
	if err != nil {
		return err
	}
	if len(ids) < len(jobs) {
		return ErrLost
	}
	tx.AfterCommit(func() {
		for _, j := range jobs {
			if j.completed != nil {
				j.completed.Store(true)
			}
		}
	})
	return nil
}

// markDone ends those jobs that are still ours and not cancelled, and answers their ids.
func markDone(ctx context.Context, tx *db.Tx, jobs []*Job) ([]int64, error) {
	pairs := make([][2]int64, len(jobs))
	for i, j := range jobs {
		pairs[i] = [2]int64{j.ID, j.Lease}
	}
	return db.All[int64](ctx, tx, `UPDATE job SET state = 'done', ended_at = ?, owner = '', lease_until = NULL, error = ''
		FROM (`+tx.Pick(
		`SELECT value ->> 0 AS rid, value ->> 1 AS rlease FROM json_each(?)`,
		`SELECT (value ->> 0)::bigint AS rid, (value ->> 1)::bigint AS rlease FROM json_array_elements(?::json)`)+`) AS r
		WHERE id = r.rid AND lease = r.rlease AND state = 'running' AND NOT cancel RETURNING id`, time.Now(), db.JSON(pairs))
}

// Permanent wraps an error after which trying again is useless.
func Permanent(err error) error { return &permanent{err} }

type permanent struct{ err error }

func (p *permanent) Error() string { return p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }

// Handler says how the jobs of a kind are run.
type Handler struct {
	Workers     int           // how many run at once in this process, for a moment one more by Immediate; 0 is 1
	Yields      bool          // gives way while people want answers; see Queue.YieldTo
	Timeout     time.Duration // of one attempt; 0 is 15 minutes
	MaxAttempts int           // 0 is 5
	// Backoff is the wait after an attempt (1, 2, …) that failed; nil doubles from a
	// second to five minutes.
	Backoff func(attempt int) time.Duration
	// Run does the work. An answer of nil marks the job done if Complete has not; a
	// panic is an error. ctx ends with the timeout, a cancellation or a lost lease.
	Run func(ctx context.Context, j *Job) error
	// Failed, when given, runs in the transaction that ends the job as failed or, once
	// it has run, as cancelled (cause is ErrCancelled then). When it keeps failing
	// itself, the job ends without it.
	Failed func(ctx context.Context, tx *db.Tx, j *Job, cause error) error
}

func (h Handler) withDefaults() Handler {
	if h.Workers <= 0 {
		h.Workers = 1
	}
	if h.Timeout <= 0 {
		h.Timeout = 15 * time.Minute
	}
	if h.MaxAttempts <= 0 {
		h.MaxAttempts = 5
	}
	if h.Backoff == nil {
		h.Backoff = func(attempt int) time.Duration {
			return min(time.Second<<min(attempt-1, 10), 5*time.Minute)
		}
	}
	return h
}
