package schema

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	nativeSeparator = "\x1f"
	humanSeparator  = "::"
	blankName       = "blank"
)

// NormalizeDeckName turns a human deck name ("A::B") into the native form: each
// part in NFC, without ASCII control characters, trimmed of white space and
// colons, "blank" if nothing is left; parts joined by U+001F.
func NormalizeDeckName(human string) string {
	// Control characters go first: what they kept apart can be a "::", or a letter
	// and its accent, which NFC would miss.
	parts := strings.Split(norm.NFC.String(strings.Map(dropControl, human)), humanSeparator)
	for i, p := range parts {
		p = strings.TrimFunc(p, func(r rune) bool { return r == ':' || unicode.IsSpace(r) })
		if p == "" {
			p = blankName
		}
		parts[i] = p
	}
	return strings.Join(parts, nativeSeparator)
}

func dropControl(r rune) rune {
	if r < 0x20 || r == 0x7f {
		return -1
	}
	return r
}

// HumanDeckName turns a native deck name into the human form, with "::".
func HumanDeckName(native string) string {
	return strings.ReplaceAll(native, nativeSeparator, humanSeparator)
}

// NormalizeTag normalises one tag: each "::" part in NFC, without ASCII control
// characters and tag separators and trimmed, "blank" if nothing is left. The
// empty tag stays empty.
func NormalizeTag(tag string) string {
	tag = norm.NFC.String(tag)
	if tag == "" {
		return ""
	}
	parts := strings.Split(tag, humanSeparator)
	for i, p := range parts {
		p = strings.Map(func(r rune) rune {
			if isTagSeparator(r) {
				return -1
			}
			return dropControl(r)
		}, p)
		p = strings.TrimSpace(p)
		if p == "" {
			p = blankName
		}
		parts[i] = p
	}
	return strings.Join(parts, humanSeparator)
}

func isTagSeparator(r rune) bool { return r == ' ' || r == '\u3000' }

// SplitTags splits the tags column of a note.
func SplitTags(tags string) []string {
	return strings.FieldsFunc(tags, isTagSeparator)
}

// CleanTags is JoinTags of SplitTags, which most texts are already.
func CleanTags(tags string) string {
	n := len(tags)
	if n == 0 || n > 2 && tags[0] == ' ' && tags[n-1] == ' ' && tags[1] != ' ' && tags[n-2] != ' ' &&
		!strings.Contains(tags, "  ") && !strings.Contains(tags, "\u3000") {
		return tags
	}
	return JoinTags(SplitTags(tags))
}

// JoinTags writes the tags column of a note: a space before, between and after
// the tags, "" if there are none.
func JoinTags(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return " " + strings.Join(tags, " ") + " "
}
