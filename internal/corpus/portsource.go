package corpus

import (
	"context"
	"slices"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/source"
	"atrium/internal/source/web"
)

// PortableSource is a source as a bundle carries it: its settings, and what its
// last walk came to.
type PortableSource struct {
	ID          int64      `json:"-" db:"id"`
	Run         int64      `json:"-" db:"run"`
	Kind        string     `json:"kind" db:"kind"`
	Address     string     `json:"address" db:"address"`
	MaxDepth    int        `json:"max_depth" db:"max_depth"`
	MaxPages    int        `json:"max_pages" db:"max_pages"`
	Include     []string   `json:"include" db:"include,json"`
	Exclude     []string   `json:"exclude" db:"exclude,json"`
	Tags        []string   `json:"tags" db:"tags,json"`
	State       string     `json:"state" db:"state"`
	Error       string     `json:"error" db:"error"`
	Found       int        `json:"found" db:"found"`
	Added       int        `json:"added" db:"added"`
	Changed     int        `json:"changed" db:"changed"`
	Unchanged   int        `json:"unchanged" db:"unchanged"`
	NotModified int        `json:"not_modified" db:"not_modified"`
	Removed     int        `json:"removed" db:"removed"`
	Skipped     int        `json:"skipped" db:"skipped"`
	Failed      int        `json:"failed" db:"failed"`
	IsCut       bool       `json:"is_cut" db:"is_cut"`
	StartedOn   *time.Time `json:"started_on" db:"started_on"`
	EndedOn     *time.Time `json:"ended_on" db:"ended_on"`
}

// PortableItem is an item of a source as it was at its last visit, so that the
// first refresh asks only for what has changed.
type PortableItem struct {
	ID            int64         `json:"-" db:"id"`
	DocumentID    *int64        `json:"-" db:"document_id"`
	Key           string        `json:"key" db:"key"`
	Depth         int           `json:"depth" db:"depth"`
	IsListing     bool          `json:"is_listing" db:"is_listing"`
	IsPinned      bool          `json:"is_pinned" db:"is_pinned"`
	Listed        string        `json:"listed" db:"listed"`
	Outcome       string        `json:"outcome" db:"outcome"`
	Reason        string        `json:"reason" db:"reason"`
	ETag          string        `json:"etag" db:"etag"`
	LastModified  string        `json:"last_modified" db:"last_modified"`
	FetchedListed string        `json:"fetched_listed" db:"fetched_listed"`
	Leads         []source.Item `json:"leads" db:"leads,json"`
	VisitedOn     *time.Time    `json:"visited_on" db:"visited_on"`
	// Document is the place of its document among those of the corpus, from 1 on;
	// 0 when it has none. IsOwned: the document came from this source.
	Document int  `json:"document,omitempty" db:"-"`
	IsOwned  bool `json:"is_owned,omitempty" db:"is_owned"`
	// IsDeleted: somebody deleted its document, so it is not taken again.
	IsDeleted bool `json:"is_deleted,omitempty" db:"is_deleted"`
}

// SourcePorter takes what ExportSources finds: each source, then its items.
type SourcePorter interface {
	Source(p PortableSource) error
	Item(p PortableItem) error
}

// ExportSources gives the sources of a corpus that the caller may manage. What a
// walk under way has not come by yet is left to the next one.
func (s *Corpora) ExportSources(ctx context.Context, sc authz.Scope, corpusID int64, to SourcePorter) error {
	if err := document.MayOn(ctx, s.db, sc, corpusID, authz.Manage); err != nil {
		return err
	}
	sources, err := db.All[PortableSource](ctx, s.db, `SELECT id, run, kind, address, max_depth, max_pages, include, exclude, tags, state, error, found, added, changed, unchanged,
		not_modified, removed, skipped, failed, is_cut, started_on, ended_on FROM source WHERE org_id = ? AND corpus_id = ? AND is_deleted = FALSE ORDER BY id`, sc.Org(), corpusID)
	if err != nil {
		return err
	}
	for _, p := range sources {
		if p.State == Waiting || p.State == Walking {
			p.State = Cancelled
		}
		if err := to.Source(p); err != nil {
			return err
		}
		if err := s.exportItems(ctx, sc.Org(), p, to); err != nil {
			return err
		}
	}
	return nil
}

// exportItems leaves out what no later walk looks at: addresses without a
// document that the last one did not come by.
func (s *Corpora) exportItems(ctx context.Context, orgID int64, p PortableSource, to SourcePorter) error {
	const batch = 200
	for after := int64(0); ; {
		items, err := db.All[PortableItem](ctx, s.db, `SELECT i.id, i.document_id, i.key, i.depth, i.is_listing, i.is_pinned, i.listed, i.outcome, i.reason, i.etag, i.last_modified,
				i.fetched_listed, i.leads, i.visited_on, COALESCE(d.is_deleted, FALSE) AS is_deleted, CASE WHEN d.source_id = i.source_id THEN TRUE ELSE FALSE END AS is_owned
			FROM source_item i LEFT JOIN document d ON d.id = i.document_id
			WHERE i.org_id = ? AND i.source_id = ? AND i.id > ? AND i.visited_on IS NOT NULL AND (i.document_id IS NOT NULL OR i.is_listing OR i.run = ?) ORDER BY i.id LIMIT ?`,
			orgID, p.ID, after, p.Run, batch)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := to.Item(it); err != nil {
				return err
			}
			after = it.ID
		}
		if len(items) < batch {
			return nil
		}
	}
}

