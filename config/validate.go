package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Validate judges the values together. The error lists everything that keeps
// the server from starting, each with key, value and source.
func (c *Config) Validate() error {
	v := &validator{c: c}
	for i := range table {
		// Values that did not come through Load, for instance of a test.
		if k := &table[i]; k.check != nil {
			if err := k.check(k.get(c)); err != nil {
				v.bad(k.name, "%w", err)
			}
		}
	}
	v.classes()
	v.data()
	v.authentication()
	v.urls()
	v.listen()
	v.tls()
	v.rest()
	v.twice()
	return errors.Join(v.errs...)
}

type validator struct {
	c    *Config
	errs []error
}

// bad adds an error about a key.
func (v *validator) bad(name, why string, args ...any) {
	k, _ := keyNamed(name)
	v.errs = append(v.errs, keyError(k, k.get(v.c), v.c.Source(name), fmt.Errorf(why, args...)))
}

// ownClasses are the originals' own classes, by key and without the module
// path, which differs between their versions. We behave as these do.
var ownClasses = map[string][]string{
	"full_sync_manager":  {"FullSyncManager"},
	"session_manager":    {"SimpleSessionManager", "SqliteSessionManager"},
	"user_manager":       {"SimpleUserManager", "SqliteUserManager"},
	"collection_wrapper": {"CollectionWrapper"},
}

// classes refuses Python classes that would have to be loaded: ignoring a
// user_manager could let everybody in (docs/compat.md §1.1).
func (v *validator) classes() {
	for i := range table {
		k := &table[i]
		own, ok := ownClasses[k.name]
		class := k.get(v.c)
		if !ok || class == "" {
			continue
		}
		name := class[strings.LastIndexByte(class, '.')+1:]
		if strings.HasPrefix(class, "ankisyncd.") && slices.Contains(own, name) {
			continue
		}
		_, native, _ := strings.Cut(k.doc, "Native alternative: ")
		v.bad(k.name, "this server cannot load Python classes; remove the key. Native alternative: %s", native)
	}
}

func (v *validator) data() {
	if v.c.DataRoot == "" {
		v.bad("data_root", "must name a folder")
	}
	for _, name := range []string{"data_root", "auth_db_path", "session_db_path"} {
		k, _ := keyNamed(name)
		if strings.ContainsAny(k.get(v.c), "\r\n\t") {
			v.bad(name, "is several lines long: is the line below it indented?")
		}
	}
	if v.c.AuthDBPath != "" && v.c.AuthDBPath == v.c.SessionDBPath {
		v.bad("session_db_path", "must not be the file of auth_db_path")
	}
}

func (v *validator) authentication() {
	fixed := slices.ContainsFunc(v.c.Users, func(u User) bool { return !u.OnlyIfAbsent })
	switch {
	case v.c.AllowAnyone && v.c.AuthDBPath != "":
		v.bad("allow_anyone", "contradicts auth_db_path = %q (%s): empty that one to switch authentication off",
			v.c.AuthDBPath, v.c.Source("auth_db_path"))
	case v.c.AllowAnyone && fixed:
		v.bad("allow_anyone", "contradicts the users of the environment (%s)", v.c.Users[0].Source)
	case !v.c.AllowAnyone && v.c.AuthDBPath == "" && !fixed:
		v.bad("auth_db_path", "without a user database everybody would be let in with any password; "+
			"name a file, or set allow_anyone = yes if that is what you want")
	}
	for _, u := range v.c.Users {
		if u.OnlyIfAbsent && v.c.AuthDBPath == "" {
			v.errs = append(v.errs, fmt.Errorf("%s: user %q cannot be created, as auth_db_path is empty", u.Source, u.Name))
		}
	}
}

func (v *validator) urls() {
	if v.c.BaseURL == v.c.BaseMediaURL {
		v.bad("base_media_url", "must differ from base_url")
	}
	for _, name := range []string{"base_url", "base_media_url", "base_path"} {
		k, _ := keyNamed(name)
		if strings.ContainsAny(k.get(v.c), " \t\r\n?#%\\") || strings.Contains(k.get(v.c), "//") {
			v.bad(name, "must be a plain URL path, like %s", k.ex)
		}
	}
}

