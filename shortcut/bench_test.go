package shortcut

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
)

// BenchmarkEmpty asks a handler that does nothing, over loopback, one request
// after the other on one connection: what either way itself costs.
func BenchmarkEmpty(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 200))
	})
	for name, wanted := range map[string]bool{"net-http": false, "shortcut": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			front := &Front{Handler: h, Context: context.Background(), Wants: func(string) bool { return wanted }}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			srv := &http.Server{Handler: h} //nolint:gosec // loopback
			front.Attach(srv)
			go func() { _ = srv.Serve(front.Listen(ln)) }()
			defer srv.Close()
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			rd, ask := bufio.NewReader(c), post("/meta", "{}")
			for b.Loop() {
				if _, err := io.WriteString(c, ask); err != nil {
					b.Fatal(err)
				}
				res, err := http.ReadResponse(rd, nil)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
		})
	}
}
