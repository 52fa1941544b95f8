package main

import (
	"bytes"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

// TestChunkedAsClients compares the form of -chunked with what Anki 26.9.3 sends, as
// recorded between it and a server: a status check is one piece, head, one chunk and
// end, in a frame with a window of 2 MiB, no length and no checksum; what is large
// comes in chunks of 4096 bytes.
func TestChunkedAsClients(t *testing.T) {
	chunked = true
	defer func() { chunked = false }()
	const meta = `{"v":11,"cv":"anki,26.09.3 (29bb700b),linux"}`
	noise := make([]byte, 10000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, tt := range []struct {
		payload []byte
		begins  string
		chunks  []string
	}{
		{[]byte(meta), "36\r\n(\xb5/\xfd\x00Xi\x01\x00" + meta + "\r\n0\r\n\r\n", nil},
		{noise, "1000\r\n(\xb5/\xfd\x00X", []string{"1000", "1000", "719", "0"}},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan []byte, 1)
		first := make(chan int, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			var all []byte
			buf := make([]byte, 64<<10)
			for !bytes.HasSuffix(all, []byte("\r\n0\r\n\r\n")) {
				n, err := c.Read(buf)
				if len(all) == 0 {
					first <- n
				}
				if all = append(all, buf[:n]...); err != nil {
					break
				}
			}
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			got <- all
		}()
		d := newDevice(&Target{URL: "http://" + ln.Addr().String(), Proto: 11, Name: "none"}, "key")
		if _, err := d.send("/sync/meta", d.encode(tt.payload)); err != nil {
			t.Error(err)
		}
		d.close()
		ln.Close()
		request := <-got
		head, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
		if !strings.HasPrefix(string(body), tt.begins) {
			t.Errorf("body begins with %.60q, want %.60q", body, tt.begins)
		}
		if n := <-first; tt.chunks == nil && n != len(request) {
			t.Errorf("%d of %d bytes come first", n, len(request))
		}
		for _, name := range []string{"content-length", "user-agent", "accept-encoding"} {
			if strings.Contains(strings.ToLower(string(head)), name) {
				t.Errorf("clients send no %s: %q", name, head)
			}
		}
		for at, i := body, 0; i < len(tt.chunks); i++ {
			size, rest, _ := bytes.Cut(at, []byte("\r\n"))
			if string(size) != tt.chunks[i] {
				t.Errorf("chunk %d has %s, want %s", i, size, tt.chunks[i])
				break
			}
			at = rest[min(len(rest), map[string]int{"1000": 4098, "719": 0x719 + 2}[tt.chunks[i]]):]
		}
	}
}
