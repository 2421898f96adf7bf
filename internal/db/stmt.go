package db

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

// maxStmts bounds the prepared statements of a pool: lists of varying length would
// otherwise add one for each length.
const maxStmts = 512

// planned is a query as SQLite is given it. A bound LIMIT is part of SQLite's plan: a
// statement that has one is planned anew whenever it is bound. A sum is not.
func planned(text string) string { return strings.ReplaceAll(text, "LIMIT ?", "LIMIT ?+0") }

// stmtCache keeps a prepared statement for each query text of the readers.
type stmtCache struct {
	db *sql.DB
	mu sync.Mutex
	m  map[string]*cachedStmt
}

type cachedStmt struct {
	stmt  *sql.Stmt
	users int
}

func newStmtCache(db *sql.DB) *stmtCache {
	return &stmtCache{db: db, m: map[string]*cachedStmt{}}
}

// take answers the statement and what to call when its rows are read.
func (c *stmtCache) take(ctx context.Context, text string) (*sql.Stmt, func(), error) {
	c.mu.Lock()
	if e := c.m[text]; e != nil {
		e.users++
		c.mu.Unlock()
		return e.stmt, func() { c.drop(e) }, nil
	}
	c.mu.Unlock()
	stmt, err := c.db.PrepareContext(ctx, planned(text))
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m[text] != nil || !c.room() {
		return stmt, func() { stmt.Close() }, nil
	}
	e := &cachedStmt{stmt: stmt, users: 1}
	c.m[text] = e
	return stmt, func() { c.drop(e) }, nil
}

func (c *stmtCache) drop(e *cachedStmt) {
	c.mu.Lock()
	e.users--
	c.mu.Unlock()
}

// room evicts any statement nobody uses; what is used often is soon back.
func (c *stmtCache) room() bool {
	if len(c.m) < maxStmts {
		return true
	}
	for text, e := range c.m {
		if e.users == 0 {
			e.stmt.Close()
			delete(c.m, text)
			return true
		}
	}
	return false
}

func (c *stmtCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for text, e := range c.m {
		e.stmt.Close()
		delete(c.m, text)
	}
}
