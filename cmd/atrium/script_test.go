package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"atrium/internal/bench"
	"atrium/internal/embed/local/localtest"
)

// The scripts are what a user types, against the real binary. $ADDR is a free
// address; "ready" waits until a server answers there.
func TestScripts(t *testing.T) {
	t.Parallel()
	exe, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			address, err := bench.FreeAddress(t.Context())
			if err != nil {
				return err
			}
			e.Setenv("PATH", filepath.Dir(exe)+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("ADDR", address)
			e.Setenv("ATRIUM_LISTEN", address)
			e.Setenv("ATRIUM_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("NO_COLOR", "1")
			for i, name := range []string{"TINY", "TINY2"} { // models that know no meaning
				e.Setenv(name, filepath.Join(e.WorkDir, strings.ToLower(name)))
				if err := localtest.Write(e.Getenv(name), localtest.Tiny(uint64(i))); err != nil {
					return err
				}
			}
			e.Setenv("TINYRERANKER", filepath.Join(e.WorkDir, "tinyreranker"))
			return localtest.Write(e.Getenv("TINYRERANKER"), localtest.TinyReranker(1))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready},
	})
}

// working are jobs that are not done, as /metrics counts them.
var working = regexp.MustCompile(`(?m)^atrium_jobs\{kind="(index_document|reembed)",state="(pending|running)"\} [1-9]`)

// ready waits until the server answers and the handbook is indexed.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	for range 6000 {
		if res, err := http.Get("http://" + ts.Getenv("ADDR") + "/metrics"); err == nil {
			b, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err == nil && res.StatusCode == http.StatusOK && !working.Match(b) {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("no server is ready at %s", ts.Getenv("ADDR"))
}
