package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestHashVectors(t *testing.T) {
	tests := []struct{ name, user, password, stored string }{
		// docs/compat.md §2.2
		{"legacy", "alice", "alice-pw", "9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa"},
		{"legacy cyrillic", "bob@example.com", "пароль 1", "195e9ed1dc5ab3fe0d05697fdade7d3fbf727a9b34f86c7114d0b0b1375affe83cf2c7b383f8d348"},
		// The test vector of the reference implementation of Argon2.
		{"argon2id", "any", "password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		// Made with Python's hashlib.
		{"pbkdf2-sha256", "any", "пароль 1", "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$FeDyGeOyZnhTlgrib+QT0pknFs3JDZgcmm4QEFp1LjA"},
		{"pbkdf2-sha512", "any", "пароль 1", "$pbkdf2-sha512$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$797s+VWsrm9+ahMBsXwfWdy8p7HFbHPSaiwn5u+IOM8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := parseHash(tt.stored)
			if err != nil {
				t.Fatal(err)
			}
			if !h.verify(tt.user, tt.password) {
				t.Error("right password refused")
			}
			for _, wrong := range []string{"", tt.password + " ", strings.ToUpper(tt.password)} {
				if h.verify(tt.user, wrong) {
					t.Errorf("wrong password %q taken", wrong)
				}
			}
		})
	}
}

func TestNewHash(t *testing.T) {
	for _, legacy := range []bool{true, false} {
		for _, password := range []string{"", "pw", "日本 \x00", strings.Repeat("x", 5000)} {
			a, b := newHash("u", password, legacy), newHash("u", password, legacy)
			if a == b {
				t.Errorf("legacy %v: the same hash twice", legacy)
			}
			h, err := parseHash(a)
			if err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			if !h.verify("u", password) || h.verify("u", password+"x") {
				t.Errorf("%s does not verify", a)
			}
			if !h.current(legacy) || h.current(!legacy) {
				t.Errorf("%s: current(%v) is wrong", a, legacy)
			}
			if legacy != (len(a) == 80) || legacy == strings.HasPrefix(a, "$argon2id$v=19$m=7168,t=5,p=1$") {
				t.Errorf("form of %s", a)
			}
		}
	}
}

func TestStrongerHashIsCurrent(t *testing.T) {
	good := func(s string) {
		t.Helper()
		if h, err := parseHash(s); err != nil || !h.current(false) {
			t.Errorf("%s: %v, not current", s, err)
		}
	}
	bad := func(s string) {
		t.Helper()
		if h, err := parseHash(s); err != nil || h.current(false) {
			t.Errorf("%s: %v, current", s, err)
		}
	}
	const tail = "$MDEyMzQ1Njc4OWFiY2RlZg$FeDyGeOyZnhTlgrib+QT0pknFs3JDZgcmm4QEFp1LjA"
	good("$argon2id$v=19$m=7168,t=5,p=1" + tail)
	good("$argon2id$v=19$m=7168,t=6,p=1" + tail)
	good("$argon2id$v=19$m=65536,t=2,p=1" + tail)
	bad("$argon2id$v=19$m=7168,t=4,p=1" + tail)
	bad("$argon2id$v=19$m=4096,t=5,p=1" + tail)
	bad("$argon2id$v=19$m=7168,t=5,p=2" + tail)
	bad("$pbkdf2-sha256$i=600000,l=32" + tail)
}

func TestParseHashRefuses(t *testing.T) {
	const salt, key = "MDEyMzQ1Njc4OWFiY2RlZg", "FeDyGeOyZnhTlgrib+QT0pknFs3JDZgcmm4QEFp1LjA"
	for _, s := range []string{
		"", "alice-pw", strings.Repeat("0", 79), strings.Repeat("0", 81), strings.Repeat("x", 80), strings.Repeat("A", 80),
		"$", "$$$$", "$2b$12$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=7168,t=5,p=1$" + salt + "$" + key,
		"$argon2id$m=7168,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=7168,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=5$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=5,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=5,p=256$" + salt + "$" + key,
		"$argon2id$v=19$m=4,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=4000000000,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,m=7168,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=5,p=1,x=1$" + salt + "$" + key,
		"$argon2id$v=19$m=+7168,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=07168,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=7168,t=5,p=1$" + salt + "$" + key + "$",
		"$argon2id$v=19$m=7168,t=5,p=1$" + salt + "$" + key + "=",
		"$argon2id$v=19$m=7168,t=5,p=1$$" + key,
		"$argon2id$v=19$m=7168,t=5,p=1$" + salt + "$",
		"$argon2id$v=19$m=7168,t=5,p=1$" + salt + "$" + key[:20] + "\n" + key[20:],
		"$pbkdf2-sha256$i=0,l=32$" + salt + "$" + key,
		"$pbkdf2-sha256$i=4000000000,l=32$" + salt + "$" + key,
		"$pbkdf2-sha256$i=1000,l=31$" + salt + "$" + key,
		"$pbkdf2-sha256$" + salt,
		"$pbkdf2-sha1$i=1000,l=32$" + salt + "$" + key,
		"$pbkdf2-sha256$i=1,l=32$" + strings.Repeat("A", 2000) + "$" + key,
	} {
		if _, err := parseHash(s); !errors.Is(err, ErrInvalidHash) {
			t.Errorf("parseHash(%q): %v, want ErrInvalidHash", s, err)
		}
	}
	// The official server's defaults.
	h, err := parseHash("$pbkdf2-sha256$" + salt + "$" + key)
	if err != nil || h.rounds != 600_000 {
		t.Errorf("without parameters: %d rounds, %v", h.rounds, err)
	}
}

// FuzzParseHash: whatever is parsed stays within the bounds of what may be
// computed, and nothing is returned with an error.
func FuzzParseHash(f *testing.F) {
	const tail = "$MDEyMzQ1Njc4OWFiY2RlZg$FeDyGeOyZnhTlgrib+QT0pknFs3JDZgcmm4QEFp1LjA"
	f.Add("9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa")
	f.Add("$argon2id$v=19$m=7168,t=5,p=1" + tail)
	f.Add("$pbkdf2-sha256$i=1000,l=32" + tail)
	f.Add("$pbkdf2-sha512" + tail)
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			if !errors.Is(err, ErrInvalidHash) || h.scheme != 0 {
				t.Fatalf("%v with %+v", err, h)
			}
			return
		}
		if len(h.key) < minKey || len(h.key) > maxKey || len(h.salt) < minSalt || len(h.salt) > maxSalt {
			t.Fatalf("salt %d, key %d bytes", len(h.salt), len(h.key))
		}
		switch h.scheme {
		case schemeLegacy:
			if h.verify("u", s) {
				t.Fatal("a hash is its own password")
			}
		case schemeArgon:
			if h.rounds < 1 || h.rounds > maxArgonTime || h.memory > maxArgonMemory || h.threads < 1 {
				t.Fatalf("%+v", h)
			}
		case schemePBKDF2:
			if h.rounds < 1 || h.rounds > maxRounds || h.digest == nil {
				t.Fatalf("%+v", h)
			}
		default:
			t.Fatalf("scheme %d", h.scheme)
		}
	})
}
