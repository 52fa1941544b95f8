package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func cmdUser() *cli.Command {
	return &cli.Command{
		Name:     "user",
		Usage:    "devices of users, import of users",
		Category: categoryUsers,
		Description: "Without a subcommand it takes the flags of ankisyncd-rs: --add USERNAME PASSWORD, --del USERNAME..., " +
			"--pass USERNAME PASSWORD, --list. A password on the command line can be read by every user of the machine: " +
			"prefer adduser and passwd.",
		// The flags of ankisyncd-rs take two values, which no flag parser
		// of ours does.
		SkipFlagParsing: true,
		Subcommands:     []*cli.Command{cmdUserDevices(), cmdUserRevoke(), cmdUserImport()},
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			switch {
			case len(args) == 0 || args[0] == "-h" || args[0] == "--help":
				return cli.ShowSubcommandHelp(c)
			case !strings.HasPrefix(args[0], "-"):
				return fmt.Errorf("user: no command %q; see ankisyncd user --help", args[0])
			}
			return rsUser(c, args)
		},
	}
}

// rsActions is what the flags of ankisyncd-rs ask for.
type rsActions struct {
	add, pass []string // name, password
	del       []string
	list      bool
}

var errRSUsage = errors.New("want any of -a|--add USERNAME PASSWORD, -d|--del USERNAME..., -p|--pass USERNAME PASSWORD, -l|--list")

// parseRS reads the flags of "ankisyncd user" of ankisyncd-rs (docs/compat.md §4.3).
func parseRS(args []string) (a rsActions, err error) {
	for len(args) > 0 {
		flag, n := args[0], 1
		for n < len(args) && !strings.HasPrefix(args[n], "-") {
			n++
		}
		switch flag {
		case "-a", "--add", "-p", "--pass":
			// Exactly two values, whatever they begin with.
			if n = 3; len(args) < n {
				return a, errRSUsage
			}
			if strings.Contains(flag, "-a") && a.add == nil {
				a.add = args[1:3]
			} else if strings.Contains(flag, "-p") && a.pass == nil {
				a.pass = args[1:3]
			} else {
				return a, errRSUsage
			}
		case "-d", "--del":
			if n == 1 {
				return a, errRSUsage
			}
			a.del = append(a.del, args[1:n]...)
		case "-l", "--list":
			if n = 1; a.list {
				return a, errRSUsage
			}
			a.list = true
		default:
			return a, errRSUsage
		}
		args = args[n:]
	}
	return a, nil
}

// rsUser adds, deletes, changes and lists, in this order. An error exits with
// 101, as a panic of the original did.
func rsUser(c *cli.Context, args []string) error {
	actions, err := parseRS(args)
	if err != nil {
		return cli.Exit("user: "+err.Error(), 2)
	}
	a, err := newUserAdmin(c)
	if err == nil {
		err = a.rs(c, actions)
	}
	if err != nil {
		return cli.Exit("Error managing users: "+err.Error(), 101)
	}
	return nil
}

func (a *userAdmin) rs(c *cli.Context, actions rsActions) (err error) {
	ctx := c.Context
	s, err := a.open(ctx, false) // the original makes the database on any start
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if u := actions.add; u != nil {
		if err := a.create(ctx, s, u[0], u[1], s.AddUser); err != nil {
			return err
		}
	}
	for _, name := range actions.del {
		if _, err := s.DeleteUser(ctx, name); err != nil {
			return staticError(name, err)
		}
	}
	if u := actions.pass; u != nil {
		has, err := s.HasUser(ctx, u[0])
		if err != nil {
			return err
		}
		if has { // an unknown user is passed over
			if err := s.SetPassword(ctx, u[0], u[1]); err != nil {
				return staticError(u[0], err)
			}
		}
	}
	if actions.list {
		names, err := s.Users(ctx)
		if err != nil {
			return err
		}
		for _, name := range names {
			fmt.Fprintln(a.stdout, name)
		}
	}
	return nil
}
