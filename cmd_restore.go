package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
		ArgsUsage: "USERNAME SNAPSHOT|FILE",
		Description: "Replaces the user's collection by the snapshot (see \"snapshots\"), or by a copy of a collection file, a backup of yours. " +
			"The present collection is kept as a snapshot itself. " +
			"At its next sync each device asks whether to download or to upload: choose download. Media files stay as they are. " +
			"The server may go on running: while it has the collection open, this command waits until the server lets go of it " +
			"(collection_idle_timeout after the last sync).",
		Category: categoryOperation,
		Flags: append(settingFlags(),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
			waitFlag(),
		),
		Action: restoreAction,
	}
}

func waitFlag() cli.Flag {
	return &cli.StringFlag{Name: "wait", Usage: "wait at most `TIME` for the server to let go of the collection; 0s refuses at once (default: collection_idle_timeout and 30s)"}
}

func waitTime(c *cli.Context, cfg *config.Config) (time.Duration, error) {
	if !c.IsSet("wait") {
		return cfg.CollectionIdleTimeout + 30*time.Second, nil
	}
	wait, err := time.ParseDuration(c.String("wait"))
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("%s: --wait %s: want a time like 90s", c.Command.Name, c.String("wait"))
	}
	return wait, nil
}

func restoreAction(c *cli.Context) (err error) {
	if c.Args().Len() != 2 {
		return errors.New("restore: name a user, and a snapshot or a file; \"ankisyncd snapshots USERNAME\" lists the snapshots")
	}
	user := c.Args().Get(0)
	cfg, err := loadConfig(c, "")
	if err != nil {
		return err
	}
	wait, err := waitTime(c, cfg)
	if err != nil {
		return err
	}
	store := collection.New(config.Abs(cfg.DataRoot), collectionOptions(cfg, nil))
	defer func() { err = errors.Join(err, store.Close()) }()
	dir, err := userFolder(store, user)
	if err != nil {
		return err
	}
	src, err := findSource(c.Context, store, dir, user, c.Args().Get(1))
	if err != nil {
		return err
	}
	if !c.Bool("yes") {
		if err := confirmRestore(c.App.Reader, c.App.ErrWriter, cfg, user, src); err != nil {
			return err
		}
	}
	// Only now: at the question Ctrl-C ends the program, as it should.
	ctx, stop := untilSignal(c.Context)
	defer stop()
	if err := awaitCollection(ctx, c.App.ErrWriter, store, user, wait); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := src.restore(ctx); err != nil {
		return src.explain(user, err)
	}
	if err := store.Close(); err != nil {
		return err
	}
	inheritCollection(dir)
	inheritSnapshots(dir)
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s restored. Each device will ask at its next sync: choose \"Download\".\n", user, src.name)
	return err
}

// restoreSource is what is put back.
type restoreSource struct {
	name    string // as it was given
	of      string // for the question
	restore func(ctx context.Context) error
}

// findSource finds the snapshot of that name, or else the file.
func findSource(ctx context.Context, store *collection.Store, dir, user, name string) (*restoreSource, error) {
	all, err := store.Snapshots(user)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(s collection.Snapshot) bool { return s.ID == name }); i >= 0 {
		return &restoreSource{
			name: name, of: fmt.Sprintf("the one of %s (%s)", all[i].Time.Local().Format("2006-01-02 15:04:05"), byteSize(all[i].Bytes)),
			restore: func(ctx context.Context) error { return store.Restore(ctx, user, name) },
		}, nil
	}
	fi, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("user %s has no snapshot %q, and there is no such file; \"ankisyncd snapshots %s\" lists the snapshots that there are", user, name, user)
	}
	if err != nil {
		return nil, err
	}
	if stored, err := os.Stat(filepath.Join(dir, collection.FileName)); err == nil && os.SameFile(stored, fi) {
		return nil, fmt.Errorf("%s is the collection of %s itself, nothing was changed; \"ankisyncd resync %s\" has every device do a full sync", name, user, user)
	}
	src := &restoreSource{name: name, restore: func(ctx context.Context) error { return store.RestoreFile(ctx, user, name) }}
	info, err := collection.Inspect(ctx, name, dir, collection.CheckNone)
	if err != nil {
		return nil, src.explain(user, err)
	}
	src.of = fmt.Sprintf("the file %s (%s, %s, %s)", name, plural(int(info.Counts.Notes), "note"), plural(int(info.Counts.Cards), "card"), plural(int(info.Counts.Revlog), "review"))
	return src, nil
}

// confirmRestore asks at a terminal. Where nobody can be asked, --yes is needed.
func confirmRestore(stdin io.Reader, stderr io.Writer, cfg *config.Config, user string, src *restoreSource) error {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return errors.New("restore: nobody is at a terminal to be asked; add --yes")
	}
	kept := "The present collection is kept as a snapshot."
	if cfg.SnapshotKeep == 0 {
		kept = "The present collection is LOST, as snapshot_keep is 0."
	}
	fmt.Fprintf(stderr, "Replace the collection of %s by %s?\n%s\n"+
		"What devices have synced since then is not in it, and each of them will have to download it in full.\nRestore? [y/N] ",
		user, src.of, kept)
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
			return errStopped
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
			return errStopped
		}
	}
}

// errStopped: somebody pressed Ctrl-C while the collection was awaited.
var errStopped = errors.New("interrupted, nothing was changed")

func (src *restoreSource) explain(user string, err error) error {
	switch {
	case errors.Is(err, collection.ErrBusy):
		return fmt.Errorf("a program has the collection of %s open, or what is to take its place; nothing was changed: %w", user, err)
	case errors.Is(err, collection.ErrCorrupt), errors.Is(err, collection.ErrUnsupportedSchema):
		return fmt.Errorf("%s is damaged, or no collection, nothing was changed: %w", src.name, err)
	}
	return fmt.Errorf("restore %s: %w", src.name, err)
}

// inheritCollection gives the collection to the owner of the user's folder.
func inheritCollection(dir string) {
	for _, name := range []string{collection.FileName, collection.LastName} {
		inheritOwner(dir, filepath.Join(dir, name))
	}
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
