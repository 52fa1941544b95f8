package auth

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// Parameters of new hashes: one of the sets of OWASP's password storage cheat
// sheet for argon2id, the one that takes the least memory, since a server with
// several logins at once may have 128 MiB in all.
const (
	argonMemory  = 7168 // KiB
	argonTime    = 5
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
)

// Bounds of what a stored hash may ask for: beyond them it is refused rather
// than computed. They leave room for any sensible setting of other programs.
const (
	maxArgonMemory = 1 << 20 // KiB
	maxArgonTime   = 64
	maxRounds      = 20_000_000
	minSalt        = 4
	maxSalt        = 128
	minKey         = 10
	maxKey         = 128
)

// scheme is the form of a stored password.
type scheme int

const (
	schemeLegacy scheme = iota + 1 // the Python servers' salted SHA-256
	schemeArgon
	schemePBKDF2
	schemePlain // only in memory, for static users
)

// passwordHash is a stored password, taken apart.
type passwordHash struct {
	scheme  scheme
	digest  func() hash.Hash // pbkdf2
	memory  uint32           // KiB, argon2
	rounds  uint32           // argon2: passes; pbkdf2: iterations
	threads uint8            // argon2
	salt    []byte
	key     []byte // what the password must come to
}

// parseHash takes a stored password apart: the 80 characters of the Python
// servers (docs/compat.md §2.2), "$argon2id$v=19$m=…,t=…,p=…$salt$key", or the
// official server's "$pbkdf2-sha256$i=…,l=…$salt$key" (also sha512). Anything
// else is ErrInvalidHash.
func parseHash(s string) (passwordHash, error) {
	if !strings.HasPrefix(s, "$") {
		return parseLegacy(s)
	}
	if len(s) > 1024 {
		return passwordHash{}, ErrInvalidHash
	}
	parts := strings.Split(s[1:], "$")
	switch parts[0] {
	case "argon2id":
		return parseArgon(parts[1:])
	case "pbkdf2-sha256":
		return parsePBKDF2(parts[1:], sha256.New)
	case "pbkdf2-sha512":
		return parsePBKDF2(parts[1:], sha512.New)
	}
	// Not what stands there: it may be a password.
	return passwordHash{}, fmt.Errorf("%w: neither $argon2id$ nor $pbkdf2-sha256$ nor $pbkdf2-sha512$", ErrInvalidHash)
}

const (
	legacyDigest = 2 * sha256.Size // hex characters
	legacySalt   = 16              // characters; they are hashed as characters
	legacyLen    = legacyDigest + legacySalt
)

func parseLegacy(s string) (passwordHash, error) {
	if len(s) != legacyLen {
		return passwordHash{}, fmt.Errorf("%w: %d characters", ErrInvalidHash, len(s))
	}
	key, err := hex.DecodeString(s[:legacyDigest])
	if err != nil || strings.ToLower(s[:legacyDigest]) != s[:legacyDigest] {
		return passwordHash{}, fmt.Errorf("%w: not hexadecimal", ErrInvalidHash)
	}
	return passwordHash{scheme: schemeLegacy, salt: []byte(s[legacyDigest:]), key: key}, nil
}

func parseArgon(parts []string) (passwordHash, error) {
	bad := fmt.Errorf("%w: argon2id", ErrInvalidHash)
	if len(parts) != 4 || parts[0] != "v="+strconv.Itoa(argon2.Version) {
		return passwordHash{}, bad
	}
	p, err := phcParams(parts[1], "m", "t", "p")
	if err != nil {
		return passwordHash{}, err
	}
	m, t, n := p["m"], p["t"], p["p"]
	if n < 1 || n > 255 || t < 1 || t > maxArgonTime || m < 8*n || m > maxArgonMemory {
		return passwordHash{}, bad
	}
	h := passwordHash{scheme: schemeArgon, memory: m, rounds: t, threads: uint8(n)}
	return h.saltAndKey(parts[2], parts[3])
}

// parsePBKDF2 follows the Rust crate that the official server uses: i defaults
// to 600,000 rounds, l to the length of the key and must agree with it.
func parsePBKDF2(parts []string, digest func() hash.Hash) (passwordHash, error) {
	h := passwordHash{scheme: schemePBKDF2, digest: digest, rounds: 600_000}
	l := uint32(0)
	if len(parts) == 3 {
		p, err := phcParams(parts[0], "i", "l")
		if err != nil {
			return passwordHash{}, err
		}
		if i, ok := p["i"]; ok {
			h.rounds = i
		}
		l = p["l"]
		parts = parts[1:]
	}
	bad := fmt.Errorf("%w: pbkdf2", ErrInvalidHash)
	if len(parts) != 2 || h.rounds < 1 || h.rounds > maxRounds {
		return passwordHash{}, bad
	}
	h, err := h.saltAndKey(parts[0], parts[1])
	if err != nil {
		return passwordHash{}, err
	}
	if l != 0 && int(l) != len(h.key) {
		return passwordHash{}, bad
	}
	return h, nil
}

