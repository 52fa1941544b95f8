package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ankisyncd/ankisyncd/config"
)

// newLogger makes the log that log_format and log_level ask for.
func newLogger(w io.Writer, cfg *config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo // Validate has refused it
	}
	o := &slog.HandlerOptions{Level: level}
	switch cfg.LogFormat {
	case config.LogText:
		return slog.New(slog.NewTextHandler(w, o))
	case config.LogJSON:
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(&originalHandler{out: &lockedWriter{w: w}, level: level, name: "ankisyncd"})
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
	out   *lockedWriter
	level slog.Level
	name  string
	attrs []byte // of With, as they are written
	group string // prefix of keys
}

// loggerKey is the attribute that names the logger.
const loggerKey = "logger"

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) write(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.w.Write(b)
	return err
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
	b := t.AppendFormat(l.b[:0], "[2006-01-02 15:04:05,000]:")
	b = append(b, levelName(r.Level)...)
	b = append(b, ':')
	b = append(b, escapeLine(name)...)
	b = append(b, ':')
	b = append(b, escapeLine(r.Message)...)
	b = append(b, l.attrs...)
	l.b = append(b, '\n')
	return h.out.write(l.b)
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
