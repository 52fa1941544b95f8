package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard decides who may call. The original looked at an address only, and
// believed any header about it (docs/compat.md §6.1).
type guard struct {
	everybody bool
	prefixes  []netip.Prefix
	local     bool // loopback is among the prefixes: unix sockets may call, too
	token     [sha256.Size]byte
	needToken bool
	names     []string
	origins   []string
	addr      func(*http.Request) netip.Addr
}

func newGuard(o Options) *guard {
	g := &guard{origins: o.AllowedOrigins, addr: o.ClientAddr, needToken: o.Token != "", token: sha256.Sum256([]byte(o.Token))}
	for _, n := range o.ServerNames {
		g.names = append(g.names, strings.ToLower(strings.TrimSuffix(n, ".")))
	}
	hosts := o.AllowedHosts
	if len(hosts) == 0 {
		hosts = []string{"localhost"}
	}
	for _, h := range hosts {
		if h == "*" {
			g.everybody = true
			continue
		}
		ps, err := parseHost(h)
		if err != nil {
			// Fail closed: the entry admits nobody. Main refuses it at the start.
			o.Log.Error("allowed host is left out", "err", err)
			continue
		}
		g.prefixes = append(g.prefixes, ps...)
	}
	g.local = slices.ContainsFunc(g.prefixes, func(p netip.Prefix) bool { return p.Addr().IsLoopback() })
	return g
}

// CheckHosts reports the first of the AllowedHosts that cannot be understood.
func CheckHosts(hosts []string) error {
	for _, h := range hosts {
		if h == "*" {
			continue
		}
		if _, err := parseHost(h); err != nil {
			return err
		}
	}
	return nil
}

func parseHost(h string) ([]netip.Prefix, error) {
	if h == "localhost" {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil
	}
	if p, err := netip.ParsePrefix(h); err == nil {
		return []netip.Prefix{p.Masked()}, nil
	}
	a, err := netip.ParseAddr(h)
	if err != nil {
		return nil, fmt.Errorf("api: allowed host %q is neither an address nor a network", h)
	}
	a = a.Unmap().WithZone("")
	return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
}

// admit refuses who may not call, and marks answers for web pages that may.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) error {
	if !g.allowed(g.addr(r)) {
		return &httpError{status: http.StatusForbidden}
	}
	if g.needToken {
		scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
		if subtle.ConstantTimeCompare(sum[:], g.token[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			return &httpError{status: http.StatusUnauthorized}
		}
	} else if !g.ownName(r.Host) {
		// A web page of a foreign site can make its own name mean this machine.
		return &httpError{status: http.StatusForbidden, cause: fmt.Errorf("host %q", printable(r.Host))}
	}
	return g.checkOrigin(w, r)
}

func (g *guard) allowed(a netip.Addr) bool {
	if g.everybody {
		return true
	}
	if !a.IsValid() {
		return g.local
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(g.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ownName tells whether a Host header is one that no stranger can own: an
// address, a name of this machine or of the local network, or a name that was
// configured.
func (g *guard) ownName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") || slices.Contains(g.names, name) {
		return true
	}
	for _, suffix := range []string{".localhost", ".local", ".lan", ".internal", ".home.arpa"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// checkOrigin refuses calls that a browser makes for a page of another site. A
// page needs no permission to send them, only to read the answer.
func (g *guard) checkOrigin(w http.ResponseWriter, r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		// Pictures and scripts of a foreign page are fetched without an origin, too.
		if s := r.Header.Get("Sec-Fetch-Site"); s == "cross-site" && r.URL.Path != "/" {
			return &httpError{status: http.StatusForbidden}
		}
		return nil
	}
	if slices.Contains(g.origins, origin) {
		g.allowOrigin(w, origin)
		return nil
	}
	if _, host, ok := strings.Cut(origin, "://"); ok && strings.EqualFold(host, r.Host) {
		return nil
	}
	return &httpError{status: http.StatusForbidden, cause: fmt.Errorf("origin %q", printable(origin))}
}

func (g *guard) allowOrigin(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Add("Vary", "Origin")
}

// preflight answers the question that a browser asks before it lets a page of an
// allowed origin call. Nobody else gets an answer other than 405.
func (g *guard) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if r.Method != http.MethodOptions || !slices.Contains(g.origins, origin) || !g.allowed(g.addr(r)) {
		return false
	}
	g.allowOrigin(w, origin)
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
