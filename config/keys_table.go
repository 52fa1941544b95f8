package config

import "time"

// Groups of keys, in the order of the shipped file.
const (
	groupListen = "Where the server listens"
	groupURL    = "Where its URLs begin"
	groupData   = "Where its data is"
	groupAuth   = "Who may come in"
	groupTLS    = "TLS, and proxies in front"
	groupLimits = "Limits"
	groupTimes  = "Times"
	groupLog    = "Logging"
	groupSnap   = "Snapshots"
	groupOps    = "Metrics and profiles"
	groupREST   = "RESTful API"
	groupClass  = "Python classes of the originals"
)

// table is every key there is: the one place where a key is described. The
// shipped ankisyncd.conf and docs/configuration.md are written from it
// (go test ./config -update).
var table = []key{
	{
		name: "host", group: groupListen, def: "0.0.0.0", unit: "address or host name", orig: true, ex: "127.0.0.1",
		field: func(c *Config) any { return &c.Host },
		doc:   `Address to listen on. 127.0.0.1 hides the server from everybody but this machine, for instance behind a proxy; "::" listens on IPv6 and IPv4; empty is every address.`,
	},
	{
		name: "port", group: groupListen, def: "27701", unit: "TCP port", orig: true, ex: "27702",
		field: func(c *Config) any { return &c.Port }, check: between(0, 65535),
		doc: `Port to listen on; 0 takes any free one and prints it. Where SYNC_BASE of the official server is set and nothing sets a port, the default is that server's 8080.`,
	},
	{
		name: "listen", group: groupListen, def: "", unit: "list of HOST:PORT or unix:PATH", ex: "127.0.0.1:27701, [::1]:27701, unix:/run/ankisyncd/http.sock",
		field: func(c *Config) any { return &c.Listen },
		doc:   `Addresses to listen on, several if need be, in place of host and port. IPv6 addresses stand in brackets. Sockets handed over by systemd take the place of both.`,
	},
	{
		name: "socket_mode", group: groupListen, def: "0660", unit: "octal file mode", ex: "0666",
		field: func(c *Config) any { return &c.SocketMode },
		doc:   `Access rights of the unix sockets named in listen. With the default a proxy's account has to be in the server's group.`,
	},
	{
		name: "base_url", group: groupURL, def: "/sync/", unit: "URL path", orig: true, ex: "/anki/sync/",
		field: func(c *Config) any { return &c.BaseURL },
		doc:   `Where the URLs of collection sync begin. A missing slash at either end is added.`,
	},
	{
		name: "base_media_url", group: groupURL, def: "/msync/", unit: "URL path", orig: true, ex: "/anki/msync/",
		field: func(c *Config) any { return &c.BaseMediaURL },
		doc:   `Where the URLs of media sync begin. A missing slash at either end is added.`,
	},
	{
		name: "base_path", group: groupURL, def: "", unit: "URL path", ex: "/anki",
		field: func(c *Config) any { return &c.BasePath },
		doc:   `Path under which everything lies, when a proxy in front hands the server a part of a site and leaves the path as it is. Requests without it are answered too.`,
	},
	{
		name: "data_root", group: groupData, def: "./collections", unit: "folder", orig: true, ex: "/var/lib/ankisyncd/collections",
		field: func(c *Config) any { return &c.DataRoot },
		doc:   `Folder with one folder per user in it. A relative path counts from the working directory of the process, here and in every other key.`,
	},
	{
		name: "auth_db_path", group: groupData, def: "./auth.db", unit: "file", orig: true, ex: "/var/lib/ankisyncd/auth.db",
		field: func(c *Config) any { return &c.AuthDBPath },
		doc:   `SQLite database of users and password hashes. The originals took an empty value for "let anybody in"; here that needs allow_anyone too.`,
	},
	{
		name: "session_db_path", group: groupData, def: "./session.db", unit: "file", orig: true, ex: "/var/lib/ankisyncd/session.db",
		field: func(c *Config) any { return &c.SessionDBPath },
		doc:   `SQLite database of the keys that logged-in devices hold. Empty: they are kept in memory only, and every device has to log in again after a restart.`,
	},
	{
		name: "allow_anyone", group: groupAuth, def: "no", unit: "yes or no", ex: "yes",
		field: func(c *Config) any { return &c.AllowAnyone },
		doc:   `Switch authentication off: any name with any password is let in. Only together with an empty auth_db_path. For tests, or behind a proxy that checks who comes.`,
	},
	{
		name: "keep_legacy_hashes", group: groupAuth, def: "no", unit: "yes or no", ex: "yes",
		field: func(c *Config) any { return &c.KeepLegacyHashes },
		doc:   `Keep password hashes in the form of the Python servers, and write new ones so, for those who may want to go back to them. Otherwise a hash is replaced by a stronger one at the user's next login.`,
	},
	{
		name: "keep_sessions_on_passwd", group: groupAuth, def: "no", unit: "yes or no", ex: "yes",
		field: func(c *Config) any { return &c.KeepSessionsOnPasswd },
		doc:   `Leave a user's devices logged in when the password is changed, as the Python servers did. Otherwise each has to log in with the new password.`,
	},
	{
		name: "accept_rs_keys", group: groupAuth, def: "no", unit: "yes or no", ex: "yes",
		field: func(c *Config) any { return &c.AcceptRSKeys },
		doc:   `Let devices in that logged in to ankisyncd-rs, whose keys are the stored password hashes themselves. Where the configuration is an ankisyncd.toml, the default is yes.`,
	},
	{
		name: "tls_cert", group: groupTLS, def: "", unit: "file, PEM", ex: "/etc/ankisyncd/fullchain.pem",
		field: func(c *Config) any { return &c.TLSCert },
		doc:   `Certificate with its chain. With tls_key it makes every TCP address serve HTTPS, that of the RESTful API too, but not that of metrics. It is read again when the file changes and at SIGHUP. Without it: the systemd credential tls_cert, which stays as it is until the service is restarted.`,
	},
	{
		name: "tls_key", group: groupTLS, def: "", unit: "file, PEM", ex: "/etc/ankisyncd/privkey.pem",
		field: func(c *Config) any { return &c.TLSKey },
		doc:   `Private key of tls_cert. Without it: the systemd credential tls_key.`,
	},
	{
		name: "trusted_proxies", group: groupTLS, def: "127.0.0.0/8, ::1/128", unit: "list of addresses or networks", ex: "127.0.0.1, 172.16.0.0/12",
		field: func(c *Config) any { return &c.TrustedProxies },
		doc:   `Proxies whose word about a client's address (ip_header) is believed. Peers on a unix socket always are. Empty: no other is.`,
	},
	{
		name: "ip_header", group: groupTLS, def: "X-Forwarded-For", unit: "header name", ex: "X-Real-IP",
		field: func(c *Config) any { return &c.IPHeader },
		doc:   `Header in which a trusted proxy names the client; of several addresses the rightmost that is not a trusted proxy counts. Empty: the peer's own address is always used.`,
	},
	{
		name: "max_payload_mb", group: groupLimits, def: "1000", unit: "MiB", ex: "300",
		field: func(c *Config) any { return &c.MaxPayloadMB }, check: between(1, maxMB),
		doc: `Largest body of a request as it comes over the network, compressed.`,
	},
	{
		name: "max_collection_mb", group: groupLimits, def: "4000", unit: "MiB", ex: "900",
		field: func(c *Config) any { return &c.MaxCollectionMB }, check: between(1, maxMB),
		doc: `Largest collection that may be uploaded, unpacked.`,
	},
	{
		name: "max_request_mb", group: groupLimits, def: "100", unit: "MiB", ex: "50",
		field: func(c *Config) any { return &c.MaxRequestMB }, check: between(1, 2000),
		doc: `Largest body, unpacked, of every other request of a collection sync. Rows are stored as they are read; a single text in them may have 10 MiB, and all other messages 24 MiB.`,
	},
	{
		name: "max_media_file_mb", group: groupLimits, def: "100", unit: "MiB", ex: "250",
		field: func(c *Config) any { return &c.MaxMediaFileMB }, check: between(1, 4000),
		doc: `Largest media file that may be uploaded. Clients refuse more than 100 themselves.`,
	},
	{
		name: "max_devices", group: groupLimits, def: "1000", unit: "devices per user", ex: "20",
		field: func(c *Config) any { return &c.MaxDevices }, check: between(1, 1<<20),
		doc: `Devices that a user can have logged in; one more logs out the one unused for longest.`,
	},
	{
		name: "max_connections", group: groupLimits, def: "4096", unit: "connections", ex: "500",
		field: func(c *Config) any { return &c.MaxConnections }, check: between(0, 1<<20),
		doc: `Most connections open at once; further ones wait. 0: no limit.`,
	},
	{
		name: "max_open_collections", group: groupLimits, def: "32", unit: "collections", ex: "8",
		field: func(c *Config) any { return &c.MaxOpenCollections }, check: between(1, 1<<16),
		doc: `Collections kept open between requests, the longest unused is closed first. Each takes a few file handles and about 1 MiB of memory.`,
	},
	{
		name: "collection_idle_timeout", group: groupTimes, def: "90s", unit: "time", ex: "30s",
		field: func(c *Config) any { return &c.CollectionIdleTimeout }, check: atLeast(time.Second),
		doc: `A collection that nobody has used for so long is closed.`,
	},
	{
		name: "sync_expiry", group: groupTimes, def: "5m", unit: "time", ex: "2m",
		field: func(c *Config) any { return &c.SyncExpiry }, check: atLeast(10 * time.Second),
		doc: `A begun sync whose client has not been heard of for so long is rolled back. So does the next sync, upload or download of any of the user's devices; until then requests of the RESTful API for that user, those that only read too, are answered with 409 after ten seconds.`,
	},
	{
		name: "http_idle_timeout", group: groupTimes, def: "15m", unit: "time", ex: "10m",
		field: func(c *Config) any { return &c.HTTPIdleTimeout }, check: atLeast(time.Second),
		doc: `A connection without a request is closed after so long. Anki 2.0 fails when its user thinks longer than this about "upload or download?", so keep it at 10 minutes or more; a proxy in front needs the same.`,
	},
	{
		name: "http_header_timeout", group: groupTimes, def: "30s", unit: "time", ex: "10s",
		field: func(c *Config) any { return &c.HTTPHeaderTimeout }, check: atLeast(time.Second),
		doc: `Longest time a client may take to send the head of a request.`,
	},
	{
		name: "http_stall_timeout", group: groupTimes, def: "2m", unit: "time", ex: "1m",
		field: func(c *Config) any { return &c.HTTPStallTimeout }, check: atLeast(time.Second),
		doc: `A request or answer in whose body no byte has moved for so long is given up. There is no limit to how long a moving one may take.`,
	},
	{
		name: "shutdown_timeout", group: groupTimes, def: "4s", unit: "time", ex: "20s",
		field: func(c *Config) any { return &c.ShutdownTimeout }, check: atLeast(0),
		doc: `When the server is told to stop, requests that are under way have so long to finish; then they are cut and rolled back.`,
	},
	{
		name: "log_format", group: groupLog, def: "original", unit: "original, text or json", ex: "json",
		field: func(c *Config) any { return &c.LogFormat }, check: oneOf(LogOriginal, LogText, LogJSON),
		doc: `Form of the log lines on standard error: as the Python servers wrote them ([time]:LEVEL:logger:message), key=value, or JSON.`,
	},
	{
		name: "log_level", group: groupLog, def: "info", unit: "debug, info, warn or error", ex: "debug",
		field: func(c *Config) any { return &c.LogLevel }, check: oneOf("debug", "info", "warn", "error"),
		doc: `Least level of what is logged.`,
	},
	{
		name: "snapshot_keep", group: groupSnap, def: "5", unit: "snapshots per user", ex: "20",
		field: func(c *Config) any { return &c.SnapshotKeep }, check: between(0, 10000),
		doc: `How many earlier collections of a user are kept when an upload or a restore replaces the collection. Two more at most are kept from before a program imported notes, deleted many or changed models through the API. 0: none, the old one is lost as with the originals.`,
	},
	{
		name: "snapshot_max_age", group: groupSnap, def: "90d", unit: "time", ex: "30d",
		field: func(c *Config) any { return &c.SnapshotMaxAge },
		doc:   `Snapshots older than this are removed when the next one is made, except for the newest three. 0: never for their age.`,
	},
	{
		name: "snapshot_max_mb", group: groupSnap, def: "2000", unit: "MiB per user", ex: "500",
		field: func(c *Config) any { return &c.SnapshotMaxMB }, check: between(0, 1<<30),
		doc: `Room that a user's snapshots may take; those of programs go first, then the oldest; the newest stays. 0: no limit.`,
	},
	{
		name: "metrics_host", group: groupOps, def: "127.0.0.1", unit: "address or host name", ex: "10.0.0.5",
		field: func(c *Config) any { return &c.MetricsHost },
		doc:   `Address of the listener for /metrics (Prometheus). It knows no authentication and no TLS.`,
	},
	{
		name: "metrics_port", group: groupOps, def: "0", unit: "TCP port", ex: "27790",
		field: func(c *Config) any { return &c.MetricsPort }, check: between(0, 65535),
		doc: `Port of the listener for /metrics. 0: off.`,
	},
	{
		name: "pprof", group: groupOps, def: "no", unit: "yes or no", ex: "yes",
		field: func(c *Config) any { return &c.PProf },
		doc:   `Serve Go's profiles under /debug/pprof/ on the metrics listener too, for programs on this machine only.`,
	},
	{
		name: "rest_host", group: groupREST, def: "127.0.0.1", unit: "address or host name", ex: "10.0.0.5",
		field: func(c *Config) any { return &c.RestHost },
		doc:   `Address of the RESTful API's listener.`,
	},
	{
		name: "rest_port", group: groupREST, def: "0", unit: "TCP port", ex: "27780",
		field: func(c *Config) any { return &c.RestPort }, check: between(0, 65535),
		doc: `Port of the RESTful API. 0: off. The same as port: it answers on the sync server's own addresses, as AnkiServer did.`,
	},
	{
		name: "rest_allowed_hosts", group: groupREST, def: "127.0.0.1, ::1", unit: "list of addresses, or *", ex: "*",
		field: func(c *Config) any { return &c.RestAllowedHosts },
		doc:   `Addresses that may use the RESTful API; networks like 10.0.0.0/8 too. * is everybody: then set rest_token.`,
	},
	{
		name: "rest_token", group: groupREST, def: "", unit: "text", ex: "a-long-random-text",
		field: func(c *Config) any { return &c.RestToken },
		doc:   `If set, the RESTful API wants the header "Authorization: Bearer" with this text. Better not in a file that others can read: see "Secrets". One that is given by such a way but is empty keeps the server from starting while the API is on.`,
	},
	{
		name: "full_sync_manager", group: groupClass, def: "", unit: "Python class", ex: "ankisyncd.full_sync.FullSyncManager",
		field: func(c *Config) any { return &c.FullSyncManager },
		doc:   `This server cannot load Python classes: only the originals' own are accepted, anything else keeps it from starting. Native alternative: snapshot_keep and the limits above.`,
	},
	{
		name: "session_manager", group: groupClass, def: "", unit: "Python class", ex: "ankisyncd.sessions.SqliteSessionManager",
		field: func(c *Config) any { return &c.SessionManager },
		doc:   `Likewise. Native alternative: session_db_path.`,
	},
	{
		name: "user_manager", group: groupClass, def: "", unit: "Python class", ex: "ankisyncd.users.SqliteUserManager",
		field: func(c *Config) any { return &c.UserManager },
		doc:   `Likewise. Native alternative: auth_db_path, filled by the adduser command or from another program by "ankisyncd user import".`,
	},
	{
		name: "collection_wrapper", group: groupClass, def: "", unit: "Python class", ex: "ankisyncd.collection.CollectionWrapper",
		field: func(c *Config) any { return &c.CollectionWrapper },
		doc:   `Likewise. Native alternative: the RESTful API (rest_port), through which programs work on collections.`,
	},
}

// Values of log_format.
const (
	LogOriginal = "original"
	LogText     = "text"
	LogJSON     = "json"
)

// keyNamed finds a row of the table.
func keyNamed(name string) (*key, bool) {
	for i := range table {
		if table[i].name == name {
			return &table[i], true
		}
	}
	return nil, false
}

// Keys are the names of all keys, in the order of the shipped file.
func Keys() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}
