package job

import (
	"context"
	"sync/atomic"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

// BenchmarkTrivialJobs enqueues and runs jobs that do nothing: by the queue's own
// completion, and each completed in a durable transaction of its own.
func BenchmarkTrivialJobs(b *testing.B) {
	for name, own := range map[string]bool{"marked": false, "completed": true} {
		for _, e := range dbtest.Engines {
			b.Run(name+"/"+string(e), func(b *testing.B) {
				d := dbtest.Open(b, e)
				q := queue(d)
				var left atomic.Int64
				done := make(chan struct{})
				q.Handle("k", Handler{Workers: 16, Run: func(ctx context.Context, j *Job) error {
					if own {
						if err := d.Tx(ctx, j.Complete); err != nil {
							return err
						}
					}
					if left.Add(-1) == 0 {
						close(done)
					}
					return nil
				}})
				left.Store(int64(b.N))
				b.ResetTimer()
				for i := 0; i < b.N; i += 100 {
					err := d.Tx(b.Context(), func(ctx context.Context, tx *db.Tx) error {
						for n := i; n < min(i+100, b.N); n++ {
							if _, err := q.Enqueue(ctx, tx, Spec{Kind: "k", OrgID: int64(n % 3)}); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				if err := q.Start(b.Context()); err != nil {
					b.Fatal(err)
				}
				<-done
				if err := q.Stop(context.Background()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			})
		}
	}
}
