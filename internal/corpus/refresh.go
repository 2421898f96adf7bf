package corpus

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/job"
)

const (
	refreshKind = "refresh_corpus"
	dueEvery    = 30 * time.Second
	// least is the shortest time between two refreshes by schedule.
	least           = 15 * time.Minute
	defaultSchedule = "1d"
)

// Refresh is when a corpus's addresses are looked at again, and what the last
// look at each came to.
type Refresh struct {
	Corpus
	Sources     int `json:"source_count"`
	Addresses   int `json:"address_count" doc:"Documents that were read from an address."`
	Changed     int `json:"changed"`
	Unchanged   int `json:"unchanged" doc:"The same text came."`
	NotModified int `json:"not_modified" doc:"Nothing had to be transferred."`
	Removed     int `json:"removed" doc:"The address no longer has it."`
	Failed      int `json:"failed"`
}

// nextTick is when a schedule comes round after a time, in UTC: cron's five
// fields, a word such as @daily, or an interval such as 6h or 2d.
func nextTick(schedule string, after time.Time) (time.Time, error) {
	after = after.UTC()
	if d, ok := interval(schedule); ok {
		if d < least || d > 366*24*time.Hour {
			return time.Time{}, fail.InvalidField("refresh_schedule", "refresh_schedule: an interval is 15 minutes to 366 days, such as 30m, 6h or 1d")
		}
		return after.Add(d), nil
	}
	wrong := fail.InvalidField("refresh_schedule", "refresh_schedule: expected an interval such as 6h or 1d, or cron's five fields such as 0 3 * * 1, in UTC, at most every 15 minutes")
	fields := strings.Fields(schedule)
	named := len(fields) == 1 && strings.HasPrefix(schedule, "@")
	if len(fields) != 5 && !named || !gronx.IsValid(schedule) {
		return time.Time{}, wrong
	}
	first, err := gronx.NextTickAfter(schedule, after, false)
	if err != nil || !first.After(after) {
		return time.Time{}, wrong
	}
	for last, i := first, 0; i < 3; i++ {
		next, err := gronx.NextTickAfter(schedule, last, false)
		if err != nil || next.Sub(last) < least {
			return time.Time{}, wrong
		}
		last = next
	}
	return first, nil
}

func interval(s string) (time.Duration, bool) {
	unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s == "" || unit[s[len(s)-1]] == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 16)
	return time.Duration(n) * unit[s[len(s)-1]], err == nil
}

// schedule stores when a corpus is refreshed, within an update of it.
func schedule(c Corpus, p Patch, put func(string, any)) error {
	if p.RefreshEnabled == nil && p.RefreshSchedule == nil {
		return nil
	}
	on, when := c.RefreshEnabled, c.RefreshSchedule
	if p.RefreshEnabled != nil {
		on = *p.RefreshEnabled
	}
	if p.RefreshSchedule != nil {
		when = strings.Join(strings.Fields(*p.RefreshSchedule), " ")
	}
	if on && when == "" {
		when = defaultSchedule
	}
	var next *time.Time
	if when != "" {
		at, err := nextTick(when, time.Now())
		if err != nil {
			return err
		}
		if on {
			next = &at
		}
	}
	put("refresh_enabled", on)
	put("refresh_schedule", when)
	put("next_refresh_on", next)
	return nil
}

// RefreshNow has the sources of a corpus walked and its documents looked at
// again. Files and texts are read again where reading failed, or where they
// were read in another mode than the corpus has now.
func (s *Corpora) RefreshNow(ctx context.Context, sc authz.Scope, id int64) (out Refresh, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := document.MayOn(ctx, tx, sc, id, authz.Edit); err != nil {
			return err
		}
		return s.refresh(ctx, tx, sc.Org(), id, true)
	})
	if err != nil {
		return Refresh{}, err
	}
	c, err := s.Get(ctx, sc, id)
	if err != nil {
		return Refresh{}, err
	}
	all, err := s.figures(ctx, sc.Org(), []Corpus{c})
	if err != nil {
		return Refresh{}, err
	}
	return all[0], nil
}

// refreshing is what the job reads.
type refreshing struct {
	CorpusID   int64     `json:"corpus_id"`
	Since      time.Time `json:"since"`
	Everything bool      `json:"everything"`
}

// refresh queues the refresh of a corpus: its sources now, its documents by a job.
func (s *Corpora) refresh(ctx context.Context, tx *db.Tx, orgID, id int64, everything bool) error {
	now := time.Now()
	if _, err := db.Exec(ctx, tx, `UPDATE corpus SET last_refresh_on = ? WHERE org_id = ? AND id = ?`, now, orgID, id); err != nil {
		return err
	}
	sources, err := db.All[int64](ctx, tx, `SELECT id FROM source WHERE org_id = ? AND corpus_id = ? AND is_deleted = FALSE ORDER BY id`, orgID, id)
	if err != nil {
		return err
	}
	for _, source := range sources {
		if err := s.walkSoon(ctx, tx, orgID, source); err != nil {
			return err
		}
	}
	_, err = s.documents.Jobs.Enqueue(ctx, tx, job.Spec{Kind: refreshKind, OrgID: orgID, Key: strconv.FormatInt(id, 10), Payload: refreshing{id, now, everything}})
	return err
}

