package event

import (
	"context"
	"time"

	"atrium/internal/db"
)

// rest is the least time between two commits: under load the events of many streams
// share one, and after a pause the first is written at once.
const rest = time.Millisecond

// request is an Append that waits to be written.
type request struct {
	entry
	done chan error
}

// Append adds events to a stream and sets their Seq. It returns when they are written,
// so that the death of the process cannot take them, and visible to readers. When ctx
// ends first they may be written all the same.
func (l *Log) Append(ctx context.Context, stream string, orgID int64, e ...Event) error {
	if len(e) == 0 {
		return nil
	}
	if !wellFormed(e) {
		return ErrEnded
	}
	// A copy, because the caller may leave before the events are numbered.
	r := &request{entry: entry{stream, orgID, append([]Event(nil), e...)}, done: make(chan error, 1)}
	l.mu.Lock()
	if l.shut {
		l.mu.Unlock()
		return ErrClosed
	}
	l.pending = append(l.pending, r)
	l.mu.Unlock()
	select {
	case l.work <- struct{}{}:
	default:
	}
	select {
	case err := <-r.done:
		if err == nil {
			copy(e, r.events)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flusher writes all pending appends in one transaction, again and again.
func (l *Log) flusher() {
	var last time.Time
	for stop := false; !stop; {
		select {
		case <-l.work:
		case <-l.closed:
			stop = true // nothing is added any more: once more, then the end
		}
		if pause := rest - time.Since(last); pause > 0 && !stop {
			time.Sleep(pause)
		}
		l.mu.Lock()
		batch := l.pending
		l.pending = nil
		l.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		last = time.Now()
		l.write(batch)
	}
}

func (l *Log) write(batch []*request) {
	errs, err := l.store(batch)
	if db.IsUnique(err) {
		// Another process has written to one of the streams: what we know is old.
		for _, r := range batch {
			l.outdated(r.stream)
		}
		errs, err = l.store(batch)
	}
	for i, r := range batch {
		switch {
		case err != nil:
			l.outdated(r.stream)
			r.done <- err
		case errs[i] != nil:
			r.done <- errs[i]
		default:
			l.publish(r.stream, r.events)
			r.done <- nil
		}
	}
}

// store numbers and writes the appends. It answers an error for each that was refused,
// and one for all when nothing was written.
func (l *Log) store(batch []*request) ([]error, error) {
	type head struct {
		seq   int64
		ended bool
	}
	errs := make([]error, len(batch))
	err := l.d.Relaxed(context.Background(), func(ctx context.Context, tx *db.Tx) error {
		clear(errs)
		heads := map[string]*head{}
		entries := make([]entry, 0, len(batch))
		for i, r := range batch {
			h := heads[r.stream]
			if h == nil {
				h = &head{}
				var known bool
				if h.seq, known = l.cached(r.stream); !known {
					var err error
					if h.seq, h.ended, err = lastSeq(ctx, tx, r.stream); err != nil {
						return err
					}
				}
				heads[r.stream] = h
			}
			if h.ended {
				errs[i] = ErrEnded
				continue
			}
			number(r.events, h.seq)
			h.seq += int64(len(r.events))
			for _, e := range r.events {
				h.ended = h.ended || e.Last
			}
			entries = append(entries, r.entry)
		}
		return insert(ctx, tx, entries)
	})
	return errs, err
}
