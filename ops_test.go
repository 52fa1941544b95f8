//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// legacyProcess is a real server, in a process of its own, on a copy of the
// data of the January 2021 server.
func legacyProcess(t *testing.T, args ...string) (p *process, url, dir string) {
	t.Helper()
	dir, env := legacyEnv(t)
	p = startServer(t, append(env, "ANKISYNCD_LISTEN=127.0.0.1:0"), args...)
	return p, strings.TrimSuffix(p.urls[0], "/"), dir
}

// legacyEnv unpacks a data directory, and names it as the originals' environment
// does.
func legacyEnv(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir = legacyDirs()[2].unpack(t)
	return dir, []string{
		"ANKISYNCD_DATA_ROOT=" + filepath.Join(dir, "collections"), "ANKISYNCD_AUTH_DB_PATH=" + filepath.Join(dir, "auth.db"),
		"ANKISYNCD_SESSION_DB_PATH=" + filepath.Join(dir, "session.db"),
	}
}

// command runs the real program in the folder, as somebody at a shell would.
func command(t *testing.T, dir, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "ankisyncd" // see TestMain
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errs.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

const aliceKey = "397b87a53bd918149fbdbef91f3390f3" // of the directory's session.db

func metaStatus(t *testing.T, url, key string) int {
	t.Helper()
	status, _ := oldClient(t, url, "sync/meta", map[string]string{"k": key, "s": "x"}, metaMessage)
	return status
}

// TestRevocationIsImmediate: a changed password and a deleted user log all
// devices out, at the very next request to the running server.
func TestRevocationIsImmediate(t *testing.T) {
	p, url, dir := legacyProcess(t)
	login := func(user, password string) string {
		t.Helper()
		var r struct{ Key string }
		ask(t, url, "sync/hostKey", nil, map[string]string{"u": user, "p": password}, &r)
		return r.Key
	}
	aliceNew, bob := login("alice", "alice-pw"), login("bob@example.com", "bobpw")
	media := func(key string) int {
		status, _ := oldClient(t, url, "msync/mediaChanges", map[string]string{"sk": key}, map[string]any{"lastUsn": 0})
		return status
	}
	for _, key := range []string{aliceKey, aliceNew, bob} {
		if status := metaStatus(t, url, key); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
	}
	if out, errs, code := command(t, dir, "new password\n", "passwd", "alice"); code != 0 || out != "" {
		t.Fatal(out, errs, code)
	}
	for _, key := range []string{aliceKey, aliceNew} {
		if meta, media := metaStatus(t, url, key), media(key); meta != http.StatusForbidden || media != http.StatusForbidden {
			t.Errorf("after passwd: meta %d, media %d", meta, media)
		}
	}
	if status := metaStatus(t, url, bob); status != http.StatusOK {
		t.Errorf("another user's device: %d", status)
	}
	if status, _ := oldClient(t, url, "sync/hostKey", nil, map[string]string{"u": "alice", "p": "alice-pw"}); status != http.StatusForbidden {
		t.Errorf("the old password: %d", status)
	}
	again := login("alice", "new password")
	if status := metaStatus(t, url, again); status != http.StatusOK {
		t.Errorf("after logging in again: %d", status)
	}
	for _, user := range []string{"alice", "bob@example.com"} {
		if out, errs, code := command(t, dir, "", "deluser", user); code != 0 || out != "" {
			t.Fatal(out, errs, code)
		}
		key := map[string]string{"alice": again, "bob@example.com": bob}[user]
		if meta, media := metaStatus(t, url, key), media(key); meta != http.StatusForbidden || media != http.StatusForbidden {
			t.Errorf("%s after deluser: meta %d, media %d", user, meta, media)
		}
	}
	// Who gets the name later gets nothing of the old devices.
	if _, errs, code := command(t, dir, "x\n", "adduser", "alice"); code != 0 {
		t.Fatal(errs)
	}
	if status := metaStatus(t, url, again); status != http.StatusForbidden {
		t.Errorf("the old key of a new user: %d", status)
	}
	p.stop(syscall.SIGTERM)
}

// TestRestoreWhileServing: the command waits for the server to let go.
func TestRestoreWhileServing(t *testing.T) {
	p, url, dir := legacyProcess(t, "--set", "collection_idle_timeout=2s")
	conf := []string{"--set", "collection_idle_timeout=2s"}
	meta := func() (m legacyMeta) {
		t.Helper()
		ask(t, url, "sync/meta", map[string]string{"k": aliceKey, "s": "x"}, metaMessage, &m)
		return m
	}
	before := meta() // opens, and converts
	out, errs, code := command(t, dir, "", append(conf, "snapshots", "--json", "alice")...)
	var list []snapshotInfo
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list) != 1 || list[0].Reason != "upgrade" || *list[0].Notes != 3 || *list[0].Reviews != 1 {
		t.Fatal(out, errs, code)
	}
	id := list[0].ID
	if _, errs, code := command(t, dir, "", "restore", "alice", id); code != 1 || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes: %d %s", code, errs)
	}
	// A sync under way keeps it open, however long the command takes to come, and
	// whatever has been read of the file meanwhile.
	download := func() {
		t.Helper()
		if status, _ := oldClient(t, url, "sync/download", map[string]string{"k": aliceKey, "s": "y"}, map[string]any{}); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	download()
	device := map[string]string{"k": aliceKey, "s": "x"}
	ask(t, url, "sync/start", device, map[string]any{"minUsn": before.USN, "lnewer": true}, new(any))
	if _, errs, code := command(t, dir, "", append(conf, "restore", "--yes", "--wait", "0s", "alice", id)...); code != 1 || !strings.Contains(errs, "nothing was changed") {
		t.Errorf("while it is open: %d %s", code, errs)
	}
	ask(t, url, "sync/abort", device, map[string]any{}, new(any))
	if after := meta(); after != before {
		t.Errorf("a refused restore changed %+v to %+v", before, after)
	}
	out, errs, code = command(t, dir, "", append(conf, "restore", "--yes", "alice", id)...)
	if code != 0 || !strings.Contains(out, "restored") || !strings.Contains(errs, "waiting up to 32s") {
		t.Fatal(out, errs, code)
	}
	after := meta()
	if after.SCM <= before.SCM || after.Mod <= before.Mod || after.USN <= before.USN || after.MUSN != before.MUSN {
		t.Errorf("devices would not notice: %+v, before %+v", after, before)
	}
	if out, _, _ := command(t, dir, "", "snapshots", "alice"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "restore") {
		t.Errorf("snapshots afterwards:\n%s", out)
	}
	p.stop(syscall.SIGTERM)
	info, err := collection.Inspect(t.Context(), filepath.Join(dir, "collections", "alice", collection.FileName), "", collection.CheckFull)
	if err != nil || info.Counts.Notes != 3 || info.Schema != 18 || len(info.Problems) > 0 {
		t.Errorf("%+v %v", info, err)
	}
}

