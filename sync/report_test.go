package sync

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// TestLogLinesAreShort: whatever a request says, its line in the log is no longer
// than that of an honest one by much.
func TestLogLinesAreShort(t *testing.T) {
	var log bytes.Buffer
	collections := collection.New(t.TempDir(), collection.Options{})
	defer collections.Close() //nolint:errcheck // of a test
	s := tinyServer(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Collections: collections})
	key, err := s.o.Auth.Login(t.Context(), "u", "p", netip.Addr{}, "")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("1", 1<<20-100)
	path := filepath.Join(t.TempDir(), "x")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
	if err == nil {
		_, err = db.Exec(`CREATE TABLE notes (id INTEGER PRIMARY KEY, "` + long[:100_000] + `" AS (1))`)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	odd, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ step, header, body string }{
		"user":           {"hostKey", "x", `{"u":"` + long + `","p":"p"}`},
		"client":         {"hostKey", long, `{"u":"u","p":"p"}`},
		"client of meta": {"meta", "x", `{"v":99,"cv":"` + long + `"}`},
		"number":         {"meta", "x", `{"v":` + long + `}`},
		"column":         {"upload", "x", string(odd)},
	} {
		log.Reset()
		r := httptest.NewRequest(http.MethodPost, "/sync/"+c.step, bytes.NewReader(zstdFrame(t, []byte(c.body))))
		r.Header[http.CanonicalHeaderKey(syncHeader)] = []string{`{"v":11,"k":"` + key + `","c":"` + c.header + `","s":"y"}`}
		s.ServeHTTP(httptest.NewRecorder(), r)
		if log.Len() == 0 || log.Len() > 2*maxLoggedError+1000 || strings.Contains(log.String(), "panic") || !strings.Contains(log.String(), "step="+c.step) {
			t.Errorf("%s: %d bytes, %.200s", name, log.Len(), &log)
		}
	}
}
