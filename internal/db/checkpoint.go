package db

import (
	"context"
	"database/sql"
)

const (
	// checkpointEvery is after how many statements that wrote the log is looked at.
	checkpointEvery = 400
	// longLog is how many pages the log may have before a writer is kept waiting
	// until all of it is in the database, so that it begins anew.
	longLog = 8_000
)

// checkpointer moves the write-ahead log into the database beside the writer, which
// SQLite would hold meanwhile.
type checkpointer struct {
	d    *DB
	pool *sql.DB
	work chan struct{}
	done chan struct{}
	stop context.CancelFunc
}

func (d *DB) startCheckpointer(path string) error {
	pool, err := sql.Open("sqlite", dsn(path, 256))
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	ctx, stop := context.WithCancel(context.Background())
	d.check = &checkpointer{d: d, pool: pool, work: make(chan struct{}, 1), done: make(chan struct{}), stop: stop}
	go d.check.run(ctx)
	return nil
}

// wrote counts statements; the writer is held.
func (c *checkpointer) wrote(n int) {
	w := c.d.write
	if w.written += n; w.written < checkpointEvery {
		return
	}
	w.written = 0
	select {
	case c.work <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-c.work:
		case <-ctx.Done():
			return
		}
		if err := c.checkpoint(ctx); err != nil && ctx.Err() == nil {
			err = c.d.sqliteFailed(err)
			if c.d.failure() != nil {
				return
			}
			c.d.log.Warn("the database's log cannot be moved now; it grows until it can", "error", err)
		}
	}
}

func (c *checkpointer) checkpoint(ctx context.Context) error {
	long, err := c.pass(ctx)
	if err != nil || !long {
		return err
	}
	w := c.d.write
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.pass()
	w.commit() // or the log would go on behind the batch, and never begin anew
	_, err = c.pass(ctx)
	return err
}

// pass moves what no reader is in the way of, and tells whether the log is long.
func (c *checkpointer) pass(ctx context.Context) (long bool, err error) {
	var busy, pages, moved int
	err = c.pool.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &pages, &moved)
	return pages > longLog, err
}

func (c *checkpointer) close() error {
	c.stop()
	<-c.done
	return c.pool.Close()
}
