package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// repeated is a text, another one n times, and a third, made while it is read.
func repeated(before, middle string, n int64, after string) io.Reader {
	return io.MultiReader(strings.NewReader(before), &loop{text: middle, left: n * int64(len(middle))}, strings.NewReader(after))
}

type loop struct {
	text string
	at   int
	left int64
}

func (l *loop) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && l.left > 0 {
		m := copy(p[n:min(int64(len(p)), int64(n)+l.left)], l.text[l.at:])
		n, l.left, l.at = n+m, l.left-int64(m), (l.at+m)%len(l.text)
	}
	return n, nil
}

// TestLargeChunkIsNotKept: however long a message, the scanner holds a window of
// it, and the rows come in batches.
func TestLargeChunkIsNotKept(t *testing.T) {
	const rows, text = 20_000, 4000
	row := `[1,"g",2,3,4,"","` + strings.Repeat("x", text) + `\u001fy","","",0,""],`
	sc := newScanner(repeated(`{"chunk":{"notes":[`, row, rows, row[:len(row)-1]+`],"done":true}}`))
	got, most := 0, 0
	done := false
	err := readApplyChunk(sc, &rowBatch{handOn: func(c collection.Chunk) error {
		got += len(c.Notes)
		most = max(most, len(c.Notes))
		done = c.Done
		return nil
	}})
	if err != nil || got != rows+1 || !done {
		t.Fatalf("%d rows, done %v, %v", got, done, err)
	}
	if most > batchBytes/text+1 {
		t.Errorf("%d rows of %d bytes in one batch", most, text)
	}
	if cap(sc.b) > scanWindow {
		t.Errorf("a window of %d bytes", cap(sc.b))
	}
	short := newScanner(repeated(`{"chunk":{"revlog":[`, `[1,2,3,4,5,6,7,8,0],`, 1000, `[1,2,3,4,5,6,7,8,0]]}}`))
	most = 0
	err = readApplyChunk(short, &rowBatch{handOn: func(c collection.Chunk) error {
		most = max(most, len(c.Revlog))
		return nil
	}})
	if err != nil || most != batchRows {
		t.Errorf("%d rows in one batch, %v", most, err)
	}
}

// TestLongText: the window grows for a long text, and no further than allowed.
func TestLongText(t *testing.T) {
	for n, ok := range map[int64]bool{scanWindow - 2: true, scanWindow: true, maxText - 2: true, maxText - 1: false, 4 * maxText: false} {
		sc := newScanner(repeated(`"`, "x", n, `"`))
		got, err := sc.str()
		if ok && (err != nil || int64(len(got)) != n) || !ok && (err == nil || !errors.Is(sc.broken(), errTooLong)) {
			t.Errorf("a text of %d bytes: %d, %v, %v", n, len(got), err, sc.broken())
		}
		if cap(sc.b) > maxText {
			t.Errorf("a text of %d bytes: a window of %d", n, cap(sc.b))
		}
		sc = newScanner(repeated(`"`, "x", n, `"`))
		if err := sc.skip(0); err != nil || cap(sc.b) > scanWindow || int64(sc.longest) != n+2 {
			t.Errorf("a text of %d bytes to be skipped: %v, a window of %d, longest %d", n, err, cap(sc.b), sc.longest)
		}
	}
}

// message is a call whose payload is made while it is read, and may be read
// again.
func message(s *Server, step string, payload func() io.Reader) *call {
	c := &call{s: s, step: s.steps[step], r: httptest.NewRequest(http.MethodPost, "/", nil)}
	c.again = func() (io.Reader, error) { return payload(), nil }
	c.payload = payload()
	return c
}

// TestSurvey: what is looked through and refused has not been kept, nor touched
// anything. (There are no stores here to touch.)
func TestSurvey(t *testing.T) {
	for _, tt := range []struct {
		name, step            string
		before, middle, after string
		n                     int64
		status                int // 0: it is passed on
	}{
		{"zeros", "applyChunk", "", "\x00", "", 40 << 20, 413},
		{"zeros, fewer", "applyChunk", "", "\x00", "", 2 << 20, 400},
		{"one text", "applyChunk", `{"chunk":{"notes":[[1,"`, "a", `"]]}}`, 40 << 20, 413},
		{"one text, less", "applyChunk", `{"chunk":{"notes":[[1,"`, "a", `"]]}}`, 12 << 20, 413},
		{"one key", "applyChunk", `{"`, "a", `":1}`, 12 << 20, 413},
		{"spaces", "applyChunk", `{"chunk":{}`, " ", `}`, 40 << 20, 413},
		{"nesting", "applyChunk", "", "[", "", 2 << 20, 400},
		{"cut off", "applyChunk", `{"chunk":{"notes":[`, `[1,2],`, "", 1 << 20, 400},
		{"something behind", "applyChunk", `{"chunk":{"notes":[`, `[1,2],`, "[]]}}x", 1 << 20, 400},
		{"objects", "applyChanges", `{"changes":{"models":[`, "{},", `{}]}}`, 1 << 20, 413},
		{"ids", "applyGraves", `{"chunk":{"cards":[`, "1,", `1]}}`, 1 << 20, 413},
		{"config", "applyChanges", `{"changes":{"conf":{"x":"`, "a", `"}}}`, 25 << 20, 413},
		{"a limit of its own", "meta", `{"v":11,"cv":"`, "a", `"}`, 2 << 20, 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{MaxMessageBytes: 30 << 20})
			c := message(s, tt.step, func() io.Reader { return repeated(tt.before, tt.middle, tt.n, tt.after) })
			_, err := c.answer()
			if got := statusOf(err); got != tt.status {
				t.Errorf("%d, want %d: %v", got, tt.status, err)
			}
			if s.memory.left != largeMemory {
				t.Errorf("%d of %d left", s.memory.left, largeMemory)
			}
		})
	}
}

