package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, d *db.DB) *Log {
	t.Helper()
	l := New(d, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// e makes n events with the given first number; the last ends the stream if asked to.
func e(first, n int, end bool) []Event {
	out := make([]Event, n)
	for i := range out {
		out[i] = Event{Name: "word", Data: json.RawMessage(fmt.Sprintf(`{"n": %d}`, first+i)), Last: end && i == n-1}
	}
	return out
}

// want is e as a reader sees it.
func want(first, n int, end bool) []Event {
	out := e(first, n, end)
	for i := range out {
		out[i].Seq = int64(first + i)
	}
	return out
}

func add(t *testing.T, l *Log, stream string, events []Event) {
	t.Helper()
	if err := l.Append(t.Context(), stream, 1, events...); err != nil {
		t.Fatal(err)
	}
}

// collect reads in the background and sends everything once the stream has ended.
func collect(t *testing.T, l *Log, stream string, after int64) <-chan []Event {
	t.Helper()
	out := make(chan []Event, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	go func() {
		defer cancel()
		var all []Event
		if err := l.Read(ctx, stream, after, func(batch []Event) error { all = append(all, batch...); return nil }); err != nil {
			t.Errorf("reading after %d: %v", after, err)
		}
		out <- all
	}()
	return out
}

// reading waits until the stream has as many readers.
func reading(l *Log, stream string, n int) {
	for {
		l.mu.Lock()
		s := l.streams[stream]
		l.mu.Unlock()
		if s != nil {
			s.mu.Lock()
			enough := s.readers >= n
			s.mu.Unlock()
			if enough {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAReaderGetsTheHistoryAndThenWhatIsAppended(t *testing.T) {
	t.Parallel()
	for _, after := range []int64{0, 2, 3, 5} {
		t.Run(fmt.Sprintf("after %d", after), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				l := open(t, d)
				add(t, l, "s", e(1, 3, false))
				got := collect(t, l, "s", after)
				reading(l, "s", 1)
				add(t, l, "s", e(4, 1, false))
				add(t, l, "s", e(5, 3, true))
				if diff := cmp.Diff(want(1, 7, true)[after:], <-got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAnEndedStreamIsReadToItsEndAndAtItsEndNothingFollows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		add(t, l, "s", e(1, 3, true))
		for after, n := range map[int64]int{0: 3, 2: 1, 3: 0, 99: 0} {
			if got := <-collect(t, l, "s", after); len(got) != n {
				t.Errorf("after %d: %v", after, got)
			}
		}
	})
}

func TestNothingFollowsTheLastEvent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		add(t, l, "s", e(1, 2, true))
		inTx := func(events []Event) error {
			return d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return l.AppendTx(ctx, tx, "s", 1, events...) })
		}
		for name, err := range map[string]error{
			"Append":                l.Append(t.Context(), "s", 1, e(3, 1, false)...),
			"AppendTx":              inTx(e(3, 1, false)),
			"within one Append":     l.Append(t.Context(), "t", 1, Event{Last: true}, Event{}),
			"another log's Append":  open(t, d).Append(t.Context(), "s", 1, Event{}),
			"Append, again and all": l.Append(t.Context(), "s", 1, Event{Last: true}),
		} {
			if !errors.Is(err, ErrEnded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if seq, ended, err := l.LastSeq(t.Context(), "s"); seq != 2 || !ended || err != nil {
			t.Errorf("LastSeq answered %d, %v, %v", seq, ended, err)
		}
		if seq, ended, err := l.LastSeq(t.Context(), "t"); seq != 0 || ended || err != nil {
			t.Errorf("LastSeq of nothing answered %d, %v, %v", seq, ended, err)
		}
	})
}

func TestAnEventIsShownOnlyAfterItsTransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		got := make(chan []Event, 16)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Read(ctx, "s", 0, func(b []Event) error { got <- b; return nil }) }()
		reading(l, "s", 1)
		taken := errors.New("taken back")
		err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := l.AppendTx(ctx, tx, "s", 1, e(1, 1, true)...); err != nil {
				t.Error(err)
			}
			return taken
		})
		if !errors.Is(err, taken) {
			t.Fatal(err)
		}
		err = d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := l.AppendTx(ctx, tx, "s", 1, e(1, 2, false)...); err != nil {
				return err
			}
			if len(got) != 0 {
				t.Error("a reader saw it before the commit")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want(1, 2, false), <-got); diff != "" {
			t.Error(diff)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || len(got) != 0 {
			t.Errorf("the reader ended with %v and %d more", err, len(got))
		}
	})
}

