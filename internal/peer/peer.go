// Package peer lets the servers that share a PostgreSQL database know of each other.
// Each keeps a row that says that it runs and how it is set up, so that one whose
// settings do not fit is refused at its start, or told, before files are missing and
// secrets cannot be read. A SQLite database has one server, which has no peers.
package peer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"atrium/internal/db"
)

const (
	every = 5 * time.Second  // a server says that it runs
	alive = 20 * time.Second // it is taken to run, after it last said so
	kept  = time.Hour        // the row of one that was killed
)

// Setting is one that the servers of a database have to have alike.
type Setting struct {
	Name   string // as the operator sets it
	Value  string // is stored and told, so of a secret only what names it
	Harm   string // what a difference does, for the message
	Refuse bool   // whether a server that differs must not start
}

// Difference is a setting that another server which runs has otherwise.
type Difference struct {
	Setting
	Theirs string
}

func (d Difference) String() string {
	return fmt.Sprintf("another server on this database has another %s (%s, here %s): %s", d.Name, d.Theirs, d.Value, d.Harm)
}

// Peers is a server among those of its database.
type Peers struct {
	d        *db.DB
	log      *slog.Logger
	id       string
	version  string
	started  time.Time
	settings []Setting

	mu        sync.Mutex
	differing []Difference

	stop context.CancelFunc
	loop sync.WaitGroup
}

// Join says that a server runs, unless one that runs is set up in a way that this one
// must not differ from; the caller keeps others from joining meanwhile. End it with Leave.
func Join(ctx context.Context, d *db.DB, log *slog.Logger, version string, settings []Setting) (*Peers, error) {
	p := &Peers{d: d, log: log, id: rand.Text(), version: version, started: time.Now(), settings: settings}
	if d.Engine() == db.SQLite {
		return p, nil
	}
	found, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, f := range found {
		if f.Refuse {
			refused = append(refused, fmt.Errorf("%s; set %s as it is there, or stop that server and try again after %v", f, f.Name, alive))
		}
	}
	if err := errors.Join(refused...); err != nil {
		return nil, err
	}
	p.tell(found)
	if err := p.say(ctx, time.Now()); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.loop.Go(func() { p.stay(background) })
	return p, nil
}

// Leave takes the server from among the others.
func (p *Peers) Leave(ctx context.Context) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.loop.Wait()
	return p.write(ctx, `DELETE FROM server WHERE id = ?`, p.id)
}

// Differing are the settings that differed when the others were last looked at.
func (p *Peers) Differing() []Difference {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.differing)
}

func (p *Peers) stay(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		found, err := p.look(ctx)
		if err == nil {
			p.tell(found)
			err = p.say(ctx, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			p.log.Warn("the other servers on this database are not known", "error", err)
		}
	}
}

// tell keeps what differs, and logs what did not differ before.
func (p *Peers) tell(found []Difference) {
	p.mu.Lock()
	before := p.differing
	p.differing = found
	p.mu.Unlock()
	for _, f := range found {
		if !slices.Contains(before, f) {
			p.log.Warn(f.String())
		}
	}
}

// look compares the settings with those of the servers that run.
func (p *Peers) look(ctx context.Context) ([]Difference, error) {
	type server struct {
		Settings map[string]string `db:"settings,json"`
	}
	others, err := db.All[server](ctx, p.d, `SELECT settings FROM server WHERE id <> ? AND seen_on > ? ORDER BY started_on, id`, p.id, time.Now().Add(-alive))
	if err != nil {
		return nil, err
	}
	var out []Difference
	for _, o := range others {
		for _, s := range p.settings {
			// What an older version did not tell is not compared.
			theirs, told := o.Settings[s.Name]
			if d := (Difference{s, theirs}); told && theirs != s.Value && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out, nil
}

// say writes that the server runs; its row may have been swept while its machine slept.
func (p *Peers) say(ctx context.Context, now time.Time) error {
	mine := map[string]string{}
	for _, s := range p.settings {
		mine[s.Name] = s.Value
	}
	if err := p.write(ctx, `INSERT INTO server (id, version, settings, started_on, seen_on) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET seen_on = excluded.seen_on`, p.id, p.version, db.JSON(mine), p.started, now); err != nil {
		return err
	}
	return p.write(ctx, `DELETE FROM server WHERE seen_on < ?`, now.Add(-kept))
}

func (p *Peers) write(ctx context.Context, query string, args ...any) error {
	return p.d.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
}
