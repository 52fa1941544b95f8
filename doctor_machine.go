package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ankisyncd/ankisyncd/config"
)

// Limits of the doctor's patience.
const (
	diskFail    = 100 << 20 // bytes free: an upload of a small collection
	diskWarn    = 1 << 30
	clockSlack  = 5 * time.Minute // beyond which Anki refuses to sync
	certWarning = 14 * 24 * time.Hour
	oldestYear  = 2025 // this program is younger
)

// machine checks everything but the data itself.
func (d *doctor) machine(ctx context.Context) {
	d.clock(time.Now())
	d.dataRoot()
	d.databaseFolders()
	d.disk()
	d.network()
	d.listeners(ctx)
	d.certificate(time.Now())
	d.running(ctx)
}

func (d *doctor) clock(now time.Time) {
	const advice = "set the clock, for instance by an NTP service; Anki refuses to sync when the clocks differ by more than five minutes"
	if now.Year() < oldestYear {
		d.fail("clock", advice, "it says %s", now.Format(time.RFC3339))
		return
	}
	// A file from the future: the clock was wrong when it was written, or is
	// now, or the file system has a clock of its own.
	var newest time.Time
	var path string
	for _, p := range []string{d.cfg.AuthDBPath, d.cfg.SessionDBPath, d.cfg.DataRoot} {
		if fi, err := os.Stat(config.Abs(p)); p != "" && err == nil && fi.ModTime().After(newest) {
			newest, path = fi.ModTime(), p
		}
	}
	if newest.After(now.Add(clockSlack)) {
		d.warn("clock", advice, "it says %s, but %s was changed at %s", now.Format(time.RFC3339), path, newest.Format(time.RFC3339))
		return
	}
	d.ok("clock", "%s", now.Format(time.RFC3339))
}

func (d *doctor) dataRoot() {
	root := config.Abs(d.cfg.DataRoot)
	fi, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := writable(existingParent(root)); err != nil {
			d.fail("data_root", "make it and give it to the user that the server runs as, or look at data_root", "%s is not there, and cannot be made: %v", root, err)
			return
		}
		d.warn("data_root", "if there should be users already, look at data_root and the working directory (relative paths count from there); otherwise the server makes it", "%s is not there", root)
		return
	case err != nil:
		d.fail("data_root", "see that the server's user may enter it", "%v", err)
		return
	case !fi.IsDir():
		d.fail("data_root", "name a folder", "%s is no folder", root)
		return
	}
	if err := writable(root); err != nil {
		d.fail("data_root", "give it to the user that the server runs as (chown -R), and see that the file system is not mounted read-only", "%s cannot be written: %v", root, err)
		return
	}
	if fi.Mode().Perm()&0o007 != 0 && !strings.HasPrefix(root, os.TempDir()) {
		d.ok("data_root", "%s (other users of this machine may look into it: mode %#o)", root, fi.Mode().Perm())
		return
	}
	d.ok("data_root", "%s", root)
}

func (d *doctor) disk() {
	root := existingParent(config.Abs(d.cfg.DataRoot))
	free, ok := freeBytes(root)
	if !ok {
		return
	}
	const advice = "make room; uploads, snapshots and each sync need it, and are refused (with nothing lost) when there is none"
	switch {
	case free < diskFail:
		d.fail("disk", advice, "%s free at %s", byteSize(free), root)
	case free < diskWarn:
		d.warn("disk", advice, "%s free at %s", byteSize(free), root)
	default:
		d.ok("disk", "%s free at %s", byteSize(free), root)
	}
}

