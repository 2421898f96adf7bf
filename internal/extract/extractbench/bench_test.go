package extractbench

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"atrium/internal/extract"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "extract-worker" {
		extract.WorkerMain()
		return
	}
	os.Exit(m.Run())
}

func TestMeasureCountsPhrasesAndFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "one  two\nthree ﬁve")
	write("b.bin", "PK\x03\x04 not an archive")
	lines := ""
	for _, e := range []entry{
		{File: "a.txt", MustContain: []string{"two three", "\u202bfive", "absent"}},
		{File: "b.bin"},
	} {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		lines += string(b) + "\n"
	}
	write("manifest.jsonl", lines)
	pool := extract.NewPool(extract.Options{})
	t.Cleanup(pool.Close)
	r, err := Measure(context.Background(), pool, dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Files != 2 || r.Asked != 3 || r.Found != 2 || r.Hostile != 1 || r.Untyped != 0 {
		t.Errorf("report %+v", r)
	}
	if len(r.Missing) != 1 || r.Missing[0] != (Missing{"a.txt", "absent"}) {
		t.Errorf("missing %+v", r.Missing)
	}
	if len(r.Failed) != 1 || r.Failed[0].Reason != extract.Damaged {
		t.Errorf("failed %+v", r.Failed)
	}
}

// TestReadsTheMeasuredFolder reports on a folder of documents, given by
// ATRIUM_EXTRACT_DOCS, with helpers and without; without a folder it measures an
// empty one.
func TestReadsTheMeasuredFolder(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("ATRIUM_EXTRACT_DOCS")
	if dir == "" {
		dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "manifest.jsonl"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, helpers := range []bool{true, false} {
		pool := extract.NewPool(extract.Options{NoHelpers: !helpers})
		prot, err := pool.Protections(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		r, err := Measure(context.Background(), pool, dir)
		pool.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("helpers %v %+v\n%d files, phrases %d of %d (%.1f %%), all in %v, memory %d MB; hostile %d, untyped %d, at most %v and %d MB",
			helpers, prot, r.Files, r.Found, r.Asked, 100*r.Share(), r.Time, r.Memory>>20, r.Hostile, r.Untyped, r.HostileTime, r.HostileMemory>>20)
		for _, m := range r.Missing {
			t.Logf("missing %s %q", m.File, m.Phrase)
		}
		for _, f := range r.Failed {
			t.Logf("failed %s %s: %s", f.File, f.Reason, f.Message)
		}
		if r.Untyped > 0 {
			t.Errorf("%d files ended without a reason", r.Untyped)
		}
		if r.Asked > 0 && r.Share() < 0.95 {
			t.Errorf("found %.1f %% of the phrases", 100*r.Share())
		}
	}
}
