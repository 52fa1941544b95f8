package main

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// crowd is the scenario "users": so many users, of whom a share is syncing at
// any moment, each a client that pauses between two requests as one over a
// mobile network does.
type crowd struct {
	users int
	share float64
	think time.Duration
	span  time.Duration
}

// member is one user of the crowd.
type member struct {
	mu     sync.Mutex // one sync at a time
	hkey   string
	usn    int
	revlog int
	nextRv int64
	cursor int
	gone   bool // a sync failed halfway, so the counts are no longer known
}

const (
	crowdReviews = 10 // in each sync
	importBatch  = 2000
	sampleEvery  = 10 * time.Second
)

// manyUsers measures a large number of users on one server: memory, open files
// and goroutines over time, and how long requests and syncs take. Each sync
// picks a user who is not syncing, sends 10 reviews, and asks for media.
func (b *bench) manyUsers(targets []*Target) error {
	c := b.crowd
	if b.quick {
		c.users, c.span = min(c.users, 200), min(c.span, 10*time.Second)
	}
	for _, t := range targets {
		if t.spawn == nil || len(t.adder) == 0 || t.home == "" {
			log.Printf("%s: no way to make many users at once (import and home of servers.json), skipped", t.Name)
			continue
		}
		if err := b.oneCrowd(t, c); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) oneCrowd(t *Target, c crowd) error {
	in, err := b.info("XS")
	if err != nil {
		return err
	}
	t.stop()
	began := time.Now()
	if err := b.settle(t, c.users); err != nil {
		return err
	}
	log.Printf("%s: %d users with a collection each, made in %.0f s", t.Name, c.users, time.Since(began).Seconds())
	// goroutines are told by the server's own metrics
	port := b.port + 90
	plain := t.spawn
	t.spawn = func() *exec.Cmd {
		cmd := plain()
		cmd.Env = append(cmd.Env, "ANKISYNCD_METRICS_PORT="+strconv.Itoa(port), "ANKISYNCD_LOG_LEVEL=warn")
		return cmd
	}
	defer func() { t.spawn = plain }()
	took, err := t.launch()
	if err != nil {
		return err
	}
	kase := fmt.Sprintf("%d users, %g %% syncing", c.users, c.share*100)
	b.rec.add("users", kase, t.Name, "first response", "ms", ms(took))
	cards, err := b.cardRows("XS", in.Cards)
	if err != nil {
		return err
	}
	r := &crowdRun{b: b, t: t, c: c, in: in, cards: cards, kase: kase, members: make([]member, c.users), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port)}
	for i := range r.members {
		r.members[i].revlog, r.members[i].nextRv = in.Revlog, 1_700_000_000_000
	}
	return r.run()
}

// settle makes the users u1..uN, all with the password "p", and gives each a
// copy of the collection. The server is not running.
func (b *bench) settle(t *Target, users int) error {
	salt := []byte("benchbenchbench1")
	digest, err := pbkdf2.Key(sha256.New, t.Pass, salt, 1000, 32)
	if err != nil {
		return err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	hash := fmt.Sprintf("$pbkdf2-sha256$i=1000,l=32$%s$%s", b64(salt), b64(digest))
	base := t.spawn()
	for from := 1; from <= users; from += importBatch {
		cmd := exec.CommandContext(b.ctx, t.adder[0], t.adder[1:]...)
		cmd.Dir = base.Dir
		cmd.Env = append(append([]string{}, base.Env...), "PASSWORDS_HASHED=1")
		for i := from; i <= min(users, from+importBatch-1); i++ {
			cmd.Env = append(cmd.Env, fmt.Sprintf("SYNC_USER%d=%s:%s", i-from+1, t.userName(i), hash))
		}
		if msg, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s import: %w: …%s", t.Name, err, msg[max(0, len(msg)-300):])
		}
	}
	raw, err := os.ReadFile(b.colFile("XS", t.Proto))
	if err != nil {
		return err
	}
	for i := 1; i <= users; i++ {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		dir := fmt.Sprintf(t.home, t.userName(i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "collection.anki2"), raw, 0o600); err != nil {
			return err
		}
	}
	syscall.Sync() // what was written here is not the server's to wait for
	return nil
}

