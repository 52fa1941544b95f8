package auth

import (
	"fmt"
	"path/filepath"
	"testing"
)

func benchStore(b *testing.B, memory bool) (*Store, string) {
	o := dirOptions(copyData(b, "ankisyncd-2.4.0"))
	if memory {
		o.SessionDB = ""
	}
	s := open(b, o)
	return s, login(b, s, "alice", "alice-pw")
}

// BenchmarkSession is what every request costs.
func BenchmarkSession(b *testing.B) {
	for _, memory := range []bool{false, true} {
		b.Run(fmt.Sprintf("memory=%v", memory), func(b *testing.B) {
			s, k := benchStore(b, memory)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Session(b.Context(), k); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSessionParallel(b *testing.B) {
	s, k := benchStore(b, false)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Session(b.Context(), k); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkSessionMiss is a key that nobody has.
func BenchmarkSessionMiss(b *testing.B) {
	s, _ := benchStore(b, false)
	for b.Loop() {
		_, _ = s.Session(b.Context(), "0123456789abcdef0123456789abcdef")
	}
}

// BenchmarkLogin includes storing the new key.
func BenchmarkLogin(b *testing.B) {
	for _, cache := range []bool{false, true} {
		for _, memory := range []bool{false, true} {
			b.Run(fmt.Sprintf("cache=%v/memory=%v", cache, memory), func(b *testing.B) {
				o := dirOptions(copyData(b, "ankisyncd-2.4.0"))
				if memory {
					o.SessionDB = ""
				}
				if !cache {
					o.LoginCacheTTL = -1
				}
				s := open(b, o)
				login(b, s, "alice", "alice-pw")
				b.ReportAllocs()
				for b.Loop() {
					login(b, s, "alice", "alice-pw")
				}
			})
		}
	}
}

func BenchmarkHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newHash("alice", "alice-pw", false)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := copyData(b, "ankisyncd-2.4.0")
	static := make([]StaticUser, 200)
	for i := range static {
		static[i] = StaticUser{Name: fmt.Sprint("user", i), Password: "pw"}
	}
	for name, o := range map[string]Options{
		"tables": dirOptions(dir),
		"static": {StaticUsers: static, SessionDB: filepath.Join(dir, "session.db")},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := Open(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
