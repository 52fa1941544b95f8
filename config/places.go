package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// confName is the name of the configuration file in each place.
const confName = "ankisyncd.conf"

// Places lists where the configuration file is looked for, in order
// (docs/compat.md §1.3): the first that has a [sync_app] section counts. The
// originals look beside their package where we look beside the executable and
// in the working directory. There the files of AnkiServer and ankisyncd-rs
// are found too.
func (o LoadOptions) Places() []string {
	places := []string{filepath.Join("/etc/ankisyncd", confName)}
	if dir := o.configHome(); dir != "" {
		places = append(places, filepath.Join(dir, "ankisyncd", confName))
	}
	if dir := o.ExeDir; dir != "" {
		places = append(places, filepath.Join(dir, confName))
	} else if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		places = append(places, filepath.Join(filepath.Dir(exe), confName))
	}
	for _, name := range []string{confName, "production.ini", "ankisyncd.toml"} {
		places = append(places, filepath.Join(o.WorkDir, name))
	}
	return places
}

// configHome is $XDG_CONFIG_HOME, or ~/.config if that is unset or empty.
func (o LoadOptions) configHome() string {
	home := o.Home
	for _, kv := range o.Environ {
		if dir, ok := strings.CutPrefix(kv, "XDG_CONFIG_HOME="); ok && dir != "" {
			return dir
		}
		if dir, ok := strings.CutPrefix(kv, "HOME="); ok && home == "" {
			home = dir
		}
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".config")
}

// errNoFile: a folder or device of the file's name, which Python passes over.
var errNoFile = errors.New("not a regular file")

// readFile reads a small text file.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s: %w", path, errNoFile)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%s: %w", path, errTooLarge)
	}
	return string(b), nil
}
