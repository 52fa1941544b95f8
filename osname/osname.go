// Package osname knows which names the file systems of an operating system take
// as they are.
//
// It is at the bottom: it may import nothing of ours, and does no I/O.
// [github.com/ankisyncd/ankisyncd/osname/osnametest] mounts a file system of that
// kind for tests.
package osname

import (
	"regexp"
	"strings"
)

var windowsDevice = regexp.MustCompile(`^(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?$`)

// OnWindows reports whether Windows has files of that name as it is.
func OnWindows(name string) bool {
	for _, c := range name {
		if c < ' ' || strings.ContainsRune(`<>:"|?*`, c) {
			return false
		}
	}
	return !strings.HasSuffix(name, ".") && !strings.HasSuffix(name, " ") && !windowsDevice.MatchString(name)
}
