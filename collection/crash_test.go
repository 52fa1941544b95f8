package collection

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// The tests of this file run the operations that write in a child process,
// which is this test binary again, and break it there: by SIGKILL at a named
// moment or at a random time, or by a disk without room. The parent then looks
// at what is left.

const (
	crashOp   = "COLLECTION_TEST_OP"   // what the child does
	crashRoot = "COLLECTION_TEST_ROOT" // where
	crashAt   = "COLLECTION_TEST_AT"   // n: kill at the n-th moment
	crashFull = "COLLECTION_TEST_FULL" // bytes: no file may grow beyond
)

func TestMain(m *testing.M) {
	if op := os.Getenv(crashOp); op != "" {
		os.Exit(crashChild(op))
	}
	// A history of the property tests is hundreds of commits. The flag, which is
	// parsed later, still overrides it.
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// crashChild runs an operation. It prints every moment it passes, so that the
// parent knows how many there are, and "done" if the operation succeeded.
func crashChild(op string) int {
	root := os.Getenv(crashRoot)
	if n, err := strconv.ParseInt(os.Getenv(crashFull), 10, 64); err == nil {
		limitFileSize(n)
	}
	killAt, _ := strconv.Atoi(os.Getenv(crashAt))
	moments := 0
	testHook = func(moment string) {
		moments++
		if moments == killAt {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Kill()
			}
			panic(err)
		}
		fmt.Println("moment", moment)
	}
	s := New(root, Options{Now: func() time.Time { return testNow }})
	err := crashOps[op].run(s, root)
	if err == nil {
		fmt.Println("done")
	}
	if os.Getenv(crashFull) == "" {
		err = errors.Join(err, s.Close())
	} else {
		// The limit is lifted: the store must go on working.
		limitFileSize(-1)
		testHook = nil
		if e := crashAfterwards(s); e != nil {
			fmt.Println("broken afterwards:", e)
			return 1
		}
		fmt.Println("works, closed:", s.Close())
	}
	if err != nil {
		fmt.Println("err", err)
		return 2
	}
	return 0
}

// crashAfterwards is a whole sync that changes nothing but the stamps.
func crashAfterwards(s *Store) error {
	ctx := context.Background()
	if _, err := s.Meta(ctx, testUser); err != nil {
		return err
	}
	if _, err := s.Start(ctx, testUser, StartOptions{SKey: "after", ClientUSN: 1 << 20}); err != nil {
		return err
	}
	if _, err := s.Finish(ctx, testUser, "after"); err != nil {
		return err
	}
	d, err := s.Download(ctx, testUser, DownloadOptions{})
	if err != nil {
		return err
	}
	return d.Close()
}

// crashSync commits a sync that touches much.
func crashSync(s *Store, _ string) error {
	ctx := context.Background()
	if _, err := s.Start(ctx, testUser, StartOptions{SKey: "k", ClientUSN: 10}); err != nil {
		return err
	}
	if err := s.ApplyGraves(ctx, testUser, "k", Graves{Cards: []int64{1, 2, 3}}); err != nil {
		return err
	}
	for i := range int64(4) {
		var c Chunk
		for j := range int64(250) {
			id := i*250 + j + 10
			c.Revlog = append(c.Revlog, RevlogEntry{ID: id + 1e6, CID: id})
			c.Cards = append(c.Cards, Card{ID: id, Mod: 200, Data: strings.Repeat("d", 500)})
			c.Notes = append(c.Notes, Note{ID: id, MID: ntBasic, Mod: 200, Flds: strings.Repeat("f", 500) + "\x1fb"})
		}
		if err := s.ApplyChunk(ctx, testUser, "k", c); err != nil {
			return err
		}
	}
	_, err := s.Finish(ctx, testUser, "k")
	return err
}

type crashCase struct {
	setUp func(r *rig)
	run   func(s *Store, root string) error
	// kept: the old state must be found in a snapshot if the new one is stored.
	kept bool
}