// existingParent is path or the nearest folder above it that exists.
func existingParent(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// network looks at who can connect.
func (d *doctor) network() {
	open := false // to other machines
	for _, a := range d.cfg.Addresses() {
		open = open || !private(a)
	}
	where := strings.Join(d.cfg.Addresses(), ", ")
	if open && d.cfg.TLSCert == "" {
		d.warn("listen", "fine at home or behind a proxy on another machine; otherwise set tls_cert and tls_key, or host = 127.0.0.1 with a proxy that speaks TLS",
			"%s: other machines can connect, and passwords travel unencrypted", where)
	} else {
		d.ok("listen", "%s", where)
	}
	d.proxies(open)
	if d.cfg.MetricsPort != 0 && !private(net.JoinHostPort(d.cfg.MetricsHost, "1")) {
		d.warn("metrics", "metrics_host = 127.0.0.1, or a firewall", "other machines can read /metrics, which asks for no password")
	}
}

// proxies looks at whose word about a client's address counts; open says that
// other machines can connect.
func (d *doctor) proxies(open bool) {
	for _, p := range d.cfg.TrustedProxies {
		if p.Bits() == 0 {
			d.warn("proxy", "name the proxy's own address in trusted_proxies", "trusted_proxies has %s: everybody can claim any address, which defeats the throttling of logins", p)
			return
		}
	}
	switch {
	case !open && d.cfg.IPHeader == "":
		d.warn("proxy", "let the proxy send X-Forwarded-For, and set ip_header to that",
			"the server listens for this machine only, so probably behind a proxy, but ip_header is empty: all clients seem to come from one address, and are throttled together")
	case open && d.cfg.TLSCert == "" && d.cfg.IPHeader != "" && d.cfg.Source("trusted_proxies") == "default":
		d.ok("proxy", "%s of a proxy on this machine is believed; a proxy elsewhere has to stand in trusted_proxies", d.cfg.IPHeader)
	default:
		d.ok("proxy", "ip_header %q, trusted: %s", d.cfg.IPHeader, prefixes(d.cfg.TrustedProxies))
	}
}

func prefixes(list []netip.Prefix) string {
	if len(list) == 0 {
		return "nobody"
	}
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, ", ")
}

// private reports whether only this machine can connect to a listener.
func private(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (d *doctor) certificate(now time.Time) {
	if d.cfg.TLSCert == "" {
		return
	}
	advice := "renew it; the server reads it again by itself when the files change"
	if strings.HasPrefix(d.cfg.Source("tls_cert"), "credential ") {
		advice = "renew it, and restart the service: systemd gives a credential as it was at the start"
	}
	pair, err := tls.LoadX509KeyPair(config.Abs(d.cfg.TLSCert), config.Abs(d.cfg.TLSKey))
	if err != nil {
		d.fail("tls", "see tls_cert and tls_key, and that the server's user may read them", "%v", err)
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch {
	case err != nil:
		d.fail("tls", advice, "%v", err)
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		d.fail("tls", advice, "the certificate is valid from %s to %s only", leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	case now.Add(certWarning).After(leaf.NotAfter):
		d.warn("tls", advice, "the certificate expires on %s", leaf.NotAfter.Format(time.DateOnly))
	default:
		d.ok("tls", "certificate of %s, valid to %s", strings.Join(leaf.DNSNames, ", "), leaf.NotAfter.Format(time.DateOnly))
	}
	if fi, err := os.Stat(config.Abs(d.cfg.TLSKey)); err == nil && readableByAll(fi) {
		d.warn("tls", "chmod 600", "every user of this machine can read the key %s", d.cfg.TLSKey)
	}
}

// running asks the server. That it does not run is no fault.
func (d *doctor) running(ctx context.Context) {
	switch err := checkHealth(ctx, d.cfg, ""); {
	case err == nil:
		d.ok("server", "running")
	case nobodyListens(err):
		d.ok("server", "not running")
	default:
		d.ok("server", "not running, or not reachable from here: %v", err)
	}
}

// nobodyListens reports whether the machine itself says that nobody is at an
// address: refused, or a socket that is not there.
func nobodyListens(err error) bool {
	const refusedOnWindows = syscall.Errno(10061)
	return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, refusedOnWindows) || errors.Is(err, fs.ErrNotExist)
}
