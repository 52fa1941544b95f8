package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/config"
)

// healthTimeout is how long healthcheck waits for an answer.
const healthTimeout = 5 * time.Second

func cmdHealthcheck() *cli.Command {
	return &cli.Command{
		Name:      "healthcheck",
		Usage:     "ask the running server whether it is well",
		ArgsUsage: "[URL]",
		Description: "Gets / of the server that the same configuration describes, or URL. Exits with 0 if it answers 200 " +
			"within 5 seconds, and with what this server answers there, else with 1. For containers and monitoring.",
		Category: categoryOperation,
		Flags:    settingFlags(),
		Action:   healthcheck,
	}
}

func healthcheck(c *cli.Context) error {
	if url := c.Args().First(); url != "" {
		return checkHealth(c.Context, nil, url)
	}
	cfg, err := loadConfig(c, "")
	if err != nil {
		return err
	}
	return checkHealth(c.Context, cfg, "")
}

// checkHealth asks url, or the server that cfg describes. That one may have a
// certificate that cfg does not tell of: the credential of a systemd unit is seen
// by the service only.
func checkHealth(ctx context.Context, cfg *config.Config, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if url != "" {
		return getHealth(ctx, url, "", "")
	}
	url, network, address := healthTarget(cfg)
	err := getHealth(ctx, url, network, address)
	if rest, plain := strings.CutPrefix(url, "http://"); plain && errors.Is(err, errBadRequest) {
		return getHealth(ctx, "https://"+rest, network, address)
	}
	return err
}

// errBadRequest is how net/http answers, among others, who speaks HTTP where TLS
// is expected.
var errBadRequest = errors.New("not well: 400 Bad Request")

// getHealth asks url, at an address of its own if one is given.
func getHealth(ctx context.Context, url, network, address string) error {
	client := &http.Client{Transport: &http.Transport{
		// The certificate is of a name that we do not know, and it is our
		// own server: what counts is that it answers.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // nothing secret is sent
		DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
			if address != "" {
				n, a = network, address
			}
			return (&net.Dialer{}).DialContext(ctx, n, a)
		},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not well: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusBadRequest {
		return errBadRequest
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("not well: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return errors.New("not well: " + res.Status)
	}
	// A page of our server's, such as /readyz, has another text.
	if page := req.URL.Path; (page == "" || strings.HasSuffix(page, "/")) && strings.TrimSpace(string(body)) != banner {
		return errors.New("not well: what answers is another program")
	}
	return nil
}

// healthTarget is the URL of the server's first address, and what to connect
// to for it: an address like 0.0.0.0 is reached through loopback.
func healthTarget(cfg *config.Config) (url, network, address string) {
	first := cfg.Addresses()[0]
	if path, ok := strings.CutPrefix(first, "unix:"); ok {
		return "http://unix" + cfg.BasePath + "/", "unix", path
	}
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(first) // Validate has seen it
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		if host = "127.0.0.1"; ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	address = net.JoinHostPort(host, port)
	return scheme + "://" + address + cfg.BasePath + "/", "tcp", address
}
