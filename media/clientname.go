package media

import (
	"crypto/sha1" //nolint:gosec // the protocol's checksum, no secret
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxClientName is the longest name, in bytes, that clients leave as it is. Of a
// longer one they keep the first maxClientExt characters of the extension, and with
// it maxClientCut bytes.
const (
	maxClientName = 120
	maxClientExt  = 10
	maxClientCut  = 118
)

var deviceName = regexp.MustCompile(`^(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)`)

// droppedRune is true of what clients take out of names: separators and wildcards,
// control characters and what is no character.
func droppedRune(r rune) bool {
	return strings.ContainsRune(`[]<>:"/?*^\|`, r) || r < ' ' || r == 0x7f || r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
}

// ClientName is the name that clients give a file of such a name when they look
// through their folder, most often the same; "" if nothing is left of it [run:
// 26.9.3]. A file of that name may be there already.
func ClientName(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, ""))
	name = strings.Map(func(r rune) rune {
		switch {
		case droppedRune(r):
			return -1
		case r == '\u00a0':
			return ' '
		}
		return r
	}, name)
	if device := deviceName.FindStringSubmatch(name); device != nil {
		name = strings.ToLower(device[1]) + "_" + name[len(device[1]):]
	}
	if strings.HasSuffix(name, " ") || strings.HasSuffix(name, ".") {
		name += "_"
	}
	return cutName(name)
}

// cutName shortens a name to what clients take.
func cutName(name string) string {
	if len(name) <= maxClientName {
		return name
	}
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		stem, ext = name[:i], name[i:]
	}
	for i, n := 0, 0; i < len(ext); n++ { // the full stop is not one of them
		if n > maxClientExt {
			ext = ext[:i]
			break
		}
		_, size := utf8.DecodeRuneInString(ext[i:])
		i += size
	}
	if room := max(maxClientCut-len(strings.TrimPrefix(ext, ".")), 0); len(stem) > room {
		for room > 0 && !utf8.RuneStart(stem[room]) {
			room--
		}
		stem = stem[:room]
	}
	return stem + ext
}

// ExportName is the name under which a file of such a name goes into a package:
// clients refuse the whole package for a name that they would change. It is the name
// that they would give it, or one of its own if that is taken by another file.
func ExportName(name string, taken func(name string) (bool, error)) (string, error) {
	to := ClientName(name)
	if to == name {
		return name, nil
	}
	if to != "" && ClientName(to) == to {
		if used, err := taken(to); err != nil || !used {
			return to, err
		}
	}
	h := sha1.Sum([]byte(name)) //nolint:gosec // no secret
	tail := "-" + hex.EncodeToString(h[:])
	stem, ext := to, ""
	if i := strings.LastIndexByte(to, '.'); i >= 0 && plainExt.MatchString(to[i:]) {
		stem, ext = to[:i], to[i:]
	}
	for room := maxClientName - len(tail) - len(ext); len(stem) > room; {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	if stem == "" {
		stem = "file"
	}
	return stem + tail + ext, nil
}

// forgotten is true of files that systems leave in folders: clients never list them,
// and so tell everybody that they were deleted.
func forgotten(name string) bool {
	return strings.EqualFold(name, "thumbs.db") || strings.EqualFold(name, ".ds_store")
}
