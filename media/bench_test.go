package media_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/ankisyncd/ankisyncd/media"
)

// zips are files of 20 KB, 25 to a zip.
func zips(b *testing.B, files int, mark string) [][]byte {
	b.Helper()
	var out [][]byte
	data := make([]byte, 20_000)
	for i := 0; i < files; i += 25 {
		var list []entry
		for k := i; k < i+25; k++ {
			for j := range data {
				data[j] = byte(j*k + j>>3)
			}
			list = append(list, entry{fmt.Sprintf("file-%06d.bin", k), fmt.Sprint(k, mark) + string(data)})
		}
		out = append(out, makeZip(b, zip.Store, list...))
	}
	return out
}

func sendAll(b *testing.B, s *media.Store, all [][]byte) {
	b.Helper()
	for _, raw := range all {
		if _, _, err := apply(s, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpload2000(b *testing.B) {
	all := zips(b, 2000, "")
	for b.Loop() {
		b.StopTimer()
		s := media.Open(b.TempDir(), media.Options{})
		b.StartTimer()
		sendAll(b, s, all)
		b.StopTimer()
		_ = s.Close()
		b.StartTimer()
	}
}

func BenchmarkUploadIdentical2000(b *testing.B) {
	all := zips(b, 2000, "")
	s, _ := newStore(b, media.Options{})
	sendAll(b, s, all)
	for b.Loop() {
		sendAll(b, s, all)
	}
}

func BenchmarkDownload2000(b *testing.B) {
	s, _ := newStore(b, media.Options{})
	sendAll(b, s, zips(b, 2000, ""))
	for b.Loop() {
		for i := 0; i < 2000; i += 25 {
			var names []string
			for k := i; k < i+25; k++ {
				names = append(names, fmt.Sprintf("file-%06d.bin", k))
			}
			if err := s.WriteZip(ctx, user, names, io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// many makes a database of n rows, without files.
func many(b *testing.B, n int) *media.Store {
	b.Helper()
	s, root := newStore(b, media.Options{})
	mustApply(b, s, entry{"first", "x"})
	_ = s.Evict(user)
	sqlOn(b, filepath.Join(root, user, "collection.media.server.db"), fmt.Sprintf(
		`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO media SELECT printf('%%08x.jpg', (i*2654435761)%%4294967296), i, '%s' FROM n`, n, sha("x")))
	return s
}

func BenchmarkChanges50000(b *testing.B) {
	s := many(b, 50_000)
	for b.Loop() {
		var last int32
		for {
			page, err := s.Changes(ctx, user, last, 0)
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			last = page[len(page)-1].USN
		}
	}
}

func BenchmarkLastUSN(b *testing.B) {
	s, _ := newStore(b, media.Options{})
	mustApply(b, s, entry{"first", "x"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.LastUSN(ctx, user); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBeside sends 25 new files beside n others.
func BenchmarkBeside(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _ := newStore(b, media.Options{})
			switch n {
			case 100:
				sendAll(b, s, zips(b, 100, ""))
			default:
				s = many(b, n)
			}
			round := 0
			for b.Loop() {
				b.StopTimer()
				round++
				var list []entry
				for k := range 25 {
					list = append(list, entry{fmt.Sprintf("%x-%d.bin", k*7919, round), fmt.Sprint("some content ", k)})
				}
				raw := makeZip(b, zip.Store, list...)
				b.StartTimer()
				if _, _, err := s.ApplyZip(ctx, user, bytes.NewReader(raw), int64(len(raw))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
