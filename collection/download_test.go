package collection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// commit runs one sync that adds the i-th card, note and review together.
func (r *rig) commit(ctx context.Context, i int64) error {
	if _, err := r.s.Start(ctx, testUser, StartOptions{SKey: "w", ClientUSN: 1 << 20, ClientNewer: true}); err != nil {
		return err
	}
	pad := make([]byte, 3000)
	for j := range pad {
		pad[j] = 'a' + byte(i%26)
	}
	err := r.s.ApplyChunk(ctx, testUser, "w", Chunk{
		Revlog: []RevlogEntry{{ID: i}}, Cards: []Card{{ID: i, Data: string(pad)}}, Notes: []Note{{ID: i, MID: ntBasic, Flds: string(pad) + "\x1fx"}},
	})
	if err != nil {
		return err
	}
	_, err = r.s.Finish(ctx, testUser, "w")
	return err
}

// drain reads a download into a file of its own and returns its path. After each
// piece it calls pause, if there is one.
func drain(d *Download, dir string, pause func()) (string, error) {
	f, err := os.CreateTemp(dir, "down*.anki2")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for {
		_, err := io.CopyN(f, d, 16<<10)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", errors.Join(err, d.Close())
		}
		if pause != nil {
			pause()
		}
	}
	return f.Name(), errors.Join(d.Close(), f.Close())
}

// consistent checks that a downloaded file is whole and of one moment.
func consistent(path string) error {
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	var check string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&check); err != nil || check != "ok" {
		return fmt.Errorf("integrity_check: %s %w", check, err)
	}
	var cards, notes, reviews, usn int
	if err := db.QueryRow(`SELECT (SELECT count(*) FROM cards), (SELECT count(*) FROM notes), (SELECT count(*) FROM revlog), usn FROM col`).
		Scan(&cards, &notes, &reviews, &usn); err != nil {
		return err
	}
	if cards != notes || cards != reviews || usn != cards {
		return fmt.Errorf("%d cards, %d notes, %d reviews, usn %d", cards, notes, reviews, usn)
	}
	return nil
}

func TestDownloadsWhileSyncsCommit(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	for i := range int64(30) {
		if err := r.commit(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	stop := make(chan struct{})
	var writer, readers sync.WaitGroup
	commits := 0
	committed := make(chan struct{}) // taken from once for each commit that a reader waits for
	writer.Go(func() {
		defer close(committed)
		for i := int64(100); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			switch err := r.commit(t.Context(), i); {
			case err == nil:
				commits++
				select {
				case committed <- struct{}{}:
				default: // nobody waits
				}
			case errors.Is(err, ErrConflict): // a download ended that sync
				i--
			default:
				t.Error(err)
				return
			}
		}
	})
	for n := range 4 {
		readers.Go(func() {
			for range 3 {
				d, err := r.s.Download(t.Context(), testUser, DownloadOptions{Schema11: n == 3})
				if err != nil {
					t.Error(err)
					return
				}
				path, err := drain(d, dir, func() {
					if n > 0 { // or as fast as it can
						<-committed
					}
				})
				if err == nil {
					err = consistent(path)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writer.Wait()
	if commits == 0 {
		t.Error("nothing was committed meanwhile")
	}
	if u := r.s.users[testUser]; u.pins != 0 || u.unpinned != nil || u.torn != nil {
		t.Errorf("still pinned: %+v", u)
	}
	if l := r.leftovers(testUser); len(l) > 0 {
		t.Errorf("left %q", l)
	}
	if err := consistent(r.download(testUser, DownloadOptions{})); err != nil {
		t.Error(err)
	}
}

func TestUploadReplacesAFileThatIsBeingRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		wal  bool // a sync was committed since the download began
		done bool // the download goes on meanwhile
		torn bool
	}{{"settled", false, false, false}, {"with a log, reader done in time", true, true, false}, {"with a log, reader stalled", true, false, true}} {
		synctest.Test(t, func(t *testing.T) {
			t.Log(tt.name)
			r := newRig(t, Options{})
			r.seed(testUser)
			if err := r.commit(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			d, err := r.s.Download(t.Context(), testUser, DownloadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.wal {
				if err := r.commit(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
			}
			uploaded := make(chan error, 1)
			began := time.Now()
			go func() { uploaded <- r.upload(smallUpload(t)) }()
			if tt.done {
				synctest.Wait() // the upload waits for the reader
				if len(uploaded) > 0 {
					t.Error("the upload did not wait")
				}
			} else if err := <-uploaded; err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(began); tt.torn != (waited == downloadPatience) || !tt.torn && waited != 0 {
				t.Errorf("the upload waited for %s", waited)
			}
			path, err := drain(d, t.TempDir(), nil)
			if tt.torn != errors.Is(err, ErrClosed) || !tt.torn && err != nil {
				t.Errorf("download: %v", err)
			}
			if err == nil {
				err = consistent(path)
				if err != nil {
					t.Error(err)
				}
			}
			if tt.done {
				if err := <-uploaded; err != nil {
					t.Fatal(err)
				}
			}
			r.wantRows(`SELECT count(*) FROM cards`, "60")
			if err := d.Close(); err == nil {
				t.Log("closed twice") // and counted once
			}
			if n := r.s.users[testUser].pins; n != 0 {
				t.Errorf("%d pins", n)
			}
		})
	}
}

func TestDownloadWhileTheStoreCloses(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	d, err := r.s.Download(t.Context(), testUser, DownloadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.commit(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := drain(d, t.TempDir(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a download of a file that was written to: %v", err)
	}
}

func TestDownloadOfNothing(t *testing.T) {
	for _, old := range []bool{false, true} {
		r := newRig(t, Options{})
		path := r.download(testUser, DownloadOptions{Schema11: old})
		if _, err := Upgrade(t.Context(), path); err != nil {
			t.Error(err)
		}
		if d := dumpFile(t, path); len(d["cards"]) != 0 || len(d["notetypes"]) != 6 {
			t.Errorf("%v", d)
		}
		if m := r.meta(); m.Exists {
			t.Error("a download stored something")
		}
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Errorf("left %q", l)
		}
	}
}

func TestDownloadIsGivenUp(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, old := range []bool{false, true} {
		d, err := r.s.Download(ctx, testUser, DownloadOptions{Schema11: old})
		if err == nil {
			d.Close()
		}
		if l, _ := filepath.Glob(filepath.Join(r.dir(testUser), tempPrefix+"*")); len(l) > 0 || r.s.users[testUser].pins != 0 {
			t.Errorf("old %v: left %q", old, l)
		}
	}
}
