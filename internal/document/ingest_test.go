package document

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/extract"
	"atrium/internal/fail"
)

const quokka = "The quokka is a small marsupial.\n\nIt lives on Rottnest Island and eats leaves at night.\n"

func TestAFileIsReadCutAndFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		a := b.file("animals.md", "# Quokka\n\n"+quokka)
		if a.Step != Pending || a.Known {
			t.Errorf("a new file is %q, known %v", a.Step, a.Known)
		}
		doc := b.completed(a.ID)
		if doc.Version != 1 || doc.Pieces < 1 || doc.Size != int64(len("# Quokka\n\n"+quokka)) || !strings.HasPrefix(doc.AccessURL, "https://atrium.example/api/v2/citation/") {
			t.Errorf("the document is %+v", doc)
		}
		found := b.search(b.owner, "Where does the quokka live?")
		if len(found) == 0 || found[0].DocumentID != a.ID || !strings.Contains(found[0].Text, "Rottnest") || found[0].Title != "animals.md" {
			t.Fatalf("found %+v", found)
		}
	})
}

func TestPiecesKnowTheirPlaceInCodePoints(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		var text strings.Builder
		for i := range 120 {
			fmt.Fprintf(&text, "Ärger 🙂 nº %d kommt größer zurück, und Straße %d bleibt überfüllt mit Gästen.\n\n", i, i)
		}
		a := b.text(text.String())
		b.completed(a.ID)
		whole := []rune(b.versionText(a.ID, 1))
		type piece struct {
			Start int    `db:"start_at"`
			End   int    `db:"end_at"`
			Text  string `db:"text"`
		}
		pieces, err := db.All[piece](t.Context(), d, `SELECT start_at, end_at, text FROM piece WHERE document_id = ? ORDER BY ordinal`, a.ID)
		if err != nil || len(pieces) < 5 {
			t.Fatalf("%d pieces, %v", len(pieces), err)
		}
		for _, p := range pieces {
			if string(whole[p.Start:p.End]) != p.Text {
				t.Errorf("the piece at %d is %q there and %q by itself", p.Start, string(whole[p.Start:p.End]), p.Text)
			}
		}
	})
}

func (b *bench) versionText(id int64, number int) string {
	b.t.Helper()
	text, err := db.One[string](b.t.Context(), b.DB, `SELECT text FROM document_version WHERE document_id = ? AND number = ?`, id, number)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func TestTheSameFileIsRecognizedAndAChangedOneIsANewVersion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		first := b.file("a.txt", quokka)
		b.completed(first.ID)
		same := b.file("a.txt", quokka)
		if same.ID != first.ID || !same.Known || same.Step != Completed {
			t.Errorf("the same bytes gave %+v", same)
		}
		if elsewhere := b.file("b.txt", quokka); elsewhere.ID == first.ID {
			t.Error("the same bytes under another name are the same document")
		}
		changed := b.file("a.txt", "Wombats dig burrows and have cubic droppings.")
		if changed.ID != first.ID || changed.Known || changed.Step != Pending {
			t.Errorf("changed bytes gave %+v", changed)
		}
		if doc := b.completed(first.ID); doc.Version != 2 {
			t.Errorf("the version is %d", doc.Version)
		}
		if found := b.search(b.owner, "wombats burrows"); len(found) == 0 || found[0].DocumentID != first.ID || found[0].Version != 2 {
			t.Errorf("the new version is not found: %+v", found)
		}
		for _, p := range b.search(b.owner, "quokka marsupial") {
			if p.DocumentID == first.ID {
				t.Error("the old version is still found")
			}
		}
		start := strings.Index(quokka, "Rottnest")
		place, err := b.Passage(t.Context(), b.owner, first.ID, 1, start, start+len("Rottnest"))
		if err != nil || place.Quote != "Rottnest" || place.Version != 1 {
			t.Errorf("the old citation shows %+v, %v", place, err)
		}
	})
}

func TestAFailedFileSaysWhyAndCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		a := b.file("noise.pdf", "%PDF-1.7\nnothing that is a document\x00\x01\x02")
		doc := b.ended(a.ID)
		if !doc.IsFailed || doc.Step != Extracting || doc.FailureCode == "" || doc.FailureReason == "" {
			t.Fatalf("it is %+v", doc)
		}
		if again := b.file("noise.pdf", "%PDF-1.7\nnothing that is a document\x00\x01\x02"); again.ID != a.ID || again.Known || again.IsFailed {
			t.Errorf("sending it again gave %+v", again)
		}
		b.ended(a.ID)
		back, err := b.Refresh(t.Context(), b.owner, a.ID)
		if err != nil || back.IsFailed || back.Step != Pending || back.FailureReason != "" {
			t.Errorf("refresh gave %+v, %v", back, err)
		}
		if doc := b.ended(a.ID); !doc.IsFailed {
			t.Error("it did not fail again")
		}
	})
}

