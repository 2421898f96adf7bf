package db_test

import (
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestWhatIsRunApartIsRunByOneAndLeavesNoSettings(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	table(t, d)
	ran, err := d.Apart(t.Context(), "one", func(exec func(string) error) error {
		for name, want := range map[string]bool{"one": false, "two": true} {
			if ran, err := d.Apart(t.Context(), name, func(func(string) error) error { return nil }); ran != want || err != nil {
				t.Errorf("while one is run, %s was run: %v, %v", name, ran, err)
			}
		}
		if err := exec(`SET work_mem = '77MB'`); err != nil {
			return err
		}
		return exec(`CREATE INDEX CONCURRENTLY thing_name ON thing (name)`)
	})
	if !ran || err != nil {
		t.Fatalf("it was run: %v, %v", ran, err)
	}
	for range 10 {
		if m, err := db.One[string](t.Context(), d, `SELECT current_setting('work_mem')`); m == "77MB" || err != nil {
			t.Fatalf("a connection has what was set apart: %s, %v", m, err)
		}
	}
	ran, err = d.Apart(t.Context(), "one", func(exec func(string) error) error { return exec(`SELECT nothing`) })
	if !ran || err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("after a mistake it was run: %v, %v", ran, err)
	}
	if ran, err := dbtest.Open(t, db.SQLite).Apart(t.Context(), "one", nil); ran || err == nil {
		t.Errorf("SQLite ran it: %v, %v", ran, err)
	}
}

func TestTheVersionsOfAnExtensionAreTold(t *testing.T) {
	t.Parallel()
	with, without := dbtest.VectorOptions(t).URL, dbtest.PostgresURL(t)
	has, could, err := db.Extension(t.Context(), with, "vector")
	if err != nil || has == "" || could == "" {
		t.Errorf("got %q, %q, %v", has, could, err)
	}
	if has, again, err := db.Extension(t.Context(), without, "vector"); err != nil || has != "" || again != could {
		t.Errorf("got %q, %q, %v", has, again, err)
	}
	if has, could, err := db.Extension(t.Context(), without, "no such"); err != nil || has != "" || could != "" {
		t.Errorf("got %q, %q, %v", has, could, err)
	}
	for _, address := range []string{"post\x00gres://", "postgres://localhost/x?sslmode=perhaps", "postgres://nobody@127.0.0.1:1/none"} {
		if _, _, err := db.Extension(t.Context(), address, "vector"); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
}
