package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load loads with an empty home and working directory of its own.
func load(t *testing.T, o LoadOptions) (*Config, error) {
	t.Helper()
	empty := t.TempDir()
	for _, dir := range []*string{&o.WorkDir, &o.ExeDir, &o.Home} {
		if *dir == "" {
			*dir = empty
		}
	}
	return Load(o)
}

// mustLoad is load that must succeed, Validate included.
func mustLoad(t *testing.T, o LoadOptions) *Config {
	t.Helper()
	c, err := load(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// values are the keys that are not at their default, or all of want's.
func values(c *Config, want map[string]string) map[string]string {
	got := map[string]string{}
	for _, v := range c.Values() {
		if _, ok := want[v.Key]; ok || v.Source != sourceDefault {
			got[v.Key] = v.Value
		}
	}
	return got
}

// TestFixtures: the originals' own files give what the originals would use.
func TestFixtures(t *testing.T) {
	python := map[string]string{
		"host": "127.0.0.1", "port": "27701", "data_root": "./collections", "base_url": "/sync/",
		"base_media_url": "/msync/", "auth_db_path": "./auth.db", "session_db_path": "./session.db",
	}
	for file, want := range map[string]map[string]string{
		"ankisyncd-2.4.0.conf": python,
		"ankisyncd-2.3.0.conf": python,
		"tsudoko.conf":         python,
		"production.ini": {
			"host": "127.0.0.1", "port": "27701", "data_root": "./collections", "base_url": "/sync/",
			"base_media_url": "/msync/", "auth_db_path": "./auth.db", "session_db_path": "./session.db",
			"rest_host": "127.0.0.1", "rest_port": "27701", "rest_allowed_hosts": "127.0.0.1",
		},
		"ankisyncd.toml": {
			"host": "0.0.0.0", "port": "27701", "data_root": "collections", "auth_db_path": "auth.db",
			"session_db_path": "session.db", "accept_rs_keys": "yes",
		},
	} {
		t.Run(file, func(t *testing.T) {
			c := mustLoad(t, LoadOptions{Path: filepath.Join("testdata/fixtures", file)})
			if d := cmp.Diff(want, values(c, nil)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("warnings: %q", c.Warnings)
			}
		})
	}
}

func TestLayers(t *testing.T) {
	conf := write(t, "ankisyncd.conf", "[sync_app]\nhost = file\nport = 1\ndata_root = /f\nauth_db_path = %(data_root)s/auth.db\n")
	for _, test := range []struct {
		name   string
		env    []string
		flags  []Setting
		want   map[string]string
		source map[string]string
	}{
		{
			name:   "file over default",
			want:   map[string]string{"host": "file", "port": "1", "auth_db_path": "/f/auth.db", "log_level": "info"},
			source: map[string]string{"host": conf + ":2", "log_level": "default"},
		},
		{
			name:   "environment over file, references see it",
			env:    []string{"ANKISYNCD_PORT=2", "ANKISYNCD_DATA_ROOT=/e", "ankisyncd_host=no", "ANKISYNCD_base_url=x"},
			want:   map[string]string{"host": "file", "port": "2", "auth_db_path": "/e/auth.db", "base_url": "/x/"},
			source: map[string]string{"port": "environment ANKISYNCD_PORT", "auth_db_path": conf + ":5"},
		},
		{
			name: "official server's between file and ours",
			env:  []string{"SYNC_HOST=o", "SYNC_PORT=3", "ANKISYNCD_PORT=4", "SYNC_IP_HEADER=XRealIp"},
			want: map[string]string{"host": "o", "port": "4", "ip_header": "X-Real-IP"},
		},
		{
			name:   "flag over all, taken literally",
			env:    []string{"ANKISYNCD_PORT=2"},
			flags:  []Setting{{"port", "5", "flag --port"}, {"data_root", "/50%", "flag --set"}},
			want:   map[string]string{"port": "5", "data_root": "/50%", "auth_db_path": "/50%/auth.db"},
			source: map[string]string{"port": "flag --port"},
		},
		{
			name: "percent in the environment",
			env:  []string{"ANKISYNCD_DATA_ROOT=/50%%"},
			want: map[string]string{"data_root": "/50%"},
		},
		{
			name: "base folder of the official server",
			env:  []string{"SYNC_BASE=/base", "MAX_SYNC_PAYLOAD_MEGS=2000"},
			want: map[string]string{
				"data_root": "/base", "auth_db_path": "/base/auth.db", "session_db_path": "/base/session.db", "port": "1",
				"max_payload_mb": "2000", "max_collection_mb": "6000",
			},
		},
		{
			name: "as good as no limit, of the official server",
			env:  []string{"MAX_SYNC_PAYLOAD_MEGS=1000000"},
			want: map[string]string{"max_payload_mb": "1000000", "max_collection_mb": "1048576"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := load(t, LoadOptions{Path: conf, Environ: test.env, Settings: test.flags})
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range test.want {
				kk, _ := keyNamed(k)
				if got := kk.get(c); got != want {
					t.Errorf("%s = %q, want %q", k, got, want)
				}
			}
			for k, want := range test.source {
				if got := c.Source(k); got != want {
					t.Errorf("source of %s: %q, want %q", k, got, want)
				}
			}
		})
	}
}

// TestOfficialAlone: the first command of the README.
func TestOfficialAlone(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{"SYNC_USER1=me:sec:ret"}})
	if c.Port != 27701 || c.DataRoot != "./collections" || c.Host != "0.0.0.0" {
		t.Errorf("port %d, data_root %q, host %q", c.Port, c.DataRoot, c.Host)
	}
	want := []User{{Name: "me", Secret: "sec:ret", Source: "environment SYNC_USER1"}}
	if d := cmp.Diff(want, c.Users); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestOfficialUsers(t *testing.T) {
	secret := write(t, "secret", "c:%pw\n")
	c := mustLoad(t, LoadOptions{Environ: []string{
		"SYNC_USER1=a:$pbkdf2-sha256$x", "SYNC_USER2_FILE=" + write(t, "s", "b:$pbkdf2$y\r\n"), "PASSWORDS_HASHED=",
		"SYNC_USER4=late:$x", "SYNC_BASE=/base",
	}})
	if len(c.Users) != 2 || c.Users[1].Secret != "$pbkdf2$y" || !c.Users[1].Hashed {
		t.Errorf("users %#v", c.Users)
	}
	if c.Port != 8080 || c.AuthDBPath != "/base/auth.db" || c.SessionDBPath != "/base/session.db" {
		t.Errorf("port %d, %q, %q", c.Port, c.AuthDBPath, c.SessionDBPath)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "SYNC_USER4") {
		t.Errorf("warnings %q", c.Warnings)
	}
	c = mustLoad(t, LoadOptions{Environ: []string{"ANKISYNCD_USERNAME=c", "ANKISYNCD_PASSWORD_FILE=" + secret}})
	if len(c.Users) != 1 || c.Users[0].Secret != "c:%pw" || !c.Users[0].OnlyIfAbsent {
		t.Errorf("users %#v", c.Users)
	}
}

func TestSyncServerHint(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".syncserver"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, LoadOptions{Home: home, Environ: []string{"SYNC_USER1=a:b"}})
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "SYNC_BASE=") {
		t.Errorf("warnings %q", c.Warnings)
	}
}

