package document

import (
	"context"
	"errors"
	"time"

	"atrium/internal/db"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/job"
)

// The codes of a failure beside those of extract.Reason.
const (
	codeNotFound    = "not_found"   // the address has no document
	codeRefused     = "refused"     // the address may not be fetched
	codeUnreachable = "unreachable" // the address's server fails
	codeEmbedder    = "embedder"    // the embedder fails
	codeInternal    = "internal"    // ours
	codeCancelled   = "interrupted" // stopped from outside
)

// embedError is a failure of the embedder.
type embedError struct{ err error }

func (e *embedError) Error() string { return "embedding: " + e.err.Error() }
func (e *embedError) Unwrap() error { return e.err }

// fetchError is a failure to get an address.
type fetchError struct{ err error }

func (e *fetchError) Error() string { return "fetching: " + e.err.Error() }
func (e *fetchError) Unwrap() error { return e.err }

// stopError is why a reading ended early, and where.
type stopError struct {
	step, code, reason string
	err                error
}

func (e *stopError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// stopped explains an error of a reading. What may pass by itself is tried
// again; the rest is final.
func (p *progress) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	p.mu.Lock()
	step := p.last
	p.mu.Unlock()
	e := &stopError{step: step, err: err}
	var again bool
	var unreadable *extract.Error
	var fetching *fetchError
	var embedding *embedError
	switch {
	case errors.As(err, &unreadable):
		e.code, e.reason = string(unreadable.Reason), unreadable.Message
		again = unreadable.Reason == extract.WorkerFailed // perhaps the machine's fault, not the file's
	case errors.As(err, &fetching):
		known := fail.As(fetching.err)
		e.reason, again = known.Message, transient(known.Code)
		switch known.Code {
		case fail.CodeNotFound:
			e.code = codeNotFound
		case fail.CodeInvalid:
			e.code = codeRefused
		case fail.CodeTooLarge:
			e.code = string(extract.TooLarge)
		default:
			e.code = codeUnreachable
		}
	case errors.As(err, &embedding):
		known := fail.As(embedding.err)
		e.code, again = codeEmbedder, transient(known.Code)
		e.reason = "the embedder failed: " + known.Message + "; when it works again, retry"
	default:
		e.code, again = codeInternal, true
		e.reason = "something went wrong on the server while it was read; retry, and tell your administrator if it stays"
	}
	if again {
		return e
	}
	return job.Permanent(e)
}

// failed stores how a reading ended for good, in the transaction that ends its job.
func (s *Documents) failed(ctx context.Context, tx *db.Tx, j *job.Job, cause error) error {
	var t task
	if err := j.Decode(&t); err != nil {
		return err
	}
	e := &stopError{code: codeInternal, reason: "reading was broken off again and again; retry, and tell your administrator if it stays"}
	var stop *stopError
	switch {
	case errors.As(cause, &stop):
		e = stop
	case errors.Is(cause, context.DeadlineExceeded):
		e.code, e.reason = string(extract.TimedOut), "reading took too long; split the file or save it in a simpler format"
	case errors.Is(cause, job.ErrCancelled):
		e.code, e.reason = codeCancelled, "reading was stopped; retry to read it"
	}
	_, err := db.Exec(ctx, tx, `UPDATE document SET is_failed = TRUE, step = CASE WHEN ? = '' THEN step ELSE ? END, failure_code = ?, failure_reason = ?,
		checked_on = CASE WHEN content_type = 'weblink' THEN `+tx.Pick(`?`, `?::bigint`)+` ELSE checked_on END, check_result = CASE WHEN content_type = 'weblink' THEN 'failed' ELSE check_result END
		WHERE org_id = ? AND id = ? AND revision = ? AND is_deleted = FALSE AND step <> 'completed'`,
		e.step, e.step, e.code, e.reason, time.Now(), j.OrgID, t.DocumentID, t.Revision)
	return err
}
