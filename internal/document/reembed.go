package document

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"atrium/internal/db"
	"atrium/internal/embed"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/retrieval"
)

// When another embedder is set, a job makes the vectors of all documents anew, an
// organization at a time, because a search never leaves one but may take several
// corpora. The new ones lie aside until the last is there; then one row says that
// they count from now on. Before that, searches and new documents use the former
// embedder if it can still be opened, and searches go by words only if not.

const (
	reembedKind  = "reembed"
	reembedSlice = 5 * time.Minute // after which other jobs of the kind have their turn
	reembedBatch = 16              // documents that are looked up at once
	moveBatch    = 64
	countEvery   = 10 * time.Second
)

// errEmbedderChanged ends the storing of vectors that came too late; the reading
// is tried again and uses the embedder that counts now.
var errEmbedderChanged = errors.New("document: another embedder counts since the document was read")

// active names the embedder whose vectors are searched in an organization; with
// nothing to do over it is the one configured.
func (s *Documents) active(ctx context.Context, q db.Querier, orgID int64) (string, error) {
	if s.Embed == nil {
		return "", nil
	}
	name, err := db.One[string](ctx, q, `SELECT embedder FROM embedding WHERE org_id = ?`, orgID)
	if errors.Is(err, db.ErrNone) {
		return s.Embed.Name(), nil
	}
	return name, err
}

