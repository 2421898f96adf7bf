package job

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"atrium/internal/db"
)

// Queue claims jobs and runs them. One per process.
type Queue struct {
	d     *db.DB
	log   *slog.Logger
	owner string // names this process in the leases
	kinds map[string]*kind

	poll, lease, keep time.Duration // see New
	pressed           func() bool   // see YieldTo

	mu      sync.Mutex
	running map[int64]*run
	next    time.Time // the earliest delayed job we know of; zero is none
	dues    int       // counts the calls of due
	open    bool      // jobs may be launched

	wake     chan struct{} // there may be something to claim
	finish   chan *run     // ran well, to be marked done
	stopping chan struct{} // closed: claim no more
	ended    chan struct{} // closed: every run is over or given back
	runs     sync.WaitGroup
	loops    sync.WaitGroup
	stop     sync.Once
}

// kind is a handler and its workers.
type kind struct {
	name string
	Handler
	busy    int           // workers in use
	byOrg   map[int64]int // and whose
	more    bool          // there may be pending jobs
	claimed time.Time     // when they were searched for last
	rest    time.Time     // until when it rests, if it has to
	cursor  int64         // the organization after which the next search begins
	served  int64         // the organization that got the last job
}

// run is a job in the hands of a worker.
type run struct {
	*Job
	kind   *kind
	began  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// New makes a queue that does nothing until Start.
func New(d *db.DB, log *slog.Logger) *Queue {
	if log == nil {
		log = slog.Default()
	}
	return &Queue{
		d: d, log: log, owner: rand.Text(), kinds: map[string]*kind{}, running: map[int64]*run{},
		poll: time.Second, lease: 15 * time.Second, keep: 10 * time.Minute,
		pressed: func() bool { return false },
		wake:    make(chan struct{}, 1), finish: make(chan *run, 256),
		stopping: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Handle says how jobs of the kind are run. Call it before Start; it panics on a kind
// that is there already or has no Run.
func (q *Queue) Handle(name string, h Handler) {
	if q.kinds[name] != nil || h.Run == nil {
		panic("job: the handler of " + name + " is there already or has no Run")
	}
	q.kinds[name] = &kind{name: name, Handler: h.withDefaults(), byOrg: map[int64]int{}, more: true}
}

// YieldTo has kinds that yield run one job at a time, with rests between, while pressed
// answers true. Call it before Start.
func (q *Queue) YieldTo(pressed func() bool) { q.pressed = pressed }

// Start begins to run jobs. ctx is only for starting; Stop ends it. On SQLite one
// process owns the data folder, so whatever a dead one was running is ready at once.
func (q *Queue) Start(ctx context.Context) error {
	if q.d.Engine() == db.SQLite {
		err := q.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `UPDATE job SET lease_until = 0 WHERE state = 'running'`)
			return err
		})
		if err != nil {
			return fmt.Errorf("job: taking over the jobs of the last run: %w", err)
		}
	}
	q.mu.Lock()
	q.open = true
	q.mu.Unlock()
	for _, loop := range []func(){q.dispatch, q.finisher, q.heartbeat, q.pruner} {
		q.loops.Go(loop)
	}
	return nil
}

// Stop claims no more jobs and waits for the running ones until ctx ends. Then it
// cancels them and gives them back: they will run again, and this attempt does not
// count. The error names how many did not even end then.
func (q *Queue) Stop(ctx context.Context) error {
	var err error
	q.stop.Do(func() {
		q.mu.Lock()
		q.open = false
		q.mu.Unlock()
		close(q.stopping)
		idle := make(chan struct{})
		go func() {
			q.runs.Wait()
			close(idle)
		}()
		select {
		case <-idle:
		case <-ctx.Done():
			q.interruptAll(errStopping)
			select {
			case <-idle:
			case <-time.After(5 * time.Second):
				err = errors.New("job: some jobs did not stop when asked; they will run again")
			}
		}
		close(q.ended)
		q.loops.Wait()
		err = errors.Join(err, q.giveBackAll())
	})
	return err
}

// free is how many workers of the kind are idle; none before Start or for an unknown kind.
func (q *Queue) free(k *kind) int {
	if k == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return 0
	}
	workers, _ := q.workers(k)
	return workers - k.busy
}

// workers is how many jobs of the kind may run now, and whether that is because others
// are pressed for the processors.
func (q *Queue) workers(k *kind) (n int, pressed bool) {
	if k.Yields && q.pressed() {
		return 1, true
	}
	return k.Workers, false
}

// more says that a job of the kind may be pending.
func (q *Queue) more(k *kind) {
	q.mu.Lock()
	k.more = true
	q.mu.Unlock()
	q.signal()
}

// due says that a job becomes ready at a time.
func (q *Queue) due(at time.Time) {
	q.mu.Lock()
	q.dues++
	sooner := q.next.IsZero() || at.Before(q.next)
	if sooner {
		q.next = at
	}
	q.mu.Unlock()
	if sooner {
		q.signal()
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// launch gives a claimed job to a worker.
func (q *Queue) launch(k *kind, j *Job) {
	r := &run{Job: j, kind: k, began: time.Now()}
	if j.completed == nil {
		j.completed = new(atomic.Bool)
	}
	r.ctx, r.cancel = context.WithCancelCause(db.WithOrg(context.Background(), j.OrgID))
	q.mu.Lock()
	if !q.open {
		// Stop gives back what is ours in the table.
		q.mu.Unlock()
		r.cancel(errStopping)
		return
	}
	if lost := q.running[j.ID]; lost != nil {
		lost.cancel(ErrLost) // and claimed again here, before the heartbeat could tell
	}
	q.running[j.ID] = r
	k.busy++
	k.byOrg[j.OrgID]++
	q.runs.Add(1)
	q.mu.Unlock()
	go func() {
		defer q.runs.Done()
		err := q.call(r)
		q.idle(r)
		q.settle(r, err)
	}()
}

// idle frees the worker; the lease is kept until the job is settled.
func (q *Queue) idle(r *run) {
	q.mu.Lock()
	k := r.kind
	k.busy--
	k.rest = time.Now().Add(min(time.Since(r.began), longRest))
	if k.byOrg[r.OrgID]--; k.byOrg[r.OrgID] == 0 {
		delete(k.byOrg, r.OrgID)
	}
	more := k.more
	q.mu.Unlock()
	if more {
		q.signal()
	}
}

// forget ends the care for a run's lease.
func (q *Queue) forget(r *run) {
	q.mu.Lock()
	if q.running[r.ID] == r {
		delete(q.running, r.ID)
	}
	q.mu.Unlock()
	r.cancel(nil)
}

func (q *Queue) interrupt(id int64, cause error) {
	q.mu.Lock()
	r := q.running[id]
	q.mu.Unlock()
	if r != nil {
		r.cancel(cause)
	}
}

func (q *Queue) interruptAll(cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.running {
		r.cancel(cause)
	}
}
