package document

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Place is a span of a document with what stands around it.
type Place struct {
	DocumentID int64  `json:"document_id"`
	Version    int    `json:"version" doc:"Number of the version shown."`
	Title      string `json:"title" doc:"The document's name."`
	Page       *int   `json:"page" nullable:"true" doc:"Null when the format has no pages."`
	Heading    string `json:"heading" doc:"The headings above, outermost first, joined by ' > '."`
	Start      int    `json:"start" doc:"Where the quote begins, in code points of the document's text."`
	End        int    `json:"end" doc:"Where it ends, exclusive."`
	Before     string `json:"before"`
	Quote      string `json:"quote"`
	After      string `json:"after"`
	AccessURL  string `json:"access_url" doc:"Where this version's original can be downloaded."`
}

const (
	around   = 700     // code points shown before and after a quote
	maxQuote = 100_000 // code points
)

// versionRow names a version that the caller may use.
type versionRow struct {
	ID         int64     `db:"id"`
	DocumentID int64     `db:"document_id"`
	Number     int       `db:"number"`
	Name       string    `db:"name"`
	Type       string    `db:"content_type"`
	BlobKey    string    `db:"blob_key"`
	MediaType  string    `db:"media_type"`
	CreatedOn  time.Time `db:"created_on"`
	Hidden     bool      `db:"hidden"` // personal data was replaced, and the caller may not see the original
}

// version finds a version the caller may quote from: by its number in a
// document (the newest when 0), or by its own id.
func (s *Documents) version(ctx context.Context, sc authz.Scope, documentID int64, number int, versionID int64) (versionRow, error) {
	use, args := sc.Where(authz.Use, authz.Document, "d")
	edit, editArgs := sc.Where(authz.Edit, authz.Document, "d")
	where := `v.id = ?`
	first := []any{versionID}
	if versionID == 0 {
		where, first = `d.id = ? AND v.number = CASE WHEN ? = 0 THEN d.version ELSE ? END`, []any{documentID, number, number}
	}
	return db.One[versionRow](ctx, s.DB, `SELECT v.id, v.document_id, v.number, d.name, d.content_type, v.blob_key, v.media_type, v.created_on,
		CASE WHEN v.pii_redaction = '' OR `+edit+` THEN FALSE ELSE TRUE END AS hidden
		FROM document d JOIN document_version v ON v.document_id = d.id AND v.org_id = d.org_id
		WHERE `+where+` AND d.is_deleted = FALSE AND `+use, slices.Concat(editArgs, first, args)...)
}

// Passage shows a span of a version's text at its place; Use on the document is
// enough. start and end are code points; end 0 shows the beginning of the text
// from start on.
func (s *Documents) Passage(ctx context.Context, sc authz.Scope, id int64, version, start, end int) (Place, error) {
	v, err := s.version(ctx, sc, id, version, 0)
	if errors.Is(err, db.ErrNone) {
		return Place{}, s.whyNoVersion(ctx, sc, id, version)
	}
	if err != nil {
		return Place{}, err
	}
	t, err := s.text(ctx, sc.Org(), v.ID)
	if err != nil {
		return Place{}, err
	}
	switch {
	case start >= t.points:
		return Place{}, fail.NotFound("the text of this version has only %d characters; check start", t.points)
	case end == 0:
		end = min(start+2*around, t.points)
	case end <= start:
		return Place{}, fail.InvalidField("end", "end: it has to be greater than start")
	}
	end = min(end, t.points)
	if end-start > maxQuote {
		return Place{}, fail.InvalidField("end", "end: at most %d characters are shown at once", maxQuote)
	}
	from := t.byteAt(0, 0, start)
	to := t.byteAt(from, start, end)
	p := Place{
		DocumentID: v.DocumentID, Version: v.Number, Title: v.Name, Start: start, End: end, AccessURL: s.CitationURL(v.ID, v.Name),
		Before: tail(t.text[:from], around), Quote: t.text[from:to], After: head(t.text[to:], around),
	}
	if m := t.markAt(start); m != nil {
		p.Heading = m.Heading
		if m.Page > 0 {
			p.Page = &m.Page
		}
	}
	return p, nil
}

