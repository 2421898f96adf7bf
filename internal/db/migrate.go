package db

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"atrium/internal/db/migrations"
)

func migrate(ctx context.Context, e Engine, pool *sql.DB) error {
	dialect := goose.DialectSQLite3
	if e == Postgres {
		dialect = goose.DialectPostgres
	}
	dir, err := fs.Sub(migrations.FS, string(e))
	if err != nil {
		return err
	}
	// Without the registry of Go migrations, which is global.
	p, err := goose.NewProvider(dialect, pool, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("db: reading the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("db: bringing the schema up to date: %w", err)
	}
	return nil
}
