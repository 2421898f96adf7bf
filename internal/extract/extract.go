// Package extract reads a file into text blocks that know their page and
// headings. Reading happens in a separate, limited process (see Pool), because
// a file may be hostile; the readers are packages below this one.
package extract

import "atrium/internal/extract/doc"

// What a file holds, why it cannot be read, and what it may cost: see package
// doc, where the readers share them.
//
//nolint:revive // they are described there
type (
	Block    = doc.Block
	Kind     = doc.Kind
	Document = doc.Document
	Reason   = doc.Reason
	Error    = doc.Error
	Limits   = doc.Limits
	Mode     = doc.Mode
)

// The kinds of block.
const (
	Paragraph = doc.Paragraph
	Heading   = doc.Heading
	ListItem  = doc.ListItem
	TableRow  = doc.TableRow
	Code      = doc.Code
)

// The reasons of an Error.
const (
	Unsupported  = doc.Unsupported
	Encrypted    = doc.Encrypted
	Damaged      = doc.Damaged
	Empty        = doc.Empty
	TooLarge     = doc.TooLarge
	TimedOut     = doc.TimedOut
	OutOfMemory  = doc.OutOfMemory
	WorkerFailed = doc.WorkerFailed
)

// The modes of reading.
const (
	Exhaustive = doc.Exhaustive
	Standard   = doc.Standard
	Basic      = doc.Basic
)