func TestSecrets(t *testing.T) {
	creds := t.TempDir()
	for name, text := range map[string]string{"rest_token": "tok\n", "sync_user1": "a:b\n", "tls_cert": "x", "tls_key": "y"} {
		if err := os.WriteFile(filepath.Join(creds, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := "CREDENTIALS_DIRECTORY=" + creds
	c := mustLoad(t, LoadOptions{Environ: []string{dir}})
	if c.RestToken != "tok" || len(c.Users) != 1 || c.Users[0].Name != "a" || c.TLSKey != filepath.Join(creds, "tls_key") {
		t.Errorf("token %q, users %#v, key %q", string(c.RestToken), c.Users, c.TLSKey)
	}
	c = mustLoad(t, LoadOptions{Environ: []string{dir, "ANKISYNCD_REST_TOKEN_FILE=" + write(t, "x", "other")}})
	if c.RestToken != "other" || c.Source("rest_token") != "environment ANKISYNCD_REST_TOKEN_FILE" {
		t.Errorf("token %q from %s", string(c.RestToken), c.Source("rest_token"))
	}
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "other") || !strings.Contains(b.String(), "#rest_token = (hidden)") {
		t.Errorf("printed:\n%s", b.String())
	}
}

func TestPlaces(t *testing.T) {
	home, exe, work := t.TempDir(), t.TempDir(), t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := LoadOptions{Home: home, ExeDir: exe, WorkDir: work}
	good := func(want string) {
		t.Helper()
		if c := mustLoad(t, o); c.File != want {
			t.Errorf("used %q, want %q", c.File, want)
		}
	}
	good("")
	toml, err := os.ReadFile("testdata/fixtures/ankisyncd.toml")
	if err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(work, "ankisyncd.toml"), string(toml))
	good(filepath.Join(work, "ankisyncd.toml"))
	ini, err := os.ReadFile("testdata/fixtures/production.ini")
	if err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(work, "production.ini"), string(ini))
	good(filepath.Join(work, "production.ini"))
	put(filepath.Join(work, confName), "[sync_app]\n")
	good(filepath.Join(work, confName))
	put(filepath.Join(exe, confName), "[sync_app]\n")
	good(filepath.Join(exe, confName))
	put(filepath.Join(home, ".config/ankisyncd", confName), "[DEFAULT]\nlog_level = debug\n")
	good(filepath.Join(exe, confName)) // passed over: no [sync_app]
	if c := mustLoad(t, o); c.LogLevel != "debug" {
		t.Error("[DEFAULT] of the file passed over does not count")
	}
	put(filepath.Join(home, ".config/ankisyncd", confName), "[sync_app]\n")
	good(filepath.Join(home, ".config/ankisyncd", confName))
	xdg := t.TempDir()
	put(filepath.Join(xdg, "ankisyncd", confName), "[sync_app]\n")
	o.Environ = []string{"XDG_CONFIG_HOME=" + xdg}
	good(filepath.Join(xdg, "ankisyncd", confName))
	o.Environ = []string{"XDG_CONFIG_HOME="}
	good(filepath.Join(home, ".config/ankisyncd", confName))
}

