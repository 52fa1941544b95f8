// Package osnametest mounts a file system of Windows for tests, where that can be
// done: on Linux, as root, with lowntfs-3g.
package osnametest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Mount returns a folder on a file system that takes Bob and bob for one name;
// options are more of lowntfs-3g's, such as windows_names, which refuses those that
// Windows does not take. The test is skipped where it cannot be mounted.
func Mount(t *testing.T, options string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root on Linux mounts a file system")
	}
	for _, tool := range []string{"mkntfs", "lowntfs-3g", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs lowntfs-3g:", err)
		}
	}
	if options != "" {
		options = "," + options
	}
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "image"), filepath.Join(dir, "mount")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 32<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tool := range [][]string{{"mkntfs", "-F", "-Q", "-q", image}, {"lowntfs-3g", "-o", "ignore_case" + options, image, mount}} {
		if out, err := exec.Command(tool[0], tool[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mount).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return mount
}
