package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/ankisyncd/ankisyncd/config"
)

// newLogger makes the log that log_format and log_level ask for. flush writes
// what waits to be written.
func newLogger(w io.Writer, cfg *config.Config) (log *slog.Logger, flush func()) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo // Validate has refused it
	}
	o := &slog.HandlerOptions{Level: level}
	switch cfg.LogFormat {
	case config.LogText:
		return slog.New(slog.NewTextHandler(w, o)), func() {}
	case config.LogJSON:
		return slog.New(slog.NewJSONHandler(w, o)), func() {}
	}
	out := &lineWriter{w: w}
	// A log that cannot be written has nobody to tell.
	return slog.New(&originalHandler{out: out, level: level, name: "ankisyncd"}), func() { _ = out.flush() }
}

// originalHandler writes lines as the Python servers did, for the filters that
// people have (docs/compat.md §7):
//
//	[YYYY-MM-DD HH:MM:SS,mmm]:LEVEL:logger:message
//
// Attributes follow the message as key=value. The attribute "logger" is the
// logger's name instead, behind "ankisyncd.". Line breaks in what is logged are
// escaped: nobody can write a line of his own into the log.
type originalHandler struct {
	out   *lineWriter
	level slog.Level
	name  string
	attrs []byte // of With, as they are written
	group string // prefix of keys
}

// loggerKey is the attribute that names the logger.
const loggerKey = "logger"

// lineWriter writes lines, and those of many small requests together: a write for
// each is a tenth of what a status check costs.
type lineWriter struct {
	w io.Writer

	mu      sync.Mutex
	held    []byte    // whole lines that wait
	last    time.Time // of the last write
	waiting bool      // for the timer
	timer   *time.Timer
}

const (
	// together is how long a line may wait, after the one before was written, for
	// others to be written with it.
	together = 20 * time.Millisecond
	// maxHeld is how many bytes of lines may wait.
	maxHeld = 16 << 10
)

// write writes a line. One that may wait does so, if another was written less than
// a moment ago; one that may not is written at once, behind those that wait.
func (l *lineWriter) write(b []byte, now time.Time, mayWait bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := now.Sub(l.last)
	if mayWait && since >= 0 && since < together && len(l.held)+len(b) <= maxHeld {
		l.held = append(l.held, b...)
		if !l.waiting {
			l.waiting = true
			if l.timer == nil {
				l.timer = time.AfterFunc(together-since, func() { _ = l.flush() })
			} else {
				l.timer.Reset(together - since)
			}
		}
		return nil
	}
	if len(l.held) > 0 {
		l.held = append(l.held, b...)
		return l.writeHeld()
	}
	l.last = now
	_, err := l.w.Write(b)
	return err
}

// flush writes the lines that wait.
func (l *lineWriter) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	if len(l.held) == 0 {
		return nil
	}
	return l.writeHeld()
}

func (l *lineWriter) writeHeld() error {
	l.last = time.Now()
	_, err := l.w.Write(l.held)
	l.held = l.held[:0]
	return err
}

// behindLog writes behind what has been logged so far.
type behindLog struct {
	io.Writer
	flush func()
}

// Write implements io.Writer.
func (b behindLog) Write(p []byte) (int, error) {
	b.flush()
	return b.Writer.Write(p)
}

// Enabled implements slog.Handler.
func (h *originalHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// lines are buffers for lines of the log. Each request writes one.
var lines = sync.Pool{New: func() any { return new(line) }}

type line struct{ b, attrs []byte }

// maxKeptLine is the largest buffer that is kept, in bytes.
const maxKeptLine = 4 << 10

// Handle implements slog.Handler.
func (h *originalHandler) Handle(_ context.Context, r slog.Record) error {
	l := lines.Get().(*line) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		if cap(l.b) <= maxKeptLine && cap(l.attrs) <= maxKeptLine {
			lines.Put(l)
		}
	}()
	t := r.Time
	if t.IsZero() {
		t = time.Now()
	}
	name := h.name
	l.attrs = append(l.attrs[:0], h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == loggerKey && h.group == "" {
			name = "ankisyncd." + a.Value.String()
			return true
		}
		l.attrs = appendAttr(l.attrs, h.group, a)
		return true
	})
	b := appendStamp(l.b[:0], t)
	b = append(b, levelName(r.Level)...)
	b = append(b, ':')
	b = append(b, escapeLine(name)...)
	b = append(b, ':')
	b = append(b, escapeLine(r.Message)...)
	b = append(b, l.attrs...)
	l.b = append(b, '\n')
	return h.out.write(l.b, t, r.Level <= slog.LevelInfo)
}

// lastStamp is what appendStamp wrote last, up to the second.
var lastStamp atomic.Pointer[stamp]

type stamp struct {
	second int64
	zone   *time.Location
	text   string
}

// appendStamp appends t as a line begins with it. Most are of the second of the
// one before.
func appendStamp(b []byte, t time.Time) []byte {
	s := lastStamp.Load()
	if s == nil || s.second != t.Unix() || s.zone != t.Location() {
		s = &stamp{t.Unix(), t.Location(), t.Format("[2006-01-02 15:04:05,")}
		lastStamp.Store(s)
	}
	ms := t.Nanosecond() / int(time.Millisecond)
	b = append(b, s.text...)
	return append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), ']', ':')
}

// WithAttrs implements slog.Handler.
func (h *originalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = bytes.Clone(h.attrs)
	for _, a := range attrs {
		if a.Key == loggerKey && h.group == "" {
			c.name = "ankisyncd." + a.Value.String()
			continue
		}
		c.attrs = appendAttr(c.attrs, h.group, a)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (h *originalHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.group += name + "."
	}
	return &c
}

// levelName is Python's name of a level.
func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}

func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendAttr(b, group, inner)
		}
		return b
	}
	if a.Equal(slog.Attr{}) {
		return b
	}
	b = append(b, ' ')
	if group == "" {
		b = append(b, escapeLine(a.Key)...)
	} else {
		b = append(b, escapeLine(group+a.Key)...)
	}
	b = append(b, '=')
	if v.Kind() == slog.KindInt64 {
		return strconv.AppendInt(b, v.Int64(), 10)
	}
	text := v.String()
	if text == "" || !plain(text) && strings.ContainsFunc(text, needsQuote) {
		return strconv.AppendQuote(b, text)
	}
	return append(b, text...)
}

// plain is true of most words: printing ASCII, without what needs quotes.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '=' {
			return false
		}
	}
	return true
}

func needsQuote(r rune) bool {
	return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r)
}

// escapeLine escapes what would break or disguise a line.
func escapeLine(s string) string {
	if plain(s) || !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
