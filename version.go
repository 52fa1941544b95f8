package main

import "runtime/debug"

// homepage stands in the first line of the log, as with the originals.
const homepage = "https://github.com/ankisyncd/ankisyncd"

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version string

// programVersion is version, or what the Go tool noted in the binary.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
