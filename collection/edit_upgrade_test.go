package collection

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestUpgradeSchedulerAsTheClient upgrades a collection of the first scheduler
// that the newest client upgraded, too (e2e/golden/scheduler_upgrade.py).
func TestUpgradeSchedulerAsTheClient(t *testing.T) {
	var want struct {
		Cards, Revlog            [][]any
		SchedVer, CreationOffset int
		Now                      int64
	}
	const dir = "testdata/scheduler-upgrade/"
	if err := json.Unmarshal(readGzip(t, dir+"v1.json.gz"), &want); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{})
	r.clock.set(time.Unix(want.Now, 0))
	r.putGzip(dir + "v1.anki2.gz")
	before := r.meta()
	r.edit(func(x *Txn) error {
		if _, _, err := x.NextCard(0); err == nil {
			t.Error("a card to study before the upgrade")
		}
		done, err := x.UpgradeScheduler()
		if !done {
			t.Error("there was nothing to upgrade")
		}
		return err
	})
	// Rows that are upgraded get a new mod here; all of them are new to devices anyway.
	for i := range want.Cards {
		want.Cards[i][4] = float64(0)
	}
	for query, rows := range map[string][][]any{
		`SELECT id,nid,did,ord,0,type,queue,due,ivl,factor,reps,lapses,left,odue,odid,flags,data FROM cards ORDER BY id`: want.Cards,
		`SELECT id,cid,ease,ivl,lastIvl,factor,time,type FROM revlog ORDER BY id`:                                        want.Revlog,
	} {
		if diff := cmp.Diff(lines(rows), r.rows(testUser, query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if after := r.meta(); after.SchedVer != 2 || want.SchedVer != 2 || after.SCM <= before.SCM {
		t.Errorf("got %+v, before %+v", after, before)
	}
	r.view(func(x *Txn) error {
		for _, key := range []string{"creationOffset", "localOffset"} {
			if raw, ok, err := x.Config(key); err != nil || !ok || string(raw) != "0" || want.CreationOffset != 0 {
				t.Errorf("%s: %s, %v, want %d", key, raw, err, want.CreationOffset)
			}
		}
		return nil
	})
	kept, err := r.s.Snapshots(testUser)
	if err != nil || len(kept) != 1 {
		t.Errorf("snapshots %v, %v", kept, err)
	}
	r.edit(func(x *Txn) error {
		if done, err := x.UpgradeScheduler(); done || err != nil {
			t.Errorf("upgraded again: %v, %v", done, err)
		}
		_, _, err := x.NextCard(0)
		return err
	})
}

func TestWestOf(t *testing.T) {
	const midnight = 1600041600 // UTC
	for hours, want := range map[int64]int64{4: 0, 0: -240, 5: 60, 14: 600, 15: -780, 22: -360} {
		if got := westOf(midnight + hours*3600); got != want {
			t.Errorf("created at %d h: got %d, want %d", hours, got, want)
		}
	}
}
