package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/config"
	"github.com/ankisyncd/ankisyncd/media"
)

// TestDoctorMediaAway has a media folder without a file where there should be
// many: its disk may not be mounted, and then media do not sync.
func TestDoctorMediaAway(t *testing.T) {
	root := t.TempDir()
	s := media.Open(root, media.Options{})
	for i := range 30 {
		if _, err := s.Put(context.Background(), "alice", fmt.Sprint("f", i), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "alice")
	folder := filepath.Join(dir, "collection.media")
	look := func() level {
		t.Helper()
		d := &doctor{tempDir: t.TempDir()}
		d.media(t.Context(), "user alice", dir)
		if len(d.findings) == 0 {
			return levelOK
		}
		return d.findings[0].Level
	}
	if got := look(); got != levelOK {
		t.Error(got)
	}
	if err := os.Rename(folder, folder+".disk"); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != levelFail {
		t.Errorf("%s for a folder that is not there", got)
	}
	if err := os.MkdirAll(filepath.Join(folder, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != levelFail {
		t.Errorf("%s for an empty folder", got)
	}
	if err := os.WriteFile(filepath.Join(folder, "lost"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != levelWarn {
		t.Errorf("%s when the files are said to be lost", got)
	}
}

// TestMigrateMediaAway: migrate says of such an account what will not work.
func TestMigrateMediaAway(t *testing.T) {
	for n, want := range map[int]int{media.MaxRows: 1, media.MaxRows + 1: 2} {
		root := t.TempDir()
		s := media.Open(root, media.Options{})
		for i := range n {
			if _, err := s.Put(context.Background(), "alice", fmt.Sprint("f", i), strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, "alice")
		if err := os.RemoveAll(filepath.Join(dir, "collection.media")); err != nil {
			t.Fatal(err)
		}
		r, err := inspectMedia(t.Context(), dir, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		u := &sourceUser{name: "alice", media: r}
		if got := u.planned(media.Native).Remarks; len(got) != want || !strings.Contains(got[0], "without a file") {
			t.Errorf("%d files: %q", n, got)
		}
	}
}

// TestAnotherProgramsPort: a page of another program on the server's port is not
// taken for the server, by whoever asks.
func TestAnotherProgramsPort(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "It works!") }))
	defer other.Close()
	address := strings.TrimPrefix(other.URL, "http://")
	cfg, err := config.Load(config.LoadOptions{Settings: []config.Setting{{Key: "listen", Value: address, Source: "test"}}})
	if err != nil {
		t.Fatal(err)
	}
	d := &doctor{cfg: cfg}
	d.listeners(t.Context())
	d.running(t.Context())
	if len(d.findings) != 2 || d.findings[0].Level != levelFail || !strings.Contains(d.findings[0].Text, address) ||
		!strings.Contains(d.findings[1].Text, "not running") {
		t.Errorf("%+v", d.findings)
	}
	for url, well := range map[string]bool{"": false, "/": false, "/health": true} {
		if err := checkHealth(t.Context(), nil, other.URL+url); (err == nil) != well {
			t.Errorf("%q: %v", url, err)
		}
	}
	other.Close()
	d.findings = nil
	d.listeners(t.Context())
	if len(d.findings) > 0 {
		t.Errorf("once it has ended: %+v", d.findings)
	}
}
