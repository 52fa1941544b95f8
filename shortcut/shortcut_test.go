package shortcut

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network whose writes return when the other end has read.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// rig is a server with the short cut, on such a network.
type rig struct {
	t     *testing.T
	front *Front
	srv   *http.Server
	net   *pipes
}

const (
	idle   = 10 * time.Minute
	header = time.Minute
	stall  = 5 * time.Minute
)

type key struct{}

// newRig serves h; the answer's header Way says which way a request came.
func newRig(t *testing.T, h http.HandlerFunc) *rig {
	t.Helper()
	g := &rig{t: t, net: &pipes{make(chan net.Conn), make(chan struct{})}}
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way := "net/http"
		if r.Context().Value(key{}) != nil {
			way = "short"
		}
		w.Header().Set("Way", way)
		h(w, r)
	})
	g.front = &Front{
		Handler: both, Context: context.WithValue(t.Context(), key{}, true), IdleTimeout: idle, HeaderTimeout: header, WriteTimeout: stall,
		Wants: func(path string) bool { return strings.HasSuffix(path, "/meta") },
	}
	g.srv = &http.Server{Handler: both, IdleTimeout: idle, ReadHeaderTimeout: header}
	g.front.Attach(g.srv)
	ended := make(chan error, 1)
	go func() { ended <- g.srv.Serve(g.front.Listen(g.net)) }()
	t.Cleanup(func() {
		_ = g.srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return g
}

// echo answers with the body that it got.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, b)
}

type client struct {
	net.Conn
	t  *testing.T
	rd *bufio.Reader
}

func (g *rig) dial() *client {
	g.t.Helper()
	mine, its := net.Pipe()
	g.net.conns <- its
	g.t.Cleanup(func() { _ = mine.Close() })
	return &client{mine, g.t, bufio.NewReader(mine)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// want reads an answer.
func (c *client) want(way, body string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.rd, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || string(b) != body || res.Header.Get("Way") != way || res.StatusCode != http.StatusOK {
		c.t.Fatalf("%d %q by %s, %v, want %q by %s", res.StatusCode, b, res.Header.Get("Way"), err, body, way)
	}
	if _, err := http.ParseTime(res.Header.Get("Date")); err != nil || res.Header.Get("Content-Type") == "" {
		c.t.Fatal(err, res.Header)
	}
}

// wantEnd: the server ends the connection now.
func (c *client) wantEnd() {
	c.t.Helper()
	began := time.Now()
	defer func() {
		if took := time.Since(began); took > 0 {
			c.t.Errorf("the end came after %v", took)
		}
	}()
	if b, err := c.rd.ReadByte(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("%q, %v, want the end", b, err)
	}
}

func post(path, body string, fields ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s", path, len(body), strings.Join(append(fields, ""), "\r\n"), body)
}

// TestWays: requests of both kinds on one connection, in any order.
func TestWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newRig(t, echo).dial()
		quick := func() { t.Helper(); c.send(post("/sync/meta", "a")); c.want("short", "POST /sync/meta a") }
		slow := func(text, want string) { t.Helper(); c.send(text); c.want("net/http", want); synctest.Wait() }
		quick()
		quick()
		slow(post("/sync/start", "b"), "POST /sync/start b")
		quick()
		slow("GET /sync/meta HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sync/meta ")
		quick()
		// In chunks: one, as clients send it, and otherwise.
		const inChunks = "POST /sync/meta HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		c.send(inChunks + "1\r\nc\r\n0\r\n\r\n")
		c.want("short", "POST /sync/meta c")
		slow(inChunks+"1\r\nc\r\n1\r\nd\r\n0\r\n\r\n", "POST /sync/meta cd")
		quick()
		c.send(inChunks + "1\r\nc\r\n")
		slow("0\r\n\r\n", "POST /sync/meta c")
		quick()
		big := strings.Repeat("d", 5000)
		slow(post("/sync/meta", big), "POST /sync/meta "+big)
		quick()
		// A request that comes in pieces, as from clients that send its head first.
		half := post("/sync/meta", "e")
		c.send(half[:20])
		slow(half[20:], "POST /sync/meta e")
		quick()
		// The body apart from its head, also in pieces.
		whole := post("/sync/meta", "body")
		for _, cut := range []int{4, 3, 1} {
			c.send(whole[:len(whole)-cut])
			for _, b := range whole[len(whole)-cut:] {
				time.Sleep(restPatience / 10)
				c.send(string(b))
			}
			c.want("short", "POST /sync/meta body")
		}
		// One that takes its time is net/http's, as is all that is for it anyhow.
		c.send(whole[:len(whole)-2])
		time.Sleep(2 * restPatience)
		slow(whole[len(whole)-2:], "POST /sync/meta body")
		quick()
		start := post("/sync/start", "body")
		c.send(start[:len(start)-2])
		slow(start[len(start)-2:], "POST /sync/start body")
		quick()
		big = post("/sync/meta", big)
		c.send(big[:100])
		slow(big[100:], "POST /sync/meta "+big[len(big)-5000:])
		quick()
		// Two at once.
		c.send(post("/sync/meta", "f") + post("/sync/meta", "g"))
		c.want("net/http", "POST /sync/meta f")
		c.want("net/http", "POST /sync/meta g")
		synctest.Wait()
		quick()
		c.send(post("/sync/meta", "h", "Connection: close"))
		c.want("net/http", "POST /sync/meta h")
		c.wantEnd()
	})
}

