package pgvector

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"atrium/internal/db"
	"atrium/internal/retrieval"
)

// View is what a search sees: the vectors of an embedder in corpora of one
// organization.
type View struct {
	OrgID    int64
	Corpora  []int64
	Embedder string
}

// View gives the vectors of a search. They are those that CatchUp has brought in.
func (s *Store) View(v View) retrieval.Vectors { return &view{s, v} }

type view struct {
	s *Store
	View
}

// array is a list as PostgreSQL reads one.
func array(ids []int64) string {
	out := []byte{'{'}
	for i, id := range ids {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, id, 10)
	}
	return string(append(out, '}'))
}

// where are the rows that the search may see at all.
func (v *view) where(space int64) (string, []any) {
	marks, args := db.In(v.Corpora)
	return `org_id = ? AND corpus_id IN (` + marks + `) AND space_id = ` + strconv.FormatInt(space, 10), append([]any{v.OrgID}, args...)
}

type found struct {
	PieceID    int64   `db:"piece_id"`
	DocumentID int64   `db:"document_id"`
	Distance   float64 `db:"distance"`
	Mean       float64 `db:"mean"`
}

// prepare gives the space of a question and the question as it is compared; 0 when
// nothing can be compared with it.
func (v *view) prepare(ctx context.Context, vector []float32) (int64, []int64, error) {
	q := halves(vector)
	if q == nil || len(v.Corpora) == 0 {
		return 0, nil, nil
	}
	id, err := v.s.space(ctx, v.s.DB, space{v.Embedder, len(q)})
	return id, q, err
}

// Nearest implements retrieval.Vectors. Of few pieces all are compared, which gives
// their mean too. Of many the mean is that of their corpora, whichever way they are
// compared, so that the way changes no score.
func (v *view) Nearest(ctx context.Context, q retrieval.Nearby) (retrieval.Near, error) {
	space, vector, err := v.prepare(ctx, q.Vector)
	if space == 0 || err != nil || q.N <= 0 {
		return retrieval.Near{}, err
	}
	ctx = db.WithOrg(ctx, v.OrgID)
	if q.Admitted <= v.s.Exact {
		return v.compareFew(ctx, space, vector, q)
	}
	mean, err := v.mean(ctx, space, vector)
	if err != nil {
		return retrieval.Near{}, err
	}
	var rows []found
	if q.Pieces == nil {
		rows, err = v.ask(ctx, space, vector, q)
	}
	if err == nil && len(rows) < q.N {
		rows, err = v.compare(ctx, space, vector, q)
	}
	return near(rows, mean), err
}

func near(rows []found, mean float64) retrieval.Near {
	out := retrieval.Near{Pieces: make([]retrieval.NearPiece, len(rows)), Mean: mean}
	for i, r := range rows {
		out.Pieces[i] = retrieval.NearPiece{PieceID: r.PieceID, DocumentID: r.DocumentID, Cosine: 1 - r.Distance}
	}
	return out
}

// distance is what is compared without an index: none fits it, since that would have
// to know the length of the vectors.
// The question is in a query of its own, or it would be read once a row.
const distance = `v <=> (SELECT CAST(CAST(? AS TEXT) AS halfvec))`

// rows are those of documents (nil: all), as a query. Which way they are read is not left
// to the planner, which has no figures of what was just brought in.
func (v *view) rows(space int64, documents []int64) (string, []any) {
	where, args := v.where(space)
	switch {
	case documents == nil:
		return `SELECT piece_id, document_id, v FROM piece_vector WHERE ` + where, args
	case len(documents)*len(v.Corpora) <= v.s.lookups:
		return `SELECT piece_id, document_id, v FROM (SELECT DISTINCT unnest(CAST(CAST(? AS TEXT) AS BIGINT[])) AS id) admitted
			CROSS JOIN LATERAL (SELECT * FROM piece_vector WHERE ` + where + ` AND document_id = admitted.id OFFSET 0) each`, append([]any{array(documents)}, args...)
	}
	return `SELECT piece_id, document_id, v FROM piece_vector WHERE ` + where + ` AND ` + filtered("document_id"), append(args, array(documents))
}

// filtered is a condition on a column, for any number of ids by one text, in a form that
// is not made a join of: a row costs one look into a hash.
func filtered(column string) string {
	return `COALESCE(` + column + ` IN (SELECT unnest(CAST(CAST(? AS TEXT) AS BIGINT[]))), FALSE)`
}

func (v *view) compareFew(ctx context.Context, space int64, vector []int64, q retrieval.Nearby) (retrieval.Near, error) {
	rows, args := v.rows(space, q.Documents)
	args = append([]any{text(vector)}, args...)
	only := ""
	if q.Pieces != nil {
		only = ` WHERE ` + filtered("piece_id")
		args = append(args, array(q.Pieces))
	}
	found, err := db.All[found](ctx, v.s.DB, `SELECT piece_id, document_id, distance, mean FROM (
			SELECT piece_id, document_id, distance, avg(distance) OVER () AS mean FROM (
				SELECT piece_id, document_id, `+distance+` AS distance FROM (`+rows+`) admitted OFFSET 0) compared) weighed`+only+`
		ORDER BY distance, piece_id LIMIT ?`, append(args, q.N)...)
	if err != nil || len(found) == 0 {
		return retrieval.Near{}, err
	}
	return near(found, 1-found[0].Mean), nil
}

