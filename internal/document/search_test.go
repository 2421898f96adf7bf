package document

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/fail"
	"atrium/internal/job"
)

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 6000 { // a minute and more
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never came to be that %s", what)
}

func TestSearchReachesOnlyWhatMayBeQuoted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		b.completed(b.text(quokka).ID)
		open := func(sc authz.Scope) int { return len(b.search(sc, "quokka", b.corpus)) }
		if open(b.owner) != 1 || open(b.viewer) != 1 {
			t.Error("the owner or a viewer finds nothing")
		}
		if open(b.other) != 1 {
			t.Error("an agent's corpus may be quoted to whoever may ask the agent")
		}
		if open(b.alien) != 0 || open(authz.Scope{}) != 0 {
			t.Error("another organization, or nobody, finds something")
		}
		b.exec(`UPDATE corpus SET restrict_to_viewers = TRUE WHERE id = ?`, b.corpus)
		if open(b.owner) != 1 || open(b.viewer) != 1 || open(b.other) != 0 {
			t.Error("the restriction to viewers does not hold")
		}
		if found := b.search(b.owner, "quokka", b.corpus, b.corpus, 999_999); len(found) != 1 {
			t.Errorf("with doubles and unknown ids it found %d", len(found))
		}
		none, _, err := b.Search(t.Context(), b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}, Allow: func(int64) bool { return false }})
		if err != nil || len(none) != 0 {
			t.Errorf("documents that are not allowed are found: %+v, %v", none, err)
		}
		b.exec(`UPDATE corpus SET restrict_to_viewers = FALSE, is_deleted = TRUE WHERE id = ?`, b.corpus)
		if open(b.owner) != 0 {
			t.Error("a deleted corpus is searched")
		}
	})
}

func TestAnotherOrganizationsDocumentsChangeNoScore(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	b.completed(b.text(quokka).ID)
	before := b.search(b.owner, "quokka island")
	theirs := b.insert(`INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, 'T', '', 'document', 1, FALSE, '[]', 0, FALSE, '', 0, '', 0) RETURNING id`, b.alien.Org(), b.alien.User())
	for i := range 5 {
		if _, err := b.Add(t.Context(), b.alien, theirs, Draft{ContentType: Text, Source: fmt.Sprintf("Quokka island %d", i)}); err != nil {
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

func TestSearchSeesEachChangeThatWasCommittedBefore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		var ids []int64
		for i := range 40 {
			a := b.add(Draft{ContentType: Text, Name: fmt.Sprint("n", i), Source: fmt.Sprintf("common word and unique%d", i)})
			ids = append(ids, a.ID)
		}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				b.completed(id)
				if found := b.search(b.owner, fmt.Sprintf("unique%d", i)); len(found) == 0 || found[0].DocumentID != id {
					t.Errorf("document %d is complete and not found: %+v", i, found)
				}
			})
		}
		wg.Wait()
		got, err := b.DeleteMany(t.Context(), b.owner, b.corpus, append(ids[:30:30], 999_999))
		if err != nil || len(got.Deleted) != 30 || len(got.NotFound) != 1 {
			t.Fatalf("deleting gave %+v, %v", got, err)
		}
		fresh := New(b.withoutJobs())
		for _, s := range []*Documents{b.Documents, fresh} {
			found, _, err := s.Search(t.Context(), b.owner, Find{Query: "common word", CorpusIDs: []int64{b.corpus}, Limit: 100})
			if err != nil || len(found) != 10 {
				t.Errorf("after deleting %d are found, %v", len(found), err)
			}
		}
	})
}

// withoutJobs are the options of a second process on the same database.
func (b *bench) withoutJobs() Options {
	o := b.Options
	o.Jobs = job.New(b.DB, b.Log)
	return o
}

func TestALoadThatBreaksOffIsGoneOnWith(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite))
	b.completed(b.text(quokka).ID)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.Search(ctx, b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}}); err == nil {
		t.Error("a search whose caller left answers")
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if found := b.search(b.owner, "quokka"); len(found) != 1 {
				t.Errorf("found %d", len(found))
			}
		})
	}
	wg.Wait()
}

func TestTheIndexesKeptAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite), func(o *Options) { o.IndexBytes = 1 })
	corpora := []int64{b.corpus, b.newCorpus(1), b.newCorpus(2)}
	for i, c := range corpora {
		a, err := b.Add(t.Context(), b.owner, c, Draft{ContentType: Text, Source: fmt.Sprintf("Quokkas number %d", i)})
		if err != nil {
			t.Fatal(err)
		}
		b.completed(a.ID)
	}
	for range 3 {
		for _, c := range corpora {
			if found := b.search(b.owner, "quokkas", c); len(found) != 1 || found[0].CorpusID != c {
				t.Errorf("in corpus %d found %+v", c, found)
			}
		}
	}
	if n := len(b.indexes.lru.items); n > 1 {
		t.Errorf("%d indexes are kept", n)
	}
	if err := b.WarmUp(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPassageIsShownAtItsPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		a := b.text("# Tiere\n\nÜber das Quokka 🙂: es lebt\nauf Rottnest Island.\n\n## Essen\n\nEs frisst Blätter.")
		if _, err := b.Passage(t.Context(), b.other, a.ID, 0, 0, 0); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("a stranger gets %v", err)
		}
		b.completed(a.ID)
		start, end, page, ok := b.Locate(t.Context(), b.owner, a.ID, 1, "es lebt auf  Rottnest")
		if !ok || page != 0 {
			t.Fatal("a quote whose white space runs otherwise is not found")
		}
		p, err := b.Passage(t.Context(), b.viewer, a.ID, 1, start, end)
		if err != nil || p.Quote != "es lebt\nauf Rottnest" || !strings.HasSuffix(p.Before, "Quokka 🙂: ") || !strings.HasPrefix(p.After, " Island.") || p.Page != nil {
			t.Errorf("the passage is %+v, %v", p, err)
		}
		for _, quote := range []string{"es lebt auf Mars", "", "lebtauf", "Rottnest Island. Extra"} {
			if _, _, _, ok := b.Locate(t.Context(), b.owner, a.ID, 1, quote); ok {
				t.Errorf("%q is found", quote)
			}
		}
		if _, _, _, ok := b.Locate(t.Context(), b.other, a.ID, 1, "Rottnest"); ok {
			t.Error("a stranger locates a quote")
		}
		if _, err := b.Passage(t.Context(), b.owner, a.ID, 1, 100_000, 100_001); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("a start behind the text answers %v", err)
		}
		for name, bad := range map[string][3]int{"end before start": {1, 5, 5}} {
			if _, err := b.Passage(t.Context(), b.owner, a.ID, bad[0], bad[1], bad[2]); !fail.Is(err, fail.CodeInvalid) {
				t.Errorf("%s answers %v", name, err)
			}
		}
		if _, err := b.Passage(t.Context(), b.owner, a.ID, 9, 0, 1); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("an unknown version answers %v", err)
		}
		want, _ := b.Passage(t.Context(), b.alien, a.ID, 0, 0, 1)
		_, err = b.Passage(t.Context(), b.alien, a.ID, 0, 0, 1)
		_, unknownErr := b.Passage(t.Context(), b.alien, 999_999, 0, 0, 1)
		if err == nil || strings.ReplaceAll(unknownErr.Error(), "999999", fmt.Sprint(a.ID)) != err.Error() {
			t.Errorf("foreign and unknown answer %v and %v, %+v", err, unknownErr, want)
		}
	})
}