// TestStolenByte: net/http reads one byte ahead while a request runs. What
// follows is then no request of its own, however much it looks like one.
func TestStolenByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan bool)
		c := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				_, _ = io.Copy(io.Discard, r.Body)
				<-goOn
			}
			echo(w, r)
		}).dial()
		for _, stolen := range []string{"X", "P"} {
			c.send(post("/wait", "a"))
			c.send(stolen) // returns when net/http has it
			goOn <- true
			c.want("net/http", "POST /wait ")
			if stolen == "X" {
				c.send(post("/sync/meta", "b"))
				c.want("net/http", "XPOST /sync/meta b")
			} else {
				c.send(post("/sync/meta", "b")[1:])
				c.want("net/http", "POST /sync/meta b")
			}
			synctest.Wait()
			c.send(post("/sync/meta", "c"))
			c.want("short", "POST /sync/meta c")
		}
		// Nor is what follows the beginning of a field.
		c.send(post("/wait", "a"))
		c.send("G")
		goOn <- true
		c.want("net/http", "POST /wait ")
		c.send("ET / HTTP/1.1\r\nHost: x\r\nX: ")
		c.send("POST /sync/meta HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
		c.want("net/http", "GET / ")
	})
}

// TestAnswers: what the handler may do to its answer.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.SetReadDeadline(time.Now()), rc.SetWriteDeadline(time.Now())); err != nil {
				t.Error(err)
			}
			switch string(b) {
			case "error":
				http.Error(w, "no", http.StatusForbidden)
			case "nothing":
			case "no content":
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusNoContent)
				w.WriteHeader(http.StatusOK)
			case "close":
				w.Header().Set("Connection", "close")
				_, _ = io.WriteString(w, "bye")
			case "injected":
				w.Header().Set("X", "a\r\nB: c")
			case "abort":
				panic(http.ErrAbortHandler)
			case "large":
				_, _ = w.Write(make([]byte, 1<<20))
			}
		})
		for _, tt := range []struct {
			ask    string
			status int
			body   string
			ends   bool
		}{
			{"error", 403, "no\n", false},
			{"nothing", 200, "", false},
			{"no content", 204, "", false},
			{"close", 200, "bye", true},
			{"injected", 200, "", false},
			{"large", 200, strings.Repeat("\x00", 1<<20), false},
		} {
			c := g.dial()
			c.send(post("/meta", tt.ask))
			res, err := http.ReadResponse(c.rd, &http.Request{Method: http.MethodPost})
			if err != nil {
				t.Fatal(tt.ask, err)
			}
			b, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status || string(b) != tt.body || res.Close != tt.ends || res.Header.Get("Way") != "short" || res.Header.Get("B") != "" {
				t.Errorf("%s: %d %.20q close %v %v %v", tt.ask, res.StatusCode, b, res.Close, res.Header, err)
			}
			if tt.ends {
				c.wantEnd()
				continue
			}
			c.send(post("/meta", "error")) // the connection is good for another
			if res, err := http.ReadResponse(c.rd, nil); err != nil || res.StatusCode != 403 {
				t.Errorf("after %s: %v", tt.ask, err)
			}
		}
		c := g.dial()
		c.send(post("/meta", "abort"))
		c.wantEnd()
	})
}

