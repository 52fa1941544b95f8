package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/ini.v1"
)

// iniFile is a file in the dialect of Python's configparser (docs/compat.md §1.2).
//
// gopkg.in/ini.v1 holds the sections and keys, but the lines are read here.
// Its own parser cannot be configured into this dialect: it takes quotes and
// backticks off values and key names, gives a key named "-" a number, ends a
// value of several lines at its first blank line or comment, leaves the
// indentation in it, lets a later duplicate win without a word, and tells no
// line numbers, which our messages need.
type iniFile struct {
	*ini.File
	path  string
	lines map[[2]string]int // section, key -> line number of the key
}

// dialect is what differs between the two Python generations.
type dialect struct {
	// python2 is AnkiServer's PasteDeploy: " ;" begins a comment behind a
	// value too, later duplicates win, keys keep their case.
	python2 bool
}

// maxFile bounds the size of a configuration file, in bytes.
const maxFile = 1 << 20

var errTooLarge = fmt.Errorf("larger than %d KiB: not a configuration file", maxFile>>10)

// parseError collects what is wrong with the lines of one file.
type parseError struct {
	path string
	errs []error
}

func (e *parseError) add(line int, format string, args ...any) {
	e.errs = append(e.errs, fmt.Errorf("%s:%d: %s", e.path, line, fmt.Sprintf(format, args...)))
}

// parseINI reads text as Python would. Every bad line is named.
func parseINI(path, text string, d dialect) (*iniFile, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: %w", path, errTooLarge)
	}
	r := &iniReader{
		file: &iniFile{
			File: ini.Empty(ini.LoadOptions{
				// No section inherits from another by its name.
				ChildSectionDelimiter: "\x00",
			}),
			path:  path,
			lines: map[[2]string]int{},
		},
		dialect:  d,
		sections: map[string]bool{},
		errs:     parseError{path: path},
	}
	// A byte order mark, as Windows editors write it; Python refuses it.
	text = strings.TrimPrefix(text, "\ufeff")
	for i, line := range splitLines(text) {
		r.line(i+1, line)
		if len(r.errs.errs) >= 20 {
			break // enough to see that this is no such file
		}
	}
	r.endValue()
	if err := errors.Join(r.errs.errs...); err != nil {
		return nil, err
	}
	return r.file, nil
}

// iniReader is the state between two lines.
type iniReader struct {
	dialect
	file     *iniFile
	sections map[string]bool
	errs     parseError
	section  *ini.Section
	key      string   // the key whose value may go on; "" if none
	value    []string // its lines so far
	indent   int      // indentation of the line that began it, in characters
}

func (r *iniReader) line(n int, line string) {
	if !utf8.ValidString(line) {
		r.errs.add(n, "not UTF-8 text")
		return
	}
	value := strings.TrimFunc(line, pySpace)
	comment := strings.HasPrefix(value, "#") || strings.HasPrefix(value, ";")
	if value == "" || comment {
		if r.key != "" && !comment {
			r.value = append(r.value, "")
		}
		return
	}
	indent := utf8.RuneCountInString(line[:strings.IndexFunc(line, notPySpace)])
	if r.key != "" && indent > r.indent {
		r.value = append(r.value, value)
		return
	}
	r.endValue()
	r.indent = indent
	if name, ok := sectionHeader(value); ok {
		r.beginSection(n, name)
		return
	}
	r.beginKey(n, value)
}

// sectionHeader accepts "[name]"; whatever follows the last "]" is dropped.
func sectionHeader(value string) (string, bool) {
	end := strings.LastIndexByte(value, ']')
	if value[0] != '[' || end < 2 {
		return "", false
	}
	return value[1:end], true
}

func (r *iniReader) beginSection(n int, name string) {
	if r.sections[name] && !r.python2 {
		r.errs.add(n, "section [%s] is there twice", name)
		return
	}
	// [DEFAULT] may be opened as often as one likes.
	r.sections[name] = name != ini.DefaultSection
	section, err := r.file.NewSection(name)
	if err != nil {
		r.errs.add(n, "section [%s]: %v", name, err)
		return
	}
	r.section = section
}

func (r *iniReader) beginKey(n int, line string) {
	if r.section == nil {
		r.errs.add(n, "%q stands before the first [section]", shorten(line))
		return
	}
	sep := strings.IndexAny(line, "=:")
	if sep < 0 {
		r.errs.add(n, "%q is neither a [section] nor key = value", shorten(line))
		return
	}
	name := strings.TrimRightFunc(line[:sep], pySpace)
	if name == "" {
		r.errs.add(n, "%q has no key before the %q", shorten(line), line[sep:sep+1])
		return
	}
	value := strings.TrimFunc(line[sep+1:], pySpace)
	if r.python2 {
		value = cutPython2Comment(value)
	} else {
		name = strings.ToLower(name)
	}
	at := [2]string{r.section.Name(), name}
	if first, dup := r.file.lines[at]; dup && !r.python2 {
		r.errs.add(n, "key %q is there twice, first in line %d", name, first)
		return
	}
	r.file.lines[at] = n
	r.key, r.value = name, append(r.value[:0], value)
}

// endValue stores the value that has come to its end.
func (r *iniReader) endValue() {
	if r.key == "" {
		return
	}
	value := strings.TrimRightFunc(strings.Join(r.value, "\n"), pySpace)
	if _, err := r.section.NewKey(r.key, value); err != nil {
		r.errs.add(r.file.lines[[2]string{r.section.Name(), r.key}], "key %q: %v", r.key, err)
	}
	r.key = ""
}

// cutPython2Comment drops a ";" behind white space and what follows.
func cutPython2Comment(value string) string {
	i := strings.IndexByte(value, ';')
	if i > 0 && (value[i-1] == ' ' || value[i-1] == '\t') {
		value = strings.TrimRightFunc(value[:i], pySpace)
	}
	if value == `""` {
		return ""
	}
	return value
}

// has reports whether the file has the section.
func (f *iniFile) has(section string) bool {
	_, err := f.GetSection(section)
	return err == nil
}

// raw is the value of key before interpolation; [DEFAULT] stands in for what
// the section does not have.
func (f *iniFile) raw(section, key string) (string, bool) {
	for _, name := range []string{section, ini.DefaultSection} {
		s, err := f.GetSection(name)
		if err == nil && s.HasKey(key) {
			return s.Key(key).Value(), true
		}
	}
	return "", false
}

// where is "FILE:LINE" of a key.
func (f *iniFile) where(section, key string) string {
	for _, name := range []string{section, ini.DefaultSection} {
		if n, ok := f.lines[[2]string{name, key}]; ok {
			return fmt.Sprintf("%s:%d", f.path, n)
		}
	}
	return f.path
}

// keys are the section's own key names, in the order of the file.
func (f *iniFile) keys(section string) []string {
	s, err := f.GetSection(section)
	if err != nil {
		return nil
	}
	return s.KeyStrings()
}

// splitLines splits at \n, \r\n and \r, as Python's text files do.
func splitLines(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n")
}

// pySpace is str.isspace of one character: unlike Go's, it counts the four
// separators U+001C to U+001F.
func pySpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func notPySpace(r rune) bool { return !pySpace(r) }

func shorten(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
