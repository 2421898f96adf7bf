// Package limit counts what somebody does within a sliding window of time, so
// that guessing and flooding are refused before they cost anything.
package limit

import (
	"sync"
	"time"

	"atrium/internal/fail"
)

// swept is how many keys are kept before those without a recent count go.
const swept = 10_000

// Window counts by key within the last stretch of time.
type Window struct {
	length  time.Duration
	refusal string

	mu   sync.Mutex
	seen map[string][]time.Time
}

// New makes a Window that refuses in the words given.
func New(length time.Duration, refusal string) *Window {
	return &Window{length: length, refusal: refusal, seen: map[string][]time.Time{}}
}

// Enter counts one more under each key. When one of them has had its most, it
// counts none, and answers too_many_requests with the time to wait.
func (w *Window) Enter(most map[string]int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for key, n := range most {
		if recent := w.recent(key, now); len(recent) >= n {
			return fail.TooMany("%s", w.refusal).After(recent[0].Add(w.length).Sub(now))
		}
	}
	for key := range most {
		w.seen[key] = append(w.seen[key], now)
	}
	if len(w.seen) > swept {
		for key := range w.seen {
			w.recent(key, now)
		}
	}
	return nil
}

// Forgive takes the last count of a key back.
func (w *Window) Forgive(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(key, w.seen[key][:max(0, len(w.seen[key])-1)])
}

// recent forgets what is older than the window.
func (w *Window) recent(key string, now time.Time) []time.Time {
	all := w.seen[key]
	for len(all) > 0 && now.Sub(all[0]) > w.length {
		all = all[1:]
	}
	w.keep(key, all)
	return all
}

func (w *Window) keep(key string, counts []time.Time) {
	if len(counts) == 0 {
		delete(w.seen, key)
		return
	}
	w.seen[key] = counts
}