// TestHeadIsSmall: no more than a small message is kept before it is known how
// large it is.
func TestHeadIsSmall(t *testing.T) {
	in := &loop{text: "x", left: 100 << 20}
	c := message(New(Options{}), "applyChunk", func() io.Reader { return in })
	msg, whole, err := c.head()
	if msg != nil || whole || err != nil {
		t.Errorf("%d bytes, whole %v, %v", len(msg), whole, err)
	}
	if read := 100<<20 - in.left; read > smallMessage+1 {
		t.Errorf("%d bytes read", read)
	}
}

// TestLargeMessagesWait: a large message waits for memory, and not for ever; a
// small one does not wait.
func TestLargeMessagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		giveBack, err := s.memory.take(t.Context(), largeMemory)
		if err != nil {
			t.Fatal(err)
		}
		large := func() io.Reader { return repeated(`{"v":`, " ", 2<<20, `x`) }
		began := time.Now()
		_, err = message(s, "applyChunk", large).answer()
		if statusOf(err) != http.StatusServiceUnavailable || time.Since(began) != largePatience {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		small := func() io.Reader { return strings.NewReader(`x`) }
		began = time.Now()
		if _, err = message(s, "start", small).answer(); statusOf(err) != http.StatusBadRequest || time.Since(began) != 0 {
			t.Errorf("small: %v after %s", err, time.Since(began))
		}
		answered := make(chan error, 1)
		go func() {
			_, err := message(s, "applyChunk", large).answer()
			answered <- err
		}()
		synctest.Wait()
		select {
		case err := <-answered:
			t.Errorf("did not wait: %v", err)
		default:
		}
		giveBack()
		if err := <-answered; statusOf(err) != http.StatusBadRequest {
			t.Error(err)
		}
	})
}

// TestLargeMessagesWaitOnce: all the waits of one message together are no longer.
func TestLargeMessagesWaitOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		c := message(s, "applyChunk", func() io.Reader { return strings.NewReader("{}") })
		began := time.Now()
		giveBack, err := s.memory.take(t.Context(), largeMemory)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*largePatience/4, giveBack)
		first, err := c.share(largeMemory)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.share(1); statusOf(err) != http.StatusServiceUnavailable || time.Since(began) != largePatience {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		first()
	})
}

// TestGravesAsTextOrNumbers: ids come as either.
func TestGravesAsTextOrNumbers(t *testing.T) {
	for in, want := range map[string]string{
		`[1, "2" ,-3]`: "[1 2 -3]", `[]`: "[]", `null`: "[]", ` [ "1600000000000" ] `: "[1600000000000]",
		`["x"]`: "", `[null]`: "", `{}`: "", `[[1]]`: "", `["9223372036854775808"]`: "",
	} {
		var l looseIDs
		err := l.UnmarshalJSON([]byte(in))
		if want == "" {
			if err == nil {
				t.Errorf("%s: %v, want an error", in, l)
			}
		} else if err != nil || fmt.Sprint(l) != want {
			t.Errorf("%s: %v, %v", in, l, err)
		}
	}
}

// TestSpoolIsReadAgain: from memory and from a file.
func TestSpoolIsReadAgain(t *testing.T) {
	c := &call{s: New(Options{TempDir: t.TempDir()}), r: httptest.NewRequest(http.MethodPost, "/", nil)}
	c.session.User = "u"
	for _, n := range []int{10, spoolInMemory + 10} {
		want := bytes.Repeat([]byte("0123456789"), n/10)
		sp, err := c.spool(bytes.NewReader(want), "x")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, err := sp.reader()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
			}
		}
		sp.close()
		if left := c.s.spooled.total; left != 0 || len(c.s.spooled.of) > 0 {
			t.Errorf("%d bytes are still counted", left)
		}
	}
}