var phc64 = base64.RawStdEncoding.Strict()

func (h passwordHash) saltAndKey(salt, key string) (passwordHash, error) {
	var err error
	if h.salt, err = phc64.DecodeString(salt); err != nil {
		return passwordHash{}, fmt.Errorf("%w: salt", ErrInvalidHash)
	}
	if h.key, err = phc64.DecodeString(key); err != nil {
		return passwordHash{}, fmt.Errorf("%w: key", ErrInvalidHash)
	}
	if len(h.salt) < minSalt || len(h.salt) > maxSalt || len(h.key) < minKey || len(h.key) > maxKey {
		return passwordHash{}, fmt.Errorf("%w: length of salt or key", ErrInvalidHash)
	}
	if strings.ContainsAny(salt+key, "\r\n") { // which base64 would skip
		return passwordHash{}, fmt.Errorf("%w: line break", ErrInvalidHash)
	}
	return h, nil
}

// phcParams reads "a=1,b=2": known names, each at most once, plain decimals.
func phcParams(s string, known ...string) (map[string]uint32, error) {
	out := make(map[string]uint32, len(known))
	for kv := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(kv, "=")
		n, err := strconv.ParseUint(v, 10, 32)
		_, twice := out[k]
		if err != nil || twice || strconv.FormatUint(n, 10) != v {
			return nil, fmt.Errorf("%w: parameter %q", ErrInvalidHash, kv)
		}
		ok := false
		for _, name := range known {
			ok = ok || name == k
		}
		if !ok {
			return nil, fmt.Errorf("%w: parameter %q", ErrInvalidHash, kv)
		}
		out[k] = uint32(n)
	}
	return out, nil
}

// verify reports whether password is the user's, in time that does not depend
// on where a wrong one differs.
func (h passwordHash) verify(user, password string) bool {
	return subtle.ConstantTimeCompare(h.derive(user, password), h.key) == 1
}

func (h passwordHash) derive(user, password string) []byte {
	switch h.scheme {
	case schemeArgon:
		memoryHard.Add(1)
		return argon2.IDKey([]byte(password), h.salt, h.rounds, h.memory, h.threads, uint32(len(h.key)))
	case schemePBKDF2:
		key, err := pbkdf2.Key(h.digest, password, h.salt, int(h.rounds), len(h.key))
		if err != nil { // only lengths that parsing refuses, or a FIPS mode that forbids them
			return nil
		}
		return key
	case schemePlain:
		// Hashed so that the comparison does not tell the length.
		sum := sha256.Sum256([]byte(password))
		return sum[:]
	default:
		return legacyKey(user, password, string(h.salt))
	}
}

// legacyKey is SHA-256 over name, password and the salt's hexadecimal
// characters, without separators (docs/compat.md §2.2).
func legacyKey(user, password, salt string) []byte {
	sum := sha256.Sum256([]byte(user + password + salt))
	return sum[:]
}

// current reports whether h is of the form and strength that new hashes get.
func (h passwordHash) current(keepLegacy bool) bool {
	if keepLegacy {
		return h.scheme == schemeLegacy
	}
	return h.scheme == schemeArgon && h.threads == argonThreads && len(h.key) >= argonKey &&
		(h.memory > argonMemory || h.memory == argonMemory && h.rounds >= argonTime)
}

// newHash makes the stored form of a new password.
func newHash(user, password string, legacy bool) string {
	if legacy {
		salt := make([]byte, legacySalt/2)
		rand.Read(salt) //nolint:errcheck // never fails
		hexSalt := hex.EncodeToString(salt)
		return hex.EncodeToString(legacyKey(user, password, hexSalt)) + hexSalt
	}
	h := dummyArgon()
	rand.Read(h.salt) //nolint:errcheck // never fails
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.rounds, h.threads,
		phc64.EncodeToString(h.salt), phc64.EncodeToString(h.derive(user, password)))
}

// memoryHard counts the memory-hard hashes computed in this process, for tests
// of what a login costs.
var memoryHard atomic.Int64

// dummyArgon costs what a hash of today costs and matches no password.
func dummyArgon() passwordHash {
	return passwordHash{
		scheme: schemeArgon, memory: argonMemory, rounds: argonTime, threads: argonThreads,
		salt: make([]byte, argonSalt), key: make([]byte, argonKey),
	}
}

// plainHash is the password of a static user given in plain text.
func plainHash(password string) passwordHash {
	sum := sha256.Sum256([]byte(password))
	return passwordHash{scheme: schemePlain, key: sum[:]}
}
