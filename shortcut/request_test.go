package shortcut

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const plain = "POST /sync/meta HTTP/1.1\r\nHost: 127.0.0.1:27701\r\nContent-Type: application/octet-stream\r\nanki-sync: {\"v\":11}\r\nAccept: */*\r\nContent-Length: 4\r\n\r\nbody"

// used has read another request before, as those of connections have.
func used() *message {
	m := new(message)
	m.parse([]byte("POST /before HTTP/1.1\r\nHost: before\r\nContent-Length: 9\r\nAccept: before\r\nBefore: x\r\nUser-Agent: before\r\n\r\nBefore"))
	m.request(new(http.Request), "9.9.9.9:9")
	return m
}

func parse(b []byte) (m *message, ok bool) {
	m = used()
	ok = m.parse(b)
	return m, ok
}

// swap is plain with one thing other than it is.
func swap(old, with string) string {
	if !strings.Contains(plain, old) {
		panic(old)
	}
	return strings.Replace(plain, old, with, 1)
}

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"plain":               {plain, true},
		"no body":             {swap("4\r\n\r\nbody", "0\r\n\r\n"), true},
		"keep-alive":          {swap("Accept: */*", "Connection: Keep-Alive"), true},
		"empty field":         {swap("*/*", ""), true},
		"spaces around":       {swap("*/*", "  */* \t"), true},
		"doubled slash":       {swap("/sync/meta", "//sync//meta/"), true},
		"IPv6 host":           {swap("127.0.0.1:27701", "[::1]:27701"), true},
		"length with zeros":   {swap("Length: 4", "Length: 004"), true},
		"nothing":             {"", false},
		"cut head":            {plain[:60], false},
		"cut body":            {plain[:len(plain)-1], false},
		"more behind":         {plain + "P", false},
		"two":                 {plain + plain, false},
		"GET":                 {swap("POST", "GET"), false},
		"stolen byte":         {plain[1:], false},
		"HTTP/1.0":            {swap("HTTP/1.1", "HTTP/1.0"), false},
		"HTTP/2":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false},
		"absolute target":     {swap("/sync/meta", "http://x/sync/meta"), false},
		"query":               {swap("/sync/meta", "/sync/meta?k=1"), false},
		"escape":              {swap("/sync/meta", "/sync/%6deta"), false},
		"space in target":     {swap("/sync/meta", "/sync /meta"), false},
		"two spaces":          {swap("POST ", "POST  "), false},
		"line feeds only":     {strings.ReplaceAll(plain, "\r\n", "\n"), false},
		"line feed":           {swap("\r\nAccept", "\nAccept"), false},
		"carriage return":     {swap("*/*", "*\r*"), false},
		"no host":             {swap("Host", "Most"), false},
		"two hosts":           {swap("Accept: */*", "host: x"), false},
		"empty host":          {swap("127.0.0.1:27701", ""), false},
		"odd host":            {swap("127.0.0.1:27701", "a/b"), false},
		"no length":           {swap("Content-Length", "Content-Width"), false},
		"two lengths":         {swap("Accept: */*", "Content-Length: 4"), false},
		"signed length":       {swap("Length: 4", "Length: +4"), false},
		"length list":         {swap("Length: 4", "Length: 4, 4"), false},
		"huge length":         {swap("Length: 4", "Length: 99999999999999999999"), false},
		"hexadecimal length":  {swap("Length: 4", "Length: 0x4"), false},
		"chunk":               {chunked("4\r\nbody\r\n0\r\n\r\n"), true},
		"chunk in capitals":   {strings.Replace(chunked("A\r\n0123456789\r\n0\r\n\r\n"), ": chunked", ": Chunked", 1), true},
		"end in a chunk":      {chunked("b\r\nab\r\n0\r\n\r\ncd\r\n0\r\n\r\n"), true},
		"chunk and length":    {swap("Accept: */*", "Transfer-Encoding: chunked"), false},
		"chunked twice":       {strings.Replace(chunked("4\r\nbody\r\n0\r\n\r\n"), "Accept: */*", "Transfer-Encoding: chunked", 1), false},
		"chunk of gzip":       {strings.Replace(chunked("4\r\nbody\r\n0\r\n\r\n"), ": chunked", ": gzip, chunked", 1), false},
		"no chunk":            {chunked("0\r\n\r\n"), false},
		"two chunks":          {chunked("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"), false},
		"short chunk":         {chunked("3\r\nbody\r\n0\r\n\r\n"), false},
		"long chunk":          {chunked("5\r\nbody\r\n0\r\n\r\n"), false},
		"cut chunk":           {chunked("4\r\nbody\r\n0\r\n"), false},
		"chunk and more":      {chunked("4\r\nbody\r\n0\r\n\r\nP"), false},
		"two in chunks":       {strings.Repeat(chunked("4\r\nbody\r\n0\r\n\r\n"), 2), false},
		"chunk's zeros":       {chunked("04\r\nbody\r\n0\r\n\r\n"), false},
		"chunk's extension":   {chunked("4;a=b\r\nbody\r\n0\r\n\r\n"), false},
		"chunk's space":       {chunked("4 \r\nbody\r\n0\r\n\r\n"), false},
		"chunk's line feed":   {chunked("4\nbody\r\n0\r\n\r\n"), false},
		"chunk's trailer":     {chunked("4\r\nbody\r\n0\r\nX: y\r\n\r\n"), false},
		"expect":              {swap("Accept: */*", "Expect: 100-continue"), false},
		"upgrade":             {swap("Accept: */*", "Upgrade: h2c"), false},
		"close":               {swap("Accept: */*", "Connection: close"), false},
		"two connections":     {swap("Accept: */*", "Connection: keep-alive\r\nConnection: keep-alive"), false},
		"trailer":             {swap("Accept: */*", "Trailer: X"), false},
		"repeated field":      {swap("Accept: */*", "Accept: a\r\nACCEPT: b"), false},
		"folded line":         {swap("*/*", "a,\r\n b"), false},
		"space before colon":  {swap("Accept:", "Accept :"), false},
		"field without colon": {swap("Accept: */*", "Accept"), false},
		"empty name":          {swap("Accept", ""), false},
		"not ASCII":           {swap("*/*", "ä"), false},
		"NUL":                 {swap("*/*", "\x00"), false},
		"many fields":         {swap("Accept: */*\r\n", fields(maxFields)), false},
	} {
		m, ok := parse([]byte(tt.text))
		if ok != tt.ok {
			t.Errorf("%s: ok is %v", name, ok)
		}
		if ok {
			sameAsHTTP(t, []byte(tt.text), m)
		}
		if rest := map[string]int{"cut body": 1}[name]; m.rest != rest {
			t.Errorf("%s: %d bytes are missing, want %d", name, m.rest, rest)
		}
	}
}

