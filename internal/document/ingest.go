package document

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"atrium/internal/db"
	"atrium/internal/embed"
	"atrium/internal/extract"
	"atrium/internal/job"
	"atrium/internal/pii"
	"atrium/internal/retrieval"
	"atrium/internal/split"
)

// Modes by their id on the wire.
var modes = map[int]split.Mode{1: split.Exhaustive, 2: split.Standard, 3: split.Basic}

// subject is a document as its reading finds it.
type subject struct {
	ID           int64  `db:"id"`
	OrgID        int64  `db:"org_id"`
	CorpusID     int64  `db:"corpus_id"`
	ModeID       int    `db:"indexing_mode_id"`
	Name         string `db:"name"`
	ContentType  string `db:"content_type"`
	Source       string `db:"source"`
	WeblinkType  string `db:"weblink_type"`
	MediaType    string `db:"media_type"`
	Size         int64  `db:"size"`
	SHA256       string `db:"sha256"`
	BlobKey      string `db:"blob_key"`
	ETag         string `db:"etag"`
	LastModified string `db:"last_modified"`
	Version      int    `db:"version"`
	Redaction    string `db:"pii_redaction"` // that the corpus asks for

	// Of the current version; zero without one.
	VersionID   int64  `db:"version_id"`
	ReadSHA256  string `db:"read_sha256"`
	ReadModeID  int    `db:"read_mode_id"`
	ReadBlobKey string `db:"read_blob_key"`
	Embedder    string `db:"embedder"`
	ReadPages   int    `db:"read_pages"`

	ReadRedaction string     `db:"read_redaction"`
	Redactions    pii.Counts `db:"redactions,json"`
}

const subjectQuery = `SELECT d.id, d.org_id, d.corpus_id, c.indexing_mode_id, d.name, d.content_type, d.source, d.weblink_type, d.media_type, d.size, d.sha256, d.blob_key,
		d.etag, d.last_modified, d.version, COALESCE(v.id, 0) AS version_id, COALESCE(v.sha256, '') AS read_sha256,
		COALESCE(v.indexing_mode_id, 0) AS read_mode_id, COALESCE(v.blob_key, '') AS read_blob_key, COALESCE(v.embedder, '') AS embedder,
		COALESCE(v.pages, 0) AS read_pages, c.pii_redaction, COALESCE(v.pii_redaction, '') AS read_redaction, COALESCE(v.redactions, '{}') AS redactions
	FROM document d JOIN corpus c ON c.id = d.corpus_id LEFT JOIN document_version v ON v.document_id = d.id AND v.number = d.version
	WHERE d.id = ? AND d.org_id = ? AND d.revision = ? AND d.is_deleted = FALSE AND c.is_deleted = FALSE`

// errSuperseded ends the transaction of a reading that nobody waits for any more.
var errSuperseded = errors.New("document: deleted, or asked for again meanwhile")

// index is the job: it reads one document and stores what was found.
func (s *Documents) index(ctx context.Context, j *job.Job) error {
	var t task
	if err := j.Decode(&t); err != nil {
		return err
	}
	d, err := db.One[subject](ctx, s.DB, subjectQuery, t.DocumentID, j.OrgID, t.Revision)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	p := &progress{s: s, ctx: ctx, doc: d.ID, revision: t.Revision}
	defer p.enter("")
	r := &reading{subject: d, task: t, progress: p}
	if err := s.read(ctx, r); err != nil {
		return p.stopped(ctx, err)
	}
	p.enter("")
	err = s.store(ctx, j, r)
	superseded := errors.Is(err, errSuperseded)
	if r.fetched && (superseded || err == nil && r.blobUnused) {
		s.discard(d.OrgID, r.BlobKey) // after another error the sweep looks whether it is needed
	}
	if superseded {
		return nil
	}
	if err == nil {
		s.concealed(r)
		s.follow(ctx, r)
	}
	return err
}