// named is the embedder of a name, nil when there is none any more.
func (s *Documents) named(name string) embed.Embedder {
	if s.Embed == nil || name == "" {
		return nil
	}
	if name == s.Embed.Name() {
		return s.Embed
	}
	if s.Former == nil {
		return nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	e, known := s.former[name]
	if !known {
		e = s.Former(name)
		s.former[name] = e
		if e == nil {
			s.Log.Warn("the embedder that made the vectors cannot be opened; until they are made anew, search is by words only", "embedder", name)
		}
	}
	return e
}

// writer is the embedder for a new document, with the name of the active one.
func (s *Documents) writer(ctx context.Context, orgID int64) (embed.Embedder, string, error) {
	name, err := s.active(ctx, s.DB, orgID)
	if err != nil || s.Embed == nil {
		return nil, "", err
	}
	if e := s.named(name); e != nil {
		return e, name, nil
	}
	return s.Embed, name, nil
}

type embedderUse struct {
	OrgID    int64  `db:"org_id"`
	Embedder string `db:"embedder"`
}

// Reembed queues the jobs for all organizations with vectors of another embedder
// than the one configured; what is under way stays.
func (s *Documents) Reembed(ctx context.Context) error {
	if s.Embed == nil {
		return nil
	}
	mine := s.Embed.Name()
	// By organization, the embedder of most documents first.
	uses, err := db.All[embedderUse](ctx, s.DB, `SELECT d.org_id, v.embedder FROM document d JOIN document_version v ON v.document_id = d.id AND v.number = d.version
		WHERE d.is_deleted = FALSE GROUP BY d.org_id, v.embedder ORDER BY d.org_id, COUNT(*) DESC, v.embedder`)
	if err != nil {
		return err
	}
	pure := map[int64]bool{}
	for _, u := range uses {
		was, seen := pure[u.OrgID]
		pure[u.OrgID] = (was || !seen) && u.Embedder == mine
	}
	uses = slices.DeleteFunc(uses, func(u embedderUse) bool { return pure[u.OrgID] })
	rest, err := db.All[embedderUse](ctx, s.DB, `SELECT org_id, embedder FROM embedding WHERE embedder <> ? OR target <> ?
		UNION SELECT org_id, '' FROM reembedded ORDER BY 1, 2`, mine, mine)
	if err != nil {
		return err
	}
	seen := map[int64]bool{}
	for _, u := range slices.Concat(uses, rest) {
		if seen[u.OrgID] {
			continue
		}
		seen[u.OrgID] = true
		err := s.DB.Tx(db.WithOrg(ctx, u.OrgID), func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Exec(ctx, tx, `INSERT INTO embedding (org_id, embedder, target, done, todo, reason, modified_on) VALUES (?, ?, ?, 0, 0, '', ?)
				ON CONFLICT (org_id) DO UPDATE SET target = excluded.target`, u.OrgID, u.Embedder, mine, time.Now())
			if err != nil {
				return err
			}
			return s.queueReembed(ctx, tx, u.OrgID)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Documents) queueReembed(ctx context.Context, tx *db.Tx, orgID int64) error {
	_, err := s.Jobs.Enqueue(ctx, tx, job.Spec{Kind: reembedKind, OrgID: orgID, Key: strconv.FormatInt(orgID, 10), Priority: -10})
	return err
}

// reembed is the job: a slice of the work on one organization.
func (s *Documents) reembed(ctx context.Context, j *job.Job) error {
	if s.Embed == nil {
		return nil
	}
	target := s.Embed.Name()
	if err := s.adopt(ctx, j.OrgID); err != nil {
		return err
	}
	// What was made for a target that is none any more.
	if err := s.relaxed(ctx, `DELETE FROM reembedded WHERE org_id = ? AND embedder <> ?`, j.OrgID, target); err != nil {
		return err
	}
	more, err := s.reembedUntil(ctx, time.Now().Add(reembedSlice), j.OrgID, target)
	if err = errors.Join(err, s.count(ctx, j.OrgID, target)); err != nil {
		var embedding *embedError
		if errors.As(err, &embedding) && !transient(fail.As(embedding.err).Code) {
			return job.Permanent(err)
		}
		return err
	}
	if more {
		return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if err := j.Complete(ctx, tx); err != nil {
				return err
			}
			return s.queueReembed(ctx, tx, j.OrgID)
		})
	}
	return s.adopt(ctx, j.OrgID)
}

// reembedUntil works until all is done or a time has come; it tells which.
func (s *Documents) reembedUntil(ctx context.Context, end time.Time, orgID int64, target string) (more bool, err error) {
	var counted time.Time
	var after int64
	for {
		if time.Since(counted) > countEvery {
			if err := s.count(ctx, orgID, target); err != nil {
				return false, err
			}
			counted = time.Now()
		}
		if after, err = s.reembedSome(ctx, orgID, target, after); err != nil {
			return false, err
		}
		if after > 0 {
			if time.Now().After(end) {
				return true, nil
			}
			continue
		}
		if err := s.followAll(ctx, orgID, target); err != nil { // so that no search waits for it
			return false, err
		}
		if done, err := s.turn(ctx, orgID, target); done || err != nil {
			return false, err
		}
	}
}

func (s *Documents) relaxed(ctx context.Context, query string, args ...any) error {
	return s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, query, args...)
		return err
	})
}

// lacking are the documents that have no vectors of the target, here or aside.
const lacking = ` FROM document d JOIN document_version v ON v.document_id = d.id AND v.number = d.version
	WHERE d.org_id = ? AND d.is_deleted = FALSE AND v.embedder <> ?
	AND NOT EXISTS (SELECT 1 FROM reembedded n WHERE n.version_id = v.id AND n.embedder = ?)`

