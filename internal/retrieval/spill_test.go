package retrieval

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// spilling makes an index of small segments that go to files in dir from the first
// settled one on.
func spilling(t testing.TB, dir string) *Index {
	t.Helper()
	x := NewIndex()
	x.most = 24
	x.Spill(dir, func(err error) { t.Error(err) })
	x.spill.from = 0
	return x
}

func TestWhatLiesInFilesIsFoundAlike(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spilled := false
	rapid.Check(t, func(r *rapid.T) {
		z := newZipf(rapid.Uint64().Draw(r, "seed"), 60)
		docs := corpus(z, 40, 12, 8)
		for i := range docs[:12] { // pieces to fold
			docs[i].pieces[0].Text = docs[i%3].pieces[0].Text
		}
		plain, filed := NewIndex(), spilling(t, dir)
		for range rapid.IntRange(20, 80).Draw(r, "steps") {
			d := docs[rapid.IntRange(0, len(docs)-1).Draw(r, "doc")]
			switch rapid.IntRange(0, 4).Draw(r, "step") {
			case 0:
				plain.Remove(d.id)
				filed.Remove(d.id)
			case 1: // replaced by something else
				d.title = z.text(3)
				d.pieces = append([]Piece{{ID: 5000 + d.id, Text: z.text(30), Vector: z.vector(8)}}, d.pieces...)
				fallthrough
			default:
				d.put(t, plain)
				d.put(t, filed)
			}
		}
		a, b := plain.Stats(), filed.Stats()
		spilled = spilled || b.Files > 0
		if a.Pieces != b.Pieces || a.Documents != b.Documents || a.Vectors != b.Vectors {
			r.Fatalf("%+v and %+v", a, b)
		}
		for _, q := range []Query{
			{Text: z.text(6)}, {Vector: z.vector(8)}, {Text: z.text(6), Vector: z.vector(8), Fold: true, Limit: 30},
			{Text: z.text(4), Phrases: []string{z.text(1)}}, {Text: docs[0].title},
			{Text: z.text(6), Vector: z.vector(8), Allow: func(id int64) bool { return id%2 == 0 }},
		} {
			if want, got := find(t, q, plain), find(t, q, filed); !same(want, got) {
				r.Fatalf("%+v\nin memory %+v\nin files  %+v", q, want, got)
			}
		}
	})
	if !spilled {
		t.Error("nothing was in files")
	}
}

func TestSmallIndexesStayInMemory(t *testing.T) {
	t.Parallel()
	x := spilling(t, t.TempDir())
	x.spill.from = 200
	for _, d := range corpus(newZipf(1, 50), 70, 5, 4) {
		d.put(t, x)
		if s := x.Stats(); s.Files > 0 && s.Pieces <= 200 {
			t.Fatalf("%+v", s)
		}
	}
	for _, d := range corpus(newZipf(2, 50), 200, 5, 4) {
		d.put(t, x)
	}
	s := x.Stats()
	if least := int64(s.Pieces / 2 * 4); s.Files < least { // a low byte a dimension
		t.Errorf("%d bytes in files, of %d pieces", s.Files, s.Pieces)
	}
}

func TestWithoutAFolderTheIndexStaysInMemory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	docs := corpus(newZipf(3, 200), 100, 20, 8)
	x := spilling(t, filepath.Join(file, "below"))
	told := 0
	x.spill.failed = func(error) { told++ }
	for _, d := range docs {
		d.put(t, x)
	}
	if s := x.Stats(); s.Files != 0 || told != 1 {
		t.Errorf("%+v, told %d times", s, told)
	}
	q := Query{Text: docs[0].pieces[0].Text, Vector: docs[0].pieces[0].Vector}
	if !same(find(t, q, x), find(t, q, indexOf(t, docs))) {
		t.Error("other hits")
	}
}

// mappings counts what the process has mapped of files in dir.
func mappings(t *testing.T, dir string) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	return strings.Count(string(maps), dir+"/")
}

func TestFilesHaveNoNameAndEndWithTheirSegments(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	x := spilling(t, dir)
	docs := corpus(newZipf(4, 200), 200, 20, 8)
	for _, d := range docs {
		d.put(t, x)
	}
	if n := mappings(t, dir); n < 5 {
		t.Errorf("%d files", n)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
	for _, d := range docs {
		x.Remove(d.id)
	}
	if s := x.Stats(); s != (Stats{}) {
		t.Errorf("%+v", s)
	}
	for range 6000 {
		runtime.GC()
		if mappings(t, dir) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d files are still mapped", mappings(t, dir))
}

// A search that read what was unmapped would end the process.
func TestSearchesKeepTheirFilesWhileGarbageIsCollected(t *testing.T) {
	t.Parallel()
	z := newZipf(6, 300)
	docs := corpus(z, 120, 40, 32)
	encoded := make([][]byte, len(docs))
	for i, d := range docs {
		encoded[i] = Encode(d.title, d.pieces)
	}
	queries := make([]Query, 40)
	for i := range queries {
		queries[i] = Query{Text: z.text(8), Vector: z.vector(32), Fold: true, Limit: 50}
		if i%4 == 0 {
			queries[i].Phrases = []string{"w0x"}
		}
	}
	x := spilling(t, t.TempDir())
	const rounds = 400
	done := make(chan struct{})
	var background, searches sync.WaitGroup
	until := func(f func()) {
		background.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
				}
			}
		})
	}
	until(runtime.GC)
	for range 2 {
		searches.Go(func() {
			for i := range rounds / 4 {
				if _, err := Search(t.Context(), []*Index{x}, queries[i%len(queries)]); err != nil {
					t.Error(err)
				}
				x.Stats()
			}
		})
	}
	searches.Go(func() {
		for i := range rounds {
			at := i * 7 % len(docs)
			if i%3 == 0 {
				x.Remove(docs[at].id)
			} else if err := x.Put(docs[at].id, encoded[at]); err != nil {
				t.Error(err)
			}
		}
	})
	searches.Wait()
	close(done)
	background.Wait()
	if s := x.Stats(); s.Files == 0 {
		t.Errorf("nothing is in files: %+v", s)
	}
}
