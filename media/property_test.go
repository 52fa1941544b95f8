package media_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ankisyncd/ankisyncd/media"
)

// device is a model of a client: a folder, what it knows of it, and the
// algorithm of docs/protocol.md §7.2.
type device struct {
	files map[string]string // the folder
	known map[string]string // name to checksum as last synced
	dirty map[string]bool
	usn   int32
}

func newDevice() *device {
	return &device{files: map[string]string{}, known: map[string]string{}, dirty: map[string]bool{}}
}

// sync does one media sync. resync says that the counts differed, and that the
// device starts from nothing the next time.
func (d *device) sync(s *media.Store) (resync bool, err error) {
	usn, err := s.LastUSN(ctx, user)
	if err != nil {
		return false, err
	}
	if usn == d.usn && len(d.dirty) == 0 {
		return false, nil
	}
	if usn != d.usn {
		if err := d.fetch(s); err != nil {
			return false, err
		}
	}
	if err := d.send(s); err != nil {
		return false, err
	}
	ok, err := s.Sanity(ctx, user, len(d.files))
	if err != nil || ok {
		return false, err
	}
	d.usn, d.known = 0, map[string]string{}
	for n := range d.files {
		d.dirty[n] = true
	}
	return true, nil
}

func (d *device) fetch(s *media.Store) error {
	for {
		page, err := s.Changes(ctx, user, d.usn, 3)
		if err != nil || len(page) == 0 {
			return err
		}
		var want []string
		for _, c := range page {
			local, have := d.files[c.Name]
			switch {
			case c.Sum == "" && d.dirty[c.Name] && have: // kept for upload
			case c.Sum == "":
				delete(d.files, c.Name)
				delete(d.known, c.Name)
				delete(d.dirty, c.Name)
			case have && sha(local) == c.Sum:
				d.known[c.Name] = c.Sum
				delete(d.dirty, c.Name)
			default:
				want = append(want, c.Name)
			}
		}
		for len(want) > 0 {
			p, err := s.PrepareZip(ctx, user, want[:min(25, len(want))])
			if err != nil {
				return err
			}
			var buf bytes.Buffer
			_, err = p.WriteTo(&buf)
			names := p.Names()
			_ = p.Close()
			if err != nil || len(names) == 0 {
				return fmt.Errorf("%d files: %w", len(names), err)
			}
			for n, data := range unzip(nil2, buf.Bytes()) {
				d.files[n], d.known[n] = data, sha(data)
				delete(d.dirty, n)
			}
			want = want[len(names):]
		}
		d.usn = page[len(page)-1].USN
	}
}

func (d *device) send(s *media.Store) error {
	for len(d.dirty) > 0 {
		names := slices.Sorted(maps.Keys(d.dirty))
		names = names[:min(4, len(names))]
		var list []entry
		for _, n := range names {
			list = append(list, entry{n, d.files[n]})
		}
		n, usn, err := apply(s, makeZip(nil2, zip.Deflate, list...))
		if err != nil {
			return err
		}
		for _, name := range names[:n] {
			delete(d.dirty, name)
			if data, ok := d.files[name]; ok {
				d.known[name] = sha(data)
			}
		}
		if d.usn+int32(n) == usn { //nolint:gosec // small
			d.usn = usn
		}
	}
	return nil
}

// TestConverge lets three devices edit and sync at random while the server
// loses files and closes its database, and expects one state at the end.
func TestConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		root, err := os.MkdirTemp(t.TempDir(), "p")
		if err != nil {
			rt.Fatal(err)
		}
		s := media.Open(root, media.Options{})
		defer s.Close()
		folder := filepath.Join(root, user, "collection.media")
		devices := []*device{newDevice(), newDevice(), newDevice()}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d é", "e", "f"})
		which := rapid.SampledFrom(devices)
		step := 0
		trySync := func(d *device) {
			if _, err := d.sync(s); err != nil && !errors.Is(err, media.ErrConflict) {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"edit": func(rt *rapid.T) {
				d, n := which.Draw(rt, "device"), name.Draw(rt, "name")
				step++
				d.files[n], d.dirty[n] = fmt.Sprint("content ", rapid.IntRange(0, 3).Draw(rt, "content")), true
			},
			"delete": func(rt *rapid.T) {
				d, n := which.Draw(rt, "device"), name.Draw(rt, "name")
				if _, ok := d.files[n]; ok {
					delete(d.files, n)
					d.dirty[n] = true
				}
			},
			"sync":  func(rt *rapid.T) { trySync(which.Draw(rt, "device")) },
			"close": func(rt *rapid.T) { _ = s.Evict(user) },
			"lose":  func(rt *rapid.T) { _ = os.Remove(filepath.Join(folder, name.Draw(rt, "name"))) },
		})
		// So that there is something to agree on.
		for i, d := range devices {
			n := fmt.Sprint("end ", i)
			d.files[n], d.dirty[n] = n, true
		}
		// A request for a lost file fails once and the counts differ once or
		// twice for each device; then everything is quiet.
		for range 30 {
			for _, d := range devices {
				trySync(d)
			}
		}
		for i, d := range devices {
			if len(d.dirty) > 0 {
				rt.Errorf("device %d still has changes: %v", i, d.dirty)
			}
			if diff := cmp.Diff(devices[0].files, d.files); diff != "" {
				rt.Errorf("device %d: %s", i, diff)
			}
			if n := fmt.Sprint("end ", i); devices[0].files[n] != n {
				rt.Errorf("%q is lost", n)
			}
		}
		want := map[string]string{}
		for n, data := range devices[0].files {
			want[n] = sha(data)
		}
		if diff := cmp.Diff(want, alive(rows(t, s, user))); diff != "" {
			rt.Errorf("server: %s", diff)
		}
	})
}

// FuzzApplyZip feeds the zip reader: an error leaves folder and database as
// they were, and without one they agree.
func FuzzApplyZip(f *testing.F) {
	f.Add(makeZip(f, zip.Store, entry{"new", "new"}, entry{"kept", ""}))
	f.Add(makeZip(f, zip.Deflate, entry{"kept", "changed"}, entry{"../x", "x"}))
	f.Add(makeZip(f, zip.Deflate, entry{"a", string(make([]byte, 3000))}, entry{"a", "b"}))
	f.Add([]byte("PK\x05\x06" + string(make([]byte, 18))))
	root := f.TempDir()
	folder := filepath.Join(root, user, "collection.media")
	s := media.Open(root, media.Options{MaxFileBytes: 1 << 16})
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, raw []byte) {
		mustApply(t, s, entry{"kept", "kept"})
		before, usn := files(t, folder), rows(t, s, user)
		n, _, err := apply(s, raw)
		switch {
		case err != nil && !errors.Is(err, media.ErrBadRequest):
			t.Fatal(err)
		case err != nil:
			if d := cmp.Diff(before, files(t, folder)); d != "" || n != 0 {
				t.Error(n, d)
			}
			if d := cmp.Diff(usn, rows(t, s, user)); d != "" {
				t.Error(d)
			}
		}
		agree(t, s, folder)
		outside, _ := filepath.Glob(filepath.Join(root, "*"))
		inside, _ := filepath.Glob(filepath.Join(root, user, "*"))
		if len(outside) != 1 || len(inside) > 3 {
			t.Error(outside, inside)
		}
	})
}