// whyNoVersion tells an unknown document from one that has not been read, or
// never had the version, but only to whom may see it.
func (s *Documents) whyNoVersion(ctx context.Context, sc authz.Scope, id int64, version int) error {
	use, args := sc.Where(authz.Use, authz.Document, "d")
	newest, err := one[int](ctx, s.DB, `SELECT d.version FROM document d WHERE d.id = ? AND d.is_deleted = FALSE AND `+use, unknown(id), append([]any{id}, args...)...)
	switch {
	case err != nil:
		return err
	case newest == 0:
		return fail.Conflict("document %d has not been read yet; look at its step", id)
	}
	return fail.NotFound("document %d has no version %d; its newest is %d", id, version, newest)
}

// Locate finds a quote in a version's text, however its white space runs, and
// answers its span in code points and its page (0 without pages). ok is false
// when it does not stand there, or the caller may not quote the document.
func (s *Documents) Locate(ctx context.Context, sc authz.Scope, documentID int64, version int, quote string) (start, end, page int, ok bool) {
	v, err := s.version(ctx, sc, documentID, version, 0)
	if err != nil {
		return 0, 0, 0, false
	}
	t, err := s.text(ctx, sc.Org(), v.ID)
	if err != nil {
		return 0, 0, 0, false
	}
	from, to, ok := loosely(t.text, quote)
	if !ok {
		return 0, 0, 0, false
	}
	start = utf8.RuneCountInString(t.text[:from])
	end = start + utf8.RuneCountInString(t.text[from:to])
	if m := t.markAt(start); m != nil {
		page = m.Page
	}
	return start, end, page, true
}

// loosely finds the words of the quote in the text with any white space
// between them, and answers the span in bytes.
func loosely(text, quote string) (from, to int, ok bool) {
	quote = strings.TrimSpace(quote)
	if quote == "" {
		return 0, 0, false
	}
	if i := strings.Index(text, quote); i >= 0 {
		return i, i + len(quote), true
	}
	words := strings.Fields(quote)
	if len(words) == 1 {
		return 0, 0, false
	}
	for from = 0; ; from++ {
		i := strings.Index(text[from:], words[0])
		if i < 0 {
			return 0, 0, false
		}
		from += i
		if to, ok := follows(text, from+len(words[0]), words[1:]); ok {
			return from, to, true
		}
	}
}

// follows tells whether the words come next, each after white space, and where they end.
func follows(text string, at int, words []string) (int, bool) {
	for _, w := range words {
		rest := strings.TrimLeftFunc(text[at:], unicode.IsSpace)
		if len(rest) == len(text)-at || !strings.HasPrefix(rest, w) {
			return 0, false
		}
		at = len(text) - len(rest) + len(w)
	}
	return at, true
}

// mark says what page and heading the text has from a place on.
type mark struct {
	Start   int    `db:"start_at"`
	Page    int    `db:"page"`
	Heading string `db:"heading"`
}

// versionText is the text of a version, which changes only when a redaction covers a
// part of it.
type versionText struct {
	text   string
	rule   string // the redaction that it was read or covered under
	points int
	ascii  bool
	marks  []mark
}

