package document

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/pii"
	"atrium/internal/rerank"
	"atrium/internal/rerank/reranktest"
)

// withReranker is an option of newBench.
func withReranker(r rerank.Reranker) func(*Options) { return func(o *Options) { o.Rerank = r } }

// titles are the documents of passages, in their order.
func titles(found []Passage) string {
	out := make([]string, len(found))
	for i, p := range found {
		out[i] = p.Title
	}
	return strings.Join(out, " ")
}

// backwards likes the passages that come last in the alphabet by their title.
func backwards(_, passage string) float64 { return float64(passage[0]) }

// alphabet adds documents about the quokka, the best one first by the words.
func (b *bench) alphabet(n int) {
	b.t.Helper()
	var ids []int64
	for i := range n {
		ids = append(ids, b.add(Draft{ContentType: Text, Name: string(rune('A' + i)), Source: strings.Repeat("quokka ", n+1-i) + strings.Repeat("leaf ", i+1)}).ID)
	}
	for _, id := range ids {
		b.completed(id)
	}
}

func (b *bench) reranked(sc authz.Scope, f Find) ([]Passage, Reranking) {
	b.t.Helper()
	if f.CorpusIDs == nil {
		f.CorpusIDs = []int64{b.corpus}
	}
	f.Rerank = true
	found, how, err := b.Search(b.t.Context(), sc, f)
	if err != nil {
		b.t.Fatal(err)
	}
	return found, how
}

func TestARerankerOrdersThePassages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := &reranktest.Fake{Score: backwards}
		b := newBench(t, d, withReranker(r))
		b.alphabet(4)
		plain := b.search(b.owner, "quokka")
		if titles(plain) != "A B C D" || plain[0].Rerank != nil || len(r.Seen()) != 0 {
			t.Fatalf("unasked it gives %s", titles(plain))
		}
		found, how := b.reranked(b.owner, Find{Query: "quokka", Limit: 2})
		if titles(found) != "D C" || how != Reranked || found[0].Rerank == nil || *found[0].Rerank != 'D' || *found[1].Rerank != 'C' {
			t.Errorf("got %s, %s", titles(found), how)
		}
		if found[0].Score != plain[3].Score || found[0].Coverage != plain[3].Coverage || fmt.Sprint(found[0].Terms) != fmt.Sprint(plain[3].Terms) {
			t.Errorf("what explains the score became %+v", found[0])
		}
		if seen := r.Seen()[0]; len(seen) != 4 || seen[0] != "A\n\n"+plain[0].Text {
			t.Errorf("the reranker was given %q", seen)
		}
		if done, failed, asked := b.Rerankings(); done != 1 || failed != 0 || !asked {
			t.Errorf("%d done, %d failed", done, failed)
		}
		if found, how := b.reranked(b.owner, Find{Query: "xylophone"}); len(found) != 0 || how != NotReranked || len(r.Seen()) != 1 {
			t.Errorf("of nothing it gives %s, %s", titles(found), how)
		}
	})
}

func TestAsManyAsTheRerankerLooksAtComeFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite), withReranker(&reranktest.Fake{Score: func(string, string) float64 { return -1 }}))
	for i := range rerankBest + 5 {
		b.add(Draft{ContentType: Text, Name: fmt.Sprint("n", i), Source: fmt.Sprintf("quokka number %d", i)})
	}
	b.idle()
	plain, _, err := b.Search(t.Context(), b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}, Limit: 200})
	if err != nil || len(plain) != rerankBest+5 {
		t.Fatalf("%d, %v", len(plain), err)
	}
	found, _ := b.reranked(b.owner, Find{Query: "quokka", Limit: 200})
	if titles(found) != titles(plain) {
		t.Errorf("scores that are the same change the order to %s", titles(found))
	}
	for i, p := range found {
		if (p.Rerank != nil) != (i < rerankBest) {
			t.Errorf("passage %d has the score %v", i, p.Rerank)
		}
	}
}