// TestBad has everything that must keep the server from starting; the message
// names key, value and source.
func TestBad(t *testing.T) {
	const restOn = "rest_port = 27702\nrest_allowed_hosts = *"
	for _, test := range []struct {
		name, conf string
		env        []string
		want       []string
	}{
		{"port is no number", "port = 27701 ; x", nil, []string{`ankisyncd.conf:2: port = "27701 ; x"`, "whole number"}},
		{"port too large", "port = 65536", nil, []string{`port = "65536"`, "from 0 to 65535"}},
		{"port empty in the environment", "", []string{"ANKISYNCD_PORT="}, []string{`environment ANKISYNCD_PORT: port = ""`}},
		{"lone percent in the environment", "", []string{"ANKISYNCD_DATA_ROOT=/50%"}, []string{`environment ANKISYNCD_DATA_ROOT`, "%%"}},
		{"missing reference", "data_root = %(nope)s", nil, []string{"ankisyncd.conf:2", `"nope"`}},
		{"user manager", "user_manager = my.Manager", nil, []string{`ankisyncd.conf:2: user_manager = "my.Manager"`, "auth_db_path"}},
		{"foreign class of an own name", "session_manager = evil.SimpleSessionManager", nil, []string{"session_manager"}},
		{"own class of another key", "collection_wrapper = ankisyncd.users.SqliteUserManager", nil, []string{"collection_wrapper"}},
		{"no authentication", "auth_db_path =", nil, []string{`ankisyncd.conf:2: auth_db_path = ""`, "allow_anyone"}},
		{"no authentication by environment", "", []string{"ANKISYNCD_AUTH_DB_PATH="}, []string{"environment ANKISYNCD_AUTH_DB_PATH"}},
		{"anyone beside a database", "allow_anyone = yes", nil, []string{"allow_anyone", "auth_db_path"}},
		{"no data root", "data_root =", nil, []string{"data_root"}},
		{"swallowed line", "data_root = ./c\n  base_url = /x/", nil, []string{"data_root", "indented"}},
		{"half TLS", "tls_cert = x", nil, []string{"tls_key"}},
		{"listen", "listen = 1.2.3.4", nil, []string{`"1.2.3.4" is neither`}},
		{"listen unix", "listen = unix:", nil, []string{"lacks the path"}},
		{"host with port", "host = a b", nil, []string{`host = "a b"`}},
		{"proxies", "trusted_proxies = me", nil, []string{`"me" is neither`}},
		{"log format", "log_format = xml", nil, []string{"original, text, json"}},
		{"duration", "sync_expiry = soon", nil, []string{`sync_expiry = "soon"`}},
		{"duration too short", "sync_expiry = 1s", nil, []string{"at least 10s"}},
		{"boolean", "pprof = perhaps", nil, []string{"yes or no"}},
		{"pprof alone", "pprof = yes", nil, []string{"metrics_port"}},
		{"same URLs", "base_url = /msync/", nil, []string{"must differ"}},
		{"URL", "base_path = /a b", nil, []string{"base_path"}},
		{"hosts", "rest_allowed_hosts = *, ::1", nil, []string{"stands alone"}},
		{"header", "ip_header = X Y", nil, []string{"no header name"}},
		{"RFC 7239", "", []string{"SYNC_IP_HEADER=RightmostForwarded"}, []string{"environment SYNC_IP_HEADER", "X-Forwarded-For"}},
		{"secret stays hidden", "", []string{"ANKISYNCD_REST_TOKEN=a%b"}, []string{`rest_token = "(hidden)"`}},
		{"official user without password", "", []string{"SYNC_USER1=me"}, []string{"SYNC_USER1", "user:password"}},
		{"official user no hash", "", []string{"SYNC_USER1=me:x", "PASSWORDS_HASHED=1"}, []string{"SYNC_USER1", "no hash"}},
		{"official user twice", "", []string{"SYNC_USER1=me:x", "SYNC_USER2=me:y"}, []string{"SYNC_USER2", "already"}},
		{"secret twice", "", []string{"SYNC_USER1=me:x", "SYNC_USER1_FILE=/x"}, []string{"both set"}},
		{"secret file missing", "", []string{"ANKISYNCD_REST_TOKEN_FILE=/nonexistent/x"}, []string{"/nonexistent/x"}},
		{"empty token", restOn, []string{"ANKISYNCD_REST_TOKEN="}, []string{`environment ANKISYNCD_REST_TOKEN: rest_token = ""`, "empty"}},
		{"empty token over the file's", restOn + "\nrest_token = x", []string{"ANKISYNCD_REST_TOKEN="}, []string{"environment ANKISYNCD_REST_TOKEN:"}},
		{"empty token, API on by environment", "", []string{"ANKISYNCD_REST_TOKEN=", "ANKISYNCD_REST_PORT=1"}, []string{"environment ANKISYNCD_REST_TOKEN:"}},
		{"empty token file", restOn, []string{"ANKISYNCD_REST_TOKEN_FILE=" + write(t, "empty", "")}, []string{"environment ANKISYNCD_REST_TOKEN_FILE: rest_token"}},
		{"token file of line breaks", restOn, []string{"ANKISYNCD_REST_TOKEN_FILE=" + write(t, "blank", " \n\n")}, []string{"environment ANKISYNCD_REST_TOKEN_FILE: rest_token"}},
		{"empty credential", restOn, []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(write(t, "rest_token", "\n"))}, []string{"credential rest_token: rest_token"}},
		{"token that refers to an empty variable", restOn + "\nrest_token = %(mine)s", []string{"ANKISYNCD_MINE="}, []string{"ankisyncd.conf:4: rest_token"}},
		{"account without database", "auth_db_path =", []string{"ANKISYNCD_USERNAME=a", "ANKISYNCD_PASSWORD=b"}, []string{"auth_db_path"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, "ankisyncd.conf", "[sync_app]\n"+test.conf+"\n")
			c, err := load(t, LoadOptions{Path: path, Environ: test.env})
			if err == nil {
				err = c.Validate()
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), "a%b") {
				t.Errorf("secret in %q", err)
			}
		})
	}
}

