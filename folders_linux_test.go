package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/osname/osnametest"
)

// admits asks a guard about each user.
func admits(t *testing.T, g *folderGuard, want map[string]bool) {
	t.Helper()
	for range 2 {
		for name, in := range want {
			if got, err := g.admit(t.Context(), name); got != in || err != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
}

// TestFolderGuard: two accounts that have one folder are kept out, until one of
// them is gone.
func TestFolderGuard(t *testing.T) {
	users := []string{"Bob", "alice", "bob"}
	g := &folderGuard{root: osnametest.Mount(t, ""), log: slog.New(slog.DiscardHandler), users: func(context.Context) ([]string, error) { return users, nil }}
	admits(t, g, map[string]bool{"Bob": false, "alice": true, "bob": false})
	users = []string{"alice", "bob"}
	admits(t, g, map[string]bool{"alice": true, "bob": true})
	// An account that another program makes while the server runs.
	users = []string{"ALICE", "alice", "bob"}
	admits(t, g, map[string]bool{"alice": true, "bob": true, "ALICE": false})
}

// TestFolderGuardLinks: where the names are two, each has its folder; a link of one
// name to the other's folder is somebody's wish, and so is one for one user alone.
func TestFolderGuardLinks(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "alice"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"Alice", "carol"} {
		if err := os.Symlink("alice", filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	users := []string{"Alice", "Bob", "alice", "bob", "carol", "jos\u00e9", "jose\u0301", "dan", "dan."}
	g := &folderGuard{root: root, log: slog.New(slog.DiscardHandler), users: func(context.Context) ([]string, error) { return users, nil }}
	want := map[string]bool{}
	for _, name := range users {
		want[name] = true
	}
	admits(t, g, want)

	// Nor do the commands and the start of a server take a link for a mistake.
	if err := os.Symlink("alice", filepath.Join(root, "Carol")); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(t.TempDir(), "auth.db")
	for _, name := range []string{"alice", "Alice", "Carol"} {
		var out, errs strings.Builder
		if code := run([]string{"ankisyncd", "--set", "data_root=" + root, "--set", "auth_db_path=" + db, "--set", "session_db_path=", "adduser", name},
			strings.NewReader("pw\n"), &out, &errs); code != 0 {
			t.Errorf("adduser %s: %d %s", name, code, errs.String())
		}
	}
	static := []auth.StaticUser{{Name: "Alice", Password: "pw"}, {Name: "carol", Password: "pw"}, {Name: "dan", Password: "pw"}}
	s, err := auth.Open(t.Context(), auth.Options{AuthDB: db, StaticUsers: static})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := checkStaticFolders(t.Context(), root, static, s); err != nil {
		t.Error(err)
	}
}

func TestFoldName(t *testing.T) {
	for a, b := range map[string]string{"Bob": "bOB", "jos\u00e9": "JOSE\u0301", "dan": "dan. .", "stra\u00dfe": "STRA\u1e9eE"} {
		if foldName(a) != foldName(b) {
			t.Errorf("%q, %q", a, b)
		}
	}
	if foldName("alice") == foldName("alicf") {
		t.Error("all are alike")
	}
}

// TestOneFolder: no command makes a second account for a folder, no server starts
// with one of the environment, and none that came otherwise is let in.
func TestOneFolder(t *testing.T) {
	root := osnametest.Mount(t, "")
	db := filepath.Join(t.TempDir(), "auth.db")
	settings := []string{"--set", "data_root=" + root, "--set", "auth_db_path=" + db, "--set", "session_db_path="}
	do := func(want string, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		run(append(append([]string{"ankisyncd"}, settings...), args...), strings.NewReader("pw\n"), &out, &errs)
		if !strings.Contains(out.String()+errs.String(), want) {
			t.Errorf("%q: %s%s, want %q", args, out.String(), errs.String(), want)
		}
		return out.String()
	}
	const refused = "the folder would be that of user Bob"
	do("", "adduser", "Bob")
	do(refused, "adduser", "bob")
	do(refused, "user", "-a", "bOb", "pw")
	t.Setenv("SYNC_USER1", "BOB:pw")
	do(refused, "user", "import")
	do(refused, "--listen", "127.0.0.1:0")
	t.Setenv("SYNC_USER1", "other:pw")
	t.Setenv("ANKISYNCD_USERNAME", "bob")
	t.Setenv("ANKISYNCD_PASSWORD", "pw")
	do(refused, "--listen", "127.0.0.1:0")
	t.Setenv("ANKISYNCD_USERNAME", "Bob")
	if got := do("", "lsuser"); got != "Bob\nother\n" {
		t.Errorf("users: %q", got)
	}

	s, err := auth.Open(t.Context(), auth.Options{AuthDB: db}) // as a Python server's adduser
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.AddUser(t.Context(), "bob", "pw"); err != nil {
		t.Fatal(err)
	}
	var url string
	p := startOnPorts(t, 1, func(ports []string) *process {
		url = "http://127.0.0.1:" + ports[0]
		return tryServer(t, []string{"ANKISYNCD_DATA_ROOT=" + root, "ANKISYNCD_AUTH_DB_PATH=" + db, "SYNC_USER1=other:pw", "ANKISYNCD_HOST=127.0.0.1",
			"ANKISYNCD_PORT=" + ports[0], "ANKISYNCD_REST_PORT=" + ports[0]})
	})
	for name, want := range map[string][2]int{"Bob": {403, 404}, "bob": {403, 404}, "other": {200, 200}} {
		if status, body := oldClient(t, url, "sync/hostKey", nil, map[string]string{"u": name, "p": "pw"}); status != want[0] {
			t.Errorf("%s: %d %s", name, status, body)
		}
		res, err := http.Post(url+"/collection/"+name+"/list_tags", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want[1] {
			t.Errorf("the RESTful API on %s: %s", name, res.Status)
		}
	}
	p.stop(syscall.SIGTERM) // has all files closed before the file system goes
	do("FAIL  users: \"Bob\" and \"bob\" have one folder", "doctor")
}
