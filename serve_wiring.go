package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
	"github.com/ankisyncd/ankisyncd/media"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

const mib = 1 << 20

// banner is what the server answers to GET /.
const banner = "Anki Sync Server"

// handlers are what the listeners serve.
type handlers struct {
	sync http.Handler
	rest http.Handler // nil if the RESTful API is off
}

// buildHandlers opens the stores and puts the handlers on them. closeAll closes
// them, in the reverse order. m, if not nil, is told what happens.
func buildHandlers(ctx context.Context, cfg *config.Config, log *slog.Logger, m *metrics) (h handlers, closeAll func() error, err error) {
	root := config.Abs(cfg.DataRoot)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return h, nil, err
	}
	o := authOptions(cfg, m.countLogins(log.With(loggerKey, "users")))
	o.GiveBack = giveBackMemory
	var users *auth.Store
	if !o.AllowAnyone {
		guard := &folderGuard{root: root, log: o.Log, users: func(ctx context.Context) ([]string, error) { return users.Users(ctx) }}
		o.Admit = guard.admit
	}
	users, err = auth.Open(ctx, o)
	if err != nil {
		return h, nil, err
	}
	if err := checkStaticFolders(ctx, root, o.StaticUsers, users); err != nil {
		return h, nil, errors.Join(err, users.Close())
	}
	collections := collection.New(root, collectionOptions(cfg, log.With(loggerKey, "collection")))
	files := media.Open(root, media.Options{
		MaxFileBytes: int64(cfg.MaxMediaFileMB) * mib,
		MaxOpen:      cfg.MaxOpenCollections,
		IdleTimeout:  cfg.CollectionIdleTimeout,
		Log:          log.With(loggerKey, "media"),
	})
	server := ankisync.New(ankisync.Options{
		GiveBack: giveBackMemory,
		Auth:     users, Collections: collections, Media: files,
		BaseURL: cfg.BasePath + cfg.BaseURL, MediaURL: cfg.BasePath + cfg.BaseMediaURL,
		MaxMessageBytes:  int64(cfg.MaxRequestMB) * mib,
		MaxUploadBytes:   int64(cfg.MaxPayloadMB) * mib,
		MaxMediaZipBytes: min(int64(cfg.MaxPayloadMB), int64(cfg.MaxMediaFileMB)+32) * mib,
		TempDir:          root,
		ClientAddr:       clientAddr(cfg),
		Observe:          m.observe,
		Log:              log.With(loggerKey, "http"),
	})
	m.watch(collections.OpenCount, func() int {
		names, err := users.Users(context.WithoutCancel(ctx))
		if err != nil {
			return -1 // /readyz and the log say why
		}
		return len(names)
	})
	ready := &readiness{root: root, users: users, log: log}
	closeAll = func() error {
		return errors.Join(files.Close(), collections.Close(), users.Close())
	}
	if h.rest, err = newREST(cfg, log, users, collections, files); err != nil {
		return h, nil, errors.Join(err, closeAll())
	}
	h.sync = rootHandler(cfg.BasePath, server, ready)
	if restShared(cfg) {
		h.sync = orREST(cfg.BasePath, h.sync, h.rest)
	}
	return h, closeAll, nil
}

func collectionOptions(cfg *config.Config, log *slog.Logger) collection.Options {
	keep := cfg.SnapshotKeep
	if keep == 0 {
		keep = -1
	}
	return collection.Options{
		MaxUploadBytes: int64(cfg.MaxCollectionMB) * mib,
		MaxOpen:        cfg.MaxOpenCollections,
		IdleTimeout:    cfg.CollectionIdleTimeout,
		SyncTimeout:    cfg.SyncExpiry,
		Snapshots:      collection.Retention{Keep: keep, MaxAge: cfg.SnapshotMaxAge, MaxBytes: int64(cfg.SnapshotMaxMB) * mib},
		Log:            log,
	}
}

// orREST sends the paths of the RESTful API there, everything else to next.
func orREST(basePath string, next, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isREST(cutBase(basePath, r.URL.Path)) {
			rest.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// rootHandler answers what monitors ask, and leaves everything else to the sync
// server. It is no mux: that would redirect doubled slashes, and a redirected
// POST does not arrive.
func rootHandler(basePath string, server *ankisync.Server, ready http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, strings.TrimSuffix(basePath, "/"))
		get := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case get && strings.Trim(path, "/") == "":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, banner)
		case get && path == "/health":
			w.WriteHeader(http.StatusOK)
		case get && path == "/readyz":
			ready.ServeHTTP(w, r)
		default:
			server.ServeHTTP(w, r)
		}
	})
}
