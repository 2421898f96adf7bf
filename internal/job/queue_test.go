package job

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestStopWaitsThenGivesBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		begun := make(chan struct{}, 2)
		release := make(chan struct{})
		q.Handle("quick", Handler{Run: func(context.Context, *Job) error { begun <- struct{}{}; <-release; return nil }})
		q.Handle("slow", Handler{Run: func(ctx context.Context, _ *Job) error { begun <- struct{}{}; <-ctx.Done(); return ctx.Err() }})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		quick, slow := enqueue(t, q, Spec{Kind: "quick"}), enqueue(t, q, Spec{Kind: "slow"})
		<-begun
		<-begun
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			close(release)
			await(t, q, quick, Done)
			cancel()
		}()
		if err := q.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if r := await(t, q, slow, Pending); r.Attempt != 0 {
			t.Errorf("the attempt counts: %+v", r)
		}
		late := enqueue(t, q, Spec{Kind: "quick", Immediate: true})
		if r := await(t, q, late, Pending); r.Attempt != 0 {
			t.Errorf("a job enqueued after Stop: %+v", r)
		}
	})
}

func TestWorkersAreSharedBetweenOrganizations(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		begun, release := make(chan int64), make(chan struct{})
		q.Handle("k", Handler{Workers: 2, Run: func(_ context.Context, j *Job) error {
			begun <- j.OrgID
			<-release
			return nil
		}})
		for range 9 {
			enqueue(t, q, Spec{Kind: "k", OrgID: 1})
		}
		for range 3 {
			enqueue(t, q, Spec{Kind: "k", OrgID: 2})
		}
		start(t, q)
		// Each has a worker as long as it has work; first come, first served would make the
		// small one wait for all of the large one.
		for _, want := range []int64{3, 3, 3, 2, 2, 2} {
			if got := <-begun + <-begun; got != want {
				t.Errorf("the organizations of two jobs add up to %d, want %d", got, want)
			}
			release <- struct{}{}
			release <- struct{}{}
		}
	})
}

func TestAJobRunsAndFailsBehindTheWallOfItsOrganization(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	q := queue(d)
	ran := make(chan string, 2)
	q.Handle("k", Handler{MaxAttempts: 1,
		Run: func(ctx context.Context, _ *Job) error {
			org, err := db.One[string](ctx, d, `SELECT current_setting('atrium.org', TRUE)`)
			ran <- org
			return Permanent(errors.Join(errors.New("it fails"), err))
		},
		Failed: func(ctx context.Context, tx *db.Tx, _ *Job, _ error) error {
			org, err := db.One[string](ctx, tx, `SELECT current_setting('atrium.org', TRUE)`)
			ran <- org
			return err
		}})
	enqueue(t, q, Spec{Kind: "k", OrgID: 7})
	start(t, q)
	if run, failed := <-ran, <-ran; run != "7" || failed != "7" {
		t.Errorf("it ran for organization %q and failed for %q", run, failed)
	}
}

func TestHigherPriorityThenOlderRunsFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		ran := make(chan string, 4)
		q.Handle("k", Handler{Run: func(_ context.Context, j *Job) error { ran <- j.Key; return nil }})
		for _, s := range []Spec{{Key: "c"}, {Key: "d"}, {Key: "a", Priority: 2}, {Key: "b", Priority: 1}} {
			s.Kind = "k"
			enqueue(t, q, s)
		}
		start(t, q)
		if got := <-ran + <-ran + <-ran + <-ran; got != "abcd" {
			t.Errorf("order %s", got)
		}
	})
}

func TestManyOrganizationsAreAllServed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		q.Handle("k", Handler{Workers: 8, Run: func(context.Context, *Job) error { return nil }})
		ids := make([]int64, 3*orgsAtOnce)
		err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			for i := range ids {
				if ids[i], err = q.Enqueue(ctx, tx, Spec{Kind: "k", OrgID: int64(i - 5)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		start(t, q)
		for _, id := range ids {
			await(t, q, id, Done)
		}
	})
}

