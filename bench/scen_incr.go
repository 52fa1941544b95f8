package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// incremental: device A sends N changes to an M-sized collection, device B of
// the same user pulls them.
func (b *bench) incremental(targets []*Target) error {
	type pair struct{ a, b *study }
	pairs := map[*Target]*pair{}
	for _, t := range targets {
		var p pair
		for _, s := range []**study{&p.a, &p.b} {
			d, err := t.login(1)
			if err != nil {
				return err
			}
			if s == &p.a {
				if _, err := d.meta(); err != nil {
					return err
				}
				if err := b.upload(d, "M"); err != nil {
					return err
				}
			}
			if *s, err = b.newStudy(d, "M", 50_000); err != nil {
				return err
			}
		}
		p.b.d.skey = "bench002"
		pairs[t] = &p
	}
	type cell struct {
		n, reps int
		fresh   bool
	}
	cells := []cell{{10, 9, false}, {1000, 5, false}, {20_000, 3, false}, {1000, 5, true}}
	if b.quick {
		cells = []cell{{10, 1, false}, {1000, 1, false}, {1000, 1, true}}
	}
	for _, c := range cells {
		kind := fmt.Sprintf("%d reviews", c.n)
		if c.fresh {
			kind = fmt.Sprintf("%d new notes", c.n)
		}
		for rep := 0; rep < b.times(c.reps); rep++ {
			for _, t := range targets {
				p := pairs[t]
				before := p.a.usn
				sent := p.a.prepare(c.n, c.fresh)
				perMethod := map[string]time.Duration{}
				p.a.d.seen = func(method string, took time.Duration, _ error) { perMethod[filepath.Base(method)] += took }
				m := t.meter()
				r, err := p.a.run(sent)
				if err != nil {
					return err
				}
				b.rec.step("incr", "push "+kind, m)
				for _, k := range []string{"applyChunk", "sanityCheck2", "finish"} {
					b.rec.add("incr", "push "+kind, t.Name, k, "ms", ms(perMethod[k]))
				}
				if err := p.a.check(r, before, 0, 0, 0); err != nil {
					return err
				}
				// B last synced before A's push
				p.b.usn, p.b.revlog, p.b.added = before, p.a.revlog, p.a.added
				pull := p.b.preparePull()
				m = t.meter()
				if r, err = p.b.run(pull); err != nil {
					return err
				}
				b.rec.step("incr", "pull "+kind, m)
				if err := p.b.check(r, before+1, sent.cards, sent.revlog, sent.notes); err != nil {
					return err
				}
				p.a.usn = before + 2
			}
		}
	}
	return nil
}
