package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// TestUserFoldersUnreadable: a folder that the system keeps for itself is nobody's;
// any other that cannot be looked into may be a user's.
func TestUserFoldersUnreadable(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"lost+found", ".bob", ".Trash-1000"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o000); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Dir(root), 0o755), os.Chmod(root, 0o755)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // whom nothing is closed to: this thread is somebody else for a while
		const nobody = 65534
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Skip(err)
		}
		defer syscall.Setfsuid(0) //nolint:errcheck // cannot fail
	}
	names, passed, err := userFolders(root, nil)
	if err != nil || !slices.Equal(names, []string{".bob"}) || !slices.Equal(passed, []string{".Trash-1000", "lost+found"}) {
		t.Errorf("%q, %q, %v", names, passed, err)
	}
}
