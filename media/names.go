package media

import (
	"crypto/sha1" //nolint:gosec // the protocol's checksum, no secret
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/osname"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// checkName refuses the names that could leave the folder, that are two names
// for one file, or that no file system stores (docs/protocol.md §7). All
// others are accepted: a client repeats a refused batch for ever.
func checkName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "is empty"
	case name == "." || name == "..":
		why = "is a folder"
	case len(name) > MaxNameBytes:
		why = "is longer than 255 bytes"
	case strings.ContainsAny(name, "/\\\x00"):
		why = "has a path separator or a NUL"
	case !utf8.ValidString(name):
		why = "is not UTF-8"
	case !norm.NFC.IsNormalString(name):
		why = "is not in normal form C"
	case sqlite.EqualFold(name, stagingDir):
		why = "is reserved"
	}
	if why != "" {
		return fmt.Errorf("%w: file name %.80q %s", ErrBadRequest, name, why)
	}
	return nil
}

var escapedName = regexp.MustCompile(`^(?i)ankisyncd-[0-9a-f]{16}(\.[0-9a-z]{1,10})?$`)

var plainExt = regexp.MustCompile(`^\.[0-9A-Za-z]{1,10}$`)

// escapeName returns the name under which a file is stored whose own name the
// file system cannot hold, or holds for another file already.
func escapeName(name string) string {
	sum := sha1.Sum([]byte(name)) //nolint:gosec // no secret
	esc := "ankisyncd-" + hex.EncodeToString(sum[:8])
	if ext := filepath.Ext(name); plainExt.MatchString(ext) {
		esc += strings.ToLower(ext)
	}
	return esc
}

// storable reports whether a file system of this operating system can hold
// the (checked) name as it is.
func storable(name string) bool {
	return !escapedName.MatchString(name) && (runtime.GOOS != "windows" || osname.OnWindows(name))
}

// refusesName reports whether the file system says that it does not take a name
// (encrypting ones allow 143 bytes, those of Windows no "?"), or that a folder has
// it.
func refusesName(err error) bool {
	for _, no := range []error{syscall.EISDIR, syscall.ENOTEMPTY, syscall.EEXIST, syscall.EINVAL, syscall.ENAMETOOLONG, syscall.EILSEQ} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
