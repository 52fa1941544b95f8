//go:build unix

package main

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRESTListeners: the RESTful API is off unless a port is set, answers on a
// listener of its own, and on the sync server's if the port is the same.
func TestRESTListeners(t *testing.T) {
	free := func() string {
		t.Helper()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		return port
	}
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
	dir := legacyDirs()[2].unpack(t)
	env := []string{
		"ANKISYNCD_DATA_ROOT=" + filepath.Join(dir, "collections"), "ANKISYNCD_AUTH_DB_PATH=" + filepath.Join(dir, "auth.db"),
		"ANKISYNCD_SESSION_DB_PATH=" + filepath.Join(dir, "session.db"), "ANKISYNCD_HOST=127.0.0.1",
	}
	port, rest := free(), free()
	p := startServer(t, append(env, "ANKISYNCD_PORT="+port, "ANKISYNCD_REST_PORT="+rest))
	if status, body := call("http://127.0.0.1:" + rest); status != 200 || !strings.Contains(body, "alice") {
		t.Errorf("own listener: %d %s", status, body)
	}
	if status, _ := call("http://127.0.0.1:" + port); status != 404 {
		t.Errorf("the sync server's listener answers %d", status)
	}
	p.stop(syscall.SIGTERM)
	p = startServer(t, append(env, "ANKISYNCD_PORT="+port, "ANKISYNCD_REST_PORT="+port, "ANKISYNCD_REST_TOKEN=x"))
	if status, _ := call("http://127.0.0.1:" + port); status != 401 {
		t.Errorf("shared listener without the token: %d", status)
	}
	p.stop(syscall.SIGTERM)
}
