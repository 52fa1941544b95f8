package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

func cmdLsuser() *cli.Command {
	return &cli.Command{
		Name:        "lsuser",
		Usage:       "list users",
		Description: "Writes one name a line, in the order of their bytes.",
		Category:    categoryUsers,
		Flags:       append(settingFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errors.New("lsuser: takes no arguments")
			}
			a, err := newUserAdmin(c)
			if err != nil {
				return err
			}
			names, err := a.list(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeJSON(c.App.Writer, append([]string{}, names...))
			}
			for _, name := range names {
				if _, err := fmt.Fprintln(c.App.Writer, name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
