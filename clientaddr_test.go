package main

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/ankisyncd/ankisyncd/config"
)

func TestClientAddr(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		name, peer, header string
		values             []string
		want               string
	}{
		{"no proxy", "203.0.113.1:5", "X-Forwarded-For", nil, "203.0.113.1"},
		{"lie of a client", "203.0.113.1:5", "X-Forwarded-For", []string{"1.2.3.4"}, "203.0.113.1"},
		{"proxy", "127.0.0.1:5", "X-Forwarded-For", []string{"203.0.113.1"}, "203.0.113.1"},
		{"proxy without header", "127.0.0.1:5", "X-Forwarded-For", nil, "127.0.0.1"},
		{"lie through a proxy", "127.0.0.1:5", "X-Forwarded-For", []string{"1.2.3.4, 203.0.113.1"}, "203.0.113.1"},
		{"lie in a header of its own", "127.0.0.1:5", "X-Forwarded-For", []string{"1.2.3.4", "203.0.113.1"}, "203.0.113.1"},
		{"two proxies", "127.0.0.1:5", "X-Forwarded-For", []string{"1.2.3.4, 203.0.113.1, 10.1.1.1"}, "203.0.113.1"},
		{"rubbish", "127.0.0.1:5", "X-Forwarded-For", []string{"203.0.113.1, <script>"}, "127.0.0.1"},
		{"only proxies", "127.0.0.1:5", "X-Forwarded-For", []string{"10.1.1.1"}, "10.1.1.1"},
		{"IPv6", "[::1]:5", "X-Real-IP", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:5", "x-real-ip", []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		{"with port", "127.0.0.1:5", "CloudFront-Viewer-Address", []string{"203.0.113.1:4711"}, "203.0.113.1"},
		{"unix socket", "@", "X-Forwarded-For", []string{"203.0.113.1"}, "203.0.113.1"},
		{"unix socket without header", "", "X-Forwarded-For", nil, "invalid IP"},
		{"no header configured", "127.0.0.1:5", "", []string{"203.0.113.1"}, "127.0.0.1"},
	} {
		cfg := config.Default()
		cfg.IPHeader, cfg.TrustedProxies = c.header, proxies
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		for _, v := range c.values {
			r.Header.Add(c.header, v)
		}
		if got := clientAddr(cfg)(r).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
