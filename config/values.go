package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// key is one row of the table: a key of ankisyncd.conf and the field it sets.
type key struct {
	name  string             // as in the file; ANKISYNCD_<NAME> in the environment
	group string             // heading in the file and in the reference
	field func(*Config) any  // pointer to the field
	def   string             // default, as text of the file
	unit  string             // what kind of value
	doc   string             // one or more sentences
	ex    string             // an example for the reference
	orig  bool               // a key of the originals, written out in the shipped file
	check func(string) error // further check on the text; may be nil
}

// env is the name of the variable that sets the key.
func (k *key) env() string { return envPrefix + strings.ToUpper(k.name) }

// secret reports whether the key's value must be hidden.
func (k *key) secret() bool {
	_, ok := k.field(&Config{}).(*Secret)
	return ok
}

// set parses text into the field.
func (k *key) set(c *Config, text string) error {
	if i := strings.IndexFunc(text, isControl); i >= 0 {
		return errors.New("a control character is not allowed here")
	}
	if k.check != nil {
		if err := k.check(text); err != nil {
			return err
		}
	}
	return parseInto(k.field(c), text)
}

// get is the reverse of set.
func (k *key) get(c *Config) string { return format(k.field(c)) }

// isControl accepts line breaks and tabs, which continuation lines bring.
func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
}

func parseInto(field any, text string) (err error) {
	switch p := field.(type) {
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case *int:
		*p, err = parseInt(text)
	case *bool:
		*p, err = parseBool(text)
	case *time.Duration:
		*p, err = parseDuration(text)
	case *[]string:
		*p = splitList(text)
	case *[]netip.Prefix:
		*p, err = parsePrefixes(text)
	case *fs.FileMode:
		*p, err = parseMode(text)
	default:
		return fmt.Errorf("config: field type %T unknown", field)
	}
	return err
}

func format(field any) string {
	switch p := field.(type) {
	case *string:
		return *p
	case *Secret:
		return string(*p)
	case *int:
		return strconv.Itoa(*p)
	case *bool:
		if *p {
			return "yes"
		}
		return "no"
	case *time.Duration:
		return formatDuration(*p)
	case *[]string:
		return strings.Join(*p, ", ")
	case *[]netip.Prefix:
		s := make([]string, len(*p))
		for i, x := range *p {
			s[i] = x.String()
		}
		return strings.Join(s, ", ")
	case *fs.FileMode:
		return fmt.Sprintf("%04o", uint32(*p))
	}
	return fmt.Sprint(field)
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, errors.New("not a whole number")
	}
	return n, nil
}

// parseBool knows the words that Python's getboolean knows.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "1", "yes", "true", "on":
		return true, nil
	case "0", "no", "false", "off":
		return false, nil
	}
	return false, errors.New("not yes or no")
}

const day = 24 * time.Hour

// parseDuration reads "90s", "15m", "1h30m", "30d", or a bare number of seconds.
func parseDuration(text string) (time.Duration, error) {
	bad := errors.New(`not a time: write "90s", "15m", "12h" or "30d"`)
	text = strings.TrimSpace(text)
	unit, digits := time.Second, text
	if rest, ok := strings.CutSuffix(text, "d"); ok {
		unit, digits = day, rest
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if n < 0 || n > int64(math.MaxInt64/unit) {
			return 0, bad
		}
		return time.Duration(n) * unit, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, bad
	}
	return d, nil
}

func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}

// splitList splits at commas and white space, line breaks included.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// parsePrefixes reads addresses ("::1") and networks ("10.0.0.0/8").
func parsePrefixes(text string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range splitList(text) {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network like 10.0.0.0/8", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func parseMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 8, 32)
	if err != nil || n > 0o777 {
		return 0, errors.New("not an octal file mode like 0660")
	}
	return fs.FileMode(n), nil
}

// oneOf makes a check that allows the given words only.
func oneOf(words ...string) func(string) error {
	return func(text string) error {
		for _, w := range words {
			if text == w {
				return nil
			}
		}
		return fmt.Errorf("must be one of %s", strings.Join(words, ", "))
	}
}

// between makes a check of an integer's range.
func between(lo, hi int) func(string) error {
	return func(text string) error {
		n, err := parseInt(text)
		if err != nil {
			return err
		}
		if n < lo || n > hi {
			return fmt.Errorf("must be from %d to %d", lo, hi)
		}
		return nil
	}
}

// atLeast makes a check of a time's lower bound.
func atLeast(lo time.Duration) func(string) error {
	return func(text string) error {
		d, err := parseDuration(text)
		if err != nil {
			return err
		}
		if d < lo {
			return fmt.Errorf("must be at least %s", formatDuration(lo))
		}
		return nil
	}
}
