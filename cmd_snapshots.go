package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
)

func cmdSnapshots() *cli.Command {
	return &cli.Command{
		Name:      "snapshots",
		Usage:     "list a user's earlier collections",
		ArgsUsage: "USERNAME",
		Description: "A snapshot is kept when an upload, a restore or the first opening of an old format replaces a collection (snapshot_keep). " +
			"The newest comes first; the first column is what \"restore\" takes.",
		Category: categoryOperation,
		Flags:    append(settingFlags(), jsonFlag()),
		Action:   snapshotsAction,
	}
}

// snapshotInfo is a snapshot as it is listed.
type snapshotInfo struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	Bytes   int64     `json:"bytes"`
	Notes   *int64    `json:"notes"` // null if the file cannot be read
	Cards   *int64    `json:"cards"`
	Reviews *int64    `json:"reviews"`
}

func snapshotsAction(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return errors.New("snapshots: name a user")
	}
	cfg, err := loadConfig(c, "")
	if err != nil {
		return err
	}
	list, err := listSnapshots(c.Context, cfg, c.Args().First())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, list)
	}
	return printSnapshots(c.App.Writer, list)
}

// listSnapshots looks into each snapshot; the files are never written to, so a
// running server does not mind.
func listSnapshots(ctx context.Context, cfg *config.Config, user string) (list []snapshotInfo, err error) {
	store := collection.New(config.Abs(cfg.DataRoot), collectionOptions(cfg, nil))
	defer func() { err = errors.Join(err, store.Close()) }()
	dir, err := userFolder(store, user)
	if err != nil {
		return nil, err
	}
	all, err := store.Snapshots(user)
	if err != nil {
		return nil, err
	}
	list = []snapshotInfo{}
	for _, sn := range all {
		info := snapshotInfo{ID: sn.ID, Time: sn.Time, Reason: sn.Reason, Bytes: sn.Bytes}
		found, err := collection.Inspect(ctx, filepath.Join(dir, collection.SnapshotDir, sn.ID+".anki2"), "", collection.CheckNone)
		if err == nil {
			info.Notes, info.Cards, info.Reviews = &found.Counts.Notes, &found.Counts.Cards, &found.Counts.Revlog
		}
		list = append(list, info)
	}
	return list, nil
}

// userFolder is the folder of a user, who need not be able to log in any more.
func userFolder(store *collection.Store, user string) (string, error) {
	dir, err := store.UserDir(user)
	if err != nil {
		return "", fmt.Errorf("user %q: %w", user, err)
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return "", fmt.Errorf("user %s has no folder %s", user, dir)
	}
	return dir, nil
}

func printSnapshots(out io.Writer, list []snapshotInfo) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no snapshots")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SNAPSHOT\tREPLACED\tBY\tSIZE\tNOTES\tCARDS\tREVIEWS")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Time.Local().Format("2006-01-02 15:04:05"), s.Reason, byteSize(s.Bytes),
			optional(s.Notes), optional(s.Cards), optional(s.Reviews))
	}
	return w.Flush()
}

func optional(n *int64) string {
	if n == nil {
		return "unreadable"
	}
	return strconv.FormatInt(*n, 10)
}

// byteSize writes a number of bytes for people.
func byteSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
