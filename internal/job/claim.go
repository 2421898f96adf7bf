package job

import (
	"cmp"
	"context"
	"slices"
	"time"

	"atrium/internal/db"
)

// orgsAtOnce bounds how many organizations one search looks at.
const orgsAtOnce = 64

// again is how long the queue rests when the database refuses.
const again = time.Second

// together is how long free workers wait for half of their kind to be free, so that
// short jobs are claimed several at once.
const together = 5 * time.Millisecond

// longRest bounds how long a kind that yields rests after a job, which is else as
// long as the job took.
const longRest = 2 * time.Second

// dispatch gives pending jobs to free workers. It sleeps until there is something new,
// a delayed job is due, or it is time to look for what other processes left.
func (q *Queue) dispatch() {
	ctx, cancel := q.until(q.stopping)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	look := true
	var looked time.Time
	for {
		failed := false
		if look {
			failed, looked = !q.look(ctx), time.Now()
		}
		q.claimAll(ctx)
		wait := q.poll
		q.mu.Lock()
		if !q.next.IsZero() {
			wait = min(wait, max(time.Until(q.next), time.Millisecond))
		}
		for _, k := range q.kinds {
			if at, ok := q.claimable(k); ok {
				wait = min(wait, max(time.Until(at), 0))
			}
		}
		q.mu.Unlock()
		if failed {
			wait = max(wait, again) // what is due stays due
		}
		timer.Reset(wait)
		select {
		case <-q.wake:
			look = q.isDue()
		case <-timer.C:
			look = q.isDue() || time.Since(looked) >= q.poll
		case <-q.stopping:
			return
		}
	}
}

// until answers a context that ends with the channel.
func (q *Queue) until(end <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-end:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (q *Queue) isDue() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.next.IsZero() && !q.next.After(time.Now())
}

func (q *Queue) claimAll(ctx context.Context) {
	for _, k := range q.kinds {
		for q.wanted(k) {
			if err := q.claim(ctx, k); err != nil {
				if ctx.Err() == nil {
					q.log.Error("jobs cannot be claimed", "kind", k.name, "error", err)
				}
				break
			}
		}
	}
}

// wanted tells whether to search for jobs of the kind, and takes note that it is done.
func (q *Queue) wanted(k *kind) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, ok := q.claimable(k)
	if ok = ok && !at.After(time.Now()); ok {
		k.more, k.claimed = false, time.Now()
	}
	return ok
}

// claimable tells whether there are workers for jobs of the kind that may be pending,
// and from when on they are to be searched for.
func (q *Queue) claimable(k *kind) (at time.Time, ok bool) {
	workers, pressed := q.workers(k)
	if k.busy > workers/2 {
		at = k.claimed.Add(together)
	}
	if pressed && k.rest.After(at) {
		at = k.rest
	}
	return at, k.more && k.busy < workers && q.open
}

// claim takes pending jobs of the kind for its free workers and starts them.
func (q *Queue) claim(ctx context.Context, k *kind) error {
	orgs, err := q.waiting(ctx, k)
	if err != nil || len(orgs) == 0 {
		return err
	}
	// The workers are spoken for while the jobs are fetched.
	shares := make([]*share, len(orgs))
	q.mu.Lock()
	workers, _ := q.workers(k)
	n := max(workers-k.busy, 0)
	k.busy += n
	for i, org := range orgs {
		shares[i] = &share{org: org, has: k.byOrg[org]}
	}
	q.mu.Unlock()
	var jobs []*Job
	if n > 0 {
		jobs, err = q.fetch(ctx, k, shares, n)
	}
	for _, j := range jobs {
		q.launch(k, j)
	}
	q.mu.Lock()
	k.busy -= n
	k.more = k.more || len(jobs) == n
	q.mu.Unlock()
	return err
}

