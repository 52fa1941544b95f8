package rendering

import (
	"encoding/hex"
	"strings"
)

// applyFilters applies the filters of one field, the last one first. As in the
// desktop client without add-ons, the first unknown filter ends it: what would
// follow is the add-on's and is not applied either.
func (c *renderer) applyFilters(text, field, filters string) string {
	for filters = typeFilters(filters); filters != ""; {
		filters = filters[:len(filters)-1]
		start := strings.LastIndexByte(filters, ':') + 1
		c.budget.spend(len(text))
		if c.budget.spent() {
			return ""
		}
		var known bool
		if text, known = c.applyFilter(filters[start:], text, field); !known {
			break
		}
		filters = filters[:start]
	}
	return text
}

// typeFilters folds a leading "type" with what it stands before: it wants the
// field, not its text.
func typeFilters(filters string) string {
	switch {
	case filters == "type:cloze:":
		return "type-cloze:"
	case filters == "type:nc:":
		return "type-nc:"
	case strings.HasPrefix(filters, "type:"):
		return "type:"
	}
	return filters
}

func (c *renderer) applyFilter(filter, text, field string) (string, bool) {
	switch filter {
	case "":
	case "text":
		text = stripHTML(text)
	case "furigana":
		text = ruby(text, &c.budget, furigana)
	case "kana":
		text = ruby(text, &c.budget, kana)
	case "kanji":
		text = ruby(text, &c.budget, kanji)
	case "type":
		text = "[[type:" + field + "]]"
	case "type-cloze":
		text = "[[type:cloze:" + field + "]]"
	case "type-nc":
		text = "[[type:nc:" + field + "]]"
	case "hint":
		text = hintFilter(text, field)
	case "cloze":
		text = clozeFilter(text, c.ord+1, c.question, &c.budget)
	case "cloze-only":
		text = clozeOnlyFilter(text, c.ord+1, c.question, &c.budget)
	default:
		options, ok := strings.CutPrefix(filter, "tts ")
		if !ok {
			return text, false
		}
		text = "[anki:tts lang=" + options + "]" + text + "[/anki:tts]"
	}
	return text, true
}

// hintFilter hides text behind a link. The element's id is made from the text
// and the field's name, so that it is the same on every client.
func hintFilter(text, field string) string {
	if strings.TrimSpace(text) == "" {
		return text
	}
	sum := blake3Sum(text, field)
	id := "hint" + hex.EncodeToString(sum[:8])
	return "\n<a class=hint href=\"#\"\n" +
		"onclick=\"this.style.display='none';\n" +
		"document.getElementById('" + id + "').style.display='block';\n" +
		"return false;\" draggable=false>\n" + field + "</a>\n" +
		"<div id=\"" + id + "\" class=hint style=\"display: none\">" + text + "</div>\n"
}