var crashOps = map[string]crashCase{
	"sync": {
		setUp: func(r *rig) { crashSeed(r) },
		run:   crashSync,
	},
	"upload": {
		setUp: func(r *rig) {
			crashSeed(r)
			path := smallUpload(r.t, `UPDATE col SET mod = 777`)
			if err := os.WriteFile(filepath.Join(r.root, "upload"), read(r.t, path), 0o600); err != nil {
				r.t.Fatal(err)
			}
		},
		run: func(s *Store, root string) error {
			f, err := os.Open(filepath.Join(root, "upload"))
			if err != nil {
				return err
			}
			defer f.Close()
			return s.Upload(context.Background(), testUser, f)
		},
		kept: true,
	},
	"upgrade": {
		setUp: func(r *rig) { r.putLegacy("ankiserver-dsnopek-alice") },
		run: func(s *Store, _ string) error {
			_, err := s.Meta(context.Background(), testUser)
			return err
		},
		kept: true,
	},
	"restore": {
		setUp: func(r *rig) {
			crashSeed(r)
			if err := r.upload(smallUpload(r.t)); err != nil {
				r.t.Fatal(err)
			}
			r.start(0, true) // something in the WAL
			r.finish()
		},
		run: func(s *Store, _ string) error {
			sn, err := s.Snapshots(testUser)
			if err != nil {
				return err
			}
			return s.Restore(context.Background(), testUser, sn[len(sn)-1].ID)
		},
		kept: true,
	},
	"download": {
		setUp: func(r *rig) { crashSeed(r) },
		run: func(s *Store, _ string) error {
			d, err := s.Download(context.Background(), testUser, DownloadOptions{Schema11: true})
			if err != nil {
				return err
			}
			return d.Close()
		},
	},
	"edit": {
		setUp: func(r *rig) { crashSeed(r) },
		run: func(s *Store, _ string) error {
			return s.EditWith(context.Background(), testUser, EditOptions{Keep: "import"}, func(t *Txn) error {
				return t.SetConfig("crash", strings.Repeat("c", 300_000))
			})
		},
		kept: true,
	},
	"first": { // there is nothing yet
		setUp: func(r *rig) {},
		run: func(s *Store, _ string) error {
			if _, err := s.Start(context.Background(), testUser, StartOptions{SKey: "k"}); err != nil {
				return err
			}
			_, err := s.Finish(context.Background(), testUser, "k")
			return err
		},
	},
}

// crashSeed stores a collection whose newest sync is in the WAL only, as after
// a crash of its own.
func crashSeed(r *rig) {
	r.t.Helper()
	path := newFile(r.t, setUSN10, sqlRevlog(5, 3))
	fill(r.t, path, "cards", 300, func(int) int { return 3 })
	fill(r.t, path, "notes", 300, func(int) int { return 3 })
	r.put(testUser, path)
	r.start(10, true)
	if err := r.s.ApplyChunk(r.t.Context(), testUser, "k", Chunk{Revlog: []RevlogEntry{{ID: 6}}, Cards: []Card{{ID: 500, Mod: 9}}}); err != nil {
		r.t.Fatal(err)
	}
	r.finish()
	main, wal := read(r.t, r.file(testUser)), read(r.t, r.file(testUser)+"-wal")
	if len(wal) == 0 {
		r.t.Fatal("no WAL")
	}
	if err := r.s.Close(); err != nil {
		r.t.Fatal(err)
	}
	for suffix, b := range map[string][]byte{"": main, "-wal": wal} {
		if err := os.WriteFile(r.file(testUser)+suffix, b, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.s = New(r.root, r.o)
}

// crashRun starts the child over root and returns what it printed.
func crashRun(t testing.TB, op, root string, after time.Duration, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), append([]string{crashOp + "=" + op, crashRoot + "=" + root}, env...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "panic:") && !strings.Contains(out.String(), "moment") {
		t.Fatalf("%s: %s", op, out.String())
	}
	return out.String()
}

// crashBed is a set-up folder that is copied for every run.
type crashBed struct {
	t        testing.TB
	op       string
	template string
	old, new map[string][]string
	moments  int
}

func newCrashBed(t testing.TB, op string) *crashBed {
	t.Helper()
	b := &crashBed{t: t, op: op}
	r := newRig(t, Options{})
	crashOps[op].setUp(r)
	// The child finds what a kill left: the WAL, not folded.
	b.template = t.TempDir()
	if err := os.CopyFS(b.template, os.DirFS(r.root)); err != nil {
		t.Fatal(err)
	}
	b.old = b.state(b.copy())
	root := b.copy()
	out := crashRun(t, op, root, 0)
	if !strings.Contains(out, "done") {
		t.Fatalf("%s: %s", op, out)
	}
	b.moments = strings.Count(out, "moment ")
	kept := b.copyOf(root)
	b.new = b.state(root)
	if crashOps[op].kept {
		b.wantKept("undisturbed", kept)
	}
	return b
}

func (b *crashBed) copy() string { return b.copyOf(b.template) }

func (b *crashBed) copyOf(root string) string {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(root)); err != nil {
		b.t.Fatal(err)
	}
	return dir
}

