package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// EnvURL names the variable with the address of a PostgreSQL server whose user may
// create databases and roles. Without it a temporary server is started.
const EnvURL = "TEST_POSTGRES_URL"

// ErrNoPostgres says that the machine has no PostgreSQL.
var ErrNoPostgres = errors.New("no PostgreSQL found: run scripts/deps.sh test, install it (Debian: apt-get install postgresql), " +
	"put initdb and postgres into PATH, or set " + EnvURL)

// The shell outlives a killed test binary: its standard input ends with us, then it
// stops the server and removes the folder.
const watch = `"$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
	-c max_connections=300 -c shared_buffers=256MB -c log_min_messages=fatal >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$2"`

// StartPostgres starts a temporary server and answers its address and what stops it.
// It is stopped too when this process ends in any way.
func StartPostgres(ctx context.Context) (address string, stop func(), err error) {
	bin, err := findPostgres()
	if err != nil {
		return "", nil, err
	}
	as, uid, gid, err := runAs()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "atrium-pg-")
	if err != nil {
		return "", nil, err
	}
	if as != nil {
		if err := os.Chown(dir, uid, gid); err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	server := exec.Command("/bin/sh", "-c", watch, "sh", filepath.Join(bin, "postgres"), dir)
	// Its own group, so that an interrupt from the terminal does not end the watch.
	server.Dir, server.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as, Setpgid: true}
	alive, err := server.StdinPipe()
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := server.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() {
		alive.Close()
		_ = server.Wait()
	}
	address = (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		RawQuery: url.Values{"host": {dir}}.Encode()}).String()
	if err := waitFor(ctx, address); err != nil {
		log := readSome(filepath.Join(dir, "log"))
		stop()
		return "", nil, fmt.Errorf("the temporary PostgreSQL did not come up: %w: %s", err, log)
	}
	return address, stop, nil
}

// findPostgres answers the folder with initdb and postgres: one that has the extension
// vector, else that in PATH, else the newest.
func findPostgres() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	more, _ := filepath.Glob("/usr/local/pgsql*/bin")
	dirs = append(dirs, more...)
	slices.Sort(dirs)
	slices.Reverse(dirs)
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append([]string{filepath.Dir(path)}, dirs...)
	}
	if fetched, err := pgFolder(); err == nil {
		dirs = append(dirs, filepath.Join(fetched, pgInside, "bin"))
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		return !executable(filepath.Join(dir, "initdb")) || !executable(filepath.Join(dir, "postgres"))
	})
	if len(dirs) == 0 {
		return "", ErrNoPostgres
	}
	if i := slices.IndexFunc(dirs, hasVector); i >= 0 {
		return dirs[i], nil
	}
	return dirs[0], nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// runAs answers whom to run the server as: it refuses to run as root.
func runAs() (as *syscall.Credential, uid, gid int, err error) {
	if os.Geteuid() != 0 {
		return nil, 0, 0, nil
	}
	for _, name := range []string{"nobody", "postgres"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, uid, gid, nil
		}
	}
	return nil, 0, 0, errors.New("PostgreSQL does not run as root, and there is no user nobody or postgres to run it as")
}

func waitFor(ctx context.Context, address string) error {
	pool, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := pool.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func readSome(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 4096))
	return string(b)
}