// text loads the text of a version that the caller has resolved through a scope.
func (s *Documents) text(ctx context.Context, orgID, versionID int64) (*versionText, error) {
	if t, ok := s.texts.get(versionID); ok {
		// Another process may have covered it, or this one just now.
		rule, err := db.One[string](ctx, s.DB, `SELECT pii_redaction FROM document_version WHERE org_id = ? AND id = ?`, orgID, versionID)
		if err != nil || rule == t.rule {
			return t, err
		}
	}
	v, err := db.One[struct {
		Text string `db:"text"`
		Rule string `db:"pii_redaction"`
	}](ctx, s.DB, `SELECT text, pii_redaction FROM document_version WHERE org_id = ? AND id = ?`, orgID, versionID)
	if err != nil {
		return nil, err
	}
	text := v.Text
	t := &versionText{text: text, rule: v.Rule, points: utf8.RuneCountInString(text)}
	t.ascii = t.points == len(text)
	if t.marks, err = db.All[mark](ctx, s.DB, `SELECT start_at, page, heading FROM piece WHERE org_id = ? AND version_id = ? ORDER BY ordinal`, orgID, versionID); err != nil {
		return nil, err
	}
	size := len(text) + 64*len(t.marks)
	for _, m := range t.marks {
		size += len(m.Heading)
	}
	s.texts.put(versionID, t, int64(size))
	return t, nil
}

// byteAt is the byte where a code point begins, counted on from a known place.
func (t *versionText) byteAt(fromByte, fromPoint, point int) int {
	if t.ascii {
		return point
	}
	for i := range t.text[fromByte:] {
		if fromPoint == point {
			return fromByte + i
		}
		fromPoint++
	}
	return len(t.text)
}

func (t *versionText) markAt(point int) *mark {
	i, exact := slices.BinarySearchFunc(t.marks, point, func(m mark, p int) int { return m.Start - p })
	if !exact {
		i--
	}
	if i < 0 {
		return nil
	}
	return &t.marks[i]
}

// tail and head are what is shown beside a quote, cut at a word.
func tail(s string, points int) string {
	n := 0
	for i := len(s); i > 0; n++ {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		if i -= size; n >= points {
			cut := s[i:]
			if j := strings.IndexFunc(cut, unicode.IsSpace); j >= 0 && j < len(cut)/2 {
				cut = cut[j:]
			}
			return cut
		}
	}
	return s
}

func head(s string, points int) string {
	n := 0
	for i := range s {
		if n >= points {
			cut := s[:i]
			if j := strings.LastIndexFunc(cut, unicode.IsSpace); j > len(cut)/2 {
				cut = cut[:j]
			}
			return cut
		}
		n++
	}
	return s
}

// Original opens the bytes of a version by the last part of its address, as
// CitationName makes it; what stands behind the id does not matter. A text is
// given as .txt, and so is what was read where the original is not kept, or where
// personal data was replaced and the caller may not edit the document.
func (s *Documents) Original(ctx context.Context, sc authz.Scope, name string, toPDF bool) (api.Content, error) {
	gone := fail.NotFound("there is no source %s, or it is not visible to you; check the address", clip(name, 100))
	id := versionOf(name)
	if id == 0 {
		return api.Content{}, gone
	}
	v, err := s.version(ctx, sc, 0, 0, id)
	if errors.Is(err, db.ErrNone) {
		return api.Content{}, gone
	}
	if err != nil {
		return api.Content{}, err
	}
	textOnly := v.Type == Text || v.BlobKey == "" || v.Hidden
	if textOnly {
		v.MediaType = "text/plain"
	}
	if toPDF && v.MediaType != "application/pdf" {
		return api.Content{}, fail.Conflict("convert_to_pdf: this source is %s and cannot be converted here; ask for it without", orUnknown(v.MediaType))
	}
	c := api.Content{Name: v.Name, MediaType: v.MediaType, Modified: v.CreatedOn}
	if textOnly {
		text, err := db.One[string](ctx, s.DB, `SELECT text FROM document_version WHERE org_id = ? AND id = ?`, sc.Org(), v.ID)
		c.Name, c.MediaType, c.Body = cleanName(strings.ReplaceAll(v.Name, "/", "-"))+".txt", "text/plain; charset=utf-8", nopCloser{bytes.NewReader([]byte(text))}
		return c, err
	}
	c.Body, err = s.Blobs.Open(ctx, sc.Org(), v.BlobKey)
	return c, err
}

func orUnknown(s string) string {
	if s == "" {
		return "of an unknown kind"
	}
	return s
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
