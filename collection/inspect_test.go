package collection

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// files returns the names in dir with the contents' sizes and times.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(fi.Name() + " " + fi.ModTime().Format(time.RFC3339Nano) + "\n")
	}
	return b.String()
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if _, err := Inspect(t.Context(), path, dir, CheckFull); !errors.Is(err, ErrNotFound) {
		t.Fatalf("no file: %v", err)
	}
	if err := Fresh(t.Context(), path, time.Now()); err != nil {
		t.Fatal(err)
	}
	before := filesIn(t, dir)
	info, err := Inspect(t.Context(), path, dir, CheckFull)
	want := Counts{Notetypes: info.Counts.Notetypes, Decks: 1, DeckConfigs: 1}
	if err != nil || info.Schema != 18 || info.Counts != want || want.Notetypes < 4 || len(info.Problems) > 0 || info.Log {
		t.Errorf("%+v, %v", info, err)
	}
	if after := filesIn(t, dir); after != before {
		t.Errorf("inspecting changed the folder:\n%s\n%s", before, after)
	}
	// The same of its schema-11 copy.
	old := filepath.Join(dir, "old")
	if err := Downgrade(t.Context(), path, old, false); err != nil {
		t.Fatal(err)
	}
	if info, err := Inspect(t.Context(), old, dir, CheckQuick); err != nil || info.Schema != 11 || info.Counts != want {
		t.Errorf("schema 11: %+v, %v", info, err)
	}
	// A damaged one.
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3 * 4096; i < len(b); i += 3 {
		b[i] ^= 0x55
	}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := Inspect(t.Context(), bad, dir, CheckQuick); err == nil && len(info.Problems) == 0 {
		t.Errorf("damage not seen: %+v", info)
	}
	if err := os.WriteFile(bad, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), bad, dir, CheckQuick); !errors.Is(err, ErrCorrupt) {
		t.Errorf("text: %v", err)
	}
}

// killedWith leaves a collection whose last changes are in its log only.
func killedWith(t *testing.T, path string) {
	t.Helper()
	src := filepath.Join(t.TempDir(), "c")
	if err := Fresh(t.Context(), src, time.Now()); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), src, sqlite.Options{Journal: "wal", Exclusive: true, Pragmas: []string{"wal_autocheckpoint(0)"}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE col SET usn = 77; INSERT INTO graves VALUES (5, 1, 77)`); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(src+suffix, path+suffix); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInspectAndCopyWithLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	killedWith(t, path)
	before := filesIn(t, dir)
	info, err := Inspect(t.Context(), path, dir, CheckQuick)
	if err != nil || info.USN != 77 || info.Counts.Graves != 1 || !info.Log {
		t.Errorf("%+v, %v", info, err)
	}
	if after := filesIn(t, dir); after != before {
		t.Errorf("inspecting changed the folder:\n%s\n%s", before, after)
	}
	dst := filepath.Join(t.TempDir(), "copy")
	if err := CopyDatabase(t.Context(), path, dst, Rename{"col", "ls", "lastsync"}, Rename{"none", "a", "b"}); err != nil {
		t.Fatal(err)
	}
	if after := filesIn(t, dir); after != before {
		t.Errorf("copying changed the folder:\n%s\n%s", before, after)
	}
	got, err := Inspect(t.Context(), dst, dir, CheckFull)
	if err != nil || got.Counts != info.Counts || got.USN != 77 || got.SCM != info.SCM || got.Log || len(got.Problems) > 0 {
		t.Errorf("copy: %+v, %v", got, err)
	}
	if left := filesIn(t, filepath.Dir(dst)); strings.Count(left, "\n") != 1 {
		t.Errorf("left beside the copy:\n%s", left)
	}
	db, err := sqlite.Open(t.Context(), dst, sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`SELECT lastsync FROM col`); err != nil {
		t.Error(err)
	}
	if err := CopyDatabase(t.Context(), path, dst); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a file that is there: %v", err)
	}
}

// TestInspectOfAnOpenCollection: another process holds it.
func TestInspectOfAnOpenCollection(t *testing.T) {
	if path := os.Getenv("INSPECT_HOLD"); path != "" { // the other process
		h, err := openHandle(context.Background(), path)
		if err == nil {
			_, err = h.exec(`UPDATE col SET usn = usn + 1`)
		}
		os.Stdout.WriteString("held\n")
		if err == nil {
			_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
			err = h.close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), FileName)
	if err := Fresh(t.Context(), path, time.Now()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestInspectOfAnOpenCollection$", "-test.v")
	cmd.Env = append(os.Environ(), "INSPECT_HOLD="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "held") {
			break
		}
	}
	if _, err := Inspect(t.Context(), path, "", CheckQuick); !errors.Is(err, ErrBusy) {
		t.Errorf("while another process has it: %v", err)
	}
	if err := CopyDatabase(t.Context(), path, filepath.Join(t.TempDir(), "c")); !errors.Is(err, ErrBusy) {
		t.Errorf("copied while another process has it: %v", err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = r.WriteTo(os.Stderr) }()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the other process was disturbed: %v", err)
	}
	if info, err := Inspect(t.Context(), path, "", CheckQuick); err != nil || info.USN != 1 {
		t.Errorf("afterwards: %+v, %v", info, err)
	}
}