// TestClients: what real clients send is plain.
func TestClients(t *testing.T) {
	files, err := filepath.Glob("testdata/status/[0-9]*")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded requests", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := parse(b)
		if !ok {
			t.Errorf("%s is left to net/http", filepath.Base(f))
			continue
		}
		sameAsHTTP(t, b, m)
	}
}

// chunked is plain with a body in chunks.
func chunked(body string) string {
	return strings.Replace(swap("Content-Length: 4", "Transfer-Encoding: chunked"), "\r\n\r\nbody", "\r\n\r\n"+body, 1)
}

func fields(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("x", i+1) + ": y\r\n")
	}
	return b.String()
}

// sameAsHTTP: what is taken for plain, net/http reads as the same request, and
// to the last byte.
func sameAsHTTP(t *testing.T, b []byte, m *message) {
	t.Helper()
	rd := bufio.NewReader(bytes.NewReader(b))
	want, err := http.ReadRequest(rd)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", b, err)
	}
	body, err := io.ReadAll(want.Body)
	if err != nil || !bytes.Equal(body, m.body) || rd.Buffered() > 0 {
		t.Fatalf("%q: body %q, %v, %d more; we have %q", b, body, err, rd.Buffered(), m.body)
	}
	got := m.request(new(http.Request).WithContext(t.Context()), "1.2.3.4:5")
	if got.Method != want.Method || got.URL.Path != want.URL.Path || want.URL.RawPath+want.URL.RawQuery+want.URL.Host != "" ||
		got.RequestURI != want.RequestURI || got.Proto != want.Proto || got.ProtoMajor != want.ProtoMajor || got.ProtoMinor != want.ProtoMinor ||
		got.Host != want.Host || got.ContentLength != want.ContentLength || got.Close != want.Close || !slices.Equal(got.TransferEncoding, want.TransferEncoding) || len(want.Trailer) > 0 ||
		(got.Body == http.NoBody) != (want.Body == http.NoBody) {
		t.Fatalf("%q\nas we read it       %+v\nas net/http does it %+v", b, got, want)
	}
	if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
		t.Fatalf("%q\nour header  %q\nof net/http %q", b, got.Header, want.Header)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(plain + plain))
	f.Add([]byte(plain[:len(plain)-3]))
	f.Add([]byte(swap("Accept: */*", "Connection: keep-alive")))
	f.Add([]byte(chunked("4\r\nbody\r\n0\r\n\r\n")))
	f.Add([]byte(chunked("1\r\na\r\n1\r\nb\r\n0\r\n\r\n")))
	f.Add([]byte("POST /a HTTP/1.1\r\nHost:[::1]\r\nContent-Length:0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parse(b)
		if !ok && 0 < m.rest && m.rest < 1<<16 {
			b = append(bytes.Clone(b), make([]byte, m.rest)...)
			if m, ok = parse(b); !ok {
				t.Fatalf("%q: the rest is there, and it is not whole", b)
			}
		}
		if ok {
			sameAsHTTP(t, b, m)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	text := []byte(plain)
	var m message
	for b.Loop() {
		if !m.parse(text) {
			b.Fatal("not plain")
		}
	}
}
