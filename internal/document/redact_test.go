package document

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/pii"
)

// redact sets what the corpus asks for and waits until its documents are read again.
func (b *bench) redact(r Redaction, docs ...int64) {
	b.t.Helper()
	err := b.DB.Tx(b.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `UPDATE corpus SET pii_redaction = ? WHERE id = ?`, r.Stored(), b.corpus); err != nil {
			return err
		}
		return b.Reread(ctx, tx, b.org, b.corpus)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, id := range docs {
		eventually(b.t, "the document is read under the new setting", func() bool {
			d := b.ended(id)
			got, err := db.One[string](b.t.Context(), b.DB, `SELECT COALESCE((SELECT v.pii_redaction FROM document_version v WHERE v.document_id = d.id AND v.number = d.version), '') FROM document d WHERE d.id = ?`, id)
			return err == nil && d.Step == Completed && got == r.Stored()
		})
	}
}

// holders are the columns that hold a value.
func (b *bench) holders(value string) []string {
	b.t.Helper()
	var out []string
	for table, columns := range map[string][]string{
		"document":         {"name", "source", "redactions", "warnings", "failure_reason"},
		"document_version": {"title", "text", "redactions"},
		"piece":            {"text", "heading"},
		"job":              {"payload"},
	} {
		for _, c := range columns {
			n, err := db.One[int](b.t.Context(), b.DB, `SELECT COUNT(*) FROM `+table+` WHERE lower(CAST(`+c+` AS TEXT)) LIKE lower(?) ESCAPE '\'`, db.Like(value))
			if err != nil {
				b.t.Fatal(err)
			}
			if n > 0 {
				out = append(out, table+"."+c)
			}
		}
	}
	encoded, err := db.All[[]byte](b.t.Context(), b.DB, `SELECT encoded FROM document_version`)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range encoded {
		for _, word := range strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return strings.ContainsRune("@. -", r) }) {
			if len(word) > 4 && bytes.Contains(bytes.ToLower(e), []byte(word)) {
				out = append(out, "document_version.encoded")
			}
		}
	}
	return out
}

func (b *bench) original(d Document) (string, error) {
	b.t.Helper()
	c, err := b.Original(b.t.Context(), b.viewer, CitationName(d.VersionID, d.Name), false)
	if err != nil {
		return "", err
	}
	defer c.Body.Close()
	text, err := io.ReadAll(c.Body)
	return string(text), err
}

const letter = "# Request of hortensia@quillfeather.example\n\nThe card 4111 1111 1111 1111 of hortensia@quillfeather.example expires in May.\n\n" +
	"| who | phone |\n|---|---|\n| one | 5550147 |\n\nThe quokka lives on Rottnest Island.\n"

var (
	structured = Redaction{Types: []pii.Type{pii.CreditCard, pii.Email, pii.Phone}, KeepOriginal: true}
	values     = []string{"hortensia@quillfeather.example", "4111 1111 1111 1111"}
)

