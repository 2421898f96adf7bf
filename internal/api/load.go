package api

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A request counts for no more than this: one that waits for a slow client or
	// for a model takes no processor.
	mostCounted = 10 * time.Millisecond
	// loadWindow is what a figure of load is taken over.
	loadWindow = 50 * time.Millisecond
)

// load is how much of the processors' time people are being answered in.
type load struct {
	spent atomic.Int64 // in answering, in nanoseconds

	mu     sync.Mutex
	at     time.Time // when share was found
	before int64     // spent then
	share  float64
}

func (l *load) add(took time.Duration) { l.spent.Add(int64(min(took, mostCounted))) }

func (l *load) now() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if past := now.Sub(l.at); past >= loadWindow {
		spent := l.spent.Load()
		l.share = float64(spent-l.before) / float64(past) / float64(runtime.GOMAXPROCS(0))
		l.at, l.before = now, spent
	}
	return l.share
}

// Load is the part of the processors' time that reading and asking took lately, about
// 0 to 1. What changes something does not count: its sender waits for the disk.
func (a *API) Load() float64 { return a.load.now() }