func TestARerankerThatFailsCostsOnlyItsOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var log bytes.Buffer
		r := &reranktest.Fake{}
		b := newBench(t, d, withReranker(r), func(o *Options) {
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			o.RerankWait = time.Minute
		})
		b.alphabet(3)
		hangs := func(ctx context.Context, _ string, _ []string) ([]float64, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		for _, c := range []struct {
			name string
			do   func(context.Context, string, []string) ([]float64, error)
			said int
		}{
			{"it fails", func(context.Context, string, []string) ([]float64, error) { return nil, errors.New("out of order") }, 1},
			{"it counts badly", func(context.Context, string, []string) ([]float64, error) { return []float64{1}, nil }, 1},
			{"it hangs", hangs, 1},
			{"it hung just now", func(context.Context, string, []string) ([]float64, error) {
				t.Error("a search asks what hung for the one before")
				return nil, errors.New("out of order")
			}, 0},
		} {
			log.Reset()
			r.Do = c.do
			if b.RerankWait = time.Minute; c.name == "it hangs" {
				b.RerankWait = 20 * time.Millisecond
			}
			found, how := b.reranked(b.owner, Find{Query: "quokka", Limit: 2})
			if titles(found) != "A B" || how != RerankFailed || found[0].Rerank != nil {
				t.Errorf("%s: got %s, %s", c.name, titles(found), how)
			}
			if said := log.String(); strings.Count(said, "could not be reranked") != c.said || strings.Contains(said, "quokka") || strings.Contains(said, "leaf") {
				t.Errorf("%s: the log says %s", c.name, said)
			}
		}
		if done, failed, _ := b.Rerankings(); done != 0 || failed != 4 {
			t.Errorf("%d done, %d failed", done, failed)
		}
		b.respite.until = time.Now().Add(-time.Second)
		r.Do = func(context.Context, string, []string) ([]float64, error) { // and one that comes meanwhile does not wait too
			if _, how, err := b.Search(t.Context(), b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}, Rerank: true}); how != RerankFailed || err != nil {
				t.Errorf("a search beside the one that tries answers %s, %v", how, err)
			}
			return []float64{1, 2, 3}, nil
		}
		if found, how := b.reranked(b.owner, Find{Query: "quokka"}); how != Reranked || titles(found) != "C B A" {
			t.Errorf("after its rest it gives %s, %s", titles(found), how)
		}
		r.Do = nil
		if _, how := b.reranked(b.owner, Find{Query: "quokka"}); how != Reranked {
			t.Errorf("once it answers again: %s", how)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r.Do = func(context.Context, string, []string) ([]float64, error) { cancel(); return nil, ctx.Err() }
		if _, _, err := b.Search(ctx, b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}, Rerank: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("when the caller left it answers %v", err)
		}
	})
}

func TestARerankerSeesOnlyWhatTheCallerMay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := &reranktest.Fake{}
		b := newBench(t, d, withReranker(r))
		b.completed(b.text(quokka).ID)
		theirs := b.insert(`INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
			VALUES (?, ?, 'T', '', 'document', 1, FALSE, '[]', 0, FALSE, '', 0, '', 0) RETURNING id`, b.alien.Org(), b.alien.User())
		if _, err := b.Add(t.Context(), b.alien, theirs, Draft{ContentType: Text, Source: "Their secret quokka."}); err != nil {
			t.Fatal(err)
		}
		b.idle()
		both := []int64{b.corpus, theirs}
		b.reranked(b.owner, Find{Query: "quokka", CorpusIDs: both})
		if seen := r.Seen(); len(seen) != 1 || len(seen[0]) != 1 || strings.Contains(seen[0][0], "secret") {
			t.Errorf("for the owner it was given %q", seen)
		}
		b.reranked(b.alien, Find{Query: "quokka", CorpusIDs: both})
		if seen := r.Seen(); len(seen) != 2 || len(seen[1]) != 1 || !strings.Contains(seen[1][0], "secret") {
			t.Errorf("for the others it was given %q", seen)
		}
		b.exec(`UPDATE corpus SET restrict_to_viewers = TRUE WHERE id = ?`, b.corpus)
		if found, how := b.reranked(b.other, Find{Query: "quokka", CorpusIDs: both}); len(found) != 0 || how != NotReranked || len(r.Seen()) != 2 {
			t.Errorf("who may not is answered %s", titles(found))
		}
		none, _ := b.reranked(b.owner, Find{Query: "quokka", Allow: func(int64) bool { return false }})
		if len(none) != 0 || len(r.Seen()) != 2 {
			t.Errorf("documents that are not allowed are reranked")
		}
	})
}