func (q *Queue) fetch(ctx context.Context, k *kind, orgs []*share, n int) ([]*Job, error) {
	var jobs []*Job
	err := q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		jobs = jobs[:0]
		left := orgs
		for len(jobs) < n && len(left) > 0 {
			var again []*share
			for _, s := range divide(left, n-len(jobs)) {
				got, err := q.take(ctx, tx, k.name, s.org, s.give)
				if err != nil {
					return err
				}
				jobs = append(jobs, got...)
				s.has += len(got)
				k.served = s.org
				if len(got) == s.give {
					again = append(again, s)
				}
			}
			left = again
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// share is an organization's part of the workers: what it has and is to get.
type share struct {
	org       int64
	has, give int
}

// divide gives n workers one by one to whoever has the fewest, the first of them in the
// order of orgs.
func divide(orgs []*share, n int) []*share {
	for _, s := range orgs {
		s.give = 0
	}
	if len(orgs) == 1 {
		orgs[0].give = n
		return orgs
	}
	for range n {
		least := slices.MinFunc(orgs, func(a, b *share) int { return cmp.Compare(a.has+a.give, b.has+b.give) })
		least.give++
	}
	return slices.DeleteFunc(slices.Clone(orgs), func(s *share) bool { return s.give == 0 })
}

// waiting answers the organizations with pending jobs of the kind, hopping over the
// index from one to the next.
func (q *Queue) waiting(ctx context.Context, k *kind) ([]int64, error) {
	const hop = `WITH RECURSIVE o(org) AS (
			SELECT min(org_id) FROM job WHERE state = 'pending' AND kind = ? AND org_id > ?
			UNION ALL
			SELECT (SELECT min(org_id) FROM job WHERE state = 'pending' AND kind = ? AND org_id > o.org) FROM o WHERE o.org IS NOT NULL)
		SELECT org FROM o WHERE org IS NOT NULL LIMIT ?`
	orgs, err := db.All[int64](ctx, q.d, hop, k.name, k.cursor, k.name, orgsAtOnce)
	if err != nil {
		return nil, err
	}
	if len(orgs) < orgsAtOnce && k.cursor > minOrg {
		first, err := db.All[int64](ctx, q.d, hop, k.name, minOrg, k.name, orgsAtOnce-len(orgs))
		if err != nil {
			return nil, err
		}
		orgs = append(orgs, first...)
		slices.Sort(orgs)
		orgs = slices.Compact(orgs)
		k.cursor = minOrg
	} else if len(orgs) == orgsAtOnce {
		k.cursor = orgs[len(orgs)-1]
	}
	// In turn, beginning behind the one that was served last.
	turn, _ := slices.BinarySearch(orgs, k.served+1)
	return slices.Concat(orgs[turn:], orgs[:turn]), nil
}

const minOrg = -1 << 62

func (q *Queue) take(ctx context.Context, tx *db.Tx, kind string, org int64, n int) ([]*Job, error) {
	now := time.Now()
	found, err := db.All[Job](ctx, tx, tx.Pick(
		`UPDATE job SET state = 'running', owner = ?, lease_until = ?, lease = lease + 1, attempt = attempt + 1
		 WHERE id IN (SELECT id FROM job WHERE state = 'pending' AND kind = ? AND org_id = ? ORDER BY priority DESC, id LIMIT ?)
		 RETURNING `+columns,
		// The list is made once: planned as a loop, the limit would count for each round.
		`WITH c AS MATERIALIZED (SELECT id AS cid FROM job WHERE state = 'pending' AND kind = $3 AND org_id = $4
		   ORDER BY priority DESC, id LIMIT $5 FOR UPDATE SKIP LOCKED)
		 UPDATE job SET state = 'running', owner = $1, lease_until = $2, lease = lease + 1, attempt = attempt + 1
		 FROM c WHERE id = c.cid RETURNING `+columns),
		q.owner, now.Add(q.lease), kind, org, n)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Job) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID))
	})
	jobs := make([]*Job, len(found))
	for i := range found {
		jobs[i] = &found[i]
	}
	return jobs, nil
}
