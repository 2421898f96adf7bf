package event

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"atrium/internal/db"
)

// row is how events are stored: those that were appended to a stream at once share one.
type row struct {
	Seq  int64           `db:"seq"`  // of the first event
	Size int64           `db:"size"` // events in it
	Name string          `db:"name"` // empty when there are several
	Data json.RawMessage `db:"data"` // then a list of name, data, name, data, …
	Last bool            `db:"last"` // of the last event
}

// maxSize bounds a row, so that a reader need not look far back for the one that holds a
// number.
const maxSize = 64

// entry is what one append adds to a stream.
type entry struct {
	stream string
	orgID  int64
	events []Event
}

// pack makes a row of up to maxSize events.
func pack(events []Event) row {
	last := events[len(events)-1]
	r := row{Seq: events[0].Seq, Size: int64(len(events)), Last: last.Last}
	if len(events) == 1 {
		r.Name, r.Data = last.Name, last.data()
		return r
	}
	n := 2
	for _, e := range events {
		n += len(e.Name) + len(e.Data) + 8
	}
	list := append(make([]byte, 0, n), '[')
	for i, e := range events {
		if i > 0 {
			list = append(list, ',')
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			panic("event: cannot encode a name: " + err.Error()) // a string
		}
		list = append(append(append(list, name...), ','), e.data()...)
	}
	r.Data = append(list, ']')
	return r
}

// data is what is stored for the event's data.
func (e Event) data() json.RawMessage {
	if len(e.Data) == 0 {
		return json.RawMessage("null")
	}
	return e.Data
}

// unpack appends the row's events behind a number to out.
func (r row) unpack(out []Event, after int64) ([]Event, error) {
	if r.Size == 1 {
		if r.Seq > after {
			out = append(out, Event{Seq: r.Seq, Name: r.Name, Data: r.Data, Last: r.Last})
		}
		return out, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(r.Data, &list); err != nil || int64(len(list)) != 2*r.Size {
		return nil, fmt.Errorf("event: the row of event %d holds no %d events: %w", r.Seq, r.Size, err)
	}
	for i := range r.Size {
		e := Event{Seq: r.Seq + i, Data: list[2*i+1], Last: r.Last && i == r.Size-1}
		if e.Seq <= after {
			continue
		}
		if err := json.Unmarshal(list[2*i], &e.Name); err != nil {
			return nil, fmt.Errorf("event: event %d has no name: %w", e.Seq, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// History answers the events of a stream behind a number, some at a time: all of a row
// or none. There are no more when it answers none.
func History(ctx context.Context, q db.Querier, stream string, after int64) ([]Event, error) {
	rows, err := db.All[row](ctx, q, `SELECT seq, size, name, data, last FROM event WHERE stream = ? AND seq > ? AND seq + size > ? ORDER BY seq LIMIT ?`,
		stream, after-maxSize, after+1, page)
	if err != nil {
		return nil, err
	}
	out := make([]Event, 0, 2*len(rows))
	for _, r := range rows {
		if out, err = r.unpack(out, after); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// chunks are the numbers of rows that one INSERT takes, so that few texts are prepared.
var chunks = []int{64, 16, 4, 1}

var inserts = func() map[int]string {
	texts := map[int]string{}
	for _, n := range chunks {
		texts[n] = `INSERT INTO event (stream, seq, size, org_id, name, data, last, created_at) VALUES ` +
			strings.Repeat(`(?, ?, ?, ?, ?, ?, ?, ?), `, n-1) + `(?, ?, ?, ?, ?, ?, ?, ?)`
	}
	return texts
}()

func insert(ctx context.Context, tx *db.Tx, entries []entry) error {
	const columns = 8
	now := time.Now()
	args := make([]any, 0, columns*len(entries))
	for _, e := range entries {
		for events := e.events; len(events) > 0; {
			n := min(len(events), maxSize)
			r := pack(events[:n])
			args = append(args, e.stream, r.Seq, r.Size, e.orgID, r.Name, r.Data, r.Last, now)
			events = events[n:]
		}
	}
	for _, size := range chunks {
		for len(args) >= columns*size {
			if _, err := db.Exec(ctx, tx, inserts[size], args[:columns*size]...); err != nil {
				return err
			}
			args = args[columns*size:]
		}
	}
	return nil
}
