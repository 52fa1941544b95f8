package main

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ankisyncd/ankisyncd/config"
)

// clientAddr returns the function that tells where a request comes from. What a
// header says is believed only of a trusted proxy: anybody else could name any
// address, and escape the throttling of logins that way.
func clientAddr(cfg *config.Config) func(*http.Request) netip.Addr {
	trusted := func(a netip.Addr) bool {
		for _, p := range cfg.TrustedProxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) netip.Addr {
		var peer netip.Addr // none: a unix socket
		if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			peer = ap.Addr().Unmap()
		}
		if cfg.IPHeader == "" || peer.IsValid() && !trusted(peer) {
			return peer
		}
		said := r.Header.Values(cfg.IPHeader)
		if len(said) == 0 {
			return peer
		}
		// Each proxy appends whom it heard from: from the right, the first
		// that is no proxy of ours is the last word of somebody trusted.
		hops := strings.Split(strings.Join(said, ","), ",")
		addr := peer
		for i := len(hops) - 1; i >= 0; i-- {
			a, ok := parseHop(hops[i])
			if !ok {
				break
			}
			addr = a
			if !trusted(a) {
				break
			}
		}
		return addr
	}
}

// parseHop reads an address as proxies write it, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
