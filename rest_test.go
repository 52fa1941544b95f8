//go:build unix

package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestRESTListeners: the RESTful API is off unless a port is set, answers on a
// listener of its own, and on the sync server's if the port is the same.
func TestRESTListeners(t *testing.T) {
	call := func(url string) (int, string) {
		t.Helper()
		resp, err := http.Post(url+"/list_collections", "application/json", strings.NewReader("{}"))
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
}
