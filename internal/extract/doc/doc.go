// Package doc holds what every reader below package extract shares: the
// document they fill, the limits they obey and the errors they end with.
// Callers outside of extract use the same types by their names in extract.
package doc

// Block is a run of text in reading order: a paragraph, heading, list item,
// table row or caption.
type Block struct {
	Kind    Kind     `json:"kind"`
	Text    string   `json:"text"`
	Page    int      `json:"page,omitempty"`    // 1-based; 0 when the format has none
	Heading []string `json:"heading,omitempty"` // path of headings above, outermost first
}

// Kind says what a block is.
type Kind string

// The kinds of block.
const (
	Paragraph Kind = "paragraph"
	Heading   Kind = "heading" // its own text is not in its Heading path, but in that of what follows
	ListItem  Kind = "list_item"
	TableRow  Kind = "table_row" // cells are separated by tabs
	Code      Kind = "code"
)

// Document is what a file held.
type Document struct {
	Title     string   `json:"title,omitempty"`
	MediaType string   `json:"media_type"` // as found by content, not as claimed
	Pages     int      `json:"pages,omitempty"`
	Blocks    []Block  `json:"blocks"`
	Warnings  []string `json:"warnings,omitempty"` // what could not be read, in words for people
}

// Mode is how hard a reader tries.
type Mode string

// The modes, as a corpus names them.
const (
	Exhaustive Mode = "exhaustive" // also reads scanned pages when a text recognizer is installed
	Standard   Mode = "standard"
	Basic      Mode = "basic"
)
