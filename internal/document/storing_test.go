package document

import (
	"errors"
	"fmt"
	"testing"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/fail"
)

// held has three files read and waiting to be stored together. Let go, it answers
// once all have ended.
func held(t *testing.T, d *db.DB) (b *bench, ids []int64, letGo func()) {
	t.Helper()
	gate := make(chan struct{})
	slow := &gatedExtractor{Extractor: pool, gate: gate, entered: make(chan string, 10)}
	b = newBench(t, d, func(o *Options) { o.Extract = slow })
	for i := range 3 {
		ids = append(ids, b.file(fmt.Sprint(i, ".txt"), fmt.Sprintf("%s Number %d.", quokka, i)).ID)
		<-slow.entered
	}
	somebody := &ending{r: &reading{subject: subject{OrgID: b.org}}}
	b.storing.enter(somebody)
	close(gate)
	eventually(t, "all wait", func() bool {
		b.storing.mu.Lock()
		defer b.storing.mu.Unlock()
		return len(b.storing.orgs[b.org]) == len(ids)
	})
	return b, ids, func() {
		b.storing.leave(somebody, nil)
		b.idle()
	}
}

// transactions tells in how many transactions the jobs of documents ended.
func (b *bench) transactions() int {
	b.t.Helper()
	n, err := db.One[int](b.t.Context(), b.DB, `SELECT COUNT(DISTINCT ended_at) FROM job WHERE org_id = ? AND kind = ? AND state = 'done'`, b.org, jobKind)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestReadingsThatEndTogetherShareATransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b, ids, letGo := held(t, d)
		letGo()
		seqs := map[int64]bool{}
		for _, id := range ids {
			b.completed(id)
			seq, err := db.One[int64](t.Context(), d, `SELECT index_seq FROM document WHERE id = ?`, id)
			if err != nil || seq == 0 || seqs[seq] {
				t.Errorf("document %d is change %d, as another is; %v", id, seq, err)
			}
			seqs[seq] = true
		}
		if n := b.transactions(); n != 1 {
			t.Errorf("they ended in %d transactions", n)
		}
		if found := b.search(b.owner, "quokka"); len(found) != len(ids) {
			t.Errorf("%d of %d are found", len(found), len(ids))
		}
		eventually(t, "nobody stores any more", func() bool {
			b.storing.mu.Lock()
			defer b.storing.mu.Unlock()
			return len(b.storing.orgs) == 0
		})
	})
}

func TestAReadingThatCannotBeStoredLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b, ids, letGo := held(t, d)
		if err := b.Delete(t.Context(), b.owner, ids[1]); err != nil {
			t.Fatal(err)
		}
		letGo()
		b.completed(ids[0])
		b.completed(ids[2])
		if n := b.transactions(); n < 2 {
			t.Errorf("the others ended in %d transactions, together with one that could not", n)
		}
		pieces, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM piece WHERE document_id = ?`, ids[1])
		if err != nil || pieces != 0 {
			t.Errorf("%d pieces of the deleted document are there; %v", pieces, err)
		}
		if found := b.search(b.owner, "quokka"); len(found) != 2 {
			t.Errorf("found %d passages", len(found))
		}
	})
}

func TestTextsAreAddedTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		drafts := []Draft{{ContentType: Text, Source: quokka}, {ContentType: Text, Name: "N", Source: "Numbats eat termites."}, {ContentType: Text, Source: quokka}}
		if _, err := b.AddAll(t.Context(), b.viewer, b.corpus, drafts); !fail.Is(err, fail.CodeForbidden) {
			t.Errorf("a viewer adds texts: %v", err)
		}
		for _, sc := range []authz.Scope{b.other, b.alien} {
			if _, err := b.AddAll(t.Context(), sc, b.corpus, drafts); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("%s adds texts: %v", sc.Email(), err)
			}
		}
		var refused *fail.Error
		if _, err := b.AddAll(t.Context(), b.owner, b.corpus, append(drafts, Draft{ContentType: Text, Source: " "})); !errors.As(err, &refused) {
			t.Errorf("an empty one among them: %v", err)
		}
		if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM document`); err != nil || n != 0 {
			t.Errorf("%d documents after refusals; %v", n, err)
		}
		added, err := b.AddAll(t.Context(), b.owner, b.corpus, drafts)
		if err != nil || len(added) != 3 || added[0].Known || added[1].Name != "N" || !added[2].Known || added[2].ID != added[0].ID {
			t.Fatalf("added %+v, %v", added, err)
		}
		b.completed(added[0].ID)
		b.completed(added[1].ID)
	})
}
