package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Conn is a connection with its statements kept prepared, for a database that
// runs the same few statements for each of thousands of requests: parsing them
// costs more than running them. It is used by one goroutine at a time.
//
// Its statements are not tied to a request's context: each is short, and a
// client that hangs up in the middle must not leave a question about what was
// done. (A context that can end would also cost a goroutine for every one.)
type Conn struct {
	*sql.Conn
	stmts map[string]*Stmt
}

// background is the context of Conn's statements.
var background = context.Background()

// NewConn takes a connection out of the pool until Close.
func NewConn(ctx context.Context, db *sql.DB) (*Conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, stmts: map[string]*Stmt{}}, nil
}

// stmt returns the prepared form of query, kept until Close.
func (c *Conn) stmt(query string) (*Stmt, error) {
	if st := c.stmts[query]; st != nil {
		return st, nil
	}
	st, err := Prepare(background, c.Conn, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	c.stmts[query] = st
	return st, nil
}

// Run runs a statement, one of a bounded number of texts, and returns how many
// rows it changed.
func (c *Conn) Run(query string, args ...any) (int64, error) {
	st, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	return st.Exec(background, args...)
}

// Each runs a query, one of a bounded number of texts, and calls f for every
// row. f may run other statements, but not this one.
func (c *Conn) Each(f func(scan func(dest ...any) error) error, query string, args ...any) error {
	st, err := c.stmt(query)
	if err != nil {
		return err
	}
	return st.Query(background, f, args...)
}

// Begin begins an immediate transaction; Commit or Rollback ends it.
func (c *Conn) Begin() error {
	_, err := c.Run(`BEGIN IMMEDIATE`)
	return err
}

// Commit commits. After an error it is unknown whether the transaction has
// ended: close the connection.
func (c *Conn) Commit() error {
	_, err := c.Run(`COMMIT`)
	return err
}

// Rollback rolls back what Begin began. That SQLite has done so by itself, as it
// does when the disk is full, is no error: then one can begin.
func (c *Conn) Rollback() error {
	_, err := c.Run(`ROLLBACK`)
	if err == nil {
		return nil
	}
	if _, berr := c.Run(`BEGIN`); berr != nil {
		return err
	}
	_, err = c.Run(`ROLLBACK`)
	return err
}

// Close closes the statements and gives the connection back.
func (c *Conn) Close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	c.stmts = nil
	return errors.Join(append(errs, c.Conn.Close())...)
}