// TestGood has what must not keep it from starting.
func TestGood(t *testing.T) {
	for _, conf := range []string{
		"auth_db_path =\nallow_anyone = yes",
		"user_manager = ankisyncd.users.SqliteUserManager\nsession_manager = ankisyncd.session.SimpleSessionManager",
		"full_sync_manager =\ncollection_wrapper = ankisyncd.collection.CollectionWrapper",
		"listen = 127.0.0.1:1, [::1]:2\n unix:/run/x.sock",
		"host = ::",
		"host =",
		"session_db_path =",
		"rest_allowed_hosts = *",
		"trusted_proxies =",
		"PORT : 1",
		"rest_port = 1\nrest_token =",
	} {
		mustLoad(t, LoadOptions{Path: write(t, "ankisyncd.conf", "[sync_app]\n"+conf+"\n")})
	}
	// Without the RESTful API nobody needs a token.
	mustLoad(t, LoadOptions{Environ: []string{"ANKISYNCD_REST_TOKEN="}})
	mustLoad(t, LoadOptions{Environ: []string{"ANKISYNCD_REST_TOKEN_FILE=" + write(t, "empty", "")}})
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		conf string
		env  []string
		want string
	}{
		{"prot = 1", nil, `unknown key "prot" has no effect; did you mean "port"?`},
		{"data_rot = 1", nil, `did you mean "data_root"?`},
		{"zzzzzzzzzzzz = 1", nil, `unknown key "zzzzzzzzzzzz" has no effect`},
		{"certfile = /x", nil, "tls_cert"},
		{"", []string{"ANKISYNCD_FOO_BAR_BAZ=1"}, "environment ANKISYNCD_FOO_BAR_BAZ"},
		{"", []string{"ANKISYNCD_PORT=tcp://10.0.0.1:27701"}, "Kubernetes"},
		{"rest_port = 1\nrest_allowed_hosts = *", nil, "ankisyncd.conf:3: rest_allowed_hosts lets everybody use the RESTful API"},
		{"rest_port = 1\nrest_allowed_hosts = ::1, 10.0.0.0/8 1.2.3.4", nil, "lets 10.0.0.0/8, 1.2.3.4 use"},
		{"rest_port = 1\nrest_allowed_hosts = 127.0.0.0/7", nil, "lets 127.0.0.0/7 use"},
		{"rest_port = 1\nrest_allowed_hosts = *\nrest_token = x", nil, ""},
		{"rest_port = 1\nrest_allowed_hosts = *", []string{"ANKISYNCD_REST_TOKEN=x"}, ""},
		{"rest_port = 1\nrest_host = 0.0.0.0\nrest_allowed_hosts = 127.0.0.0/8 ::1", nil, ""},
		{"rest_allowed_hosts = *", nil, ""},
		{"", []string{"ANKISYNCD_URL=x", "ANKISYNCD_SERVICE_HOST=y", "ANKISYNCD_VERSION=1"}, ""},
	} {
		c := mustLoad(t, LoadOptions{Path: write(t, "ankisyncd.conf", "[sync_app]\n"+test.conf+"\n"), Environ: test.env})
		got := strings.Join(c.Warnings, "\n")
		if !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%q %q: warnings %q, want %q", test.conf, test.env, got, test.want)
		}
	}
	if _, err := load(t, LoadOptions{Settings: []Setting{{"prot", "1", "flag --set"}}}); err == nil || !strings.Contains(err.Error(), `"port"`) {
		t.Errorf("unknown key on the command line: %v", err)
	}
}

