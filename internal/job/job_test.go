package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue makes a queue in a hurry.
func queue(d *db.DB) *Queue {
	q := New(d, slog.New(slog.DiscardHandler))
	q.poll, q.lease = 10*time.Millisecond, time.Minute
	return q
}

func start(t *testing.T, q *Queue) {
	t.Helper()
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func enqueue(t *testing.T, q *Queue, s Spec) (id int64) {
	t.Helper()
	err := q.d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = q.Enqueue(ctx, tx, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func change(t *testing.T, d *db.DB, query string, args ...any) {
	t.Helper()
	err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type row struct {
	State   string `db:"state"`
	Attempt int    `db:"attempt"`
	Error   string `db:"error"`
}

// await waits until the job has the state, and answers its row.
func await(t *testing.T, q *Queue, id int64, state string) row {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		r, err := db.One[row](t.Context(), q.d, `SELECT state, attempt, error FROM job WHERE id = ?`, id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State == state {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("job %d stays %s (%s), not %s", id, r.State, r.Error, state)
		}
	}
}

func at(int) time.Duration { return time.Millisecond }

func TestHowAJobEnds(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad input")
	cases := map[string]struct {
		h       Handler
		payload any
		want    row
		failed  int
	}{
		"well":                                {Handler{Run: func(context.Context, *Job) error { return nil }}, nil, row{Done, 1, ""}, 0},
		"failed for good at once":             {Handler{Run: func(context.Context, *Job) error { return Permanent(bad) }}, nil, row{Failed, 1, "bad input"}, 1},
		"failed when its attempts are used":   {Handler{Run: func(context.Context, *Job) error { return bad }}, nil, row{Failed, 3, "bad input"}, 1},
		"well at the second attempt":          {Handler{Run: func(_ context.Context, j *Job) error { return map[int]error{1: bad}[j.Attempt] }}, nil, row{Done, 2, ""}, 0},
		"failed by a panic":                   {Handler{Run: func(context.Context, *Job) error { panic("boom") }}, nil, row{Failed, 3, "panic: boom"}, 1},
		"failed by a payload of another form": {Handler{Run: func(_ context.Context, j *Job) error { return j.Decode(new(int)) }}, "text", row{Failed, 1, "cannot be read"}, 1},
		"failed by its timeout": {Handler{Timeout: time.Millisecond, Run: func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			return ctx.Err()
		}}, nil, row{Failed, 3, "took longer than 1ms"}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				q := queue(d)
				var failed atomic.Int64
				h := c.h // both engines change it
				h.MaxAttempts, h.Backoff = 3, at
				h.Failed = func(_ context.Context, _ *db.Tx, _ *Job, cause error) error {
					failed.Add(1)
					if cause == nil {
						t.Error("there is no cause")
					}
					return nil
				}
				q.Handle("k", h)
				start(t, q)
				id := enqueue(t, q, Spec{Kind: "k", Payload: c.payload})
				got := await(t, q, id, c.want.State)
				if got.Attempt != c.want.Attempt || !strings.Contains(got.Error, c.want.Error) || c.want.Error == "" && got.Error != "" {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if failed.Load() != int64(c.failed) {
					t.Errorf("Failed was called %d times", failed.Load())
				}
			})
		})
	}
}

func TestAJobOfATransactionThatRolledBackNeverRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		ran := make(chan string, 4)
		q.Handle("k", Handler{Run: func(_ context.Context, j *Job) error { ran <- j.Key; return nil }})
		start(t, q)
		for _, immediate := range []bool{true, false} {
			err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if _, err := q.Enqueue(ctx, tx, Spec{Kind: "k", Key: "no", Immediate: immediate}); err != nil {
					t.Error(err)
				}
				return errors.New("rolled back")
			})
			if err == nil {
				t.Fatal("it committed")
			}
		}
		await(t, q, enqueue(t, q, Spec{Kind: "k", Key: "yes"}), Done)
		if got := <-ran; got != "yes" || len(ran) != 0 {
			t.Errorf("%q ran", got)
		}
	})
}

func TestEffectAndCompletionAreOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		change(t, d, `CREATE TABLE effect (job BIGINT)`)
		q.Handle("k", Handler{Backoff: at, Run: func(ctx context.Context, j *Job) error {
			return d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				if _, err := db.Exec(ctx, tx, `INSERT INTO effect (job) VALUES (?)`, j.ID); err != nil {
					return err
				}
				if err := j.Complete(ctx, tx); err != nil {
					return err
				}
				if j.Attempt == 1 {
					return errors.New("rolled back after Complete")
				}
				return nil
			})
		}})
		start(t, q)
		id := enqueue(t, q, Spec{Kind: "k"})
		if r := await(t, q, id, Done); r.Attempt != 2 {
			t.Errorf("attempt %d", r.Attempt)
		}
		if got, err := db.All[int64](t.Context(), d, `SELECT job FROM effect`); err != nil || !slices.Equal(got, []int64{id}) {
			t.Errorf("effects %v, %v", got, err)
		}
	})
}

