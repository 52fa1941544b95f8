package collection

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// FuzzUpload uploads damaged collections of three schemas. One that is refused
// leaves what is stored; one that is accepted can be downloaded by every client,
// and uploaded again.
func FuzzUpload(f *testing.F) {
	bases := [][]byte{read(f, smallUpload(f))}
	for _, name := range []string{"v11-2.1.49", "v15-2.1.28"} {
		bases = append(bases, read(f, convFixture(f, name)))
	}
	for i := range bases {
		f.Add(uint(i), uint(4096), []byte{0xff}, uint(1), []byte{})
		f.Add(uint(i), uint(8192+4000), []byte("}"), uint(20_000), []byte{0, 0, 0, 0})
	}
	// a text where the JSON of schema 11 has one
	for _, s := range [][2]string{{`"name"`, `"nam\u0000"`}, {`"mod":`, `"mod":-`}, {`"id"`, `"ID"`}, {`"ord"`, `"usn"`}} {
		if at := bytes.Index(bases[1], []byte(s[0])); at >= 0 {
			f.Add(uint(1), uint(at), []byte(s[1]), uint(0), []byte{})
		}
	}
	r, _ := stored(f, Options{Snapshots: Retention{Keep: -1}})
	f.Fuzz(func(t *testing.T, base, at uint, patch []byte, at2 uint, patch2 []byte) {
		r.t = t
		b := bytes.Clone(bases[base%uint(len(bases))])
		copy(b[at%uint(len(b)):], patch)
		copy(b[at2%uint(len(b)):], patch2)
		before, meta := read(t, r.file(testUser)), r.meta()
		err := r.s.Upload(context.Background(), testUser, bytes.NewReader(b))
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Errorf("left %q", l)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupportedSchema) {
				t.Errorf("refused: %v", err)
			}
			if !bytes.Equal(before, read(t, r.file(testUser))) || r.meta() != meta {
				t.Error("a refused upload changed what is stored")
			}
			return
		}
		if err := r.objectsDecode(); err != nil {
			t.Errorf("accepted, but %v", err)
		}
		if err := r.upload(r.download(testUser, DownloadOptions{})); err != nil {
			t.Errorf("accepted, and refused when it came again: %v", err)
		}
	})
}
