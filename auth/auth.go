// Package auth knows who may sync: users, their passwords, their host keys
// (sessions) and the devices behind them, and how often somebody may guess.
//
// It opens the user and session tables of the Python servers in place, in both
// of their forms (docs/compat.md §2), so that the same files go on working in
// both directions:
//
//   - auth(username, hash) keeps exactly its two columns. New hashes are argon2id
//     in PHC form unless Options.KeepLegacyHashes is set.
//   - session(hkey, skey, username, path) keeps its rows, which stay valid, but
//     nothing is added to it: the path in it is never read, and new host keys are
//     stored only as their SHA-256 in the side table ankisyncd_device.
//   - everything of ours is in side tables whose names begin with "ankisyncd_".
//
// Other processes (the adduser, passwd and deluser commands) change the same
// files while the server runs. Every call looks at the files' change counters,
// so a change holds from the very next request on, without any SQL per request.
//
// It imports sqlite and nothing else of ours. It must never know HTTP, the
// configuration, or where a user's collection is.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Errors that callers tell apart.
var (
	// ErrBadCredentials: no such user, or not that user's password. Which of
	// the two it was is in the log only.
	ErrBadCredentials = errors.New("auth: wrong user name or password")
	// ErrUnknownKey: no such host key (or media session key), or it was
	// revoked, or its user is gone.
	ErrUnknownKey = errors.New("auth: unknown or revoked host key")
	// ErrUserExists: AddUser of a name that is taken.
	ErrUserExists = errors.New("auth: user already exists")
	// ErrNoUser: the named user does not exist.
	ErrNoUser = errors.New("auth: no such user")
	// ErrNoDevice: RevokeDevice of an id that is not there.
	ErrNoDevice = errors.New("auth: no such device")
	// ErrStaticUser: the user comes from the environment and can only be
	// changed there.
	ErrStaticUser = errors.New("auth: user is defined by the environment")
	// ErrInvalidName: a user name that ValidUserName refuses.
	ErrInvalidName = errors.New("auth: invalid user name")
	// ErrInvalidHash: a stored password hash of no form that is known.
	ErrInvalidHash = errors.New("auth: unknown form of password hash")
	// ErrNoUserTable: Options names no source of users, or a change of users
	// was asked of a Store without AuthDB.
	ErrNoUserTable = errors.New("auth: no user table")
)

// ThrottledError is the answer to a login that comes too soon after failed ones.
// The password was not looked at.
type ThrottledError struct {
	RetryAfter time.Duration // how long to wait; at least a second
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("auth: too many failed logins, try again in %s", e.RetryAfter)
}

// StaticUser is a user that exists without a user table, as the official
// server's SYNC_USERn=name:password defines one (docs/compat.md §1.9). Exactly
// one of Password and PHC is looked at: PHC if it is not empty.
type StaticUser struct {
	Name     string
	Password string // plain text
	PHC      string // "$pbkdf2-sha256$i=…,l=…$salt$hash" or "$argon2id$…" (PASSWORDS_HASHED)
}

// Options are the settings of a Store.
type Options struct {
	// AuthDB is the path of the user table, created if missing. Empty: only
	// StaticUsers exist.
	AuthDB string
	// SessionDB is the path of the session table, created if missing. Empty:
	// sessions live in memory and end with the process.
	SessionDB string
	// MustExist makes Open fail with fs.ErrNotExist when AuthDB is missing,
	// and do without SessionDB when that is missing. For commands.
	MustExist bool
	// AllowAnyone switches authentication off: every name with every password
	// is let in. Only without AuthDB and StaticUsers; without those, Open
	// refuses unless this is set.
	AllowAnyone bool
	// StaticUsers exist beside the user table and win over a row of the same name.
	StaticUsers []StaticUser
	// AcceptRSKeys also takes the stored 80-character hash itself as a host
	// key, as ankisyncd-rs handed it out (docs/compat.md §2.5).
	AcceptRSKeys bool
	// KeepLegacyHashes leaves salted SHA-256 hashes as they are and writes new
	// ones in that form, so that the Python servers go on reading the table.
	KeepLegacyHashes bool
	// KeepSessionsOnPasswordChange leaves a user's devices logged in when the
	// password changes, as the originals did. Default: all are revoked.
	KeepSessionsOnPasswordChange bool
	// MaxDevices is how many host keys one user may hold; a login beyond that
	// drops one that was never used, or else the one unused for longest. 0
	// means DefaultMaxDevices.
	MaxDevices int
	// MaxHashes is how many password hashes are computed at once; 0 means one
	// per CPU, at most 4. Each takes 7 MiB of memory.
	MaxHashes int
	// Admit may keep a user out whose password or key is right: false is
	// answered as a wrong one is. It is called with every request, so it must
	// be quick, and has to log why. nil: all are let in.
	Admit func(ctx context.Context, user string) (bool, error)
	// GiveBack is called when hashes have left garbage that is not needed soon;
	// it must not take long. nil: the garbage collector sees to it some day.
	GiveBack func()
	// LoginCacheTTL is how long a verified password needs no new hashing; 0
	// means DefaultLoginCacheTTL, negative means no cache. See loginCache.
	LoginCacheTTL time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets the login lines; nil means none.
	Log *slog.Logger
}

// Defaults of Options.
const (
	DefaultMaxDevices    = 1000
	DefaultLoginCacheTTL = 10 * time.Minute
)

// Session is what a valid host key stands for.
type Session struct {
	User string
	// SK is the session key to hand out in the media protocol's begin: the
	// host key itself (docs/compat.md §5.2).
	SK string
	// ID names the device in Devices and RevokeDevice; it is no secret.
	ID string

	seen *seen  // nil in a zero Session
	cred string // of the password that counts now; empty if no key depends on it
}

// Kind says where a host key comes from.
type Kind string

// Kinds of host keys.
const (
	KindDevice   Kind = "device"   // made by Login
	KindPython   Kind = "python"   // a row of the Python servers' session table
	KindRS       Kind = "rs"       // ankisyncd-rs: the stored hash
	KindOfficial Kind = "official" // the official server: sha1("user:password")
)

// Device is one host key, as the owner sees it.
type Device struct {
	ID       string    `json:"id"`
	User     string    `json:"user"`
	Kind     Kind      `json:"kind"`
	Created  time.Time `json:"created"`   // zero if not known
	LastSeen time.Time `json:"last_seen"` // to the day; zero if not known
	Client   string    `json:"client"`    // as the client called itself, may be empty
	Addr     string    `json:"addr"`      // address it was last seen from, may be empty
}
