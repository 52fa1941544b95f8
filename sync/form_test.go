package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
)

type part struct{ name, content string }

// readForm reads a whole form through readers of several habits.
func readForm(t *testing.T, body, boundary string) ([]part, error) {
	t.Helper()
	var first []part
	var firstErr error
	for i, r := range []io.Reader{
		strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body)), iotest.DataErrReader(strings.NewReader(body)),
	} {
		var parts []part
		f := newFormReader(r, boundary, []int{formBuffer, formBufferLess}[i%2])
		var err error
		for {
			var p *formPart
			if p, err = f.next(); err != nil {
				break
			}
			var b []byte
			if b, err = io.ReadAll(p); err != nil {
				break
			}
			parts = append(parts, part{p.name, string(b)})
		}
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		if i == 0 {
			first, firstErr = parts, err
			continue
		}
		if fmt.Sprint(parts) != fmt.Sprint(first) || (err == nil) != (firstErr == nil) {
			t.Errorf("reader %d: %q, %v; at once: %q, %v", i, parts, err, first, firstErr)
		}
	}
	return first, firstErr
}

func field(name, value string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func data(value string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"data\"; filename=\"data\"\r\nContent-Type: application/octet-stream\r\n\r\n" + value + "\r\n"
}

func TestForm(t *testing.T) {
	long := strings.Repeat("0123456789abcde\r", 3*formBuffer/16)
	for _, c := range []struct {
		name, body string
		want       []part
		bad        bool
	}{
		{name: "fields first", body: field("k", "key") + field("c", "1") + data("payload") + "--B--\r\n", want: []part{{"k", "key"}, {"c", "1"}, {"data", "payload"}}},
		{name: "data first", body: data("payload") + field("c", "1") + field("k", "key") + "--B--\r\n", want: []part{{"data", "payload"}, {"c", "1"}, {"k", "key"}}},
		{name: "no closing boundary after a field, as 2.0 sends it", body: field("k", "key") + field("v", "x"), want: []part{{"k", "key"}, {"v", "x"}}},
		{name: "no closing boundary after data", body: field("k", "key") + data("payload"), bad: true},
		{name: "cut in a field", body: field("k", "key") + "--B\r\nContent-Disposition: form-data; name=\"v\"\r\n\r\nx", bad: true},
		{name: "cut in a header", body: "--B\r\nContent-Dispo", bad: true},
		{name: "cut in a boundary", body: field("k", "key") + "--B", bad: true},
		{name: "empty values", body: field("k", "") + data("") + "--B--\r\n", want: []part{{"k", ""}, {"data", ""}}},
		{name: "nearly a boundary", body: data("a\r\n--b\r\n--\r\n-\r\n\r\nz\r") + "--B--", want: []part{{"data", "a\r\n--b\r\n--\r\n-\r\n\r\nz\r"}}},
		{name: "longer than the buffer", body: data(long) + field("k", "v") + "--B--", want: []part{{"data", long}, {"k", "v"}}},
		{name: "preamble of an empty line", body: "\r\n" + field("k", "v") + "--B--", want: []part{{"k", "v"}}},
		{name: "no parts", body: "--B--\r\n"},
		{name: "another boundary", body: "--X\r\n\r\n\r\n--X--", bad: true},
		{name: "empty", body: "", bad: true},
		{name: "garbage", body: "garbage", bad: true},
		{name: "endless header", body: "--B\r\n" + strings.Repeat("X: y\r\n", 5000), bad: true},
		{name: "many parts", body: strings.Repeat(field("k", "v"), maxFormParts+1) + "--B--", bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readForm(t, c.body, "B")
			if (err != nil) != c.bad {
				t.Fatalf("error %v, want one: %v", err, c.bad)
			}
			if !c.bad && fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %.200q, want %.200q", got, c.want)
			}
		})
	}
}

// FuzzForm: a form as the standard library writes it is read back as it was,
// however the bytes arrive; a form cut off anywhere before its end gives no
// part that was not there, and never the whole of a cut data part.
func FuzzForm(f *testing.F) {
	f.Add("key", "payload", "1", uint(1000))
	f.Add("", "a\r\n--B\r\n--\r\n--B--", "\r\n", uint(40))
	f.Add("k\r", "\r\n--", "x", uint(170))
	f.Fuzz(func(t *testing.T, k, payload, c string, cut uint) {
		const boundary = "Anki-sync-boundary"
		if strings.Contains(k+"\n"+payload+"\n"+c, "--"+boundary) {
			return // a writer would have chosen another boundary
		}
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		_ = w.SetBoundary(boundary)
		_ = w.WriteField("k", k)
		p, _ := w.CreateFormFile("data", "data")
		_, _ = io.WriteString(p, payload)
		_ = w.WriteField("c", c)
		_ = w.Close()
		want := []part{{"k", k}, {"data", payload}, {"c", c}}
		got, err := readForm(t, body.String(), boundary)
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
		short := body.String()[:min(int(cut%(1<<20)), body.Len())]
		got, err = readForm(t, short, boundary)
		if len(got) > len(want) || err == nil && len(short) < strings.Index(body.String(), "name=\"c\"") && len(got) > 1 {
			t.Fatalf("of %q: got %q, %v", short, got, err)
		}
		for i, p := range got {
			if p.name == "data" && p != want[i] {
				t.Fatalf("of %q: data %q", short, p.content)
			}
		}
	})
}

// FuzzFormBytes: no bytes whatever cost more parts than allowed, or a panic.
func FuzzFormBytes(f *testing.F) {
	f.Add(field("k", "key") + data("payload") + "--B--")
	f.Add("--B\r\nContent-Disposition: form-data; name*=utf-8''x\r\n\r\n\r\n--B--")
	f.Fuzz(func(t *testing.T, body string) {
		got, _ := readForm(t, body, "B")
		if len(got) > maxFormParts {
			t.Fatalf("%d parts", len(got))
		}
	})
}

func BenchmarkForm(b *testing.B) {
	body := []byte(data(strings.Repeat("x\r\ny", 1<<20)) + field("k", "v") + "--B--")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		f := newFormReader(bytes.NewReader(body), "B", formBuffer)
		for {
			p, err := f.next()
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, p)
		}
	}
}
