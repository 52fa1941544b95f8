//go:build unix

package media_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
)

// The crash tests run this test binary again as a child and kill it (SIGKILL,
// nothing deferred runs): at each step that touches the disk, and at random
// moments.
func TestMain(m *testing.M) {
	switch os.Getenv("MEDIA_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "step":
		childStep()
	case "loop":
		childLoop()
	}
}

var (
	crashBefore = map[string]string{"kept": "kept", "replaced": "old", "deleted": "deleted"}
	crashZip    = []entry{{"replaced", "new"}, {"deleted", ""}, {"added", "added"}, {"twice", "1"}, {"twice", "2"}, {"flash", "1"}, {"flash", ""}, {"kept", "kept"}, {"never", ""}, {"large", large}, {"new1", "one"}, {"new2", "two"}, {"new3", "three"}}
	crashAfter  = map[string]string{"kept": "kept", "replaced": "new", "added": "added", "twice": "2", "large": large, "new1": "one", "new2": "two", "new3": "three"}
)

// oneAtATime is a hook for stores that make files beside their other work.
func oneAtATime(hook func(string) error) func(string) error {
	var mu sync.Mutex
	return func(step string) error {
		mu.Lock()
		defer mu.Unlock()
		return hook(step)
	}
}

// killer returns a hook that kills the process at the nth step.
func killer(n int) func(string) error {
	return oneAtATime(func(step string) error {
		if n--; n == 0 {
			fmt.Fprintln(os.Stderr, "step "+step)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
}

func childStep() {
	n, _ := strconv.Atoi(os.Getenv("MEDIA_TEST_N"))
	delay, _ := time.ParseDuration(os.Getenv("MEDIA_TEST_DELAY"))
	s := media.Open(os.Getenv("MEDIA_TEST_ROOT"), media.Options{SyncDelay: delay})
	s.SetHook(killer(n))
	if os.Getenv("MEDIA_TEST_PORTABLE") != "" {
		s.SetPortable()
	}
	err := crashScenario(os.Getenv("MEDIA_TEST_SCENARIO"), s)
	if err = errors.Join(err, s.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func crashScenario(what string, s *media.Store) error {
	switch what {
	case "apply":
		raw := makeZip(nil2, zip.Deflate, crashZip...)
		_, _, err := apply(s, raw)
		return err
	case "apply stored": // new names are made in place
		raw := makeZip(nil2, zip.Store, crashZip...)
		_, _, err := apply(s, raw)
		return err
	case "forget":
		_, err := s.PrepareZip(ctx, user, []string{"kept"})
		if errors.Is(err, media.ErrConflict) {
			err = nil
		}
		return err
	default: // take a folder over, change it
		_, _, err := apply(s, makeZip(nil2, zip.Store, entry{"added", "added"}))
		return err
	}
}

// prepare fills a root as the scenario expects it.
func prepare(t *testing.T, scenario, root string) (folder string) {
	t.Helper()
	switch scenario {
	case "apply", "apply stored", "forget":
		s := media.Open(root, media.Options{})
		var list []entry
		for _, n := range []string{"kept", "replaced", "deleted"} {
			list = append(list, entry{n, crashBefore[n]})
		}
		mustApply(t, s, list...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		folder = filepath.Join(root, user, "collection.media")
		if scenario == "forget" {
			_ = os.Remove(filepath.Join(folder, "kept"))
		}
		return folder
	}
	copyTree(t, "testdata/legacy/"+scenario, root)
	if scenario == "official-killed" {
		return filepath.Join(root, user, "media")
	}
	return filepath.Join(root, user, "collection.media")
}

// TestKilledAtEachStep kills at the first step, the second, … until a run
// comes to its end.
func TestKilledAtEachStep(t *testing.T) {
	for _, scenario := range []string{"apply", "apply strictly", "apply stored", "apply stored strictly", "apply stored portably", "apply portably", "forget", "official-killed", "dsnopek", "240-stopped"} {
		delay := "1h"
		if what, strictly := strings.CutSuffix(scenario, " strictly"); strictly {
			scenario, delay = what, "-1s"
		}
		portable := ""
		if what, ok := strings.CutSuffix(scenario, " portably"); ok {
			scenario, portable = what, "yes"
		}
		t.Run(scenario+delay+portable, func(t *testing.T) {
			var steps []string
			for n := 1; ; n++ {
				root := t.TempDir()
				folder := prepare(t, scenario, root)
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "MEDIA_TEST_CHILD=step", "MEDIA_TEST_N="+strconv.Itoa(n), "MEDIA_TEST_ROOT="+root, "MEDIA_TEST_SCENARIO="+scenario, "MEDIA_TEST_DELAY="+delay, "MEDIA_TEST_PORTABLE="+portable)
				var out bytes.Buffer
				cmd.Stderr = &out
				err := cmd.Run()
				if err != nil && !strings.HasPrefix(out.String(), "step ") {
					t.Fatal(err, out.String())
				}
				checkAfterCrash(t, scenario, root, folder, strings.TrimSpace(out.String()))
				if err == nil {
					break
				}
				steps = append(steps, strings.TrimPrefix(strings.TrimSpace(out.String()), "step "))
			}
			t.Log(len(steps), "steps:", strings.Join(steps, ", "))
			if len(steps) < 2 {
				t.Error("hardly a step")
			}
			made := slices.Contains(steps, "noted")
			if want := scenario == "apply stored" && delay == "1h" && portable == "" && runtime.GOOS == "linux"; made != want {
				t.Errorf("files made in place: %v, want %v (what is synced before each answer is not)", made, want)
			}
		})
	}
}

func checkAfterCrash(t *testing.T, scenario, root, folder, at string) {
	t.Helper()
	s := media.Open(root, media.Options{})
	defer s.Close()
	switch scenario {
	case "apply", "apply stored":
		agree(t, s, folder)
		got := files(t, folder)
		if b, a := cmp.Diff(crashBefore, got), cmp.Diff(crashAfter, got); b != "" && a != "" {
			t.Errorf("%s: neither before nor after: %v", at, got)
		}
		if usn := mustApply(t, s, crashZip...); usn < 9 {
			t.Errorf("%s: usn %d after repeating", at, usn)
		}
		if d := cmp.Diff(crashAfter, files(t, folder)); d != "" {
			t.Errorf("%s: %s", at, d)
		}
	case "forget":
		if _, err := s.PrepareZip(ctx, user, []string{"kept"}); !errors.Is(err, media.ErrConflict) {
			t.Error(at, err)
		}
		if usn, err := s.LastUSN(ctx, user); usn != 4 || err != nil {
			t.Error(at, usn, err)
		}
	default:
		list := legacyFolders()
		want := list[slices.IndexFunc(list, func(l legacyFolder) bool { return l.dir == scenario && l.user == user })]
		all := maps.Clone(want.rows)
		all["added "+sha("added")] = want.usn + 1
		// What was taken over is whole, with or without the zip that came then.
		if got, usn := rowUSNs(t, s), lastUSN(t, s); (!maps.Equal(got, want.rows) || usn != want.usn) && (!maps.Equal(got, all) || usn != want.usn+1) {
			t.Errorf("%s: usn %d, rows %v, want usn %d, %v", at, usn, got, want.usn, want.rows)
		}
		mustApply(t, s, entry{"added", "added"})
		if got := rowUSNs(t, s); !maps.Equal(got, all) {
			t.Errorf("%s: rows %v after repeating, want %v", at, got, all)
		}
	}
	agree(t, s, folder)
}

// rowUSNs is name and checksum to usn, as in a legacyFolder.
func rowUSNs(t *testing.T, s *media.Store) map[string]int32 {
	t.Helper()
	out := map[string]int32{}
	for _, r := range rows(t, s, user) {
		out[r.Name+" "+r.Sum] = r.USN
	}
	return out
}

func lastUSN(t *testing.T, s *media.Store) int32 {
	t.Helper()
	usn, err := s.LastUSN(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	return usn
}

// childLoop sends zips for ever and says which have been accepted.
func childLoop() {
	s := media.Open(os.Getenv("MEDIA_TEST_ROOT"), media.Options{})
	start, _ := strconv.Atoi(os.Getenv("MEDIA_TEST_N"))
	for i := start; ; i++ {
		var list []entry
		for k := range 10 {
			list = append(list, entry{fmt.Sprintf("f%d", k), strings.Repeat(fmt.Sprintf("%d-%d ", i, k), 300)})
		}
		list = append(list, entry{fmt.Sprintf("only%d", i-1), ""}, entry{fmt.Sprintf("only%d", i), "x"})
		if _, _, err := apply(s, makeZip(nil2, zip.Deflate, list...)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("ok", i)
		if i%7 == 0 {
			_ = s.Evict(user)
		}
	}
}

// TestKilledAtRandom kills a busy store again and again in one folder. What it
// has acknowledged must be there, as whole zips.
func TestKilledAtRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("kills many times")
	}
	root := t.TempDir()
	folder := filepath.Join(root, user, "collection.media")
	acked := 0
	for round := range 25 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "MEDIA_TEST_CHILD=loop", "MEDIA_TEST_N="+strconv.Itoa(acked+1), "MEDIA_TEST_ROOT="+root)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := sync.OnceFunc(func() {
			time.AfterFunc(time.Duration(40+rand.IntN(120))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		})
		if round%2 == 0 { // the others once something is acknowledged, however slow the machine
			kill()
		}
		for sc := bufio.NewScanner(out); sc.Scan(); kill() {
			if _, err := fmt.Sscanf(sc.Text(), "ok %d", &acked); err != nil {
				t.Fatal(sc.Text())
			}
		}
		_ = cmd.Wait()
		s := media.Open(root, media.Options{})
		agree(t, s, folder)
		got := files(t, folder)
		if acked > 0 {
			var zipNo int
			_, _ = fmt.Sscanf(got["f0"], "%d-0", &zipNo)
			if zipNo != acked && zipNo != acked+1 {
				t.Errorf("acknowledged %d, stored %d", acked, zipNo)
			}
			for k := range 10 {
				if !strings.HasPrefix(got[fmt.Sprintf("f%d", k)], fmt.Sprintf("%d-%d ", zipNo, k)) {
					t.Errorf("zip %d is there in part", zipNo)
				}
			}
			acked = zipNo
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if t.Log(acked, "zips"); acked == 0 {
		t.Error("nothing was ever acknowledged")
	}
}

// TestFailures makes each step fail once (as a full disk would), then each
// kind of step fail for a while. Whatever is answered, files and database
// agree, the state is the old one or the new one, and repeating succeeds.
func TestFailures(t *testing.T) {
	t.Run("packed", func(t *testing.T) { testFailures(t, zip.Deflate) })
	t.Run("stored", func(t *testing.T) { testFailures(t, zip.Store) }) // new names are made in place
}

func testFailures(t *testing.T, method uint16) {
	boom := fmt.Errorf("injected: %w", syscall.ENOSPC)
	var kinds []string
	seen := map[string]bool{}
	// each step both ways: synced at once, and later
	for n, idle := 2, 0; idle < 2; n++ {
		left := n / 2
		idle++
		failOnce(t, method, time.Duration(n%2*2-1), func(step string) error {
			if !seen[step] {
				seen[step] = true
				kinds = append(kinds, step)
			}
			if left--; left == 0 {
				idle = 0
				return boom
			}
			return nil
		})
	}
	for _, kind := range kinds {
		for _, delay := range []time.Duration{-1, 1} {
			failOnce(t, method, delay, func(step string) error {
				if step == kind {
					return boom
				}
				return nil
			})
		}
	}
	t.Log(kinds)
}

func failOnce(t *testing.T, method uint16, delay time.Duration, hook func(string) error) {
	t.Helper()
	root := t.TempDir()
	folder := prepare(t, "apply", root)
	s := media.Open(root, media.Options{SyncDelay: delay * time.Hour})
	defer s.Close()
	s.SetHook(oneAtATime(hook))
	_, _, err := apply(s, makeZip(t, method, crashZip...))
	_, err2 := s.LastUSN(ctx, user)
	s.SetHook(nil)
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	agree(t, s, folder)
	got := files(t, folder)
	b, a := cmp.Diff(crashBefore, got), cmp.Diff(crashAfter, got)
	if b != "" && a != "" || err == nil && a != "" {
		t.Errorf("neither before nor after: %v (%v, %v)", got, err, err2)
	}
	if n, _, err := apply(s, makeZip(t, method, crashZip...)); err != nil || n != len(crashZip) {
		t.Error(err)
	}
	if d := cmp.Diff(crashAfter, files(t, folder)); d != "" {
		t.Error(d)
	}
	agree(t, s, folder)
}

// TestClientGoesAway: a client that gives up at any step of its upload finds all
// of it or nothing when it comes back.
func TestClientGoesAway(t *testing.T) {
	gaveUp := 0
	for left, more := 1, true; more; left++ {
		root := t.TempDir()
		folder := prepare(t, "apply", root)
		s := media.Open(root, media.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		s.SetHook(oneAtATime(func(string) error {
			if n++; n == left {
				cancel()
			}
			return nil
		}))
		raw := makeZip(t, zip.Store, crashZip...)
		_, _, err := s.ApplyZip(ctx, user, inMemory{bytes.NewReader(raw), raw}, int64(len(raw)))
		cancel()
		s.SetHook(nil)
		more = n >= left
		want := crashAfter
		if err != nil {
			want = crashBefore
			gaveUp++
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		agree(t, s, folder)
		if d := cmp.Diff(want, files(t, folder)); d != "" {
			t.Errorf("step %d: %v: %s", left, err, d)
		}
		if _, _, err := apply(s, raw); err != nil {
			t.Error(err)
		}
		agree(t, s, folder)
		if d := cmp.Diff(crashAfter, files(t, folder)); d != "" {
			t.Errorf("step %d, again: %s", left, d)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if gaveUp == 0 {
		t.Error("never given up")
	}
}

// TestPowerLoss opens what a loss of power may leave: the folder as it was
// while a store worked in it, with the newest files or transactions damaged.
func TestPowerLoss(t *testing.T) {
	t.Run("renamed", func(t *testing.T) { testPowerLoss(t, nil) })
	// With so many new names files are made in place.
	t.Run("in place", func(t *testing.T) { testPowerLoss(t, []entry{{"x1", "x"}, {"x2", "x"}, {"x3", "x"}}) })
}

func testPowerLoss(t *testing.T, more []entry) {
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		lost   []string // names the server must not know any more
		usn    int32    // without the gap
	}{
		{"nothing lost", func(string) error { return nil }, nil, 6},
		{"new file empty", func(d string) error { return os.Truncate(filepath.Join(d, "collection.media", "new"), 0) }, []string{"new"}, 6},
		{"new file missing", func(d string) error { return os.Remove(filepath.Join(d, "collection.media", "new")) }, []string{"new"}, 6},
		{"zeros in a replaced file", func(d string) error {
			return os.WriteFile(filepath.Join(d, "collection.media", "replaced"), make([]byte, 6), 0o600)
		}, []string{"replaced"}, 6},
		{"last zip cut", func(d string) error {
			p := filepath.Join(d, "collection.media.server.db-wal")
			fi, err := os.Stat(p)
			return errors.Join(err, os.Truncate(p, fi.Size()-100))
		}, []string{"last"}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			extra := int32(len(more)) //nolint:gosec // few
			s, root := newStore(t, media.Options{SyncDelay: time.Hour})
			mustApply(t, s, entry{"kept", "kept"}, entry{"replaced", "old"})
			if err := s.Evict(user); err != nil {
				t.Fatal(err)
			}
			mustApply(t, s, append([]entry{{"new", "new"}, {"replaced", "latest"}, {"kept2", "kept2"}}, more...)...)
			mustApply(t, s, entry{"last", "last"})
			crashed := t.TempDir()
			copyTree(t, root, crashed)
			dir := filepath.Join(crashed, user)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			s2 := media.Open(crashed, media.Options{})
			defer s2.Close()
			s2.SetBoot("another start of the machine")
			if usn, err := s2.LastUSN(ctx, user); usn != c.usn+extra+10000 || err != nil {
				t.Errorf("usn %d, %v: devices may not notice", usn, err)
			}
			list := rows(t, s2, user)
			if len(list) == 0 || list[len(list)-1].USN != c.usn+extra+10000 {
				t.Error(list)
			}
			got := alive(list)
			for _, n := range c.lost {
				if _, ok := got[n]; ok {
					t.Errorf("%s is still known", n)
				}
			}
			if len(got) != 5+len(more)-len(c.lost) {
				t.Error(got)
			}
			// The devices send what is missing.
			mustApply(t, s2, entry{"kept", "kept"}, entry{"kept2", "kept2"}, entry{"new", "new"}, entry{"replaced", "latest"}, entry{"last", "last"})
			agree(t, s2, filepath.Join(dir, "collection.media"))
			if err := s2.Close(); err != nil {
				t.Error(err)
			}
			// Closed cleanly: another start of the machine means nothing.
			s3 := media.Open(crashed, media.Options{})
			defer s3.Close()
			s3.SetBoot("a third")
			if usn, err := s3.LastUSN(ctx, user); usn != c.usn+extra+10000+int32(len(c.lost)) || err != nil {
				t.Error(usn, err)
			}
		})
	}
}

// TestFlush: what has been written is synced after a while, and the journal is
// dropped then.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = time.Second
		s, root := newStore(t, media.Options{SyncDelay: delay})
		var mu sync.Mutex
		var steps []string
		s.SetHook(func(step string) error {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(step, "sync") {
				steps = append(steps, step)
			}
			return nil
		})
		seen := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(steps)
		}
		mustApply(t, s, entry{"a", "a"}, entry{"b", "b"})
		time.Sleep(delay - time.Nanosecond)
		synctest.Wait()
		if got := seen(); len(got) > 0 {
			t.Errorf("too early: %q", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got, want := seen(), []string{"sync file", "sync file", "sync folder"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		db := filepath.Join(root, user, "collection.media.server.db")
		mustApply(t, s, entry{"c", "c"})
		copied := t.TempDir() // the store has its own locked
		copyTree(t, root, copied)
		if got := query(t, filepath.Join(copied, user, filepath.Base(db)), `SELECT count(*) FROM ankisyncd_journal`); got != "1" {
			t.Errorf("%s rows in the journal, want that of the last zip", got)
		}
		if err := s.Evict(user); err != nil {
			t.Fatal(err)
		}
		if got := query(t, db, `SELECT count(*) || (SELECT boot FROM ankisyncd_meta) FROM ankisyncd_journal`); got != "0" {
			t.Error(got)
		}
	})
}
