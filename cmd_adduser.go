package main

import "github.com/urfave/cli/v2"

func cmdAdduser() *cli.Command {
	return &cli.Command{
		Name:      "adduser",
		Usage:     "add a new user",
		ArgsUsage: "USERNAME...",
		Description: "Asks for the password twice at a terminal, otherwise reads one line of standard input for each user. " +
			"The server may be running; the user can log in at once.",
		Category: categoryUsers,
		Flags:    settingFlags(),
		Action: func(c *cli.Context) error {
			a, err := newUserAdmin(c)
			if err != nil {
				return err
			}
			return a.add(c.Context, c.Args().Slice())
		},
	}
}

const categoryUsers = "users"

// newUserAdmin reads the configuration for a command about users.
func newUserAdmin(c *cli.Context) (*userAdmin, error) {
	cfg, err := loadConfig(c, "")
	if err != nil {
		return nil, err
	}
	return &userAdmin{cfg: cfg, stdin: c.App.Reader, stdout: c.App.Writer, stderr: c.App.ErrWriter}, nil
}
