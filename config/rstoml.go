package config

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// useTOML takes the ankisyncd.toml of ankisyncd-rs (docs/compat.md §1.8). Of
// TOML it knows what such a file holds: tables, and keys with a string, a whole
// number or a boolean on one line. Anything else is an error, not a guess.
func (l *loader) useTOML(file, text string) error {
	t, err := parseTOML(file, text)
	if err != nil {
		return err
	}
	l.put("accept_rs_keys", "yes", file)
	t.put(l, "listen.host", "host")
	t.put(l, "listen.port", "port")
	if v, ok := t.take("paths.root_dir"); ok {
		l.put("data_root", path.Join(v.text, "collections"), v.source)
		l.put("auth_db_path", path.Join(v.text, "auth.db"), v.source)
		l.put("session_db_path", path.Join(v.text, "session.db"), v.source)
	}
	if v, ok := t.take("encryption.ssl_enable"); ok && v.text == "true" {
		t.put(l, "encryption.cert_file", "tls_cert")
		t.put(l, "encryption.key_file", "tls_key")
	}
	t.take("encryption.cert_file")
	t.take("encryption.key_file")
	name, _ := t.take("account.username")
	secret, _ := t.take("account.password")
	if name.text != "" && secret.text != "" {
		l.c.Users = append(l.c.Users, User{Name: name.text, Secret: Secret(secret.text), OnlyIfAbsent: true, Source: name.source})
	}
	for _, k := range t.order {
		if v, left := t.values[k]; left {
			l.warn("%s: unknown key %q has no effect", v.source, k)
		}
	}
	return nil
}

// tomlFile is the content of such a file, by "table.key".
type tomlFile struct {
	values map[string]entry
	order  []string
}

func (t *tomlFile) take(name string) (entry, bool) {
	v, ok := t.values[name]
	delete(t.values, name)
	return v, ok
}

func (t *tomlFile) put(l *loader, from, to string) {
	if v, ok := t.take(from); ok {
		l.put(to, v.text, v.source)
	}
}

func parseTOML(file, text string) (*tomlFile, error) {
	t := &tomlFile{values: map[string]entry{}}
	table := ""
	for i, line := range splitLines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSpace(line)
		at := fmt.Sprintf("%s:%d", file, i+1)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			name, rest, ok := strings.Cut(line[1:], "]")
			if !ok || strings.HasPrefix(name, "[") || !tomlEnd(rest) {
				return nil, fmt.Errorf("%s: %q is no [table]", at, shorten(line))
			}
			table = strings.TrimSpace(name) + "."
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%s: %q is neither a [table] nor key = value", at, shorten(line))
		}
		v, err := tomlValue(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		name := table + strings.TrimSpace(key)
		if _, dup := t.values[name]; dup {
			return nil, fmt.Errorf("%s: key %q is there twice", at, name)
		}
		t.values[name] = entry{v, at}
		t.order = append(t.order, name)
	}
	return t, nil
}

// tomlEnd accepts what may follow a value on its line: nothing, or a comment.
func tomlEnd(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || rest[0] == '#'
}

var errTOML = errors.New("only strings, whole numbers and true or false are understood here")

// tomlValue reads a string, a number or a boolean.
func tomlValue(s string) (string, error) {
	if strings.HasPrefix(s, `"""`) || strings.HasPrefix(s, "'''") {
		return "", errTOML
	}
	if rest, ok := strings.CutPrefix(s, "'"); ok {
		v, after, ok := strings.Cut(rest, "'")
		if !ok || !tomlEnd(after) {
			return "", errTOML
		}
		return v, nil
	}
	if strings.HasPrefix(s, `"`) {
		// TOML's escapes are a subset of Go's, but for \e.
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil || !tomlEnd(s[len(quoted):]) {
			return "", errTOML
		}
		return strconv.Unquote(quoted)
	}
	word, _, _ := strings.Cut(s, "#")
	word = strings.TrimSpace(word)
	if word == "true" || word == "false" {
		return word, nil
	}
	if n, err := strconv.ParseInt(word, 0, 64); err == nil {
		return strconv.FormatInt(n, 10), nil
	}
	return "", errTOML
}
