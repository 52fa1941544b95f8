//go:build linux && (amd64 || arm64)

package nowait_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ankisyncd/ankisyncd/nowait"
)

func TestStat(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, dir, filepath.Join(dir, "link"), filepath.Join(dir, "missing"), filepath.Join(path, "b"), "", "/", path + "\x00b"} {
		var got, want unix.Stat_t
		gotErr, wantErr := nowait.Stat(p, &got), unix.Stat(p, &want)
		got.Atim, want.Atim = unix.Timespec{}, unix.Timespec{}
		if !errors.Is(gotErr, wantErr) || got != want {
			t.Errorf("%q: %v, %v; want %v, %v", p, got, gotErr, want, wantErr)
		}
	}
	// A name ends where the system's does; a long one is not cut.
	for n, want := range map[int]error{254: unix.ENOENT, 255: unix.ENOENT, 256: unix.ENAMETOOLONG, 5000: unix.ENAMETOOLONG} {
		p := "/" + strings.Repeat("x/", n/2)[:n-1]
		if len(p) != n {
			t.Fatal(len(p))
		}
		if err := nowait.Stat(p, new(unix.Stat_t)); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
	}
}

func TestReadAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("abcdefgh"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	for off := int64(0); off < 10; off++ {
		n, err := nowait.ReadAt(f, b, off)
		got := string(b[:n])
		n, wantErr := f.ReadAt(b, off)
		if want := string(b[:n]); got != want || !errors.Is(err, wantErr) {
			t.Errorf("at %d: %q, %v; want %q, %v", off, got, err, want, wantErr)
		}
	}
	if n, err := nowait.ReadAt(f, nil, 0); n != 0 || err != nil {
		t.Error(n, err)
	}
	f.Close()
	if _, err := nowait.ReadAt(f, b, 0); err == nil || errors.Is(err, io.EOF) {
		t.Error("a closed file is read", err)
	}
}

// TestLocal: what is made by the kernel itself, or by a program, is not local.
func TestLocal(t *testing.T) {
	for path, want := range map[string]bool{"/proc": false, "/dev/shm": true, filepath.Join(t.TempDir(), "missing"): false} {
		if _, err := os.Stat(path); err != nil && want {
			continue
		}
		if got := nowait.Local(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
