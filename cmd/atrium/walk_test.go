package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/db/dbtest"
)

const (
	walkPages = 60
	// Of kills while a site is walked; on PostgreSQL a lease must expire after each.
	walkKillsHere  = 8
	walkKillsThere = 3
)

// maze is a site whose pages link one another. It counts what is asked of it,
// and calls for a kill in the midst of some answers.
type maze struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
	left  int // requests until the next kill; none when negative
	hang  bool
	kill  chan struct{}
}

func newMaze(t *testing.T) *maze {
	t.Helper()
	m := &maze{asked: map[string]int{}, left: -1, kill: make(chan struct{}, 1)}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *maze) serve(w http.ResponseWriter, r *http.Request) {
	var n int
	if _, err := fmt.Sscanf(r.URL.Path, "/page/%d", &n); err != nil || n >= walkPages {
		http.NotFound(w, r)
		return
	}
	m.mu.Lock()
	m.asked[r.URL.Path]++
	if m.left >= 0 {
		m.left--
	}
	called, hang := m.left == 0, m.hang
	m.mu.Unlock()
	if called {
		m.kill <- struct{}{}
		if hang {
			<-r.Context().Done()
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<title>Room %d</title><p>Room number %d of the maze has %d doors and smells of moss.", n, n, n+2)
	for _, to := range []int{0, n - 1, n + 1, 3*n + 1, 3*n + 2, 3*n + 3} {
		_, _ = fmt.Fprintf(w, `<a href="/page/%d">%d</a> `, (to+walkPages)%walkPages, to)
	}
}

// next arms the maze for a kill after some more requests.
func (m *maze) next(after int, hang bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.hang = after, hang
}

func TestAWalkGoesOnWhereItWasHoweverOftenItsServerIsKilled(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); walkThrough(t, walkKillsHere) })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		walkThrough(t, walkKillsThere, "ATRIUM_DATABASE_URL="+dbtest.PostgresURL(t))
	})
}

func walkThrough(t *testing.T, kills int, env ...string) {
	m := newMaze(t)
	v := newVictim(t, append(env, "ATRIUM_EGRESS_ALLOW=127.0.0.0/8")...)
	var corpus, src struct {
		ID int64 `json:"id"`
	}
	if status, err := v.json("POST", "/api/v2/corpora", map[string]any{"name": "Maze"}, &corpus); err != nil || status != 201 {
		t.Fatal(status, err)
	}
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	// From the second request on: the first is for the page that the kill before cut.
	arm := func(k int) { m.next(2+r.IntN(walkPages/kills-2), k%2 == 1) }
	arm(0)
	if status, err := v.json("POST", fmt.Sprintf("/api/v2/corpora/%d/sources", corpus.ID), map[string]any{"kind": "site", "address": m.URL + "/page/0", "max_depth": 10, "max_pages": 500}, &src); err != nil || status != 201 {
		t.Fatal(status, err)
	}
	for k := range kills {
		select {
		case <-m.kill:
		case <-time.After(2 * time.Minute):
			t.Fatalf("the walk does not go on after %d kills: %s", k, v.log)
		}
		time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond) // while the visit is stored, or the page is read
		v.kill()
		if k+1 < kills {
			arm(k + 1)
		} else {
			m.next(-1, false)
		}
		v.start()
	}
	walkedOnce(t, m, v, corpus.ID, src.ID, kills)
}

// walkedOnce waits for the end of the walk and the readings, and holds them to
// what a walk without kills leaves.
func walkedOnce(t *testing.T, m *maze, v *victim, corpusID, id int64, kills int) {
	t.Helper()
	get := func(path string, out any) {
		t.Helper()
		if status, err := v.json("GET", path, nil, out); err != nil || status != 200 {
			t.Fatalf("%s: %d %v", path, status, err)
		}
	}
	var src struct {
		State, Error                                               string
		Found, Added, Changed, Unchanged, Removed, Skipped, Failed int
	}
	var list struct {
		Documents []struct {
			Source, Step    string
			Failed          bool `json:"is_failed"`
			Version, Pieces int
			SourceID        int64 `json:"source_id"`
		}
	}
	deadline := time.Now().Add(3 * time.Minute)
	for done := false; !done; time.Sleep(50 * time.Millisecond) {
		get(fmt.Sprintf("/api/v2/corpora/%d/sources/%d", corpusID, id), &src)
		get(fmt.Sprintf("/api/v2/corpora/%d/documents?page_size=200", corpusID), &list)
		done = src.State != "pending" && src.State != "running"
		for _, d := range list.Documents {
			done = done && (d.Step == "completed" || d.Failed)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the walk or a reading does not end: %+v %+v", src, list)
		}
	}
	if src.State != "completed" || src.Error != "" || src.Found != walkPages || src.Added != walkPages || src.Changed+src.Unchanged+src.Removed+src.Skipped+src.Failed != 0 {
		t.Errorf("the walk ended with %+v", src)
	}
	have := map[string]int{}
	for _, d := range list.Documents {
		have[strings.TrimPrefix(d.Source, m.URL)]++
		if d.Step != "completed" || d.Failed || d.Version != 1 || d.Pieces == 0 || d.SourceID != id {
			t.Errorf("unfinished, or read twice: %+v", d)
		}
	}
	var pages struct {
		Pages      []struct{ Outcome string }
		Pagination struct{ Total int }
	}
	get(fmt.Sprintf("/api/v2/corpora/%d/sources/%d/pages?outcome=added", corpusID, id), &pages)
	if pages.Pagination.Total != walkPages {
		t.Errorf("%d pages are added", pages.Pagination.Total)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	total := 0
	for n := range walkPages {
		path := fmt.Sprintf("/page/%d", n)
		if have[path] != 1 || m.asked[path] < 1 || m.asked[path] > 2 {
			t.Errorf("%s is there %d times and was fetched %d times", path, have[path], m.asked[path])
		}
		total += m.asked[path]
	}
	// A kill costs the page that was under way and no other.
	if len(list.Documents) != walkPages || total > walkPages+kills {
		t.Errorf("%d documents; %d pages were fetched for %d over %d kills", len(list.Documents), total, walkPages, kills)
	}
	t.Logf("%d fetches for %d pages over %d kills", total, walkPages, kills)
}