// compare compares all that are admitted.
func (v *view) compare(ctx context.Context, space int64, vector []int64, q retrieval.Nearby) ([]found, error) {
	rows, args := v.rows(space, q.Documents)
	args = append([]any{text(vector)}, args...)
	only := ""
	if q.Pieces != nil {
		only = ` WHERE ` + filtered("piece_id")
		args = append(args, array(q.Pieces))
	}
	return db.All[found](ctx, v.s.DB, `SELECT piece_id, document_id, `+distance+` AS distance FROM (`+rows+`) admitted`+only+`
		ORDER BY distance, piece_id LIMIT ?`, append(args, q.N)...)
}

// breadth is how many candidates the index keeps while it looks; chosen so that of the
// 10 nearest it misses fewer than one in a hundred where clusters are large and their
// vectors all about as far from each other, which is hard for it.
const breadth = 300

// ask asks the index, where there is one and it is worth while; it may give fewer
// than there are, because it gives up looking.
func (v *view) ask(ctx context.Context, space int64, vector []int64, q retrieval.Nearby) (rows []found, err error) {
	all, err := v.s.indexed(ctx, v.s.DB, space)
	if err != nil || all == 0 {
		return nil, err
	}
	// So many rows it has to give until enough are admitted.
	expected := float64(q.N) * max(1, all/float64(q.Admitted))
	if expected*v.s.dearer > float64(q.Admitted) {
		return nil, nil
	}
	query, args := v.byIndex(space, vector, q)
	err = v.s.DB.Relaxed(ctx, func(ctx context.Context, tx *db.Tx) error { // the settings end with it
		if err := useIndex(ctx, tx, q.N, expected); err != nil {
			return err
		}
		rows, err = db.All[found](ctx, tx, query, args...)
		return err
	})
	slices.SortFunc(rows, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.PieceID, b.PieceID))
	})
	return rows, err
}

// useIndex has the planner take the index, and the index go on until enough are admitted.
func useIndex(ctx context.Context, tx *db.Tx, n int, expected float64) error {
	_, err := db.One[string](ctx, tx, `SELECT set_config('enable_sort', 'off', true) || set_config('hnsw.iterative_scan', 'strict_order', true)
		|| set_config('hnsw.ef_search', ?, true) || set_config('hnsw.max_scan_tuples', ?, true)`,
		strconv.Itoa(min(1000, max(breadth, n))), strconv.Itoa(max(20_000, min(int(4*expected), 1<<30))))
	return err
}

// byIndex is the query in the form that the index of the space fits.
func (v *view) byIndex(space int64, vector []int64, q retrieval.Nearby) (string, []any) {
	where, args := v.where(space)
	if q.Documents != nil {
		where += ` AND ` + filtered("document_id") // a join would lose the order
		args = append(args, array(q.Documents))
	}
	distance := fmt.Sprintf(`CAST(v AS halfvec(%[1]d)) <=> (SELECT CAST(CAST(? AS TEXT) AS halfvec(%[1]d)))`, len(vector))
	return `SELECT piece_id, document_id, ` + distance + ` AS distance FROM piece_vector WHERE ` + where + ` ORDER BY ` + distance + ` LIMIT ?`,
		slices.Concat([]any{text(vector)}, args, []any{text(vector), q.N})
}

// mean is the cosine of the average piece of the corpora. A search that admits a part
// of them gets it too: a cosine is measured by how far it is from any piece, and that
// differs little.
func (v *view) mean(ctx context.Context, space int64, vector []int64) (float64, error) {
	where, args := v.where(space)
	sums, err := db.All[struct {
		Pieces int64  `db:"pieces"`
		Total  []byte `db:"total"`
	}](ctx, v.s.DB, `SELECT pieces, total FROM vector_sum WHERE `+where, args...)
	var pieces, product float64
	for _, s := range sums {
		pieces += float64(s.Pieces)
		product += dot(vector, totalOf(s.Total))
	}
	return product / max(1, pieces), err
}

const cosineBatch = 256

// Cosines implements retrieval.Vectors.
func (v *view) Cosines(ctx context.Context, vector []float32, pieces []int64) (map[int64]float64, error) {
	space, q, err := v.prepare(ctx, vector)
	if space == 0 || err != nil || len(pieces) == 0 {
		return nil, err
	}
	where, args := v.where(space)
	out := make(map[int64]float64, len(pieces))
	for part := range slices.Chunk(pieces, cosineBatch) {
		// They are looked up before anything else is asked of them, whatever figures the
		// planner has of the corpus. A list of one length is planned once.
		marks, ids := db.In(append(slices.Clone(part), slices.Repeat(part[:1], cosineBatch-len(part))...))
		rows, err := db.All[found](db.WithOrg(ctx, v.OrgID), v.s.DB, `WITH asked AS MATERIALIZED (SELECT * FROM piece_vector WHERE piece_id IN (`+marks+`) AND space_id = `+strconv.FormatInt(space, 10)+`)
			SELECT piece_id, `+distance+` AS distance FROM asked WHERE `+where, slices.Concat(ids, []any{text(q)}, args)...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.PieceID] = 1 - r.Distance
		}
	}
	return out, nil
}