// TestResyncWhileServing: the command, and a restore of a file, wait for the server
// to let go. Every device will notice.
func TestResyncWhileServing(t *testing.T) {
	p, url, dir := legacyProcess(t, "--set", "collection_idle_timeout=2s")
	run := func(args ...string) (out, errs string, code int) {
		return command(t, dir, "", append([]string{"--set", "collection_idle_timeout=2s"}, args...)...)
	}
	meta := func() (m legacyMeta) {
		t.Helper()
		ask(t, url, "sync/meta", map[string]string{"k": aliceKey, "s": "x"}, metaMessage, &m)
		return m
	}
	later := func(before legacyMeta) legacyMeta {
		t.Helper()
		after := meta()
		if after.SCM <= before.SCM || after.Mod <= before.Mod || after.USN <= before.USN || after.MUSN != before.MUSN {
			t.Errorf("devices would not notice: %+v, before %+v", after, before)
		}
		return after
	}
	before := meta()
	if _, errs, code := run("resync", "--wait", "0s", "alice"); code != 1 || !strings.Contains(errs, "nothing was changed") || meta() != before {
		t.Errorf("while it is open: %d %s", code, errs)
	}
	out, errs, code := run("resync", "--all")
	if code != 0 || !strings.Contains(out, "alice: each device will ask") || !strings.Contains(errs, "waiting up to 32s") {
		t.Fatal(out, errs, code)
	}
	before = later(before)
	list, _, _ := run("snapshots", "alice")
	if strings.Count(list, "\n") != 2 {
		t.Errorf("a snapshot was made:\n%s", list)
	}
	stored := filepath.Join(dir, "collections", "alice", collection.FileName)
	if _, errs, code := run("restore", "--yes", "alice", stored); code != 1 || !strings.Contains(errs, `"ankisyncd resync alice"`) {
		t.Errorf("of the collection itself: %d %s", code, errs)
	}
	backup := filepath.Join(t.TempDir(), "monday")
	if err := collection.CopyDatabase(t.Context(), filepath.Join(filepath.Dir(stored), collection.SnapshotDir, strings.Fields(list)[7]+".anki2"), backup); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := run("restore", "--yes", "alice", backup); code != 0 || !strings.Contains(out, backup+" restored") {
		t.Fatal(out, errs, code)
	}
	later(before)
	p.stop(syscall.SIGTERM)
	if out, _, code := run("resync", "alice"); code != 0 || !strings.Contains(out, "alice: each device") {
		t.Errorf("without a server: %d %s", code, out)
	}
}

