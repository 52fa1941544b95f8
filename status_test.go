//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/ankisyncd/ankisyncd/config"
)

// TestStatusChecksTakeTheShortCut: net/http has nothing to do with them, and one
// that runs while the server ends is answered.
func TestStatusChecksTakeTheShortCut(t *testing.T) {
	goOn, came := make(chan bool), make(chan bool, 1)
	cfg := config.Default()
	cfg.Listen = []string{"127.0.0.1:0"}
	s, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sync/meta" {
			came <- r.Context().Value(http.ServerContextKey) == nil
			<-goOn
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	c, err := net.Dial("tcp", s.listeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rd := bufio.NewReader(c)
	if _, err := io.WriteString(c, "POST /sync/meta HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if !<-came {
		t.Error("net/http has read the request")
	}
	ended := make(chan struct{})
	go func() { s.shutdown(hang); close(ended) }()
	goOn <- true
	res, err := http.ReadResponse(rd, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Error(fmt.Sprint(res), err)
	}
	<-ended
}