func TestNothingStoredHoldsWhatWasRedacted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<title>Page of hortensia@quillfeather.example</title><h1>Write hortensia@quillfeather.example</h1><p>4111 1111 1111 1111</p>")
		}))
		t.Cleanup(site.Close)
		b := newBench(t, d)
		b.redact(Redaction{Types: structured.Types})
		file, text := b.file("hortensia@quillfeather.example.md", letter), b.text(letter)
		page := b.add(Draft{ContentType: Weblink, Source: site.URL + "/a"})
		for _, id := range []int64{file.ID, text.ID, page.ID} {
			doc := b.completed(id)
			if doc.Redactions[pii.Email] == 0 || doc.Redactions[pii.CreditCard] != 1 {
				t.Errorf("%s: replaced %v", doc.Name, doc.Redactions)
			}
			if strings.Contains(doc.Name, "quillfeather") || strings.Contains(doc.Source, "quillfeather") {
				t.Errorf("it is shown as %q, %q", doc.Name, doc.Source)
			}
			whole, err := b.original(doc)
			if err != nil || !strings.Contains(whole, "[CREDIT_CARD]") || strings.Contains(whole, "quillfeather") {
				t.Errorf("%s: the download is %q, %v", doc.Name, whole, err)
			}
		}
		for _, v := range values {
			if in := b.holders(v); len(in) > 0 {
				t.Errorf("%s stands in %v", v, in)
			}
		}
		for _, p := range b.search(b.owner, "hortensia quillfeather") {
			if strings.Contains(p.Text, "quillfeather") {
				t.Errorf("a search finds %q", p.Text)
			}
		}
		if found := b.search(b.owner, "Where does the quokka live?"); len(found) == 0 {
			t.Error("the rest is not found")
		}
		keys, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM document_version WHERE blob_key <> ''`)
		if err != nil || keys != 0 {
			t.Errorf("%d originals are named, %v", keys, err)
		}
		if _, err := b.Refresh(t.Context(), b.owner, file.ID); !fail.Is(err, fail.CodeConflict) || !strings.Contains(fmt.Sprint(err), "upload the file again") {
			t.Errorf("a refresh without the original answers %v", err)
		}
		if again := b.file("hortensia@quillfeather.example.md", letter); again.ID != file.ID || !again.Known {
			t.Errorf("the same file is %d, known %v; it was %d", again.ID, again.Known, file.ID)
		}
		if again := b.text(letter); again.ID != text.ID {
			t.Errorf("the same text is %d, it was %d", again.ID, text.ID)
		}
		dup, err := b.Duplicates(t.Context(), b.owner, b.corpus, []string{"hortensia@quillfeather.example.md"}, nil)
		if err != nil || len(dup.Files) != 1 {
			t.Errorf("duplicates are %+v, %v", dup, err)
		}
		// More types are replaced in what there is, without the original.
		more := Redaction{Types: append([]pii.Type{pii.Location}, structured.Types...)}
		b.redact(more, file.ID)
		doc := b.completed(file.ID)
		if doc.Redactions[pii.CreditCard] != 1 || doc.Redactions[pii.Email] == 0 {
			t.Errorf("after another reading %v", doc.Redactions)
		}
	})
}

func TestTurningRedactionOnCoversWhatWasReadBefore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		a := b.file("a.md", letter)
		b.completed(a.ID)
		start, end, _, ok := b.Locate(t.Context(), b.owner, a.ID, 1, "quokka lives")
		if !ok {
			t.Fatal("the quote is not there")
		}
		other := New(b.withoutJobs())
		if place, err := other.Passage(t.Context(), b.owner, a.ID, 1, start, end); err != nil || !strings.Contains(place.Before, "4111") {
			t.Errorf("another server shows %+v, %v", place, err)
		}
		b.redact(structured, a.ID)
		doc := b.completed(a.ID)
		if doc.Version != 2 || doc.Redactions[pii.CreditCard] != 1 || doc.Redactions[pii.Phone] != 1 {
			t.Errorf("version %d, replaced %v", doc.Version, doc.Redactions)
		}
		for _, v := range values {
			if in := b.holders(v); len(in) > 0 {
				t.Errorf("%s stands in %v", v, in)
			}
		}
		place, err := b.Passage(t.Context(), b.owner, a.ID, 1, start, end)
		if err != nil || place.Quote != "quokka lives" || strings.Contains(place.Before, "4111") || !strings.Contains(place.Before, "█") {
			t.Errorf("the older version shows %+v, %v", place, err)
		}
		place, err = other.Passage(t.Context(), b.owner, a.ID, 1, start, end)
		if err != nil || strings.Contains(place.Before, "4111") {
			t.Errorf("another server still shows %+v, %v", place, err)
		}
		whole, err := b.original(doc)
		if err != nil || strings.Contains(whole, "4111") {
			t.Errorf("one who may not edit downloads %q, %v", whole, err)
		}
		c, err := b.Original(t.Context(), b.owner, CitationName(doc.VersionID, doc.Name), false)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Body.Close()
		if text, err := io.ReadAll(c.Body); err != nil || string(text) != letter {
			t.Errorf("one who may edit downloads %q, %v", text, err)
		}
		b.redact(Redaction{}, a.ID)
		if doc = b.completed(a.ID); doc.Version != 3 || len(doc.Redactions) != 0 {
			t.Errorf("without redaction it is version %d with %v", doc.Version, doc.Redactions)
		}
	})
}

func TestACellIsReadWithTheHeadingOfItsColumn(t *testing.T) {
	t.Parallel()
	r := reading{rule: Redaction{Types: pii.All}, counts: pii.Counts{}}
	for _, row := range []string{"what\tSSN\tTotal", "x\t078051120\t078051120", "between", "name,phone", "q,5550199", "between", "field;value", "SSN;078051120"} {
		kind := extract.TableRow
		if row == "between" {
			kind = extract.Paragraph
		}
		r.doc.Blocks = append(r.doc.Blocks, extract.Block{Kind: kind, Text: row})
	}
	if err := r.hide(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range r.doc.Blocks {
		got = append(got, b.Text)
	}
	want := "what\tSSN\tTotal|x\t[NATIONAL_ID]\t078051120|between|name,phone|q,[PHONE]|between|field;value|SSN;[NATIONAL_ID]"
	if g := strings.Join(got, "|"); g != want {
		t.Errorf("the rows are %q, want %q", g, want)
	}
}

func TestBlottingKeepsEveryPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(a@b\.co|é|x |4111111111111111|\n){0,20}`).Draw(t, "text")
		if got := blot(text, pii.All); len([]rune(got)) != len([]rune(text)) {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}