// refreshDocuments is the job: it queues the reading of a corpus's documents, a
// batch a transaction. After a crash it begins again, and leaves alone what was
// asked meanwhile.
func (s *Corpora) refreshDocuments(ctx context.Context, j *job.Job) error {
	var r refreshing
	if err := j.Decode(&r); err != nil {
		return err
	}
	for last := int64(0); ; {
		err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			if last, err = s.documents.RefreshSome(ctx, tx, j.OrgID, r.CorpusID, last, r.Since, r.Everything); err != nil || last != 0 {
				return err
			}
			return j.Complete(ctx, tx)
		})
		if err != nil || last == 0 {
			return err
		}
	}
}

// RefreshDue queues the refresh of each corpus whose time has come. Of several
// processes one gets each.
func (s *Corpora) RefreshDue(ctx context.Context, now time.Time) error {
	type due struct {
		ID       int64     `db:"id"`
		OrgID    int64     `db:"org_id"`
		Schedule string    `db:"refresh_schedule"`
		Next     time.Time `db:"next_refresh_on"`
	}
	all, err := db.All[due](ctx, s.db, `SELECT id, org_id, refresh_schedule, next_refresh_on FROM corpus
		WHERE refresh_enabled AND is_deleted = FALSE AND next_refresh_on <= ? ORDER BY next_refresh_on, id LIMIT 500`, now)
	if err != nil {
		return err
	}
	for _, d := range all {
		var next *time.Time
		if at, err := nextTick(d.Schedule, now); err == nil {
			next = &at
		}
		e := s.db.Tx(db.WithOrg(ctx, d.OrgID), func(ctx context.Context, tx *db.Tx) error {
			n, err := db.Exec(ctx, tx, `UPDATE corpus SET next_refresh_on = ? WHERE org_id = ? AND id = ? AND refresh_enabled AND is_deleted = FALSE AND next_refresh_on = ?`,
				next, d.OrgID, d.ID, d.Next)
			if err != nil || n == 0 {
				return err
			}
			return s.refresh(ctx, tx, d.OrgID, d.ID, false)
		})
		err = errors.Join(err, e)
	}
	return err
}

// Background refreshes what is due, until ctx ends.
func (s *Corpora) Background(ctx context.Context) {
	tick := time.NewTicker(dueEvery)
	defer tick.Stop()
	for {
		if err := s.RefreshDue(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.documents.Log.Warn("corpora that are due could not be refreshed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Refreshed is a page of the corpora with a refresh by schedule that the caller
// sees, and how many there are.
func (s *Corpora) Refreshed(ctx context.Context, sc authz.Scope, p api.Paging) ([]Refresh, int, error) {
	corpora, total, err := s.List(ctx, sc, p, Filter{Refreshed: true})
	if err != nil {
		return nil, 0, err
	}
	out, err := s.figures(ctx, sc.Org(), corpora)
	return out, total, err
}

// figures adds to corpora, which the caller may see, what was asked of their addresses.
func (s *Corpora) figures(ctx context.Context, orgID int64, corpora []Corpus) ([]Refresh, error) {
	out := make([]Refresh, len(corpora))
	at := map[int64]*Refresh{}
	ids := make([]int64, len(corpora))
	for i, c := range corpora {
		out[i].Corpus, ids[i], at[c.ID] = c, c.ID, &out[i]
	}
	type figure struct {
		CorpusID int64  `db:"corpus_id"`
		Result   string `db:"check_result"`
		N        int    `db:"n"`
	}
	marks, args := db.In(ids)
	args = append([]any{orgID}, args...)
	found, err := db.All[figure](ctx, s.db, `SELECT corpus_id, check_result, COUNT(*) AS n FROM document
		WHERE org_id = ? AND corpus_id IN (`+marks+`) AND content_type = 'weblink' AND is_deleted = FALSE GROUP BY corpus_id, check_result ORDER BY corpus_id, check_result`, args...)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		r := at[f.CorpusID]
		r.Addresses += f.N
		switch f.Result {
		case document.Changed:
			r.Changed = f.N
		case document.Unchanged:
			r.Unchanged = f.N
		case document.NotModified:
			r.NotModified = f.N
		case document.Removed:
			r.Removed = f.N
		case document.Failed:
			r.Failed = f.N
		}
	}
	sources, err := db.All[figure](ctx, s.db, `SELECT corpus_id, '' AS check_result, COUNT(*) AS n FROM source
		WHERE org_id = ? AND corpus_id IN (`+marks+`) AND is_deleted = FALSE GROUP BY corpus_id ORDER BY corpus_id`, args...)
	for _, f := range sources {
		at[f.CorpusID].Sources = f.N
	}
	return out, err
}
