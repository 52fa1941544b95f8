package collection

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// momentsOf records the moments that f passes.
func momentsOf(t *testing.T, f func() error) (moments []string) {
	t.Helper()
	testHook = func(moment string) { moments = append(moments, moment) }
	defer func() { testHook = nil }()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return moments
}

// A kill loses nothing that was written, a power cut does: a file must be on the
// disk before it takes a name that counts, the name before what comes next, and
// a kept collection before the one that replaces it.
func TestSyncedInOrder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders cannot be synced there")
	}
	for _, op := range crashNames() {
		t.Run(op, func(t *testing.T) {
			r := newRig(t, Options{})
			crashOps[op].setUp(r)
			moments := momentsOf(t, func() error { return crashOps[op].run(r.s, r.root) })
			all := strings.Join(moments, ", ")
			renames := 0
			for i, m := range moments {
				switch m {
				case "before rename":
					renames++
					if i == 0 || moments[i-1] != "synced file" {
						t.Errorf("a file that is not synced gets its name: %s", all)
					}
				case "after rename":
					if i+1 == len(moments) || moments[i+1] != "synced folder" {
						t.Errorf("the folder is not synced after a rename: %s", all)
					}
				case "old kept":
					if moments[i-1] != "synced folder" {
						t.Errorf("what is kept is not synced: %s", all)
					}
				}
			}
			if want := op != "sync" && op != "download"; (renames > 0) != want {
				t.Errorf("%d renames: %s", renames, all)
			}
			if op == "edit" && !slices.Contains(moments[slices.Index(moments, "synced folder"):], "before commit") {
				t.Errorf("what is kept is not synced before the commit: %s", all)
			}
		})
	}
}

// TestCopiesAreSynced: what takes the place of a hard link where there is none.
func TestCopiesAreSynced(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	if err := os.WriteFile(src, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := momentsOf(t, func() error { return copyFile(src, dst) }); !slices.Equal(got, []string{"synced copy"}) {
		t.Errorf("moments %q", got)
	}
}

// TestSnapshotOfDamagedIsSynced: what is put aside before an upload.
func TestSnapshotOfDamagedIsSynced(t *testing.T) {
	r := newRig(t, Options{})
	if err := os.MkdirAll(r.dir(testUser), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.file(testUser), []byte(strings.Repeat("damaged ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := momentsOf(t, func() error { return r.upload(smallUpload(t)) })
	if i, j := slices.Index(got, "synced folder"), slices.Index(got, "before rename"); i < 0 || i > j {
		t.Errorf("what was put aside is not synced: %q", got)
	}
}
