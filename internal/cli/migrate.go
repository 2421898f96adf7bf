package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"atrium/internal/db"
	"atrium/internal/server"
)

type migrateStore struct {
	From string `required:"" type:"existingdir" help:"Data folder of the server that ran on SQLite; stop it first." placeholder:"DIR"`
	To   string `required:"" help:"Address of an empty PostgreSQL database." placeholder:"postgres://…"`
}

// Run copies all tables, or none. The folder stays as it is.
func (m *migrateStore) Run(t *terminal) (err error) {
	if _, err := os.Stat(filepath.Join(m.From, "atrium.db")); err != nil {
		return fmt.Errorf("%s is not the data folder of a server on SQLite: %w", m.From, err)
	}
	if !strings.HasPrefix(m.To, "postgres://") && !strings.HasPrefix(m.To, "postgresql://") {
		return errors.New("--to must begin with postgres://")
	}
	log, err := newLog(t.err, server.Defaults())
	if err != nil {
		return err
	}
	from, err := db.Open(t.ctx, db.Options{Dir: m.From, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := db.Open(t.ctx, db.Options{URL: m.To, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	var tables, rows int64
	if err := db.Copy(t.ctx, from, to, func(c db.Copied) {
		tables, rows = tables+1, rows+c.Rows
		if c.Rows > 0 {
			fmt.Fprintf(t.out, "%-20s %10d rows  %s\n", c.Table, c.Rows, c.Digest[:16])
		}
	}); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%d rows of %d tables copied and compared. Start the server with ATRIUM_DATABASE_URL set and ATRIUM_DATA as it was: the files, and the key that secrets are sealed with, stay in %s.\n", rows, tables, m.From)
	return nil
}
