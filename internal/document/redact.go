package document

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"atrium/internal/db"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/pii"
)

// Redaction says which personal data is replaced when the documents of a corpus
// are read, before anything of them is stored.
type Redaction struct {
	Types        []pii.Type `json:"types" nullable:"false" doc:"What is replaced; empty for nothing."`
	KeepOriginal bool       `json:"keep_original" doc:"Whether the file, page or text is kept as it came, for those who may edit the corpus."`
}

// RedactionDraft asks for a Redaction.
type RedactionDraft struct {
	Types []pii.Type `json:"types" maxItems:"14" enum:"person,address,location,email,phone,credit_card,bank_account,national_id,passport,driver_license,ip_address,url,secret,date_of_birth" doc:"What is replaced; an empty list for nothing."`
	Keep  *bool      `json:"keep_original,omitempty" nullable:"true" doc:"Whether the original is kept, for those who may edit the corpus; true when not given. What was not kept cannot be brought back."`
}

// Redaction is what the draft asks for, its types in one order.
func (d RedactionDraft) Redaction() (Redaction, error) {
	r := Redaction{Types: []pii.Type{}, KeepOriginal: d.Keep == nil || *d.Keep}
	for _, t := range d.Types {
		if !t.Valid() {
			return r, fail.InvalidField("pii_redaction.types", "pii_redaction.types: %q is not a type of personal data", clip(string(t), 40))
		}
	}
	for _, t := range pii.All {
		if slices.Contains(d.Types, t) {
			r.Types = append(r.Types, t)
		}
	}
	return r, nil
}

// Stored is how a Redaction stands in its column.
func (r Redaction) Stored() string {
	if len(r.Types) == 0 {
		return ""
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "" // strings and a truth always have a form
	}
	return string(b)
}

// StoredRedaction reads what Stored wrote.
func StoredRedaction(column string) (Redaction, error) {
	r := Redaction{Types: []pii.Type{}, KeepOriginal: true}
	if column == "" {
		return r, nil
	}
	return r, json.Unmarshal([]byte(column), &r)
}

// redactionOf is what a corpus asks for, whose id has been resolved through a scope.
func redactionOf(ctx context.Context, q db.Querier, orgID, corpusID int64) (Redaction, error) {
	column, err := db.One[string](ctx, q, `SELECT pii_redaction FROM corpus WHERE org_id = ? AND id = ?`, orgID, corpusID)
	if err != nil {
		return Redaction{}, err
	}
	return StoredRedaction(column)
}

// fileName hides what a file's name says of people. Two names must not become
// one, so a mark of the old one goes with it.
func (r Redaction) fileName(name string) string {
	ext := path.Ext(name)
	if len(ext) > 6 {
		ext = ""
	}
	base, counts := pii.Redact(strings.TrimSuffix(name, ext), r.Types)
	if len(counts) == 0 {
		return name
	}
	var mark [8]byte
	for i, b := range sha256.Sum256([]byte(name)) {
		if i < len(mark) {
			mark[i] = 'a' + b%26
		}
	}
	return clip(base, maxName-20) + " " + string(mark[:]) + ext
}

// textName is what a text without a name is called.
func (r Redaction) textName(source string) string {
	if len(r.Types) == 0 {
		return firstLine(source)
	}
	line, _ := pii.Redact(clip(lineOne(source), 300), r.Types)
	return firstLine(line)
}

// hideNames hides what the names of drafts say of people.
func (r Redaction) hideNames(drafts []Draft) {
	if len(r.Types) == 0 {
		return
	}
	for i := range drafts {
		switch d := &drafts[i]; {
		case d.ContentType == File:
			d.Name = r.fileName(d.Name)
		case d.ContentType == Text && d.Name == firstLine(d.Source):
			d.Name = r.textName(d.Source)
		case d.ContentType == Text:
			d.Name, _ = pii.Redact(d.Name, r.Types)
		}
	}
}

// prepare reads the setting; of a text it hides what it says, since the text is
// in the row already.
func (r *reading) prepare() (err error) {
	if r.rule, err = StoredRedaction(r.Redaction); err != nil {
		return err
	}
	r.oldName, r.counts = r.Name, pii.Counts{}
	if r.ContentType == Text {
		r.autoName = r.rule.textName(r.Source)
	}
	if len(r.rule.Types) == 0 {
		return nil
	}
	switch r.ContentType {
	case File:
		if r.Version == 0 || r.ReadRedaction != r.Redaction {
			r.Name = r.rule.fileName(r.Name)
		}
	case Text:
		if r.Name == firstLine(r.Source) {
			r.Name = r.autoName
		}
		if r.Name != r.autoName {
			r.Name, _ = pii.Redact(r.Name, r.rule.Types)
		}
		r.Source, r.counts = pii.Redact(r.Source, r.rule.Types)
	case Weblink:
		if r.Name != addressName(r.Source) {
			r.Name, _ = pii.Redact(r.Name, r.rule.Types)
		}
	}
	return nil
}

