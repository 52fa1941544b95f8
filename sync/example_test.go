package sync_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// A program that has pages of its own serves Anki's clients below /anki/.
// Clients are then pointed at https://example.org/anki/.
func ExampleServer() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	users, err := auth.Open(context.Background(), auth.Options{AuthDB: filepath.Join(dir, "auth.db"), SessionDB: filepath.Join(dir, "session.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
	collections := collection.New(filepath.Join(dir, "collections"), collection.Options{})
	defer collections.Close()
	files := media.Open(filepath.Join(dir, "collections"), media.Options{})
	defer files.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "my own page") })
	mux.Handle("/anki/", ankisync.New(ankisync.Options{Auth: users, Collections: collections, Media: files}))

	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, path := range []string{"/", "/anki/msync/begin?v=test&k=nobody"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Printf("%s: %s %q\n", path, resp.Status, body)
	}
	// Output:
	// /: 200 OK "my own page"
	// /anki/msync/begin?v=test&k=nobody: 403 Forbidden "403 Forbidden\n"
}
