package schema

import (
	"crypto/sha1" //nolint:gosec // the file format's checksum, not a secret
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

const fieldSeparator = "\x1f"

// SplitFields splits the flds column of a note.
func SplitFields(flds string) []string { return strings.Split(flds, fieldSeparator) }

// JoinFields writes the flds column of a note.
func JoinFields(fields []string) string { return strings.Join(fields, fieldSeparator) }

// CleanField removes ASCII control characters other than line feed and tab,
// which a note's field must not hold. Line feeds and tabs stay.
func CleanField(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return dropControl(r)
	}, s)
}

// DecodeEntities decodes HTML entities and turns no-break spaces into spaces.
// If one entity is not valid, the whole text stays as it is.
func DecodeEntities(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for rest := s; rest != ""; {
		i := strings.IndexByte(rest, '&')
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		r, n := decodeEntity(rest[i:])
		if n == 0 {
			return s
		}
		b.WriteRune(r)
		rest = rest[i+n:]
	}
	return strings.ReplaceAll(b.String(), "\u00a0", " ")
}

// maxEntity bounds the search for an entity's end; numbers may have zeros in
// front.
const maxEntity = 64

// decodeEntity decodes the entity that s starts with; n is its length, 0 if it
// is not valid.
func decodeEntity(s string) (r rune, n int) {
	end := strings.IndexByte(s[:min(len(s), maxEntity)], ';')
	if end < 2 {
		return 0, 0
	}
	name := s[1:end]
	if name[0] == '#' {
		r, ok := decodeNumber(name[1:])
		if !ok {
			return 0, 0
		}
		return r, end + 1
	}
	if r, ok := entities[name]; ok {
		return r, end + 1
	}
	return 0, 0
}

func decodeNumber(digits string) (rune, bool) {
	base := 10
	if digits != "" && digits[0] == 'x' { // "&#X…;" is not valid
		base, digits = 16, digits[1:]
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// SortField is the text of the sfld column: the stripped field at idx, "" if
// there is none. SQLite's integer affinity turns numbers into numbers.
func SortField(fields []string, idx int) string {
	if idx < 0 || idx >= len(fields) {
		return ""
	}
	return StripHTML(fields[idx])
}

// Checksum is the csum column: the first four bytes, big endian, of the SHA-1
// of the stripped first field.
func Checksum(firstField string) uint32 {
	sum := sha1.Sum([]byte(StripHTML(firstField))) //nolint:gosec // see the import
	return binary.BigEndian.Uint32(sum[:4])
}

const guidAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&()*+,-./:;<=>?@[]^_`{|}~"

// GUID writes a note's guid from 64 random bits: base 91, most significant
// digit first.
func GUID(random uint64) string {
	var b [10]byte // 91^10 > 2^64
	i := len(b)
	for {
		i--
		b[i] = guidAlphabet[random%uint64(len(guidAlphabet))]
		if random /= uint64(len(guidAlphabet)); random == 0 {
			return string(b[i:])
		}
	}
}
