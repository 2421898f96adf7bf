// Package extract reads a file into text blocks that know their page and
// headings. Reading happens in a separate, limited process (see Pool), because
// a file may be hostile; the readers are packages below this one.
package extract

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

const (
	Paragraph Kind = "paragraph"
	Heading   Kind = "heading" // its own text is not in its Heading path, but in that of what follows
	ListItem  Kind = "list_item"
	TableRow  Kind = "table_row"
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

// Reason says why a file could not be read, as a stable name.
type Reason string

const (
	Unsupported  Reason = "unsupported" // a format that Atrium does not read
	Encrypted    Reason = "encrypted"
	Damaged      Reason = "damaged"
	Empty        Reason = "empty" // no text in it, such as a scan without OCR
	TooLarge     Reason = "too_large"
	TimedOut     Reason = "timed_out"
	OutOfMemory  Reason = "out_of_memory"
	WorkerFailed Reason = "worker_failed"
)

// Error is a file that cannot be read. Message says what a person can do.
type Error struct {
	Reason  Reason `json:"reason"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }
