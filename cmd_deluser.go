package main

import "github.com/urfave/cli/v2"

func cmdDeluser() *cli.Command {
	return &cli.Command{
		Name:      "deluser",
		Usage:     "delete a user",
		ArgsUsage: "USERNAME...",
		Description: "Devices of the user are logged out at once. The user's folder with collection and media stays. " +
			"Unknown names are an error once the others are deleted.",
		Category: categoryUsers,
		Flags:    settingFlags(),
		Action: func(c *cli.Context) error {
			a, err := newUserAdmin(c)
			if err != nil {
				return err
			}
			return a.delete(c.Context, c.Args().Slice())
		},
	}
}
