package pgvector

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"atrium/internal/db"
	"atrium/internal/retrieval"
)

// Key names a corpus's vectors of one embedder.
type Key struct {
	OrgID    int64  `db:"org_id"`
	CorpusID int64  `db:"corpus_id"`
	Embedder string `db:"embedder"`
}

// Cursor is a place in a corpus's feed of changes.
type Cursor struct {
	Seq        int64 `db:"cursor_seq"`
	DocumentID int64 `db:"cursor_document"`
}

// Change is a document that changed, as it is now.
type Change struct {
	Seq        int64
	DocumentID int64
	Encoded    []byte // what retrieval.Encode made; nil when the document is gone
}

// Feed reads a corpus's changes behind a cursor, at most so many, ordered by their
// numbers and documents. A document that changes again gets a higher number. With
// these all changes up to upTo are in: 0 when there are more, End when there are not.
// A feed stops before a document that has no vectors of the embedder yet, because what
// is passed once is not looked at again.
type Feed func(ctx context.Context, tx *db.Tx, after Cursor, limit int) (changes []Change, upTo int64, err error)

// End is a Feed's answer when there are no more changes.
const End = math.MaxInt64

// ErrBehind says that a feed stopped before the number that was asked for.
var ErrBehind = errors.New("pgvector: a document has no vectors of the embedder yet")

const (
	feedBatch = 32  // documents in a transaction
	rowBatch  = 128 // vectors in a statement
)

// forgotten is the number of a corpus whose rows have to go before it is begun anew.
const forgotten = -1

// state is how far a corpus is.
type state struct {
	Seq int64 `db:"seq"`
	Cursor
}

// CatchUp brings a corpus's vectors to a change number at least, or answers ErrBehind.
// Those who ask in one process wait for one another, those in several for a row of the
// database.
func (s *Store) CatchUp(ctx context.Context, k Key, seq int64, feed Feed) error {
	ctx = db.WithOrg(ctx, k.OrgID)
	if done, err := s.upTo(ctx, k, seq); done || err != nil {
		return err
	}
	lock := s.lock(k)
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-lock }()
	for {
		if done, err := s.upTo(ctx, k, seq); done || err != nil {
			return err
		}
		if err := s.step(ctx, k, seq, feed); err != nil {
			return err
		}
	}
}

func (s *Store) lock(k Key) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[k] == nil {
		s.locks[k] = make(chan struct{}, 1)
	}
	return s.locks[k]
}

func (s *Store) upTo(ctx context.Context, k Key, seq int64) (bool, error) {
	if seq <= 0 {
		return true, nil
	}
	s.mu.Lock()
	done := s.done[k] >= seq
	s.mu.Unlock()
	if done {
		return true, nil
	}
	at, err := db.One[int64](ctx, s.DB, `SELECT seq FROM vector_index WHERE org_id = ? AND corpus_id = ? AND embedder = ?`, k.OrgID, k.CorpusID, k.Embedder)
	if errors.Is(err, db.ErrNone) {
		return false, nil
	}
	if err == nil && at >= seq {
		s.mu.Lock()
		s.done[k] = max(at, s.done[k])
		s.mu.Unlock()
	}
	return at >= seq, err
}

// step takes in some changes, in one transaction.
func (s *Store) step(ctx context.Context, k Key, seq int64, feed Feed) error {
	return s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `INSERT INTO vector_index (org_id, corpus_id, embedder, seq, cursor_seq, cursor_document) VALUES (?, ?, ?, 0, 0, 0)
			ON CONFLICT (org_id, corpus_id, embedder) DO NOTHING`, k.OrgID, k.CorpusID, k.Embedder); err != nil {
			return err
		}
		now, err := s.state(ctx, tx, k)
		if err != nil || now.Seq >= seq {
			return err
		}
		if now.Seq == forgotten {
			more, err := s.clear(ctx, tx, k)
			if err != nil || more {
				return err
			}
			now.Seq = 0
		}
		changes, upTo, err := feed(ctx, tx, now.Cursor, feedBatch)
		if err != nil {
			return err
		}
		if err := s.take(ctx, tx, k, changes); err != nil {
			return err
		}
		if n := len(changes); n > 0 {
			now.Cursor = Cursor{changes[n-1].Seq, changes[n-1].DocumentID}
		}
		if upTo == End {
			upTo = max(seq, now.Cursor.Seq)
		}
		if len(changes) == 0 && upTo < seq {
			return ErrBehind
		}
		now.Seq = max(now.Seq, upTo)
		_, err = db.Exec(ctx, tx, `UPDATE vector_index SET seq = ?, cursor_seq = ?, cursor_document = ? WHERE org_id = ? AND corpus_id = ? AND embedder = ?`,
			now.Seq, now.Cursor.Seq, now.Cursor.DocumentID, k.OrgID, k.CorpusID, k.Embedder)
		return err
	})
}

