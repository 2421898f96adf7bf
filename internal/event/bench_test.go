package event

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"atrium/internal/db/dbtest"
)

// BenchmarkStreams writes 64 streams of 200 events a second, each with a reader, for a
// second an iteration, and reports how much of a core that took.
func BenchmarkStreams(b *testing.B) {
	for _, engine := range dbtest.Engines {
		b.Run(string(engine), func(b *testing.B) {
			l := open(b, dbtest.Open(b, engine))
			data := json.RawMessage(`{"kind":"text","text":" a few words of an answer"}`)
			const streams, rate = 64, 200
			before, began, events := cpu(b), time.Now(), 0
			for i := 0; b.Loop(); i++ {
				var all sync.WaitGroup
				for k := range streams {
					name := fmt.Sprint(i, "/", k)
					all.Go(func() {
						if err := l.Read(b.Context(), name, 0, func([]Event) error { return nil }); err != nil {
							b.Error(err)
						}
					})
					all.Go(func() {
						tick := time.NewTicker(time.Second / rate)
						defer tick.Stop()
						for n := range rate {
							<-tick.C
							if err := l.Append(context.Background(), name, 1, Event{Name: "delta", Data: data, Last: n == rate-1}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
				events += streams * rate
			}
			took := time.Since(began).Seconds()
			b.ReportMetric((cpu(b)-before).Seconds()/took, "cores")
			b.ReportMetric(float64(events)/took, "events/s")
		})
	}
}

// BenchmarkAppend is how long a single writer waits for one event.
func BenchmarkAppend(b *testing.B) {
	for _, engine := range dbtest.Engines {
		b.Run(string(engine), func(b *testing.B) {
			l := open(b, dbtest.Open(b, engine))
			for b.Loop() {
				if err := l.Append(b.Context(), "s", 1, Event{Name: "delta", Data: json.RawMessage(`{}`)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
