package sqlite

import (
	"reflect"
	"unsafe"

	"modernc.org/libc"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// The driver opens every connection with a mutex of SQLite's
// (SQLITE_OPEN_FULLMUTEX) that is taken for each parameter and each column, some
// 15 % of the cost of reading a chunk. It protects nothing: a connection of this
// driver must not be used by two goroutines at once anyhow (its own
// documentation says so), database/sql and Stmt see to that, and interrupting a
// statement needs no mutex. So each connection gives its mutex back when it has
// been opened, and is then as SQLITE_OPEN_NOMUTEX would have made it. There is no
// setting for that.
func init() {
	driver.RegisterConnectionHook(func(conn driver.ExecQuerierContext, _ string) error {
		if db, tls := handleOf(conn); db != nil && db.Fmutex != 0 {
			lib.Xsqlite3_mutex_free(tls, db.Fmutex)
			db.Fmutex = 0
		}
		return nil
	})
}

// handleOf returns SQLite's connection and the driver's thread inside one of the
// driver's; nil if it is not built as it was when this was written: then no
// database is opened (guard.go), and TestNoMutex tells.
func handleOf(conn any) (*lib.Tsqlite3, *libc.TLS) {
	v := reflect.ValueOf(conn)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, nil
	}
	db, tls := v.Elem().FieldByName("db"), v.Elem().FieldByName("tls")
	if db.Kind() != reflect.Uintptr || db.Uint() == 0 || !tls.IsValid() || tls.Type() != reflect.TypeFor[*libc.TLS]() {
		return nil, nil
	}
	at := uintptr(db.Uint())
	// Memory of SQLite's own, which Go's collector neither moves nor frees.
	return *(**lib.Tsqlite3)(unsafe.Pointer(&at)), (*libc.TLS)(tls.UnsafePointer())
}
