package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/config"
)

// BenchmarkStatusCheck is all that the server itself does for a status check with
// which nothing has changed: from the request's bytes to those of the answer, with
// the looks at files and the log's line, without the network.
func BenchmarkStatusCheck(b *testing.B) {
	packed, err := os.Open(filepath.Join("testdata", "collections", "fresh-26.09.anki2.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		b.Fatal(err)
	}
	col, err := io.ReadAll(unpacked)
	if err != nil {
		b.Fatal(err)
	}
	b.Chdir(b.TempDir())
	cfg, err := config.Load(config.LoadOptions{Environ: []string{"ANKISYNCD_HOST=127.0.0.1", "ANKISYNCD_PORT=0"}, ExeDir: b.TempDir(), Home: b.TempDir()})
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		b.Fatal(err)
	}
	users, err := auth.Open(b.Context(), authOptions(cfg, slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	if err := users.AddUser(b.Context(), "user", "password"); err != nil {
		b.Fatal(err)
	}
	if err := users.Close(); err != nil {
		b.Fatal(err)
	}
	log, flush := newLogger(io.Discard, cfg)
	defer flush()
	h, closeStores, err := buildHandlers(b.Context(), cfg, log, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = closeStores() }()
	s, err := newServer(b.Context(), cfg, log, h.sync)
	if err != nil {
		b.Fatal(err)
	}
	defer closeAll(s.listeners)

	enc, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		b.Fatal(err)
	}
	defer dec.Close()
	const client = "anki,26.9.3,linux:debian"
	header := func(key string) string { return fmt.Sprintf(`{"v":11,"k":%q,"c":%q,"s":"abcdefgh"}`, key, client) }
	// ask is for the steps before.
	ask := func(step, key, body string) []byte {
		r := httptest.NewRequest(http.MethodPost, "/sync/"+step, bytes.NewReader(enc.EncodeAll([]byte(body), nil)))
		r.Header.Set("anki-sync", header(key))
		w := httptest.NewRecorder()
		h.sync.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(step, w.Code, w.Body)
		}
		out, err := dec.DecodeAll(w.Body.Bytes(), nil)
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	var login struct{ Key string }
	if err := json.Unmarshal(ask("hostKey", "", `{"u":"user","p":"password"}`), &login); err != nil {
		b.Fatal(err)
	}
	if got := ask("upload", login.Key, string(col)); string(got) != "OK" {
		b.Fatal(string(got))
	}
	// As of a folder that has stood still for a while.
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(cfg.DataRoot, "user"), hourAgo, hourAgo); err != nil {
		b.Fatal(err)
	}
	// As clients from 2.1.57 on send it: in a chunk, in a frame that does not say how
	// long its content is.
	var body bytes.Buffer
	if enc, err = zstd.NewWriter(&body, zstd.WithWindowSize(2<<20)); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(enc, `{"v":11,"cv":%q}`, client)
	if err := errors.Join(enc.Flush(), enc.Close()); err != nil {
		b.Fatal(err)
	}
	c := &benchConn{request: fmt.Appendf(nil, "POST /sync/meta HTTP/1.1\r\nanki-sync: %s\r\ncontent-type: application/octet-stream\r\naccept: */*\r\n"+
		"host: 127.0.0.1:27701\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", header(login.Key), body.Len(), body.Bytes())}
	ln := s.front.Listen(&benchListener{c: c})
	nc, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 4096)
	again := func(times int) {
		c.left = times
		if _, err := nc.Read(buf); !errors.Is(err, io.EOF) || !bytes.HasPrefix(c.answer, []byte("HTTP/1.1 200 OK")) {
			b.Fatalf("%v\n%s", err, c.answer)
		}
	}
	again(100) // what is remembered from then on
	b.ReportAllocs()
	b.ResetTimer()
	again(b.N)
}

type benchListener struct{ c *benchConn }

func (l *benchListener) Accept() (net.Conn, error) { return l.c, nil }
func (l *benchListener) Close() error              { return nil }
func (l *benchListener) Addr() net.Addr            { return l.c.LocalAddr() }

// benchConn says the same again and again.
type benchConn struct {
	request, answer []byte
	left            int
}

func (c *benchConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	c.left--
	return copy(p, c.request), nil
}

func (c *benchConn) Write(p []byte) (int, error) {
	c.answer = append(c.answer[:0], p...)
	return len(p), nil
}

func (*benchConn) Close() error                     { return nil }
func (*benchConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (*benchConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (*benchConn) SetDeadline(time.Time) error      { return nil }
func (*benchConn) SetReadDeadline(time.Time) error  { return nil }
func (*benchConn) SetWriteDeadline(time.Time) error { return nil }
