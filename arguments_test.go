package main

import (
	"slices"
	"strings"
	"testing"
)

// TestOptionsFirst: what stands where, and what stays as it is.
func TestOptionsFirst(t *testing.T) {
	app := newApp(nil, nil, nil)
	for in, want := range map[string]string{
		"":                                     "",
		"adduser":                              "adduser",
		"my.conf --port 1":                     "--port 1 my.conf",
		"my.conf adduser -c x":                 "-c x my.conf adduser",
		"serve my.conf --port=1 --set a=b":     "serve --port=1 --set a=b my.conf",
		"--port 1 deluser a -c x b":            "--port 1 deluser -c x a b",
		"deluser a - b --set x=y":              "deluser --set x=y a - b",
		"deluser a --set x=y -- b --config z":  "deluser --set x=y -- a b --config z",
		"deluser a --config":                   "deluser --config",
		"deluser a --help b":                   "deluser --help",
		"restore a b --yes --wait 1s":          "restore --yes --wait 1s a b",
		"-- deluser a -c x":                    "deluser -c x a",
		"-- my.conf --port 1":                  "-- my.conf --port 1",
		"config print x --default":             "config print --default x",
		"config --json print":                  "config --json print",
		"user devices a --json":                "user devices --json a",
		"user -c x --set a=b devices a --json": "user devices -c x --set a=b --json a",
		"user -c x -l":                         "user -c x -l",
		"user -a devices --json -d devices":    "user -a devices --json -d devices",
		"user -c":                              "user -c",
		"user a --generate-bash-completion":    "user a --generate-bash-completion",
	} {
		got := optionsFirst(app, append([]string{"ankisyncd"}, strings.Fields(in)...))
		if !slices.Equal(got[1:], strings.Fields(want)) {
			t.Errorf("%s: %q, want %s", in, got[1:], want)
		}
	}
}
