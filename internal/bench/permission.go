package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"atrium/internal/db"
)

// onBoth measures on SQLite, and on PostgreSQL where it is given. The databases are
// addresses; empty is SQLite.
func onBoth(f func(ctx context.Context, o Options, engine string, databases [2]string) ([]Row, error)) func(context.Context, Options) ([]Row, error) {
	return func(ctx context.Context, o Options) ([]Row, error) {
		rows, err := f(ctx, o, "SQLite", [2]string{})
		if err != nil {
			return nil, err
		}
		if o.Postgres[0] == "" || o.Postgres[1] == "" {
			fmt.Fprintln(o.Log, "  PostgreSQL: left out, because it is not given")
			return rows, nil
		}
		more, err := f(ctx, o, "PostgreSQL", o.Postgres)
		return append(rows, more...), err
	}
}

// place is how much an organization holds.
type place struct{ users, teams, projects, agents int }

var (
	small = place{2, 1, 1, 1}
	large = place{10_000, 500, 5_000, 50_000}
)

const (
	person      = "person1@example.com"
	personQuery = `(SELECT id FROM users WHERE email_key = '` + person + `')`
)

// permission measures what it costs to decide who may see what in a large organization.
func permission(ctx context.Context, o Options, engine string, databases [2]string) ([]Row, error) {
	fmt.Fprintf(o.Log, "  %s: filling an organization …\n", engine)
	full, agent, err := populated(ctx, o, databases[0], large)
	if err != nil {
		return nil, err
	}
	defer full.stop()
	empty, only, err := populated(ctx, o, databases[1], small)
	if err != nil {
		return nil, err
	}
	defer empty.stop()
	var filled, bare []float64
	for range 5 {
		b, err := hammer(ctx, empty, fmt.Sprintf("%s/api/v2/agents/%d", empty.URL, only))
		if err != nil {
			return nil, err
		}
		f, err := hammer(ctx, full, fmt.Sprintf("%s/api/v2/agents/%d", full.URL, agent))
		if err != nil {
			return nil, err
		}
		filled, bare = append(filled, f), append(bare, b)
	}
	f, b := mid(filled), mid(bare)
	rows := []Row{{
		fmt.Sprintf("%s: GET agent by way of a team among %d users, %d teams, %d projects, %d agents", engine, large.users, large.teams, large.projects, large.agents),
		fmt.Sprintf("%.0f/s, %s of a small organization", f, percent(f/b)), "≥ 90 %", fmt.Sprintf("small organization %.0f/s", b),
	}}
	for _, list := range []struct{ what, query string }{
		{"", ""}, {", by name", "&sort=name"}, {", a search", "&search=agent+77"},
	} {
		took, total, err := listing(ctx, full, list.query)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{fmt.Sprintf("%s: list one's agents among %d%s", engine, large.agents, list.what), ms(took), "≤ 20 ms", fmt.Sprintf("%d are found", total)})
	}
	return rows, nil
}

func listing(ctx context.Context, p *process, query string) (took time.Duration, total int, err error) {
	var all []time.Duration
	for range 60 {
		begin := time.Now()
		list, err := call[struct {
			Pagination struct {
				Total int `json:"total"`
			} `json:"pagination"`
		}](ctx, p, "GET", "/api/v2/agents?page_size=20"+query, nil)
		if err != nil {
			return 0, 0, err
		}
		all, total = append(all, time.Since(begin)), list.Pagination.Total
	}
	return median(all[10:]), total, nil // the first warm up
}

// populated starts a server on an organization of the size, signed in as a person of five
// teams, and answers an agent that they reach by way of a team.
func populated(ctx context.Context, o Options, database string, size place) (*process, int64, error) {
	env := []string{"ATRIUM_DATABASE_URL=" + database}
	p, err := launch(ctx, o.Exe, env...)
	if err != nil {
		return nil, 0, err
	}
	p.halt()
	agent, err := populate(ctx, db.Options{URL: database, Dir: filepath.Join(p.dir, "data")}, size)
	if err == nil {
		err = p.start(ctx, o.Exe, env...)
	}
	if err == nil {
		err = p.signInAs(ctx, person)
	}
	if err != nil {
		p.stop()
		return nil, 0, err
	}
	return p, agent, nil
}

