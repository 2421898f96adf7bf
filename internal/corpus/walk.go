package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"atrium/internal/blob"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/source"
)

const (
	slice    = 2 * time.Minute // of a walk, before others get their turn
	maxTries = 2               // visits of an item that fails in a way that may pass
	// deaf is how many visits in a row may fail before the walk does.
	deaf = 5
	// slack is how many items beyond max_pages are kept in mind, for listings and
	// for what is skipped.
	slack = 4
)

// errElsewhere ends a walk that is not the source's any more.
var errElsewhere = errors.New("corpus: the source was deleted, cancelled or walked anew meanwhile")

// item is a row of source_item.
type item struct {
	ID            int64  `db:"id"`
	Key           string `db:"key"`
	Depth         int    `db:"depth"`
	IsListing     bool   `db:"is_listing"`
	IsPinned      bool   `db:"is_pinned"`
	Listed        string `db:"listed"`
	Tries         int    `db:"tries"`
	ETag          string `db:"etag"`
	LastModified  string `db:"last_modified"`
	FetchedListed string `db:"fetched_listed"`
	Leads         string `db:"leads"`
	DocumentID    *int64 `db:"document_id"`
	// Of the document, when there is one.
	IsDeleted bool `db:"is_deleted"`
	IsFailed  bool `db:"is_failed"`
	Version   int  `db:"version"`
	Reading   bool `db:"reading"`
}

func (it item) item() source.Item {
	return source.Item{Key: it.Key, Depth: it.Depth, Listing: it.IsListing, Pinned: it.IsPinned, Listed: it.Listed}
}

// mark is what the item is asked for with: nothing when what was read of it
// last is not to be relied on.
func (it item) mark() source.Mark {
	if !it.IsListing && (it.DocumentID == nil || it.IsFailed || it.Version == 0 && !it.Reading) {
		return source.Mark{}
	}
	return source.Mark{ETag: it.ETag, LastModified: it.LastModified, Listed: it.FetchedListed}
}

// step is what came of one visit.
type step struct {
	item    item
	visit   source.Visit
	blob    blob.Blob
	err     error
	outcome string
}

// walk is the job: it visits what is left of a run, item by item. Each visit is
// stored in one transaction, so a walk that is broken off goes on where it was.
func (s *Corpora) walk(ctx context.Context, j *job.Job) error {
	var v visit
	if err := j.Decode(&v); err != nil {
		return err
	}
	src, err := db.One[Source](ctx, s.db, `SELECT `+sourceColumns+` FROM source s JOIN corpus c ON c.id = s.corpus_id AND c.is_deleted = FALSE
		WHERE s.org_id = ? AND s.id = ? AND s.run = ? AND s.is_deleted = FALSE AND s.state IN ('pending', 'running')`, j.OrgID, v.SourceID, v.Run)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	from := s.open(src)
	if src.State == Waiting {
		if err := s.begin(ctx, src, from); err != nil {
			return s.ended(err)
		}
	}
	silent := 0
	for until := time.Now().Add(slice); ; {
		it, err := s.next(ctx, src)
		if errors.Is(err, db.ErrNone) {
			return s.ended(s.finish(ctx, j, src))
		}
		if err != nil {
			return err
		}
		st := s.look(ctx, src, from, it)
		if ctx.Err() != nil {
			s.discard(src.OrgID, st.blob)
			return ctx.Err()
		}
		if err := s.note(ctx, src, st); err != nil {
			return s.ended(err)
		}
		if silent++; st.err == nil || !passing(st.err) {
			silent = 0
		}
		if silent >= deaf {
			return st.err
		}
		if time.Now().After(until) {
			return s.ended(s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				if err := j.Complete(ctx, tx); err != nil {
					return err
				}
				return s.enqueueWalk(ctx, tx, src.OrgID, v)
			}))
		}
	}
}

// ended is nil for what is nobody's concern any more.
func (s *Corpora) ended(err error) error {
	if errors.Is(err, errElsewhere) {
		return nil
	}
	var known *fail.Error
	if errors.As(err, &known) && !passing(err) {
		return job.Permanent(err)
	}
	return err
}

// passing tells whether a failure may pass by itself.
func passing(err error) bool {
	switch fail.As(err).Code {
	case fail.CodeProvider, fail.CodeUnavailable, fail.CodeTooMany, fail.CodeInternal:
		return true
	}
	return false
}

// begin puts the first items of a run down.
func (s *Corpora) begin(ctx context.Context, src Source, from source.Source) error {
	first, err := from.Start(ctx)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := s.own(ctx, tx, src, Walking); err != nil {
			return err
		}
		return s.lead(ctx, tx, src, first)
	})
}

