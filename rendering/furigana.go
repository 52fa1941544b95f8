package rendering

import "strings"

// The ruby filters rewrite "base[reading]", optionally after a space: base is a
// run without spaces and ">", reading any text on one line.
// docs/scheduling-and-rendering.md §5

func furigana(w *buffer, base, reading string) {
	w.add("<ruby><rb>")
	w.add(base)
	w.add("</rb><rt>")
	w.add(reading)
	w.add("</rt></ruby>")
}

func kana(w *buffer, _, reading string) { w.add(reading) }

func kanji(w *buffer, base, _ string) { w.add(base) }

// ruby rewrites every base and reading of text. Sound tags look the same and
// stay.
func ruby(text string, b *budget, write func(w *buffer, base, reading string)) string {
	text = strings.ReplaceAll(text, "&nbsp;", " ")
	w := &buffer{budget: b}
	closing := finder{text: text, needle: "]"}
	newline := finder{text: text, needle: "\n"}
	written, run := 0, 0 // what precedes run cannot be part of the next base
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ' ', '>':
			run = i + 1
		case '[':
			end := readingEnd(&closing, &newline, i)
			if i == run || end < 0 {
				continue
			}
			start := run
			if start > written && text[start-1] == ' ' {
				start--
			}
			w.add(text[written:start])
			if reading := text[i+1 : end]; strings.HasPrefix(reading, "sound:") {
				w.add(text[start : end+1])
			} else {
				write(w, text[run:i], reading)
			}
			i, written, run = end, end+1, end+1
		}
	}
	w.add(text[written:])
	return w.String()
}

// readingEnd returns where the reading that opens at i closes, or -1. It has at
// least one character, which may itself be a "]".
func readingEnd(closing, newline *finder, i int) int {
	end := closing.next(i + 2)
	if end < 0 {
		return -1
	}
	if nl := newline.next(i + 1); nl >= 0 && nl < end {
		return -1
	}
	return end
}
