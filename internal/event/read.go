package event

import (
	"context"
	"sync"
	"time"

	"atrium/internal/db"
)

const (
	page       = 100       // rows read from the database at once
	tailEvents = 256       // kept in memory for the live readers of a stream
	tailBytes  = 256 << 10 //
	pollEvery  = 200 * time.Millisecond
	maxStreams = 10_000 // known streams, above which the forgotten ones are dropped
)

// stream is what this process knows of a stream that is written or read here.
type stream struct {
	mu      sync.Mutex
	readers int
	known   bool          // last is what the database has, as only we write
	last    int64         // the highest number we have heard of
	wrote   time.Time     // when we wrote last
	tail    []Event       // the newest events without a gap, while there are readers
	bytes   int           // their data
	changed chan struct{} // closed when last grows
}

// Read yields the events after the given number: first those in the database, then each
// one that is appended, here or in another process, until the Last event was yielded. It
// then answers nil, as it does when the stream had ended before. Otherwise it answers
// what yield did, ctx's error or ErrClosed. A reader that is slow costs no memory: what it
// has missed it reads from the database. The events are the reader's own; their Data
// must not be changed.
func (l *Log) Read(ctx context.Context, name string, after int64, yield func([]Event) error) error {
	s := l.enter(name)
	defer l.leave(name, s)
	primed := false // the database was read to its end once, as far as is known
	for {
		events, changed, behind := s.after(after)
		if len(events) == 0 && (behind || !primed) {
			var err error
			if events, err = History(ctx, l.d, name, after); err != nil {
				return err
			}
			if len(events) == 0 && !primed {
				// The reader may have had the Last event already.
				if seq, ended, err := l.LastSeq(ctx, name); err != nil || ended && seq <= after {
					return err
				} else if ended {
					continue // it ended between the two queries
				}
			}
			primed = primed || len(events) < page
		}
		if len(events) > 0 {
			if err := yield(events); err != nil {
				return err
			}
			e := events[len(events)-1]
			if e.Last {
				return nil
			}
			after = e.Seq
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.closed:
			return ErrClosed
		}
	}
}

// after answers what memory has behind a number; else whether the database has more,
// and what is closed when there is.
func (s *stream) after(seq int64) (events []Event, changed <-chan struct{}, behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.tail); n > 0 && s.tail[0].Seq <= seq+1 && s.tail[n-1].Seq > seq {
		return append([]Event(nil), s.tail[seq+1-s.tail[0].Seq:]...), s.changed, false
	}
	return nil, s.changed, s.last > seq
}

// add puts committed events where readers find them.
func (s *stream) add(events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.wrote = true, time.Now()
	if s.readers > 0 {
		if n := len(s.tail); n > 0 && s.tail[n-1].Seq+1 != events[0].Seq {
			s.tail, s.bytes = nil, 0
		}
		for _, e := range events {
			e.Data = e.data() // as the database gives it back
			s.tail = append(s.tail, e)
			s.bytes += len(e.Data)
		}
		drop := 0
		for ; len(s.tail)-drop > tailEvents || s.bytes > tailBytes && drop < len(s.tail); drop++ {
			s.bytes -= len(s.tail[drop].Data)
		}
		if drop > 0 {
			s.tail = append(make([]Event, 0, tailEvents), s.tail[drop:]...)
		}
	}
	s.grow(events[len(events)-1].Seq)
}

// grow wakes the readers. The caller holds s.mu.
func (s *stream) grow(last int64) {
	if last <= s.last {
		return
	}
	s.last = last
	if s.readers > 0 {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// get answers the stream, made when it is not known yet. The caller holds l.mu.
func (l *Log) get(name string) *stream {
	s := l.streams[name]
	if s == nil {
		if len(l.streams) >= maxStreams {
			l.tidy()
		}
		s = &stream{changed: make(chan struct{})}
		l.streams[name] = s
	}
	return s
}

// tidy drops streams that nobody reads and nobody has written to for a while: their last
// number is in the database.
func (l *Log) tidy() {
	for name, s := range l.streams {
		s.mu.Lock()
		if s.readers == 0 && time.Since(s.wrote) > time.Minute {
			delete(l.streams, name)
		}
		s.mu.Unlock()
	}
}

func (l *Log) enter(name string) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.get(name)
	s.mu.Lock()
	s.readers++
	s.mu.Unlock()
	return s
}

func (l *Log) leave(name string, s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
	if s.readers > 0 {
		return
	}
	s.tail, s.bytes = nil, 0
	if !s.known && l.streams[name] == s {
		delete(l.streams, name)
	}
}

// cached answers the stream's last number when this process is the one that writes it.
func (l *Log) cached(name string) (int64, bool) {
	l.mu.Lock()
	s := l.streams[name]
	l.mu.Unlock()
	if s == nil {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.known
}

// outdated says that the database knows better.
func (l *Log) outdated(name string) {
	l.mu.Lock()
	s := l.streams[name]
	l.mu.Unlock()
	if s != nil {
		s.mu.Lock()
		s.known = false
		s.mu.Unlock()
	}
}

// publish tells the readers of committed events. A stream that has ended is no longer
// known, so that a further append finds its end in the database.
func (l *Log) publish(name string, events []Event) {
	ended := events[len(events)-1].Last
	l.mu.Lock()
	s := l.streams[name]
	if s == nil && !ended {
		s = l.get(name)
	}
	l.mu.Unlock()
	if s == nil {
		return
	}
	s.add(events)
	if !ended {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = false
	if s.readers == 0 && l.streams[name] == s {
		delete(l.streams, name)
	}
}

// poller looks for what other processes wrote to the streams that are read here.
func (l *Log) poller() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-l.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-tick.C:
		case <-l.closed:
			return
		}
		if err := l.poll(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("streams of other processes cannot be read", "error", err)
		}
	}
}

func (l *Log) poll(ctx context.Context) error {
	watched := map[string]*stream{}
	l.mu.Lock()
	for name, s := range l.streams {
		s.mu.Lock()
		if s.readers > 0 && time.Since(s.wrote) > 5*pollEvery {
			watched[name] = s
		}
		s.mu.Unlock()
	}
	l.mu.Unlock()
	if len(watched) == 0 {
		return nil
	}
	names := make([]string, 0, len(watched))
	for name := range watched {
		names = append(names, name)
	}
	type head struct {
		Stream string `db:"stream"`
		Seq    int64  `db:"seq"`
	}
	heads, err := db.All[head](ctx, l.d, `SELECT n AS stream, (SELECT seq + size - 1 FROM event WHERE stream = n ORDER BY seq DESC LIMIT 1) AS seq
		FROM json_array_elements_text(?::json) AS n`, db.JSON(names))
	if err != nil {
		return err
	}
	for _, h := range heads {
		s := watched[h.Stream]
		s.mu.Lock()
		if h.Seq > s.last {
			s.known = false
		}
		s.grow(h.Seq)
		s.mu.Unlock()
	}
	return nil
}
