package main

import "github.com/urfave/cli/v2"

func cmdPasswd() *cli.Command {
	return &cli.Command{
		Name:      "passwd",
		Usage:     "change password of a user",
		ArgsUsage: "USERNAME...",
		Description: "Asks as adduser does. Devices of the user are logged out at once, " +
			"unless keep_sessions_on_passwd is set. With an unknown name nothing is changed.",
		Category: categoryUsers,
		Flags:    settingFlags(),
		Action: func(c *cli.Context) error {
			a, err := newUserAdmin(c)
			if err != nil {
				return err
			}
			return a.passwd(c.Context, c.Args().Slice())
		},
	}
}
