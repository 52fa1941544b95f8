package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/auth"
)

func cmdUserRevoke() *cli.Command {
	return &cli.Command{
		Name:        "revoke",
		Usage:       "log devices out",
		ArgsUsage:   "USERNAME...",
		Description: "Logs out all devices of the users, or those given by --device. Each has to log in again at its next sync.",
		Flags: append(settingFlags(),
			&cli.StringSliceFlag{Name: "device", Usage: "`ID` of \"user devices\"; may be repeated"},
		),
		Action: func(c *cli.Context) (err error) {
			ids, names := c.StringSlice("device"), c.Args().Slice()
			if len(ids)+len(names) == 0 {
				return errors.New("user revoke: name users, or devices by --device")
			}
			s, err := openExisting(c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			for _, id := range ids {
				if err := s.RevokeDevice(c.Context, id); err != nil {
					if errors.Is(err, auth.ErrNoDevice) {
						return fmt.Errorf("no device %q is logged in", id)
					}
					return err
				}
				fmt.Fprintf(c.App.Writer, "%s: logged out\n", id)
			}
			for _, name := range names {
				n, err := s.RevokeUser(c.Context, name)
				if errors.Is(err, auth.ErrNoUser) {
					return fmt.Errorf("user %s doesn't exist", name)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(c.App.Writer, "%s: %d logged out\n", name, n)
			}
			return nil
		},
	}
}