func TestARefreshOfTheSameTextKeepsTheVersion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		a := b.file("a.txt", quokka)
		b.completed(a.ID)
		if _, err := b.Refresh(t.Context(), b.owner, a.ID); err != nil {
			t.Fatal(err)
		}
		if doc := b.completed(a.ID); doc.Version != 1 || doc.Pieces != 1 {
			t.Errorf("after the refresh it is %+v", doc)
		}
		if found := b.search(b.owner, "quokka"); len(found) != 1 {
			t.Errorf("found %d passages", len(found))
		}
		b.exec(`UPDATE corpus SET indexing_mode_id = 3 WHERE id = ?`, b.corpus)
		if _, err := b.Refresh(t.Context(), b.owner, a.ID); err != nil {
			t.Fatal(err)
		}
		if doc := b.completed(a.ID); doc.Version != 2 {
			t.Errorf("with another mode the version is %d", doc.Version)
		}
	})
}

func TestANewUploadWhileReadingWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		gate := make(chan struct{})
		slow := &gatedExtractor{Extractor: pool, gate: gate, entered: make(chan string, 10)}
		b := newBench(t, d, func(o *Options) { o.Extract = slow; o.Workers = 2 })
		first := b.file("a.txt", "The first text speaks of aardvarks.")
		<-slow.entered
		second := b.file("a.txt", "The second text speaks of zebras.")
		<-slow.entered
		close(gate)
		if second.ID != first.ID {
			t.Fatalf("it became document %d beside %d", second.ID, first.ID)
		}
		b.completed(first.ID)
		b.idle()
		if found := b.search(b.owner, "zebras"); len(found) != 1 || found[0].Version != 1 {
			t.Errorf("found %+v", found)
		}
		if found := b.search(b.owner, "aardvarks"); len(found) != 0 {
			t.Errorf("what was replaced is found: %+v", found)
		}
	})
}

// gatedExtractor holds each reading at a gate.
type gatedExtractor struct {
	Extractor
	gate    chan struct{}
	entered chan string
}

func (g *gatedExtractor) Extract(ctx context.Context, r extract.Request) (extract.Document, error) {
	g.entered <- r.Name
	select {
	case <-g.gate:
	case <-ctx.Done():
		return extract.Document{}, ctx.Err()
	}
	return g.Extractor.Extract(ctx, r)
}

// idle waits until no job is unfinished.
func (b *bench) idle() {
	b.t.Helper()
	eventually(b.t, "the queue is idle", func() bool {
		n, err := db.One[int](b.t.Context(), b.DB, `SELECT COUNT(*) FROM job WHERE state IN ('pending', 'delayed', 'running')`)
		return err == nil && n == 0
	})
}

func TestADeletedDocumentIsGoneAtOnceEvenWhileItIsRead(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		slow := &gatedExtractor{Extractor: pool, gate: make(chan struct{}), entered: make(chan string, 10)}
		b := newBench(t, d, func(o *Options) { o.Extract = slow })
		kept := b.text(quokka)
		b.completed(kept.ID)
		a := b.file("a.txt", "Wombats dig burrows.")
		<-slow.entered
		if err := b.Delete(t.Context(), b.owner, a.ID); err != nil {
			t.Fatal(err)
		}
		b.idle()
		if _, err := b.Get(t.Context(), b.owner, a.ID); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("it answers %v", err)
		}
		if err := b.Delete(t.Context(), b.owner, kept.ID); err != nil {
			t.Fatal(err)
		}
		if found := b.search(b.owner, "quokka wombats"); len(found) != 0 {
			t.Errorf("found %+v", found)
		}
		if _, err := b.Passage(t.Context(), b.owner, kept.ID, 1, 0, 3); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("its passage answers %v", err)
		}
	})
}

