package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// keyHash is the SHA-256 of a host key: all that is stored of one, and what it
// is looked up by, so that no comparison with a secret depends on its bytes.
type keyHash [sha256.Size]byte

func hashKey(hkey string) keyHash { return sha256.Sum256([]byte(hkey)) }

func (h keyHash) hex() string { return hex.EncodeToString(h[:]) }

// idLen is the length of a device's id: the first characters of its keyHash,
// 64 bits of it. They tell nothing about a random key.
const idLen = 16

func (h keyHash) id() string { return h.hex()[:idLen] }

// newHostKey makes a host key: 160 random bits, in the form of the official
// server's keys (40 hexadecimal characters).
func newHostKey() string {
	b := make([]byte, 20)
	rand.Read(b) //nolint:errcheck // never fails
	return hex.EncodeToString(b)
}

// maxHostKey is longer than any key of any server (80 for ankisyncd-rs).
const maxHostKey = 128

// key is what is known of a valid host key. It is shared and not changed.
type key struct {
	user string
	kind Kind
	id   string
	// follows, if not empty, is the stored password that the key follows from.
	follows string
	// cred, if not empty, holds credOf of the stored password at login and of its
	// later form.
	cred string
	// proof, if not empty, is keyProof of the key and its static user's
	// password at login.
	proof string
	seen  *seen
	// proven is set once proof was found to be right.
	proven atomic.Bool
}

// seen says on which day a device was last noted to be active.
type seen struct {
	hash keyHash
	user string
	kind Kind
	id   string
	day  atomic.Int64 // days since 1970; 0 is never
	// unbound: the row does not say which password the device logged in with.
	unbound atomic.Bool
}

const secondsPerDay = 24 * 60 * 60

func newKey(h keyHash, user string, kind Kind, lastSeen int64) *key {
	k := &key{user: user, kind: kind, id: h.id()}
	if kind == KindOfficial || kind == KindRS && lastSeen < 0 {
		k.id = derivedID(kind, user)
		lastSeen = 0
	}
	k.seen = &seen{hash: h, user: user, kind: kind, id: k.id}
	k.seen.day.Store(lastSeen / secondsPerDay)
	return k
}

// derivedID names the one key that follows from a user's password. Its hash is
// no good as an id: it would let a reader try passwords against it.
func derivedID(kind Kind, user string) string { return string(kind) + ":" + user }

// parseDerivedID is the reverse of derivedID.
func parseDerivedID(id string) (kind Kind, user string, ok bool) {
	k, user, ok := strings.Cut(id, ":")
	kind = Kind(k)
	return kind, user, ok && (kind == KindRS || kind == KindOfficial)
}

// keyProof binds a host key to the password of a static user, who has no row
// that would tell a change of password: when the environment changes, keys of
// before no longer match. Without the key, which is random and not stored, it
// is no help in guessing the password.
func keyProof(hkey, stored string) string {
	m := hmac.New(sha256.New, []byte(hkey))
	m.Write([]byte(stored))
	return hex.EncodeToString(m.Sum(nil))
}

// credOf identifies a stored password in the rows of devices that have logged in
// with it: if another program changes the password, or makes a user of that name
// anew, they are out. What it is made of is salted, so it tells nothing.
func credOf(stored string) string {
	h := sha256.Sum256([]byte("ankisyncd device\x00" + stored))
	return hex.EncodeToString(h[:credLen/2])
}

const credLen = 32

// credHas reports whether a row's cred names a stored password. There may be two,
// separated by a space: that of a form and that of the one before, the password
// being the same.
func credHas(creds, cred string) bool { return cred != "" && strings.Contains(creds, cred) }

// credAlso adds the later form of a password to a row's cred.
func credAlso(cred, later string) string { return later + " " + cred }

// newDevice is a row that a login adds.
type newDevice struct {
	hash         keyHash
	user         string
	cred, proof  string // see key
	at           time.Time
	client, addr string
}

// sighting is one device that was active.
type sighting struct {
	*seen
	at           time.Time
	client, addr string
	cred         string // to be noted if the device is unbound
}

// keyStore is where host keys are kept: a session table or memory.
type keyStore interface {
	// lookup returns a key that was given out, or ErrUnknownKey.
	lookup(ctx context.Context, hkey string) (*key, error)
	// derived returns the key of that kind of a user, unless it was refused
	// (then ErrUnknownKey). stored is what it depends on, or empty.
	derived(ctx context.Context, h keyHash, user string, kind Kind, stored string) (*key, error)
	// lookupSK returns the key of a Python server's media session key.
	lookupSK(ctx context.Context, sk string) (*key, error)
	// add stores a new key, and drops a user's idlest keys beyond limit.
	add(ctx context.Context, d newDevice, limit int) error
	// adopt makes a derived key of ankisyncd-rs, which is the stored password, one
	// of its own right.
	adopt(ctx context.Context, user, hkey string, at time.Time) error
	// rehash notes that a stored password is about to change its form only.
	rehash(ctx context.Context, user, old, stored string) error
	// refuse makes derived keys of a user invalid for good.
	refuse(ctx context.Context, user string, kinds ...Kind) error
	// remove forgets one key, removeID that with an id (ErrNoDevice if there
	// is none), removeUser all of a user, and says how many.
	remove(ctx context.Context, hkey string) error
	removeID(ctx context.Context, id string) error
	removeUser(ctx context.Context, user string) (int, error)
	// list returns the devices of a user, of all users if empty, and the
	// refused derived keys by id.
	list(ctx context.Context, user string) (ds []Device, refused map[string]bool, err error)
	// saw stores when devices were last active.
	saw(ctx context.Context, sightings []sighting) error
	close() error
}

// maxClient is how much of a client's version string is kept, in bytes.
const maxClient = 200

func cleanClient(client string) string {
	if len(client) > maxClient {
		client = client[:maxClient]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(client, "\x00", ""), "")
}

func addrString(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}
