package sqlite

import "strings"

// Insert is the text of a statement that stores rows, for one row and for
// several at once: each statement has a cost of its own, and a short row costs
// less than that.
type Insert struct {
	one, many string
	columns   int
}

// insertRows is how many rows one statement stores.
const insertRows = 25

// NewInsert returns the statement `head VALUES (?, …) tail` for rows of so many
// columns.
func NewInsert(head string, columns int, tail string) *Insert {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	text := func(rows int) string { return head + " VALUES " + row + strings.Repeat(", "+row, rows-1) + " " + tail }
	return &Insert{text(1), text(insertRows), columns}
}

// Inserter gathers the rows for an Insert.
type Inserter struct {
	c    *Conn
	text *Insert
	args []any
	// Changed is how many rows the statements run so far have changed.
	Changed int64
}

// On returns an Inserter for a connection.
func (t *Insert) On(c *Conn) *Inserter { return &Inserter{c: c, text: t} }

// Add stores a row, at the latest when Flush is called. Rows are stored in the
// order of Add.
func (i *Inserter) Add(columns ...any) error {
	if i.args == nil {
		i.args = make([]any, 0, insertRows*i.text.columns)
	}
	if i.args = append(i.args, columns...); len(i.args) < insertRows*i.text.columns {
		return nil
	}
	return i.run(i.text.many, len(i.args))
}

// Flush stores the rows that have not been stored yet.
func (i *Inserter) Flush() error {
	for len(i.args) > 0 {
		if err := i.run(i.text.one, i.text.columns); err != nil {
			return err
		}
	}
	return nil
}

// run stores the first rows, n values.
func (i *Inserter) run(text string, n int) error {
	changed, err := i.c.Run(text, i.args[:n]...)
	i.Changed += changed
	i.args = append(i.args[:0], i.args[n:]...)
	return err
}
