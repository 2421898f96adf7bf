package pgvector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/retrieval"
	"atrium/internal/retrieval/vectortest"
)

func TestWhatIsMissingIsToldInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		postgres   bool
		has, could string
		want       string // empty: it fits
	}{
		{false, "", "", "ATRIUM_DATABASE_URL"},
		{true, "", "", "has no extension vector; install pgvector 0.8"},
		{true, "", "0.7.4", "of version 0.7.4; install pgvector 0.8"},
		{true, "0.7.4", "0.7.4", "of version 0.7.4; install pgvector 0.8"},
		{true, "0.7.4", "0.8.0", "run ALTER EXTENSION vector UPDATE"},
		{true, "odd", "", "of version odd"},
		{true, "", "0.8.0", ""},
		{true, "0.8.5", "", ""},
		{true, "1.0", "1.0", ""},
	} {
		err := Fit(c.postgres, c.has, c.could)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "ATRIUM_VECTORS=memory")) {
			t.Errorf("%q, %q: %v", c.has, c.could, err)
		}
	}
	if _, err := Open(t.Context(), Options{DB: dbtest.Open(t, db.SQLite)}); err == nil || !strings.Contains(err.Error(), "SQLite") {
		t.Errorf("SQLite is taken: %v", err)
	}
	// The tests' role is an ordinary one.
	if _, err := Open(t.Context(), Options{DB: dbtest.Open(t, db.Postgres)}); err == nil || !strings.Contains(err.Error(), "run CREATE EXTENSION vector") {
		t.Errorf("a role makes the extension that may not: %v", err)
	}
}