// own makes sure that the run is still the source's.
func (s *Corpora) own(ctx context.Context, tx *db.Tx, src Source, state string) error {
	n, err := db.Exec(ctx, tx, `UPDATE source SET state = ? WHERE org_id = ? AND id = ? AND run = ? AND is_deleted = FALSE AND state IN ('pending', 'running')`,
		state, src.OrgID, src.ID, src.Run)
	if err == nil && n == 0 {
		err = errElsewhere
	}
	return err
}

// next is an item of the run that is still to be visited, those nearest to the
// start first.
func (s *Corpora) next(ctx context.Context, src Source) (item, error) {
	return db.One[item](ctx, s.db, `SELECT i.id, i.key, i.depth, i.is_listing, i.is_pinned, i.listed, i.tries, i.etag, i.last_modified, i.fetched_listed, i.leads, i.document_id,
			COALESCE(d.is_deleted, FALSE) AS is_deleted, COALESCE(d.is_failed, FALSE) AS is_failed, COALESCE(d.version, 0) AS version,
			CASE WHEN d.step <> 'completed' AND d.is_failed = FALSE THEN TRUE ELSE FALSE END AS reading
		FROM source_item i LEFT JOIN document d ON d.id = i.document_id
		WHERE i.org_id = ? AND i.source_id = ? AND i.run = ? AND i.outcome = 'pending' ORDER BY i.tries, i.depth, i.id LIMIT 1`, src.OrgID, src.ID, src.Run)
}

// look visits an item and keeps its bytes.
func (s *Corpora) look(ctx context.Context, src Source, from source.Source, it item) step {
	st := step{item: it}
	st.visit, st.err = from.Visit(ctx, it.item(), it.mark())
	if st.err != nil || st.visit.Outcome != source.Fetched {
		return st
	}
	defer func() { _ = st.visit.Content.Body.Close() }()
	if it.IsDeleted {
		st.visit.Outcome, st.visit.Reason = source.Skipped, "somebody deleted its document; add the page by itself to have it again"
		return st
	}
	st.blob, st.err = s.blobs.Put(ctx, src.OrgID, st.visit.Content.Body, s.documents.MaxBytes)
	if st.err == nil && st.blob.Size == 0 {
		s.discard(src.OrgID, st.blob)
		st.blob = blob.Blob{}
		st.err = fail.Conflict("the address answered with nothing; check it in a browser")
	}
	return st
}

func (s *Corpora) discard(orgID int64, b blob.Blob) {
	if b.Key != "" {
		_ = s.blobs.Delete(orgID, b.Key) // what stays is swept
	}
}

// note stores what came of a visit, and drops bytes that nobody needs.
func (s *Corpora) note(ctx context.Context, src Source, st step) error {
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := s.own(ctx, tx, src, Walking); err != nil {
			return err
		}
		return s.settle(ctx, tx, src, &st)
	})
	if errors.Is(err, errElsewhere) || err == nil && st.outcome != "added" && st.outcome != document.Changed {
		s.discard(src.OrgID, st.blob)
	}
	return err
}

func (s *Corpora) settle(ctx context.Context, tx *db.Tx, src Source, st *step) error {
	it, v := st.item, st.visit
	documentID, reason, leads := it.DocumentID, v.Reason, v.Leads
	mark := source.Mark{ETag: it.ETag, LastModified: it.LastModified, Listed: it.FetchedListed}
	var err error
	switch {
	case st.err != nil:
		if it.Tries++; passing(st.err) && it.Tries < maxTries {
			_, err := db.Exec(ctx, tx, `UPDATE source_item SET tries = ? WHERE org_id = ? AND id = ?`, it.Tries, src.OrgID, it.ID)
			return err
		}
		st.outcome, reason = document.Failed, fail.As(st.err).Message
		if err := s.checked(ctx, tx, src, it, document.Failed); err != nil {
			return err
		}
		leads, err = it.before()
	case v.Outcome == source.Unchanged:
		st.outcome, mark = document.NotModified, v.Mark
		if err := s.checked(ctx, tx, src, it, document.NotModified); err != nil {
			return err
		}
		leads, err = it.before()
	case v.Outcome == source.Gone:
		st.outcome = document.Removed
		if err := s.checked(ctx, tx, src, it, document.Removed); err != nil {
			return err
		}
		if it.DocumentID == nil {
			st.outcome = "skipped" // a link that leads nowhere
		}
		leads, err = it.before()
	case v.Outcome == source.Fetched:
		documentID, err = s.keep(ctx, tx, src, st)
		mark = v.Mark
	case v.Outcome == source.Listing:
		st.outcome, mark = "listing", v.Mark
	default:
		st.outcome = "skipped"
		if it.DocumentID != nil && !it.IsDeleted { // it was taken once
			err = s.checked(ctx, tx, src, it, document.Removed)
		}
	}
	if err != nil {
		return err
	}
	if err := s.lead(ctx, tx, src, leads); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, `UPDATE source_item SET outcome = ?, reason = ?, etag = ?, last_modified = ?, fetched_listed = ?, leads = ?, document_id = ?, visited_on = ?
		WHERE org_id = ? AND id = ?`, st.outcome, clip(reason, 500), clip(mark.ETag, 500), clip(mark.LastModified, 100), clip(mark.Listed, 100), db.JSON(leads), documentID, time.Now(), src.OrgID, it.ID); err != nil {
		return err
	}
	return s.count(ctx, tx, src, st)
}

