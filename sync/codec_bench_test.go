package sync

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/media"
)

// codecSizes are the sizes of a message: nothing, and a chunk of 250 rows.
var codecSizes = []struct {
	name string
	body []byte
}{
	{"empty", []byte("{}")},
	{"chunk", []byte(strings.Repeat(`[1500000000000,1500000000001,1400000001000,0,1700000000,-1,2,2,1000,300,2500,7,0,0,0,0,0,"{}"],`, 250))},
}

// anyone is a server that lets everybody in, so that what is measured is the
// decoding.
func anyone(b *testing.B) *Server {
	b.Helper()
	users, err := auth.Open(b.Context(), auth.Options{AllowAnyone: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = users.Close() })
	return New(Options{Auth: users, TempDir: b.TempDir()})
}

func benchRequest(b *testing.B, size int, header http.Header, body []byte) {
	b.Helper()
	s := anyone(b)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/sync/hostKey", bytes.NewReader(body))
		r.Header = header
		c := &call{s: s, r: r, step: step{name: "hostKey", anonymous: true}}
		if err := c.read(); err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, c.payload)
		if err != nil || int(n) != size {
			b.Fatalf("%d bytes, %v", n, err)
		}
		c.close()
	}
}

// BenchmarkRequestHeader decodes a request of protocol 11: one header, zstd.
func BenchmarkRequestHeader(b *testing.B) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range codecSizes {
		b.Run(s.name, func(b *testing.B) {
			h := http.Header{"Anki-Sync": {`{"v":11,"k":"0123456789abcdef0123456789abcdef","c":"anki,26.9.3,linux","s":"abcdefgh"}`}}
			benchRequest(b, len(s.body), h, enc.EncodeAll(s.body, nil))
		})
	}
}

// BenchmarkRequestForm decodes a request of protocol 10: a form, gzip.
func BenchmarkRequestForm(b *testing.B) {
	for _, s := range codecSizes {
		b.Run(s.name, func(b *testing.B) {
			var packed bytes.Buffer
			zw := gzip.NewWriter(&packed)
			if _, err := zw.Write(s.body); err != nil {
				b.Fatal(err)
			}
			if err := zw.Close(); err != nil {
				b.Fatal(err)
			}
			body := field("c", "1") + field("k", "key") + data(packed.String()) + "--B--"
			benchRequest(b, len(s.body), http.Header{"Content-Type": {"multipart/form-data; boundary=B"}}, []byte(body))
		})
	}
}

// BenchmarkAnswer encodes a JSON answer for protocol 11.
func BenchmarkAnswer(b *testing.B) {
	for _, s := range codecSizes {
		b.Run(s.name, func(b *testing.B) {
			c := &call{header: true, version: maxProtocol}
			b.SetBytes(int64(len(s.body)))
			b.ReportAllocs()
			for b.Loop() {
				w := &responder{ResponseWriter: httptest.NewRecorder()}
				if err := w.bytes(c, s.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFewWords decodes the body of a status check as a stream, as all bodies
// were, and in one go.
func BenchmarkFewWords(b *testing.B) {
	body := []byte(desktopMeta)
	b.Run("stream", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := &call{}
			if err := c.readZstd(bytes.NewReader(body)); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadAll(c.payload); err != nil {
				b.Fatal(err)
			}
			c.close()
		}
	})
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		s := New(Options{Media: &media.Store{}})
		for b.Loop() {
			c := &call{s: s}
			if err := c.readTiny(bytes.NewReader(body)); err != nil || c.whole == nil {
				b.Fatal(err)
			}
		}
	})
}