// reading is what is known of a document while it is read.
type reading struct {
	subject
	task     task
	progress *progress

	unchanged  bool   // the version there is stays as it is
	sameText   bool   // that version's text is also the new one
	checked    string // what asking its address came to; empty when nobody asked
	fetched    bool   // BlobKey was stored by this reading
	blobUnused bool

	rule     Redaction
	counts   pii.Counts // replaced
	oldName  string     // as it was before the reading
	autoName string     // what a text without a name is called
	older    []older    // versions to be covered
	drop     []string   // blobs that are not kept

	doc     extract.Document
	text    string
	lead    int // bytes of the first piece that are the title, which is indexed by itself
	pieces  []split.Piece
	first   int64 // id of the first piece; the others follow
	seq     int64 // number of the change; 0 for none
	encoded []byte

	embedder embed.Embedder
	vectors  string // its name, "" without vectors
	active   string // the embedder that is searched with, when the reading began
}

// read does all that needs no transaction.
func (s *Documents) read(ctx context.Context, r *reading) (err error) {
	if err := r.prepare(); err != nil {
		return err
	}
	if r.embedder, r.active, err = s.writer(ctx, r.OrgID); err != nil {
		return err
	}
	if r.embedder != nil {
		r.vectors = r.embedder.Name()
	}
	current := r.Version > 0 && r.ReadRedaction == r.Redaction && r.ReadModeID == r.ModeID && r.Embedder == r.vectors
	if r.ContentType != Weblink && current && !r.task.Force && r.ReadSHA256 == r.SHA256 {
		r.unchanged = true
		return nil
	}
	r.progress.enter(Extracting)
	if err := s.open(ctx, r, current); err != nil || r.unchanged {
		return err
	}
	r.progress.enter(Chunking)
	if r.cut(); len(r.pieces) == 0 {
		return &extract.Error{Reason: extract.Empty, Message: "no text was found in it; if it is a scan, run OCR on it first"}
	}
	if r.Version > 0 && r.ReadModeID == r.ModeID && (r.ContentType == Weblink || r.ReadSHA256 == r.SHA256) {
		was, err := db.One[string](ctx, s.DB, `SELECT text FROM document_version WHERE org_id = ? AND id = ?`, r.OrgID, r.VersionID)
		if err != nil {
			return err
		}
		r.sameText = was == r.text
		r.unchanged = r.sameText && current && r.ContentType == Weblink
		if r.unchanged {
			r.checked = Unchanged
			return nil
		}
	}
	if err := s.blotOlder(ctx, r); err != nil {
		return err
	}
	return s.encode(ctx, r)
}

// cut makes text and pieces. The headline that a text is named by is not counted
// as a part of its first piece, though it stands there to be read.
func (r *reading) cut() {
	head := r.head()
	if head != "" {
		_, rest, _ := strings.Cut(strings.TrimSpace(r.Source), "\n")
		r.doc = plainBlocks(rest)
	}
	r.text, r.pieces = split.Pieces(r.doc, modes[r.ModeID])
	if head == "" || len(r.pieces) == 0 {
		return
	}
	head += "\n\n"
	r.text, r.lead = head+r.text, len(head)
	for i := range r.pieces {
		p := &r.pieces[i]
		p.Start, p.End = p.Start+r.lead, p.End+r.lead
	}
	first := &r.pieces[0]
	first.Start, first.Text = 0, r.text[:first.End]
}

// head is the headline that a text is named by and that stands in its first piece.
func (r *reading) head() string {
	if r.ContentType != Text || r.Name != r.autoName || headline(r.Source) == "" {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(r.Source), "\n")
	if first = strings.TrimSpace(first); strings.HasPrefix(first, "#") {
		return ""
	}
	return first
}

// title is what the index takes as the document's title.
func (r *reading) title() string {
	given := strings.Join(strings.Fields(r.doc.Title), " ")
	if r.ContentType == Text {
		// A name that was only cut from the text says nothing more than it.
		if r.Name != r.autoName {
			return r.Name
		}
		return headline(r.Source)
	}
	title := titleOf(r.Name)
	if given != "" && !strings.EqualFold(given, title) {
		title += " " + clip(given, 300)
	}
	return title
}

// encode makes what the index needs, with vectors when there is an embedder.
func (s *Documents) encode(ctx context.Context, r *reading) (err error) {
	title := r.title()
	if r.first, err = s.ids.take(ctx, len(r.pieces)); err != nil {
		return err
	}
	in := make([]retrieval.Piece, len(r.pieces))
	for i, p := range r.pieces {
		in[i] = retrieval.Piece{ID: r.first + int64(i), Heading: heading(p), Text: joined(p.Context, p.Text)}
	}
	in[0].Text = in[0].Text[r.lead:]
	if r.embedder != nil {
		r.progress.enter(Embedding)
		if err := embedPieces(ctx, r.embedder, title, in); err != nil {
			return err
		}
	}
	r.encoded = retrieval.Encode(title, in)
	return nil
}

