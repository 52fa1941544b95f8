// Floor is ../floor.c in Go: a server that does nothing, on Go's own connections.
// What it reaches with one connection is what Go leaves to a server, whose
// threads sleep between two requests and are woken by the runtime.
//
//	go run ./tools/floor 19791 &
//	go run . -peers wheel,go -scenario auth,noop -target name=floor,url=http://127.0.0.1:19791,proto=11,user=u%d,pass=p
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
)

// answer is an HTTP answer with text, of at most 255 bytes, as one raw zstd frame.
func answer(text string) []byte {
	out := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nanki-original-size: %d\r\nContent-Length: %d\r\n\r\n", len(text), len(text)+9)
	out = append(out, 0x28, 0xb5, 0x2f, 0xfd, 0, 56)
	var block [4]byte
	binary.LittleEndian.PutUint32(block[:], uint32(len(text))<<3|1)
	return append(append(out, block[:3]...), text...)
}

var (
	login  = answer(`{"key":"0123456789abcdef0123456789abcdef"}`)
	stored = answer("OK")
	meta   = answer(`{"mod":1700000000000,"scm":1700000000000,"usn":1,"ts":1700000000,"media_usn":0,"musn":0,"msg":"","cont":true,"hostNum":0,"empty":false,"uname":"u1"}`)
)

func serve(c net.Conn) {
	defer c.Close()
	b, n := make([]byte, 64<<10), 0
	for {
		if n == len(b) {
			b = append(b, make([]byte, n)...) // an upload
		}
		k, err := c.Read(b[n:])
		if err != nil {
			return
		}
		n += k
		head, _, whole := bytes.Cut(b[:n], []byte("\r\n\r\n"))
		if !whole || n < len(head)+4+length(head) {
			continue
		}
		a := meta
		switch line, _, _ := bytes.Cut(head, []byte("\r\n")); {
		case bytes.Contains(line, []byte("/hostKey")):
			a = login
		case bytes.Contains(line, []byte("/upload")):
			a = stored
		}
		if _, err := c.Write(a); err != nil {
			return
		}
		n = 0
	}
}

// length is the Content-Length; these clients write it so.
func length(head []byte) int {
	_, v, _ := bytes.Cut(head, []byte("\r\nContent-Length: "))
	v, _, _ = bytes.Cut(v, []byte("\r\n"))
	n, _ := strconv.Atoi(string(v))
	return n
}

func main() {
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s PORT", os.Args[0])
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(c)
	}
}