// Ids begin beyond those that the server gave.
const firstID = 1_000_000

func populate(ctx context.Context, o db.Options, n place) (agent int64, err error) {
	d, err := db.Open(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	const stamps = `is_deleted, created_by, created_on, modified_by, modified_on`
	const stamped = `FALSE, 'bench', 1700000000000000 + i, 'bench', 1700000000000000 + i`
	id := func(expr string, of int) string { return fmt.Sprintf("%d + (%s) %% %d", firstID, expr, of) }
	steps := []struct {
		count int
		sql   string
	}{
		{n.users, `INSERT INTO users (id, org_id, email, email_key, first_name, last_name, role, password_hash, is_active, ` + stamps + `)
			SELECT ` + id("i", n.users) + `, u.org_id, 'person' || i || '@example.com', 'person' || i || '@example.com', 'Person', 'No ' || i, 'User', u.password_hash, TRUE, ` + stamped + `
			FROM n, users u WHERE u.email_key = '` + email + `'`},
		{n.users, `INSERT INTO user_permission (org_id, user_id, kind, name, created_by, created_on, modified_by, modified_on)
			SELECT o.id, ` + id("i", n.users) + `, 'role', 'User', 'bench', 0, 'bench', 0 FROM n, o`},
		{n.teams, `INSERT INTO team (id, org_id, name, description, ` + stamps + `) SELECT ` + id("i", n.teams) + `, o.id, 'Team ' || i, '', ` + stamped + ` FROM n, o`},
		{n.projects, `INSERT INTO project (id, org_id, name, description, is_default, ` + stamps + `) SELECT ` + id("i", n.projects) + `, o.id, 'Project ' || i, '', FALSE, ` + stamped + ` FROM n, o`},
		{5 * n.users, `INSERT INTO team_user (org_id, team_id, user_id, role) SELECT o.id, ` + id("i * 7 + (i / "+fmt.Sprint(n.users)+") * 101", n.teams) + `, ` + id("i", n.users) + `, 'Member' FROM n, o WHERE TRUE ON CONFLICT DO NOTHING`},
		{2 * n.projects, `INSERT INTO project_team (org_id, project_id, team_id) SELECT o.id, ` + id("i", n.projects) + `, ` + id("i * 3 + (i / "+fmt.Sprint(n.projects)+") * 37", n.teams) + ` FROM n, o WHERE TRUE ON CONFLICT DO NOTHING`},
		{3 * n.projects, `INSERT INTO project_user (org_id, project_id, user_id, role) SELECT o.id, ` + id("i", n.projects) + `, ` + id("i * 13 + 5", n.users) + `, CASE WHEN i % 3 = 0 THEN 'Admin' ELSE 'Member' END FROM n, o WHERE TRUE ON CONFLICT DO NOTHING`},
		{n.agents, `INSERT INTO agent (id, org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt, instructions, access, status, model, language, tags,
			sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count, react_enabled, react_max_iteration_count, is_guide, ` + stamps + `)
			SELECT ` + id("i", n.agents) + `, o.id, ` + id("i", n.projects) + `, ` + id("i * 17 + 1", n.users) + `, 'Agent ' || i, 'Answers questions about subject ' || i, '', '', 'Knowledge', '', '[]',
			CASE WHEN i % 10 = 0 THEN 'Everyone' WHEN i % 10 < 5 THEN 'Team' ELSE 'Only me' END, 'live', '', '', '[]', '', '', '', FALSE, 32, FALSE, 50, FALSE, ` + stamped + ` FROM n, o`},
		{n.agents, `INSERT INTO agent_user (org_id, agent_id, user_id, role) SELECT o.id, ` + id("i", n.agents) + `, ` + id("i * 29 + 3", n.users) + `, 'Member' FROM n, o WHERE TRUE ON CONFLICT DO NOTHING`},
	}
	err = d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, s := range steps {
			_, err := db.Exec(ctx, tx, `WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?),
				o AS (SELECT org_id AS id FROM users WHERE email_key = '`+email+`') `+s.sql, s.count)
			if err != nil {
				return err
			}
		}
		// PostgreSQL would do it within a minute; the measurement does not wait.
		_, err := db.Exec(ctx, tx, tx.Pick(`SELECT 1`, `ANALYZE`))
		return err
	})
	if err != nil {
		return 0, err
	}
	return db.One[int64](ctx, d, `SELECT a.id FROM agent a JOIN project_team pt ON pt.project_id = a.project_id JOIN team_user tu ON tu.team_id = pt.team_id
		WHERE tu.user_id = `+personQuery+` AND a.access = 'Team' AND a.owner_id <> tu.user_id
			AND a.id NOT IN (SELECT agent_id FROM agent_user WHERE user_id = tu.user_id) ORDER BY a.id LIMIT 1`)
}

