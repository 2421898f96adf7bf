package signin

import (
	"sync"
	"time"

	"atrium/internal/fail"
)

// limiter counts what an account and an address did in a sliding window.
type limiter struct {
	window                 time.Duration
	perAccount, perAddress int

	mu   sync.Mutex
	seen map[string][]time.Time
}

func newLimiter(window time.Duration, perAccount, perAddress int) *limiter {
	return &limiter{window: window, perAccount: perAccount, perAddress: perAddress, seen: map[string][]time.Time{}}
}

// enter counts one more, or refuses it. It counts alike for accounts that are
// known and not; an empty account or address is not counted.
func (l *limiter) enter(account, address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	limits := map[string]int{}
	if address != "" {
		limits["a "+address] = l.perAddress
	}
	if account != "" {
		limits["u "+account] = l.perAccount
	}
	for key, most := range limits {
		if recent := l.recent(key, now); len(recent) >= most {
			return fail.TooMany("that was tried too often just now; wait a while and try again").After(recent[0].Add(l.window).Sub(now))
		}
	}
	for key := range limits {
		l.seen[key] = append(l.seen[key], now)
	}
	if len(l.seen) > 10_000 {
		for key := range l.seen {
			if len(l.recent(key, now)) == 0 {
				delete(l.seen, key)
			}
		}
	}
	return nil
}

// forgive takes the last count of an address back, because it succeeded.
func (l *limiter) forgive(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all := l.seen["a "+address]; len(all) > 0 {
		l.seen["a "+address] = all[:len(all)-1]
	}
}

func (l *limiter) recent(key string, now time.Time) []time.Time {
	all := l.seen[key]
	for len(all) > 0 && now.Sub(all[0]) > l.window {
		all = all[1:]
	}
	l.seen[key] = all
	return all
}