// TestTimeouts: the deadlines are those that net/http would have set.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, echo)
		quick := func(c *client) { t.Helper(); c.send(post("/meta", "a")); c.want("short", "POST /meta a") }
		ends := func(c *client, want time.Duration) {
			t.Helper()
			began := time.Now()
			if _, err := io.Copy(io.Discard, c.rd); err != nil { // net/http may say why
				t.Error(err)
			}
			// Deadlines are not moved for every request.
			if took := time.Since(began); took > want || took < want-want/rearm {
				t.Errorf("ended after %v, want %v", took, want)
			}
		}
		c := g.dial() // new: net/http's own limit is for the first head
		quick(c)
		ends(c, idle)

		c = g.dial()
		for range 20 {
			quick(c)
			time.Sleep(idle / 2)
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			c.want("net/http", "GET / ")
			time.Sleep(idle / 2)
		}
		for range 100 {
			time.Sleep(idle / rearm / 10)
			quick(c)
		}
		ends(c, idle)

		for _, before := range []bool{false, true} { // the head that never ends
			c = g.dial()
			if before {
				quick(c)
				time.Sleep(idle / 2)
			}
			c.send("POST /meta HTTP/1.1\r\nHost")
			ends(c, header)
		}

		for _, before := range []bool{false, true} { // a body that takes its time, between two requests
			c = g.dial()
			if before {
				quick(c)
			}
			half := post("/meta", "ab")
			c.send(half[:len(half)-1])
			time.Sleep(restPatience / 2)
			c.send("b")
			c.want("short", "POST /meta ab")
			ends(c, idle)
		}
		c = g.dial() // a body that is cut
		half := post("/meta", "ab")
		c.send(half[:len(half)-1])
		_ = c.Close()
		synctest.Wait()

		c = g.dial() // the client that takes nothing
		quick(c)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("net/http", "GET / ")
		synctest.Wait()
		c.send(post("/meta", "a"))
		began := time.Now()
		g.wantClosed(c)
		if took := time.Since(began); took > stall || took < stall-stall/rearm {
			t.Errorf("cut off after %v, want %v", took, stall)
		}
	})
}

// wantClosed waits for the server to close the connection, reading nothing.
func (g *rig) wantClosed(c *client) {
	g.t.Helper()
	if _, err := io.WriteString(c, "x"); !errors.Is(err, io.ErrClosedPipe) {
		g.t.Errorf("got %v, want the end", err)
	}
}

// TestShutdown: who waits for his next request is not waited for, and who waits
// for his answer gets it.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan bool)
		running := atomic.Int32{}
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/wait") {
				running.Add(1)
				defer running.Add(-1)
				<-goOn
			}
			echo(w, r)
		})
		waits := g.dial() // new to net/http
		waits.send(post("/meta", "a"))
		waits.want("short", "POST /meta a")
		idles := g.dial() // known to it
		idles.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		idles.want("net/http", "GET / ")
		synctest.Wait()
		idles.send(post("/meta", "a"))
		idles.want("short", "POST /meta a")
		// Two are being answered, one on either kind of connection.
		first := g.dial()
		first.send(post("/wait/meta", "b"))
		second := g.dial()
		second.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		second.want("net/http", "GET / ")
		synctest.Wait()
		second.send(post("/wait/meta", "c"))
		synctest.Wait()
		if n := running.Load(); n != 2 {
			t.Fatalf("%d requests run", n)
		}

		// One has been answered, and takes his time.
		slow := g.dial()
		slow.send(post("/meta", "d"))
		synctest.Wait()

		began := time.Now()
		done := make(chan error, 1)
		go func() {
			g.front.Shutdown()
			done <- errors.Join(g.srv.Shutdown(t.Context()), g.front.Wait(t.Context()))
		}()
		waits.wantEnd()
		idles.wantEnd()
		synctest.Wait()
		slow.want("short", "POST /meta d")
		slow.wantEnd()
		goOn <- true
		goOn <- true
		for c, body := range map[*client]string{first: "b", second: "c"} {
			c.want("short", "POST /wait/meta "+body)
			c.wantEnd()
		}
		if err := <-done; err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if len(g.front.conns) > 0 {
			t.Errorf("%d connections are remembered", len(g.front.conns))
		}
	})
}

