//go:build unix

package main

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestMetrics counts what a real server did.
func TestMetrics(t *testing.T) {
	var base string
	_, env := legacyEnv(t)
	p := startOnPorts(t, 1, func(ports []string) *process {
		base = "http://127.0.0.1:" + ports[0]
		return tryServer(t, append(env, "ANKISYNCD_LISTEN=127.0.0.1:0"),
			"--set", "metrics_port="+ports[0], "--set", "pprof=yes", "--set", "log_level=error")
	})
	url := strings.TrimSuffix(p.urls[0], "/")
	if status := metaStatus(t, url, aliceKey); status != http.StatusOK {
		t.Fatal(status)
	}
	fields := map[string]string{"k": aliceKey, "s": "x", "v": oldVersion}
	if status, _ := oldClient(t, url, "sync/download", fields, map[string]any{}); status != http.StatusOK {
		t.Fatal(status)
	}
	if status := metaStatus(t, url, "nonsense"); status != http.StatusForbidden {
		t.Fatal(status)
	}
	for _, pw := range []string{"wrong", "alice-pw"} {
		_, _ = oldClient(t, url, "sync/hostKey", nil, map[string]string{"u": "alice", "p": pw})
	}
	numbers := get(t, http.DefaultClient, base+"/metrics")
	for _, want := range []string{
		`ankisyncd_requests_total{client="desktop 2.1",code="200",step="meta"} 1`,
		`ankisyncd_requests_total{client="unknown",code="403",step="meta"} 1`,
		`ankisyncd_syncs_total{client="desktop 2.1",kind="download",result="ok"} 1`,
		`ankisyncd_logins_total{result="failure"} 1`,
		`ankisyncd_logins_total{result="success"} 1`,
		`ankisyncd_logins_total{result="throttled"} 0`,
		`ankisyncd_body_bytes_total{direction="out",step="download"} [1-9]`,
		`ankisyncd_request_duration_seconds_count{step="meta"} 2`,
		`ankisyncd_body_bytes_count{direction="in"} 5`,
		`ankisyncd_open_collections 1`,
		`ankisyncd_users 2`,
		`ankisyncd_build_info{goversion="go[^"]*",version="[^"]+"} 1`,
		`go_goroutines \d`,
		`process_open_fds \d`,
	} {
		if !regexp.MustCompile(`(?m)^` + strings.NewReplacer("{", `\{`, "}", `\}`).Replace(want)).MatchString(numbers) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(numbers)
	}
	if !strings.Contains(get(t, http.DefaultClient, base+"/debug/pprof/cmdline"), "metrics_port") {
		t.Error("no profiles")
	}
	// Not on the sync server's own address.
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if res, err := http.Get(url + path); err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the sync server: %v %v", path, res, err)
		}
	}
	if err := errors.Join(p.cmd.Process.Signal(syscall.SIGTERM), p.cmd.Wait()); err != nil {
		t.Error(err)
	}
}