// before is where an item led at its last visit.
func (it item) before() (leads []source.Item, err error) {
	return leads, json.Unmarshal([]byte(it.Leads), &leads)
}

func (s *Corpora) checked(ctx context.Context, tx *db.Tx, src Source, it item, result string) error {
	if it.DocumentID == nil {
		return nil
	}
	return s.documents.Checked(ctx, tx, src.OrgID, *it.DocumentID, result)
}

// keep makes or changes the document of an item.
func (s *Corpora) keep(ctx context.Context, tx *db.Tx, src Source, st *step) (*int64, error) {
	v := st.visit
	id, result, added, err := s.documents.Found(ctx, tx, src.OrgID, src.CorpusID, document.Draft{
		ContentType: document.Weblink, Source: st.item.Key, Blob: st.blob, MediaType: v.Content.MediaType, Tags: src.Tags,
		SourceID: src.ID, ETag: v.Mark.ETag, LastModified: v.Mark.LastModified,
	})
	if st.outcome = result; added {
		st.outcome = "added"
	}
	return &id, err
}

// count adds a visit to the run's figures.
func (s *Corpora) count(ctx context.Context, tx *db.Tx, src Source, st *step) error {
	set := map[string]string{
		"added": "added = added + 1", document.Changed: "changed = changed + 1", document.Unchanged: "unchanged = unchanged + 1",
		document.NotModified: "unchanged = unchanged + 1, not_modified = not_modified + 1", document.Removed: "removed = removed + 1",
		"skipped": "skipped = skipped + 1", document.Failed: "failed = failed + 1",
	}[st.outcome]
	if set == "" || st.item.IsListing && st.outcome == document.NotModified {
		return nil
	}
	_, err := db.Exec(ctx, tx, `UPDATE source SET `+set+` WHERE org_id = ? AND id = ?`, src.OrgID, src.ID)
	return err
}

