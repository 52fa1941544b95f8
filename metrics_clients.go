package main

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"

	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// maxClientLabels bounds the values of the label client: each costs memory here
// and in the database of whoever scrapes.
const maxClientLabels = 100

// clientLabels makes labels of what clients call themselves.
type clientLabels struct {
	mu   sync.Mutex
	seen map[string]bool
}

var majorMinor = regexp.MustCompile(`^v?(\d{1,4}\.\d{1,4})`)

// label is "desktop 2.1", "ankidroid 2.17" …: the kind of client with the first
// two parts of its version. What a client that is not logged in claims is not
// believed, nor is anything once there are too many different ones.
func (c *clientLabels) label(o ankisync.Observation) string {
	if o.User == "" {
		return "unknown"
	}
	name, rest, _ := strings.Cut(o.Client, ",")
	family := map[string]string{"anki": "desktop", "ankidesktop": "desktop", "ankidroid": "ankidroid", "ankimobile": "ankimobile"}[strings.ToLower(strings.TrimSpace(name))]
	if family == "" {
		return "other"
	}
	label := family
	if m := majorMinor.FindStringSubmatch(rest); m != nil {
		label += " " + m[1]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[label] {
		if len(c.seen) >= maxClientLabels {
			return "other"
		}
		if c.seen == nil {
			c.seen = map[string]bool{}
		}
		c.seen[label] = true
	}
	return label
}

// syncOf says to which kind of sync a request belongs, and how that ended; the
// kind is "" if the request ends none.
func syncOf(o ankisync.Observation) (kind, result string) {
	result = "ok"
	switch {
	case o.Status >= http.StatusInternalServerError:
		result = "error"
	case o.Status >= http.StatusBadRequest:
		result = "refused"
	}
	switch o.Step {
	case "upload", "download":
		return o.Step, result
	case "finish":
		return "normal", result
	case "mediaSanity":
		return "media", result
	case "start", "applyGraves", "applyChanges", "chunk", "applyChunk", "sanityCheck2":
		if result != "ok" {
			return "normal", result
		}
	case "begin", "mediaChanges", "uploadChanges", "downloadFiles":
		if result != "ok" {
			return "media", result
		}
	}
	return "", result
}

// loginCounter is a log handler that also counts logins by their result, from
// the line that package auth writes for each (message "login"), whatever level
// is logged.
type loginCounter struct {
	slog.Handler
	count func(result string)
}

// Enabled implements slog.Handler.
func (h loginCounter) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h loginCounter) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "login" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "result" {
				h.count(a.Value.String())
				return false
			}
			return true
		})
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h loginCounter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return loginCounter{h.Handler.WithAttrs(attrs), h.count}
}

// WithGroup implements slog.Handler.
func (h loginCounter) WithGroup(name string) slog.Handler {
	return loginCounter{h.Handler.WithGroup(name), h.count}
}
