//go:build !unix

package main

import (
	"io/fs"
	"os"
	"os/exec"
)

func detach(*exec.Cmd) {}

// terminate has no gentler way here.
func terminate(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func ownedByUs(fs.FileInfo) bool { return true }

func isServer(pid int) bool {
	_, err := os.FindProcess(pid)
	return err == nil
}
