package notify

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

const (
	// pollEvery is how soon what another process sent is seen.
	pollEvery = 500 * time.Millisecond
	beatEvery = 15 * time.Second
	batch     = 100
)

// live wakes the streams of an organization when it has something new. While
// there are any, one poller a process looks at the table.
type live struct {
	mu      sync.Mutex
	at      map[int64]*board
	polling bool
}

// board is where the streams of an organization wait.
type board struct {
	streams int
	changed chan struct{} // closed when there is something new
	newest  int64         // id that the poller saw
}

// join counts a stream in; leave counts it out.
func (l *live) join(ctx context.Context, d *db.DB, orgID int64) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.at[orgID]
	if b == nil {
		b = &board{changed: make(chan struct{})}
		l.at[orgID] = b
	}
	b.streams++
	if !l.polling {
		l.polling = true
		go l.poll(db.WithOrg(context.WithoutCancel(ctx), 0), d) // for all organizations at once
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if b.streams--; b.streams == 0 {
			delete(l.at, orgID)
		}
	}
}

// next is closed when the organization has something new after now.
func (l *live) next(orgID int64) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[orgID].changed
}

// wake tells the streams of an organization to look.
func (l *live) wake(orgID int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.at[orgID]; b != nil {
		close(b.changed)
		b.changed = make(chan struct{})
	}
}

// poll looks for what other processes sent, until no stream is left.
func (l *live) poll(ctx context.Context, d *db.DB) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for range tick.C {
		orgs := l.watched()
		if len(orgs) == 0 {
			return
		}
		type top struct {
			OrgID int64 `db:"org_id"`
			ID    int64 `db:"id"`
		}
		marks, args := db.In(orgs)
		found, err := db.All[top](ctx, d, `SELECT org_id, MAX(id) AS id FROM notification WHERE org_id IN (`+marks+`) GROUP BY org_id`, args...)
		if err != nil {
			continue // the next look may succeed, and the streams look by themselves at each beat
		}
		for _, t := range found {
			if l.newer(t.OrgID, t.ID) {
				l.wake(t.OrgID)
			}
		}
	}
}

// watched are the organizations with streams; with none, the poller is told to end.
func (l *live) watched() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	orgs := make([]int64, 0, len(l.at))
	for id := range l.at {
		orgs = append(orgs, id)
	}
	l.polling = len(orgs) > 0
	return orgs
}

func (l *live) newer(orgID, id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.at[orgID]
	if b == nil || id <= b.newest {
		return false
	}
	b.newest = id
	return true
}

type streaming struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"20" pattern:"^[0-9]*$" patternDescription:"the id of an event of this stream" doc:"The last event that came; what is newer is sent. Without it only what is new from now on."`
}

// Stream sends what is new for the caller as it comes. Between the events, and
// as the first, unread says how many wait.
func (s *Notifications) Stream(ctx context.Context, sc authz.Scope, in streaming) (func(context.Context, *api.Events) error, error) {
	var last int64
	var err error
	if in.LastEventID == "" {
		last, err = db.One[int64](ctx, s.db, `SELECT COALESCE(MAX(id), 0) FROM notification WHERE org_id = ?`, sc.Org())
	} else if last, err = strconv.ParseInt(in.LastEventID, 10, 64); err != nil {
		err = fail.InvalidField("Last-Event-ID", "Last-Event-ID: send the id of an event of this stream, or none")
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e *api.Events) error { return s.follow(ctx, sc, e, last) }, nil
}

func (s *Notifications) follow(ctx context.Context, sc authz.Scope, e *api.Events, last int64) error {
	defer s.live.join(ctx, s.db, sc.Org())()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	told := false
	for {
		changed := s.live.next(sc.Org())
		fresh, err := s.after(ctx, sc, last)
		if err != nil {
			return err
		}
		for _, n := range fresh {
			last = n.ID
			if err := add(e, last, "notification", n); err != nil {
				return err
			}
		}
		if len(fresh) > 0 || !told {
			u, err := s.Unread(ctx, sc)
			if err != nil {
				return err
			}
			if err := add(e, last, "unread", u); err != nil {
				return err
			}
			told = true
		}
		if err := e.Flush(); err != nil {
			return nil // the client went away
		}
		if len(fresh) == batch {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-beat.C:
			told = false
		}
	}
}

func add(e *api.Events, id int64, name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		e.Add(strconv.FormatInt(id, 10), name, b)
	}
	return err
}

// after are the caller's notifications newer than an id, the oldest first.
func (s *Notifications) after(ctx context.Context, sc authz.Scope, id int64) ([]Notification, error) {
	where, args := sc.Where(authz.View, authz.Notification, "n")
	rows, err := db.All[row](ctx, s.db, `SELECT `+columns+`, `+isRead+` AS is_read FROM notification n
		WHERE n.id > ? AND n.is_deleted = FALSE AND `+where+` ORDER BY n.id LIMIT ?`, append(append([]any{sc.User(), id}, args...), batch)...)
	return api.Shaped(rows, row.notification), err
}
