package config

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of interpolation: Python's depth, and our own length in bytes, as
// ten levels of references can multiply a short file into gigabytes.
const (
	maxDepth  = 10
	maxLength = 64 << 10
)

var (
	errDepth  = errors.New("%( ) references are nested too deep, or in a circle")
	errLength = errors.New("value is too long")
)

// interpolate replaces "%%" by a percent sign and "%(key)s" by the value of
// another key, as Python's BasicInterpolation does (docs/compat.md §1.2).
func interpolate(value string, lookup func(key string) (string, bool)) (string, error) {
	var b strings.Builder
	if err := interpolateInto(&b, value, lookup, 1); err != nil {
		return "", err
	}
	return b.String(), nil
}

func interpolateInto(b *strings.Builder, rest string, lookup func(string) (string, bool), depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	for {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			i = len(rest)
		}
		b.WriteString(rest[:i])
		if b.Len() > maxLength {
			return errLength
		}
		if rest = rest[i:]; rest == "" {
			return nil
		}
		switch {
		case strings.HasPrefix(rest, "%%"):
			b.WriteByte('%')
			rest = rest[2:]
		case strings.HasPrefix(rest, "%("):
			end := strings.IndexByte(rest, ')')
			if end < 3 || !strings.HasPrefix(rest[end:], ")s") {
				return fmt.Errorf("bad reference %q: write %%(key)s", shorten(rest))
			}
			name := rest[2:end]
			value, ok := lookup(name)
			if !ok {
				return fmt.Errorf("refers to key %q, which is not there", name)
			}
			if !strings.Contains(value, "%") {
				b.WriteString(value)
			} else if err := interpolateInto(b, value, lookup, depth+1); err != nil {
				return err
			}
			rest = rest[end+2:]
		default:
			return fmt.Errorf(`a single %% in %q: write %%%% for a percent sign`, shorten(rest))
		}
	}
}