// TestPaste has what differs from the shipped production.ini.
func TestPaste(t *testing.T) {
	path := write(t, "production.ini", `[server:main]
use = egg:AnkiServer#server
[composite:real]
use = egg:Paste#urlmap
/sync = anki
[app:rest]
use = egg:AnkiServer#rest_app
[app:anki]
use = egg:AnkiServer#sync_app
data_root = %(here)s/c ; inline
session_db_path = s.db
`)
	c, err := load(t, LoadOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"host": "127.0.0.1", "port": "8080", "data_root": filepath.Join(filepath.Dir(path), "c"), "session_db_path": "s.db",
		"auth_db_path": "", "base_url": "/", "base_media_url": "/",
	}
	if d := cmp.Diff(want, values(c, nil)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "default of AnkiServer") {
		t.Errorf("error %v", err)
	}
}

// TestPasteTakesOurKeys: a key of ours in a production.ini holds, or is warned of.
func TestPasteTakesOurKeys(t *testing.T) {
	const head = "[server:main]\nuse = egg:AnkiServer#server\nport = 27701\n%s[app:real]\nuse = egg:Paste#urlmap\n/ = rest\n" +
		"[app:rest]\nuse = egg:AnkiServer#rest_app\ndata_root = ./c\nallowed_hosts = 127.0.0.1\n" +
		"[app:sync]\nuse = egg:AnkiServer#sync_app\nset debug = false\ndata_root = ./c\n" +
		"base_url = /sync/\nbase_media_url = /msync/\nauth_db_path = ./auth.db\n%s"
	for _, test := range []struct {
		server, sync, key, want, warning string
	}{
		{sync: "keep_legacy_hashes = yes\n", key: "keep_legacy_hashes", want: "yes"},
		{sync: "log_level = warn ; inline\n", key: "log_level", want: "warn"},
		{sync: "tls_cert = %(here)s/c.pem\ntls_key = k.pem\n", key: "tls_cert", want: "HERE/c.pem"},
		{sync: "rest_allowed_hosts = 10.0.0.1\n", key: "rest_allowed_hosts", want: "10.0.0.1", warning: "set rest_token"},
		{sync: "rest_port = 0\n", key: "rest_port", want: "0"},
		{sync: "", key: "rest_port", want: "27701"},
		{sync: "[DEFAULT]\nkeep_legacy_hashes = yes\ndebug = true\n", key: "keep_legacy_hashes", want: "yes"},
		{sync: "keep_legacy_hash = yes\n", key: "keep_legacy_hashes", want: "no", warning: `unknown key "keep_legacy_hash" has no effect; did you mean "keep_legacy_hashes"?`},
		{sync: "port = 1\n", key: "port", want: "27701", warning: `key "port" has no effect here; it is one of [server:main]`},
		{server: "keep_legacy_hashes = yes\n", key: "keep_legacy_hashes", want: "no", warning: `key "keep_legacy_hashes" has no effect here; it belongs into [app:sync]`},
	} {
		path := write(t, "production.ini", fmt.Sprintf(head, test.server, test.sync))
		c := mustLoad(t, LoadOptions{Path: path})
		want := strings.ReplaceAll(test.want, "HERE", filepath.Dir(path))
		got := ""
		for _, v := range c.Values() {
			if v.Key == test.key {
				got = v.Value
			}
		}
		if got != want {
			t.Errorf("%q %q: %s = %q, want %q", test.server, test.sync, test.key, got, want)
		}
		if w := strings.Join(c.Warnings, "\n"); !strings.Contains(w, test.warning) || (test.warning == "") != (w == "") {
			t.Errorf("%q %q: warnings %q, want %q", test.server, test.sync, w, test.warning)
		}
	}
}

