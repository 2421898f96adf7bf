package corpus

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/source"
	"atrium/internal/source/web"
)

// The kinds of source.
const (
	Site    = "site"
	Sitemap = "sitemap"
)

// The states of a source's last walk.
const (
	Waiting   = "pending"
	Walking   = "running"
	Walked    = "completed"
	Broken    = "failed"
	Cancelled = "cancelled"
)

// Source is where documents of a corpus come from by themselves.
type Source struct {
	ID          int64      `json:"id" db:"id"`
	CorpusID    int64      `json:"corpus_id" db:"corpus_id"`
	Kind        string     `json:"kind" db:"kind" enum:"site,sitemap"`
	Address     string     `json:"address" db:"address"`
	MaxDepth    int        `json:"max_depth" db:"max_depth" doc:"Links from the start, of a site."`
	MaxPages    int        `json:"max_pages" db:"max_pages"`
	Include     []string   `json:"include" db:"include,json" nullable:"false"`
	Exclude     []string   `json:"exclude" db:"exclude,json" nullable:"false"`
	Tags        []string   `json:"tags" db:"tags,json" nullable:"false" doc:"Given to its documents when they are made."`
	State       string     `json:"state" db:"state" enum:"pending,running,completed,failed,cancelled" doc:"Of the last walk."`
	Error       string     `json:"error" db:"error" doc:"Why the last walk failed and what to do; empty otherwise."`
	Found       int        `json:"found" db:"found" doc:"Addresses that the last walk came by."`
	Added       int        `json:"added" db:"added"`
	Changed     int        `json:"changed" db:"changed"`
	Unchanged   int        `json:"unchanged" db:"unchanged" doc:"Those of not_modified with them."`
	NotModified int        `json:"not_modified" db:"not_modified" doc:"Unchanged without anything having been transferred."`
	Removed     int        `json:"removed" db:"removed"`
	Skipped     int        `json:"skipped" db:"skipped" doc:"Not to be taken, such as what robots.txt forbids."`
	Failed      int        `json:"failed" db:"failed"`
	IsCut       bool       `json:"is_cut" db:"is_cut" doc:"Whether there was more than max_pages."`
	Documents   int        `json:"document_count" db:"document_count"`
	StartedOn   *time.Time `json:"started_on" db:"started_on"`
	EndedOn     *time.Time `json:"ended_on" db:"ended_on"`
	CreatedBy   string     `json:"created_by" db:"created_by"`
	CreatedOn   time.Time  `json:"created_on" db:"created_on"`
	ModifiedBy  string     `json:"modified_by" db:"modified_by"`
	ModifiedOn  time.Time  `json:"modified_on" db:"modified_on"`

	OrgID int64 `json:"-" db:"org_id"`
	Run   int64 `json:"-" db:"run"`
}

const sourceColumns = `s.id, s.org_id, s.corpus_id, s.kind, s.address, s.max_depth, s.max_pages, s.include, s.exclude, s.tags, s.state, s.error, s.run,
	s.found, s.added, s.changed, s.unchanged, s.not_modified, s.removed, s.skipped, s.failed, s.is_cut,
	(SELECT COUNT(*) FROM document d WHERE d.source_id = s.id AND d.is_deleted = FALSE) AS document_count,
	s.started_on, s.ended_on, s.created_by, s.created_on, s.modified_by, s.modified_on`

// SourceDraft is a source to be made.
type SourceDraft struct {
	Kind     string   `json:"kind" enum:"site,sitemap"`
	Address  string   `json:"address" minLength:"1" maxLength:"2000" doc:"The page to start at; of a sitemap also its site's start page."`
	MaxDepth int      `json:"max_depth,omitempty" minimum:"1" maximum:"10" doc:"Links from the start, of a site; 3 when not given."`
	MaxPages int      `json:"max_pages,omitempty" minimum:"1" maximum:"5000" doc:"200 when not given."`
	Include  []string `json:"include,omitempty" nullable:"true" maxItems:"50" doc:"Paths to take, all when there are none; * stands for anything and $ for the end, as in /docs/*."`
	Exclude  []string `json:"exclude,omitempty" nullable:"true" maxItems:"50" doc:"Paths to leave out."`
	Tags     []string `json:"tags,omitempty" nullable:"true" maxItems:"50" doc:"For its documents."`
}

