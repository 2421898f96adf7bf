package arch

// ring is how far from the middle a room stands; an import goes inward.
type ring int

const (
	platform   ring = iota // ring 0
	variety                // ring 1
	capability             // ring 2
	edge                   // ring 3
	assembly               // internal/server, and the command line over it
	program                // cmd
)

// room is a folder with its packages. In the ring of capabilities rank orders
// the rooms; elsewhere rooms of one ring may know each other, except edges.
type room struct {
	path string
	ring ring
	rank int
}

const module = "atrium"

// inRing lists what exists, each room at its place.
var inRing = []struct {
	ring  ring
	paths []string
}{
	{platform, []string{
		"docs", // the handbook, as data
		"internal/api", "internal/audit", "internal/authz", "internal/blob", "internal/db",
		"internal/egress", "internal/event", "internal/fail", "internal/job", "internal/limit", "internal/peer", "internal/planted", "internal/secret", "internal/sse", "internal/wheeltest",
	}},
	{variety, []string{
		"internal/bert", "internal/embed", "internal/extract", "internal/llm", "internal/mail", "internal/pii", "internal/rerank", "internal/retrieval", "internal/source", "internal/split",
	}},
	{capability, []string{ // by rank
		"internal/org", "internal/user", "internal/signin", "internal/permission", "internal/feature", "internal/notify", "internal/auditlog", "internal/model", "internal/team", "internal/project", "internal/document", "internal/corpus",
		"internal/agent", "internal/bundle", "internal/thread", "internal/response",
	}},
	{edge, []string{"internal/console"}},
	{assembly, []string{"internal/server", "internal/bench", "internal/cli"}},
	{program, []string{"cmd/atrium"}},
}

// outside are packages that no ring holds, with the reason.
var outside = map[string]string{
	"internal/arch": "this test",
}

// reserved are imports that only some rooms may have.
var reserved = []struct {
	prefix string
	rooms  []string
	why    string
}{
	{"github.com/danielgtaylor/huma", []string{"internal/api"}, "the HTTP framework stays replaceable behind package api"},
	{"database/sql", []string{"internal/db"}, "package db is the way to the database, on both engines alike"},
	{"github.com/jackc/", []string{"internal/db"}, "drivers are package db's business"},
	{"modernc.org/sqlite", []string{"internal/db"}, "drivers are package db's business"},
	{"github.com/mattn/go-sqlite3", []string{"internal/db"}, "drivers are package db's business"},
	{"github.com/lib/pq", []string{"internal/db"}, "drivers are package db's business"},
	{"github.com/pressly/goose", []string{"internal/db"}, "package db migrates"},
	{"github.com/openai/", []string{"internal/llm", "internal/embed"}, "a provider's types end at its own package"},
	{"github.com/anthropics/", []string{"internal/llm"}, "a provider's types end at its own package"},
}

// free are imports below a reserved prefix that anyone may have.
var free = map[string]bool{
	"database/sql/driver": true, // for driver.Valuer of a type's own
}