// crowdRun is one server's run of the scenario.
type crowdRun struct {
	b       *bench
	t       *Target
	c       crowd
	in      colInfo
	cards   [][]any
	kase    string
	members []member
	metrics string

	mu                    sync.Mutex
	reqs, syncs, logins   []time.Duration
	requests, done, fails int // requests of syncs so far, syncs and failures so far
	shown                 int // failures shown so far
}

func (r *crowdRun) run() error {
	workers := max(1, int(float64(r.c.users)*r.c.share))
	began := time.Now()
	halt := make(chan struct{})
	from := snapshot(r.t.PID)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			r.pause(rnd, halt) // not all at once
			for {
				select {
				case <-halt:
					return
				case <-r.b.ctx.Done():
					return
				default:
				}
				r.visit(rnd, halt)
			}
		})
	}
	r.watch(began)
	span := time.Since(began)
	close(halt)
	wg.Wait()
	used := snapshot(r.t.PID)
	rec, name := r.b.rec, r.t.Name
	rec.latencies("users", r.kase+": requests", r.t, r.reqs, span, r.fails)
	rec.latencies("users", r.kase+": syncs, with pauses", r.t, r.syncs, span, 0)
	rec.latencies("users", r.kase+": logins", r.t, r.logins, span, 0)
	if len(r.syncs) > 0 {
		rec.add("users", r.kase, name, "cpu/sync", "ms", ms(used.cpu-from.cpu)/float64(len(r.syncs)))
		rec.add("users", r.kase, name, "written/sync", "KiB", float64(used.written-from.written)/1024/float64(len(r.syncs)))
	}
	rec.add("users", r.kase, name, "cpu", "% of one core", 100*(used.cpu-from.cpu).Seconds()/span.Seconds())
	seen := 0
	for i := range r.members {
		if r.members[i].hkey != "" {
			seen++
		}
	}
	rec.add("users", r.kase, name, "users who synced", "n", float64(seen))
	r.t.stop()
	rec.add("users", r.kase, name, "disk/user", "KiB", float64(diskUse(filepath.Dir(r.t.home)))/1024/float64(r.c.users))
	if r.fails > 0 {
		return fmt.Errorf("%s: %d syncs failed", name, r.fails)
	}
	return r.b.ctx.Err()
}

// pause is between a half and one and a half of the crowd's pause.
func (r *crowdRun) pause(rnd *rand.Rand, halt <-chan struct{}) {
	d := time.Duration((0.5 + rnd.Float64()) * float64(r.c.think))
	select {
	case <-time.After(d):
	case <-halt:
	case <-r.b.ctx.Done():
	}
}

// visit is one sync of a user picked at random.
func (r *crowdRun) visit(rnd *rand.Rand, halt <-chan struct{}) {
	i := rnd.IntN(len(r.members))
	m := &r.members[i]
	if !m.mu.TryLock() {
		return // syncs already
	}
	defer m.mu.Unlock()
	if m.gone {
		return
	}
	d := newDevice(r.t, m.hkey)
	defer d.close()
	if err := r.sync(m, d, i, rnd, halt); err != nil && r.b.ctx.Err() == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.fails++
		if r.shown++; r.shown <= 5 {
			log.Printf("%s: %s: %v", r.t.Name, r.t.userName(i+1), err)
		}
	}
}

