//go:build unix

package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRESTListeners: the RESTful API is off unless a port is set, answers on a
// listener of its own, and on the sync server's if the port is the same; below
// base_path as well, and over TLS if the server has a certificate.
func TestRESTListeners(t *testing.T) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	call := func(url string) (int, string) {
		t.Helper()
		resp, err := client.Post(url+"/list_collections", "application/json", strings.NewReader("{}"))
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	_, env := legacyEnv(t)
	env = append(env, "ANKISYNCD_HOST=127.0.0.1")
	var port, rest string
	p := startOnPorts(t, 2, func(ports []string) *process {
		port, rest = ports[0], ports[1]
		return tryServer(t, append(env, "ANKISYNCD_PORT="+port, "ANKISYNCD_REST_PORT="+rest))
	})
	if status, body := call("http://127.0.0.1:" + rest); status != 200 || !strings.Contains(body, "alice") {
		t.Errorf("own listener: %d %s", status, body)
	}
	if status, _ := call("http://127.0.0.1:" + port); status != 404 {
		t.Errorf("the sync server's listener answers %d", status)
	}
	p.stop(syscall.SIGTERM)
	p = startOnPorts(t, 1, func(ports []string) *process {
		port = ports[0]
		return tryServer(t, append(env, "ANKISYNCD_PORT="+port, "ANKISYNCD_REST_PORT="+port, "ANKISYNCD_REST_TOKEN=x"))
	})
	if status, _ := call("http://127.0.0.1:" + port); status != 401 {
		t.Errorf("shared listener without the token: %d", status)
	}
	p.stop(syscall.SIGTERM)
	p = startOnPorts(t, 1, func(ports []string) *process {
		port = ports[0]
		return tryServer(t, append(env, "ANKISYNCD_PORT="+port, "ANKISYNCD_REST_PORT="+port, "ANKISYNCD_BASE_PATH=/anki"))
	})
	for _, path := range []string{"", "/anki"} {
		if status, body := call("http://127.0.0.1:" + port + path); status != 200 || !strings.Contains(body, "alice") {
			t.Errorf("shared listener, %q: %d %s", path, status, body)
		}
	}
	if status, _ := call("http://127.0.0.1:" + port + "/ankia"); status != 404 {
		t.Errorf("shared listener, below another path: %d", status)
	}
	p.stop(syscall.SIGTERM)
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	p = startOnPorts(t, 2, func(ports []string) *process {
		port, rest = ports[0], ports[1]
		return tryServer(t, append(env, "ANKISYNCD_PORT="+port, "ANKISYNCD_REST_PORT="+rest, "ANKISYNCD_BASE_PATH=/anki",
			"ANKISYNCD_TLS_CERT="+filepath.Join(dir, "cert.pem"), "ANKISYNCD_TLS_KEY="+filepath.Join(dir, "key.pem")))
	})
	for _, path := range []string{"", "/anki"} {
		if status, body := call("https://127.0.0.1:" + rest + path); status != 200 || !strings.Contains(body, "alice") {
			t.Errorf("own listener with a certificate, %q: %d %s", path, status, body)
		}
	}
	if status, body := call("http://127.0.0.1:" + rest); status != 400 || strings.Contains(body, "alice") {
		t.Errorf("own listener with a certificate, without TLS: %d %s", status, body)
	}
	p.stop(syscall.SIGTERM)
}
