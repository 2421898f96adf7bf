// Package retrieval finds the pieces of documents that bear on a question.
//
// An Index holds one corpus in memory: postings of its pieces and, when an
// embedder is configured, their vectors, unless these lie elsewhere (see Vectors).
// It knows no database: the bytes that
// Encode makes of a document are stored by the caller beside its pieces, in the
// same transaction, and given to Put when the corpus is loaded, so both engines
// rank alike. Search takes the indexes that the caller may read and nothing
// else; statistics come from those alone, so a neighbour's data changes no score.
//
// Ranking is BM25F over title, headings and text; to it come the piece's
// neighbours in its document, words that stand together as the question has
// them, and words that the best pieces share (pseudo-relevance feedback) or that
// are made like the question's (kin: compounds, other endings), the more the less
// of the question's own a piece has. With vectors the cosine is
// mixed in by a convex combination.
// The order is deterministic and does not depend on the order of Put, on
// replaced or removed documents, or on how an index is laid out inside.
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
	// Vectors are where the pieces' vectors lie; nil: in the indexes.
	Vectors Vectors
	Limit   int // 10 when 0 or less, at most MaxLimit
	// Phrases leave pieces that hold each of them: its words, in any of their
	// forms, side by side in the text, the headings or the title.
	Phrases []string
	// Fold shows the best of pieces that say almost the same, which then stands
	// for the others.
	Fold bool
	// Allow narrows to documents the caller may read; nil allows all in the
	// indexes. It is asked at most once a document, from the calling goroutine.
	// Statistics are those of the allowed documents.
	Allow func(documentID int64) bool
}

// MaxLimit is the most hits that one Search gives.
const MaxLimit = 1000

// Hit is a piece that was found, with the parts of its score.
type Hit struct {
	PieceID    int64
	DocumentID int64
	Score      float64 // what hits are ordered by; comparable within one Search only
	Lexical    float64 // by words, 0 when none matched
	Vector     float64 // cosine, 0 without vectors
	Parts      Parts   // what Lexical and Score are made of
	// Coverage is the share, 0 to 1, of the question's weight (the sum of its
	// terms' Weight) that the piece with its title and headings holds.
	Coverage float64
	Terms    []Term   // the question's terms, in its order; stop words only when it has no other
	Guessed  []Term   // words that it has for those of the question that stand nowhere, with one or two letters changed
	Related  []string // words of the best pieces that this one has too, see Parts.Related
	Doubles  []int64  // pieces that say almost the same and were left out, best first
}

// Parts are what a score is the sum of. The first five make Lexical.
type Parts struct {
	Words      float64 // the question's words in the text
	Titles     float64 // what the title and headings add to that
	Neighbours float64 // words that stand in the pieces beside
	Near       float64 // words that stand together as in the question
	Related    float64 // words that the best pieces share

	// The shares of both sides in Score; 0 when no vectors were compared.
	Lexical, Vector float64
}

// Term is a term of the question as a hit explains it.
type Term struct {
	Text   string  // as analysed: folded and stemmed
	Weight float64 // its rarity in the indexes searched (inverse document frequency)
	Found  bool    // stands in the piece, its title or headings
	Times  int     // in the text
	Score  float64 // what it adds to Lexical, with what title, headings and neighbours add
}

// Stats is what an index holds.
type Stats struct {
	Documents int
	Pieces    int
	Terms     int   // different terms ever put since the index was last empty
	Vectors   int   // pieces with a vector
	Bytes     int64 // memory, roughly
	Files     int64 // bytes in files, see Index.Spill
}
