// Package retrieval finds the pieces of documents that bear on a question.
//
// An Index holds one corpus in memory: postings of its pieces and, when an
// embedder is configured, their vectors. It knows no database: the bytes that
// Encode makes of a document are stored by the caller beside its pieces, in the
// same transaction, and given to Put when the corpus is loaded, so both engines
// rank alike. Search takes the indexes that the caller may read and nothing
// else; statistics come from those alone, so a neighbour's data changes no score.
package retrieval

// Piece is a passage to be indexed.
type Piece struct {
	ID      int64
	Heading string // headings joined by " > "
	Text    string
	Vector  []float32 // unit length, nil without an embedder
}

// Query asks for the best pieces.
type Query struct {
	Text   string
	Vector []float32 // nil: lexical only
	Limit  int
	// Allow narrows to documents the caller may read; nil allows all in the indexes.
	Allow func(documentID int64) bool
}

// Hit is a piece that was found, with the parts of its score.
type Hit struct {
	PieceID    int64
	DocumentID int64
	Score      float64 // what hits are ordered by
	Lexical    float64 // BM25, 0 when no term matched
	Vector     float64 // cosine, 0 without vectors
}