// lead puts down where to go, as far as the limits allow: an item that this run
// knows already stays as it is.
func (s *Corpora) lead(ctx context.Context, tx *db.Tx, src Source, leads []source.Item) error {
	if len(leads) == 0 {
		return nil
	}
	type count struct {
		All   int `db:"all_items"`
		Pages int `db:"pages"`
	}
	have, err := db.One[count](ctx, tx, `SELECT COUNT(*) AS all_items, CAST(COALESCE(SUM(CASE WHEN is_listing = FALSE AND outcome <> 'skipped' THEN 1 ELSE 0 END), 0) AS BIGINT) AS pages
		FROM source_item WHERE org_id = ? AND source_id = ? AND run = ?`, src.OrgID, src.ID, src.Run)
	if err != nil {
		return err
	}
	found, cut := 0, false
	for _, l := range leads {
		if have.All >= src.MaxPages*slack+100 || !l.Listing && have.Pages >= src.MaxPages {
			// It may be known already; only a new one is left out.
			n, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM source_item WHERE org_id = ? AND source_id = ? AND key = ? AND run = ?`, src.OrgID, src.ID, l.Key, src.Run)
			if err != nil {
				return err
			}
			if n == 0 {
				cut = true
				break
			}
			continue
		}
		outcome := "pending"
		if l.Removed {
			outcome = document.Removed
		}
		n, err := db.Exec(ctx, tx, `INSERT INTO source_item (org_id, source_id, key, depth, is_listing, is_pinned, listed, run, tries, outcome, reason, etag, last_modified, fetched_listed, leads)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, '', '', '', '', '[]')
			ON CONFLICT (source_id, key) DO UPDATE SET depth = excluded.depth, is_listing = excluded.is_listing, is_pinned = excluded.is_pinned, listed = excluded.listed,
				run = excluded.run, tries = 0, outcome = excluded.outcome, reason = '' WHERE source_item.run < excluded.run`,
			src.OrgID, src.ID, l.Key, l.Depth, l.Listing, l.Pinned, clip(l.Listed, 100), src.Run, outcome)
		if err != nil {
			return err
		}
		if n == 0 && l.Pinned {
			if _, err := db.Exec(ctx, tx, `UPDATE source_item SET is_pinned = TRUE WHERE org_id = ? AND source_id = ? AND key = ? AND outcome = 'pending'`, src.OrgID, src.ID, l.Key); err != nil {
				return err
			}
		}
		if n > 0 {
			found++
			have.All++
			if !l.Listing {
				have.Pages++
			}
		}
	}
	_, err = db.Exec(ctx, tx, `UPDATE source SET found = found + ?, is_cut = CASE WHEN ? THEN TRUE ELSE is_cut END WHERE org_id = ? AND id = ?`, found, cut, src.OrgID, src.ID)
	return err
}

// finish ends a run: what it did not come by, though nothing stopped it, is
// removed at the source.
func (s *Corpora) finish(ctx context.Context, j *job.Job, src Source) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := s.own(ctx, tx, src, Walked); err != nil {
			return err
		}
		type end struct {
			IsCut  bool `db:"is_cut"`
			Failed int  `db:"failed"`
			Taken  int  `db:"taken"`
		}
		e, err := db.One[end](ctx, tx, `SELECT is_cut, failed, added + changed + unchanged AS taken FROM source WHERE org_id = ? AND id = ?`, src.OrgID, src.ID)
		if err != nil {
			return err
		}
		if !e.IsCut && e.Failed == 0 {
			if err := s.missing(ctx, tx, src); err != nil {
				return err
			}
		}
		if e.Taken == 0 { // nothing at all: the first item that went wrong says why
			reason, err := db.One[string](ctx, tx, `SELECT reason FROM source_item WHERE org_id = ? AND source_id = ? AND run = ? AND outcome IN ('failed', 'skipped', 'removed') ORDER BY depth, id LIMIT 1`,
				src.OrgID, src.ID, src.Run)
			if err != nil && !errors.Is(err, db.ErrNone) {
				return err
			}
			if reason == "" {
				reason = "no page was found; check the address and the paths that were chosen"
			}
			if _, err := db.Exec(ctx, tx, `UPDATE source SET state = 'failed', error = ? WHERE org_id = ? AND id = ?`, reason, src.OrgID, src.ID); err != nil {
				return err
			}
		}
		if _, err := db.Exec(ctx, tx, `UPDATE source SET ended_on = ? WHERE org_id = ? AND id = ?`, time.Now(), src.OrgID, src.ID); err != nil {
			return err
		}
		return j.Complete(ctx, tx)
	})
}

// missing marks the documents of a source that nothing leads to any more.
func (s *Corpora) missing(ctx context.Context, tx *db.Tx, src Source) error {
	type lost struct {
		ID       int64 `db:"id"`
		Document int64 `db:"document_id"`
	}
	all, err := db.All[lost](ctx, tx, `SELECT i.id, i.document_id FROM source_item i JOIN document d ON d.id = i.document_id AND d.is_deleted = FALSE
		WHERE i.org_id = ? AND i.source_id = ? AND (i.run < ? AND i.outcome <> 'removed' OR i.run = ? AND i.outcome = 'removed' AND i.visited_on IS NULL) ORDER BY i.id`, src.OrgID, src.ID, src.Run, src.Run)
	if err != nil {
		return err
	}
	for _, l := range all {
		if err := s.documents.Checked(ctx, tx, src.OrgID, l.Document, document.Removed); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, `UPDATE source_item SET outcome = 'removed', reason = ?, visited_on = ? WHERE org_id = ? AND id = ?`,
			"nothing of the source leads there any more", time.Now(), src.OrgID, l.ID); err != nil {
			return err
		}
	}
	_, err = db.Exec(ctx, tx, `UPDATE source SET removed = removed + ? WHERE org_id = ? AND id = ?`, len(all), src.OrgID, src.ID)
	return err
}

// walkFailed stores why a walk ended early.
func (s *Corpora) walkFailed(ctx context.Context, tx *db.Tx, j *job.Job, cause error) error {
	var v visit
	if err := j.Decode(&v); err != nil {
		return err
	}
	state, reason := Broken, "the walk was broken off again and again; refresh the source, and tell your administrator if it stays"
	var known *fail.Error
	switch {
	case errors.Is(cause, job.ErrCancelled):
		state, reason = Cancelled, ""
	case errors.As(cause, &known):
		reason = known.Message
	}
	_, err := db.Exec(ctx, tx, `UPDATE source SET state = ?, error = ?, ended_on = ? WHERE org_id = ? AND id = ? AND run = ? AND state IN ('pending', 'running')`,
		state, reason, time.Now(), j.OrgID, v.SourceID, v.Run)
	return err
}

// clip cuts to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
