package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ankisyncd/ankisyncd/config"
)

// certCheckEvery is how often the files of the certificate are looked at, at
// most, when clients connect.
const certCheckEvery = 10 * time.Second

// certificate is a TLS certificate that is read again when its files change. A
// new one that cannot be read is logged, and the old one stays in use.
type certificate struct {
	certPath, keyPath string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	version [2]fileVersion
	checked time.Time
}

type fileVersion struct {
	mtime time.Time
	size  int64
}

// loadCertificate reads the certificate for the first time.
func loadCertificate(certPath, keyPath string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certPath: certPath, keyPath: keyPath, log: log}
	version := c.versions()
	if err := c.read(version); err != nil {
		return nil, err
	}
	c.checked = time.Now()
	return c, nil
}

// checkCertificate reports why the server could not serve TLS, if it is to.
func checkCertificate(cfg *config.Config) error {
	if cfg.TLSCert == "" || cfg.TLSKey == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(config.Abs(cfg.TLSCert), config.Abs(cfg.TLSKey)); err != nil {
		return fmt.Errorf("tls_cert (%s), tls_key (%s): %w", cfg.Source("tls_cert"), cfg.Source("tls_key"), err)
	}
	return nil
}

func (c *certificate) versions() (v [2]fileVersion) {
	for i, path := range []string{c.certPath, c.keyPath} {
		if info, err := os.Stat(path); err == nil {
			v[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return v
}

func (c *certificate) read(version [2]fileVersion) error {
	pair, err := tls.LoadX509KeyPair(c.certPath, c.keyPath)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.current, c.version = &pair, version
	return nil
}

// reload reads the files again if they changed, or if force is set.
func (c *certificate) reload(force bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reloadLocked(force)
}

func (c *certificate) reloadLocked(force bool) {
	c.checked = time.Now()
	version := c.versions()
	if version == c.version && !force {
		return
	}
	if err := c.read(version); err != nil {
		// Perhaps only one of the two files is new yet: c.version is the
		// old one still, so the next look tries again.
		c.log.Error("certificate not reloaded, the old one stays in use", "err", err)
		return
	}
	c.log.Info("certificate reloaded", "cert", c.certPath)
}

// config is the TLS configuration that uses it.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Said here, because net/http would leave HTTP/2 unprepared if a
		// listener without TLS, a unix socket, were served first.
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if time.Since(c.checked) >= certCheckEvery {
				c.reloadLocked(false)
			}
			return c.current, nil
		},
	}
}