func TestAnAddressIsFetchedAndEachFailureNamed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var body atomic.Pointer[string]
		page := "<html><head><title>All about quokkas</title></head><body><p>" + quokka + "</p></body></html>"
		body.Store(&page)
		var tries, asked atomic.Int32
		mux := http.NewServeMux()
		mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			text := *body.Load()
			tag := fmt.Sprintf(`"%d"`, len(text))
			w.Header().Set("ETag", tag)
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, text)
		})
		mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) {
			if tries.Add(1)%2 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, "Numbats eat termites.")
		})
		mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) })
		mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("/picture", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00")
		})
		mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
		})
		srv := httptest.NewServer(mux)
		t.Cleanup(srv.Close)
		b := newBench(t, d, func(o *Options) { o.MaxBytes = 100_000 })
		a := b.add(Draft{ContentType: Weblink, Source: srv.URL + "/page#part"})
		doc := b.completed(a.ID)
		if doc.Name != "All about quokkas" || doc.Source != srv.URL+"/page" || doc.AccessURL != doc.Source || doc.Version != 1 {
			t.Errorf("the page is %+v", doc)
		}
		if again := b.add(Draft{ContentType: Weblink, Source: srv.URL + "/page"}); again.ID != a.ID || !again.Known {
			t.Errorf("the same address gave %+v", again)
		}
		if doc := b.completed(a.ID); doc.Version != 1 {
			t.Errorf("an unchanged page has version %d", doc.Version)
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("the page was asked for %d times, not twice", n)
		}
		busy := b.add(Draft{ContentType: Weblink, Source: srv.URL + "/busy"})
		if doc := b.completed(busy.ID); doc.Pieces != 1 {
			t.Errorf("the busy server's page is %+v", doc)
		}
		for path, want := range map[string]string{
			"/nothing": codeNotFound, "/large": string(extract.TooLarge), "/empty": string(extract.Empty), "/away": codeRefused, "/picture": string(extract.Unsupported),
		} {
			x := b.add(Draft{ContentType: Weblink, Source: srv.URL + path})
			if doc := b.ended(x.ID); !doc.IsFailed || doc.FailureCode != want || doc.FailureReason == "" || doc.Step != Extracting {
				t.Errorf("%s ended as %q at %s: %s; want %q", path, doc.FailureCode, doc.Step, doc.FailureReason, want)
			}
		}
	})
}

func TestAChangedPageIsANewVersionUnlessItsTextIsTheSame(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var page atomic.Pointer[string]
		set := func(s string) { page.Store(&s) }
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *page.Load()) }))
		t.Cleanup(srv.Close)
		b := newBench(t, d)
		set("<html><body><p>Dingoes run far.</p></body></html>")
		a := b.add(Draft{ContentType: Weblink, Source: srv.URL})
		b.completed(a.ID)
		for _, step := range []struct {
			page string
			want int
		}{
			{`<html><body><p nonce="x">Dingoes run far.</p></body></html>`, 1},
			{`<html><body><p>Dingoes run very far.</p></body></html>`, 2},
		} {
			set(step.page)
			if _, err := b.Refresh(t.Context(), b.owner, a.ID); err != nil {
				t.Fatal(err)
			}
			if doc := b.completed(a.ID); doc.Version != step.want {
				t.Errorf("after %s the version is %d, want %d", step.page, doc.Version, step.want)
			}
		}
	})
}

// fakeEmbedder turns words into vectors; it fails as often as told.
type fakeEmbedder struct {
	name  string
	mu    sync.Mutex
	fails []error
}

func (f *fakeEmbedder) Name() string                            { return f.name }
func (f *fakeEmbedder) Dimensions(context.Context) (int, error) { return 8, nil }
func (f *fakeEmbedder) Passages(_ context.Context, texts []string) ([][]float32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.fails) > 0 {
		err := f.fails[0]
		f.fails = f.fails[1:]
		return nil, err
	}
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = vectorOf(text)
	}
	return out, nil
}

func (f *fakeEmbedder) Query(ctx context.Context, text string) ([]float32, error) {
	v, err := f.Passages(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

// vectorOf knows two meanings: what swims, and the rest.
func vectorOf(text string) []float32 {
	v := make([]float32, 8)
	v[0] = 1
	for _, w := range []string{"fish", "trout", "salmon", "swims"} {
		if strings.Contains(strings.ToLower(text), w) {
			v[0], v[1] = 0, 1
		}
	}
	return v
}

func TestVectorsAreMadeUsedAndNeverMixedBetweenModels(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		e := &fakeEmbedder{name: "one", fails: []error{fail.Provider("busy")}}
		b := newBench(t, d, withEmbedder(e))
		fish := b.text("A trout needs cold water.")
		land := b.text("A camel needs little water.")
		b.completed(fish.ID)
		b.completed(land.ID)
		found := b.search(b.owner, "salmon")
		if len(found) == 0 || found[0].DocumentID != fish.ID || found[0].Vector < 0.9 {
			t.Fatalf("by meaning it found %+v", found)
		}
		e.mu.Lock()
		e.fails = []error{fail.Provider("down")}
		e.mu.Unlock()
		if found := b.search(b.owner, "camel"); len(found) == 0 || found[0].DocumentID != land.ID || found[0].Vector != 0 {
			t.Errorf("without the embedder it found %+v", found)
		}
		e.name = "two"
		b.indexes.forget(b.corpus)
		if found := b.search(b.owner, "salmon"); len(found) != 0 {
			t.Errorf("vectors of two models were compared: %+v", found)
		}
		for _, id := range []int64{fish.ID, land.ID} {
			if _, err := b.Refresh(t.Context(), b.owner, id); err != nil {
				t.Fatal(err)
			}
			if doc := b.completed(id); doc.Version != 1 {
				t.Errorf("another model made version %d", doc.Version)
			}
		}
		if found := b.search(b.owner, "salmon"); len(found) == 0 || found[0].DocumentID != fish.ID {
			t.Errorf("after the refresh it found %+v", found)
		}
	})
}