// hide replaces personal data in what was read. What stands below a table's
// heading is read with it.
func (r *reading) hide(ctx context.Context) error {
	if len(r.rule.Types) == 0 {
		return nil
	}
	hide := func(heading, text string) string {
		out, n := pii.RedactBelow(heading, text, r.rule.Types)
		r.counts.Add(n)
		return out
	}
	// Where a heading stands by itself it is counted; where it is repeated it is not.
	path := map[string]string{}
	repeated := func(h string) string {
		out, ok := path[h]
		if !ok {
			out, _ = pii.Redact(h, r.rule.Types)
			path[h] = out
		}
		return out
	}
	if r.doc.Title != "" {
		r.doc.Title = repeated(r.doc.Title)
	}
	var columns []string
	for i := range r.doc.Blocks {
		if i%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		b := &r.doc.Blocks[i]
		row, mark := []string(nil), ""
		if b.Kind == extract.TableRow {
			mark = separator(b.Text)
			row = strings.Split(b.Text, mark)
		}
		if i == 0 || r.doc.Blocks[i-1].Kind != extract.TableRow || row == nil {
			columns = row
		}
		switch {
		case row != nil && len(row) == len(columns) && len(row) > 1:
			head := slices.Clone(columns)
			for k := range row {
				if len(row) == 2 && k == 1 && i > 0 {
					row[k] = hide(columns[1]+" "+row[0], row[k])
					continue
				}
				row[k] = hide(head[k], row[k])
			}
			b.Text = strings.Join(row, mark)
			columns = head
		default:
			b.Text = hide("", b.Text)
		}
		if len(b.Heading) > 0 {
			b.Heading = slices.Clone(b.Heading)
			for k, h := range b.Heading {
				b.Heading[k] = repeated(h)
			}
		}
	}
	return nil
}

// separator is what parts the cells of a row: a tab, or what a file of values uses.
func separator(row string) string {
	best, most := "\t", strings.Count(row, "\t")
	for _, s := range []string{",", ";", "|"} {
		if n := strings.Count(row, s); most == 0 && n > 0 {
			best, most = s, n
		}
	}
	return best
}

// fromText makes blocks of the text of the current version, for a file whose
// original was not kept.
func (s *Documents) fromText(ctx context.Context, r *reading) error {
	t, err := s.text(ctx, r.OrgID, r.VersionID)
	if err != nil {
		return err
	}
	r.doc = extract.Document{MediaType: r.MediaType, Pages: r.ReadPages}
	if r.doc.Title, err = db.One[string](ctx, s.DB, `SELECT title FROM document_version WHERE org_id = ? AND id = ?`, r.OrgID, r.VersionID); err != nil {
		return err
	}
	point := 0
	for block := range strings.SplitSeq(t.text, "\n\n") {
		b := extract.Block{Kind: extract.Paragraph, Text: block}
		if m := t.markAt(point); m != nil {
			b.Page = m.Page
			if m.Heading != "" {
				b.Heading = strings.Split(m.Heading, " > ")
			}
		}
		r.doc.Blocks = append(r.doc.Blocks, b)
		point += utf8.RuneCountInString(block) + 2
	}
	return nil
}

// older is a version that was read before the setting of today: its text keeps
// its length, so that what cites it still points at its place.
type older struct {
	ID     int64  `db:"id"`
	Title  string `db:"title"`
	Text   string `db:"text"`
	pieces []olderPiece
}

type olderPiece struct {
	ID      int64  `db:"id"`
	Start   int    `db:"start_at"`
	End     int    `db:"end_at"`
	Heading string `db:"heading"`
}

// blot covers personal data without changing how many characters there are.
func blot(text string, types []pii.Type) string {
	spans := pii.Find(text, types)
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.Start])
		b.WriteString(strings.Repeat("█", utf8.RuneCountInString(s.Value)))
		at = s.End
	}
	return b.String() + text[at:]
}

// blotOlder covers what older versions say.
func (s *Documents) blotOlder(ctx context.Context, r *reading) error {
	if len(r.rule.Types) == 0 || r.Version == 0 {
		return nil
	}
	stays := int64(0)
	if r.sameText {
		stays = r.VersionID
	}
	ids, err := db.All[int64](ctx, s.DB, `SELECT id FROM document_version WHERE org_id = ? AND document_id = ? AND id <> ? AND pii_redaction <> ? ORDER BY id`,
		r.OrgID, r.ID, stays, r.Redaction)
	for _, id := range ids {
		v, err := db.One[older](ctx, s.DB, `SELECT id, title, text FROM document_version WHERE org_id = ? AND id = ?`, r.OrgID, id)
		if err != nil {
			return err
		}
		v.Title, v.Text = blot(v.Title, r.rule.Types), blot(v.Text, r.rule.Types)
		if v.pieces, err = db.All[olderPiece](ctx, s.DB, `SELECT id, start_at, end_at, heading FROM piece WHERE org_id = ? AND version_id = ? ORDER BY start_at, id`, r.OrgID, id); err != nil {
			return err
		}
		for i := range v.pieces {
			v.pieces[i].Heading = blot(v.pieces[i].Heading, r.rule.Types)
		}
		r.older = append(r.older, v)
	}
	return err
}

