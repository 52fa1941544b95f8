package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// pasteSection begins a section that only PasteDeploy's files have.
var pasteSection = regexp.MustCompile(`(?m)^\[(app|composite|pipeline|server|filter-app):`)

// isPaste recognises the production.ini of AnkiServer (docs/compat.md §1.7).
func isPaste(text string) bool {
	return pasteSection.MatchString(text) && strings.Contains(text, "AnkiServer#") &&
		!strings.Contains(text, "\n["+syncApp+"]")
}

// usePaste maps a production.ini to our keys. What is absent there has the
// default that AnkiServer gave it, not ours.
func (l *loader) usePaste(path, text string) error {
	f, err := parseINI(path, text, dialect{python2: true})
	if err != nil {
		return err
	}
	p := &pasteFile{iniFile: f, l: l}
	server, sync, rest := "server:main", p.app("sync_app"), p.app("rest_app")
	if sync == "" {
		return fmt.Errorf("%s: no section in it uses egg:AnkiServer#sync_app", path)
	}
	p.copy(server, "host", "host", "127.0.0.1")
	p.copy(server, "port", "port", "8080")
	p.copy(sync, "data_root", "data_root", ".")
	p.copy(sync, "base_url", "base_url", "/")
	p.copy(sync, "base_media_url", "base_media_url", "/")
	p.copy(sync, "auth_db_path", "auth_db_path", "")
	p.copy(sync, "session_db_path", "session_db_path", "")
	p.ours(sync)
	if rest != "" && p.mapped(rest) {
		p.rest(sync, rest)
	}
	return nil
}

// pasteFile is a production.ini.
type pasteFile struct {
	*iniFile
	l *loader
}

// value interpolates; Paste knows two keys of its own.
func (p *pasteFile) value(section, key string) (string, bool) {
	raw, ok := p.raw(section, key)
	if !ok {
		return "", false
	}
	text, err := interpolate(raw, func(name string) (string, bool) {
		switch name {
		case "here":
			return strings.ReplaceAll(Abs(filepath.Dir(p.path)), "%", "%%"), true
		case "__file__":
			return strings.ReplaceAll(Abs(p.path), "%", "%%"), true
		}
		return p.raw(section, name)
	})
	if err != nil {
		p.l.errs = append(p.l.errs, fmt.Errorf("%s: %s: %w", p.where(section, key), key, err))
	}
	return text, true
}

// copy puts a key of the file, or its default there, under our name.
func (p *pasteFile) copy(section, from, to, def string) {
	if v, ok := p.value(section, from); ok {
		p.l.put(to, v, p.where(section, from))
		return
	}
	p.l.put(to, def, fmt.Sprintf("%s (not in it: default of AnkiServer)", p.path))
}

// ours takes the keys that AnkiServer did not know out of the sync app's section,
// where it passes over them, and warns of what has no effect.
func (p *pasteFile) ours(sync string) {
	for i := range table {
		k := &table[i]
		if v, ok := p.value(sync, k.name); ok && !k.orig {
			p.l.put(k.name, v, p.where(sync, k.name))
		}
	}
	for _, section := range p.SectionStrings() {
		for _, name := range p.keys(section) {
			k, known := keyNamed(name)
			switch {
			case known && k.orig && section == sync && (name == "host" || name == "port"):
				p.l.warn("%s: key %q has no effect here; it is one of [server:main]", p.where(section, name), name)
			case known && !k.orig && section != sync && section != "DEFAULT":
				p.l.warn("%s: key %q has no effect here; it belongs into [%s]", p.where(section, name), name, sync)
			case !known && section == sync && !pasteKey(name):
				p.l.unknown(name, p.where(section, name), false)
			}
		}
	}
}

// pasteKey is true of the keys that PasteDeploy itself reads in a section.
func pasteKey(name string) bool {
	return name == "use" || name == "require" || name == "filter-with" || strings.HasPrefix(name, "set ") || strings.HasPrefix(name, "paste.")
}

// app is the section that uses AnkiServer's given entry point.
func (p *pasteFile) app(entry string) string {
	for _, section := range p.SectionStrings() {
		if use, ok := p.value(section, "use"); ok && use == "egg:AnkiServer#"+entry {
			return section
		}
	}
	return ""
}

// mapped reports whether a urlmap leads to the section.
func (p *pasteFile) mapped(section string) bool {
	_, name, _ := strings.Cut(section, ":")
	for _, s := range p.SectionStrings() {
		if use, _ := p.value(s, "use"); use != "egg:Paste#urlmap" {
			continue
		}
		for _, k := range p.keys(s) {
			if v, _ := p.value(s, k); strings.HasPrefix(k, "/") && v == name {
				return true
			}
		}
	}
	return false
}

// rest switches the RESTful API on, on the server's own port. Our own keys for it
// count more.
func (p *pasteFile) rest(sync, rest string) {
	l := p.l
	set := func(key string) bool { _, ok := l.raw[key]; return ok }
	for to, from := range map[string]string{"rest_host": "host", "rest_port": "port"} {
		if !set(to) {
			l.put(to, l.raw[from].text, l.raw[from].source)
		}
	}
	if v, ok := p.value(rest, "allowed_hosts"); set("rest_allowed_hosts") {
		// said in our own key
	} else if ok {
		l.put("rest_allowed_hosts", v, p.where(rest, "allowed_hosts"))
	} else {
		l.warn("%s: no allowed_hosts in [%s]: AnkiServer let everybody use the RESTful API then, this server only this machine; see rest_allowed_hosts", p.path, rest)
	}
	if v, ok := p.value(rest, "logging.config_file"); ok && v != "" {
		l.warn("%s: %s is not read; see log_format and log_level", p.where(rest, "logging.config_file"), v)
	}
	theirs, ok := p.value(rest, "data_root")
	if !ok {
		theirs = "."
	}
	if ours := l.raw["data_root"].text; filepath.Clean(theirs) != filepath.Clean(ours) {
		l.warn("%s: the RESTful API works on the collections in %s, not on those in %s", p.where(rest, "data_root"), ours, theirs)
	}
}