func TestTOML(t *testing.T) {
	path := write(t, "x.toml", "[listen]\nhost = \"a\" # c\n[paths]\nroot_dir='/r'\n[encryption]\nssl_enable = true\n"+
		"cert_file = \"c\\u0041\"\nkey_file = \"k\"\n[account]\nusername = \"u\"\npassword = \"p\"\n[x]\ny=1\n")
	c := mustLoad(t, LoadOptions{Path: path})
	if c.TLSCert != "cA" || c.TLSKey != "k" || c.DataRoot != "/r/collections" || len(c.Users) != 1 || len(c.Warnings) != 1 {
		t.Errorf("%+v", c)
	}
	for _, text := range []string{"x", "a = [1]", "a = \"x", "a = 1\na = 2", "[a", "[[a]]", "a = \"\"\"x\"\"\"", "a = 'x' y"} {
		if _, err := load(t, LoadOptions{Path: write(t, "x.toml", text)}); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// TestPrintIsReadBack: what Print writes gives the same values again.
func TestPrintIsReadBack(t *testing.T) {
	c := mustLoad(t, LoadOptions{Settings: []Setting{
		{"data_root", "/50% `x` \"q\" ; #", "flag"}, {"listen", "unix:/x, [::1]:1", "flag"}, {"snapshot_max_age", "36h", "flag"},
		{"trusted_proxies", "10.1.2.3/8 ::1", "flag"}, {"socket_mode", "600", "flag"}, {"host", "", "flag"},
	}})
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, LoadOptions{Path: write(t, "ankisyncd.conf", b.String())})
	for i, v := range c.Values() {
		if got := again.Values()[i].Value; got != v.Value {
			t.Errorf("%s: %q became %q", v.Key, v.Value, got)
		}
	}
	if !slices.Equal(again.Listen, c.Listen) || again.SnapshotMaxAge != 36*time.Hour {
		t.Errorf("%+v", again)
	}
}

func TestMissingExplicitFile(t *testing.T) {
	if _, err := load(t, LoadOptions{Path: "/nonexistent/x.conf"}); err == nil {
		t.Error("no error")
	}
	if _, err := load(t, LoadOptions{Path: write(t, "x.conf", "[other]\na=1\n")}); err == nil || !strings.Contains(err.Error(), "[sync_app]") {
		t.Errorf("got %v", err)
	}
}
