package auth

import (
	"fmt"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/osname"
)

// MaxUserName is the longest user name in bytes: the longest file name that
// common file systems take.
const MaxUserName = 255

// separators are the characters that a file name cannot have.
var separators = func() string {
	if runtime.GOOS == "windows" {
		return "/\x00\\:"
	}
	return "/\x00"
}()

// reserved are names of files of ours that may lie beside the users' folders.
var reserved = []string{"auth.db", "session.db", "ankisyncd.conf", "ankisyncd.toml", "production.ini"}

// ValidUserName reports why name cannot be a user's name, or nil. The originals
// took any text (docs/compat.md §2.3) and so do we, byte for byte: e-mail
// addresses, spaces, ":", any script; nothing is normalised or folded. Since a
// user's folder bears the name, these are refused, with an error that wraps
// ErrInvalidName:
//
//   - the empty name, "." and "..", names with "/" or NUL, and on Windows, where
//     they would leave the data root, with "\" or ":"
//   - on Windows, names that it does not take as they are (the folder "alice." is
//     that of alice there): with one of <>"|?*, control characters, a dot or space
//     at the end, and those of devices (con, nul)
//   - more than MaxUserName bytes, and bytes that are not UTF-8 (no client can send them)
//   - in any case of letters, the names of our own files (auth.db, session.db,
//     ankisyncd.conf, ankisyncd.toml, production.ini), of their journals
//     (-journal, -wal, -shm), and everything that begins with ".ankisyncd"
func ValidUserName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidName)
	case name == "." || name == "..":
		return fmt.Errorf("%w: %q is a folder of the system", ErrInvalidName, name)
	case strings.ContainsAny(name, separators):
		return fmt.Errorf("%w: %q has one of %q in it", ErrInvalidName, name, separators)
	case runtime.GOOS == "windows" && !osname.OnWindows(name):
		return fmt.Errorf("%w: Windows has no folder %q", ErrInvalidName, name)
	case len(name) > MaxUserName:
		return fmt.Errorf("%w: it has %d bytes, at most %d can be", ErrInvalidName, len(name), MaxUserName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrInvalidName, name)
	}
	lower := strings.ToLower(name)
	base := lower
	for _, suffix := range []string{"-journal", "-wal", "-shm"} {
		base = strings.TrimSuffix(base, suffix)
	}
	for _, r := range reserved {
		if base == r {
			return fmt.Errorf("%w: %q is the name of a file of the server", ErrInvalidName, name)
		}
	}
	if strings.HasPrefix(lower, ".ankisyncd") {
		return fmt.Errorf("%w: names that begin with .ankisyncd are the server's own", ErrInvalidName)
	}
	return nil
}

// logName makes a name that came from outside fit for one line of a log: control
// and format characters, line separators and broken UTF-8 are escaped, and it
// is cut at MaxUserName bytes. Ordinary names stay as they are, so that filters
// written for the originals match.
func logName(name string) string {
	cut := name
	if len(cut) > MaxUserName {
		cut = strings.ToValidUTF8(cut[:MaxUserName], "") + "…"
	}
	plain := true
	for _, r := range cut {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			plain = false
			break
		}
	}
	if plain {
		return cut
	}
	var b strings.Builder
	for i, r := range cut {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(cut[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, cut[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
