package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// officialPort is the port of the official server.
const officialPort = "8080"

// maxMB bounds what limits of bytes can be set to, MiB: as good as none.
const maxMB = 1 << 20

// official takes the environment of the official server (docs/compat.md §1.9).
// It counts more than the file, as environments do, and less than ANKISYNCD_*.
// With SYNC_USER1 alone our own defaults stand: port 27701, ./collections.
func (l *loader) official() {
	if v, ok := l.env["SYNC_HOST"]; ok {
		l.put("host", v, "environment SYNC_HOST")
	}
	if v, ok := l.env["SYNC_PORT"]; ok {
		l.put("port", v, "environment SYNC_PORT")
	}
	if v := l.env["SYNC_BASE"]; v != "" {
		l.syncBase(v)
	}
	if v, ok := l.env["MAX_SYNC_PAYLOAD_MEGS"]; ok {
		const source = "environment MAX_SYNC_PAYLOAD_MEGS"
		l.put("max_payload_mb", v, source)
		// There, what an upload may unpack to is three times as much. People set
		// enormous values for "no limit".
		k, _ := keyNamed("max_collection_mb")
		def, _ := strconv.Atoi(k.def)
		if _, set := l.raw[k.name]; !set {
			if n, err := parseInt(v); err == nil && n > def/3 {
				l.put(k.name, strconv.Itoa(min(3*min(n, maxMB), maxMB)), source)
			}
		}
	}
	if v, ok := l.env["SYNC_IP_HEADER"]; ok {
		l.put("ip_header", officialHeader(v), "environment SYNC_IP_HEADER")
	}
	l.officialUsers()
}

// syncBase makes the folder of the official server ours: its users' folders
// lie directly in it. Our two databases, which it has no equal of, go beside
// them unless something else than the shipped file put them elsewhere.
func (l *loader) syncBase(base string) {
	const source = "environment SYNC_BASE"
	l.put("data_root", base, source)
	for _, name := range []string{"auth_db_path", "session_db_path"} {
		k, _ := keyNamed(name)
		if e, set := l.raw[name]; !set || e.text == k.def {
			l.put(name, filepath.Join(base, filepath.Base(k.def)), source)
		}
	}
	if _, set := l.raw["port"]; !set {
		l.put("port", officialPort, "default of the official server, as SYNC_BASE is set")
	}
}

// officialHeader maps the official server's names of address sources to header
// names; ConnectInfo is the peer's own address. Other names are headers.
func officialHeader(v string) string {
	switch v {
	case "ConnectInfo":
		return ""
	case "RightmostXForwardedFor":
		return "X-Forwarded-For"
	case "RightmostForwarded":
		return "Forwarded"
	case "XRealIp":
		return "X-Real-IP"
	case "FlyClientIp":
		return "Fly-Client-IP"
	case "TrueClientIp":
		return "True-Client-IP"
	case "CfConnectingIp":
		return "CF-Connecting-IP"
	case "CloudFrontViewerAddress":
		return "CloudFront-Viewer-Address"
	case "XEnvoyExternalAddress":
		return "X-Envoy-External-Address"
	}
	return v
}

// officialUsers takes SYNC_USER1, SYNC_USER2, … up to the first gap, each from
// the variable, its _FILE form or the systemd credential of that name.
func (l *loader) officialUsers() {
	_, hashed := l.env["PASSWORDS_HASHED"]
	seen := map[string]string{}
	n := 1
	for ; ; n++ {
		text, source, ok := l.secretText(fmt.Sprintf("SYNC_USER%d", n))
		if !ok {
			break
		}
		name, secret, found := strings.Cut(text, ":")
		switch {
		case !found || name == "" || secret == "":
			l.errs = append(l.errs, fmt.Errorf("%s: not of the form user:password", source))
			continue
		case hashed && !strings.HasPrefix(secret, "$"):
			l.errs = append(l.errs, fmt.Errorf("%s: PASSWORDS_HASHED is set, but what follows %q is no hash like $pbkdf2-sha256$…", source, name+":"))
			continue
		case seen[name] != "":
			l.errs = append(l.errs, fmt.Errorf("%s: user %q is in %s already", source, name, seen[name]))
			continue
		}
		seen[name] = source
		l.c.Users = append(l.c.Users, User{Name: name, Secret: Secret(secret), Hashed: hashed, Source: source})
	}
	for _, name := range l.envKeys {
		rest, ok := strings.CutPrefix(name, "SYNC_USER")
		if m, err := strconv.Atoi(strings.TrimSuffix(rest, "_FILE")); ok && err == nil && (m > n || m < 1) {
			l.warn("environment %s has no effect, as there is no SYNC_USER%d before it", name, n)
		}
	}
}

// hints warns of data of the official server that would be left lying.
func (l *loader) hints() {
	if len(l.c.Users) == 0 || !l.c.isDefault("data_root") || l.o.Home == "" && l.env["HOME"] == "" {
		return
	}
	home := l.o.Home
	if home == "" {
		home = l.env["HOME"]
	}
	old := filepath.Join(home, ".syncserver")
	if _, err := os.Stat(old); err != nil {
		return
	}
	if _, err := os.Stat(filepath.Join(l.o.WorkDir, l.c.DataRoot)); err == nil {
		return
	}
	l.warn("%s of the official server is there, but %s is used: set SYNC_BASE=%s to go on with its data", old, l.c.DataRoot, old)
}
