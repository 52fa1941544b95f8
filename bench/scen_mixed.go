package main

import (
	"fmt"
	"log"
	"sort"
	"sync"
	"time"
)

// mixed: 20 users run small syncs, first alone, then while another user
// uploads and downloads L without a pause.
func (b *bench) mixed(targets []*Target) error {
	small, heavies, big := 20, 2, b.big()
	if b.quick {
		small, heavies = 8, 1
	}
	studies := map[*Target][]*study{}
	for _, t := range targets {
		for i := 1; i <= small+1; i++ {
			d, err := t.login(i)
			if err != nil {
				return err
			}
			d.skey = fmt.Sprintf("bench%03d", i)
			size := "S"
			if i == small+1 {
				size = big
			}
			if _, err := d.meta(); err != nil {
				return err
			}
			if err := b.upload(d, size); err != nil {
				return err
			}
			s, err := b.newStudy(d, size, 200)
			if err != nil {
				return err
			}
			studies[t] = append(studies[t], s)
		}
	}
	phases := []string{"alone", "during upload " + big, "during download " + big}
	if b.quick {
		phases = phases[:2]
	}
	for rep := 0; rep < b.times(2); rep++ {
		for _, phase := range phases {
			for _, t := range targets {
				var (
					mu     sync.Mutex
					reqs   []time.Duration
					syncs  []time.Duration
					fails  int
					shown  bool
					wg     sync.WaitGroup
					halt   = make(chan struct{})
					heavyD []time.Duration
					last   time.Time // when any small request last succeeded
					stall  time.Duration
				)
				for i := range small {
					s := studies[t][i]
					if s.broken { // start over, outside the measurement
						if err := b.upload(s.d, "S"); err != nil {
							return err
						}
						again, err := b.newStudy(s.d, "S", 200)
						if err != nil {
							return err
						}
						*s = *again
					}
					s.d.seen = func(_ string, took time.Duration, err error) {
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							fails++
						} else {
							reqs = append(reqs, took)
							if !last.IsZero() {
								stall = max(stall, time.Since(last))
							}
							last = time.Now()
						}
					}
					wg.Add(1)
					go func() {
						defer wg.Done()
						time.Sleep(time.Duration(i) * 15 * time.Millisecond)
						for {
							select {
							case <-halt:
								return
							case <-b.ctx.Done():
								return
							case <-time.After(300 * time.Millisecond):
							}
							p := s.prepare(2, false)
							before := s.usn
							t0 := time.Now()
							r, err := s.run(p)
							took := time.Since(t0)
							if err == nil {
								err = s.check(r, before, 0, 0, 0)
							}
							mu.Lock()
							if err != nil {
								s.broken = true
								if !shown {
									log.Print(phase, ": ", err)
									shown = true
								}
							} else {
								syncs = append(syncs, took)
							}
							mu.Unlock()
							if err != nil {
								return
							}
						}
					}()
				}
				heavy := studies[t][small].d
				m := t.meter()
				began := time.Now()
				var herr error
				switch phase {
				case "alone":
					time.Sleep(b.span(5 * time.Second))
				case "during upload " + big:
					time.Sleep(500 * time.Millisecond)
					for range heavies {
						t0 := time.Now()
						if herr = b.upload(heavy, big); herr != nil {
							break
						}
						heavyD = append(heavyD, time.Since(t0))
					}
				default:
					time.Sleep(500 * time.Millisecond)
					ask := heavy.encode([]byte("{}"))
					for range heavies {
						t0 := time.Now()
						if _, herr = heavy.send("/sync/download", ask); herr != nil {
							break
						}
						heavyD = append(heavyD, time.Since(t0))
					}
				}
				span := time.Since(began)
				mu.Lock()
				if last.IsZero() { // nobody was served at all
					last = began
				}
				stall = max(stall, time.Since(last))
				mu.Unlock()
				close(halt)
				wg.Wait()
				for i := range small {
					studies[t][i].d.seen = nil
				}
				if herr != nil {
					return herr
				}
				_, u := m.stop()
				b.rec.latencies("mixed", "requests "+phase, t, reqs, span, fails)
				b.rec.latencies("mixed", "syncs "+phase, t, syncs, span, 0)
				// percentiles of a closed loop hide a standstill (nobody asks
				// meanwhile), the longest silence does not
				b.rec.add("mixed", "requests "+phase, t.Name, "longest stall", "ms", ms(stall))
				b.rec.add("mixed", "syncs "+phase, t.Name, "peakRSS", "MiB", mib(u.hwm))
				if len(heavyD) > 0 {
					sort.Slice(heavyD, func(i, j int) bool { return heavyD[i] < heavyD[j] })
					b.rec.add("mixed", "syncs "+phase, t.Name, "heavy op", "ms", ms(heavyD[0]))
				}
			}
		}
	}
	return nil
}
