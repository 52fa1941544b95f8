package config

import (
	"io/fs"
	"net/netip"
	"path/filepath"
	"time"
)

// Config is the whole configuration. The zero value is of no use: take
// Default or Load. What each field means, its unit and its limits stand in
// keys_table.go, in the same order.
type Config struct {
	// Where it listens.
	Host       string
	Port       int
	Listen     []string
	SocketMode fs.FileMode

	// Where its URLs begin.
	BaseURL      string
	BaseMediaURL string
	BasePath     string

	// Where its data is. Relative paths are relative to the working directory.
	DataRoot      string
	AuthDBPath    string
	SessionDBPath string

	// Python classes, which cannot be loaded; Validate refuses foreign ones.
	FullSyncManager   string
	SessionManager    string
	UserManager       string
	CollectionWrapper string

	// Who may come in.
	AllowAnyone          bool
	KeepLegacyHashes     bool
	KeepSessionsOnPasswd bool
	AcceptRSKeys         bool

	// TLS, and proxies in front.
	TLSCert        string
	TLSKey         string
	TrustedProxies []netip.Prefix
	IPHeader       string

	// Limits.
	MaxPayloadMB       int
	MaxCollectionMB    int
	MaxRequestMB       int
	MaxMediaFileMB     int
	MaxDevices         int
	MaxConnections     int
	MaxOpenCollections int

	// Times.
	CollectionIdleTimeout time.Duration
	SyncExpiry            time.Duration
	HTTPIdleTimeout       time.Duration
	HTTPHeaderTimeout     time.Duration
	HTTPStallTimeout      time.Duration
	ShutdownTimeout       time.Duration

	// Logging.
	LogFormat string
	LogLevel  string

	// Snapshots of collections that an upload replaced.
	SnapshotKeep   int
	SnapshotMaxAge time.Duration
	SnapshotMaxMB  int

	// For operators.
	MetricsHost string
	MetricsPort int
	PProf       bool

	// The RESTful API.
	RestHost         string
	RestPort         int
	RestAllowedHosts []string
	RestToken        Secret

	// Users are the accounts that the environment names (SYNC_USER1…,
	// ANKISYNCD_USERNAME with ANKISYNCD_PASSWORD) or that stand in
	// ankisyncd.toml, in that order.
	Users []User
	// File is the configuration file that was used; "" without one.
	File string
	// Warnings are remarks of Load for the log: unknown keys, settings that
	// have no effect. None of them keeps the server from starting.
	Warnings []string

	sources map[string]string // key -> where its value comes from
	blank   map[string]bool   // secrets that were given, but with nothing in them
}

// User is an account that the configuration itself names.
type User struct {
	Name string
	// Secret is the password, or its PHC string ("$pbkdf2-…") when Hashed.
	Secret Secret
	Hashed bool
	// OnlyIfAbsent: the account is created if there is none of that name,
	// and never changed (ankisyncd-rs). Otherwise the environment decides
	// what the password is (official server).
	OnlyIfAbsent bool
	// Source names the variable or file, for error messages.
	Source string
}

// Secret is text that must not reach a log or a terminal.
type Secret string

// hidden is shown in place of a secret.
const hidden = "(hidden)"

// String hides the secret; take string(s) for the text itself.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v too.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret in JSON and slog output.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// sourceDefault is the source of a value that nothing has set.
const sourceDefault = "default"

// Default returns the built-in defaults: the values that the originals shipped
// in their ankisyncd.conf, and for keys they did not have, those of the table.
func Default() *Config {
	c := &Config{}
	for i := range table {
		k := &table[i]
		if err := k.set(c, k.def); err != nil {
			panic("config: default of " + k.name + ": " + err.Error()) // a programmer's mistake
		}
	}
	return c
}

// Source says where the value of key comes from: "default",
// "FILE:LINE", "environment NAME", "flag --NAME" or "credential NAME".
func (c *Config) Source(key string) string {
	if s, ok := c.sources[key]; ok {
		return s
	}
	return sourceDefault
}

// isDefault reports whether nothing has set key.
func (c *Config) isDefault(key string) bool { return c.Source(key) == sourceDefault }

// setSource remembers where key was set.
func (c *Config) setSource(key, source string) {
	if c.sources == nil {
		c.sources = map[string]string{}
	}
	c.sources[key] = source
}

// Abs makes a path of the configuration absolute against the working
// directory of the process, as the originals do (docs/compat.md §1.6: never
// against the folder of the file). "" stays "".
func Abs(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path // the working directory is gone; opening will say so
}