// signers is how many wrong sign-ins are under way at once.
const signers = 200

// flood measures what other people notice of a flood of wrong sign-ins, which comes from
// many addresses so that it is not simply sent away.
func flood(ctx context.Context, o Options, engine string, databases [2]string) ([]Row, error) {
	p, err := launch(ctx, o.Exe, "ATRIUM_DATABASE_URL="+databases[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	a, err := call[made](ctx, p, "POST", "/api/v2/agents", map[string]any{"name": "Bench"})
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/api/v2/agents/%d", a.ID)
	var before, during, after []time.Duration
	var wrong, refused int64
	for range 3 {
		for phase, into := range []*[]time.Duration{&before, &during, &after} {
			end := func() (int64, int64) { return 0, 0 }
			if phase == 1 {
				end = floodFrom(ctx, p)
				time.Sleep(300 * time.Millisecond)
			}
			for begin := time.Now(); time.Since(begin) < 2*time.Second; {
				one := time.Now()
				if _, err := p.send(ctx, "GET", path, "", nil); err != nil {
					end()
					return nil, err
				}
				*into = append(*into, time.Since(one))
				time.Sleep(5 * time.Millisecond) // a person, not a second flood
			}
			w, r := end()
			wrong, refused = wrong+w, refused+r
		}
	}
	b, d := median(before), median(during)
	return []Row{{fmt.Sprintf("%s: GET agent during %d wrong sign-ins at a time", engine, signers), fmt.Sprintf("%s, %+.0f %%", us(d), 100*(float64(d)/float64(b)-1)), "< +50 %",
		fmt.Sprintf("before %s, after %s; %d were wrong, %d told to wait", us(b), us(median(after)), wrong, refused)}}, nil
}

func us(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

// floodFrom signs in wrongly until it is ended, and answers how many were told that the
// password is wrong and how many to come later.
func floodFrom(ctx context.Context, p *process) (end func() (wrong, refused int64)) {
	ctx, cancel := context.WithCancel(ctx)
	var (
		wg             sync.WaitGroup
		wrong, refused atomic.Int64
	)
	for i := range signers {
		wg.Go(func() {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(i/250), 1+byte(i%250))}}
			c := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
			defer c.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				form := url.Values{"username": {fmt.Sprintf("nobody%d-%d@example.com", i, n)}, "password": {"Wrong-Word-1"}}
				req, err := http.NewRequestWithContext(ctx, "POST", p.URL+"/auth-service/api/v2/login/access-token", strings.NewReader(form.Encode()))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Ocp-Apim-Subscription-Key", apiKey)
				res, err := c.Do(req)
				if err != nil {
					continue
				}
				_ = res.Body.Close()
				if res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable {
					refused.Add(1)
					time.Sleep(time.Second) // at a time, not as fast as this machine can
				} else {
					wrong.Add(1)
				}
			}
		})
	}
	return func() (int64, int64) {
		cancel()
		wg.Wait()
		return wrong.Load(), refused.Load()
	}
}
