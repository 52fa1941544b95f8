package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
)

func cmdRestore() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "put an earlier collection back",
		ArgsUsage: "USERNAME SNAPSHOT",
		Description: "Replaces the user's collection by the snapshot (see \"snapshots\"). The present collection is kept as a snapshot itself. " +
			"At its next sync each device asks whether to download or to upload: choose download. Media files stay as they are. " +
			"The server may go on running: while it has the collection open, this command waits until the server lets go of it " +
			"(collection_idle_timeout after the last sync).",
		Category: categoryOperation,
		Flags: append(settingFlags()[:2],
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
			&cli.StringFlag{Name: "wait", Usage: "wait at most `TIME` for the server to let go of the collection; 0s refuses at once (default: collection_idle_timeout and 30s)"},
		),
		Action: restoreAction,
	}
}

func restoreAction(c *cli.Context) (err error) {
	if c.Args().Len() != 2 {
		return errors.New("restore: name a user and a snapshot; \"ankisyncd snapshots USERNAME\" lists them")
	}
	user, id := c.Args().Get(0), c.Args().Get(1)
	cfg, err := loadConfig(c, "")
	if err != nil {
		return err
	}
	wait := cfg.CollectionIdleTimeout + 30*time.Second
	if c.IsSet("wait") {
		if wait, err = time.ParseDuration(c.String("wait")); err != nil || wait < 0 {
			return fmt.Errorf("restore: --wait %s: want a time like 90s", c.String("wait"))
		}
	}
	store := collection.New(config.Abs(cfg.DataRoot), collectionOptions(cfg, nil))
	defer func() { err = errors.Join(err, store.Close()) }()
	dir, err := userFolder(store, user)
	if err != nil {
		return err
	}
	sn, err := findSnapshot(store, user, id)
	if err != nil {
		return err
	}
	if !c.Bool("yes") {
		if err := confirmRestore(c.App.Reader, c.App.ErrWriter, cfg, user, sn); err != nil {
			return err
		}
	}
	// Only now: at the question Ctrl-C ends the program, as it should.
	ctx, stop := untilSignal(c.Context)
	defer stop()
	if err := awaitCollection(ctx, c.App.ErrWriter, store, user, wait); err != nil {
		return err
	}
	if err := store.Restore(ctx, user, id); err != nil {
		return restoreError(user, id, err)
	}
	if err := store.Close(); err != nil {
		return err
	}
	inheritOwner(dir, filepath.Join(dir, collection.FileName))
	inheritSnapshots(dir)
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s restored. Each device will ask at its next sync: choose \"Download\".\n", user, id)
	return err
}

func findSnapshot(store *collection.Store, user, id string) (collection.Snapshot, error) {
	all, err := store.Snapshots(user)
	if err != nil {
		return collection.Snapshot{}, err
	}
	i := slices.IndexFunc(all, func(s collection.Snapshot) bool { return s.ID == id })
	if i < 0 {
		return collection.Snapshot{}, fmt.Errorf("user %s has no snapshot %q; \"ankisyncd snapshots %s\" lists those that there are", user, id, user)
	}
	return all[i], nil
}

// confirmRestore asks at a terminal. Where nobody can be asked, --yes is needed.
func confirmRestore(stdin io.Reader, stderr io.Writer, cfg *config.Config, user string, sn collection.Snapshot) error {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return errors.New("restore: nobody is at a terminal to be asked; add --yes")
	}
	kept := "The present collection is kept as a snapshot."
	if cfg.SnapshotKeep == 0 {
		kept = "The present collection is LOST, as snapshot_keep is 0."
	}
	fmt.Fprintf(stderr, "Replace the collection of %s by the one of %s (%s)?\n%s\n"+
		"What devices have synced since then is not in it, and each of them will have to download it in full.\nRestore? [y/N] ",
		user, sn.Time.Local().Format("2006-01-02 15:04:05"), byteSize(sn.Bytes), kept)
	answer, err := bufio.NewReader(stdin).ReadString('\n')
	if err != nil && answer == "" {
		return fmt.Errorf("restore: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("restore: nothing was changed")
	}
	return nil
}

// awaitCollection opens the collection, which keeps it from the server until
// the store is closed. While the server has it open, it tries again for wait.
func awaitCollection(ctx context.Context, stderr io.Writer, store *collection.Store, user string, wait time.Duration) error {
	const every = time.Second
	end := time.Now().Add(wait)
	for told := false; ; told = true {
		_, err := store.Meta(ctx, user)
		if ctx.Err() != nil {
			return errRestoreStopped
		}
		if !errors.Is(err, collection.ErrBusy) {
			return nil // a damaged collection is no obstacle; Restore says the rest
		}
		if time.Now().Add(every).After(end) {
			return fmt.Errorf("the server has the collection of %s open and lets go of it when it has been idle for a while; "+
				"nothing was changed. Try again later, with a longer --wait, or stop the server", user)
		}
		if !told {
			fmt.Fprintf(stderr, "The server has the collection of %s open; waiting up to %s for it to let go (Ctrl-C gives up, nothing is changed) …\n", user, wait)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return errRestoreStopped
		}
	}
}

// errRestoreStopped: somebody pressed Ctrl-C while the collection was awaited.
var errRestoreStopped = errors.New("restore: interrupted, nothing was changed")

func restoreError(user, id string, err error) error {
	switch {
	case errors.Is(err, collection.ErrBusy):
		return fmt.Errorf("the server has the collection of %s open; nothing was changed: %w", user, err)
	case errors.Is(err, collection.ErrCorrupt), errors.Is(err, collection.ErrUnsupportedSchema):
		return fmt.Errorf("snapshot %s is damaged, nothing was changed: %w", id, err)
	}
	return fmt.Errorf("restore %s: %w", id, err)
}

// inheritSnapshots gives the snapshots to the owner of the user's folder.
func inheritSnapshots(dir string) {
	snapshots := filepath.Join(dir, collection.SnapshotDir)
	inheritOwner(dir, snapshots)
	entries, err := os.ReadDir(snapshots)
	if err != nil {
		return
	}
	for _, e := range entries {
		inheritOwner(dir, filepath.Join(snapshots, e.Name()))
	}
}