func (p PortableSource) draft() SourceDraft {
	return SourceDraft{Kind: p.Kind, Address: p.Address, MaxDepth: p.MaxDepth, MaxPages: p.MaxPages, Include: p.Include, Exclude: p.Exclude, Tags: p.Tags}
}

// Check tells what of a source cannot be as it says.
func (p PortableSource) Check() error {
	bad := func(what string) error {
		return fail.Conflict("the bundle is not well formed: a source has %s that cannot be; export it again", what)
	}
	d := p.draft()
	switch {
	case p.MaxDepth == 0, p.MaxPages == 0, d.check() != nil:
		return bad("an address or limits")
	case !slices.Contains([]string{Walked, Broken, Cancelled}, p.State), !document.Fits(p.Error, 4000):
		return bad("a state")
	}
	for _, n := range []int{p.Found, p.Added, p.Changed, p.Unchanged, p.NotModified, p.Removed, p.Skipped, p.Failed} {
		if n < 0 || n > 1<<30 {
			return bad("a number")
		}
	}
	return nil
}

// Check tells what of an item cannot be as it says. Where it leads is within its
// source, for that is visited without being asked whether it may be.
func (p PortableItem) Check(of PortableSource) error {
	bad := func(what string) error {
		return fail.Conflict("the bundle is not well formed: an address of the source %.200q has %s that cannot be; export it again", of.Address, what)
	}
	outcomes := []string{"pending", "added", document.Changed, document.Unchanged, document.NotModified, "listing", document.Removed, "skipped", document.Failed}
	switch {
	case !within(of, p.Key, p.Depth, p.Listed):
		return bad("a name or place")
	case !slices.Contains(outcomes, p.Outcome):
		return bad("an outcome")
	case !document.Fits(p.Reason, 500), !document.Fits(p.ETag, 500), !document.Fits(p.LastModified, 100), !document.Fits(p.FetchedListed, 100):
		return bad("a text")
	case p.Document < 0, p.Document == 0 && p.IsOwned && !p.IsDeleted, p.Document != 0 && p.IsDeleted:
		return bad("a document")
	case len(p.Leads) > maxPages+1, slices.ContainsFunc(p.Leads, func(l source.Item) bool { return !within(of, l.Key, l.Depth, l.Listed) }):
		return bad("links")
	}
	return nil
}

func within(of PortableSource, key string, depth int, listed string) bool {
	return document.Fits(key, 2000) && document.Fits(listed, 100) && depth >= 0 && depth <= maxDepth && web.Within(of.Address, key)
}

// ImportSource makes a source of an imported corpus for who may do so by
// createCorpusSource, and does not walk it.
func (s *Corpora) ImportSource(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64, p PortableSource) (int64, error) {
	if d := sc.Can(addSource); !d.Allowed {
		return 0, fail.Forbidden("%s", d.Reason)
	}
	d := p.draft()
	if err := mayAdd(ctx, tx, sc, corpusID, &d); err != nil {
		return 0, err
	}
	id, err := s.insertSource(ctx, tx, sc, corpusID, d)
	if err != nil {
		return 0, err
	}
	_, err = db.Exec(ctx, tx, `UPDATE source SET state = ?, error = ?, found = ?, added = ?, changed = ?, unchanged = ?, not_modified = ?, removed = ?, skipped = ?, failed = ?, is_cut = ?,
		started_on = ?, ended_on = ? WHERE org_id = ? AND id = ?`, p.State, p.Error, p.Found, p.Added, p.Changed, p.Unchanged, p.NotModified, p.Removed, p.Skipped, p.Failed, p.IsCut,
		p.StartedOn, p.EndedOn, sc.Org(), id)
	return id, err
}

// ImportItem stores an item of an imported source, with the id that its document
// has here, 0 when it has none.
func (s *Corpora) ImportItem(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID, sourceID int64, p PortableItem, documentID int64) (err error) {
	if p.IsDeleted {
		if documentID, err = s.documents.ImportDeleted(ctx, tx, sc, corpusID); err != nil {
			return err
		}
	}
	if p.IsOwned {
		if err := s.documents.ImportOwner(ctx, tx, sc, documentID, sourceID); err != nil {
			return err
		}
	}
	var doc *int64
	if documentID != 0 {
		doc = &documentID
	}
	if p.Leads == nil {
		p.Leads = []source.Item{}
	}
	_, err = db.Exec(ctx, tx, `INSERT INTO source_item (org_id, source_id, key, depth, is_listing, is_pinned, listed, run, tries, outcome, reason, etag, last_modified, fetched_listed, leads, document_id, visited_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?)`, sc.Org(), sourceID, p.Key, p.Depth, p.IsListing, p.IsPinned, p.Listed, p.Outcome, p.Reason,
		p.ETag, p.LastModified, p.FetchedListed, db.JSON(p.Leads), doc, p.VisitedOn)
	return err
}
