package sync_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// mediaZip is an uploadChanges zip of new files.
func mediaZip(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	var meta [][2]string
	for name, content := range files {
		member := strconv.Itoa(len(meta))
		meta = append(meta, [2]string{name, member})
		f, err := w.CreateHeader(&zip.FileHeader{Name: member, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte(content))
	}
	f, err := w.Create("_meta")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(f).Encode(meta); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fuzzServer is a handler over a folder with one user, who has a collection,
// and a key of his.
func fuzzServer(f *testing.F) (http.Handler, string) {
	dir := f.TempDir()
	users, err := auth.Open(f.Context(), auth.Options{AuthDB: dir + "/auth.db", KeepLegacyHashes: true})
	if err != nil {
		f.Fatal(err)
	}
	if err := users.AddUser(f.Context(), testUser, testPassword); err != nil {
		f.Fatal(err)
	}
	cols, files := collection.New(dir+"/c", collection.Options{}), media.Open(dir+"/c", media.Options{})
	f.Cleanup(func() { _, _, _ = files.Close(), cols.Close(), users.Close() })
	if err := cols.Upload(f.Context(), testUser, bytes.NewReader(fixture(f, "v18-26.09"))); err != nil {
		f.Fatal(err)
	}
	h := ankisync.New(ankisync.Options{Auth: users, Collections: cols, Media: files, TempDir: dir})
	r := httptest.NewRequest("POST", "/sync/hostKey", bytes.NewReader([]byte(
		"--B\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{\"u\":\""+testUser+"\",\"p\":\""+testPassword+"\"}\r\n--B--\r\n")))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var key struct{ Key string }
	if err := json.Unmarshal(w.Body.Bytes(), &key); err != nil || key.Key == "" {
		f.Fatalf("login: %s", w.Body)
	}
	return h, key.Key
}

// FuzzMessages sends any bytes to any step, inside a sync and outside of one:
// the answer is never a failure of the server.
func FuzzMessages(f *testing.F) {
	h, key := fuzzServer(f)
	steps := []string{
		"sync/hostKey", "sync/meta", "sync/start", "sync/applyGraves", "sync/applyChanges", "sync/chunk", "sync/applyChunk",
		"sync/sanityCheck2", "sync/finish", "sync/abort", "sync/upload", "sync/download",
		"msync/begin", "msync/mediaChanges", "msync/uploadChanges", "msync/downloadFiles", "msync/mediaSanity",
	}
	post := func(step string, data []byte) int {
		var b bytes.Buffer
		b.WriteString("--Bxyz\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\n" + key + "\r\n")
		b.WriteString("--Bxyz\r\nContent-Disposition: form-data; name=\"s\"\r\n\r\nfuzz\r\n")
		b.WriteString("--Bxyz\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n")
		b.Write(data)
		b.WriteString("\r\n--Bxyz--\r\n")
		r := httptest.NewRequest("POST", "/"+step, &b)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=Bxyz")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for i, msg := range []string{
		`{"u":"a","p":"b"}`, `{"v":11,"cv":"x"}`, `{"minUsn":0,"lnewer":false,"graves":{"cards":["1",2],"notes":null,"decks":[]}}`,
		`{"chunk":{"cards":[1],"notes":[1],"decks":[1]}}`,
		`{"changes":{"models":[{"id":"5","name":"x","mod":1,"usn":0,"type":0,"sortf":0,"did":null,"tmpls":[],"flds":[],"css":""}],"decks":[[],[]],"tags":["a b"],"conf":{"x":[1]},"crt":5}}`,
		`{}`, `{"chunk":{"done":true,"cards":[[1,2,3,0,1,5,2,2,100,30,2500,3,1,0,0,0,0,"{}"]]}}`,
		`{"client":[[0,0,0],1,2,3,4,5,6,7],"full":true}`, `{}`, `{}`, "SQLite format 3\x00", `{}`,
		`{"v":"x"}`, `{"lastUsn":0}`, string(mediaZip(f, map[string]string{"a.png": "x"})), `{"files":["a.png"]}`, `{"local":1}`,
	} {
		f.Add(uint8(i), []byte(msg))
	}
	f.Fuzz(func(t *testing.T, step uint8, data []byte) {
		if bytes.Contains(data, []byte("--Bxyz")) {
			return
		}
		name := steps[int(step)%len(steps)]
		if code := post(name, data); code >= 500 && code != http.StatusNotImplemented {
			t.Fatalf("%s outside of a sync: %d", name, code)
		}
		if code := post("sync/start", []byte(`{"minUsn":0,"lnewer":true}`)); code != 200 {
			t.Fatalf("start: %d", code)
		}
		if code := post(name, data); code >= 500 && code != http.StatusNotImplemented {
			t.Fatalf("%s in a sync: %d", name, code)
		}
		if code := post("sync/abort", nil); code != 200 {
			t.Fatalf("abort: %d", code)
		}
	})
}

// FuzzHeaderAndBody sends any header and any body: never a failure of the
// server, and never the collection to somebody without the key.
func FuzzHeaderAndBody(f *testing.F) {
	h, key := fuzzServer(f)
	f.Add(`{"v":11,"k":"KEY","c":"x","s":"y"}`, []byte("\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00{}"))
	f.Add(`{"v":11,"k":"","c":"x","s":"y"}`, []byte("{}"))
	f.Add(`{"v":10,"k":"KEY"}`, []byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		for _, path := range []string{"/sync/meta", "/sync/download", "/sync/applyChanges", "/msync/uploadChanges"} {
			r := httptest.NewRequest("POST", path, bytes.NewReader(body))
			r.Header["Anki-Sync"] = []string{string(bytes.ReplaceAll([]byte(header), []byte("KEY"), []byte(key)))}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code >= 500 && w.Code != http.StatusNotImplemented {
				t.Fatalf("%s: %d", path, w.Code)
			}
			if w.Code == 200 && !bytes.Contains([]byte(header), []byte("KEY")) {
				t.Fatalf("%s: 200 without the key", path)
			}
		}
	})
}
