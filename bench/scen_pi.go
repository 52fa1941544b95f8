package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// pi runs each server with one processor of Go's and little memory, as on the
// smallest machines, and does everything that takes memory: uploads and a
// download of the largest collection, 20,000 changed cards both ways, and media.
// The limit is that of a control group, which counts the pages of files too and
// ends the process that exceeds it; without the right to make one the scenario
// only reports the peaks.
func (b *bench) pi(targets []*Target) error {
	for _, t := range targets {
		if t.spawn == nil {
			continue
		}
		if err := b.onePi(t); err != nil {
			return fmt.Errorf("%s with %d MiB: %w", t.Name, b.memory, err)
		}
	}
	return nil
}

func (b *bench) onePi(t *Target) error {
	t.stop()
	g, err := newGroup(int64(b.memory) << 20)
	if err != nil {
		log.Printf("pi: no control group (%v): nothing is limited, see the peaks", err)
	}
	defer g.remove()
	plain := t.spawn
	t.spawn = func() *exec.Cmd {
		cmd := g.wrap(plain())
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
		if b.goLimit != "" {
			cmd.Env = append(cmd.Env, "GOMEMLIMIT="+b.goLimit)
		}
		return cmd
	}
	defer func() {
		t.stop()
		t.spawn = plain
	}()
	if _, err := t.launch(); err != nil {
		return err
	}
	step := func(what string, f func() error) error {
		m := t.meter()
		err := f()
		b.rec.step("pi", what, m)
		if g != nil {
			b.rec.add("pi", what, t.Name, "group's peak", "MiB", mib(g.peak()))
		}
		if n := g.killed(); n > 0 {
			err = errors.Join(err, fmt.Errorf("%s: ended by the kernel for want of memory", what))
		}
		return err
	}
	sizes := []string{"S", "M"}
	if b.big() == "L" {
		sizes = append(sizes, "L")
	}
	devs := map[string]*device{}
	for i, size := range sizes {
		d, err := t.login(i + 1)
		if err != nil {
			return err
		}
		devs[size] = d
		if _, err := d.meta(); err != nil {
			return err
		}
		if err := step("upload "+size, func() error { return b.upload(d, size) }); err != nil {
			return err
		}
		delete(b.packs, b.colFile(size, t.Proto)+".zst") // hundreds of MB in this process
	}
	big := devs[b.big()]
	err = step("download "+b.big(), func() error {
		_, err := big.send("/sync/download", big.encode([]byte("{}")))
		return err
	})
	if err != nil {
		return err
	}
	n := 20_000
	if b.quick {
		n = 1000
	}
	s, err := b.newStudy(big, b.big(), n)
	if err != nil {
		return err
	}
	before, sent := s.usn, s.prepare(n, false)
	err = step(fmt.Sprintf("push %d reviews to %s", n, b.big()), func() error {
		r, err := s.run(sent)
		return errors.Join(err, s.check(r, before, 0, 0, 0))
	})
	if err != nil {
		return err
	}
	s.usn = before
	ask := s.preparePull()
	err = step(fmt.Sprintf("pull %d reviews from %s", n, b.big()), func() error {
		r, err := s.run(ask)
		return errors.Join(err, s.check(r, before+1, sent.cards, sent.revlog, sent.notes))
	})
	if err != nil {
		return err
	}
	return b.piMedia(t, devs["S"], step)
}

func (b *bench) piMedia(t *Target, d *device, step func(string, func() error) error) error {
	small, large := 2000, 20
	if b.quick {
		small, large = 100, 2
	}
	if err := d.begin(); err != nil {
		return err
	}
	for _, set := range []struct {
		name  string
		files []mediaFile
	}{
		{fmt.Sprintf("%d x 20 KB", small), mediaSet("small", small, 20_000, 1)},
		{fmt.Sprintf("%d x 5 MB", large), mediaSet("large", large, 5_000_000, 2)},
	} {
		zips := d.uploadZips(set.files)
		err := step("media upload "+set.name, func() error {
			took, err := d.sendZips(zips)
			if err == nil && took != len(set.files) {
				err = fmt.Errorf("%s took %d of %d files", t.Name, took, len(set.files))
			}
			return err
		})
		if err != nil {
			return err
		}
		names := make([]string, len(set.files))
		for i, f := range set.files {
			names[i] = f.name
		}
		var bodies [][]byte
		err = step("media download "+set.name, func() (err error) {
			_, bodies, err = d.fetchFiles(names)
			return err
		})
		if err == nil {
			err = sameFiles(bodies, set.files)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// group is a control group with a limit of memory; nil limits nothing.
type group struct {
	dir   string
	limit string // the names of its files, which differ between the versions
	top   string
	ends  string
}

// newGroup makes a group below this process's own, or else at the top.
func newGroup(limit int64) (*group, error) {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		kind := group{limit: "memory.max", top: "memory.peak", ends: "memory.events"}
		root := "/sys/fs/cgroup"
		switch f[1] {
		case "":
		case "memory":
			root += "/memory"
			kind = group{limit: "memory.limit_in_bytes", top: "memory.max_usage_in_bytes", ends: "memory.oom_control"}
		default:
			continue
		}
		for _, parent := range []string{filepath.Join(root, f[2]), root} {
			g := kind
			g.dir = filepath.Join(parent, fmt.Sprintf("ankisyncd-bench-%d", os.Getpid()))
			if err := os.Mkdir(g.dir, 0o755); err != nil {
				errs = append(errs, err)
				continue
			}
			err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(limit, 10)), 0o644)
			if err == nil {
				// where there is swap, it is not to help
				_ = os.WriteFile(filepath.Join(g.dir, "memory.swap.max"), []byte("0"), 0o644)
				return &g, nil
			}
			errs = append(errs, err, os.Remove(g.dir))
		}
	}
	return nil, errors.Join(errs...)
}

// wrap lets a command begin its life in the group, with the same process id.
func (g *group) wrap(cmd *exec.Cmd) *exec.Cmd {
	if g == nil {
		return cmd
	}
	args := append([]string{"-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}, cmd.Args...)
	in := exec.Command("sh", args...)
	in.Dir, in.Env = cmd.Dir, cmd.Env
	return in
}

// peak is the most that the group has used since the last call, pages of files
// included.
func (g *group) peak() int64 {
	path := filepath.Join(g.dir, g.top)
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(raw)), 10, 64)
	_ = os.WriteFile(path, []byte("0"), 0o644)
	return n
}

// killed is how often the kernel ended a process of the group.
func (g *group) killed() int64 {
	if g == nil {
		return 0
	}
	raw, _ := os.ReadFile(filepath.Join(g.dir, g.ends))
	for _, line := range strings.Split(string(raw), "\n") {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
	}
	return 0
}

func (g *group) remove() {
	if g != nil {
		_ = os.Remove(g.dir)
	}
}