func (v *validator) listen() {
	for _, a := range v.c.Addresses() {
		if path, ok := strings.CutPrefix(a, unixPrefix); ok {
			if path == "" {
				v.bad("listen", "unix: lacks the path of the socket")
			}
			continue
		}
		host, port, err := net.SplitHostPort(a)
		if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
			v.bad("listen", "%q is neither HOST:PORT nor unix:PATH", a)
		}
		if strings.ContainsAny(host, " \t\r\n/") {
			name := "listen"
			if len(v.c.Listen) == 0 {
				name = "host"
			}
			v.bad(name, "%q is no address or host name", host)
		}
	}
	if v.c.PProf && v.c.MetricsPort == 0 {
		v.bad("pprof", "needs metrics_port too: the profiles are on that listener")
	}
}

func (v *validator) tls() {
	if (v.c.TLSCert == "") != (v.c.TLSKey == "") {
		name := "tls_cert"
		if v.c.TLSKey == "" {
			name = "tls_key"
		}
		v.bad(name, "tls_cert and tls_key go together")
	}
	if h := v.c.IPHeader; strings.ContainsFunc(h, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		v.bad("ip_header", "is no header name")
	} else if strings.EqualFold(h, "Forwarded") {
		v.bad("ip_header", "the header of RFC 7239 is not understood; let the proxy send X-Forwarded-For or X-Real-IP")
	}
}

func (v *validator) rest() {
	everybody := slices.Contains(v.c.RestAllowedHosts, "*")
	for _, h := range v.c.RestAllowedHosts {
		_, aerr := netip.ParseAddr(h)
		_, perr := netip.ParsePrefix(h)
		if h != "*" && aerr != nil && perr != nil {
			v.bad("rest_allowed_hosts", "%q is neither an address, nor a network like 10.0.0.0/8, nor *", h)
		}
	}
	if everybody && len(v.c.RestAllowedHosts) > 1 {
		v.bad("rest_allowed_hosts", "* stands alone")
	}
	if v.c.RestPort != 0 && v.c.blank["rest_token"] {
		v.bad("rest_token", "is given there, but empty: the RESTful API would ask nobody for a token; put the token in, or take it away from there")
	}
	if v.c.RestPort != 0 && v.c.RestPort == v.c.MetricsPort {
		v.bad("rest_port", "must differ from metrics_port")
	}
}

// twice refuses listeners that would be in one another's way.
func (v *validator) twice() {
	taken := map[string]bool{}
	try := func(name string, addresses ...string) {
		for _, a := range addresses {
			for other := range taken {
				if sameListener(a, other) {
					v.bad(name, "%s is listened on already, by way of %s", a, other)
					break
				}
			}
			taken[a] = true
		}
	}
	try("listen", v.c.Addresses()...)
	if v.c.RestPort != 0 && v.c.RestPort != v.c.Port { // else the API shares the sync server's
		try("rest_port", net.JoinHostPort(v.c.RestHost, strconv.Itoa(v.c.RestPort)))
	}
	if v.c.MetricsPort != 0 && v.c.MetricsPort != v.c.RestPort { // see rest
		try("metrics_port", net.JoinHostPort(v.c.MetricsHost, strconv.Itoa(v.c.MetricsPort)))
	}
}

// sameListener reports whether only one of two addresses can be listened on: they
// have the same port, not 0, and one's host is the other's or has it in it.
func sameListener(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if strings.HasPrefix(a, unixPrefix) || strings.HasPrefix(b, unixPrefix) || errA != nil || errB != nil {
		return a == b
	}
	if n, err := strconv.Atoi(portA); err != nil || n == 0 || strings.TrimLeft(portA, "0") != strings.TrimLeft(portB, "0") {
		return false
	}
	return hostA == hostB || hostWithin(hostA, hostB) || hostWithin(hostB, hostA)
}

// hostWithin reports whether who listens on all has host too.
func hostWithin(host, all string) bool {
	ip, err := netip.ParseAddr(host)
	switch all {
	case "", "::":
		return true
	case "0.0.0.0": // listened on for IPv4 alone
		return host == "" || host == "localhost" || err == nil && (ip.Is4() || ip == netip.IPv6Unspecified())
	}
	return false
}

// unixPrefix begins a listen address that is a unix socket.
const unixPrefix = "unix:"

// Addresses are what to listen on: listen, or else host and port. A unix
// socket is "unix:PATH", anything else HOST:PORT.
func (c *Config) Addresses() []string {
	if len(c.Listen) > 0 {
		return slices.Clone(c.Listen)
	}
	host := strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]")
	return []string{net.JoinHostPort(host, strconv.Itoa(c.Port))}
}