// TestCommandsBesideTheServer: the doctor does not disturb it, and migrate
// refuses what it has open.
func TestCommandsBesideTheServer(t *testing.T) {
	p, url, dir := legacyProcess(t)
	if status := metaStatus(t, url, aliceKey); status != http.StatusOK {
		t.Fatal(status)
	}
	media := map[string]string{"k": aliceKey, "v": oldVersion}
	var begin struct{ Data struct{ USN int32 } }
	ask(t, url, "msync/begin", media, map[string]string{}, &begin)
	out, errs, code := command(t, dir, "", "--listen", strings.TrimPrefix(url, "http://"), "doctor", "--deep")
	if code != 0 || !strings.Contains(out, "collection in use by the running server, not checked; media in use by the running server, not checked") ||
		!strings.Contains(out, "server: running") || !strings.Contains(out, "user bob@example.com: schema 16, 3 notes") {
		t.Errorf("doctor: %d\n%s%s", code, out, errs)
	}
	to := filepath.Join(t.TempDir(), "new")
	if _, errs, code := command(t, dir, "", "migrate", "--from", dir, "--to", to); code != 1 || !strings.Contains(errs, "stop that server first") {
		t.Errorf("migrate: %d %s", code, errs)
	}
	if status := metaStatus(t, url, aliceKey); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
	p.stop(syscall.SIGTERM)
	if out, errs, code := command(t, dir, "", "migrate", "--from", dir, "--to", to); code != 0 || !strings.Contains(out, "2 users with 2 media files copied and compared") {
		t.Errorf("migrate of a stopped server: %d\n%s%s", code, out, errs)
	}
}

func TestReadyz(t *testing.T) {
	p, url, dir := legacyProcess(t, "--set", "base_path=/anki")
	ready := func() (int, string) {
		t.Helper()
		res, err := http.Get(url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, body := ready(); status != http.StatusOK || body != "ready\n" {
		t.Errorf("%d %q", status, body)
	}
	root := filepath.Join(dir, "collections")
	if err := os.Rename(root, root+".away"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status, body := ready(); status != http.StatusServiceUnavailable || body != "not ready\n" {
			t.Errorf("without its data: %d %q", status, body)
		}
	}
	get(t, http.DefaultClient, url+"/health") // it lives all the same
	if err := os.Rename(root+".away", root); err != nil {
		t.Fatal(err)
	}
	if status, _ := ready(); status != http.StatusOK {
		t.Errorf("with it again: %d", status)
	}
	p.stop(syscall.SIGTERM)
	if log := p.stderr.String(); strings.Count(log, "not ready") != 1 || !strings.Contains(log, "ready again") {
		t.Errorf("log:\n%s", log)
	}
}

// TestDamagedCollectionMovedAway: what the doctor advises where no snapshot is kept
// lets devices upload.
func TestDamagedCollectionMovedAway(t *testing.T) {
	dir, env := legacyEnv(t)
	env = append(env, "ANKISYNCD_LISTEN=127.0.0.1:0")
	path := filepath.Join(dir, "collections", "alice", collection.FileName)
	if err := os.WriteFile(path, []byte("no database, whatever it is"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startServer(t, env)
	if status := metaStatus(t, strings.TrimSuffix(p.urls[0], "/"), aliceKey); status != http.StatusInternalServerError {
		t.Errorf("damaged: %d", status)
	}
	p.stop(syscall.SIGTERM)
	out, errs, code := command(t, dir, "", "--listen", "127.0.0.1:0", "doctor")
	if code != 1 || !strings.Contains(out, "move collection.anki2 and collection.anki2-wal away, start it, and upload") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if err := os.Rename(path, path+".damaged"); err != nil {
		t.Fatal(err)
	}
	p = startServer(t, env)
	var meta struct{ Empty bool }
	url := strings.TrimSuffix(p.urls[0], "/")
	ask(t, url, "sync/meta", map[string]string{"k": aliceKey, "s": "x"}, metaMessage, &meta)
	if !meta.Empty {
		t.Error("the device is not told that the collection is empty")
	}
	p.stop(syscall.SIGTERM)
}
