package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImportsGoInwardOnly(t *testing.T) {
	t.Parallel()
	for _, v := range violations(list(t), rooms()) {
		t.Error(v)
	}
}

// list asks the go command for every package of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	root := moduleRoot(t)
	touch(t, root)
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list's answer: %v", err)
		}
		all = append(all, p)
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// touch looks at every Go file, so that go test does not answer from its cache
// after one changed: it sees what this process opens, not what go list does.
func touch(t *testing.T, root string) {
	t.Helper()
	for _, top := range []string{"cmd", "docs", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				_, err = os.Stat(path)
			}
			if errors.Is(err, fs.ErrNotExist) { // another process's temporary file
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// rooms is the plan by path.
func rooms() map[string]room {
	all := map[string]room{}
	for _, in := range inRing {
		for rank, path := range in.paths {
			all[path] = room{path: path, ring: in.ring, rank: rank}
		}
	}
	return all
}

// folder is the room's folder that an import path of this module lies in.
func folder(importPath string) (path string, ours bool) {
	rest, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return "", false
	}
	parts := strings.Split(rest, "/")
	if (parts[0] == "internal" || parts[0] == "cmd") && len(parts) > 1 {
		return parts[0] + "/" + parts[1], true
	}
	return parts[0], true
}

// violations says, a line each, where the packages differ from the plan.
func violations(pkgs []pkg, plan map[string]room) []string {
	var bad []string
	seen := map[string]bool{}
	for _, p := range pkgs {
		from, ours := folder(p.ImportPath)
		if !ours || outside[from] != "" {
			continue
		}
		seen[from] = true
		here, planned := plan[from]
		if !planned {
			bad = append(bad, fmt.Sprintf("%s stands in no ring; add %s to the plan in internal/arch", p.ImportPath, from))
			continue
		}
		for _, imp := range p.Imports {
			if isTestHelper(imp) && !isTestHelper(p.ImportPath) {
				bad = append(bad, fmt.Sprintf("%s imports %s, which is for tests only", p.ImportPath, imp))
			}
		}
		all := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		slices.Sort(all)
		for _, imp := range slices.Compact(all) {
			if why := refuse(here, imp, plan); why != "" {
				bad = append(bad, fmt.Sprintf("%s imports %s: %s", p.ImportPath, imp, why))
			}
		}
	}
	for path := range plan {
		if !seen[path] {
			bad = append(bad, fmt.Sprintf("%s is in the plan of internal/arch, but there is no such package; take it out", path))
		}
	}
	slices.Sort(bad)
	return bad
}

// refuse answers why the room may not import, or "".
func refuse(here room, imp string, plan map[string]room) string {
	to, ours := folder(imp)
	if !ours {
		for _, r := range reserved {
			if strings.HasPrefix(imp, r.prefix) && !free[imp] && !slices.Contains(r.rooms, here.path) {
				return fmt.Sprintf("only %s may, because %s", strings.Join(r.rooms, " and "), r.why)
			}
		}
		return ""
	}
	there, planned := plan[to]
	switch {
	case !planned || here.path == there.path:
		return "" // an unplanned room is reported where it stands
	case there.ring > here.ring:
		return fmt.Sprintf("ring %d may not know ring %d; declare a one-method interface or use an event", here.ring, there.ring)
	case there.ring < here.ring:
		return ""
	case here.ring == capability && there.rank > here.rank:
		return "among capabilities an import goes only to a lower rank; declare a one-method interface or use an event"
	case here.ring == edge:
		return "edges do not know each other"
	}
	return ""
}

// isTestHelper tells of a package such as db/dbtest, or one below it.
func isTestHelper(importPath string) bool {
	_, ours := folder(importPath)
	return ours && slices.ContainsFunc(strings.Split(importPath, "/"), func(part string) bool {
		return strings.HasSuffix(part, "test")
	})
}

func TestEachKindOfViolationIsSeen(t *testing.T) {
	t.Parallel()
	plan := map[string]room{
		"internal/fail":    {path: "internal/fail", ring: platform},
		"internal/db":      {path: "internal/db", ring: platform, rank: 1},
		"internal/api":     {path: "internal/api", ring: platform, rank: 2},
		"internal/llm":     {path: "internal/llm", ring: variety},
		"internal/corpus":  {path: "internal/corpus", ring: capability, rank: 0},
		"internal/agent":   {path: "internal/agent", ring: capability, rank: 1},
		"internal/console": {path: "internal/console", ring: edge},
		"internal/legacy":  {path: "internal/legacy", ring: edge, rank: 1},
		"internal/server":  {path: "internal/server", ring: assembly},
		"cmd/atrium":       {path: "cmd/atrium", ring: program},
	}
	sound := func() map[string]*pkg {
		all := map[string]*pkg{}
		for path := range plan {
			all[path] = &pkg{ImportPath: "atrium/" + path, Imports: []string{"context", "atrium/internal/fail"}}
		}
		all["internal/agent"].Imports = []string{"atrium/internal/corpus", "atrium/internal/llm/openai", "database/sql/driver"}
		all["internal/agent"].XTestImports = []string{"atrium/internal/db/dbtest"}
		all["internal/db"].Imports = []string{"database/sql", "github.com/jackc/pgx/v5/stdlib", "modernc.org/sqlite"}
		all["internal/api"].Imports = []string{"github.com/danielgtaylor/huma/v2"}
		all["internal/server"].Imports = []string{"atrium/internal/legacy", "atrium/internal/agent"}
		return all
	}
	tests := []struct {
		name string
		with func(map[string]*pkg)
		want string // "" when the tree is sound
	}{
		{"a sound tree has none", func(map[string]*pkg) {}, ""},
		{"the platform knows a capability", func(p map[string]*pkg) {
			p["internal/db"].Imports = []string{"atrium/internal/agent"}
		}, "atrium/internal/db imports atrium/internal/agent: ring 0 may not know ring 2"},
		{"a lower rank knows a higher one", func(p map[string]*pkg) {
			p["internal/corpus"].Imports = []string{"atrium/internal/agent"}
		}, "atrium/internal/corpus imports atrium/internal/agent: among capabilities"},
		{"a lower rank knows a higher one in a test", func(p map[string]*pkg) {
			p["internal/corpus"].XTestImports = []string{"atrium/internal/agent"}
		}, "atrium/internal/corpus imports atrium/internal/agent: among capabilities"},
		{"a capability knows an edge", func(p map[string]*pkg) {
			p["internal/agent"].Imports = []string{"atrium/internal/console"}
		}, "atrium/internal/agent imports atrium/internal/console: ring 2 may not know ring 3"},
		{"an edge knows another", func(p map[string]*pkg) {
			p["internal/legacy"].Imports = []string{"atrium/internal/console"}
		}, "edges do not know each other"},
		{"a capability imports the HTTP framework", func(p map[string]*pkg) {
			p["internal/agent"].Imports = []string{"github.com/danielgtaylor/huma/v2"}
		}, "only internal/api may"},
		{"a capability imports a driver", func(p map[string]*pkg) {
			p["internal/agent"].TestImports = []string{"modernc.org/sqlite"}
		}, "only internal/db may"},
		{"a capability goes past package db", func(p map[string]*pkg) {
			p["internal/agent"].Imports = []string{"database/sql"}
		}, "only internal/db may"},
		{"a test helper is built into the program", func(p map[string]*pkg) {
			p["internal/server"].Imports = []string{"atrium/internal/db/dbtest"}
		}, "atrium/internal/server imports atrium/internal/db/dbtest, which is for tests only"},
		{"a package stands in no ring", func(p map[string]*pkg) {
			p["internal/utils"] = &pkg{ImportPath: "atrium/internal/utils"}
		}, "atrium/internal/utils stands in no ring"},
		{"a planned package is gone", func(p map[string]*pkg) {
			delete(p, "internal/legacy")
		}, "internal/legacy is in the plan of internal/arch, but there is no such package"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := sound()
			tt.with(tree)
			var pkgs []pkg
			for _, p := range tree {
				pkgs = append(pkgs, *p)
			}
			got := violations(pkgs, plan)
			if tt.want == "" && len(got) == 0 {
				return
			}
			if tt.want == "" || len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("violations are %q, want one with %q", got, tt.want)
			}
		})
	}
}
