package document

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/embed"
	"atrium/internal/fail"
)

// spinning is a fakeEmbedder whose vectors cannot be compared with the others'. It
// refuses texts with a word, until it is mended.
type spinning struct {
	*fakeEmbedder
	word   string
	mended *atomic.Bool
	made   *atomic.Int64 // texts that got a vector
}

func spin(word string) spinning {
	return spinning{&fakeEmbedder{name: "two"}, word, new(atomic.Bool), new(atomic.Int64)}
}

func (s spinning) Passages(ctx context.Context, texts []string) ([][]float32, error) {
	if !s.mended.Load() && strings.Contains(strings.Join(texts, " "), s.word) {
		return nil, fail.Invalid("the key is not valid")
	}
	out, err := s.fakeEmbedder.Passages(ctx, texts)
	s.made.Add(int64(len(out)))
	for i, v := range out {
		out[i] = append(v[4:], v[:4]...)
	}
	return out, err
}

func (s spinning) Query(ctx context.Context, text string) ([]float32, error) {
	v, err := s.Passages(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

// change sets another embedder, as a restart with another setting would.
func (b *bench) change(e embed.Embedder, former ...embed.Embedder) {
	b.t.Helper()
	b.Embed = e
	b.former = map[string]embed.Embedder{}
	b.Former = func(name string) embed.Embedder {
		for _, f := range former {
			if f.Name() == name {
				return f
			}
		}
		return nil
	}
	if err := b.Reembed(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for what a job does.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("it never came to: " + what)
}

func (b *bench) reembedding() Reembedding {
	b.t.Helper()
	r, err := b.Reembedding(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) counts(name string) func() bool {
	return func() bool {
		active, err := b.active(b.t.Context(), b.DB, b.org)
		if err != nil {
			b.t.Fatal(err)
		}
		n, err := db.One[int64](b.t.Context(), b.DB, `SELECT (SELECT COUNT(*) FROM reembedded) + (SELECT COUNT(*) FROM document_version v WHERE v.embedder <> ? AND v.number = 1)`, name)
		if err != nil {
			b.t.Fatal(err)
		}
		return active == name && n == 0
	}
}

func (b *bench) encoded(doc int64) []byte {
	b.t.Helper()
	e, err := db.One[[]byte](b.t.Context(), b.DB, `SELECT v.encoded FROM document_version v JOIN document d ON d.id = v.document_id AND d.version = v.number WHERE d.id = ?`, doc)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

const table = "name,price\n\"brown goat\",12\ncamel,900\n"

func TestAnotherEmbedderIsTakenUpWithTheFormerAnsweringMeanwhile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		one := &fakeEmbedder{name: "one"}
		b := newBench(t, d, withEmbedder(one))
		fish, land := b.text("Of the water\n\nA trout needs it cold."), b.text("A camel needs little water.")
		rows := b.file("prices.csv", table)
		for _, a := range []Added{fish, land, rows} {
			b.completed(a.ID)
		}
		// The new embedder fails half-way: the former stays in use, with a reason.
		two := spin("camel")
		b.change(two, one)
		b.until("a reason", func() bool { return len(b.reembedding().Reasons) == 1 })
		if r := b.reembedding(); !strings.Contains(r.Reasons[0], "the key is not valid") || r.Done != 1 || r.Todo != 2 {
			t.Errorf("it stopped with %+v", r)
		}
		if found := b.search(b.owner, "salmon"); len(found) == 0 || found[0].DocumentID != fish.ID || found[0].Vector < 0.9 {
			t.Errorf("with the former vectors it found %+v", found)
		}
		// A document that comes now is found by meaning as the others are.
		more := b.text("A salmon swims up the stream.")
		b.completed(more.ID)
		if found := b.search(b.owner, "trout"); len(found) < 2 || found[0].Vector < 0.9 || found[1].Vector < 0.9 {
			t.Errorf("a new document is left out: %+v", found)
		}
		two.mended.Store(true)
		if err := b.Reembed(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.until("the new vectors", b.counts("two"))
		if n := two.made.Load(); n != 4 {
			t.Errorf("%d texts got vectors for 4 pieces; going on begins anew", n)
		}
		if found := b.search(b.owner, "salmon"); len(found) < 2 || found[0].Vector < 0.9 || found[1].Vector < 0.9 {
			t.Errorf("with the new vectors it found %+v", found)
		}
		if r := b.reembedding(); r.Todo != 0 || len(r.Reasons) != 0 {
			t.Errorf("it is done and says %+v", r)
		}
		// What was made from the stored pieces is what reading again makes.
		for _, a := range []Added{fish, land, rows, more} {
			first, err := db.One[int64](t.Context(), d, `SELECT MIN(id) FROM piece WHERE document_id = ?`, a.ID)
			if err != nil {
				t.Fatal(err)
			}
			was := b.encoded(a.ID)
			b.exec(`UPDATE document_version SET embedder = 'none' WHERE document_id = ?`, a.ID)
			b.ids.next, b.ids.end = first, first+100
			b.exec(`DELETE FROM piece WHERE document_id = ?`, a.ID)
			if _, err := b.Refresh(t.Context(), b.owner, a.ID); err != nil {
				t.Fatal(err)
			}
			b.completed(a.ID)
			if !bytes.Equal(was, b.encoded(a.ID)) {
				t.Errorf("document %d: reading again makes another index", a.ID)
			}
		}
	})
}

func TestWithoutTheFormerEmbedderSearchGoesByWordsUntilAllVectorsAreNew(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d, withEmbedder(&fakeEmbedder{name: "one"}))
		fish := b.text("A trout needs cold water.")
		b.completed(fish.ID)
		two := spin("trout")
		b.change(two)
		b.until("a reason", func() bool { return len(b.reembedding().Reasons) == 1 })
		if found := b.search(b.owner, "salmon"); len(found) != 0 {
			t.Errorf("vectors of two models were compared: %+v", found)
		}
		if found := b.search(b.owner, "trout"); len(found) != 1 || found[0].Vector != 0 {
			t.Errorf("by words it found %+v", found)
		}
		two.mended.Store(true)
		if err := b.Reembed(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.until("the new vectors", b.counts("two"))
		if found := b.search(b.owner, "salmon"); len(found) != 1 || found[0].Vector < 0.9 {
			t.Errorf("by the new vectors it found %+v", found)
		}
	})
}

func TestAFewDocumentsWithoutVectorsGetThemAndAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		one := &fakeEmbedder{name: "one"}
		b := newBench(t, d, withEmbedder(one))
		for _, text := range []string{"A camel needs little water.", "A goat needs more."} {
			b.completed(b.text(text).ID)
		}
		b.Embed = nil
		fish := b.text("A trout needs cold water.")
		b.completed(fish.ID)
		b.Embed = one
		if found := b.search(b.owner, "salmon"); len(found) > 0 && found[0].DocumentID == fish.ID && found[0].Vector > 0.9 {
			t.Errorf("before it has vectors it found %+v", found)
		}
		b.change(one)
		b.until("the vectors", b.counts("one"))
		if found := b.search(b.owner, "salmon"); len(found) == 0 || found[0].DocumentID != fish.ID || found[0].Vector < 0.9 {
			t.Errorf("with its vectors it found %+v", found)
		}
	})
}

func TestGoingBackToTheFormerEmbedderLosesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		one := &fakeEmbedder{name: "one"}
		b := newBench(t, d, withEmbedder(one))
		fish := b.text("A trout needs cold water.")
		b.completed(fish.ID)
		was := b.encoded(fish.ID)
		b.change(spin("trout"), one)
		b.until("a reason", func() bool { return len(b.reembedding().Reasons) == 1 })
		b.change(one)
		b.until("the former", func() bool {
			return b.counts("one")() && b.reembedding().Todo == 0 && len(b.reembedding().Reasons) == 0
		})
		if !bytes.Equal(was, b.encoded(fish.ID)) {
			t.Error("the index changed")
		}
		if found := b.search(b.owner, "salmon"); len(found) != 1 || found[0].Vector < 0.9 {
			t.Errorf("it found %+v", found)
		}
	})
}