func TestARunThatLostItsLeaseCannotComplete(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		change(t, d, `CREATE TABLE effect (attempt BIGINT)`)
		first, second := make(chan error, 1), make(chan struct{})
		q.Handle("k", Handler{Workers: 2, Run: func(ctx context.Context, j *Job) error {
			if j.Attempt == 1 {
				<-ctx.Done() // told that the lease was lost
				<-second
			}
			err := d.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *db.Tx) error {
				if _, err := db.Exec(ctx, tx, `INSERT INTO effect (attempt) VALUES (?)`, j.Attempt); err != nil {
					return err
				}
				return j.Complete(ctx, tx)
			})
			if j.Attempt == 1 {
				first <- errors.Join(err, context.Cause(ctx))
			} else {
				close(second)
			}
			return err
		}})
		start(t, q)
		id := enqueue(t, q, Spec{Kind: "k"})
		await(t, q, id, Running)
		// What another process does when this one has been silent for too long.
		change(t, d, `UPDATE job SET state = 'pending', owner = '', lease = lease + 1 WHERE id = ?`, id)
		if err := <-first; !errors.Is(err, ErrLost) {
			t.Errorf("the first run got %v", err)
		}
		await(t, q, id, Done)
		if got, err := db.All[int](t.Context(), d, `SELECT attempt FROM effect`); err != nil || !slices.Equal(got, []int{2}) {
			t.Errorf("effects of attempts %v, %v", got, err)
		}
	})
}

func TestAJobThatHasJustEndedIsNotTakenForLost(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		q.poll = time.Millisecond
		told := make(chan error, 1)
		q.Handle("k", Handler{Run: func(ctx context.Context, j *Job) error {
			err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				// Committed, and not yet known to the queue, for many heartbeats.
				tx.AfterCommit(func() { time.Sleep(50 * time.Millisecond) })
				return j.Complete(ctx, tx)
			})
			told <- errors.Join(err, context.Cause(ctx))
			return err
		}})
		start(t, q)
		id := enqueue(t, q, Spec{Kind: "k"})
		if err := <-told; err != nil {
			t.Error(err)
		}
		if r := await(t, q, id, Done); r.Attempt != 1 {
			t.Errorf("attempt %d", r.Attempt)
		}
	})
}

func TestAJobWhoseProcessDiedRunsAgainUntilItMayBeTheCause(t *testing.T) {
	t.Parallel()
	for crashes, want := range map[int]row{0: {Done, 3, ""}, 50: {Done, 3, ""}, maxCrashes - 1: {Failed, 3, "the server ended 100 times"}} {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				q := queue(d)
				var cause atomic.Value
				q.Handle("k", Handler{MaxAttempts: 3,
					Run:    func(context.Context, *Job) error { return nil },
					Failed: func(_ context.Context, _ *db.Tx, _ *Job, err error) error { cause.Store(err.Error()); return nil }})
				id := enqueue(t, q, Spec{Kind: "k"})
				until := time.Now().Add(-time.Second)
				if d.Engine() == db.SQLite {
					until = time.Now().Add(time.Hour) // void all the same: nobody else can be alive
				}
				change(t, d, `UPDATE job SET state = 'running', owner = 'dead', attempt = 3, crashes = ?, lease = 3, lease_until = ? WHERE id = ?`,
					crashes, until, id)
				start(t, q)
				got := await(t, q, id, want.State)
				if got.Attempt != want.Attempt || !strings.Contains(got.Error, want.Error) {
					t.Errorf("got %+v", got)
				}
				if text, _ := cause.Load().(string); !strings.Contains(text, want.Error) {
					t.Errorf("Failed got %q", text)
				}
			})
		})
	}
}

func TestLeasesOfLongJobsAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		q.lease = 300 * time.Millisecond
		release := make(chan struct{})
		var runs atomic.Int64
		q.Handle("k", Handler{Workers: 2, Run: func(context.Context, *Job) error { runs.Add(1); <-release; return nil }})
		start(t, q)
		id := enqueue(t, q, Spec{Kind: "k"})
		await(t, q, id, Running)
		// A process that was asleep finds its own leases ended; what it still runs is not lost.
		change(t, d, `UPDATE job SET lease_until = ? WHERE id = ?`, time.Now().Add(-time.Hour), id)
		first, err := db.One[int64](t.Context(), d, `SELECT lease_until FROM job WHERE id = ?`, id)
		for now := first; err == nil && now <= first+int64(q.lease/time.Microsecond); time.Sleep(5 * time.Millisecond) {
			now, err = db.One[int64](t.Context(), d, `SELECT lease_until FROM job WHERE id = ?`, id)
		}
		if err != nil {
			t.Fatal(err)
		}
		close(release)
		if r := await(t, q, id, Done); r.Attempt != 1 || runs.Load() != 1 {
			t.Errorf("it ran %d times, attempt %d", runs.Load(), r.Attempt)
		}
	})
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		causes := make(chan error, 1)
		q.Handle("k", Handler{
			Run:    func(ctx context.Context, _ *Job) error { <-ctx.Done(); return ctx.Err() },
			Failed: func(_ context.Context, _ *db.Tx, _ *Job, err error) error { causes <- err; return nil }})
		q.Handle("later", Handler{Run: func(context.Context, *Job) error { t.Error("a cancelled job ran"); return nil }})
		start(t, q)
		cancel := func(f func(ctx context.Context, tx *db.Tx) error) {
			t.Helper()
			if err := d.Tx(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		for name, spec := range map[string]Spec{"by id": {Kind: "k"}, "by key": {Kind: "k", Key: "x"}, "from another process": {Kind: "k"}} {
			id := enqueue(t, q, spec)
			await(t, q, id, Running)
			switch name {
			case "by id":
				cancel(func(ctx context.Context, tx *db.Tx) error { return q.Cancel(ctx, tx, id) })
			case "by key":
				cancel(func(ctx context.Context, tx *db.Tx) error { return q.CancelKey(ctx, tx, "k", "x") })
			default:
				other := queue(d)
				cancel(func(ctx context.Context, tx *db.Tx) error { return other.Cancel(ctx, tx, id) })
			}
			if err := <-causes; !errors.Is(err, ErrCancelled) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: the cause is %v", name, err)
			}
			await(t, q, id, Cancelled)
		}
		id := enqueue(t, q, Spec{Kind: "later", RunAt: time.Now().Add(time.Hour)})
		cancel(func(ctx context.Context, tx *db.Tx) error { return q.Cancel(ctx, tx, id) })
		await(t, q, id, Cancelled)
	})
}

func TestAJobCancelledWhileItEndsWellIsCancelled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		q.poll = time.Hour // only its own end finds out
		told := make(chan error, 1)
		q.Handle("k", Handler{
			Run: func(ctx context.Context, j *Job) error {
				return d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
					_, err := db.Exec(ctx, tx, `UPDATE job SET cancel = TRUE WHERE id = ?`, j.ID)
					return err
				})
			},
			Failed: func(_ context.Context, _ *db.Tx, _ *Job, err error) error { told <- err; return nil }})
		start(t, q)
		await(t, q, enqueue(t, q, Spec{Kind: "k"}), Cancelled)
		if err := <-told; !errors.Is(err, ErrCancelled) {
			t.Errorf("Failed got %v", err)
		}
	})
}

func TestAKeyIsUniqueAmongUnfinishedJobs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := queue(d)
		first := enqueue(t, q, Spec{Kind: "k", Key: "x"})
		got := []int64{
			enqueue(t, q, Spec{Kind: "k", Key: "x"}),
			enqueue(t, q, Spec{Kind: "k", Key: "x", RunAt: time.Now().Add(time.Hour)}),
		}
		if diff := cmp.Diff([]int64{first, first}, got); diff != "" {
			t.Error(diff)
		}
		others := []int64{first, enqueue(t, q, Spec{Kind: "other", Key: "x"}), enqueue(t, q, Spec{Kind: "k"}), enqueue(t, q, Spec{Kind: "k"})}
		q.Handle("k", Handler{Run: func(context.Context, *Job) error { return nil }})
		start(t, q)
		await(t, q, first, Done)
		others = append(others, enqueue(t, q, Spec{Kind: "k", Key: "x"}))
		slices.Sort(others)
		if n := len(slices.Compact(others)); n != 5 {
			t.Errorf("%d jobs, want 5", n)
		}
	})
}

func TestAFailingFailedCannotKeepAJobFromEnding(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func() error{"an error": func() error { return errors.New("no room") }, "a panic": func() error { panic("no room") }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				q := queue(d)
				change(t, d, `CREATE TABLE effect (job BIGINT)`)
				var calls atomic.Int64
				q.Handle("k", Handler{Run: func(context.Context, *Job) error { return Permanent(errors.New("bad")) },
					Failed: func(ctx context.Context, tx *db.Tx, j *Job, _ error) error {
						calls.Add(1)
						if _, err := db.Exec(ctx, tx, `INSERT INTO effect (job) VALUES (?)`, j.ID); err != nil {
							t.Error(err)
						}
						return f()
					}})
				start(t, q)
				r := await(t, q, enqueue(t, q, Spec{Kind: "k"}), Failed)
				if !strings.Contains(r.Error, "bad") || !strings.Contains(r.Error, "no room") || calls.Load() != 3 {
					t.Errorf("%d calls, %+v", calls.Load(), r)
				}
				if got, err := db.All[int64](t.Context(), d, `SELECT job FROM effect`); err != nil || len(got) != 0 {
					t.Errorf("half of it stayed: %v, %v", got, err)
				}
			})
		})
	}
}
