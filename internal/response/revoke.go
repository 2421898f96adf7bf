package response

import (
	"context"
	"sync"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// recheck is how often it is looked whether those who are being answered may
// still use the agent.
const recheck = 500 * time.Millisecond

var errRevoked = fail.Forbidden("you may not use this agent any more; ask its owner")

// asked is a person with the agent that answers them.
type asked struct{ org, user, agent int64 }

// rights ends what goes on, runs and open streams, as soon as its person may no
// longer use the agent. One goroutine looks for all of them, once for each
// person and agent, while there are any.
type rights struct {
	mu   sync.Mutex
	open map[asked]map[*context.CancelCauseFunc]struct{}
	stop chan struct{}
}

// whileUsable is a context that ends with errRevoked when the person may no
// longer use the agent. Call the function when the work is done.
func (s *Responses) whileUsable(ctx context.Context, a asked) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &s.rights
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) == 0 {
		r.open, r.stop = map[asked]map[*context.CancelCauseFunc]struct{}{}, make(chan struct{})
		go s.lookAgain(r.stop) //nolint:gosec // it looks for everybody who is open, longer than this request
	}
	if r.open[a] == nil {
		r.open[a] = map[*context.CancelCauseFunc]struct{}{}
	}
	r.open[a][&cancel] = struct{}{}
	return ctx, sync.OnceFunc(func() {
		cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		if delete(r.open[a], &cancel); len(r.open[a]) == 0 {
			delete(r.open, a)
		}
		if len(r.open) == 0 {
			close(r.stop)
		}
	})
}

func (s *Responses) lookAgain(stop chan struct{}) {
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for _, a := range s.rights.all() {
			// A database that does not answer takes nobody's right away.
			if may, err := s.mayUse(context.Background(), a); err == nil && !may {
				s.rights.end(a)
			}
		}
	}
}

func (r *rights) all() []asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]asked, 0, len(r.open))
	for a := range r.open {
		out = append(out, a)
	}
	return out
}

func (r *rights) end(a asked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for cancel := range r.open[a] {
		(*cancel)(errRevoked)
	}
}

// mayUse tells whether a person, as they are now, may use an agent.
func (s *Responses) mayUse(ctx context.Context, a asked) (bool, error) {
	ctx = db.WithOrg(ctx, a.org)
	sc, err := s.asker(ctx, s.DB, a.org, a.user)
	if err == nil {
		err = s.Agents.Usable(ctx, sc, a.agent)
	}
	if refused(err) {
		return false, nil
	}
	return err == nil, err
}

// refused tells a lack of rights from a failure.
func refused(err error) bool {
	return fail.Is(err, fail.CodeForbidden) || fail.Is(err, fail.CodeNotFound)
}

// asker is a person as they are now: a run has no request to take the
// principal from.
func (s *Responses) asker(ctx context.Context, q db.Querier, org, user int64) (authz.Scope, error) {
	active, err := db.One[int](ctx, q, `SELECT COUNT(*) FROM users WHERE id = ? AND org_id = ? AND is_active = TRUE AND is_deleted = FALSE`, user, org)
	if err == nil && active == 0 {
		err = fail.Forbidden("whoever asked this may not ask any more")
	}
	if err != nil {
		return authz.Scope{}, err
	}
	p, err := s.People.Principal(ctx, q, org, user)
	return authz.For(p), err
}
