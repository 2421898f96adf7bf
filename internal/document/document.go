// Package document holds documents: how one comes in, is read and cut in the
// background, is found by a question, and is shown at the place that was cited.
//
// A document belongs to a corpus. What it says lives in versions: reading new
// bytes makes a new one, and the old ones stay, because answers cite them.
// Every reading is a job that ends with the document completed or failed with a
// reason. Changes a searcher must see count up the corpus's index_seq, by which
// the indexes in memory, and the vectors where they lie in the database, are brought
// up to date before each search.
//
// Rows that are locked together are locked in the order corpus, document.
package document

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/db"
	"atrium/internal/egress"
	"atrium/internal/embed"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/job"
	"atrium/internal/pii"
	"atrium/internal/rerank"
	"atrium/internal/retrieval/pgvector"
	"atrium/internal/source/web"
)

// What a document is made of.
const (
	File    = "file"
	Weblink = "weblink"
	Text    = "text"
)

// What an address is read as.
const (
	Page    = "page"
	YouTube = "youtube"
)

// What came of asking an address again.
const (
	Changed     = "changed"
	Unchanged   = "unchanged"    // the same text came
	NotModified = "not_modified" // nothing came
	Removed     = "removed"
	Failed      = "failed"
)

// The steps of a document's reading.
const (
	Pending    = "pending"
	Extracting = "extracting"
	Chunking   = "chunking"
	Embedding  = "embedding"
	Completed  = "completed"
)

// Document is one source of a corpus, as the API shows it.
type Document struct {
	ID            int64      `json:"id" db:"id"`
	CorpusID      int64      `json:"corpus_id" db:"corpus_id"`
	Name          string     `json:"name" db:"name"`
	ContentType   string     `json:"content_type" db:"content_type" enum:"file,weblink,text"`
	Source        string     `json:"source" db:"source" doc:"The file's name, the address, or the beginning of the text."`
	AccessURL     string     `json:"access_url" db:"-" doc:"Where the newest version that was read can be downloaded; the document itself before that."`
	MediaType     string     `json:"media_type" db:"media_type" doc:"As found in the content; what the sender said until it was read."`
	Size          int64      `json:"size" db:"size" doc:"Bytes."`
	Step          string     `json:"step" db:"step" enum:"pending,extracting,chunking,embedding,completed" doc:"How far its reading is; where it stopped when is_failed."`
	IsFailed      bool       `json:"is_failed" db:"is_failed"`
	FailureCode   string     `json:"failure_code" db:"failure_code" doc:"A stable name of the reason; empty unless is_failed."`
	FailureReason string     `json:"failure_reason" db:"failure_reason" doc:"What is wrong and what to do; empty unless is_failed."`
	Warnings      []string   `json:"warnings" db:"warnings,json" nullable:"false" doc:"What could not be read of it."`
	Version       int        `json:"version" db:"version" doc:"Number of the version that answers use; 0 before the first was read."`
	Pieces        int        `json:"pieces" db:"pieces" doc:"Passages it was cut into."`
	Pages         int        `json:"pages" db:"pages" doc:"0 when the format has none."`
	Tags          []string   `json:"tags" db:"tags,json" nullable:"false"`
	Redactions    pii.Counts `json:"redactions" db:"redactions,json" nullable:"false" doc:"How much personal data was replaced in the newest version, by type."`
	IsAttachment  bool       `json:"is_attachment" db:"is_attachment"`
	SourceID      *int64     `json:"source_id" db:"source_id" doc:"The source that it was found by; null when somebody added it."`
	WeblinkType   string     `json:"weblink_type" db:"weblink_type" enum:",page,youtube" doc:"What a weblink is read as; empty for files and texts."`
	IsRemoved     bool       `json:"is_removed_at_source" db:"is_removed_at_source" doc:"Whether its address no longer has it; answers use it as it was last read."`
	CheckedOn     *time.Time `json:"checked_on" db:"checked_on" doc:"When its address was last asked; null for files and texts."`
	CheckResult   string     `json:"check_result" db:"check_result" enum:",changed,unchanged,not_modified,removed,failed" doc:"What came of that: not_modified when nothing had to be transferred."`
	IsDeleted     bool       `json:"is_deleted" db:"is_deleted"`
	CreatedBy     string     `json:"created_by" db:"created_by"`
	CreatedOn     time.Time  `json:"created_on" db:"created_on"`
	ModifiedBy    string     `json:"modified_by" db:"modified_by"`
	ModifiedOn    time.Time  `json:"modified_on" db:"modified_on"`

	VersionID int64 `json:"-" db:"version_id"`
}

// Extractor reads a file into text; extract.Pool does. A file that cannot be
// read is an *extract.Error.
type Extractor interface {
	Extract(ctx context.Context, r extract.Request) (extract.Document, error)
}

