//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupt runs the program and, once the file that the pattern names is there,
// sends it SIGINT. ended says that the program was quicker.
func interrupt(t *testing.T, pattern string, env []string, args ...string) (stderr string, code int, ended bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "ankisyncd" // see TestMain
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "ANKISYNCD_HOST=127.0.0.1", "ANKISYNCD_PORT=1"}, env...)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	giveUp := time.After(hang)
	for sent := false; ; {
		select {
		case err := <-done:
			exit, _ := errors.AsType[*exec.ExitError](err)
			if err == nil {
				return errs.String(), 0, true
			} else if exit == nil {
				t.Fatal(err)
			}
			return errs.String(), exit.ExitCode(), !sent
		case <-giveUp:
			_ = cmd.Process.Kill()
			t.Fatal("it goes on")
		default:
		}
		if !sent {
			found, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			if sent = len(found) > 0; sent {
				_ = cmd.Process.Signal(syscall.SIGINT)
			}
		}
		runtime.Gosched()
	}
}

// busyRoot makes a data root with a small user and one of n media files.
func busyRoot(t *testing.T, n int) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "collections")
	for user, files := range map[string]int{"alice": 1, "bob": n} {
		dir := filepath.Join(root, user, "collection.media")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// firstBusy is how many files a command has to read before it can be ended; more
// are tried if that was too quick.
const firstBusy = 2000

// TestMigrateSignal: Ctrl-C leaves nothing of a copy, though a user has its final
// name already.
func TestMigrateSignal(t *testing.T) {
	for n := firstBusy; ; n *= 4 {
		root, to, tmp := busyRoot(t, n), filepath.Join(t.TempDir(), "new"), t.TempDir()
		stderr, code, ended := interrupt(t, filepath.Join(to, "collections", "alice"), []string{"TMPDIR=" + tmp}, "migrate", "--from", root, "--to", to, "--copy")
		if ended && code == 0 {
			continue
		}
		if code != 1 || !strings.Contains(stderr, "migrate: interrupted; nothing was left at "+to) {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("left: %q", tree(t, to))
		}
		if left := tree(t, tmp); len(left) > 1 {
			t.Errorf("left: %q", left)
		}
		return
	}
}

// TestDoctorSignal: Ctrl-C leaves no copies.
func TestDoctorSignal(t *testing.T) {
	for n := firstBusy; ; n *= 4 {
		tmp := t.TempDir()
		env := []string{"TMPDIR=" + tmp, "ANKISYNCD_DATA_ROOT=" + busyRoot(t, n)}
		stderr, code, ended := interrupt(t, filepath.Join(tmp, ".ankisyncd-doctor-*"), env, "doctor", "--deep")
		if ended && code == 0 {
			continue
		}
		if code != 1 || !strings.Contains(stderr, "doctor: interrupted") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if left := tree(t, tmp); len(left) > 1 {
			t.Errorf("left: %q", left)
		}
		return
	}
}

// TestRestoreSignal: Ctrl-C while the server has the collection open changes
// nothing, and says so.
func TestRestoreSignal(t *testing.T) {
	_, url, dir := legacyProcess(t)
	if status := metaStatus(t, url, aliceKey); status != 200 { // opens it
		t.Fatal(status)
	}
	alice := filepath.Join(dir, "collections", "alice")
	snapshots, err := os.ReadDir(filepath.Join(alice, "snapshots"))
	if err != nil || len(snapshots) != 1 {
		t.Fatal(snapshots, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "restore", "--yes", "alice", strings.TrimSuffix(snapshots[0].Name(), ".anki2"))
	cmd.Args[0] = "ankisyncd" // see TestMain
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ANKISYNCD_DATA_ROOT=" + filepath.Dir(alice)}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if said = append(said, lines.Text()); len(said) == 1 { // that it waits
			_ = cmd.Process.Signal(os.Interrupt)
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || len(said) != 2 || said[1] != "ankisyncd: restore: interrupted, nothing was changed" {
		t.Errorf("%v: %q", err, said)
	}
	if again, err := os.ReadDir(filepath.Join(alice, "snapshots")); err != nil || len(again) != 1 {
		t.Error(again, err)
	}
}
