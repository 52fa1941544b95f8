package filestate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ankisyncd/ankisyncd/filestate"
	"github.com/ankisyncd/ankisyncd/nowait"
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

// TestGlanceElsewhere: only what lies on the machine's own disks, all of it, is
// looked at without telling the scheduler, and not before it was seen lately.
func TestGlanceElsewhere(t *testing.T) {
	here := filestate.Of("/dev/shm")
	if !nowait.Local("/dev/shm") {
		t.Skip("nothing here is looked at quickly")
	}
	elsewhere := filestate.Of("/proc")
	for _, c := range []struct {
		seen []filestate.State
		want bool
	}{
		{[]filestate.State{here}, true},
		{[]filestate.State{elsewhere}, false},
		{[]filestate.State{here, elsewhere}, false},
		{[]filestate.State{elsewhere, here}, false},
		{[]filestate.State{here, {}}, false},
	} {
		var g filestate.Glance
		if filestate.IsQuick(g.Again(c.seen...)) {
			t.Errorf("%v: the first look is quick", c.seen)
		}
		if got := filestate.IsQuick(g.Again(c.seen...)); got != c.want {
			t.Errorf("%v: quick %t", c.seen, got)
		}
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