// TestShutdownAwaitsBody: a request whose body is on its way when the shutdown
// begins gets its answer, as from net/http; if the body takes its time the
// connection may end.
func TestShutdownAwaitsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, echo)
		fresh := g.dial()
		answered := g.dial() // new to net/http, but not to us
		answered.send(post("/meta", "a"))
		answered.want("short", "POST /meta a")
		idles := g.dial() // known to it
		idles.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		idles.want("net/http", "GET / ")
		late := g.dial()
		late.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		late.want("net/http", "GET / ")
		time.Sleep(10 * time.Second) // net/http grants new connections 5
		whole := post("/meta", "body")
		for _, c := range []*client{fresh, answered, idles, late} {
			c.send(whole[:len(whole)-1])
		}
		synctest.Wait()
		done := make(chan error, 1)
		go func() {
			g.front.Shutdown()
			done <- errors.Join(g.srv.Shutdown(t.Context()), g.front.Wait(t.Context()))
		}()
		time.Sleep(restPatience / 2)
		for _, c := range []*client{fresh, answered, idles} {
			c.send(whole[len(whole)-1:])
			c.want("short", "POST /meta body")
			c.wantEnd()
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := late.rd.ReadByte(); !errors.Is(err, io.EOF) {
			t.Error("late:", err)
		}
	})
}

// TestClosedMeanwhile: http.Server.Shutdown closes connections that it takes for
// idle. One that is about to answer answers, and ends.
func TestClosedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan bool)
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait/meta" {
				<-goOn
			}
			echo(w, r)
		})
		c := g.dial()
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("net/http", "GET / ")
		synctest.Wait()
		c.send(post("/wait/meta", "a"))
		synctest.Wait() // it is being handled: what comes later may be cut off, as in net/http
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.srv.Shutdown(ctx); err != nil {
			t.Error(err) // net/http believes that all is closed
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.rd.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want nothing yet", err)
		}
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.front.Wait(late); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting while a request runs: %v", err)
		}
		_ = c.SetReadDeadline(time.Time{})
		goOn <- true
		waited := make(chan error, 1)
		go func() { waited <- g.front.Wait(t.Context()) }()
		synctest.Wait()
		time.Sleep(time.Second)
		select {
		case err := <-waited:
			t.Errorf("did not wait for the answer to be sent: %v", err)
		default:
		}
		c.want("short", "POST /wait/meta a")
		c.wantEnd()
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
}

// TestNoneAfterShutdown: what comes then is net/http's, which says that the
// connection ends.
func TestNoneAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, echo)
		c := g.dial()
		g.front.Shutdown()
		c.send(post("/meta", "a"))
		c.want("net/http", "POST /meta a")
	})
}

// TestPipelinedHead: a body that is read when its head came along with the
// request before is no request, though it looks like one.
func TestPipelinedHead(t *testing.T) {
	for _, head := range []string{
		"POST /sync/upload HTTP/1.1", "OPTIONS * HTTP/1.1",
	} {
		synctest.Test(t, func(t *testing.T) {
			body := post("/sync/meta", "smuggled")
			c := newRig(t, func(w http.ResponseWriter, r *http.Request) {
				// As large as net/http's own buffer, or larger.
				b := make([]byte, 64<<10)
				n, err := r.Body.Read(b)
				if err != nil && !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				_, _ = fmt.Fprintf(w, "%s %s", r.Method, b[:n])
			}).dial()
			method, _, _ := strings.Cut(head, " ")
			for _, before := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", post("/other", "a")} {
				c.send(before + fmt.Sprintf("%s\r\nHost: x\r\nContent-Length: %d\r\n\r\n", head, len(body)))
				if strings.HasPrefix(before, "GET") {
					c.want("net/http", "GET ")
				} else {
					c.want("net/http", "POST a")
				}
				synctest.Wait()
				c.send(body)
				c.want("net/http", method+" "+body)
				synctest.Wait()
				c.send(post("/sync/meta", "b"))
				c.want("short", "POST b")
			}
		})
	}
}