func TestARerankerIsGivenWhatIsLeftOfPersonalData(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := &reranktest.Fake{}
		b := newBench(t, d, withReranker(r))
		id := b.add(Draft{ContentType: Text, Name: "mail of ann@example.com", Source: "The quokka answers at ann@example.com each day."}).ID
		b.completed(id)
		b.redact(Redaction{Types: []pii.Type{"email"}}, id)
		found, how := b.reranked(b.owner, Find{Query: "quokka"})
		seen := r.Seen()
		if how != Reranked || len(seen) != 1 || strings.Contains(seen[0][0], "ann@example.com") || seen[0][0] != found[0].Title+"\n\n"+found[0].Text {
			t.Errorf("it was given %q for %+v", seen, found)
		}
	})
}

func TestWhatIsDeletedWhileItIsRerankedIsNotShown(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	b.alphabet(3)
	gone, err := db.One[int64](t.Context(), b.DB, `SELECT id FROM document WHERE name = 'B'`)
	if err != nil {
		t.Fatal(err)
	}
	b.Rerank = &reranktest.Fake{Score: func(question, passage string) float64 {
		if passage[0] == 'B' {
			if err := b.Delete(t.Context(), b.owner, gone); err != nil {
				t.Error(err)
			}
		}
		return backwards(question, passage)
	}}
	if found, _ := b.reranked(b.owner, Find{Query: "quokka"}); titles(found) != "C A" {
		t.Errorf("got %s", titles(found))
	}
}

func TestRerankedPassagesAreFoldedExactAndSurrounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite), withReranker(&reranktest.Fake{Score: backwards}))
	body := "The quokka is a small marsupial that lives on an island in the west, eats leaves and grass, sleeps in the shade by day and looks for food by night, and is not afraid of people who visit it."
	for name, text := range map[string]string{"a": body, "b": body, "x": "# Ships\n\nAnother quokka text altogether.\n\n# Captains\n\nThere is a captain too, who is the last to leave."} {
		b.completed(b.add(Draft{ContentType: Text, Name: name, Source: text}).ID)
	}
	found, _ := b.reranked(b.owner, Find{Query: "quokka island", Fold: true})
	if titles(found) != "x a" && titles(found) != "x b" || len(found[1].Doubles) != 1 || found[1].Doubles[0].Text == "" {
		t.Errorf("folded: %s, %+v", titles(found), found)
	}
	found, _ = b.reranked(b.owner, Find{Query: `quokka "small marsupial"`, Exact: true, Limit: 1, Around: 20})
	if titles(found) != "b" || found[0].Rerank == nil {
		t.Errorf("exact: %s", titles(found))
	}
	found, _ = b.reranked(b.owner, Find{Query: `quokka "text altogether"`, Exact: true, Around: 60})
	if titles(found) != "x" || found[0].Before == "" && found[0].After == "" && !strings.Contains(found[0].Text, "captain") {
		t.Errorf("surrounded: %+v", found)
	}
}

func TestWithoutARerankerNothingChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	b.alphabet(4)
	want := b.search(b.owner, "quokka leaf")
	found, how := b.reranked(b.owner, Find{Query: "quokka leaf", Limit: 5})
	if fmt.Sprint(found) != fmt.Sprint(want) || how != NotReranked || slices.ContainsFunc(found, func(p Passage) bool { return p.Rerank != nil }) {
		t.Errorf("got %v, %s", found, how)
	}
	if _, _, asked := b.Rerankings(); asked {
		t.Error("it counts for a reranker that there is not")
	}
}
