package egress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// excused are the packages that may open connections by themselves, and why.
var excused = map[string]string{
	"atrium/internal/egress":            "it is the dialer",
	"atrium/internal/bench":             "measures servers that it started, on loopback",
	"atrium/internal/cli":               "the command line talks to the server that its user named",
	"atrium/internal/server/servertest": "tests talk to the server that they started",
}

// forbidden are the ways to open a connection, by import path. A type is
// forbidden wherever it is named; http.Client only when made without a Transport.
var forbidden = map[string][]string{
	"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"},
	"net/http":   {"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "Transport", "ProxyFromEnvironment"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	"net/smtp":   {"Dial", "SendMail"},
	"net/rpc":    {"Dial", "DialHTTP", "DialHTTPPath"},

	"golang.org/x/net/proxy":     {"Dial", "FromEnvironment", "FromURL", "SOCKS5"},
	"golang.org/x/net/websocket": {"Dial", "DialConfig"},
	"golang.org/x/net/http2":     {"Transport"},
	"golang.org/x/crypto/ssh":    {"Dial"},
	"github.com/coder/websocket": {"Dial"},
	"golang.org/x/net/ctxhttp":   {"Get", "Post", "Do"},
}

// dials lists the forbidden uses in a file, as "line: name".
func dials(fset *token.FileSet, f *ast.File) []string {
	var found []string
	paths := map[string]string{}
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if forbidden[p] == nil {
			continue
		}
		name := filepath.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			found = append(found, fmt.Sprintf("%d: dot import of %s", fset.Position(spec.Pos()).Line, p))
		}
		paths[name] = p
	}
	selector := func(e ast.Expr) (path, name string) {
		s, ok := e.(*ast.SelectorExpr)
		if !ok {
			return "", ""
		}
		id, ok := s.X.(*ast.Ident)
		if !ok || id.Obj != nil { // Obj: a local variable hides the import
			return "", ""
		}
		return paths[id.Name], s.Sel.Name
	}
	isClient := func(e ast.Expr) bool {
		p, n := selector(e)
		return p == "net/http" && n == "Client"
	}
	note := func(n ast.Node, what string) {
		found = append(found, fmt.Sprintf("%d: %s", fset.Position(n.Pos()).Line, what))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if p, name := selector(n); slices.Contains(forbidden[p], name) {
				note(n, p+"."+name)
			}
		case *ast.CompositeLit:
			if isClient(n.Type) && !slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					return false
				}
				id, ok := kv.Key.(*ast.Ident)
				return ok && id.Name == "Transport"
			}) {
				note(n, "http.Client without a Transport")
			}
		case *ast.ValueSpec:
			if n.Type != nil && isClient(n.Type) {
				note(n, "http.Client without a Transport")
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "new" && len(n.Args) == 1 && isClient(n.Args[0]) {
				note(n, "http.Client without a Transport")
			}
		}
		return true
	})
	return found
}

type source struct {
	ImportPath, Dir                   string
	GoFiles, CgoFiles, IgnoredGoFiles []string
}

// sources lists the module's packages, also those that do not compile now.
func sources(t *testing.T) []source {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-find", "-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles", "atrium/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var list []source
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var s source
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
}

func TestNoOtherPackageOpensConnections(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, name := range slices.Concat(s.GoFiles, s.CgoFiles, s.IgnoredGoFiles) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(s.Dir, name), nil, 0)
			if f == nil {
				t.Fatal(err)
			}
			uses := dials(fset, f)
			if excused[s.ImportPath] != "" {
				used[s.ImportPath] = used[s.ImportPath] || len(uses) > 0
				continue
			}
			for _, u := range uses {
				t.Errorf("%s/%s:%s: connections are opened by internal/egress only; take a client from it", s.ImportPath, name, u)
			}
		}
	}
	for p := range excused {
		if !used[p] {
			t.Errorf("%s opens no connections or is gone; take it off the list", p)
		}
	}
}

func TestEveryWayToDialIsSeen(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]int{
		`import "net"; var _, _ = net.Dial("tcp", "")`:                                  1,
		`import n "net"; var d n.Dialer`:                                                1,
		`import . "net"; var _, _ = Dial("tcp", "")`:                                    1,
		`import "net/http"; var _, _ = http.Get("")`:                                    1,
		`import "net/http"; var c = http.DefaultClient`:                                 1,
		`import "net/http"; var c = &http.Client{}`:                                     1,
		`import "net/http"; var c = &http.Client{Timeout: 1}`:                           1,
		`import "net/http"; var c http.Client`:                                          1,
		`import "net/http"; var c = new(http.Client)`:                                   1,
		`import "net/http"; var t = &http.Transport{}`:                                  1,
		`import "net/http"; var c = &http.Client{Transport: own}`:                       0,
		`import "net/http"; func f(c *http.Client) { c.Get("") }`:                       0,
		`import "net/http"; func f() { http := own{}; http.Get("") }`:                   0,
		`import "crypto/tls"; var _, _ = tls.Dial("tcp", "", nil)`:                      1,
		`import "net"; var l, _ = net.Listen("tcp", "")`:                                0,
		`import "net/http"; func f() { http.Post("", "", nil); http.Head("") }`:         2,
		`import "github.com/coder/websocket"; var _, _, _ = websocket.Dial(c, "", nil)`: 1,
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", "package x; "+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := dials(fset, f); len(got) != want {
			t.Errorf("%s: %v, want %d", src, got, want)
		}
	}
}
