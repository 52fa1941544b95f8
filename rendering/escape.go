package rendering

import (
	"strings"
	"unicode/utf8"
)

// encodeAttribute writes s as the clients write an attribute's value: every
// character below U+0100 that is not an ASCII letter or digit is escaped.
func encodeAttribute(w *buffer, s string) {
	const hex = "0123456789ABCDEF"
	start := 0
	for i, r := range s {
		if r > 0xff || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			continue
		}
		w.add(s[start:i])
		start = i + utf8.RuneLen(r)
		switch r {
		case '"':
			w.add("&quot;")
		case '&':
			w.add("&amp;")
		case '<':
			w.add("&lt;")
		case '>':
			w.add("&gt;")
		default:
			w.add("&#x" + string([]byte{hex[r>>4], hex[r&15]}) + ";")
		}
	}
	w.add(s[start:])
}

var minimalEscapes = strings.NewReplacer(
	`"`, "&quot;", "&", "&amp;", "'", "&#x27;", "<", "&lt;", ">", "&gt;",
)

// encodeMinimal escapes what would be markup in text.
func encodeMinimal(s string) string { return minimalEscapes.Replace(s) }
