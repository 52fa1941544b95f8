package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"time"
)

// card counts what a small sync costs a memory card: bytes written and syncs
// asked for, as the system calls say (strace). "Warm" comes after another sync;
// "after a restart" opens the collection first; "closing" is what the server
// does later, when the collection has been idle or the server ends. Every
// write wears the card, and every sync is waited for. A transaction writes whole
// pages of 4 KiB, so it counts how many pages the reviews lie on.
func (b *bench) card(targets []*Target) error {
	tracer, err := exec.LookPath("strace")
	if err != nil {
		log.Print("skipped card: no strace here")
		return nil
	}
	for _, t := range targets {
		if t.spawn == nil {
			continue
		}
		if err := b.oneCard(t, tracer); err != nil {
			return err
		}
	}
	return nil
}

const settled = 3 * time.Second // after which nothing is written any more

func (b *bench) oneCard(t *Target, tracer string) error {
	w := &writes{b: b, t: t, path: filepath.Join(b.work, t.Name+".strace")}
	t.stop()
	plain := t.spawn
	t.spawn = func() *exec.Cmd {
		cmd := plain()
		// -D: the server stays this program's child
		args := append([]string{"-D", "-f", "-y", "-s", "0", "--seccomp-bpf", "-o", w.path, "-e", "signal=none", "-e",
			"trace=write,pwrite64,pwritev,writev,fsync,fdatasync,syncfs,sync_file_range,sync"}, cmd.Args...)
		traced := exec.Command(tracer, args...)
		traced.Dir, traced.Env = cmd.Dir, cmd.Env
		return traced
	}
	defer func() { t.spawn = plain }()
	if _, err := t.launch(); err != nil {
		return err
	}
	w.mark()
	d, err := t.login(1)
	if err != nil {
		return err
	}
	w.count("login")
	if _, err := d.meta(); err != nil {
		return err
	}
	w.mark()
	if _, err := d.mediaUsn(); err != nil {
		return err
	}
	time.Sleep(settled)
	w.count("media begin, the first")
	w.mark()
	if err := b.upload(d, "S"); err != nil {
		return err
	}
	w.count("upload S")
	s, err := b.newStudy(d, "S", 5000)
	if err != nil {
		return err
	}
	sync := func(kase string, n int) error {
		p, before := s.prepare(n, false), s.usn
		w.mark()
		r, err := s.run(p)
		if err != nil {
			return err
		}
		time.Sleep(settled)
		w.count(kase)
		return s.check(r, before, 0, 0, 0)
	}
	restart := func(kase string) error {
		w.mark()
		d.close()
		t.stop()
		w.count(kase)
		_ = os.Remove(w.path)
		_, err := t.launch()
		return err
	}
	if err := sync("10 reviews, first after an upload", 10); err != nil {
		return err
	}
	for range b.times(3) {
		for range 2 {
			if err := sync("10 reviews, warm", 10); err != nil {
				return err
			}
		}
		if err := restart("closing after 10 reviews"); err != nil {
			return err
		}
		if err := sync("10 reviews, after a restart", 10); err != nil {
			return err
		}
	}
	// Cards that are due lie all over a real collection, and so do their reviews.
	s.cursor = 0
	sort.SliceStable(s.cards, func(i, j int) bool {
		x, y := s.cards[i], s.cards[j]
		if asInt(x[7]) != asInt(y[7]) {
			return asInt(x[7]) > asInt(y[7]) // queue: reviews, 2, before new ones
		}
		return asInt(x[8]) < asInt(y[8]) // due
	})
	for range b.times(3) {
		if err := sync("10 reviews of due cards, warm", 10); err != nil {
			return err
		}
	}
	for rep := range b.times(3) {
		zips := d.uploadZips(mediaSet(fmt.Sprintf("card%d", rep), newFiles, 20_000, uint64(50+rep)))
		w.mark()
		if err := d.begin(); err != nil {
			return err
		}
		if took, err := d.sendZips(zips); err != nil || took != newFiles {
			return fmt.Errorf("%s: %d of %d new files: %v", t.Name, took, newFiles, err)
		}
		time.Sleep(settled)
		w.count(fmt.Sprintf("%d media files of 20 KB", newFiles))
	}
	w.mark()
	time.Sleep(b.span(20 * time.Second))
	w.count("at rest, 20 s")
	return nil
}

// writes reads strace's record between two marks.
type writes struct {
	b    *bench
	t    *Target
	path string
	from int64
	disk int64
}

func (w *writes) mark() {
	w.from = 0
	if fi, err := os.Stat(w.path); err == nil {
		w.from = fi.Size()
	}
	w.disk = snapshot(w.t.PID).written
}

var (
	writeCall = regexp.MustCompile(`\bp?writev?(?:64)?\(\d+<([^>]*)>, .*?, (\d+)`)
	syncCall  = regexp.MustCompile(`\b(?:fsync|fdatasync|syncfs)\(\d+<([^>]*)>|\bsync\(\)`)
)

// count records what happened since the mark. The server's log, which goes
// where its operator wants it, counts apart.
func (w *writes) count(kase string) {
	disk := snapshot(w.t.PID).written - w.disk
	f, err := os.Open(w.path)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Seek(w.from, io.SeekStart)
	raw, _ := io.ReadAll(f)
	var calls, n, logged, syncs int64
	where := map[string][2]int64{} // by file: bytes, syncs
	for _, line := range bytes.Split(raw, []byte("\n")) {
		if m := writeCall.FindSubmatch(line); m != nil {
			name := string(m[1])
			size, _ := strconv.ParseInt(string(m[2]), 10, 64)
			switch {
			case name == w.t.log:
				logged += size
			case filepath.IsAbs(name): // no socket, no pipe
				calls, n = calls+1, n+size
				e := where[filepath.Base(name)]
				where[filepath.Base(name)] = [2]int64{e[0] + size, e[1]}
			}
		} else if m := syncCall.FindSubmatch(line); m != nil {
			syncs++
			e := where[filepath.Base(string(m[1]))]
			where[filepath.Base(string(m[1]))] = [2]int64{e[0], e[1] + 1}
		}
	}
	if len(where) <= 40 {
		for name, e := range where {
			log.Printf("%s: %s: %s: %d bytes, %d syncs", w.t.Name, kase, name, e[0], e[1])
		}
	}
	add := func(metric, unit string, v float64) { w.b.rec.add("card", kase, w.t.Name, metric, unit, v) }
	add("written", "KiB", float64(n)/1024)
	add("writes", "n", float64(calls))
	add("fsyncs", "n", float64(syncs))
	add("log", "KiB", float64(logged)/1024)
	if disk > 0 {
		add("write_bytes", "KiB", float64(disk)/1024)
	}
}