func TestAnEmbedderThatRefusesFailsTheDocumentAtItsStep(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d, withEmbedder(&fakeEmbedder{name: "one", fails: []error{fail.Invalid("the key is not valid")}}))
		a := b.text(quokka)
		doc := b.ended(a.ID)
		if !doc.IsFailed || doc.Step != Embedding || doc.FailureCode != codeEmbedder || !strings.Contains(doc.FailureReason, "the key is not valid") {
			t.Errorf("it is %+v", doc)
		}
		if found := b.search(b.owner, "quokka"); len(found) != 0 {
			t.Error("a document that failed is found")
		}
	})
}

func TestBadDraftsAreRefusedAndLeaveNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxText+1)
	tests := []struct {
		name  string
		draft Draft
		code  fail.Code
		field string
	}{
		{"no kind", Draft{Source: "x"}, fail.CodeInvalid, "content_type"},
		{"an empty text", Draft{ContentType: Text, Source: " \n"}, fail.CodeInvalid, "source"},
		{"a huge text", Draft{ContentType: Text, Source: long}, fail.CodeTooLarge, ""},
		{"an address of a file", Draft{ContentType: Weblink, Source: "file:///etc/passwd"}, fail.CodeInvalid, "source"},
		{"an address without a host", Draft{ContentType: Weblink, Source: "https:///x"}, fail.CodeInvalid, "source"},
		{"an address with a password", Draft{ContentType: Weblink, Source: "https://a:b@example.com/"}, fail.CodeInvalid, "source"},
		{"an endless address", Draft{ContentType: Weblink, Source: "https://example.com/" + strings.Repeat("a", maxURL)}, fail.CodeInvalid, "source"},
		{"an empty file", Draft{ContentType: File, Name: "a"}, fail.CodeInvalid, "source"},
		{"a long tag", Draft{ContentType: Text, Source: "x", Tags: []string{strings.Repeat("t", maxTag+1)}}, fail.CodeInvalid, "tags"},
	}
	b := newBench(t, dbtest.Open(t, db.SQLite))
	for _, tt := range tests {
		_, err := b.Add(t.Context(), b.owner, b.corpus, tt.draft)
		var f *fail.Error
		if !errors.As(err, &f) || f.Code != tt.code || tt.field != "" && (len(f.Fields) != 1 || f.Fields[0].Field != tt.field) {
			t.Errorf("%s answers %v", tt.name, err)
		}
	}
	if n, err := db.One[int](t.Context(), b.DB, `SELECT COUNT(*) FROM document`); err != nil || n != 0 {
		t.Errorf("%d documents were stored, %v", n, err)
	}
}

func TestNamesAreCleaned(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.txt": "a.txt", "../../etc/passwd": "passwd", `C:\docs\a b.doc`: "a b.doc", "a\x00b.txt": "ab.txt", "": "file", "..": "file", "/": "file",
		"\u202Egnp.exe": "gnp.exe", "  x  ": "x", "bad\xff.txt": "bad.txt",
	} {
		if got := cleanName(in); got != want {
			t.Errorf("cleanName(%q) = %q, want %q", in, got, want)
		}
	}
	long := cleanName(strings.Repeat("é", 400) + ".docx")
	if utf8.RuneCountInString(long) != maxName || !strings.HasSuffix(long, ".docx") {
		t.Errorf("a long name became %q", long)
	}
	if got := firstLine("\n\n## What it is\nmore"); got != "What it is" {
		t.Errorf("the first line is %q", got)
	}
	if got := CitationName(7, "Größe & Co: Plan (v2).PDF"); got != "7-gr-e-co-plan-v2-.pdf" && !strings.HasPrefix(got, "7-gr") {
		t.Errorf("the citation's name is %q", got)
	}
	if versionOf("12-a-b") != 12 || versionOf("12") != 12 || versionOf("x-1") != 0 || versionOf("-1") != 0 || versionOf("99999999999999999999-a") != 0 {
		t.Error("a citation's name is not read as it is written")
	}
	if tags, err := Tags(" a, b ,,a"); err != nil || !slices.Equal(tags, []string{"a", "b"}) {
		t.Errorf("tags are %q, %v", tags, err)
	}
}