// reembedSome makes vectors for some documents behind an id, and answers the last
// one's; 0 when there were none.
func (s *Documents) reembedSome(ctx context.Context, orgID int64, target string, after int64) (int64, error) {
	type row struct {
		subject
		Title string `db:"title"`
	}
	found, err := db.All[row](ctx, s.DB, `SELECT d.id, d.org_id, d.name, d.content_type, d.source, v.id AS version_id, v.title, v.pii_redaction`+lacking+` AND d.id > ? ORDER BY d.id LIMIT `+strconv.Itoa(reembedBatch),
		orgID, target, target, after)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	for _, f := range found {
		r := &reading{subject: f.subject}
		r.doc.Title = f.Title
		if err := r.prepare(); err != nil {
			return 0, err
		}
		encoded, err := s.reencode(ctx, r)
		if err != nil {
			return 0, err
		}
		err = s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
			// A version that was replaced or emptied meanwhile needs none.
			_, err := db.Exec(ctx, tx, `INSERT INTO reembedded (org_id, version_id, embedder, encoded)
				SELECT v.org_id, v.id, ?, ? FROM document_version v JOIN document d ON d.id = v.document_id AND d.version = v.number
				WHERE v.org_id = ? AND v.id = ? AND (SELECT COALESCE(MIN(p.id), 0) FROM piece p WHERE p.version_id = v.id) = ?
				ON CONFLICT (version_id) DO UPDATE SET embedder = excluded.embedder, encoded = excluded.encoded`, target, encoded, orgID, r.VersionID, r.first)
			return err
		})
		if err != nil {
			return 0, err
		}
		after = f.ID
	}
	return after, nil
}

// count stores how far the work is.
func (s *Documents) count(ctx context.Context, orgID int64, target string) error {
	todo, err := db.One[int64](ctx, s.DB, `SELECT COUNT(*)`+lacking, orgID, target, target)
	if err != nil {
		return err
	}
	done, err := db.One[int64](ctx, s.DB, `SELECT COUNT(*) FROM reembedded WHERE org_id = ? AND embedder = ?`, orgID, target)
	if err != nil {
		return err
	}
	return s.relaxed(ctx, `UPDATE embedding SET done = ?, todo = ?, reason = '', modified_on = ? WHERE org_id = ?`, done, todo, time.Now(), orgID)
}

// reencode makes a version's index as its reading would, from what is stored.
func (s *Documents) reencode(ctx context.Context, r *reading) ([]byte, error) {
	type row struct {
		ID      int64  `db:"id"`
		Heading string `db:"heading"`
		Context string `db:"context"`
		Text    string `db:"text"`
	}
	found, err := db.All[row](ctx, s.DB, `SELECT id, heading, context, text FROM piece WHERE org_id = ? AND version_id = ? ORDER BY ordinal`, r.OrgID, r.VersionID)
	if err != nil {
		return nil, err
	}
	in := make([]retrieval.Piece, len(found))
	for i, p := range found {
		in[i] = retrieval.Piece{ID: p.ID, Heading: p.Heading, Text: joined(p.Context, p.Text)}
	}
	if len(in) > 0 {
		r.first = in[0].ID
		if head := r.head(); head != "" {
			in[0].Text = strings.TrimPrefix(in[0].Text, head+"\n\n")
		}
	}
	title := r.title()
	if err := embedPieces(ctx, s.Embed, title, in); err != nil {
		return nil, err
	}
	return retrieval.Encode(title, in), nil
}

// turn makes the new vectors the ones that are searched, unless a document came
// in between.
func (s *Documents) turn(ctx context.Context, orgID int64, target string) (done bool, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// Whoever stores a document holds its corpus, so that none comes in now.
		if _, err := db.Exec(ctx, tx, `UPDATE corpus SET index_seq = index_seq + 1 WHERE org_id = ?`, orgID); err != nil {
			return err
		}
		left, err := db.One[int64](ctx, tx, `SELECT COUNT(*)`+lacking, orgID, target, target)
		if err != nil || left > 0 {
			return err
		}
		// Indexes with the former vectors are loaded anew; one that has the others of
		// the target already is told of the rest.
		_, err = db.Exec(ctx, tx, `UPDATE document SET index_seq = (SELECT c.index_seq FROM corpus c WHERE c.id = document.corpus_id)
			WHERE org_id = ? AND is_deleted = FALSE AND EXISTS (SELECT 1 FROM embedding e WHERE e.org_id = document.org_id AND e.embedder = ?)
			AND id IN (SELECT v.document_id FROM reembedded n JOIN document_version v ON v.id = n.version_id WHERE n.org_id = ?)`, orgID, target, orgID)
		if err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, `UPDATE embedding SET embedder = ?, target = ?, todo = 0, reason = '', modified_on = ? WHERE org_id = ?`, target, target, time.Now(), orgID)
		done = err == nil
		return err
	})
	return done && err == nil, err
}

