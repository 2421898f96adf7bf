package peer

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func settings(key, embedder string) []Setting {
	return []Setting{
		{Name: "KEY", Value: key, Refuse: true, Harm: "nothing can be read"},
		{Name: "EMBEDDER", Value: embedder, Harm: "all is made anew"},
	}
}

func join(t *testing.T, d *db.DB, s []Setting) (*Peers, error) {
	t.Helper()
	p, err := Join(t.Context(), d, slog.New(slog.DiscardHandler), "test", s)
	if err == nil {
		t.Cleanup(func() {
			if err := p.Leave(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	return p, err
}

func TestAServerThatIsSetUpOtherwiseIsToldOrRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	first, err := join(t, d, settings("k1", "e1"))
	if err != nil || len(first.Differing()) != 0 {
		t.Fatalf("the first: %+v, %v", first.Differing(), err)
	}
	if p, err := join(t, d, settings("k1", "e1")); err != nil || len(p.Differing()) != 0 {
		t.Errorf("one set up alike: %+v, %v", p.Differing(), err)
	}
	_, err = join(t, d, settings("k2", "e1"))
	if err == nil {
		t.Fatal("one with another key was let in")
	}
	for _, part := range []string{"KEY", "k1", "k2", "nothing can be read", "stop that server"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("it does not say %s: %v", part, err)
		}
	}
	other, err := join(t, d, settings("k1", "e2"))
	if err != nil {
		t.Fatal(err)
	}
	if got := other.Differing(); len(got) != 1 || got[0].Name != "EMBEDDER" || got[0].Theirs != "e1" || got[0].Value != "e2" {
		t.Errorf("what differs: %+v", got)
	}
	// One that runs already hears of it when it next looks.
	found, err := first.look(t.Context())
	if err != nil || len(found) != 1 || found[0].Theirs != "e2" {
		t.Errorf("the first finds %+v, %v", found, err)
	}
	// What a setting that only one of them knows is worth cannot be compared.
	if _, err := join(t, d, append(settings("k1", "e1"), Setting{Name: "NEW", Value: "x", Refuse: true})); err != nil {
		t.Error(err)
	}
}

func TestAServerThatLeftOrWasKilledHoldsNobodyOff(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	p, err := Join(t.Context(), d, slog.New(slog.DiscardHandler), "test", settings("k1", "e1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := &Peers{d: d, id: "killed", settings: settings("k2", "e2"), started: time.Now()}
	if err := killed.say(t.Context(), time.Now().Add(-alive)); err != nil {
		t.Fatal(err)
	}
	if p, err = join(t, d, settings("k3", "e3")); err != nil || len(p.Differing()) != 0 {
		t.Fatalf("it finds %+v, %v", p.Differing(), err)
	}
	rows := func() int {
		n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM server`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if rows() != 2 {
		t.Errorf("%d rows", rows())
	}
	if err := p.say(t.Context(), time.Now().Add(kept)); err != nil || rows() != 1 {
		t.Errorf("%d rows an hour later, %v", rows(), err)
	}
}

func TestASQLiteDatabaseHasOneServer(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	for _, key := range []string{"k1", "k2"} {
		if p, err := join(t, d, settings(key, "e")); err != nil || len(p.Differing()) != 0 {
			t.Errorf("%+v, %v", p.Differing(), err)
		}
	}
}