func TestASlowReaderMissesNothingAndKeepsNothingInMemory(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		begun, release := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		var got []Event
		go func() {
			done <- l.Read(t.Context(), "s", 0, func(b []Event) error {
				if got == nil {
					close(begun)
					<-release
				}
				got = append(got, b...)
				return nil
			})
		}()
		reading(l, "s", 1)
		add(t, l, "s", e(1, 1, false))
		<-begun
		const n = 4 * tailEvents
		for i := 2; i < n; i += 100 {
			add(t, l, "s", e(i, min(100, n-i), false))
		}
		big := strings.Repeat("x", tailBytes/2)
		for i := range 4 {
			add(t, l, "s", []Event{{Name: "word", Data: json.RawMessage(`"` + big + `"`), Last: i == 3}})
		}
		s := l.streams["s"]
		s.mu.Lock()
		if len(s.tail) > tailEvents || s.bytes > tailBytes {
			t.Errorf("%d events and %d bytes are kept", len(s.tail), s.bytes)
		}
		s.mu.Unlock()
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for i, e := range got {
			if e.Seq != int64(i+1) {
				t.Fatalf("event %d has number %d", i+1, e.Seq)
			}
		}
		if len(got) != n+3 {
			t.Errorf("%d events", len(got))
		}
	})
}

func TestManyStreamsAtOnceEachKeepTheirOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		const streams, n = 12, 40
		results := make(map[string]<-chan []Event)
		for i := range streams {
			name := fmt.Sprint("s", i)
			results[name] = collect(t, l, name, 0)
			go func() {
				for k := 1; k <= n; k++ {
					if err := l.Append(t.Context(), name, 1, e(k, 1, k == n)...); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		for name, got := range results {
			if diff := cmp.Diff(want(1, n, true), <-got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for name, s := range l.streams {
			if s.readers == 0 {
				t.Errorf("%s is still known", name)
			}
		}
	})
}

func TestAStreamGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	for _, engine := range dbtest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			o := dbtest.Options(t, engine)
			for round := range 3 {
				d, err := db.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				l := New(d, nil)
				events := e(2*round+1, 2, round == 2)
				add(t, l, "s", events)
				if events[1].Seq != int64(2*round+2) {
					t.Errorf("round %d: number %d", round, events[1].Seq)
				}
				if round == 2 {
					if diff := cmp.Diff(want(1, 6, true), <-collect(t, l, "s", 0)); diff != "" {
						t.Error(diff)
					}
				}
				if err := errors.Join(l.Close(), d.Close()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestAnotherProcessReadsAlongAndMayTakeOverTheWriting(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	writer, other := open(t, d), open(t, d)
	here, there := collect(t, writer, "s", 0), collect(t, other, "s", 0)
	reading(writer, "s", 1)
	reading(other, "s", 1)
	add(t, writer, "s", e(1, 2, false))
	add(t, other, "s", e(3, 2, false))
	add(t, writer, "s", e(5, 2, false)) // believes it is at 2
	add(t, other, "s", e(7, 1, true))
	for name, got := range map[string]<-chan []Event{"here": here, "there": there} {
		if diff := cmp.Diff(want(1, 7, true), <-got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCloseWritesWhatWaitsAndEndsTheReaders(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := New(d, nil)
		reader := make(chan error, 1)
		go func() { reader <- l.Read(t.Context(), "quiet", 0, func([]Event) error { return nil }) }()
		reading(l, "quiet", 1)
		const n = 20
		results := make(chan error, n)
		for i := range n {
			go func() { results <- l.Append(t.Context(), fmt.Sprint("s", i), 1, e(1, 1, true)...) }()
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-reader; !errors.Is(err, ErrClosed) {
			t.Errorf("the reader got %v", err)
		}
		written := 0
		for range n {
			switch err := <-results; {
			case err == nil:
				written++
			case !errors.Is(err, ErrClosed):
				t.Error(err)
			}
		}
		if stored, err := db.One[int](t.Context(), d, `SELECT count(*) FROM event`); err != nil || stored != written {
			t.Errorf("%d were acknowledged and %d are stored, %v", written, stored, err)
		}
		if err := l.Append(t.Context(), "s", 1, Event{}); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed log answered %v", err)
		}
	})
}

func TestAReaderThatFailsLeaves(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		add(t, l, "s", e(1, 2, false))
		gone := errors.New("the client is gone")
		if err := l.Read(t.Context(), "s", 0, func([]Event) error { return gone }); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
}

func TestForgottenStreamsAreDropped(t *testing.T) {
	t.Parallel()
	l := open(t, dbtest.Open(t, db.SQLite))
	l.mu.Lock()
	for i := range maxStreams {
		l.get(fmt.Sprint(i)).known = true
	}
	l.get("one more")
	if n := len(l.streams); n != 1 {
		t.Errorf("%d streams are known", n)
	}
	l.mu.Unlock()
}
