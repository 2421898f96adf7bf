// Package corpus holds sets of documents: what they are called, how their
// documents are read, and who may see them. What is in a corpus is package
// document's business.
package corpus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/pii"
)

// The kinds of corpus.
const (
	Knowledge  = "document"   // what agents answer from
	Attachment = "attachment" // what a person gave along in a chat; the only kind a thread can have
)

// Mode is how carefully a corpus's documents are read.
type Mode struct {
	ID   int    `json:"id" enum:"1,2,3"`
	Mode string `json:"mode" enum:"exhaustive,standard,basic"`
}

// The indexing modes by their ids.
const (
	Exhaustive = 1
	Standard   = 2
	Basic      = 3
)

var modeNames = map[int]string{Exhaustive: "exhaustive", Standard: "standard", Basic: "basic"}

// Owner is the person a corpus belongs to.
type Owner struct {
	ID        int64  `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// Corpus is a set of documents, as the API shows it.
type Corpus struct {
	ID                int64              `json:"id"`
	Name              string             `json:"name"`
	Description       string             `json:"description"`
	Type              string             `json:"corpus_type" enum:"document,attachment"`
	Mode              Mode               `json:"indexing_mode"`
	Owner             Owner              `json:"owner"`
	Tags              []string           `json:"tags" nullable:"false"`
	DocumentCount     int                `json:"document_count"`
	RestrictToViewers bool               `json:"restrict_to_viewers" doc:"Whether agents quote it only to those who may see it themselves."`
	Redaction         document.Redaction `json:"pii_redaction" doc:"Personal data that is replaced when its documents are read."`
	RefreshEnabled    bool               `json:"refresh_enabled" doc:"Whether its addresses are looked at again by schedule."`
	RefreshSchedule   string             `json:"refresh_schedule" doc:"An interval such as 6h or 1d, or cron's five fields in UTC."`
	NextRefreshOn     *time.Time         `json:"next_refresh_on"`
	LastRefreshOn     *time.Time         `json:"last_refresh_on"`
	IsDeleted         bool               `json:"is_deleted"`
	CreatedBy         string             `json:"created_by"`
	CreatedOn         time.Time          `json:"created_on"`
	ModifiedBy        string             `json:"modified_by"`
	ModifiedOn        time.Time          `json:"modified_on"`
}

// Draft is a corpus to be made.
type Draft struct {
	Name              string                   `json:"name" minLength:"1" maxLength:"200" pattern:"\\S"`
	Description       string                   `json:"description,omitempty" maxLength:"2000"`
	ModeID            int                      `json:"indexing_mode_id,omitempty" enum:"1,2,3" doc:"1 exhaustive, 2 standard, 3 basic; 1 when not given, 3 for attachments."`
	Type              string                   `json:"corpus_type,omitempty" enum:"document,attachment" doc:"document when not given; only an attachment corpus can be linked to a chat thread."`
	RestrictToViewers bool                     `json:"restrict_to_viewers,omitempty" doc:"Whether agents quote it only to those who may see it themselves."`
	Redaction         *document.RedactionDraft `json:"pii_redaction,omitempty" doc:"Personal data to be replaced when its documents are read; none when not given."`
	Tags              []string                 `json:"tags,omitempty" nullable:"true" maxItems:"50"`
	OwnerID           int64                    `json:"-"` // the caller when 0
}

// Patch changes a corpus; nil fields stay.
type Patch struct {
	Name              *string                  `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"\\S"`
	Description       *string                  `json:"description,omitempty" nullable:"true" maxLength:"2000"`
	ModeID            *int                     `json:"indexing_mode_id,omitempty" nullable:"true" enum:"1,2,3" doc:"For documents read from now on; refresh the others."`
	RestrictToViewers *bool                    `json:"restrict_to_viewers,omitempty" nullable:"true"`
	Redaction         *document.RedactionDraft `json:"pii_redaction,omitempty" doc:"Personal data to be replaced. A change has the documents read again and needs the role Admin."`
	Tags              []string                 `json:"tags,omitempty" nullable:"true" maxItems:"50" doc:"Replaces the tags; an empty list removes them."`
	RefreshEnabled    *bool                    `json:"refresh_enabled,omitempty" nullable:"true" doc:"Whether its addresses are looked at again by schedule; daily when none is set."`
	RefreshSchedule   *string                  `json:"refresh_schedule,omitempty" nullable:"true" maxLength:"100" doc:"An interval such as 6h or 1d, or cron's five fields in UTC, as in 0 3 * * 1; at most every 15 minutes."`
}

// Filter narrows a list.
type Filter struct {
	Type      string // Knowledge when empty
	Refreshed bool   // only those with a refresh by schedule, of any type
}

// Options configure Corpora.
type Options struct {
	DB        *db.DB
	Documents *document.Documents
	MaxUpload int64 // bytes of one request; 256 MiB when 0
}

// Corpora is everything about corpora.
type Corpora struct {
	db        *db.DB
	documents *document.Documents
	blobs     blobs
	maxUpload int64
}

// New makes Corpora and registers the jobs that walk sources and refresh
// corpora; call it before the queue starts.
func New(o Options) *Corpora {
	if o.MaxUpload <= 0 {
		o.MaxUpload = 256 << 20
	}
	s := &Corpora{db: o.DB, documents: o.Documents, blobs: o.Documents.Blobs, maxUpload: o.MaxUpload}
	o.Documents.Jobs.Handle(walkKind, job.Handler{Workers: walkers, MaxAttempts: walkTries, Run: s.walk, Failed: s.walkFailed})
	o.Documents.Jobs.Handle(refreshKind, job.Handler{Run: s.refreshDocuments})
	return s
}

// row is a Corpus as the table and its neighbours hold it.
type row struct {
	ID                int64      `db:"id"`
	Name              string     `db:"name"`
	Description       string     `db:"description"`
	Type              string     `db:"corpus_type"`
	ModeID            int        `db:"indexing_mode_id"`
	OwnerID           int64      `db:"owner_id"`
	Email             string     `db:"email"`
	FirstName         string     `db:"first_name"`
	LastName          string     `db:"last_name"`
	Tags              []string   `db:"tags,json"`
	DocumentCount     int        `db:"document_count"`
	RestrictToViewers bool       `db:"restrict_to_viewers"`
	Redaction         string     `db:"pii_redaction"`
	RefreshEnabled    bool       `db:"refresh_enabled"`
	RefreshSchedule   string     `db:"refresh_schedule"`
	NextRefreshOn     *time.Time `db:"next_refresh_on"`
	LastRefreshOn     *time.Time `db:"last_refresh_on"`
	IsDeleted         bool       `db:"is_deleted"`
	CreatedBy         string     `db:"created_by"`
	CreatedOn         time.Time  `db:"created_on"`
	ModifiedBy        string     `db:"modified_by"`
	ModifiedOn        time.Time  `db:"modified_on"`
	May               bool       `db:"may"`
}

func (r row) corpus() Corpus {
	redaction, err := document.StoredRedaction(r.Redaction)
	if err != nil {
		redaction = document.Redaction{Types: []pii.Type{}, KeepOriginal: true}
	}
	return Corpus{
		ID: r.ID, Name: r.Name, Description: r.Description, Type: r.Type, Mode: Mode{r.ModeID, modeNames[r.ModeID]},
		Owner: Owner{r.OwnerID, r.Email, r.FirstName, r.LastName}, Tags: r.Tags, DocumentCount: r.DocumentCount,
		RestrictToViewers: r.RestrictToViewers, Redaction: redaction, IsDeleted: r.IsDeleted,
		RefreshEnabled: r.RefreshEnabled, RefreshSchedule: r.RefreshSchedule, NextRefreshOn: r.NextRefreshOn, LastRefreshOn: r.LastRefreshOn,
		CreatedBy: r.CreatedBy, CreatedOn: r.CreatedOn, ModifiedBy: r.ModifiedBy, ModifiedOn: r.ModifiedOn,
	}
}

const columns = `c.id, c.name, c.description, c.corpus_type, c.indexing_mode_id, c.owner_id, u.email, u.first_name, u.last_name, c.tags,
	(SELECT COUNT(*) FROM document d WHERE d.corpus_id = c.id AND d.is_deleted = FALSE) AS document_count,
	c.restrict_to_viewers, c.pii_redaction, c.refresh_enabled, c.refresh_schedule, c.next_refresh_on, c.last_refresh_on, c.is_deleted, c.created_by, c.created_on, c.modified_by, c.modified_on`

const (
	tables = `corpus c JOIN users u ON u.id = c.owner_id`
	from   = ` FROM ` + tables + ` WHERE c.is_deleted = FALSE AND `
)

// Visible is a corpus that the caller sees and may do the action on: 404 when
// unknown or not visible, 403 when visible but not allowed.
func (s *Corpora) Visible(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) (Corpus, error) {
	see, seeArgs := sc.Where(authz.View, authz.Corpus, "c")
	may, mayArgs := sc.Where(a, authz.Corpus, "c")
	r, err := db.One[row](ctx, q, `SELECT `+columns+`, CASE WHEN `+may+` THEN TRUE ELSE FALSE END AS may`+from+`c.id = ? AND `+see,
		slices.Concat(mayArgs, []any{id}, seeArgs)...)
	if errors.Is(err, db.ErrNone) || err == nil && !r.May {
		if err := document.MayOn(ctx, q, sc, id, a); err != nil {
			return Corpus{}, err
		}
		return s.Visible(ctx, q, sc, id, a) // granted just now
	}
	if err != nil {
		return Corpus{}, err
	}
	return r.corpus(), nil
}

// Get is a corpus that the caller sees.
func (s *Corpora) Get(ctx context.Context, sc authz.Scope, id int64) (Corpus, error) {
	return s.Visible(ctx, s.db, sc, id, authz.View)
}

var sortable = map[string]string{"created_on": "c.created_on", "modified_on": "c.modified_on", "name": "c.name", "id": "c.id"}

// List is a page of the corpora that the caller sees, and how many there are.
func (s *Corpora) List(ctx context.Context, sc authz.Scope, p api.Paging, f Filter) ([]Corpus, int, error) {
	where, args := sc.Among(authz.View, authz.Corpus, "c")
	if f.Type == "" {
		f.Type = Knowledge
	}
	if f.Refreshed {
		where += ` AND c.refresh_enabled`
	} else {
		where, args = where+` AND c.corpus_type = ?`, append(args, f.Type)
	}
	return api.Page(ctx, s.db, p, api.Listing{
		Columns: columns, Tables: tables, Where: `c.is_deleted = FALSE AND ` + where, Args: args,
		Search: []string{"c.name", "c.description"}, Order: sortable, ID: "c.id",
	}, row.corpus)
}

// Create makes a corpus within a transaction, such as that of its agent.
func (s *Corpora) Create(ctx context.Context, tx *db.Tx, sc authz.Scope, d Draft) (Corpus, error) {
	tags, err := document.CleanTags(d.Tags)
	if err != nil {
		return Corpus{}, err
	}
	name, err := cleanName(d.Name)
	if err != nil {
		return Corpus{}, err
	}
	if d.Type == "" {
		d.Type = Knowledge
	}
	if d.ModeID == 0 {
		d.ModeID = Exhaustive
		if d.Type == Attachment {
			d.ModeID = Basic
		}
	}
	if d.Type != Knowledge && d.Type != Attachment {
		return Corpus{}, fail.InvalidField("corpus_type", "corpus_type: %q is not one of document, attachment", d.Type)
	}
	if modeNames[d.ModeID] == "" {
		return Corpus{}, fail.InvalidField("indexing_mode_id", "indexing_mode_id: %d is not one of 1, 2, 3", d.ModeID)
	}
	redaction := document.Redaction{}
	if d.Redaction != nil {
		if redaction, err = d.Redaction.Redaction(); err != nil {
			return Corpus{}, err
		}
	}
	if d.OwnerID == 0 {
		d.OwnerID = sc.User()
	}
	now := time.Now()
	id, err := db.One[int64](ctx, tx, `INSERT INTO corpus (org_id, owner_id, name, description, corpus_type, indexing_mode_id, restrict_to_viewers, pii_redaction, tags, index_seq,
			is_deleted, created_by, created_on, modified_by, modified_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, FALSE, ?, ?, ?, ?) RETURNING id`,
		sc.Org(), d.OwnerID, name, d.Description, d.Type, d.ModeID, d.RestrictToViewers, redaction.Stored(), db.JSON(tags), sc.Email(), now, sc.Email(), now)
	if err != nil {
		return Corpus{}, err
	}
	r, err := db.One[row](ctx, tx, `SELECT `+columns+from+`c.org_id = ? AND c.id = ?`, sc.Org(), id)
	return r.corpus(), err
}

func cleanName(s string) (string, error) {
	s = strings.Trim(s, " \t\r\n\f\v")
	if s == "" {
		return "", fail.InvalidField("name", "name: give it a name")
	}
	if r := []rune(s); utf8.RuneCountInString(s) > 200 {
		s = string(r[:200])
	}
	return s, nil
}

// Make is Create in a transaction of its own.
func (s *Corpora) Make(ctx context.Context, sc authz.Scope, d Draft) (c Corpus, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err = s.Create(ctx, tx, sc, d)
		audit.About(ctx, c.ID)
		return err
	})
	return c, err
}

// Update changes the fields that are set.
func (s *Corpora) Update(ctx context.Context, sc authz.Scope, id int64, p Patch) (c Corpus, err error) {
	var set []string
	var args []any
	put := func(column string, v any) { set, args = append(set, column+" = ?"), append(args, v) }
	if p.Name != nil {
		name, err := cleanName(*p.Name)
		if err != nil {
			return Corpus{}, err
		}
		put("name", name)
	}
	if p.Description != nil {
		put("description", *p.Description)
	}
	if p.ModeID != nil {
		put("indexing_mode_id", *p.ModeID)
	}
	if p.RestrictToViewers != nil {
		put("restrict_to_viewers", *p.RestrictToViewers)
	}
	var redaction document.Redaction
	if p.Redaction != nil {
		if redaction, err = p.Redaction.Redaction(); err != nil {
			return Corpus{}, err
		}
		put("pii_redaction", redaction.Stored())
	}
	if p.Tags != nil {
		tags, err := document.CleanTags(p.Tags)
		if err != nil {
			return Corpus{}, err
		}
		put("tags", db.JSON(tags))
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if c, err = s.Visible(ctx, tx, sc, id, authz.Edit); err != nil {
			return err
		}
		set, args := slices.Clone(set), slices.Clone(args)
		if err := schedule(c, p, func(column string, v any) { set, args = append(set, column+" = ?"), append(args, v) }); err != nil || len(set) == 0 {
			return err
		}
		redacts := p.Redaction != nil && redaction.Stored() != c.Redaction.Stored()
		if p.RestrictToViewers != nil && *p.RestrictToViewers != c.RestrictToViewers || redacts { // what is quoted, or to whom, changes
			if err := document.MayOn(ctx, tx, sc, id, authz.Manage); err != nil {
				return err
			}
		}
		if _, err := db.Exec(ctx, tx, `UPDATE corpus SET `+strings.Join(set, ", ")+`, modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ?`,
			slices.Concat(args, []any{sc.Email(), time.Now(), sc.Org(), id})...); err != nil {
			return err
		}
		if redacts {
			if err := s.documents.Reread(ctx, tx, sc.Org(), id); err != nil {
				return err
			}
		}
		c, err = s.Visible(ctx, tx, sc, id, authz.View)
		return err
	})
	return c, err
}

// Tag changes a corpus's tags.
func (s *Corpora) Tag(ctx context.Context, sc authz.Scope, id int64, t document.Tagging) (c Corpus, err error) {
	if t, err = t.Check(); err != nil {
		return Corpus{}, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := document.MayOn(ctx, tx, sc, id, authz.Edit); err != nil {
			return err
		}
		if err := document.Retag(ctx, tx, sc, "corpus", id, t); err != nil {
			return err
		}
		c, err = s.Visible(ctx, tx, sc, id, authz.View)
		return err
	})
	return c, err
}

// Delete removes a corpus with its documents and its connections. The default
// corpus of an agent stays as long as the agent does.
func (s *Corpora) Delete(ctx context.Context, sc authz.Scope, id int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := document.MayOn(ctx, tx, sc, id, authz.Delete); err != nil {
			return err
		}
		user, err := db.All[string](ctx, tx, `SELECT a.name FROM agent_corpus ac JOIN agent a ON a.id = ac.agent_id AND a.org_id = ac.org_id
			WHERE ac.org_id = ? AND ac.corpus_id = ? AND ac.is_default = TRUE AND a.is_deleted = FALSE ORDER BY a.id LIMIT 1`, sc.Org(), id)
		if err != nil {
			return err
		}
		if len(user) > 0 {
			return fail.Conflict("this is the default corpus of the agent %s; delete the agent first, or delete the documents you no longer want", user[0])
		}
		if err := s.documents.RemoveCorpus(ctx, tx, sc, id); err != nil {
			return err
		}
		if err := s.dropSources(ctx, tx, sc, id); err != nil {
			return err
		}
		for _, q := range []string{
			`DELETE FROM agent_corpus WHERE org_id = ? AND corpus_id = ?`,
			`UPDATE chat_thread SET corpus_id = NULL WHERE org_id = ? AND corpus_id = ?`,
		} {
			if _, err := db.Exec(ctx, tx, q, sc.Org(), id); err != nil {
				return err
			}
		}
		_, err = db.Exec(ctx, tx, `UPDATE corpus SET is_deleted = TRUE, modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ?`, sc.Email(), time.Now(), sc.Org(), id)
		return err
	})
}