// Options configure Documents.
type Options struct {
	DB      *db.DB
	Blobs   blob.Store
	Jobs    *job.Queue
	Extract Extractor
	Fetch   *egress.Guard
	Web     *web.Web        // made over Fetch when nil
	Embed   embed.Embedder  // nil: search is lexical only
	Rerank  rerank.Reranker // nil: the order of a search is its own
	// RerankWait is how long its scores are waited for; 3 seconds when 0.
	RerankWait time.Duration
	// Former opens the embedder that was configured before, by its name; nil when
	// it cannot be had any more.
	Former    func(name string) embed.Embedder
	Draft     Drafter         // nil: conversation starters are drafted without a model
	PublicURL string          // without a slash at the end
	MaxBytes  int64           // of one file; 256 MiB when 0
	Vectors   *pgvector.Store // where the vectors lie; nil: in the indexes in memory
	// IndexBytes bounds the indexes kept in memory; 256 MiB when 0.
	IndexBytes int64
	Dir        string // where large indexes keep a part of theirs; empty: in memory too
	Workers    int    // documents read at once; by the number of processors when 0
	Log        *slog.Logger
}

const (
	// MaxText is the most bytes of a pasted text.
	MaxText = 16 << 20

	jobKind     = "index_document"
	maxAttempts = 4
)

// Documents is everything about documents.
type Documents struct {
	Options

	fetch   fetcher
	indexes *indexes
	texts   *lru[int64, *versionText]
	ids     pieceIDs
	storing storing

	opening sync.Mutex
	former  map[string]embed.Embedder // as far as was asked for

	reranked, rerankFailed atomic.Int64 // searches
	respite                respite      // from the reranker
}

// fetcher gets an address; egress.Guard does.
type fetcher interface {
	Fetch(ctx context.Context, address string, c egress.Conditions, l egress.Limits) (egress.Response, error)
}

// New makes Documents and registers the job that reads them; call it before the
// queue starts.
func New(o Options) *Documents {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	if o.IndexBytes <= 0 {
		o.IndexBytes = 256 << 20
	}
	if o.Workers <= 0 {
		o.Workers = max(16, 2*runtime.NumCPU())
	}
	if o.RerankWait <= 0 {
		o.RerankWait = rerankWait
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Web == nil {
		o.Web = web.New(web.Options{Guard: o.Fetch, MaxBytes: o.MaxBytes})
	}
	s := &Documents{Options: o, fetch: o.Fetch, texts: newLRU[int64, *versionText](32 << 20), former: map[string]embed.Embedder{}, storing: storing{orgs: map[int64][]*ending{}}}
	s.indexes = newIndexes(s)
	s.ids.db = o.DB
	o.Jobs.Handle(jobKind, job.Handler{
		Workers: o.Workers, Yields: true, Timeout: 30 * time.Minute, MaxAttempts: maxAttempts,
		Run: s.index, Failed: s.failed,
	})
	o.Jobs.Handle(reembedKind, job.Handler{Timeout: time.Hour, Run: s.reembed, Failed: s.reembedFailed})
	o.Jobs.Handle(rereadKind, job.Handler{Run: s.rereadCorpus})
	if o.Draft != nil {
		o.Jobs.Handle(starterKind, job.Handler{Timeout: 2 * time.Minute, MaxAttempts: starterTries, Run: s.draftByModel, Failed: s.undrafted})
	}
	return s
}

// unknown is the answer for every id that is not there for the caller.
func unknown(id int64) error {
	return fail.NotFound("document %d is unknown or not visible to you; check the id", id)
}

// MayOn tells whether the caller may do the action on a corpus: 404 when they
// do not see it, 403 when they may not.
func MayOn(ctx context.Context, q db.Querier, sc authz.Scope, id int64, a authz.Action) error {
	see, seeArgs := sc.Where(authz.View, authz.Corpus, "c")
	may, mayArgs := sc.Where(a, authz.Corpus, "c")
	c, err := one[struct {
		Owner string `db:"email"`
		May   bool   `db:"may"`
	}](ctx, q, `SELECT u.email, CASE WHEN `+may+` THEN TRUE ELSE FALSE END AS may FROM corpus c JOIN users u ON u.id = c.owner_id WHERE c.id = ? AND c.is_deleted = FALSE AND `+see,
		fail.NotFound("corpus %d is unknown or not visible to you; check the id", id), slices.Concat(mayArgs, []any{id}, seeArgs)...)
	if err != nil || c.May {
		return err
	}
	role := "Editor"
	if a == authz.Delete || a == authz.Manage {
		role = "Admin"
	}
	return fail.Forbidden("you may see corpus %d but not %s it; ask its owner %s for the role %s", id, a, c.Owner, role)
}

// transient tells whether a failure may pass by itself.
func transient(code fail.Code) bool {
	switch code.Status() {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return true
	}
	return false
}
