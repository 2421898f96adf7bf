package job

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"atrium/internal/db"
)

// look finds what no signal tells: delayed jobs that are due, leases that ended, and
// what other processes enqueued. It answers false when the database refused.
func (q *Queue) look(ctx context.Context) bool {
	type found struct {
		Next    *time.Time `db:"next"`
		Pending bool       `db:"pending"`
		Expired bool       `db:"expired"`
	}
	const query = `SELECT (SELECT min(run_at) FROM job WHERE state = 'delayed') AS next,
		EXISTS (SELECT 1 FROM job WHERE state = 'pending') AS pending,
		EXISTS (SELECT 1 FROM job WHERE state = 'running' AND lease_until < ?) AS expired`
	q.mu.Lock()
	dues := q.dues
	q.mu.Unlock()
	now := time.Now()
	f, err := db.One[found](ctx, q.d, query, now)
	if err == nil && f.Expired {
		err = q.takeOver(ctx, now)
		f.Pending = true
	}
	if err == nil && f.Next != nil && !f.Next.After(now) {
		f.Next, err = q.promote(ctx, now)
		f.Pending = true
	}
	if err != nil {
		if ctx.Err() == nil {
			q.log.Error("jobs cannot be looked for", "error", err)
		}
		return false
	}
	q.mu.Lock()
	if q.dues == dues { // else a job may have been delayed after we looked
		q.next = time.Time{}
	}
	if f.Next != nil && (q.next.IsZero() || f.Next.Before(q.next)) {
		q.next = *f.Next
	}
	if f.Pending {
		for _, k := range q.kinds {
			k.more = true
		}
	}
	q.mu.Unlock()
	return true
}

// promote makes delayed jobs pending whose time has come, and answers the next time.
func (q *Queue) promote(ctx context.Context, now time.Time) (next *time.Time, err error) {
	err = q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `UPDATE job SET state = 'pending' WHERE id IN
			(SELECT id FROM job WHERE state = 'delayed' AND run_at <= ? ORDER BY run_at LIMIT 1000`+
			tx.Pick(``, ` FOR UPDATE SKIP LOCKED`)+`)`, now)
		if err != nil {
			return err
		}
		next, err = db.One[*time.Time](ctx, tx, `SELECT min(run_at) FROM job WHERE state = 'delayed'`)
		return err
	})
	return next, err
}

// takeOver deals with jobs whose lease ended because their process did: they are ready
// again, or ended when they were to be cancelled or may be what ends the process.
func (q *Queue) takeOver(ctx context.Context, now time.Time) error {
	var over []Job
	err := q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		over = over[:0]
		jobs, err := db.All[Job](ctx, tx, `SELECT `+columns+` FROM job WHERE state = 'running' AND lease_until < ? ORDER BY lease_until LIMIT 500`+
			tx.Pick(``, ` FOR UPDATE SKIP LOCKED`), now)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			k := q.kinds[j.Kind]
			if k == nil || q.holds(&j) {
				continue // for a process that knows the kind; or this one was asleep, and the heartbeat is late
			}
			if j.Cancel || j.Crashes+1 >= maxCrashes {
				// Claimed once more, only to be ended.
				j.Lease++
				if _, err := db.Exec(ctx, tx, `UPDATE job SET owner = ?, lease = ?, lease_until = ? WHERE id = ?`,
					q.owner, j.Lease, now.Add(q.lease), j.ID); err != nil {
					return err
				}
				over = append(over, j)
				continue
			}
			if _, err := db.Exec(ctx, tx, `UPDATE job SET state = 'pending', owner = '', lease = lease + 1, lease_until = NULL,
				attempt = attempt - 1, crashes = crashes + 1 WHERE id = ?`, j.ID); err != nil {
				return err
			}
			q.log.Warn("a job's process ended; the job runs again", "kind", j.Kind, "job", j.ID, "crashes", j.Crashes+1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, j := range over {
		state, cause := Failed, fmt.Errorf("job: %w %d times while it ran", ErrCrashed, j.Crashes+1)
		if j.Cancel {
			state, cause = Cancelled, ErrCancelled
		}
		q.report(&j, q.end(ctx, q.kinds[j.Kind], &j, state, cause))
	}
	return nil
}

// heartbeat keeps the leases of the running jobs, and notices those that were lost
// or that another process cancelled.
func (q *Queue) heartbeat() {
	ctx, cancel := q.until(q.ended)
	defer cancel()
	tick := time.NewTicker(q.poll)
	defer tick.Stop()
	extended := time.Now()
	for {
		select {
		case <-q.ended:
			return
		case <-tick.C:
		}
		held := q.held()
		if len(held) == 0 {
			continue
		}
		err := error(nil)
		if time.Since(extended) >= q.lease/3 {
			if err = q.extend(ctx, held); err == nil {
				extended = time.Now()
			}
		}
		if err == nil {
			err = q.compare(ctx, held)
		}
		if err != nil && ctx.Err() == nil {
			q.log.Error("leases cannot be kept", "error", err)
		}
	}
}

// holds tells whether this process runs the job under this claim.
func (q *Queue) holds(j *Job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.running[j.ID]
	return r != nil && r.Lease == j.Lease
}

func (q *Queue) held() map[int64]*run {
	q.mu.Lock()
	defer q.mu.Unlock()
	held := make(map[int64]*run, len(q.running))
	maps.Copy(held, q.running)
	return held
}

// extend names the jobs, so that a row which is ours without our knowing (its commit's
// answer was lost) runs out. A row that is locked is just being completed.
func (q *Queue) extend(ctx context.Context, held map[int64]*run) error {
	list, err := ids(held)
	if err != nil {
		return err
	}
	return q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, tx.Pick(
			`UPDATE job SET lease_until = ? WHERE state = 'running' AND owner = ? AND id IN (SELECT value FROM json_each(?))`,
			`UPDATE job SET lease_until = ? WHERE id IN (SELECT id FROM job WHERE state = 'running' AND owner = ?
			 AND id IN (SELECT value::bigint FROM json_array_elements_text(?::json)) FOR UPDATE SKIP LOCKED)`),
			time.Now().Add(q.lease), q.owner, list)
		return err
	})
}

