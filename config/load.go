package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// envPrefix begins the names of the variables that set keys.
const envPrefix = "ANKISYNCD_"

// LoadOptions says where Load looks. The zero value reads the file in its
// usual places and no environment.
type LoadOptions struct {
	// Path is the configuration file; then no other place is looked at, and
	// it must be there. Empty: the usual places (Places).
	Path string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Settings come from the command line, in order.
	Settings []Setting
	// WorkDir, ExeDir and Home are looked at for the file. Empty: those of
	// this process.
	WorkDir, ExeDir, Home string
}

// Setting is one key given on the command line.
type Setting struct {
	Key, Value string
	Source     string // "flag --port"
}

// entry is the text of a key before interpolation, and where it stands.
type entry struct{ text, source string }

// loader gathers the layers.
type loader struct {
	c       *Config
	o       LoadOptions
	env     map[string]string
	envKeys []string         // names in env, in their order
	raw     map[string]entry // keys of [sync_app], later layers over earlier
	literal map[string]bool  // keys whose text has no interpolation
	errs    []error
}

// Load reads the configuration: defaults, then the file, then systemd
// credentials, then the official server's SYNC_* variables, then ANKISYNCD_*,
// then the command line. No file in the usual places is no error.
//
// The error lists everything that could not be read, each with key, value and
// source. Load does not judge the values together: that is Validate.
func Load(o LoadOptions) (*Config, error) {
	l := &loader{
		c: Default(), o: o,
		env: map[string]string{}, raw: map[string]entry{}, literal: map[string]bool{},
	}
	for _, kv := range o.Environ {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue
		}
		if _, dup := l.env[name]; !dup {
			l.envKeys = append(l.envKeys, name)
		}
		l.env[name] = value
	}
	if err := l.file(); err != nil {
		return nil, err
	}
	l.credentials()
	l.official()
	l.environment()
	for _, s := range o.Settings {
		if _, ok := keyNamed(s.Key); !ok {
			l.errs = append(l.errs, fmt.Errorf("%s: no such key %q%s", s.Source, s.Key, didYouMean(s.Key)))
			continue
		}
		l.put(s.Key, s.Value, s.Source)
	}
	l.apply()
	l.finish()
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return l.c, nil
}

func (l *loader) warn(format string, args ...any) {
	l.c.Warnings = append(l.c.Warnings, fmt.Sprintf(format, args...))
}

// put sets a key whose text is taken as it stands.
func (l *loader) put(key, text, source string) {
	l.raw[key] = entry{text, source}
	l.literal[key] = true
}

// putRaw sets a key whose text is interpolated at the end.
func (l *loader) putRaw(key, text, source string) {
	l.raw[key] = entry{text, source}
	delete(l.literal, key)
}

// file reads the first file of the usual places that is one, or o.Path.
func (l *loader) file() error {
	if l.o.Path != "" {
		text, err := readFile(l.o.Path)
		if err != nil {
			return err
		}
		used, err := l.use(l.o.Path, text)
		if err == nil && !used {
			err = fmt.Errorf("%s: no [sync_app] section in it", l.o.Path)
		}
		return err
	}
	var unreadable error
	for _, path := range l.o.Places() {
		text, err := readFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist) || errors.Is(err, errNoFile):
			continue
		case err != nil:
			// The originals pass over a file that they may not read. So do
			// we, as long as another one is found: never silently on to
			// the defaults.
			unreadable = errors.Join(unreadable, err)
			l.warn("%v; looked further", err)
			continue
		}
		used, err := l.use(path, text)
		if err != nil {
			return err
		}
		if used {
			return nil
		}
	}
	return unreadable
}

// use takes the settings of one file, if it is a configuration of any of the
// servers; false if it has no section for us.
func (l *loader) use(path, text string) (bool, error) {
	var err error
	used := true
	switch {
	case strings.EqualFold(filepath.Ext(path), ".toml"):
		err = l.useTOML(path, text)
	case isPaste(text):
		err = l.usePaste(path, text)
	default:
		used, err = l.useConf(path, text)
	}
	if used && err == nil {
		l.c.File = path
	}
	return used, err
}

const syncApp = "sync_app"

