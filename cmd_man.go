package main

import (
	"io"

	"github.com/urfave/cli/v2"
)

func cmdMan() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "write the manual page",
		Description: "ankisyncd man > /usr/local/share/man/man8/ankisyncd.8",
		Category:    categoryOperation,
		Action: func(c *cli.Context) error {
			page, err := c.App.ToManWithSection(8)
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.App.Writer, page)
			return err
		},
	}
}
