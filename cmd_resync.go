package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
)

func cmdResync() *cli.Command {
	return &cli.Command{
		Name:      "resync",
		Usage:     "have every device do a full sync",
		ArgsUsage: "[USERNAME...]",
		Description: "Has every device of the users do a full sync the next time, as after \"restore\"; nothing else is changed. " +
			"It is for data that were put back from a backup with everything that is beside them: devices that have synced since then would go on " +
			"as if nothing had happened, and what they sent would be missing on the others. " +
			"The server may go on running: while it has a collection open, this command waits until the server lets go of it " +
			"(collection_idle_timeout after the last sync).",
		Category: categoryOperation,
		Flags:    append(settingFlags(), &cli.BoolFlag{Name: "all", Usage: "of all users"}, waitFlag()),
		Action:   resyncAction,
	}
}

func resyncAction(c *cli.Context) error {
	names, all := c.Args().Slice(), c.Bool("all")
	if all == (len(names) > 0) {
		return errors.New("resync: name users, or say --all")
	}
	cfg, err := loadConfig(c, "")
	if err != nil {
		return err
	}
	wait, err := waitTime(c, cfg)
	if err != nil {
		return err
	}
	if all {
		if names, _, err = userFolders(config.Abs(cfg.DataRoot), nil); err != nil {
			return err
		}
	}
	ctx, stop := untilSignal(c.Context)
	defer stop()
	var errs []error
	for _, name := range names {
		if err := resyncUser(ctx, c.App.Writer, c.App.ErrWriter, cfg, name, wait); err != nil {
			errs = append(errs, fmt.Errorf("resync: %w", err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// resyncUser has a store of its own: what that has open is kept from the server
// until it is closed.
func resyncUser(ctx context.Context, stdout, stderr io.Writer, cfg *config.Config, user string, wait time.Duration) (err error) {
	store := collection.New(config.Abs(cfg.DataRoot), collectionOptions(cfg, nil))
	defer func() { err = errors.Join(err, store.Close()) }()
	dir, err := userFolder(store, user)
	if err != nil {
		return err
	}
	if !isFile(filepath.Join(dir, collection.FileName)) {
		_, err := fmt.Fprintf(stdout, "%s: no collection yet, nothing to do\n", user)
		return err
	}
	if err := awaitCollection(ctx, stderr, store, user, wait); err != nil {
		return err
	}
	if err := store.Resync(ctx, user); err != nil {
		return fmt.Errorf("user %s: %w", user, err)
	}
	if err := store.Close(); err != nil {
		return err
	}
	inheritCollection(dir)
	_, err = fmt.Fprintf(stdout, "%s: each device will ask at its next sync\n", user)
	return err
}