// SourcePage is an address of a source, and what came of its last visit.
type SourcePage struct {
	Address    string     `json:"address" db:"key"`
	Depth      int        `json:"depth" db:"depth"`
	Outcome    string     `json:"outcome" db:"outcome" enum:"pending,added,changed,unchanged,not_modified,listing,removed,skipped,failed"`
	Reason     string     `json:"reason" db:"reason"`
	DocumentID *int64     `json:"document_id" db:"document_id"`
	VisitedOn  *time.Time `json:"visited_on" db:"visited_on"`
}

const (
	defaultDepth = 3
	defaultPages = 200
	maxDepth     = 10
	maxPages     = 5_000
	maxPatterns  = 50
	maxPattern   = 500
	walkKind     = "walk_source"
	walkTries    = 4
	walkers      = 4 // walks at once; each asks its host for one thing at a time
)

// check cleans a draft in place.
func (d *SourceDraft) check() error {
	u, err := url.Parse(strings.TrimSpace(d.Address))
	if err != nil || len(d.Address) > 2000 {
		return fail.InvalidField("address", "address: it is not an address of at most 2000 characters; it starts with http:// or https://")
	}
	if err := egress.Check(u); err != nil {
		return fail.InvalidField("address", "address: %s", fail.As(err).Message)
	}
	u.Fragment, u.RawFragment = "", ""
	d.Address = u.String()
	if d.Kind != Site && d.Kind != Sitemap {
		return fail.InvalidField("kind", "kind: %q is not one of site, sitemap", d.Kind)
	}
	if d.MaxDepth == 0 {
		d.MaxDepth = defaultDepth
	}
	if d.MaxPages == 0 {
		d.MaxPages = defaultPages
	}
	if d.MaxDepth < 1 || d.MaxDepth > maxDepth {
		return fail.InvalidField("max_depth", "max_depth: expected 1 to %d", maxDepth)
	}
	if d.MaxPages < 1 || d.MaxPages > maxPages {
		return fail.InvalidField("max_pages", "max_pages: expected 1 to %d", maxPages)
	}
	if d.Include, err = patterns("include", d.Include); err != nil {
		return err
	}
	if d.Exclude, err = patterns("exclude", d.Exclude); err != nil {
		return err
	}
	d.Tags, err = document.CleanTags(d.Tags)
	return err
}

func patterns(field string, in []string) ([]string, error) {
	out := []string{}
	for _, p := range in {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*") || len(p) > maxPattern {
			return nil, fail.InvalidField(field, "%s: a path starts with / or *, and has at most %d characters", field, maxPattern)
		}
		out = append(out, p)
	}
	if len(out) > maxPatterns {
		return nil, fail.InvalidField(field, "%s: give at most %d paths", field, maxPatterns)
	}
	return out, nil
}

// AddSource makes a source of a corpus and has it walked. The same address and
// kind is the source that is there: its limits change, and it is walked again.
func (s *Corpora) AddSource(ctx context.Context, sc authz.Scope, corpusID int64, d SourceDraft) (out Source, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := mayAdd(ctx, tx, sc, corpusID, &d); err != nil {
			return err
		}
		id, err := db.One[int64](ctx, tx, `SELECT id FROM source WHERE org_id = ? AND corpus_id = ? AND kind = ? AND address = ? AND is_deleted = FALSE ORDER BY id LIMIT 1`,
			sc.Org(), corpusID, d.Kind, d.Address)
		switch {
		case errors.Is(err, db.ErrNone):
			id, err = s.insertSource(ctx, tx, sc, corpusID, d)
		case err == nil:
			// Where its pages lead depends on the limits: all are asked anew.
			if _, err = db.Exec(ctx, tx, `UPDATE source_item SET etag = '', last_modified = '', fetched_listed = '' WHERE org_id = ? AND source_id = ?`, sc.Org(), id); err != nil {
				return err
			}
			_, err = db.Exec(ctx, tx, `UPDATE source SET max_depth = ?, max_pages = ?, include = ?, exclude = ?, tags = ?, modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ?`,
				d.MaxDepth, d.MaxPages, db.JSON(d.Include), db.JSON(d.Exclude), db.JSON(d.Tags), sc.Email(), time.Now(), sc.Org(), id)
		}
		if err != nil {
			return err
		}
		audit.About(ctx, id)
		if err := s.walkSoon(ctx, tx, sc.Org(), id); err != nil {
			return err
		}
		out, err = s.sourceOf(ctx, tx, sc.Org(), corpusID, id)
		return err
	})
	return out, err
}

