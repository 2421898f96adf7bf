package document

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"atrium/internal/db"
	"atrium/internal/job"
)

const (
	mostTogether = 32
	// storingTime bounds a shared transaction, which no job's end may break off.
	storingTime = time.Minute
)

// storing lets readings of an organization that end while another is being stored
// share the next transaction, which is most of what a short document costs.
type storing struct {
	mu   sync.Mutex
	orgs map[int64][]*ending // those who wait, while somebody of the organization stores
}

// ending is a reading that is to be stored.
type ending struct {
	ctx  context.Context // of its job
	job  *job.Job
	r    *reading
	err  error
	turn chan bool // true: store, with others; false: it was stored, or err tells why not
}

// errUnstored is for those who waited on one who panicked.
var errUnstored = errors.New("document: storing broke off")

// enter tells whether e stores at once; otherwise it waits for its turn.
func (w *storing) enter(e *ending) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting, busy := w.orgs[e.r.OrgID]
	if busy {
		waiting = append(waiting, e)
	}
	w.orgs[e.r.OrgID] = waiting
	return !busy
}

// with are e and those who wait.
func (w *storing) with(e *ending) []*ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting := w.orgs[e.r.OrgID]
	n := min(len(waiting), mostTogether-1)
	w.orgs[e.r.OrgID] = waiting[n:]
	return append([]*ending{e}, waiting[:n]...)
}

// leave lets the next one store and the others of the batch go.
func (w *storing) leave(e *ending, batch []*ending) {
	w.mu.Lock()
	if waiting := w.orgs[e.r.OrgID]; len(waiting) > 0 {
		waiting[0].turn <- true
		w.orgs[e.r.OrgID] = waiting[1:]
	} else {
		delete(w.orgs, e.r.OrgID)
	}
	w.mu.Unlock()
	for _, other := range batch {
		if other != e {
			other.turn <- false
		}
	}
}

// store ends a reading and its job in one transaction.
func (s *Documents) store(ctx context.Context, j *job.Job, r *reading) error {
	e := &ending{ctx: ctx, job: j, r: r, err: errUnstored, turn: make(chan bool, 1)}
	if r.Redaction != "" {
		// Files are removed after it, so it has to be on the disk.
		return s.commit(ctx, s.DB.Tx, e)
	}
	if !s.storing.enter(e) && !<-e.turn {
		return e.err
	}
	batch := s.storing.with(e)
	defer s.storing.leave(e, batch)
	s.storeAll(batch)
	return e.err
}

// storeAll stores readings together or, when that fails, one by one, so that each
// fails for its own reasons only.
func (s *Documents) storeAll(batch []*ending) {
	if len(batch) > 1 {
		// In one order everywhere, so that servers do not wait for each other's rows.
		slices.SortFunc(batch, func(a, b *ending) int { return cmp.Compare(a.r.ID, b.r.ID) })
		ctx, cancel := context.WithTimeout(db.WithOrg(context.Background(), batch[0].r.OrgID), storingTime)
		defer cancel()
		if s.commit(ctx, s.DB.Relaxed, batch...) == nil {
			for _, e := range batch {
				e.err = nil
			}
			return
		}
	}
	for _, e := range batch {
		e.err = s.commit(e.ctx, s.DB.Relaxed, e)
	}
}

// commit stores in one transaction. One that is relaxed may be taken by a power cut,
// together with the ends of the jobs: then they run again.
func (s *Documents) commit(ctx context.Context, run func(context.Context, func(context.Context, *db.Tx) error) error, batch ...*ending) error {
	readings, jobs := make([]*reading, len(batch)), make([]*job.Job, len(batch))
	for i, e := range batch {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		readings[i], jobs[i] = e.r, e.job
	}
	return run(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := s.keep(ctx, tx, readings...); err != nil {
			return err
		}
		return job.CompleteAll(ctx, tx, jobs...)
	})
}
