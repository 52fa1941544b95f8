package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/config"
)

// buildHandler opens the stores and puts the handler of the sync server on them.
// closeAll closes them, in the reverse order.
func buildHandler(ctx context.Context, cfg *config.Config, log *slog.Logger) (h http.Handler, closeAll func() error, err error) {
	if err := os.MkdirAll(config.Abs(cfg.DataRoot), 0o755); err != nil {
		return nil, nil, err
	}
	users, err := auth.Open(ctx, authOptions(cfg, log.With(loggerKey, "users")))
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "Anki Sync Server")
	})
	return mux, users.Close, nil
}