// schema is that of the file at path, which is nobody else's.
func (b *crashBed) schema(path string) (ver int) {
	b.t.Helper()
	db, err := sqlite.Open(b.t.Context(), path, sqlite.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT ver FROM col`).Scan(&ver); err != nil {
		b.t.Fatal(path, err)
	}
	return ver
}

// state is the content that a store finds in root; nil if there is none. What
// differs from run to run is left out: the ids of a fresh collection.
func (b *crashBed) state(root string) map[string][]string {
	b.t.Helper()
	r := &rig{t: b.t, root: root, clock: newClock()}
	r.s = New(root, Options{Now: r.clock.Now})
	defer r.s.Close()
	if m := r.meta(); !m.Exists {
		return nil
	}
	d := r.dump(testUser)
	if b.op == "first" {
		for _, table := range []string{"notetypes", "fields", "templates", "config"} {
			d[table] = []string{fmt.Sprint(len(d[table]))}
		}
	}
	return d
}

// check looks at what a broken run left.
func (b *crashBed) check(what, root string) {
	b.t.Helper()
	leftWAL := walSize(filepath.Join(root, testUser, FileName))
	left := b.copyOf(root) // looking at the state opens the file, which may do what the killed run did not
	got := b.state(root)
	isOld, isNew := reflect.DeepEqual(got, b.old), reflect.DeepEqual(got, b.new)
	if b.op == "first" && got != nil && !isNew {
		// A third state is right: the new collection, without the sync.
		if len(got["col"]) == 1 && len(got["decks"]) == 1 {
			return
		}
	}
	if !isOld && !isNew {
		wantDump(b.t, b.op+", "+what+": neither old nor new; against the old (WAL of "+fmt.Sprint(leftWAL)+" bytes)", got, b.old)
		return
	}
	// Both states of an upgrade are the same content, so its file has to tell.
	replaced := !isOld || b.op == "upgrade" && b.schema(filepath.Join(b.copyOf(left), testUser, FileName)) == schemaCurrent
	if replaced && crashOps[b.op].kept {
		b.wantKept(what, left)
	}
	// And it goes on from there.
	s := New(root, Options{Now: func() time.Time { return testNow }})
	defer s.Close()
	if err := crashAfterwards(s); err != nil {
		b.t.Errorf("%s, %s: afterwards: %v", b.op, what, err)
	}
	if got == nil {
		return
	}
	if err := crashOps[b.op].run(s, root); err != nil {
		b.t.Errorf("%s, %s: once more: %v", b.op, what, err)
	}
}

// wantKept demands a snapshot with the whole old content, in its old schema.
func (b *crashBed) wantKept(what, root string) {
	b.t.Helper()
	ids, err := filepath.Glob(filepath.Join(root, testUser, SnapshotDir, "2*"+snapshotExt))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, id := range ids {
		content := read(b.t, id)
		content[headerReadVersion], content[headerWriteVersion] = 1, 1
		path := filepath.Join(b.t.TempDir(), FileName)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.t.Fatal(err)
		}
		old := b.op != "upgrade" || b.schema(path) != schemaCurrent
		if _, err := Upgrade(b.t.Context(), path); err != nil {
			b.t.Errorf("%s, %s: snapshot %s: %v", b.op, what, filepath.Base(id), err)
		} else if old && reflect.DeepEqual(dumpFile(b.t, path), b.old) {
			return
		}
	}
	b.t.Errorf("%s, %s: the old collection was not kept, only %q", b.op, what, ids)
}

func crashNames() []string {
	var ops []string
	for op := range crashOps {
		ops = append(ops, op)
	}
	slices.Sort(ops)
	return ops
}

func TestKilledAtEveryMoment(t *testing.T) {
	for _, op := range crashNames() {
		t.Run(op, func(t *testing.T) {
			b := newCrashBed(t, op)
			if b.moments == 0 {
				t.Fatal("no moments")
			}
			step := 1
			if testing.Short() {
				step = 3
			}
			for n := 1; n <= b.moments; n += step {
				root := b.copy()
				out := crashRun(t, op, root, 0, fmt.Sprintf("%s=%d", crashAt, n))
				if strings.Count(out, "moment ") != n-1 {
					t.Fatalf("moment %d: %s", n, out)
				}
				b.check(fmt.Sprintf("killed after %q", lastLine(out)), root)
			}
		})
	}
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func TestKilledAtRandomTimes(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, op := range []string{"sync", "upload", "upgrade", "restore"} {
		t.Run(op, func(t *testing.T) {
			b := newCrashBed(t, op)
			start := time.Now()
			crashRun(t, op, b.copy(), 0)
			whole := time.Since(start)
			for range rounds {
				root := b.copy()
				after := time.Duration(rng.Int64N(int64(whole)))
				out := crashRun(t, op, root, after)
				b.check(fmt.Sprintf("killed after %v of %v, %q", after, whole, lastLine(out)), root)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	if !canLimitFileSize {
		t.Skip("no limit of the file size here")
	}
	rounds := 9
	if testing.Short() {
		rounds = 3
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, op := range crashNames() {
		t.Run(op, func(t *testing.T) {
			b := newCrashBed(t, op)
			failed := 0
			for i := range rounds {
				root := b.copy()
				// From nothing at all to beyond what any operation writes.
				limit := int64(i) * 1_600_000 / int64(rounds) * int64(rng.IntN(100)+1) / 100
				out := crashRun(t, op, root, 0, fmt.Sprintf("%s=%d", crashFull, limit))
				if !strings.Contains(out, "works, closed: <nil>") {
					t.Errorf("%s with room for %d bytes: %s", op, limit, out)
				}
				if strings.Contains(out, "panic") {
					t.Errorf("%s with room for %d bytes: %s", op, limit, out)
				}
				if !strings.Contains(out, "done") {
					failed++
				}
				b.checkAfterFull(fmt.Sprintf("room for %d bytes", limit), root, strings.Contains(out, "done"))
			}
			if failed == 0 && op != "first" {
				t.Error("the disk was never full")
			}
		})
	}
}

// checkAfterFull is check for a child that has done another sync afterwards:
// the stamps, and the day of unburying, are its own.
func (b *crashBed) checkAfterFull(what, root string, done bool) {
	b.t.Helper()
	left := b.copyOf(root)
	got := b.state(root)
	strip := func(d map[string][]string) map[string][]string {
		if d == nil {
			return nil
		}
		out := map[string][]string{}
		for k, v := range d {
			if k != "col" && k != "config" {
				out[k] = v
			}
		}
		return out
	}
	isOld, isNew := reflect.DeepEqual(strip(got), strip(b.old)), reflect.DeepEqual(strip(got), strip(b.new))
	switch {
	case b.op == "first":
		if got == nil || len(got["col"]) != 1 {
			b.t.Errorf("%s, %s: %v", b.op, what, got)
		}
	case done && !isNew:
		wantDump(b.t, b.op+", "+what+": reported done", strip(got), strip(b.new))
	case !isOld && !isNew:
		wantDump(b.t, b.op+", "+what+": neither old nor new; against the old", strip(got), strip(b.old))
	case crashOps[b.op].kept && isNew && (done || !isOld || b.op == "upgrade"): // the sync afterwards upgrades at the latest
		b.wantKept(what, left)
	}
	for _, l := range (&rig{t: b.t, root: root}).leftovers(testUser) {
		if strings.HasPrefix(l, tempPrefix) {
			b.t.Errorf("%s, %s: left %q", b.op, what, l)
		}
	}
}
