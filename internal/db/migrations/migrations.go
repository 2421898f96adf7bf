// Package migrations holds the schema's history: one folder an engine, the same
// numbers in both. A file that has been released is never changed again.
package migrations

import "embed"

// FS holds sqlite/NNNN_name.sql and postgres/NNNN_name.sql, in goose's format.
//
//go:embed sqlite/*.sql postgres/*.sql
var FS embed.FS
