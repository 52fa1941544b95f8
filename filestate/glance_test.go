package filestate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// TestGlance: looking again sees what looking sees, at once and each time.
func TestGlance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	var g filestate.Glance
	state := filestate.Of(path)
	for i := range 20 {
		if i%3 == 0 {
			if err := os.WriteFile(path, make([]byte, i), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if i%7 == 6 {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		got, want := g.Again(state)(path), filestate.Of(path)
		if !got.Same(want) || got.Found() != want.Found() || got.Size() != want.Size() || got.ModTime() != want.ModTime() {
			t.Fatalf("%d: %v, want %v", i, got, want)
		}
		if quick := filestate.Quickly(path); !quick.Same(want) {
			t.Fatalf("%d: quickly %v, want %v", i, quick, want)
		}
		state = got
	}
}

func BenchmarkAgain(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	state := filestate.Of(path)
	b.Run("Of", func(b *testing.B) {
		for b.Loop() {
			filestate.Of(path)
		}
	})
	b.Run("Again", func(b *testing.B) {
		var g filestate.Glance
		for b.Loop() {
			g.Again(state)(path)
		}
	})
}
