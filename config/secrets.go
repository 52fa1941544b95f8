package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Secrets can stand in three places besides the configuration file: in the
// variable itself, in a file that the variable with _FILE at its end names, and
// in a systemd credential, a file $CREDENTIALS_DIRECTORY/<name> with the name
// in lower case, without ANKISYNCD_. Variable and _FILE together are an error.

// secretText is the text of a variable that holds a secret; ok is false when it
// is nowhere. The source of an error names where it was looked for.
func (l *loader) secretText(name string) (text, source string, ok bool) {
	value, inEnv := l.env[name]
	path, inFile := l.env[name+"_FILE"]
	switch {
	case inEnv && inFile:
		l.errs = append(l.errs, fmt.Errorf("environment %s and %s_FILE are both set: which one counts?", name, name))
		return "", "environment " + name, false
	case inEnv:
		return value, "environment " + name, true
	case inFile:
		source = "environment " + name + "_FILE"
		text, err := readSecret(path)
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %w", source, err))
			return "", source, false
		}
		return text, source, true
	}
	credential := strings.ToLower(strings.TrimPrefix(name, envPrefix))
	text, ok = l.credential(credential)
	return text, "credential " + credential, ok
}

// credential reads a systemd credential.
func (l *loader) credential(name string) (string, bool) {
	dir := l.env["CREDENTIALS_DIRECTORY"]
	if dir == "" {
		return "", false
	}
	text, err := readSecret(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", false
	}
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("credential %s: %w", name, err))
		return "", false
	}
	return text, true
}

// credentials takes the keys that are secrets, and the paths of certificate and
// key, out of systemd's credentials.
func (l *loader) credentials() {
	dir := l.env["CREDENTIALS_DIRECTORY"]
	if dir == "" {
		return
	}
	for i := range table {
		k := &table[i]
		if !k.secret() {
			continue
		}
		if text, ok := l.credential(k.name); ok {
			l.put(k.name, text, "credential "+k.name)
		}
	}
	for _, name := range []string{"tls_cert", "tls_key"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if e := l.raw[name]; e.text == "" {
			l.put(name, path, "credential "+name)
		}
	}
}

// secretFile handles ANKISYNCD_<KEY>_FILE of a key that is a secret.
func (l *loader) secretFile(key, path, source string) bool {
	name, ok := strings.CutSuffix(key, "_file")
	k, isKey := keyNamed(name)
	if !ok || !isKey || !k.secret() {
		return false
	}
	if _, both := l.env[k.env()]; both {
		l.errs = append(l.errs, fmt.Errorf("environment %s and %s_FILE are both set: which one counts?", k.env(), k.env()))
		return true
	}
	text, err := readSecret(path)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s: %w", source, err))
		return true
	}
	l.put(name, text, source)
	return true
}

// noteBlank remembers a secret that somebody meant to give: an empty file, a
// variable that is set from one that is not. A line without a value in the
// configuration file is the default written out, as in the shipped one.
func (l *loader) noteBlank(k *key, e entry, text string) {
	if !k.secret() || strings.TrimSpace(text) != "" || e.text == "" && !outsideFile(e.source) {
		return
	}
	if l.c.blank == nil {
		l.c.blank = map[string]bool{}
	}
	l.c.blank[k.name] = true
}

// outsideFile reports whether a source is not the configuration file.
func outsideFile(source string) bool {
	for _, prefix := range []string{"environment ", "credential ", "flag "} {
		if strings.HasPrefix(source, prefix) {
			return true
		}
	}
	return false
}

// account takes ANKISYNCD_USERNAME and ANKISYNCD_PASSWORD of ankisyncd-rs:
// both non-empty, the account is created if there is none of that name.
func (l *loader) account() {
	name := l.env[envPrefix+"USERNAME"]
	if name == "" {
		return
	}
	secret, source, ok := l.secretText(envPrefix + "PASSWORD")
	if !ok || secret == "" {
		return
	}
	l.c.Users = append(l.c.Users, User{Name: name, Secret: Secret(secret), OnlyIfAbsent: true, Source: source})
}

// readSecret reads a file that holds one secret; the line break at its end, as
// editors leave it, is no part of it.
func readSecret(path string) (string, error) {
	text, err := readFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), nil
}
