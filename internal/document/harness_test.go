package document

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/db"
	"atrium/internal/egress"
	"atrium/internal/embed"
	"atrium/internal/extract"
	"atrium/internal/job"
)

// pool reads files in processes of this test binary.
var pool *extract.Pool

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "extract-worker" {
		extract.WorkerMain()
		return
	}
	pool = extract.NewPool(extract.Options{Workers: 2})
	code := m.Run()
	pool.Close()
	os.Exit(code)
}

// bench is Documents with an organization, people and corpora around it.
type bench struct {
	*Documents
	t      testing.TB
	org    int64
	owner  authz.Scope
	viewer authz.Scope // of corpus, by a grant
	other  authz.Scope // of the same organization, with no right at all
	alien  authz.Scope // the Global Admin of another organization
	corpus int64
}

func newBench(t testing.TB, d *db.DB, change ...func(*Options)) *bench {
	t.Helper()
	blobs, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	guard := egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	log := slog.New(slog.DiscardHandler)
	q := job.New(d, log)
	o := Options{DB: d, Blobs: blobs, Jobs: q, Extract: pool, Fetch: guard, PublicURL: "https://atrium.example", Log: log}
	for _, c := range change {
		c(&o)
	}
	b := &bench{t: t, Documents: New(o)}
	b.org = b.insert(`INSERT INTO organization (name, domain, created_on) VALUES ('Acme', 'acme.example', 0) RETURNING id`)
	far := b.insert(`INSERT INTO organization (name, domain, created_on) VALUES ('Rival', 'rival.example', 0) RETURNING id`)
	b.owner, b.viewer, b.other = b.person(b.org, "owner", authz.Member), b.person(b.org, "viewer", authz.Member), b.person(b.org, "other", authz.Member)
	b.alien = b.person(far, "alien", authz.GlobalAdmin)
	b.corpus = b.newCorpus(1)
	b.insert(`INSERT INTO corpus_grant (org_id, corpus_id, user_id, role, created_by, created_on) VALUES (?, ?, ?, 'Viewer', '', 0) RETURNING id`, b.org, b.corpus, b.viewer.User())
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
		guard.Close()
	})
	return b
}

func (b *bench) insert(query string, args ...any) int64 {
	b.t.Helper()
	var id int64
	err := b.DB.Tx(b.t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = db.One[int64](ctx, tx, query, args...)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) exec(query string, args ...any) {
	b.t.Helper()
	err := b.DB.Tx(b.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) person(org int64, name string, role authz.Role) authz.Scope {
	email := fmt.Sprintf("%s@%d.example", name, org)
	id := b.insert(`INSERT INTO users (org_id, email, email_key, first_name, last_name, role, password_hash, is_active, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, '', '', ?, '', TRUE, FALSE, '', 0, '', 0) RETURNING id`, org, email, email, string(role))
	return authz.For(&authz.Principal{UserID: id, OrgID: org, Email: email, Role: role, Scopes: []string{"*"}})
}

func (b *bench) newCorpus(mode int) int64 {
	return b.insert(`INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, tags, index_seq, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, 'C', '', 'document', ?, FALSE, '[]', 0, FALSE, '', 0, '', 0) RETURNING id`, b.org, b.owner.User(), mode)
}

// file stores bytes and adds them as a file.
func (b *bench) file(name, content string) Added {
	b.t.Helper()
	a, err := b.tryFile(b.owner, b.corpus, name, content)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) tryFile(sc authz.Scope, corpus int64, name, content string) (Added, error) {
	b.t.Helper()
	bl, err := b.Blobs.Put(b.t.Context(), sc.Org(), strings.NewReader(content), 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.Add(b.t.Context(), sc, corpus, Draft{ContentType: File, Name: name, Blob: bl})
}

func (b *bench) text(text string) Added {
	b.t.Helper()
	return b.add(Draft{ContentType: Text, Source: text})
}

func (b *bench) add(d Draft) Added {
	b.t.Helper()
	a, err := b.Add(b.t.Context(), b.owner, b.corpus, d)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// ended waits until a document is read or has failed.
func (b *bench) ended(id int64) Document {
	b.t.Helper()
	for range 3000 {
		d, err := b.Get(b.t.Context(), b.owner, id)
		if err != nil {
			b.t.Fatal(err)
		}
		if d.IsFailed || d.Step == Completed {
			return d
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("document %d does not end", id)
	return Document{}
}

func (b *bench) completed(id int64) Document {
	b.t.Helper()
	d := b.ended(id)
	if d.IsFailed {
		b.t.Fatalf("document %d failed at %s: %s: %s", id, d.Step, d.FailureCode, d.FailureReason)
	}
	return d
}

func (b *bench) search(sc authz.Scope, question string, corpora ...int64) []Passage {
	b.t.Helper()
	if corpora == nil {
		corpora = []int64{b.corpus}
	}
	out, _, err := b.Search(b.t.Context(), sc, Find{Query: question, CorpusIDs: corpora, Limit: 5})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// withEmbedder is an option of newBench.
func withEmbedder(e embed.Embedder) func(*Options) { return func(o *Options) { o.Embed = e } }
