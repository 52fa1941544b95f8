package sqlite

import (
	"context"
	"errors"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// InterruptWhenDone stops what runs on the connection when ctx is done, until
// stop is called. The driver does so by itself, but only while it looks for the
// first row of a query: one with few hits may read a whole table behind it.
//
// A statement that is stopped fails; whether ctx is done tells why. stop returns
// when no interruption can come any more, and must be called before the
// connection is closed.
func (c *Conn) InterruptWhenDone(ctx context.Context) (stop func(), err error) {
	if ctx.Done() == nil {
		return func() {}, nil
	}
	var db *lib.Tsqlite3
	err = c.Raw(func(conn any) error {
		if db, _ = handleOf(conn); db == nil {
			return errors.New("sqlite: the driver's connection is not what it was")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	interrupted := make(chan struct{})
	call := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		tls := libc.NewTLS() // the connection's own is busy
		defer tls.Close()
		lib.Xsqlite3_interrupt(tls, uintptr(unsafe.Pointer(db)))
	})
	return func() {
		if !call() {
			<-interrupted
		}
	}, nil
}