// mayAdd holds a source that is to be made to the rights of the caller and to
// what a source can be. It cleans the draft in place.
func mayAdd(ctx context.Context, q db.Querier, sc authz.Scope, corpusID int64, d *SourceDraft) error {
	if err := document.MayOn(ctx, q, sc, corpusID, authz.Edit); err != nil {
		return err
	}
	return d.check()
}

func (s *Corpora) insertSource(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64, d SourceDraft) (int64, error) {
	now := time.Now()
	return db.One[int64](ctx, tx, `INSERT INTO source (org_id, corpus_id, kind, address, max_depth, max_pages, include, exclude, tags, state, error, run,
			found, added, changed, unchanged, not_modified, removed, skipped, failed, is_cut, is_deleted, created_by, created_on, modified_by, modified_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'completed', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, FALSE, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), corpusID, d.Kind, d.Address, d.MaxDepth, d.MaxPages, db.JSON(d.Include), db.JSON(d.Exclude), db.JSON(d.Tags), sc.Email(), now, sc.Email(), now)
}

func (s *Corpora) sourceOf(ctx context.Context, q db.Querier, orgID, corpusID, id int64) (Source, error) {
	out, err := db.One[Source](ctx, q, `SELECT `+sourceColumns+` FROM source s WHERE s.org_id = ? AND s.corpus_id = ? AND s.id = ? AND s.is_deleted = FALSE`, orgID, corpusID, id)
	if errors.Is(err, db.ErrNone) {
		err = fail.NotFound("source %d is unknown or not visible to you; check the id", id)
	}
	return out, err
}

// SourceOf is a source of a corpus that the caller may do the action on.
func (s *Corpora) SourceOf(ctx context.Context, q db.Querier, sc authz.Scope, corpusID, id int64, a authz.Action) (Source, error) {
	if err := document.MayOn(ctx, q, sc, corpusID, authz.View); err != nil {
		return Source{}, err
	}
	out, err := s.sourceOf(ctx, q, sc.Org(), corpusID, id)
	if err == nil && a != authz.View {
		err = document.MayOn(ctx, q, sc, corpusID, a)
	}
	return out, err
}

var sourceSort = map[string]string{"created_on": "s.created_on", "address": "s.address", "state": "s.state", "id": "s.id"}

// Sources is a page of a corpus's sources, and how many there are.
func (s *Corpora) Sources(ctx context.Context, sc authz.Scope, corpusID int64, p api.Paging) ([]Source, int, error) {
	if _, err := s.Get(ctx, sc, corpusID); err != nil {
		return nil, 0, err
	}
	return api.Rows[Source](ctx, s.db, p, api.Listing{
		Columns: sourceColumns, Tables: `source s`, Where: `s.org_id = ? AND s.corpus_id = ? AND s.is_deleted = FALSE`, Args: []any{sc.Org(), corpusID},
		Search: []string{"s.address"}, Order: sourceSort, ID: "s.id",
	})
}

var pageSort = map[string]string{"created_on": "i.id", "depth": "i.depth", "visited_on": "i.visited_on", "address": "i.key", "id": "i.id"}

// SourcePages is a page of what a source's last walks came by.
func (s *Corpora) SourcePages(ctx context.Context, sc authz.Scope, corpusID, id int64, p api.Paging, outcome string) ([]SourcePage, int, error) {
	if _, err := s.SourceOf(ctx, s.db, sc, corpusID, id, authz.View); err != nil {
		return nil, 0, err
	}
	where, args := `i.org_id = ? AND i.source_id = ?`, []any{sc.Org(), id}
	if outcome != "" {
		where, args = where+` AND i.outcome = ?`, append(args, outcome)
	}
	return api.Rows[SourcePage](ctx, s.db, p, api.Listing{
		Columns: `i.key, i.depth, i.outcome, i.reason, i.document_id, i.visited_on`, Tables: `source_item i`, Where: where, Args: args,
		Search: []string{"i.key"}, Order: pageSort, ID: "i.id",
	})
}

// RefreshSource has a source walked again; while it is being walked nothing changes.
func (s *Corpora) RefreshSource(ctx context.Context, sc authz.Scope, corpusID, id int64) (Source, error) {
	return s.changeSource(ctx, sc, corpusID, id, func(ctx context.Context, tx *db.Tx, _ Source) error {
		return s.walkSoon(ctx, tx, sc.Org(), id)
	})
}

// CancelSource ends the walk of a source; what it found so far stays.
func (s *Corpora) CancelSource(ctx context.Context, sc authz.Scope, corpusID, id int64) (Source, error) {
	return s.changeSource(ctx, sc, corpusID, id, func(ctx context.Context, tx *db.Tx, _ Source) error {
		return s.stopWalk(ctx, tx, sc.Org(), id, Cancelled)
	})
}

func (s *Corpora) changeSource(ctx context.Context, sc authz.Scope, corpusID, id int64, do func(context.Context, *db.Tx, Source) error) (out Source, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if out, err = s.SourceOf(ctx, tx, sc, corpusID, id, authz.Edit); err != nil {
			return err
		}
		if err := do(ctx, tx, out); err != nil {
			return err
		}
		out, err = s.sourceOf(ctx, tx, sc.Org(), corpusID, id)
		return err
	})
	return out, err
}

// DeleteSource removes a source, with its documents unless they are to be kept.
func (s *Corpora) DeleteSource(ctx context.Context, sc authz.Scope, corpusID, id int64, keep bool) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.SourceOf(ctx, tx, sc, corpusID, id, authz.Edit); err != nil {
			return err
		}
		if err := s.documents.RemoveOf(ctx, tx, sc, corpusID, id, keep); err != nil {
			return err
		}
		return s.dropSource(ctx, tx, sc, id)
	})
}

func (s *Corpora) dropSource(ctx context.Context, tx *db.Tx, sc authz.Scope, id int64) error {
	if err := s.stopWalk(ctx, tx, sc.Org(), id, Cancelled); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, `UPDATE source SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ?`, sc.Email(), time.Now(), sc.Org(), id); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, `DELETE FROM source_item WHERE org_id = ? AND source_id = ?`, sc.Org(), id)
	return err
}

// dropSources removes the sources of a corpus, whose documents are gone already.
func (s *Corpora) dropSources(ctx context.Context, tx *db.Tx, sc authz.Scope, corpusID int64) error {
	ids, err := db.All[int64](ctx, tx, `SELECT id FROM source WHERE org_id = ? AND corpus_id = ? AND is_deleted = FALSE ORDER BY id`, sc.Org(), corpusID)
	for _, id := range ids {
		if err := s.dropSource(ctx, tx, sc, id); err != nil {
			return err
		}
	}
	return err
}

// visit is what the job reads: a walk of a source, by the number of its run.
type visit struct {
	SourceID int64 `json:"source_id"`
	Run      int64 `json:"run"`
}

func (v visit) key() string { return strconv.FormatInt(v.SourceID, 10) }

// walkSoon begins a run, unless one is under way.
func (s *Corpora) walkSoon(ctx context.Context, tx *db.Tx, orgID, id int64) error {
	now := time.Now()
	run, err := db.One[int64](ctx, tx, `UPDATE source SET run = run + 1, state = 'pending', error = '', found = 0, added = 0, changed = 0, unchanged = 0, not_modified = 0,
			removed = 0, skipped = 0, failed = 0, is_cut = FALSE, started_on = ?, ended_on = NULL
		WHERE org_id = ? AND id = ? AND is_deleted = FALSE AND state NOT IN ('pending', 'running') RETURNING run`, now, orgID, id)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.enqueueWalk(ctx, tx, orgID, visit{SourceID: id, Run: run})
}

func (s *Corpora) enqueueWalk(ctx context.Context, tx *db.Tx, orgID int64, v visit) error {
	_, err := s.documents.Jobs.Enqueue(ctx, tx, job.Spec{Kind: walkKind, OrgID: orgID, Key: v.key(), Payload: v})
	return err
}

func (s *Corpora) stopWalk(ctx context.Context, tx *db.Tx, orgID, id int64, state string) error {
	if _, err := db.Exec(ctx, tx, `UPDATE source SET state = ?, ended_on = ? WHERE org_id = ? AND id = ? AND state IN ('pending', 'running')`,
		state, time.Now(), orgID, id); err != nil {
		return err
	}
	return s.documents.Jobs.CancelKey(ctx, tx, walkKind, visit{SourceID: id}.key())
}

// open makes the source that a row describes.
func (s *Corpora) open(r Source) source.Source {
	f := web.Filter{Include: r.Include, Exclude: slices.Clone(r.Exclude)}
	if r.Kind == Sitemap {
		return s.documents.Web.Sitemap(r.Address, r.MaxPages+1, f)
	}
	return s.documents.Web.Site(r.Address, r.MaxDepth, f)
}
