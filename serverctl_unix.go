//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// detach lets a process outlive us and its terminal.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// isServer reports whether a process of that id runs this program. Where there
// is no /proc, only whether there is a process that we may signal.
func isServer(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	state, err := os.ReadFile(filepath.Join(proc, "stat"))
	if errors.Is(err, fs.ErrNotExist) {
		_, err := os.Stat("/proc/self")
		return err != nil
	}
	// A zombie has ended; its parent has only not asked yet.
	if _, rest, ok := strings.Cut(string(state), ") "); ok && strings.HasPrefix(rest, "Z") {
		return false
	}
	exe, err := os.Readlink(filepath.Join(proc, "exe"))
	if err != nil {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	// An updated program replaces the file of the running one.
	return strings.TrimSuffix(exe, " (deleted)") == self
}