// compare tells the runs that were cancelled, or that lost their job to another claim. A
// row that has just ended under our own claim is not lost.
func (q *Queue) compare(ctx context.Context, held map[int64]*run) error {
	type row struct {
		ID     int64 `db:"id"`
		Lease  int64 `db:"lease"`
		Cancel bool  `db:"cancel"`
	}
	list, err := ids(held)
	if err != nil {
		return err
	}
	rows, err := db.All[row](ctx, q.d, `SELECT id, lease, cancel FROM job WHERE id IN (SELECT `+
		q.d.Pick(`value FROM json_each(?)`, `value::bigint FROM json_array_elements_text(?::json)`)+`)`, list)
	if err != nil {
		return err
	}
	for _, row := range rows {
		r := held[row.ID]
		if r.Lease != row.Lease {
			continue
		}
		delete(held, row.ID)
		if row.Cancel {
			r.cancel(ErrCancelled)
		}
	}
	for _, r := range held {
		r.cancel(ErrLost)
	}
	return nil
}

func ids(held map[int64]*run) (json.RawMessage, error) {
	return json.Marshal(slices.Collect(maps.Keys(held)))
}

// maxCrashes is how many runs of one job the process may not survive. It is
// large, because a job is seldom what ends the process, and bounded, because it may be.
const maxCrashes = 100

// failedKept is how long failed jobs can be looked at.
const failedKept = 7 * 24 * time.Hour

// pruner removes ended jobs.
func (q *Queue) pruner() {
	ctx, cancel := q.until(q.ended)
	defer cancel()
	tick := time.NewTicker(q.keep / 10)
	defer tick.Stop()
	for {
		select {
		case <-q.ended:
			return
		case <-tick.C:
		}
		if err := q.prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
			q.log.Error("ended jobs cannot be removed", "error", err)
		}
	}
}

func (q *Queue) prune(ctx context.Context, now time.Time) error {
	const batch = 2000
	for which, before := range map[string]time.Time{
		`state IN ('done', 'cancelled')`: now.Add(-q.keep),
		`state = 'failed'`:               now.Add(-failedKept),
	} {
		for n := int64(batch); n == batch; {
			err := q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				n, err = db.Exec(ctx, tx, `DELETE FROM job WHERE id IN
					(SELECT id FROM job WHERE `+which+` AND ended_at < ? ORDER BY ended_at LIMIT ?)`, before, batch)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Depth is how many jobs of a kind are in a state.
type Depth struct {
	Kind  string `db:"kind"`
	State string `db:"state"` // Pending, Delayed, Running or Failed
	Count int64  `db:"n"`
}

// Stats counts the unfinished jobs, and the failed ones of the last week, by kind and
// state.
func (q *Queue) Stats(ctx context.Context) ([]Depth, error) {
	return db.All[Depth](ctx, q.d, `SELECT kind, 'pending' AS state, count(*) AS n FROM job WHERE state = 'pending' GROUP BY kind
		UNION ALL SELECT kind, 'delayed', count(*) FROM job WHERE state = 'delayed' GROUP BY kind
		UNION ALL SELECT kind, 'running', count(*) FROM job WHERE state = 'running' GROUP BY kind
		UNION ALL SELECT kind, 'failed', count(*) FROM job WHERE state = 'failed' GROUP BY kind
		ORDER BY 1, 2`)
}