// state is that of a corpus, held until the transaction ends; that of one that is not
// there is zero.
func (s *Store) state(ctx context.Context, tx *db.Tx, k Key) (state, error) {
	now, err := db.One[state](ctx, tx, `SELECT seq, cursor_seq, cursor_document FROM vector_index WHERE org_id = ? AND corpus_id = ? AND embedder = ? FOR UPDATE`, k.OrgID, k.CorpusID, k.Embedder)
	if errors.Is(err, db.ErrNone) {
		return state{}, nil
	}
	return now, err
}

type row struct {
	document, piece, space int64
	v                      []int64
}

// take puts the vectors of documents in the place of those there were.
func (s *Store) take(ctx context.Context, tx *db.Tx, k Key, changes []Change) error {
	var rows []row
	documents := make([]int64, len(changes))
	tallies := map[int64]*tally{}
	for i, c := range changes {
		documents[i] = c.DocumentID
		if len(c.Encoded) == 0 {
			continue
		}
		var failed error
		err := retrieval.EachVector(c.Encoded, func(piece int64, vector []float32) {
			v := halves(vector)
			if v == nil || failed != nil {
				return
			}
			r := row{document: c.DocumentID, piece: piece, v: v}
			if r.space, failed = s.makeSpace(ctx, tx, space{k.Embedder, len(v)}); failed == nil {
				rows = append(rows, r)
			}
		})
		if failed != nil {
			return failed
		}
		if err != nil {
			// One unreadable document must not hide the others.
			s.Log.Error("a document cannot be searched by meaning until it is refreshed", "document", c.DocumentID, "error", err)
		}
	}
	if err := s.remove(ctx, tx, k, documents, tallies); err != nil {
		return err
	}
	for part := range slices.Chunk(rows, rowBatch) {
		args := make([]any, 0, 6*len(part))
		for _, r := range part {
			args = append(args, k.OrgID, k.CorpusID, r.document, r.piece, r.space, text(r.v))
			sum(tallies, r.space).add(r.v, 1)
		}
		const marks = `(?, ?, ?, ?, ?, CAST(CAST(? AS TEXT) AS halfvec))`
		if _, err := db.Exec(ctx, tx, `INSERT INTO piece_vector (org_id, corpus_id, document_id, piece_id, space_id, v) VALUES `+strings.Repeat(marks+", ", len(part)-1)+marks, args...); err != nil {
			return err
		}
	}
	return s.count(ctx, tx, k, tallies)
}

func sum(tallies map[int64]*tally, space int64) *tally {
	if tallies[space] == nil {
		tallies[space] = &tally{}
	}
	return tallies[space]
}

// remove takes documents' vectors away, and out of the tallies.
func (s *Store) remove(ctx context.Context, tx *db.Tx, k Key, documents []int64, tallies map[int64]*tally) error {
	if len(documents) == 0 {
		return nil
	}
	// A list, by which the planner finds the rows though it has no figures of the table yet.
	marks, in := db.In(documents)
	gone, err := db.All[struct {
		Space int64  `db:"space_id"`
		V     []byte `db:"v"`
	}](ctx, tx, `DELETE FROM piece_vector WHERE org_id = ? AND corpus_id = ? AND document_id IN (`+marks+`) AND space_id IN (SELECT id FROM vector_space WHERE embedder = ?)
		RETURNING space_id, halfvec_send(v) AS v`, slices.Concat([]any{k.OrgID, k.CorpusID}, in, []any{k.Embedder})...)
	for _, g := range gone {
		sum(tallies, g.Space).add(sent(g.V), -1)
	}
	return err
}

// count brings the corpus's sums up to date.
func (s *Store) count(ctx context.Context, tx *db.Tx, k Key, tallies map[int64]*tally) error {
	for _, id := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[id]
		was, err := db.One[struct {
			Pieces int64  `db:"pieces"`
			Total  []byte `db:"total"`
		}](ctx, tx, `SELECT pieces, total FROM vector_sum WHERE org_id = ? AND corpus_id = ? AND space_id = ?`, k.OrgID, k.CorpusID, id)
		if err != nil && !errors.Is(err, db.ErrNone) {
			return err
		}
		t.add(totalOf(was.Total), 1)
		t.pieces += was.Pieces - 1
		if _, err := db.Exec(ctx, tx, `INSERT INTO vector_sum (org_id, corpus_id, space_id, pieces, total) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (org_id, corpus_id, space_id) DO UPDATE SET pieces = excluded.pieces, total = excluded.total`, k.OrgID, k.CorpusID, id, t.pieces, t.bytes()); err != nil {
			return err
		}
	}
	return nil
}