// useConf takes [sync_app] of an ankisyncd.conf. Without that section the file
// is passed over, but its [DEFAULT] goes on to count (docs/compat.md §1.3).
func (l *loader) useConf(path, text string) (bool, error) {
	f, err := parseINI(path, text, dialect{})
	if err != nil {
		return false, err
	}
	own := map[string]bool{}
	for _, section := range []string{"DEFAULT", syncApp} {
		for _, name := range f.keys(section) {
			value, _ := f.raw(section, name)
			l.putRaw(name, value, f.where(section, name))
			own[name] = section == syncApp
		}
	}
	for _, name := range f.keys(syncApp) {
		if _, known := keyNamed(name); !known {
			l.unknown(name, f.where(syncApp, name), false)
		}
	}
	return f.has(syncApp), nil
}

// unknown warns of a key that nothing reads; it may be one of the past.
func (l *loader) unknown(name, source string, quiet bool) {
	switch name {
	case "ssl", "certfile", "keyfile":
		l.warn("%s: key %q of old versions has no effect; the keys are tls_cert and tls_key now", source, name)
	default:
		if !quiet {
			l.warn("%s: unknown key %q has no effect%s", source, name, didYouMean(name))
		}
	}
}

// environment takes every ANKISYNCD_* variable (docs/compat.md §1.4).
func (l *loader) environment() {
	for _, name := range l.envKeys {
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok {
			continue
		}
		key, value, source := strings.ToLower(rest), l.env[name], "environment "+name
		switch {
		case key == "port" && strings.HasPrefix(value, "tcp://"):
			l.warn("%s: %q comes from Kubernetes, for a service of the name ankisyncd; it has no effect", source, value)
		case known(key):
			l.putRaw(key, value, source)
		case l.secretFile(key, value, source) || tolerated(key):
		default:
			l.unknown(key, source, false)
			if _, set := l.raw[key]; !set {
				l.putRaw(key, value, source) // may be referred to by %(key)s
			}
		}
	}
	l.account()
}

func known(key string) bool { _, ok := keyNamed(key); return ok }

// tolerated are names that occur in the wild without meaning a key: in the
// originals' Makefile, in ankisyncd-rs, and from Kubernetes.
func tolerated(key string) bool {
	switch key {
	case "url", "name", "version", "description", "username", "password", "password_file":
		return true
	}
	return strings.HasPrefix(key, "service_") || strings.HasPrefix(key, "port_")
}

// apply interpolates what has been gathered and parses it into the Config.
func (l *loader) apply() {
	lookup := func(name string) (string, bool) {
		name = strings.ToLower(name)
		e, ok := l.raw[name]
		if !ok {
			if k, known := keyNamed(name); known {
				return strings.ReplaceAll(k.def, "%", "%%"), true
			}
			return "", false
		}
		if l.literal[name] {
			return strings.ReplaceAll(e.text, "%", "%%"), true
		}
		return e.text, true
	}
	for i := range table {
		k := &table[i]
		e, ok := l.raw[k.name]
		if !ok {
			continue
		}
		text, err := e.text, error(nil)
		if !l.literal[k.name] {
			text, err = interpolate(e.text, lookup)
		}
		if err == nil {
			err = k.set(l.c, text)
			l.noteBlank(k, e, text)
		}
		if err != nil {
			l.errs = append(l.errs, keyError(k, e.text, e.source, err))
		}
		l.c.setSource(k.name, e.source)
	}
}

// keyError names key, value and source of a bad setting.
func keyError(k *key, text, source string, err error) error {
	if k.secret() && text != "" {
		text = hidden
	}
	return fmt.Errorf("%s: %s = %q: %w", source, k.name, shorten(text), err)
}

// finish brings the URLs into their one form.
func (l *loader) finish() {
	l.c.BaseURL = slashed(l.c.BaseURL)
	l.c.BaseMediaURL = slashed(l.c.BaseMediaURL)
	l.c.BasePath = strings.TrimSuffix(slashed(l.c.BasePath), "/")
	l.hints()
	l.openREST()
}

// openREST warns of a RESTful API that other machines may use without a token.
func (l *loader) openREST() {
	if l.c.RestPort == 0 || l.c.RestToken != "" {
		return
	}
	var others []string
	for _, h := range l.c.RestAllowedHosts {
		if h == "*" {
			others = []string{"everybody"}
			break
		}
		ps, _ := parsePrefixes(h) // Validate has a word on what is none
		if slices.ContainsFunc(ps, func(p netip.Prefix) bool { return !p.Addr().IsLoopback() }) {
			others = append(others, h)
		}
	}
	if len(others) > 0 {
		l.warn("%s: rest_allowed_hosts lets %s use the RESTful API, which asks for no password; set rest_token",
			l.c.Source("rest_allowed_hosts"), strings.Join(others, ", "))
	}
}

// slashed adds the slashes at both ends of a URL path.
func slashed(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path
}