func TestSeveralServersOpenOneStoreAtOnceAndItsTablesAreBehindTheWall(t *testing.T) {
	t.Parallel()
	d := dbtest.OpenVector(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Open(t.Context(), Options{DB: d}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h := newShelf(openOn(t, d), 1)
	docs, _ := vectortest.Cloud(1, 8, 3, 2)
	fill(t, h, docs)
	for org, want := range map[int64]string{0: "6 1 1", 1: "6 1 1", 2: "0 0 0"} {
		got, err := db.One[string](db.WithOrg(t.Context(), org), d, `SELECT (SELECT COUNT(*) FROM piece_vector) || ' ' || (SELECT COUNT(*) FROM vector_index) || ' ' || (SELECT COUNT(*) FROM vector_sum)`)
		if err != nil || got != want {
			t.Errorf("organization %d sees %q, want %q, %v", org, got, want, err)
		}
	}
}

// fill puts documents into corpus 1 and brings them in.
func fill(t *testing.T, h *shelf, docs []vectortest.Document) {
	t.Helper()
	for _, d := range docs {
		if err := h.Put(1, d); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.catchUp(t.Context(), h.s, 1); err != nil {
		t.Fatal(err)
	}
}

func TestTheIndexIsWhatIsAsked(t *testing.T) {
	t.Parallel()
	s := open(t, indexing)
	h := newShelf(s, 1)
	docs, vector := vectortest.Cloud(2, 16, 200, 5)
	fill(t, h, docs)
	plan := func(q retrieval.Nearby) string {
		t.Helper()
		v := &view{s, View{1, []int64{1, 2}, embedder}}
		var out []string
		err := s.DB.Relaxed(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := useIndex(ctx, tx, 10, 10); err != nil {
				return err
			}
			query, args := v.byIndex(1, halves(vector()), q)
			var err error
			out, err = db.All[string](ctx, tx, `EXPLAIN `+query, args...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, "\n")
	}
	if p := plan(retrieval.Nearby{N: 10}); strings.Contains(p, "hnsw") {
		t.Errorf("before there is an index the plan is\n%s", p)
	}
	for range 2 {
		if err := s.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []retrieval.Nearby{{N: 10}, {N: 10, Documents: []int64{1, 2, 3}}} {
		if p := plan(q); !strings.Contains(p, "Index Scan using piece_vector_hnsw_1") || strings.Contains(p, "Sort") {
			t.Errorf("the plan is\n%s", p)
		}
	}
	// One whose making breaks off is made anew.
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.DB.Apart(ctx, "test", func(exec func(string) error) error {
		if err := exec(`DROP INDEX piece_vector_hnsw_1`); err != nil {
			return err
		}
		cancel()
		return exec(`CREATE INDEX CONCURRENTLY piece_vector_hnsw_1 ON piece_vector USING hnsw ((CAST(v AS halfvec(16))) halfvec_cosine_ops) WHERE space_id = 1`)
	}); err == nil {
		t.Error("it did not break off")
	}
	if err := s.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := plan(retrieval.Nearby{N: 10}); !strings.Contains(p, "hnsw") {
		t.Errorf("after it was made anew the plan is\n%s", p)
	}
	// So is one that was made otherwise, and no other.
	made := func() (oid int64) {
		t.Helper()
		if err := s.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		oid, err := db.One[int64](t.Context(), s.DB, `SELECT CAST(oid AS BIGINT) FROM pg_class WHERE relname = 'piece_vector_hnsw_1' AND array_to_string(reloptions, ', ') = ?`, graph)
		if err != nil {
			t.Fatal(err)
		}
		return oid
	}
	was := made()
	if made() != was {
		t.Error("an index is made again that is as it should be")
	}
	if err := s.run(t.Context(), `ALTER INDEX piece_vector_hnsw_1 SET (m = 16)`); err != nil {
		t.Fatal(err)
	}
	if made() == was {
		t.Error("an index that was made otherwise stays")
	}
}

func TestAnIndexGoesWithTheLastVector(t *testing.T) {
	t.Parallel()
	o := dbtest.VectorOptions(t)
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	s := openOn(t, d, indexing)
	h := newShelf(s, 1)
	docs, _ := vectortest.Cloud(3, 8, 50, 3)
	fill(t, h, docs)
	if err := s.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.indexed(t.Context(), s.DB, 1); n == 0 || err != nil {
		t.Errorf("there is no index: %v", err)
	}
	room := func() int64 {
		indexes, kept, err := Room(t.Context(), o.URL)
		if err != nil || kept < 1<<20 {
			t.Errorf("PostgreSQL keeps %d, %v", kept, err)
		}
		return indexes
	}
	if room() == 0 {
		t.Error("an index takes no room")
	}
	keys, err := s.Keys(t.Context())
	if err != nil || !slices.Equal(keys, []Key{h.key(1)}) {
		t.Errorf("the keys are %v, %v", keys, err)
	}
	if err := s.Forget(t.Context(), h.key(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.indexed(t.Context(), s.DB, 1); n != 0 || err != nil || room() != 0 {
		t.Errorf("the index is still there: %v", err)
	}
}

func TestVectorsTooLongForAnIndexAreCompared(t *testing.T) {
	t.Parallel()
	s := open(t, indexing)
	h := newShelf(s, 1)
	docs, vector := vectortest.Cloud(4, maxIndexed+96, 8, 2)
	fill(t, h, docs)
	if err := s.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	hits, err := h.Search(t.Context(), []int64{1}, retrieval.Query{Vector: vector(), Limit: 16})
	if err != nil || len(hits) != 16 {
		t.Errorf("%d were found, %v", len(hits), err)
	}
}

// all is what of a corpus is stored, and its sum.
func all(t *testing.T, s *Store) (pieces int64, sums string) {
	t.Helper()
	pieces, err := db.One[int64](t.Context(), s.DB, `SELECT COUNT(*) FROM piece_vector`)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.All[[]byte](t.Context(), s.DB, `SELECT total FROM vector_sum ORDER BY space_id`)
	if err != nil {
		t.Fatal(err)
	}
	return pieces, fmt.Sprint(rows)
}

func TestSumsStayTrueThroughChangesAndForgetting(t *testing.T) {
	t.Parallel()
	s := open(t)
	h := newShelf(s, 1)
	docs, _ := vectortest.Cloud(5, 12, 40, 30)
	fill(t, h, docs[:20])
	_, before := all(t, s)
	fill(t, h, docs[20:])
	for _, d := range docs[20:] {
		if err := h.Remove(1, d.ID); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, h, docs[:7]) // again
	if n, after := all(t, s); n != 600 || after != before {
		t.Errorf("%d pieces are there, the sum was\n%s\nand is\n%s", n, before, after)
	}
	// Forgetting that breaks off leaves rows; who comes next clears them away first.
	err := s.DB.Relaxed(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for _, q := range []string{`UPDATE vector_index SET seq = -1, cursor_seq = 0, cursor_document = 0`, `DELETE FROM vector_sum`, `DELETE FROM piece_vector WHERE document_id < 5`} {
			if _, err := db.Exec(ctx, tx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.catchUp(t.Context(), openOn(t, s.DB), 1); err != nil {
		t.Fatal(err)
	}
	if n, after := all(t, s); n != 600 || after != before {
		t.Errorf("%d pieces are there after forgetting, the sum was\n%s\nand is\n%s", n, before, after)
	}
}

func TestCatchingUpThatBreaksOffIsGoneOnWithByAnother(t *testing.T) {
	t.Parallel()
	one := open(t)
	two := openOn(t, one.DB)
	h := newShelf(one, 1)
	docs, _ := vectortest.Cloud(6, 8, 3*feedBatch, 2)
	for _, d := range docs {
		if err := h.Put(1, d); err != nil {
			t.Fatal(err)
		}
	}
	broken := errors.New("broken off")
	asked := 0
	var last Cursor
	feed := func(ctx context.Context, tx *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		if asked++; asked == 3 {
			return nil, 0, broken
		}
		last = after
		return h.feed(1)(ctx, tx, after, limit)
	}
	if err := one.CatchUp(t.Context(), h.key(1), h.seq, feed); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if n, _ := all(t, one); n != 2*2*feedBatch || last.Seq != feedBatch {
		t.Errorf("%d vectors were kept", n)
	}
	first := true
	feed = func(ctx context.Context, tx *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		if first && after.Seq != 2*feedBatch {
			t.Errorf("it went on behind %v", after)
		}
		first = false
		return h.feed(1)(ctx, tx, after, limit)
	}
	if err := two.CatchUp(t.Context(), h.key(1), h.seq, feed); err != nil {
		t.Fatal(err)
	}
	if n, _ := all(t, one); n != int64(2*len(docs)) {
		t.Errorf("%d vectors are there", n)
	}
}

func TestAFeedThatStopsIsNotPassed(t *testing.T) {
	t.Parallel()
	s := open(t)
	h := newShelf(s, 1)
	docs, _ := vectortest.Cloud(7, 8, 10, 1)
	for _, d := range docs {
		if err := h.Put(1, d); err != nil {
			t.Fatal(err)
		}
	}
	stop := int64(6)
	feed := func(ctx context.Context, tx *db.Tx, after Cursor, limit int) ([]Change, int64, error) {
		all, upTo, err := h.feed(1)(ctx, tx, after, limit)
		if i := slices.IndexFunc(all, func(c Change) bool { return c.Seq >= stop }); i >= 0 {
			return all[:i], stop - 1, err
		}
		return all, upTo, err
	}
	if err := s.CatchUp(t.Context(), h.key(1), 5, feed); err != nil {
		t.Errorf("what was before the stop is not in: %v", err)
	}
	if err := s.CatchUp(t.Context(), h.key(1), 10, feed); !errors.Is(err, ErrBehind) {
		t.Errorf("beyond the stop it answers %v", err)
	}
	if n, _ := all(t, s); n != 5 {
		t.Errorf("%d are in", n)
	}
	stop = 100
	if err := s.CatchUp(t.Context(), h.key(1), 10, feed); err != nil {
		t.Error(err)
	}
	if n, _ := all(t, s); n != 10 {
		t.Errorf("in the end %d are in", n)
	}
}

func TestHalvesAreStoredAsTheyAreCounted(t *testing.T) {
	t.Parallel()
	s := open(t)
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float32Range(-1, 1), 1, 40).Draw(t, "v")
		k := halves(v)
		if k == nil {
			return
		}
		b, err := db.One[[]byte](context.Background(), s.DB, `SELECT halfvec_send(CAST(CAST(? AS TEXT) AS halfvec))`, text(k))
		if err != nil || !slices.Equal(sent(b), k) {
			t.Fatalf("%v came back as %v: %v", k, sent(b), err)
		}
		sum := 0.0
		for _, x := range k {
			sum += float64(x) / unit * float64(x) / unit
		}
		if math.Abs(sum-1) > 1e-3 {
			t.Fatalf("the length of %v is %v", v, math.Sqrt(sum))
		}
	})
	for _, v := range [][]float32{{0, 0}, {}, {float32(math.NaN()), 1}, {float32(math.Inf(1)), 1}} {
		if halves(v) != nil {
			t.Errorf("%v has a direction", v)
		}
	}
}