// adopt puts what lies aside and counts already to its versions, some at a time.
func (s *Documents) adopt(ctx context.Context, orgID int64) error {
	active, err := s.active(ctx, s.DB, orgID)
	if err != nil {
		return err
	}
	for {
		ids, err := db.All[int64](ctx, s.DB, `SELECT version_id FROM reembedded WHERE org_id = ? AND embedder = ? ORDER BY id LIMIT `+strconv.Itoa(moveBatch), orgID, active)
		if err != nil || len(ids) == 0 {
			return err
		}
		marks, args := db.In(ids)
		args = append([]any{orgID}, args...)
		err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			// Only the newest version is searched; an older one stays empty.
			_, err := db.Exec(ctx, tx, `UPDATE document_version SET embedder = (SELECT n.embedder FROM reembedded n WHERE n.version_id = document_version.id),
					encoded = (SELECT n.encoded FROM reembedded n WHERE n.version_id = document_version.id)
				WHERE org_id = ? AND id IN (`+marks+`) AND EXISTS (SELECT 1 FROM reembedded n WHERE n.version_id = document_version.id)
				AND number = (SELECT d.version FROM document d WHERE d.id = document_version.document_id)`, args...)
			if err != nil {
				return err
			}
			_, err = db.Exec(ctx, tx, `DELETE FROM reembedded WHERE org_id = ? AND version_id IN (`+marks+`)`, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// reembedFailed says why the former vectors stay in use.
func (s *Documents) reembedFailed(ctx context.Context, tx *db.Tx, j *job.Job, cause error) error {
	reason := "something went wrong on the server; see its log"
	var embedding *embedError
	switch {
	case errors.As(cause, &embedding):
		reason = "the embedder failed: " + fail.As(embedding.err).Message
	case errors.Is(cause, job.ErrCancelled):
		reason = "it was stopped"
	}
	_, err := db.Exec(ctx, tx, `UPDATE embedding SET reason = ?, modified_on = ? WHERE org_id = ?`,
		clip(reason, 300)+"; it is tried again within the hour and after a restart", time.Now(), j.OrgID)
	return err
}

// Reembedding is how far the documents are with a changed embedder.
type Reembedding struct {
	Done    int64    // documents with vectors of the embedder that is set
	Todo    int64    // and without
	Reasons []string // why it stopped, where it did
}

// Reembedding counts over all organizations that are not done.
func (s *Documents) Reembedding(ctx context.Context) (Reembedding, error) {
	type row struct {
		Done   int64  `db:"done"`
		Todo   int64  `db:"todo"`
		Reason string `db:"reason"`
	}
	rows, err := db.All[row](ctx, s.DB, `SELECT done, todo, reason FROM embedding WHERE embedder <> target ORDER BY org_id`)
	var out Reembedding
	for _, r := range rows {
		out.Done, out.Todo = out.Done+r.Done, out.Todo+r.Todo
		if r.Reason != "" && !slices.Contains(out.Reasons, r.Reason) {
			out.Reasons = append(out.Reasons, r.Reason)
		}
	}
	return out, err
}

// embedPieces fills in the vectors.
func embedPieces(ctx context.Context, e embed.Embedder, title string, in []retrieval.Piece) error {
	for part := range slices.Chunk(in, embedBatch) {
		texts := make([]string, len(part))
		for i, p := range part {
			texts[i] = strings.TrimSpace(title + "\n" + p.Heading + "\n" + p.Text)
		}
		vectors, err := e.Passages(ctx, texts)
		if err != nil {
			return &embedError{err}
		}
		if len(vectors) != len(part) {
			return &embedError{fmt.Errorf("%d vectors came for %d texts", len(vectors), len(part))}
		}
		for i := range part {
			part[i].Vector = vectors[i]
		}
	}
	return nil
}
