package collection

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTemps: a temporary file that may still be in use is not removed, by the time
// that a check of it may take, or because it is known to be.
func TestTemps(t *testing.T) {
	r := newRig(t, Options{CheckTimeout: 15 * time.Minute})
	dir := r.t.TempDir()
	old := time.Now().Add(-24 * time.Hour)
	put := func(name string, age time.Duration) string {
		path := filepath.Join(dir, tempPrefix+name)
		at := time.Now().Add(-age)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	left := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	checked, over := put("1-checked.tmp", 16*time.Minute), put("1-over.tmp", time.Since(old))
	held, side := put("1-held.tmp", time.Since(old)), put("1-held.tmp-wal", time.Since(old))
	release := r.s.temps.hold(held)
	r.s.removeTemps(dir, time.Now())
	if !left(checked) || !left(held) || !left(side) || left(over) {
		t.Errorf("left: being checked %v, held %v and what is beside it %v, stale %v", left(checked), left(held), left(side), left(over))
	}
	release()
	r.s.removeTemps(dir, time.Now())
	if left(held) || left(side) || !left(checked) {
		t.Errorf("left: released %v, %v, being checked %v", left(held), left(side), left(checked))
	}
}

// TestUploadHoldsItsFile: another request of the same user, however late, leaves it.
func TestUploadHoldsItsFile(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	looked := false
	testHook = func(moment string) {
		if moment != "upload received" {
			return
		}
		looked = true
		dir, err := r.s.UserDir(testUser)
		if err != nil {
			t.Error(err)
		}
		r.s.removeTemps(dir, time.Now().Add(24*time.Hour))
	}
	defer func() { testHook = nil }()
	if err := r.upload(newFile(t)); err != nil || !looked {
		t.Errorf("%v, looked %v", err, looked)
	}
	if len(r.s.temps.paths) > 0 {
		t.Errorf("still held: %v", r.s.temps.paths)
	}
}
