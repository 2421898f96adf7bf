package job

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"atrium/internal/db"
)

// call runs the handler; a panic is an error of the attempt.
func (q *Queue) call(r *run) (err error) {
	ctx, cancel := context.WithTimeoutCause(r.ctx, r.kind.Timeout,
		fmt.Errorf("job: it took longer than %s: %w", r.kind.Timeout, context.DeadlineExceeded))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("a job panicked", "kind", r.Kind, "job", r.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}()
	return r.kind.Run(ctx, r.Job)
}

// settle decides how a run ends.
func (q *Queue) settle(r *run, err error) {
	if err == nil && !r.completed.Load() {
		select {
		case q.finish <- r:
		case <-q.ended:
		}
		return
	}
	defer q.forget(r)
	if r.completed.Load() {
		if err != nil {
			q.log.Warn("a job failed after it was complete", "kind", r.Kind, "job", r.ID, "error", err)
		}
		return
	}
	ctx := context.Background()
	if cause := context.Cause(r.ctx); cause != nil {
		switch {
		case errors.Is(cause, ErrLost):
			q.log.Warn("a job lost its lease and runs again", "kind", r.Kind, "job", r.ID)
			return
		case errors.Is(cause, errStopping):
			q.report(r.Job, q.giveBack(ctx, r.Job))
			return
		case errors.Is(cause, ErrCancelled):
			q.report(r.Job, q.end(ctx, r.kind, r.Job, Cancelled, ErrCancelled))
			return
		}
	}
	var final *permanent
	if errors.As(err, &final) || r.Attempt >= r.kind.MaxAttempts {
		q.log.Warn("a job failed", "kind", r.Kind, "job", r.ID, "attempt", r.Attempt, "error", err)
		q.report(r.Job, q.end(ctx, r.kind, r.Job, Failed, err))
		return
	}
	q.log.Info("a job is tried again", "kind", r.Kind, "job", r.ID, "attempt", r.Attempt, "error", err)
	q.report(r.Job, q.retry(ctx, r, err))
}

// report logs what could not be stored; the lease ends and the job is taken up again.
func (q *Queue) report(j *Job, err error) {
	if err != nil {
		q.log.Error("the end of a job cannot be stored", "kind", j.Kind, "job", j.ID, "error", err)
	}
}

// mine is true of the row while this run owns it.
const mine = `id = ? AND lease = ? AND state = 'running'`

func (q *Queue) retry(ctx context.Context, r *run, cause error) error {
	at := time.Now().Add(r.kind.Backoff(r.Attempt))
	var n int64
	err := q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		n, err = db.Exec(ctx, tx, `UPDATE job SET state = 'delayed', run_at = ?, owner = '', lease_until = NULL, error = ?
			WHERE `+mine+` AND NOT cancel`, at, reason(cause), r.ID, r.Lease)
		return err
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		return q.endIfCancelled(ctx, r.kind, r.Job)
	}
	q.due(at)
	return nil
}

// giveBack makes the job pending again, as if this attempt had not been.
func (q *Queue) giveBack(ctx context.Context, j *Job) error {
	return q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `UPDATE job SET state = 'pending', attempt = attempt - 1, owner = '', lease_until = NULL
			WHERE `+mine, j.ID, j.Lease)
		return err
	})
}

// giveBackAll does it for every job that is still in this process's name.
func (q *Queue) giveBackAll() error {
	return q.d.Relaxed(context.Background(), func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `UPDATE job SET state = 'pending', attempt = attempt - 1, owner = '', lease_until = NULL
			WHERE state = 'running' AND owner = ?`, q.owner)
		return err
	})
}

// end stores how the job ended, together with what Failed does about it. When Failed
// fails three times the job ends without it, for it must end.
func (q *Queue) end(ctx context.Context, k *kind, j *Job, state string, cause error) error {
	var broken error
	for try := range 3 {
		err := q.d.Tx(db.WithOrg(ctx, j.OrgID), func(ctx context.Context, tx *db.Tx) error {
			broken = nil
			ours, err := q.mark(ctx, tx, j, state, cause)
			if err != nil || !ours || k.Failed == nil {
				return err
			}
			broken = q.callFailed(ctx, tx, k, j, cause)
			return broken
		})
		if err == nil {
			return nil
		}
		if broken == nil {
			broken = err
		}
		q.log.Error("a job's end could not be handled", "kind", j.Kind, "job", j.ID, "try", try+1, "error", err)
		select {
		case <-time.After(time.Duration(try+1) * q.poll / 10):
		case <-q.ended:
		}
	}
	return q.d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := q.mark(ctx, tx, j, state, fmt.Errorf("%w; and handling that failed: %w", cause, broken))
		return err
	})
}

func (q *Queue) mark(ctx context.Context, tx *db.Tx, j *Job, state string, cause error) (bool, error) {
	n, err := db.Exec(ctx, tx, `UPDATE job SET state = ?, ended_at = ?, owner = '', lease_until = NULL, error = ? WHERE `+mine,
		state, time.Now(), reason(cause), j.ID, j.Lease)
	return n > 0, err
}

func (q *Queue) callFailed(ctx context.Context, tx *db.Tx, k *kind, j *Job, cause error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return k.Failed(ctx, tx, j, cause)
}

// endIfCancelled ends a job that was cancelled so late that its run did not notice.
func (q *Queue) endIfCancelled(ctx context.Context, k *kind, j *Job) error {
	cancelled, err := db.One[bool](ctx, q.d, `SELECT cancel FROM job WHERE `+mine, j.ID, j.Lease)
	if errors.Is(err, db.ErrNone) || err == nil && !cancelled {
		return nil
	}
	if err != nil {
		return err
	}
	return q.end(ctx, k, j, Cancelled, ErrCancelled)
}

// reason is an error's text, bounded.
func reason(err error) string {
	s := err.Error()
	if len(s) > 4000 {
		s = strings.ToValidUTF8(s[:4000], "") + "…"
	}
	return s
}

// finisher marks jobs done, many in one transaction.
func (q *Queue) finisher() {
	for {
		var batch []*run
		select {
		case r := <-q.finish:
			batch = append(batch, r)
		case <-q.ended:
			select {
			case r := <-q.finish:
				batch = append(batch, r)
			default:
				return
			}
		}
	drain:
		for len(batch) < cap(q.finish) {
			select {
			case r := <-q.finish:
				batch = append(batch, r)
			default:
				break drain
			}
		}
		q.done(batch)
	}
}

func (q *Queue) done(batch []*run) {
	jobs := make([]*Job, len(batch))
	for i, r := range batch {
		jobs[i] = r.Job
	}
	var ids []int64
	err := q.d.Relaxed(context.Background(), func(ctx context.Context, tx *db.Tx) (err error) {
		ids, err = markDone(ctx, tx, jobs)
		return err
	})
	if err != nil {
		q.log.Error("jobs cannot be marked done; they run again", "jobs", len(batch), "error", err)
	}
	marked := map[int64]bool{}
	for _, id := range ids {
		marked[id] = true
	}
	for _, r := range batch {
		if err == nil && !marked[r.ID] {
			q.report(r.Job, q.endIfCancelled(context.Background(), r.kind, r.Job))
		}
		q.forget(r)
	}
}
