package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/config"
)

// newCtlApp behaves as ankisyncctl.py of the Python servers: the same arguments,
// prompts, standard output and exit codes (docs/compat.md §4.1). Where that
// ended in a traceback, one line on standard error stands, with exit code 1.
func newCtlApp(arg0 string, stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	return plainApp("ankisyncctl", stdin, stdout, stderr, func(c *cli.Context) error {
		a := &userAdmin{stdin: stdin, stdout: stdout, stderr: stderr, asOriginals: true}
		commands := map[string]func(context.Context, []string) error{
			"adduser": a.add, "deluser": a.delete, "passwd": a.passwd, "lsuser": a.listPlain,
		}
		command := commands[c.Args().First()]
		if command == nil {
			fmt.Fprintf(stdout, ctlUsage, arg0)
			return cli.Exit("", 1)
		}
		var err error
		if a.cfg, err = loadEnvironmentConfig(); err != nil {
			return err
		}
		return command(c.Context, c.Args().Tail())
	})
}

const ctlUsage = `usage: %s <command> [<args>]

Commands:
  adduser <username> - add a new user
  deluser <username> - delete a user
  lsuser             - list users
  passwd <username>  - change password of a user
`

// plainApp is an app without flags and help: all arguments go to the action.
func plainApp(name string, stdin io.Reader, stdout, stderr io.Writer, action cli.ActionFunc) *cli.App {
	return prepare(&cli.App{
		Name: name, HideHelp: true, HideVersion: true, SkipFlagParsing: true, Action: action,
	}, stdin, stdout, stderr)
}

// loadEnvironmentConfig reads the configuration of the usual places.
func loadEnvironmentConfig() (*config.Config, error) {
	cfg, err := config.Load(config.LoadOptions{Environ: os.Environ()})
	if err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

func (a *userAdmin) listPlain(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return errors.New("lsuser: takes no arguments")
	}
	names, err := a.list(ctx)
	for _, name := range names {
		fmt.Fprintln(a.stdout, name)
	}
	return err
}