// embedBatch is how many pieces are embedded before the next look at the context.
const embedBatch = 256

// joined is a piece as it is indexed.
func joined(context, text string) string {
	if context == "" {
		return text
	}
	return context + "\n" + text
}

func heading(p split.Piece) string { return strings.Join(p.Heading, " > ") }

// keep stores what was read.
func (s *Documents) keep(ctx context.Context, tx *db.Tx, readings ...*reading) error {
	for _, r := range readings {
		if err := s.keepVersion(ctx, tx, r); err != nil {
			return err
		}
	}
	if err := s.number(ctx, tx, readings); err != nil {
		return err
	}
	for _, r := range readings {
		if err := s.show(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Documents) keepVersion(ctx context.Context, tx *db.Tx, r *reading) error {
	if r.unchanged || r.sameText {
		r.blobUnused = true
	}
	switch {
	case r.unchanged:
		return nil
	case r.sameText:
		return s.rebuild(ctx, tx, r)
	}
	return s.newVersion(ctx, tx, r, r.Version+1)
}

// number gives each change of a corpus its number, and finds out whether the
// organization has come to search with another embedder meanwhile.
func (s *Documents) number(ctx context.Context, tx *db.Tx, readings []*reading) error {
	changed := map[int64][]*reading{}
	for _, r := range readings {
		if !r.unchanged {
			changed[r.CorpusID] = append(changed[r.CorpusID], r)
		}
	}
	for _, corpus := range slices.Sorted(maps.Keys(changed)) {
		rs := changed[corpus]
		org := rs[0].OrgID
		last, err := nextSeq(ctx, tx, org, corpus, len(rs))
		if err != nil {
			return err
		}
		active, err := s.active(ctx, tx, org)
		if err != nil {
			return err
		}
		for i, r := range rs {
			r.seq = last - int64(len(rs)-1-i)
			if r.vectors != active && r.vectors == r.active {
				return errEmbedderChanged
			}
		}
	}
	return nil
}

// show makes a reading visible, and finds out whether anybody still wants it.
func (s *Documents) show(ctx context.Context, tx *db.Tx, r *reading) error {
	set, args := `step = 'completed', is_failed = FALSE, failure_code = '', failure_reason = '', etag = ?, last_modified = ?`, []any{r.ETag, r.LastModified}
	if !r.unchanged {
		version := r.Version
		if !r.sameText {
			version++
			set += `, redactions = ?`
			args = append(args, db.JSON(r.counts))
		}
		set += `, media_type = ?, warnings = ?, version = ?, pieces = ?, pages = ?, index_seq = ?`
		args = append(args, r.MediaType, db.JSON(warnings(r.doc.Warnings)), version, len(r.pieces), r.doc.Pages, r.seq)
	}
	if r.checked != "" {
		set += `, checked_on = ?, check_result = ?, is_removed_at_source = ?`
		args = append(args, time.Now(), r.checked, r.checked == Removed)
	}
	if (r.fetched || r.task.Stored) && !r.blobUnused {
		set += `, name = CASE WHEN name = ? THEN ? ELSE name END, size = ?, sha256 = ?, blob_key = ?`
		args = append(args, addressName(r.Source), r.Name, r.Size, r.SHA256, r.BlobKey)
	}
	n, err := db.Exec(ctx, tx, `UPDATE document SET `+set+` WHERE org_id = ? AND id = ? AND revision = ? AND is_deleted = FALSE`,
		append(args, r.OrgID, r.ID, r.task.Revision)...)
	if err == nil && n == 0 {
		err = errSuperseded
	}
	if err != nil {
		return err
	}
	return s.conceal(ctx, tx, r)
}

func warnings(w []string) []string {
	if w == nil {
		return []string{}
	}
	return w
}

func (s *Documents) newVersion(ctx context.Context, tx *db.Tx, r *reading, number int) error {
	id, err := db.One[int64](ctx, tx, `INSERT INTO document_version (org_id, document_id, number, blob_key, media_type, size, sha256, title, indexing_mode_id, pages, text, embedder, encoded, pii_redaction, redactions, created_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		r.OrgID, r.ID, number, r.BlobKey, r.MediaType, r.Size, r.SHA256, clip(strings.ToValidUTF8(r.doc.Title, ""), 500), r.ModeID, r.doc.Pages, r.text, r.vectors, r.encoded, r.Redaction, db.JSON(r.counts), time.Now())
	if err != nil {
		return err
	}
	if number > 1 {
		// Only the newest is searched; the others keep what citations show.
		if _, err := db.Exec(ctx, tx, `UPDATE document_version SET encoded = ? WHERE org_id = ? AND document_id = ? AND number < ?`, []byte{}, r.OrgID, r.ID, number); err != nil {
			return err
		}
	}
	return storePieces(ctx, tx, r, id)
}

// rebuild replaces pieces and index of the current version, whose text stays.
func (s *Documents) rebuild(ctx context.Context, tx *db.Tx, r *reading) error {
	if _, err := db.Exec(ctx, tx, `UPDATE document_version SET embedder = ?, encoded = ?, pii_redaction = ? WHERE org_id = ? AND id = ?`, r.vectors, r.encoded, r.Redaction, r.OrgID, r.VersionID); err != nil {
		return err
	}
	for _, q := range []string{`DELETE FROM reembedded WHERE org_id = ? AND version_id = ?`, `DELETE FROM piece WHERE org_id = ? AND version_id = ?`} {
		if _, err := db.Exec(ctx, tx, q, r.OrgID, r.VersionID); err != nil {
			return err
		}
	}
	return storePieces(ctx, tx, r, r.VersionID)
}

const pieceColumns = 11

// insertPieces are the statements for several rows at once: few texts, so that
// each is prepared once.
var insertPieces = sync.OnceValue(func() map[int]string {
	out := map[int]string{}
	for _, n := range pieceRows {
		row := "(" + strings.Repeat("?, ", pieceColumns-1) + "?)"
		out[n] = `INSERT INTO piece (id, org_id, document_id, version_id, ordinal, page, heading, start_at, end_at, text, context) VALUES ` +
			strings.Repeat(row+", ", n-1) + row
	}
	return out
})

var pieceRows = []int{64, 8, 1}

func storePieces(ctx context.Context, tx *db.Tx, r *reading, versionID int64) error {
	var args []any
	at, byteAt := 0, 0 // a place in the text, in code points and bytes
	points := func(to int) int {
		if to < byteAt {
			at, byteAt = at-utf8.RuneCountInString(r.text[to:byteAt]), to
			return at
		}
		at, byteAt = at+utf8.RuneCountInString(r.text[byteAt:to]), to
		return at
	}
	for i := 0; i < len(r.pieces); {
		n := pieceRows[slices.IndexFunc(pieceRows, func(n int) bool { return n <= len(r.pieces)-i })]
		args = args[:0]
		for _, p := range r.pieces[i : i+n] {
			start := points(p.Start)
			args = append(args, r.first+int64(i), r.OrgID, r.ID, versionID, i, p.Page, heading(p), start, points(p.End), p.Text, p.Context)
			i++
		}
		if _, err := db.Exec(ctx, tx, insertPieces()[n], args...); err != nil {
			return err
		}
	}
	return nil
}

// progress shows the step of a reading. A step is written only when it lasts,
// so that a short document costs no writes but its end.
type progress struct {
	s        *Documents
	ctx      context.Context
	doc      int64
	revision int64

	mu    sync.Mutex
	step  string
	last  string // the last step that was not ""
	timer *time.Timer
}

const lasting = 150 * time.Millisecond

// enter begins a step; "" ends the last one. When it returns, the step before
// is not written any more.
func (p *progress) enter(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.step = step
	if step == "" {
		return
	}
	p.last = step
	p.timer = time.AfterFunc(lasting, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.step != step || p.ctx.Err() != nil {
			return
		}
		err := p.s.DB.Relaxed(p.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `UPDATE document SET step = ? WHERE id = ? AND revision = ? AND step <> 'completed' AND is_failed = FALSE`, step, p.doc, p.revision)
			return err
		})
		if err != nil && p.ctx.Err() == nil {
			p.s.Log.Warn("the step of a document cannot be stored", "document", p.doc, "error", err)
		}
	})
}
