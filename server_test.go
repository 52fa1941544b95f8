package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/config"
)

// TestOriginalLog: the form of the Python servers, and one line per record
// whatever is in it.
func TestOriginalLog(t *testing.T) {
	var b bytes.Buffer
	log, _ := newLogger(&b, config.Default())
	log.Debug("not shown")
	log.With(loggerKey, "users").Info("Authentication failed for user bob")
	log.WithGroup("g").Warn("evil\n[2026-01-01 00:00:00,000]:INFO:x:y", "user", "a b", "n", 1)
	log.Error("e", "err", io.EOF, slog.Group("r", "path", "/x\ny"), loggerKey, "http")
	want := regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]:INFO:ankisyncd\.users:Authentication failed for user bob
\[[^]]*\]:WARNING:ankisyncd:evil\\n\[2026-01-01 00:00:00,000\]:INFO:x:y g\.user="a b" g\.n=1
\[[^]]*\]:ERROR:ankisyncd\.http:e err=EOF r\.path="/x\\ny"
$`)
	if !want.Match(b.Bytes()) {
		t.Errorf("got:\n%s", &b)
	}
}

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{config.LogText: "msg=m a=1", config.LogJSON: `"msg":"m","a":1`} {
		var b bytes.Buffer
		cfg := config.Default()
		cfg.LogFormat, cfg.LogLevel = format, "debug"
		log, flush := newLogger(&b, cfg)
		log.Debug("m", "a", 1)
		flush()
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s: %s", format, &b)
		}
	}
}

// pipes is a network in memory: there the clock of a test may be a pretended one.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	close(p.done)
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// serve has the server on such a network until the test ends, and returns a
// client of it.
func (p *pipes) serve(t *testing.T, h http.Handler) *http.Client {
	t.Helper()
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = srv.Serve(p) }()
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
	})
	return &http.Client{Transport: transport}
}

// TestStall: a body that moves may take longer than the time-out, one that does
// not is given up.
func TestStall(t *testing.T) {
	synctest.Test(t, testStall)
}

func testStall(t *testing.T) {
	const stall = time.Minute
	client := newPipes().serve(t, &guard{stall: stall, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
			return
		}
		time.Sleep(stall / 4)
		_, _ = r.Body.Read(make([]byte, 1)) // some decoders ask once more
		time.Sleep(2 * stall)               // long work after the body: the client is still there
		if r.Context().Err() != nil {
			t.Error("the context ended while the client waited")
		}
		_, _ = io.WriteString(w, strings.Repeat("x", int(n)))
	})})
	send := func(pause time.Duration) (string, time.Duration, error) {
		began := time.Now()
		body, w := io.Pipe()
		var sender sync.WaitGroup
		defer sender.Wait()
		defer body.Close()
		sender.Go(func() {
			for range 4 {
				if _, err := io.WriteString(w, "abc"); err != nil {
					return
				}
				time.Sleep(pause)
			}
			_ = w.Close()
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			return "", time.Since(began), err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.Status + string(b), time.Since(began), err
	}
	for range 2 { // the second on the same connection
		const pause = stall - stall/rearm - 1
		if got, took, err := send(pause); err != nil || got != "200 OKxxxxxxxxxxxx" || took != 4*pause+stall/4+2*stall {
			t.Errorf("slow body: %q after %s, %v", got, took, err)
		}
	}
	got, took, err := send(4 * stall)
	if err == nil && !strings.HasPrefix(got, "408") || took != stall {
		t.Errorf("stalled body: %q after %s, %v", got, took, err)
	}
}

// TestRefusedBody: an answer to a request whose body nobody has read does not wait
// for more of it than net/http needs to keep the connection, nor longer than for a
// body that is read.
func TestRefusedBody(t *testing.T) {
	const stall = time.Minute
	long := strings.Repeat("x", 16<<10) // more than net/http buffers
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/read":
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusRequestTimeout)
			}
			_, _ = io.Copy(io.Discard, r.Body)
		case "/long":
			_, _ = io.WriteString(w, long)
		default:
			http.NotFound(w, r)
		}
	})
	for name, tt := range map[string]struct {
		path, header, body string
		status             []int
		took               time.Duration
		closes             bool
	}{
		"huge":               {"/", "Content-Length: 99999999", "ab", []int{404}, 0, true},
		"expects, refused":   {"/", "Content-Length: 5\r\nExpect: 100-continue", "", []int{404}, 0, true},
		"expects, huge":      {"/", "Content-Length: 99999999\r\nExpect: 100-continue", "", []int{404}, 0, true},
		"expects, in chunks": {"/", "Transfer-Encoding: chunked\r\nExpect: 100-continue", "", []int{404}, 0, true},
		"expects, read":      {"/read", "Content-Length: 5\r\nExpect: 100-continue", "12345", []int{100, 200}, 0, false},
		"small":              {"/", "Content-Length: 5", "12345", []int{404}, 0, false},
		"stopped, read":      {"/read", "Content-Length: 5", "12", []int{408}, stall, true},
		"stopped, long":      {"/long", "Content-Length: 5", "12", []int{200}, stall, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := newPipes()
				line.serve(t, &guard{stall: stall, next: h})
				conn, err := line.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				_ = conn.SetDeadline(began.Add(time.Hour)) // of the test's clock
				head := "POST " + tt.path + " HTTP/1.1\r\nHost: x\r\n" + tt.header + "\r\n\r\n"
				rd := bufio.NewReader(conn)
				if !strings.Contains(head, "Expect") {
					head += tt.body
				}
				if _, err := io.WriteString(conn, head); err != nil {
					t.Fatal(err)
				}
				for _, want := range tt.status {
					res, err := http.ReadResponse(rd, nil)
					if err != nil {
						t.Fatal(err)
					}
					if res.StatusCode == http.StatusContinue {
						if _, err := io.WriteString(conn, tt.body); err != nil {
							t.Fatal(err)
						}
					} else if _, err := io.Copy(io.Discard, res.Body); err != nil {
						t.Error(err)
					}
					if took := time.Since(began); res.StatusCode != want || took != tt.took || want != 100 && res.Close != tt.closes {
						t.Errorf("%s after %s, closes: %v", res.Status, took, res.Close)
					}
				}
				if tt.closes {
					if b, err := rd.Peek(1); err != io.EOF { //nolint:errorlint // by contract
						t.Errorf("after the answer: %q, %v", b, err)
					}
					return
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if res, err := http.ReadResponse(rd, nil); err != nil || res.StatusCode != http.StatusNotFound {
					t.Errorf("the next request: %v, %v", res, err)
				}
			})
		})
	}
}

// TestStallWriter: a client that takes nothing is cut off.
func TestStallWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall = time.Minute
		ended := make(chan error, 1)
		line := newPipes()
		line.serve(t, &guard{stall: stall, next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var err error
			for block := make([]byte, 4<<20); err == nil; {
				_, err = w.Write(block)
			}
			ended <- err
		})})
		conn, err := line.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-ended
		if took := time.Since(began); took != stall {
			t.Errorf("cut off after %s", took)
		}
	})
}

func TestLimitConnections(t *testing.T) { synctest.Test(t, testLimitConnections) }

func testLimitConnections(t *testing.T) {
	line := newPipes()
	limited := limitConnections([]net.Listener{line}, 1)[0]
	accepted := make(chan net.Conn, 2)
	go func() {
		defer close(accepted)
		for {
			conn, err := limited.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		go func() {
			if conn, err := line.dial(t.Context(), "", ""); err == nil {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1))
			}
		}()
	}
	synctest.Wait()
	if len(accepted) != 1 {
		t.Fatalf("%d at once", len(accepted))
	}
	first := <-accepted
	_, _ = first.Close(), first.Close() // twice must not free two
	second := <-accepted
	synctest.Wait()
	if len(accepted) != 0 {
		t.Error("two at once, after one was closed")
	}
	if err := limited.Close(); err != nil { // while Accept waits for a slot
		t.Fatal(err)
	}
	if _, open := <-accepted; open {
		t.Error("accepted after Close")
	}
	_ = second.Close()
}

func TestListenUnix(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sockets have no file modes here")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	ln, err := listen(t.Context(), "unix:"+path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), "unix:"+path, 0o600); err == nil {
		t.Error("a socket in use was taken")
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed server leaves it
	_ = ln.Close()
	ln, err = listen(t.Context(), "unix:"+path, 0o600)
	if err != nil {
		t.Errorf("stale socket: %v", err)
	} else {
		_ = ln.Close()
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), "unix:"+path, 0o600); err == nil {
		t.Error("a file was replaced")
	}
}

// writeCertificate makes a self-signed certificate with that serial number.
func writeCertificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTLSReload serves TLS, replaces the certificate, and keeps the old one
// while the files are broken.
func TestTLSReload(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	cfg := config.Default()
	cfg.Listen = []string{"127.0.0.1:0"}
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	s, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler), http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	defer s.shutdown(time.Second)
	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", s.listeners[0].Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	// A shell does not see the certificate that systemd gives to the service.
	fromOutside := config.Default()
	fromOutside.Listen = []string{s.listeners[0].Addr().String()}
	if err := checkHealth(t.Context(), fromOutside, ""); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("health over TLS: %v, want the handler's 404", err)
	}
	writeCertificate(t, dir, 2)
	s.cert.reload(true) // SIGHUP
	if got := serial(); got != 2 {
		t.Errorf("after SIGHUP: serial %d", got)
	}
	if err := os.WriteFile(cfg.TLSKey, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cert.reload(true)
	if got := serial(); got != 2 {
		t.Errorf("broken key: serial %d", got)
	}
	writeCertificate(t, dir, 3)
	s.cert.mu.Lock()
	s.cert.checked = time.Time{} // as if certCheckEvery had passed
	s.cert.mu.Unlock()
	if got := serial(); got != 3 {
		t.Errorf("changed files: serial %d", got)
	}
	if _, err := loadCertificate("/nonexistent", "/nonexistent", s.log); err == nil {
		t.Error("no error for a missing certificate")
	}
	var b strings.Builder
	s.announce(&b)
	if !strings.Contains(b.String(), "https://127.0.0.1:") {
		t.Errorf("announced:\n%s", &b)
	}
}

// TestTLSBesideUnixSocket speaks HTTP/2 to a server whose unix socket, without
// TLS, was served first: net/http prepares HTTP/2 once, for the first listener.
func TestTLSBesideUnixSocket(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	path := filepath.Join(dir, "s")
	cfg := config.Default()
	cfg.Listen = []string{"unix:" + path, "127.0.0.1:0"}
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	s, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler), hello)
	if err != nil {
		t.Fatal(err)
	}
	defer s.shutdown(time.Second)
	get := func(transport *http.Transport, url string) string {
		t.Helper()
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	all := s.listeners
	s.listeners = all[:1]
	s.start()
	if got := get(&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}, "http://unix/"); got != "HTTP/1.1" {
		t.Errorf("over the socket: %s", got)
	}
	s.listeners = all[1:]
	s.start()
	if got := get(&http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		"https://"+all[1].Addr().String()+"/"); got != "HTTP/2.0" {
		t.Errorf("over TLS: %s", got)
	}
	s.listeners = all
}

func TestHealthTarget(t *testing.T) {
	for _, c := range []struct{ host, base, want string }{
		{"0.0.0.0", "", "http://127.0.0.1:27701/"},
		{"", "", "http://127.0.0.1:27701/"},
		{"::", "/anki", "http://[::1]:27701/anki/"},
		{"10.0.0.5", "", "http://10.0.0.5:27701/"},
	} {
		cfg := config.Default()
		cfg.Host, cfg.BasePath = c.host, c.base
		if got, _, _ := healthTarget(cfg); got != c.want {
			t.Errorf("%q: got %s, want %s", c.host, got, c.want)
		}
	}
}

// TestShutdownWaits: a status check, of which net/http knows nothing, gets its
// answer while the server shuts down; one that does not end is cut.
func TestShutdownWaits(t *testing.T) {
	for _, ends := range []bool{true, false} {
		t.Run(fmt.Sprintf("ends=%t", ends), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testShutdownWaits(t, ends) })
		})
	}
}

func testShutdownWaits(t *testing.T, ends bool) {
	const timeout = 10 * time.Second
	cfg := config.Default()
	cfg.Host, cfg.Port = "127.0.0.1", 0
	goOn := make(chan struct{})
	s, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-goOn:
			_, _ = io.WriteString(w, "answered")
		case <-r.Context().Done():
			http.Error(w, "cut", http.StatusServiceUnavailable)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	closeAll(s.listeners)
	line := newPipes()
	s.listeners = []net.Listener{line}
	s.start()
	conn, err := line.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /sync/meta HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // the handler waits
	over := make(chan struct{})
	began := time.Now()
	go func() { s.shutdown(timeout); close(over) }()
	time.Sleep(timeout / 2) // of the bubble's clock
	synctest.Wait()
	select {
	case <-over:
		t.Fatal("shut down before the answer")
	default:
	}
	want := "200 answered"
	if ends {
		close(goOn)
	} else {
		want = "503 cut\n"
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if got := fmt.Sprintf("%d %s", res.StatusCode, body); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	<-over
	if took := time.Since(began); ends && took > timeout/2+time.Second || !ends && (took < timeout || took > timeout+cutTimeout) {
		t.Errorf("shut down after %v", took)
	}
}
