package thread

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
)

// Attachments is the link of a thread to its corpus of attachments.
type Attachments struct {
	ThreadID int64         `json:"chat_thread_id"`
	Corpus   corpus.Corpus `json:"corpus"`
}

// Linked is the corpus of attachments of a thread, 404 when none is linked.
// When corpusID is not 0 it must be that one.
func (s *Threads) Linked(ctx context.Context, sc authz.Scope, id, corpusID int64) (Attachments, error) {
	o, err := opened(ctx, s.db, sc, id)
	if err != nil {
		return Attachments{}, err
	}
	if o.CorpusID == nil || corpusID != 0 && *o.CorpusID != corpusID {
		return Attachments{}, notLinked(id)
	}
	c, err := s.corpora.Visible(ctx, s.db, sc, *o.CorpusID, authz.View)
	if fail.Is(err, fail.CodeNotFound) {
		return Attachments{}, notLinked(id) // deleted, or taken from the caller
	}
	return Attachments{ThreadID: id, Corpus: c}, err
}

// Link gives a thread its corpus of attachments, in place of one it had.
func (s *Threads) Link(ctx context.Context, sc authz.Scope, id, corpusID int64) (Attachments, error) {
	var c corpus.Corpus
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		o, err := opened(ctx, tx, sc, id)
		if err != nil {
			return err
		}
		if c, err = s.corpora.Visible(ctx, tx, sc, corpusID, authz.Edit); err != nil {
			return err
		}
		if c.Type != corpus.Attachment {
			return fail.Conflict("corpus %d is of the type %s; only a corpus of the type attachment can be linked to a chat thread", corpusID, c.Type)
		}
		return link(ctx, tx, sc, o.ID, &corpusID)
	})
	return Attachments{ThreadID: id, Corpus: c}, err
}

// Unlink takes the corpus of attachments from a thread; the corpus stays. When
// corpusID is not 0 it must be that one.
func (s *Threads) Unlink(ctx context.Context, sc authz.Scope, id, corpusID int64) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		o, err := opened(ctx, tx, sc, id)
		if err != nil {
			return err
		}
		if o.CorpusID == nil || corpusID != 0 && *o.CorpusID != corpusID {
			return notLinked(id)
		}
		return link(ctx, tx, sc, o.ID, nil)
	})
}

// Documents are those attached to a thread; none when no corpus is linked.
func (s *Threads) Documents(ctx context.Context, sc authz.Scope, id int64, p api.Paging) ([]document.Document, int, error) {
	o, err := opened(ctx, s.db, sc, id)
	if err != nil || o.CorpusID == nil {
		return nil, 0, err
	}
	docs, total, err := s.documents.List(ctx, sc, *o.CorpusID, p, document.Filter{})
	if fail.Is(err, fail.CodeNotFound) {
		return nil, 0, nil
	}
	return docs, total, err
}

func notLinked(id int64) error {
	return fail.NotFound("chat thread %d has no such corpus linked; link one of the type attachment first", id)
}
