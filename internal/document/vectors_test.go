package document

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/pii"
	"atrium/internal/retrieval/pgvector"
)

// inDatabase is an option of newBench: vectors are in PostgreSQL.
func inDatabase(t testing.TB) func(*Options) {
	return func(o *Options) {
		var err error
		if o.Vectors, err = pgvector.Open(t.Context(), pgvector.Options{DB: o.DB, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
	}
}

// inMemory is a second server on the same database that keeps its vectors in memory.
func (b *bench) inMemory() *Documents {
	o := b.withoutJobs()
	o.Vectors = nil
	return New(o)
}

// beside is a second server on the same database, with the vectors there.
func (b *bench) beside() *Documents {
	b.t.Helper()
	o := b.withoutJobs()
	inDatabase(b.t)(&o)
	return New(o)
}

// meaning is an embedder for which texts are near that share words.
type meaning struct{ *fakeEmbedder }

func (m meaning) Dimensions(context.Context) (int, error) { return 64, nil }

func (m meaning) Passages(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v := make([]float32, 64)
		for w := range strings.FieldsSeq(strings.ToLower(text)) {
			h := fnv.New64a()
			_, _ = h.Write([]byte(strings.Trim(w, ".,")))
			r := rand.New(rand.NewPCG(h.Sum64(), 1))
			for j := range v {
				v[j] += float32(r.NormFloat64())
			}
		}
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		for j := range v {
			v[j] /= float32(max(1e-9, math.Sqrt(sum)))
		}
		out[i] = v
	}
	return out, nil
}

func (m meaning) Query(ctx context.Context, text string) ([]float32, error) {
	v, err := m.Passages(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

var nouns = strings.Fields("quokka island trout river camel desert goat mountain whale ocean eagle sky wolf forest bee flower bear cave heron lake")

// say makes a text of n sentences of some words.
func say(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		for range 6 {
			b.WriteString(nouns[r.IntN(len(nouns))] + " ")
		}
		b.WriteString("lives.\n\n")
	}
	return b.String()
}

// agree holds two servers to the same passages, order and scores.
func (b *bench) agree(what string, one, two *Documents, finds ...Find) {
	b.t.Helper()
	for _, f := range finds {
		f.CorpusIDs = []int64{b.corpus}
		want, _, err := one.Search(b.t.Context(), b.owner, f)
		if err != nil {
			b.t.Fatal(err)
		}
		got, _, err := two.Search(b.t.Context(), b.owner, f)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(got) != len(want) {
			b.t.Errorf("%s, %q by %s: %d passages, not %d", what, f.Query, f.Side, len(got), len(want))
			continue
		}
		// Where two are as good as each other, rounding may turn them around.
		near := func(x, y float64) bool { return math.Abs(x-y) < 1e-3 }
		at := map[int64]Passage{}
		for _, p := range want {
			at[p.PieceID] = p
		}
		for i := range want {
			p, ok := at[got[i].PieceID]
			if !near(want[i].Score, got[i].Score) || ok && (!near(p.Score, got[i].Score) || !near(p.Vector, got[i].Vector)) || !ok && !near(want[len(want)-1].Score, got[i].Score) {
				b.t.Errorf("%s, %q by %s: passage %d is %d (%v, %v), not %d (%v, %v)", what, f.Query, f.Side, i,
					got[i].PieceID, got[i].Score, got[i].Vector, want[i].PieceID, want[i].Score, want[i].Vector)
			}
		}
	}
}

func TestVectorsInTheDatabaseFindWhatThoseInMemoryFind(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.OpenVector(t), inDatabase(t), withEmbedder(meaning{&fakeEmbedder{name: "one"}}))
	r := rand.New(rand.NewPCG(5, 5))
	var ids []int64
	for range 40 {
		ids = append(ids, b.text(say(r, 30)).ID)
	}
	for _, id := range ids {
		b.completed(id)
	}
	var finds []Find
	for i := range 12 {
		query := nouns[i] + " " + nouns[i+5] + " beyond"
		finds = append(finds, Find{Query: query, Limit: 20}, Find{Query: query, Side: Meaning, Limit: 50}, Find{Query: query, Side: Words},
			Find{Query: query, Among: Among{IDs: ids[:7]}}, Find{Query: query, Side: Meaning, Allow: func(id int64) bool { return id%2 == 0 }},
			Find{Query: `"` + nouns[i] + `" beyond`, Exact: true, Fold: true})
	}
	memory := b.inMemory()
	b.agree("as they were read", memory, b.Documents, finds...)
	words, all := b.indexes.lru.items[b.corpus].Value.(*lruItem[int64, *corpusIndex]).value.Stats(), memory.indexes.lru.items[b.corpus].Value.(*lruItem[int64, *corpusIndex]).value.Stats()
	if words.Vectors != 0 || all.Vectors != all.Pieces || words.Pieces != all.Pieces || words.Bytes > all.Bytes-int64(2*64*all.Pieces) {
		t.Errorf("in memory are %+v beside %+v", words, all)
	}
}

func TestEachChangeOfADocumentIsInTheVectorsOfTheNextSearch(t *testing.T) {
	t.Parallel()
	one := meaning{&fakeEmbedder{name: "one"}}
	b := newBench(t, dbtest.OpenVector(t), inDatabase(t), withEmbedder(one))
	r := rand.New(rand.NewPCG(6, 6))
	finds := []Find{{Query: "quokka island", Limit: 50}, {Query: "trout river", Side: Meaning, Limit: 50}, {Query: "whale", Side: Meaning, Limit: 50}}
	docs := make([]Added, 6)
	for i := range docs {
		docs[i] = b.file(fmt.Sprintf("n%d.txt", i), say(r, 5))
		b.completed(docs[i].ID)
	}
	other := b.beside()
	same := func(what string) {
		t.Helper()
		b.agree(what, b.inMemory(), b.Documents, finds...)
		b.agree(what+", on the other server", b.inMemory(), other, finds...)
	}
	same("added")
	b.completed(b.text("A quokka on the island. mail: jane@example.com").ID)
	same("one more")
	if err := b.Delete(t.Context(), b.owner, docs[0].ID); err != nil {
		t.Fatal(err)
	}
	same("deleted")
	if err := b.Delete(t.Context(), b.owner, docs[3].ID); err != nil {
		t.Fatal(err)
	}
	b.followEveryone(t.Context())
	if n, err := db.One[int64](t.Context(), b.DB, `SELECT COUNT(*) FROM piece_vector WHERE document_id = ? OR document_id = ?`, docs[0].ID, docs[3].ID); n != 0 || err != nil {
		t.Errorf("%d vectors of deleted documents are left, %v", n, err)
	}
	b.exec(`UPDATE corpus SET indexing_mode_id = 3 WHERE id = ?`, b.corpus)
	if _, err := b.Refresh(t.Context(), b.owner, docs[1].ID); err != nil {
		t.Fatal(err)
	}
	b.completed(docs[1].ID)
	same("read again")
	b.redact(Redaction{Types: []pii.Type{pii.Email}}, docs[2].ID)
	b.idle()
	same("redacted")
	two := spin("nothing")
	b.change(two, one)
	other.Options.Embed, other.Options.Former = b.Embed, b.Former
	b.until("the new vectors", func() bool {
		active, err := b.active(t.Context(), b.DB, b.org)
		return err == nil && active == "two"
	})
	// They were brought in before they count.
	if n, err := db.One[int64](t.Context(), b.DB, `SELECT COUNT(*) FROM piece_vector p JOIN vector_space s ON s.id = p.space_id WHERE s.embedder = 'two'`); n == 0 || err != nil {
		t.Errorf("of the other embedder no vectors are in, %v", err)
	}
	for _, f := range finds {
		f.CorpusIDs, f.Query = []int64{b.corpus}, "salmon trout"
		want, _, err := b.inMemory().Search(t.Context(), b.owner, f)
		if err != nil || len(want) == 0 {
			t.Fatal(len(want), err)
		}
		for _, s := range []*Documents{b.Documents, other} {
			got, _, err := s.Search(t.Context(), b.owner, f)
			if err != nil || len(got) != len(want) || math.Abs(got[0].Score-want[0].Score) > 1e-3 {
				t.Errorf("with the vectors of another embedder %d were found, not %d: %v", len(got), len(want), err)
			}
		}
	}
	if err := b.sweepVectors(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := db.All[string](t.Context(), b.DB, `SELECT DISTINCT s.embedder FROM piece_vector p JOIN vector_space s ON s.id = p.space_id
		UNION SELECT embedder FROM vector_index UNION SELECT s.embedder FROM vector_sum p JOIN vector_space s ON s.id = p.space_id`)
	if err != nil || fmt.Sprint(left) != "[two]" {
		t.Errorf("of embedders there are left %v, %v", left, err)
	}
	b.exec(`UPDATE corpus SET is_deleted = TRUE WHERE id = ?`, b.corpus)
	if err := b.sweepVectors(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := db.One[int64](t.Context(), b.DB, `SELECT (SELECT COUNT(*) FROM piece_vector) + (SELECT COUNT(*) FROM vector_index)`); n != 0 || err != nil {
		t.Errorf("of a deleted corpus %d rows are left, %v", n, err)
	}
}

func TestAServerBringsInVectorsBeforeAnybodySearches(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.OpenVector(t), withEmbedder(meaning{&fakeEmbedder{name: "one"}}))
	r := rand.New(rand.NewPCG(9, 9))
	b.completed(b.text(say(r, 8)).ID)
	ctx, cancel := context.WithCancel(t.Context())
	var server sync.WaitGroup
	s := b.beside()
	server.Go(func() { s.Background(ctx) })
	b.until("vectors of all pieces", func() bool {
		all, err := db.One[bool](t.Context(), b.DB, `SELECT (SELECT COUNT(*) FROM piece_vector) = (SELECT COUNT(*) FROM piece)`)
		return err == nil && all
	})
	cancel()
	server.Wait()
}

func TestWithVectorsInTheDatabaseAFewDocumentsWithoutThemAreFoundByWords(t *testing.T) {
	t.Parallel()
	one := meaning{&fakeEmbedder{name: "one"}}
	b := newBench(t, dbtest.OpenVector(t), inDatabase(t), withEmbedder(one))
	b.completed(b.text("A camel in the desert.").ID)
	b.Embed = nil
	fish := b.text("A trout in the river.")
	b.completed(fish.ID)
	b.Embed = one
	if found := b.search(b.owner, "trout river"); len(found) == 0 || found[0].DocumentID != fish.ID || found[0].Vector != 0 {
		t.Errorf("before it has vectors it found %+v", found)
	}
	b.change(one)
	b.until("the vectors", b.counts("one"))
	if found := b.search(b.owner, "trout river"); len(found) == 0 || found[0].DocumentID != fish.ID || found[0].Vector < 0.3 {
		t.Errorf("with its vectors it found %+v", found)
	}
}

func TestAnotherOrganizationsVectorsAreNotSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.OpenVector(t), inDatabase(t), withEmbedder(meaning{&fakeEmbedder{name: "one"}}))
	r := rand.New(rand.NewPCG(7, 7))
	b.completed(b.text(say(r, 8)).ID)
	before := b.search(b.owner, "quokka island")
	theirs := b.insert(`INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, 'T', '', 'document', 1, FALSE, '[]', 0, FALSE, '', 0, '', 0) RETURNING id`, b.alien.Org(), b.alien.User())
	for range 5 {
		if _, err := b.Add(t.Context(), b.alien, theirs, Draft{ContentType: Text, Source: "Quokka island " + say(r, 3)}); err != nil {
			t.Fatal(err)
		}
	}
	b.idle()
	if found := b.search(b.alien, "quokka island", theirs, b.corpus); len(found) != 5 {
		t.Errorf("the others find %d of their own", len(found))
	}
	if after := b.search(b.owner, "quokka island", b.corpus, theirs); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the result changed from %v to %v", before, after)
	}
}

func TestSeveralServersBringInTheSameVectorsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.OpenVector(t), withEmbedder(meaning{&fakeEmbedder{name: "one"}})) // not followed by its jobs
	r := rand.New(rand.NewPCG(8, 8))
	var ids []int64
	for range 80 { // several batches
		ids = append(ids, b.text(say(r, 2)).ID)
	}
	for _, id := range ids {
		b.completed(id)
	}
	servers := []*Documents{b.beside(), b.beside(), b.beside()}
	f := Find{Query: "quokka", Side: Meaning, CorpusIDs: []int64{b.corpus}}
	for round := range 3 {
		// Broken off anywhere, it is gone on with.
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i, s := range servers {
			wg.Go(func() {
				if i == round%3 {
					cancel()
				}
				if _, _, err := s.Search(ctx, b.owner, f); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		cancel()
	}
	var wg sync.WaitGroup
	for _, s := range servers {
		for range 3 {
			wg.Go(func() {
				if found, _, err := s.Search(t.Context(), b.owner, f); err != nil || len(found) != 10 {
					t.Errorf("%d were found, %v", len(found), err)
				}
			})
		}
	}
	wg.Wait()
	for _, s := range servers {
		b.agree("in turns", b.Documents, s, Find{Query: "quokka island", Limit: 100}, Find{Query: "whale", Side: Meaning, Limit: 100})
	}
	n, err := db.One[string](t.Context(), b.DB, `SELECT COUNT(*) || ' ' || COUNT(DISTINCT piece_id) || ' ' || (SELECT COUNT(*) FROM piece) || ' ' || (SELECT SUM(pieces) FROM vector_sum) FROM piece_vector`)
	if f := strings.Fields(n); err != nil || len(f) != 4 || f[0] != f[1] || f[0] != f[2] || f[0] != f[3] {
		t.Errorf("vectors, their pieces, all pieces and those in the sum are %s, %v", n, err)
	}
}
