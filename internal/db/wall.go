package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/stdlib"
)

type orgKey struct{}

// WithOrg is a context whose statements reach the rows of one organization only, on
// PostgreSQL, whatever they ask for: its row-level security compares each row with it.
// It stands behind the predicates of the stores, for the one that is forgotten. A
// transaction keeps the organization it began with; 0 is the server's own work, which
// reaches all. SQLite has no such wall.
func WithOrg(ctx context.Context, org int64) context.Context {
	return context.WithValue(ctx, orgKey{}, org)
}

func orgOf(ctx context.Context) int64 {
	org, _ := ctx.Value(orgKey{}).(int64)
	return org
}

// walls makes connections that tell PostgreSQL for whom each statement is.
type walls struct{ driver.Connector }

func (w walls) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	pg, ok := c.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("db: the driver's connection is a %T", c), c.Close())
	}
	return &walled{Conn: pg}, nil
}

// walled is a connection with what is set on it. Connections go from one organization
// to another within the pool, so every statement compares; only a change costs a round
// trip. database/sql uses a connection from one goroutine at a time.
type walled struct {
	*stdlib.Conn
	org  int64 // -1: not known
	inTx bool
}

func (c *walled) admit(ctx context.Context) error {
	org := orgOf(ctx)
	if c.inTx || c.org == org {
		return nil
	}
	value := ""
	if org != 0 {
		value = strconv.FormatInt(org, 10)
	}
	c.org = -1
	if _, err := c.Conn.ExecContext(ctx, `SET atrium.org = '`+value+`'`, nil); err != nil {
		return err
	}
	c.org = org
	return nil
}

func (c *walled) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.admit(ctx); err != nil {
		return nil, err
	}
	return c.Conn.QueryContext(ctx, query, args)
}

func (c *walled) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.admit(ctx); err != nil {
		return nil, err
	}
	return c.Conn.ExecContext(ctx, query, args)
}

func (c *walled) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.admit(ctx); err != nil {
		return nil, err
	}
	tx, err := c.Conn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	c.inTx = true
	return walledTx{tx, c}, nil
}

type walledTx struct {
	driver.Tx
	c *walled
}

func (tx walledTx) Commit() error {
	tx.c.inTx = false
	return tx.Tx.Commit()
}

func (tx walledTx) Rollback() error {
	tx.c.inTx = false
	return tx.Tx.Rollback()
}

var errPrepared = errors.New("db: a prepared statement would outlive the organization it was made for; the driver prepares by itself")

func (c *walled) Prepare(string) (driver.Stmt, error) { return nil, errPrepared }

func (c *walled) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errPrepared
}

// Begin is what database/sql would take without a BeginTx.
func (c *walled) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// NoWall says that the wall does not stand, and what to do.
const NoWall = "the database role is a superuser or has BYPASSRLS, so PostgreSQL does not keep the organizations apart a second time; use an ordinary role that owns the database"

// WallStands connects to the address and tells whether its role is held by row-level
// security, without bringing the schema up to date.
func WallStands(ctx context.Context, address string) (bool, error) {
	var free bool
	err := Row(ctx, address, unheld, nil, &free)
	return !free, err
}

// unheld tells whether the role is above row-level security.
const unheld = `SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user`

func wallStands(ctx context.Context, pool *sql.DB) (bool, error) {
	var free bool
	err := pool.QueryRowContext(ctx, unheld).Scan(&free)
	return !free, err
}
