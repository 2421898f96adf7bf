package response

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"atrium/internal/db"
	"atrium/internal/event"
)

// Names of events, and the steps that clients dispatch on.
const (
	evStart  = "start"
	evStatus = "status"
	evToken  = "token"
	evEnd    = "end"
	evError  = "error"

	stepAnswer  = "assistant_stream"
	stepTools   = "tools_stream"
	stepRestart = "restart"
)

// note is the data of an event that is neither the end nor an error.
type note struct {
	Step    string  `json:"step"`
	Message *string `json:"message,omitempty"`
	Delta   *string `json:"delta,omitempty"`
}

func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("response: cannot encode an event: " + err.Error()) // plain structs
	}
	return b
}

func status(step, message string) event.Event {
	return event.Event{Name: evStatus, Data: encode(note{Step: step, Message: &message})}
}

func token(delta string) event.Event {
	return event.Event{Name: evToken, Data: encode(note{Step: stepAnswer, Delta: &delta})}
}

func tools(delta string) event.Event {
	return event.Event{Name: evStatus, Data: encode(note{Step: stepTools, Delta: &delta})}
}

// journal writes the events of one run to the log, in order and beside the
// run: what comes while a write is under way goes with the next one, each
// event still its own. So the provider is never kept waiting for the disk
// longer than the queue is long. The more answers are written at once, the
// longer each rests between two writes of tokens, for them to carry more.
type journal struct {
	ctx    context.Context
	db     *db.DB
	log    *event.Log
	stream string
	org    int64
	pace   func() time.Duration // the least time between two writes
	failed func(error)          // told once, of the first failure

	in   chan entry
	done sync.WaitGroup
	err  error
}

// entry is an event, or what is to be stored in its place in the order, or
// whom to tell once all before it is written.
type entry struct {
	event   event.Event
	save    func(ctx context.Context, tx *db.Tx) error
	written chan error
}

const queued = 256 // events a stream may be ahead of the disk

func (s *Responses) newJournal(ctx context.Context, r row, failed func(error)) *journal {
	j := &journal{ctx: ctx, db: s.DB, log: s.Events, stream: stream(r.ID), org: r.OrgID, pace: s.pace, failed: failed, in: make(chan entry, queued)}
	j.done.Go(j.write)
	return j
}

// pace is too short to be seen, and next to nothing while few answers are written.
func (s *Responses) pace() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(time.Duration(len(s.running))*500*time.Microsecond, 32*time.Millisecond)
}

func (j *journal) add(e event.Event) { j.in <- entry{event: e} }

// save stores something behind the events that were added before it.
func (j *journal) save(f func(ctx context.Context, tx *db.Tx) error) { j.in <- entry{save: f} }

// flush returns when all that was added is written.
func (j *journal) flush() error {
	ch := make(chan error, 1)
	j.in <- entry{written: ch}
	return <-ch
}

// close ends the writer; add nothing after it.
func (j *journal) close() {
	close(j.in)
	j.done.Wait()
}

func (j *journal) write() {
	var spoke time.Time // when tokens were written last
	for e := range j.in {
		events, then := j.gather(e, spoke.Add(j.pace()))
		if len(events) > 0 && j.err == nil {
			j.note(j.log.Append(j.ctx, j.stream, j.org, events...))
			if events[len(events)-1].Name == evToken {
				spoke = time.Now()
			}
		}
		if then.save != nil {
			j.store(then)
		}
		if then.written != nil {
			then.written <- j.err
		}
	}
}

// gather takes events as long as there are more at once, and tokens until the given
// moment; or up to an entry that cannot wait, which it answers.
func (j *journal) gather(e entry, until time.Time) (events []event.Event, then entry) {
	rest := time.NewTimer(time.Until(until))
	defer rest.Stop()
	for ok := true; ok; {
		if e.save != nil || e.written != nil {
			return events, e
		}
		events = append(events, e.event)
		if len(events) == queued {
			break
		}
		select {
		case e, ok = <-j.in:
			continue
		default:
		}
		if e.event.Name != evToken {
			break
		}
		select {
		case e, ok = <-j.in:
		case <-rest.C:
			ok = false
		}
	}
	return events, entry{}
}

func (j *journal) store(e entry) {
	if j.err == nil {
		j.note(j.db.Relaxed(j.ctx, e.save))
	}
}

func (j *journal) note(err error) {
	if err != nil {
		j.err = err
		j.failed(err)
	}
}

// sentText is the answer's text, and whether the run had begun, as the log has
// it from an earlier run.
func sentText(events []event.Event) (text string, begun bool) {
	var b strings.Builder
	for _, e := range events {
		if e.Name != evStart {
			begun = true
		}
		if e.Name != evToken {
			continue
		}
		var n note
		if json.Unmarshal(e.Data, &n) == nil && n.Delta != nil {
			b.WriteString(*n.Delta)
		}
	}
	return b.String(), begun
}
