//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hang is when a test gives up on a server that neither does its work nor ends.
const hang = 2 * time.Minute

// process is a running server: the real program, in a folder of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	ended  bool
	urls   []string // of the lines "Listening on"
	stdout []string
	stderr *strings.Builder
}

// startServer starts the program and waits until it listens.
func startServer(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := tryServer(t, env, args...)
	if p.ended {
		t.Fatalf("the server ended:\n%s", p.stderr)
	}
	return p
}

// startOnPorts starts a server that listens on ports which no test can leave to
// the system, because it needs their numbers. Between choosing one and listening
// on it anybody may take it: then others are tried.
func startOnPorts(t *testing.T, n int, start func(ports []string) *process) *process {
	t.Helper()
	for {
		p := start(freePorts(t, n))
		switch {
		case !p.ended:
			return p
		case !strings.Contains(p.stderr.String(), "address already in use"):
			t.Fatalf("the server ended:\n%s", p.stderr)
		}
	}
}

// freePorts are n different ones of 127.0.0.1.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// tryServer starts the program and returns when it serves, or has ended.
func tryServer(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: t.TempDir(), stderr: &strings.Builder{}}
	p.cmd = exec.Command(self, args...)
	p.cmd.Args[0] = "ankisyncd" // see TestMain
	p.cmd.Dir = p.dir
	p.cmd.Env = append([]string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		p.stdout = append(p.stdout, lines.Text())
		if url, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			p.urls = append(p.urls, url)
		}
		if strings.Contains(lines.Text(), "2.0.27") || len(p.urls) > 0 && strings.HasPrefix(p.urls[0], "unix:") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p
		}
	}
	_ = p.cmd.Wait()
	p.ended = true
	return p
}

// stop sends the signal, and wants exit code 0.
func (p *process) stop(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v: %v\n%s", sig, err, p.stderr)
	}
	if !strings.Contains(p.stderr.String(), "Exiting...") {
		p.t.Errorf("no word of leaving in the log:\n%s", p.stderr)
	}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, res.Status, err)
	}
	return string(b)
}

func TestServeAndSignals(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := startServer(t, []string{"SYNC_USER1=me:secret", "ANKISYNCD_HOST=127.0.0.1"}, "--port", "0")
		if got := get(t, http.DefaultClient, p.urls[0]); got != "Anki Sync Server" {
			t.Errorf("GET / = %q", got)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		get(t, http.DefaultClient, p.urls[0]) // it lives on
		if code := run([]string{"ankisyncd", "healthcheck", p.urls[0]}, strings.NewReader(""), io.Discard, io.Discard); code != 0 {
			t.Errorf("healthcheck: %d", code)
		}
		if _, err := os.Stat(filepath.Join(p.dir, "collections")); err != nil {
			t.Error(err)
		}
		p.stop(sig)
		for _, want := range []string{":INFO:ankisyncd:ankisyncd ", ":INFO:ankisyncd:Setting host from ENV", ":INFO:ankisyncd.http:Serving HTTP on 127.0.0.1 port "} {
			if !strings.Contains(p.stderr.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, p.stderr)
			}
		}
		if strings.Contains(p.stderr.String(), "secret") {
			t.Errorf("password in the log:\n%s", p.stderr)
		}
	}
}

// TestServeAnnouncesLast: where to point Anki is the last that is said before
// anybody syncs, behind the lines of the log that were written together.
func TestServeAnnouncesLast(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self, "--port", "0")
	cmd.Args[0] = "ankisyncd" // see TestMain
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "SYNC_USER1=me:secret", "ANKISYNCD_HOST=127.0.0.1"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Listening on ") {
		said.WriteString(lines.Text() + "\n")
	}
	if !strings.Contains(said.String(), "Serving HTTP on ") {
		t.Errorf("announced after only\n%s", &said)
	}
	_ = cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
}

// TestServeCreatesAccount: ankisyncd-rs makes the account that its environment
// names, once, also where the folder of its database is not there yet.
func TestServeCreatesAccount(t *testing.T) {
	dir := t.TempDir()
	env := []string{"ANKISYNCD_USERNAME=me", "ANKISYNCD_PASSWORD=secret%", "ANKISYNCD_DATA_ROOT=" + dir + "/c", "ANKISYNCD_AUTH_DB_PATH=" + dir + "/c/auth.db"}
	for range 2 {
		p := startServer(t, env, "--listen", "127.0.0.1:0")
		p.stop(syscall.SIGTERM)
	}
	var out strings.Builder
	code := run([]string{"ankisyncd", "--set", "auth_db_path=" + dir + "/c/auth.db", "lsuser"}, strings.NewReader(""), &out, io.Discard)
	if code != 0 || out.String() != "me\n" {
		t.Errorf("lsuser: %d, %q", code, out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "c", "me")); err != nil {
		t.Error(err)
	}
}

// TestServeStopsDespiteStalledRequest: a client that stopped within its request
// must not hold the server up.
func TestServeStopsDespiteStalledRequest(t *testing.T) {
	p := startServer(t, nil, "--listen", "127.0.0.1:0", "--set", "shutdown_timeout=1s")
	conn, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(p.urls[0], "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The server says "go on" when it begins to wait for the body.
	_, err = io.WriteString(conn, "POST /sync/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"+
		"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(hang)); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := io.WriteString(conn, "abc"); err != nil {
		t.Fatal(err)
	}
	p.stop(syscall.SIGTERM)
}

func TestServeSeveralListeners(t *testing.T) {
	p := startServer(t, nil, "--listen", "127.0.0.1:0 unix:s.sock", "--set", "socket_mode=0600")
	info, err := os.Stat(filepath.Join(p.dir, "s.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	unix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(p.dir, "s.sock"))
	}}}
	get(t, http.DefaultClient, p.urls[0])
	get(t, unix, "http://unix/")
	if code := run([]string{"ankisyncd", "--listen", "unix:" + filepath.Join(p.dir, "s.sock"), "healthcheck"},
		strings.NewReader(""), io.Discard, io.Discard); code != 0 {
		t.Errorf("healthcheck: %d", code)
	}
	p.stop(syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(p.dir, "s.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestPortInUse: it says so, and exits with 1.
func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Chdir(t.TempDir())
	var out, errs strings.Builder
	code := run([]string{"ankisyncd", "--listen", ln.Addr().String()}, strings.NewReader(""), &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "address already in use") || out.Len() > 0 {
		t.Errorf("code %d, stdout %q, stderr %q", code, &out, &errs)
	}
}

// TestSystemd plays the service manager: a socket handed over, readiness, signs
// of life, the word that it stops.
func TestSystemd(t *testing.T) {
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// LISTEN_PID must be the server's own: the shell becomes the server.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" --port 1`, filepath.Join(linkTo(t, self), "ankisyncd"))
	cmd.Dir = dir
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = []string{"HOME=" + dir, "LISTEN_FDS=1", "NOTIFY_SOCKET=" + filepath.Join(dir, "notify"), "WATCHDOG_USEC=200000"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	expect := func(want string) {
		t.Helper()
		buf := make([]byte, 100)
		for {
			_ = manager.SetReadDeadline(time.Now().Add(hang))
			n, err := manager.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if got := string(buf[:n]); got == want {
				return
			} else if got != "WATCHDOG=1" {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
	expect("READY=1")
	get(t, http.DefaultClient, "http://"+ln.Addr().String()+"/")
	expect("WATCHDOG=1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// linkTo makes a folder with the program under its name.
func linkTo(t *testing.T, self string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "ankisyncd")); err != nil {
		t.Fatal(err)
	}
	return dir
}
