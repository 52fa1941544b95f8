package sqlite

import (
	"testing"
	"unsafe"

	lib "modernc.org/sqlite/lib"
)

// TestNoMutex fails if a newer driver is built differently: then handleOf must
// learn how, or rows cost more.
func TestNoMutex(t *testing.T) {
	db, err := Open(t.Context(), t.TempDir()+"/a.db", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		h, tls := handleOf(c)
		if h == nil {
			t.Fatal("the driver's connection is not what it was")
		}
		// The struct's layout must be that of the library: ask it for something
		// that it knows as well.
		if err := lib.Xsqlite3_extended_errcode(tls, uintptr(unsafe.Pointer(h))); err != lib.SQLITE_OK {
			t.Errorf("error code %d", err)
		}
		if m := lib.Xsqlite3_db_mutex(tls, uintptr(unsafe.Pointer(h))); m != 0 {
			t.Error("there is a mutex")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