func TestImmediateJobsStartWithoutASearch(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		q.poll = time.Hour
		release, begun := make(chan struct{}), make(chan int64, 3)
		q.Handle("k", Handler{Run: func(_ context.Context, j *Job) error { begun <- j.ID; <-release; return nil }})
		start(t, q)
		var state string
		var first int64
		err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			if first, err = q.Enqueue(ctx, tx, Spec{Kind: "k", Immediate: true}); err == nil {
				state, err = db.One[string](ctx, tx, `SELECT state FROM job WHERE id = ?`, first)
			}
			return err
		})
		if err != nil || state != Running {
			t.Fatalf("it was %q, %v", state, err)
		}
		if got := <-begun; got != first {
			t.Errorf("job %d began", got)
		}
		// The only worker is busy: an ordinary job, which runs next.
		second := enqueue(t, q, Spec{Kind: "k", Immediate: true})
		await(t, q, second, Pending)
		close(release)
		if got := <-begun; got != second {
			t.Errorf("job %d began", got)
		}
		await(t, q, second, Done)
	})
}

func TestSeveralProcessesNeverRunAJobTwice(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	var mu sync.Mutex
	runs := map[int64]int{}
	queues := []*Queue{queue(d), queue(d), queue(d)}
	for _, q := range queues {
		q.Handle("k", Handler{Workers: 4, Run: func(_ context.Context, j *Job) error {
			mu.Lock()
			defer mu.Unlock()
			runs[j.ID]++
			return nil
		}})
		start(t, q)
	}
	var ids []int64
	for i := range 120 {
		ids = append(ids, enqueue(t, queues[i%3], Spec{Kind: "k", OrgID: int64(i % 4), Immediate: i%2 == 0}))
	}
	for _, id := range ids {
		await(t, queues[0], id, Done)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		if runs[id] != 1 {
			t.Errorf("job %d ran %d times", id, runs[id])
		}
	}
}

func TestDelayedJobsRunWhenTheirTimeHasCome(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		q.poll = time.Hour // the timer alone
		ran := make(chan time.Time, 2)
		q.Handle("k", Handler{Run: func(context.Context, *Job) error { ran <- time.Now(); return nil }})
		start(t, q)
		due := time.Now().Add(50 * time.Millisecond)
		enqueue(t, q, Spec{Kind: "k", RunAt: due.Add(time.Hour)})
		id := enqueue(t, q, Spec{Kind: "k", RunAt: due})
		await(t, q, id, Done)
		if got := <-ran; got.Before(due.Truncate(time.Microsecond)) || len(ran) != 0 {
			t.Errorf("it ran %s too early", due.Sub(got))
		}
	})
}

func TestEndedJobsArePruned(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		now := time.Now()
		for i, r := range []struct {
			state string
			age   time.Duration
		}{
			{Done, time.Minute}, {Done, time.Hour}, {Cancelled, time.Hour}, {Failed, time.Hour}, {Failed, 8 * 24 * time.Hour}, {Pending, 0},
		} {
			id := enqueue(t, q, Spec{Kind: "k", OrgID: int64(i)})
			if r.state != Pending {
				change(t, d, `UPDATE job SET state = ?, ended_at = ? WHERE id = ?`, r.state, now.Add(-r.age), id)
			}
		}
		if err := q.prune(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		left, err := db.All[int](t.Context(), d, `SELECT org_id FROM job ORDER BY org_id`)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{0, 3, 5}, left); diff != "" {
			t.Error(diff)
		}
		stats, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Depth{{"k", Failed, 1}, {"k", Pending, 1}}, stats); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAKindThatYieldsRunsOneJobAtATimeWhileOthersArePressed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		var pressed atomic.Bool
		pressed.Store(true)
		q.YieldTo(pressed.Load)
		var running, most atomic.Int32
		begun, release := make(chan string, 20), make(chan struct{})
		run := func(_ context.Context, j *Job) error {
			if j.Kind == "yields" {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
			}
			begun <- j.Kind
			<-release
			return nil
		}
		q.Handle("yields", Handler{Workers: 4, Yields: true, Run: run})
		q.Handle("goes on", Handler{Workers: 2, Run: run})
		start(t, q)
		for range 2 {
			enqueue(t, q, Spec{Kind: "goes on"})
		}
		for range 2 {
			if kind := <-begun; kind != "goes on" {
				t.Fatalf("%s began", kind)
			}
		}
		for range 3 {
			enqueue(t, q, Spec{Kind: "yields", Immediate: true})
		}
		<-begun
		for range 4 { // both that go on, and two of the three that yield
			release <- struct{}{}
		}
		<-begun
		<-begun
		if n := most.Load(); n != 1 {
			t.Errorf("%d of those that yield ran at once", n)
		}
		pressed.Store(false)
		for range 3 {
			enqueue(t, q, Spec{Kind: "yields"})
		}
		for range 3 { // beside the one that is running
			<-begun
		}
		close(release)
	})
}