// conceal stores what was hidden beside the new text: the name, the older
// versions, and, where originals are not kept, that there is none.
func (s *Documents) conceal(ctx context.Context, tx *db.Tx, r *reading) error {
	exec := func(query string, args ...any) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	}
	if len(r.rule.Types) == 0 || r.unchanged {
		return nil
	}
	if err := exec(`UPDATE document SET name = CASE WHEN name = ? THEN ? ELSE name END, source = CASE WHEN content_type = 'file' THEN ? ELSE source END WHERE org_id = ? AND id = ?`,
		r.oldName, r.Name, r.Name, r.OrgID, r.ID); err != nil {
		return err
	}
	for _, v := range r.older {
		if err := v.store(ctx, tx, r); err != nil {
			return err
		}
	}
	// What was drafted from the former text may say what is hidden now.
	if err := exec(`DELETE FROM document_starter WHERE org_id = ? AND document_id = ?`, r.OrgID, r.ID); err != nil {
		return err
	}
	if r.rule.KeepOriginal {
		return nil
	}
	var err error
	if r.drop, err = db.All[string](ctx, tx, `SELECT blob_key FROM document_version WHERE org_id = ? AND document_id = ? AND blob_key <> ''`, r.OrgID, r.ID); err != nil {
		return err
	}
	if r.BlobKey != "" {
		r.drop = append(r.drop, r.BlobKey)
	}
	if err := exec(`UPDATE document_version SET blob_key = '' WHERE org_id = ? AND document_id = ?`, r.OrgID, r.ID); err != nil {
		return err
	}
	return exec(`UPDATE document SET blob_key = '', source = CASE WHEN content_type = 'text' THEN ? ELSE source END WHERE org_id = ? AND id = ?`, r.Source, r.OrgID, r.ID)
}

func (v older) store(ctx context.Context, tx *db.Tx, r *reading) error {
	if _, err := db.Exec(ctx, tx, `UPDATE document_version SET title = ?, text = ?, pii_redaction = ? WHERE org_id = ? AND id = ?`, v.Title, v.Text, r.Redaction, r.OrgID, v.ID); err != nil {
		return err
	}
	t := &versionText{text: v.Text}
	at, point := 0, 0
	for _, p := range v.pieces {
		at = t.byteAt(at, point, p.Start)
		point = p.Start
		end := t.byteAt(at, point, p.End)
		if _, err := db.Exec(ctx, tx, `UPDATE piece SET heading = ?, text = ? WHERE org_id = ? AND id = ?`, p.Heading, v.Text[at:end], r.OrgID, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// concealed is done when conceal is committed.
func (s *Documents) concealed(r *reading) {
	for _, v := range r.older {
		s.texts.remove(v.ID)
	}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(r.drop))) {
		s.discard(r.OrgID, key)
	}
}

const (
	rereadKind  = "reread_corpus"
	rereadBatch = 200
)

type reread struct {
	CorpusID int64 `json:"corpus_id"`
}

// Reread has the documents of a corpus read again that were read under another
// redaction than it has now.
func (s *Documents) Reread(ctx context.Context, tx *db.Tx, orgID, corpusID int64) error {
	_, err := s.Jobs.Enqueue(ctx, tx, job.Spec{Kind: rereadKind, OrgID: orgID, Payload: reread{corpusID}})
	return err
}

// rereadCorpus is the job. A reading under way began under the old setting, so
// it is begun again too.
func (s *Documents) rereadCorpus(ctx context.Context, j *job.Job) error {
	var t reread
	if err := j.Decode(&t); err != nil {
		return err
	}
	for last := int64(0); ; {
		var ids []int64
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			ids, err = db.All[int64](ctx, tx, `SELECT d.id FROM document d JOIN corpus c ON c.id = d.corpus_id AND c.is_deleted = FALSE
				LEFT JOIN document_version v ON v.document_id = d.id AND v.number = d.version
				WHERE d.org_id = ? AND d.corpus_id = ? AND d.is_deleted = FALSE AND d.id > ? AND COALESCE(v.pii_redaction, 'never') <> c.pii_redaction
				ORDER BY d.id LIMIT ?`, j.OrgID, t.CorpusID, last, rereadBatch)
			if err != nil {
				return err
			}
			for _, id := range ids {
				revision, err := db.One[int64](ctx, tx, `UPDATE document SET revision = revision + 1, step = 'pending', is_failed = FALSE, failure_code = '', failure_reason = ''
					WHERE org_id = ? AND id = ? RETURNING revision`, j.OrgID, id)
				if err != nil {
					return err
				}
				if err := s.enqueue(ctx, tx, j.OrgID, task{DocumentID: id, Revision: revision}, false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(ids) < rereadBatch {
			return err
		}
		last = ids[len(ids)-1]
	}
}
