// Package event is an append-only log of what a person watches: the steps and words of
// an answer, the progress of a document.
//
// A stream has a name that its owner chooses ("response/17"), one writer at a time and
// any number of readers, here and in other processes. Its events are numbered from 1.
// A reader gets the history from the database and then, live, what is appended, until
// the event marked Last; after a cut it goes on from the last number it has seen. An
// event is shown only after it is committed, so nobody sees what a crash takes back.
//
// Who may read a stream is decided by whoever names it; this package does not know.
package event

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"atrium/internal/db"
)

var (
	// ErrEnded is the answer to appending after the Last event.
	ErrEnded = errors.New("event: the stream has ended")
	// ErrClosed says that the log is closed, because the server is stopping.
	ErrClosed = errors.New("event: the log is closed")
)

// Event is an entry of a stream.
type Event struct {
	Seq  int64           `db:"seq"` // 1, 2, 3, …; set by Append
	Name string          `db:"name"`
	Data json.RawMessage `db:"data"` // stored and given back byte for byte; empty is null
	Last bool            `db:"last"` // ends the stream
}

// Log is the log of a process.
type Log struct {
	d   *db.DB
	log *slog.Logger

	mu      sync.Mutex
	streams map[string]*stream
	pending []*request
	shut    bool

	work   chan struct{} // pending has something
	closed chan struct{}
	loops  sync.WaitGroup
}

// New makes the log and starts its writer; end it with Close.
func New(d *db.DB, log *slog.Logger) *Log {
	if log == nil {
		log = slog.Default()
	}
	l := &Log{d: d, log: log, streams: map[string]*stream{}, work: make(chan struct{}, 1), closed: make(chan struct{})}
	l.loops.Go(l.flusher)
	if d.Engine() == db.Postgres {
		// Only there can another process be writing.
		l.loops.Go(l.poller)
	}
	return l
}

// Close writes what is waiting and ends the readers with ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.shut {
		l.mu.Unlock()
		return nil
	}
	l.shut = true
	l.mu.Unlock()
	close(l.closed)
	l.loops.Wait()
	return nil
}

// LastSeq answers the number of the stream's last event, 0 when it has none, and
// whether the stream has ended.
func (l *Log) LastSeq(ctx context.Context, stream string) (seq int64, ended bool, err error) {
	return lastSeq(ctx, l.d, stream)
}

func lastSeq(ctx context.Context, q db.Querier, stream string) (int64, bool, error) {
	r, err := db.One[row](ctx, q, `SELECT seq, size, last FROM event WHERE stream = ? ORDER BY seq DESC LIMIT 1`, stream)
	if errors.Is(err, db.ErrNone) {
		return 0, false, nil
	}
	return r.Seq + r.Size - 1, r.Last, err
}

// AppendTx appends in the caller's transaction, so that the events and what they tell
// of are stored together. It sets the Seq of e; readers are told after the commit.
func (l *Log) AppendTx(ctx context.Context, tx *db.Tx, stream string, orgID int64, e ...Event) error {
	if len(e) == 0 {
		return nil
	}
	if !wellFormed(e) {
		return ErrEnded
	}
	seq, ended, err := lastSeq(ctx, tx, stream)
	if err != nil {
		return err
	}
	if ended {
		return ErrEnded
	}
	number(e, seq)
	if err := insert(ctx, tx, []entry{{stream, orgID, e}}); err != nil {
		return err
	}
	tx.AfterCommit(func() { l.publish(stream, e) })
	return nil
}

// wellFormed tells that nothing follows a Last event.
func wellFormed(events []Event) bool {
	return !slices.ContainsFunc(events[:len(events)-1], func(e Event) bool { return e.Last })
}

func number(events []Event, after int64) {
	for i := range events {
		events[i].Seq = after + 1 + int64(i)
	}
}