func TestAnAgentsCorpusIsQuotedToWhoMayAskIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		a := b.completed(b.text(quokka).ID)
		if _, err := b.Passage(t.Context(), b.other, a.ID, 1, 0, 5); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("without an agent it answers %v", err)
		}
		project := b.insert(`INSERT INTO project (org_id, name, description, is_default, is_deleted, created_by, created_on, modified_by, modified_on) VALUES (?, 'P', '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, b.org)
		agent := b.insert(`INSERT INTO agent (org_id, project_id, owner_id, name, description, industry_area, domain, type, prefix_prompt, instructions, access, status, model, language, tags,
				sample_q1, sample_q2, sample_q3, caching_enabled, chunk_count, react_enabled, react_max_iteration_count, is_guide, created_by, is_deleted, created_on, modified_by, modified_on)
			VALUES (?, ?, ?, 'A', '', '', '', '', '', '[]', 'Everyone', 'Live', '', '', '[]', '', '', '', FALSE, 8, FALSE, 1, FALSE, '', FALSE, 0, '', 0) RETURNING id`, b.org, project, b.owner.User())
		b.insert(`INSERT INTO agent_corpus (org_id, agent_id, corpus_id, is_enabled, is_default, created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, TRUE, FALSE, '', 0, '', 0) RETURNING id`, b.org, agent, b.corpus)
		if p, err := b.Passage(t.Context(), b.other, a.ID, 1, 0, 5); err != nil || p.Quote != "The q" {
			t.Errorf("with an agent it answers %+v, %v", p, err)
		}
		c, err := b.Original(t.Context(), b.other, CitationName(a.VersionID, a.Name), false)
		if err != nil {
			t.Fatal(err)
		}
		c.Body.Close()
		if _, err := b.Get(t.Context(), b.other, a.ID); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("the document itself answers %v", err)
		}
	})
}

func TestSweepRemovesWhatWasDeletedLongAgoAndNothingElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		gone, kept := b.file("gone.txt", "Wombats dig."), b.file("kept.txt", quokka)
		b.completed(gone.ID)
		b.completed(kept.ID)
		if err := b.Delete(t.Context(), b.owner, gone.ID); err != nil {
			t.Fatal(err)
		}
		left := func() int {
			n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM piece WHERE document_id = ?`, gone.ID)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := b.Sweep(t.Context(), time.Now()); err != nil || left() == 0 {
			t.Errorf("what was deleted just now is swept, %v", err)
		}
		if err := b.Sweep(t.Context(), time.Now().Add(retention+time.Hour)); err != nil || left() != 0 {
			t.Errorf("%d pieces are left, %v", left(), err)
		}
		doc, err := b.Get(t.Context(), b.owner, kept.ID)
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.Original(t.Context(), b.owner, CitationName(doc.VersionID, "anything"), false)
		if err != nil {
			t.Fatalf("a document that is there lost its bytes: %v", err)
		}
		c.Body.Close()
		n, err := b.purge(t.Context(), time.Now().Add(retention))
		if err != nil || n != 0 {
			t.Errorf("%d documents are swept again, %v", n, err)
		}
	})
}

var someWords = strings.Fields(`report annual budget island leaf water policy travel expense contract service agreement customer product support ticket
	meeting minutes board finance growth market energy solar wind battery storage vehicle safety manual machine engine pressure valve
	temperature sensor network router firewall password account session database index query vector lexical passage citation answer question`)

// benchCorpus fills a corpus with n pieces.
func benchCorpus(b *bench, n int) {
	r := rand.New(rand.NewPCG(1, 2))
	var drafts []Draft
	for i := range n {
		var text strings.Builder
		for range 100 {
			text.WriteString(someWords[min(int(r.ExpFloat64()*12), len(someWords)-1)])
			text.WriteByte(' ')
			if r.IntN(8) == 0 {
				fmt.Fprintf(&text, "w%d ", r.IntN(20_000))
			}
		}
		drafts = append(drafts, Draft{ContentType: Text, Name: fmt.Sprintf("Document %d", i), Source: text.String()})
	}
	for from := 0; from < len(drafts); from += 500 {
		if _, err := b.AddAll(b.t.Context(), b.owner, b.corpus, drafts[from:min(from+500, len(drafts))]); err != nil {
			b.t.Fatal(err)
		}
	}
	for seq := 0; seq < n; time.Sleep(5 * time.Millisecond) {
		var err error
		if seq, err = db.One[int](b.t.Context(), b.DB, `SELECT index_seq FROM corpus WHERE id = ?`, b.corpus); err != nil {
			b.t.Fatal(err)
		}
	}
}

// BenchmarkIngest reads short texts, a document an operation.
func BenchmarkIngest(b *testing.B) {
	for _, e := range dbtest.Engines {
		b.Run(string(e), func(b *testing.B) {
			x := newBench(b, dbtest.Open(b, e))
			b.ResetTimer()
			benchCorpus(x, b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
		})
	}
}

// BenchmarkSearch asks over 10,000 pieces, alone and 64 at once.
func BenchmarkSearch(b *testing.B) {
	for _, e := range dbtest.Engines {
		x := newBench(b, dbtest.Open(b, e))
		benchCorpus(x, 10_000)
		x.search(x.owner, "solar battery")
		for _, at := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", e, at), func(b *testing.B) {
				var wg sync.WaitGroup
				each := max(b.N/at, 1)
				for range at {
					wg.Go(func() {
						for i := range each {
							_, _, err := x.Search(b.Context(), x.owner, Find{Query: fmt.Sprintf("how does the solar battery w%d report to the board", i), CorpusIDs: []int64{x.corpus}, Limit: 8})
							if err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}
