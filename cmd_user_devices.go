package main

import (
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/auth"
)

func cmdUserDevices() *cli.Command {
	return &cli.Command{
		Name:        "devices",
		Usage:       "list the devices that are logged in",
		ArgsUsage:   "[USERNAME]",
		Description: "Lists the devices of one user, or of all. The first column is what \"user revoke --device\" takes.",
		Flags:       append(settingFlags(), jsonFlag()),
		Action: func(c *cli.Context) (err error) {
			if c.Args().Len() > 1 {
				return errors.New("user devices: name one user or none")
			}
			s, err := openExisting(c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			devices, err := s.Devices(c.Context, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeJSON(c.App.Writer, append([]auth.Device{}, devices...))
			}
			w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
			if len(devices) > 0 {
				fmt.Fprintln(w, "ID\tUSER\tKIND\tCREATED\tLAST SEEN\tADDRESS\tCLIENT")
			}
			for _, d := range devices {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.User, d.Kind, date(d.Created), date(d.LastSeen), dash(d.Addr), dash(d.Client))
			}
			return w.Flush()
		},
	}
}

// openExisting opens the user database for a command that makes none.
func openExisting(c *cli.Context) (*auth.Store, error) {
	a, err := newUserAdmin(c)
	if err != nil {
		return nil, err
	}
	o := authOptions(a.cfg, nil)
	o.MustExist = true
	s, err := auth.Open(c.Context, o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the user database %s (%s) doesn't exist", a.cfg.AuthDBPath, a.cfg.Source("auth_db_path"))
	}
	return s, err
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
