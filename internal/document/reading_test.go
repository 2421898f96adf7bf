package document

import (
	"context"
	"slices"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/extract"
)

// readAs is an Extractor that finds the same in every file.
type readAs extract.Document

func (r readAs) Extract(context.Context, extract.Request) (extract.Document, error) {
	return extract.Document(r), nil
}

func TestPagesHeadingsAndWarningsAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d, func(o *Options) {
			o.Extract = readAs{Title: "Annual report", MediaType: "application/pdf", Pages: 2, Warnings: []string{"a picture was left out"}, Blocks: []extract.Block{
				{Kind: extract.Heading, Text: "Results", Page: 1},
				{Kind: extract.Paragraph, Text: "Turnover rose by seven percent.", Page: 1, Heading: []string{"Results"}},
				{Kind: extract.Heading, Text: "Outlook", Page: 2, Heading: []string{"Results"}},
				{Kind: extract.Paragraph, Text: "Prices will fall.", Page: 2, Heading: []string{"Results", "Outlook"}},
			}}
		})
		a := b.file("report_2024.bin", "whatever")
		doc := b.completed(a.ID)
		if doc.Pages != 2 || doc.MediaType != "application/pdf" || !slices.Equal(doc.Warnings, []string{"a picture was left out"}) {
			t.Errorf("the document is %+v", doc)
		}
		found := b.search(b.owner, "turnover of the annual report 2024")
		if len(found) != 1 || found[0].Page != 1 || found[0].Heading != "Results" || found[0].Coverage < 0.9 {
			t.Fatalf("found %+v", found)
		}
		start, end, page, ok := b.Locate(t.Context(), b.owner, a.ID, 1, "Turnover rose")
		place, err := b.Passage(t.Context(), b.owner, a.ID, 1, start, end)
		if !ok || page != 1 || err != nil || place.Page == nil || *place.Page != 1 || place.Heading != "Results" {
			t.Errorf("its place is %+v on page %d, %v", place, page, err)
		}
		c, err := b.Original(t.Context(), b.owner, CitationName(doc.VersionID, doc.Name), true)
		if err != nil || c.MediaType != "application/pdf" {
			t.Fatalf("a PDF as a PDF answers %+v, %v", c, err)
		}
		c.Body.Close()
	})
}

func TestAStepThatLastsIsShown(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		slow := &gatedExtractor{Extractor: pool, gate: make(chan struct{}), entered: make(chan string, 1)}
		b := newBench(t, d, func(o *Options) { o.Extract = slow })
		a := b.file("a.txt", quokka)
		eventually(t, "extracting is shown", func() bool {
			doc, err := b.Get(t.Context(), b.owner, a.ID)
			return err == nil && doc.Step == Extracting
		})
		close(slow.gate)
		b.completed(a.ID)
	})
}

func TestWhatAStopInterruptsIsReadAtTheNextStart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		slow := &gatedExtractor{Extractor: pool, gate: make(chan struct{}), entered: make(chan string, 1)}
		b := newBench(t, d, func(o *Options) { o.Extract = slow })
		a := b.file("a.txt", quokka)
		<-slow.entered
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Jobs.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if doc, err := b.Get(t.Context(), b.owner, a.ID); err != nil || doc.IsFailed || doc.Step == Completed {
			t.Fatalf("after the stop it is %+v, %v", doc, err)
		}
		o := b.withoutJobs()
		o.Extract = pool
		next := New(o)
		if err := o.Jobs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			o.Jobs.Stop(ctx)
		})
		b.completed(a.ID)
		found, _, err := next.Search(t.Context(), b.owner, Find{Query: "quokka", CorpusIDs: []int64{b.corpus}})
		if err != nil || len(found) != 1 {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}