func (r *crowdRun) sync(m *member, d *device, i int, rnd *rand.Rand, halt <-chan struct{}) error {
	d.skey = fmt.Sprintf("s%07d", rnd.IntN(10_000_000))
	if m.hkey == "" {
		var out struct{ Key string }
		t0 := time.Now()
		if err := d.call("/sync/hostKey", map[string]string{"u": r.t.userName(i + 1), "p": r.t.Pass}, &out); err != nil {
			return err
		}
		r.mu.Lock()
		r.logins = append(r.logins, time.Since(t0))
		r.mu.Unlock()
		m.hkey, d.hkey = out.Key, out.Key
		meta, err := d.meta()
		if err != nil {
			return err
		}
		if meta.Empty {
			return errors.New("the server does not see the collection")
		}
		m.usn = meta.Usn
	}
	var lat []time.Duration
	d.seen = func(_ string, took time.Duration, err error) {
		if err == nil {
			lat = append(lat, took)
		}
		r.pause(rnd, halt)
	}
	// ten cards in turn, of this user's own
	rows := make([][]any, crowdReviews)
	for k := range rows {
		rows[k] = append([]any(nil), r.cards[(m.cursor+k)%len(r.cards)]...)
	}
	m.cursor += crowdReviews
	s := &study{b: r.b, d: d, in: r.in, cards: rows, usn: m.usn, revlog: m.revlog, nextRv: m.nextRv}
	p := s.prepare(crowdReviews, false)
	before := s.usn
	t0 := time.Now()
	got, err := s.run(p)
	if err == nil {
		err = s.check(got, before, 0, 0, 0)
	}
	if err == nil {
		_, err = d.mediaUsn()
	}
	took := time.Since(t0)
	m.usn, m.revlog, m.nextRv = s.usn, s.revlog, s.nextRv
	if err != nil {
		m.gone = true
		return err
	}
	r.mu.Lock()
	r.reqs = append(r.reqs, lat...)
	r.syncs = append(r.syncs, took)
	r.requests += len(lat)
	r.done++
	r.mu.Unlock()
	return nil
}

// watch samples the server until the time is up, and prints a line a minute.
func (r *crowdRun) watch(began time.Time) {
	end := began.Add(r.c.span)
	last := began
	var lastDone int
	var lastCPU time.Duration
	tick := time.NewTicker(min(sampleEvery, r.c.span/4))
	defer tick.Stop()
	fmt.Printf("%s, %s\n%8s %8s %8s %6s %11s %6s %8s %8s %8s\n", r.t.Name, r.kase,
		"seconds", "RSS MiB", "threads", "fds", "goroutines", "open", "syncs/s", "% cpu", "failed")
	for {
		select {
		case now := <-tick.C:
			u := snapshot(r.t.PID)
			fds := openFiles(r.t.PID)
			own := readMetrics(r.metrics)
			at := fmt.Sprintf("%s: minute %d", r.kase, int(now.Sub(began).Minutes()))
			rec := r.b.rec
			rec.add("users", at, r.t.Name, "RSS", "MiB", mib(u.rss))
			rec.add("users", at, r.t.Name, "open files", "n", float64(fds))
			rec.add("users", at, r.t.Name, "goroutines", "n", own["go_goroutines"])
			if now.Sub(last) < min(time.Minute, r.c.span/4)-time.Second && now.Before(end) {
				continue
			}
			r.mu.Lock()
			done, fails := r.done, r.fails
			r.mu.Unlock()
			secs := now.Sub(last).Seconds()
			fmt.Printf("%8.0f %8.1f %8d %6d %11.0f %6.0f %8.1f %8.0f %8d\n", now.Sub(began).Seconds(), mib(u.rss),
				procField(fmt.Sprintf("/proc/%d/status", r.t.PID), "Threads"), fds, own["go_goroutines"],
				own["ankisyncd_open_collections"], float64(done-lastDone)/secs, 100*(u.cpu-lastCPU).Seconds()/secs, fails)
			last, lastDone, lastCPU = now, done, u.cpu
			if !now.Before(end) {
				return
			}
		case <-r.b.ctx.Done():
			return
		}
	}
}

// openFiles counts a process's descriptors.
func openFiles(pid int) int {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	return len(list)
}

// readMetrics reads the plain numbers (no labels) of a /metrics page.
func readMetrics(url string) map[string]float64 {
	out := map[string]float64{}
	hc := http.Client{Timeout: 5 * time.Second}
	resp, err := hc.Get(url)
	if err != nil {
		return out
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return out
	}
	for _, line := range strings.Split(string(body), "\n") {
		name, value, ok := strings.Cut(line, " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = v
		}
	}
	return out
}

// diskUse is what a folder takes on disk, in bytes.
func diskUse(dir string) (n int64) {
	_ = filepath.Walk(dir, func(_ string, fi os.FileInfo, err error) error {
		if err == nil {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return n
}
