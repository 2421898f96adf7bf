// Package docs is the handbook: the Markdown files of this folder, which the
// agent Guide answers from and people read as they are.
package docs

import "embed"

// FS holds the handbook's files by name, such as "asking.md".
//
//go:embed *.md
var FS embed.FS
