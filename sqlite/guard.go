package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"modernc.org/libc"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Limits of what SQLite does with a file from outside (Options.Foreign). The
// expressions in its schema may be anybody's.
const (
	// maxForeignValue is the longest text, blob or row, in bytes. A col row with
	// everything in it, of schema 11, has a few megabytes, and no client sends a
	// note of 100 MiB in a sync.
	maxForeignValue = 128 << 20
	// maxForeignPattern is the longest pattern of LIKE and GLOB, in bytes: what
	// they cost is its length times the text's, and nothing interrupts them.
	maxForeignPattern = 100
	maxForeignDepth   = 100 // of an expression
	maxForeignArgs    = 16  // of a function, each of which may be a value that is as long as can be
)

// foreignParam is how Options.Foreign gets to the hook.
const foreignParam = "ankisyncd_foreign"

// No connection runs what a file brings along: triggers, and functions that are
// unsafe there. Our own databases have neither.
func init() {
	driver.RegisterConnectionHook(func(conn driver.ExecQuerierContext, dsn string) error {
		h, tls := handleOf(conn)
		if h == nil {
			return errors.New("sqlite: the driver's connection is not what it was")
		}
		db := uintptr(unsafe.Pointer(h))
		off := []int32{lib.SQLITE_DBCONFIG_ENABLE_TRIGGER, lib.SQLITE_DBCONFIG_TRUSTED_SCHEMA}
		if strings.Contains(dsn, foreignParam) {
			off = append(off, lib.SQLITE_DBCONFIG_ENABLE_VIEW)
			for _, l := range []struct{ id, most int32 }{
				{lib.SQLITE_LIMIT_LENGTH, maxForeignValue},
				{lib.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, maxForeignPattern},
				{lib.SQLITE_LIMIT_EXPR_DEPTH, maxForeignDepth},
				{lib.SQLITE_LIMIT_FUNCTION_ARG, maxForeignArgs},
			} {
				lib.Xsqlite3_limit(tls, db, l.id, l.most)
			}
		}
		for _, op := range off {
			if err := turnOff(tls, db, op); err != nil {
				return err
			}
		}
		return nil
	})
}

// turnOff turns one of SQLite's settings off.
func turnOff(tls *libc.TLS, db uintptr, op int32) error {
	args := libc.Xmalloc(tls, 16) // two of 8 bytes each
	if args == 0 {
		return errors.New("sqlite: out of memory")
	}
	defer libc.Xfree(tls, args)
	if rc := lib.Xsqlite3_db_config(tls, db, op, libc.VaList(args, int32(0), uintptr(0))); rc != lib.SQLITE_OK {
		return fmt.Errorf("sqlite: setting %d: error %d", op, rc)
	}
	return nil
}
