// Command ankisyncd is a sync server for Anki. Without a subcommand it serves;
// the subcommands manage its users and its configuration.
//
// This package is wiring only: the command line, signals, listeners, and which
// package gets what. It alone reads the configuration, and hands every other
// package an Options struct. It knows nothing of the protocol, of SQL or of what
// is in a collection. Each subcommand is a file: cmd_<name>.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

func main() {
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is main with the exit code as its result.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	name := "ankisyncd"
	if len(args) > 0 {
		name = programName(args[0])
	}
	var app *cli.App
	switch name {
	case "ankisyncctl":
		app = newCtlApp(args[0], stdin, stdout, stderr)
	case "ankiserverctl":
		app = newServerCtlApp(args[0], stdin, stdout, stderr)
	default:
		app = newApp(stdin, stdout, stderr)
		args = optionsFirst(app, args)
	}
	return exitCode(app.RunContext(context.Background(), args), name, stderr)
}

// programName is what the program was called by, without folder and ending:
// a link named ankisyncctl or ankisyncctl.py makes it behave as that program.
func programName(arg0 string) string {
	name := filepath.Base(arg0)
	name = strings.TrimSuffix(name, ".exe")
	return strings.TrimSuffix(name, ".py")
}

// exitCode writes the message of err and chooses the program's exit code: that
// of a cli.ExitCoder, else 1.
func exitCode(err error, name string, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	code := 1
	if coder, ok := errors.AsType[cli.ExitCoder](err); ok {
		code = coder.ExitCode()
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(stderr, "%s: %s\n", name, text)
	}
	return code
}

// newApp is the whole command line of ankisyncd.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:     "ankisyncd",
		HelpName: "ankisyncd", // however the file is called
		Usage:    "a sync server for Anki",
		UsageText: "ankisyncd [settings] [CONFIG]               serve\n" +
			"ankisyncd [settings] COMMAND [arguments]    see below",
		Description: "Without a command it serves, with the settings of CONFIG or of the first ankisyncd.conf found in " +
			"/etc/ankisyncd, ~/.config/ankisyncd, beside the executable and in the working directory. " +
			"Every setting can also come from the environment, as ANKISYNCD_<KEY>; \"ankisyncd config print --default\" explains all keys.",
		ArgsUsage:                 "[CONFIG]",
		Flags:                     append(settingFlags(), hiddenFlags()...),
		Action:                    serveAction,
		HideVersion:               true,
		HideHelpCommand:           true,
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{
			cmdServe(), cmdAdduser(), cmdDeluser(), cmdLsuser(), cmdPasswd(), cmdUser(),
			cmdConfig(), cmdDoctor(), cmdMigrate(), cmdSnapshots(), cmdRestore(), cmdResync(), cmdHealthcheck(), cmdCompletion(), cmdMan(), cmdVersion(),
		},
	}
	return prepare(app, stdin, stdout, stderr)
}

// prepare sets what every app of ours has in common: its streams, and errors
// that come back from Run as they are.
func prepare(app *cli.App, stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app.Reader, app.Writer, app.ErrWriter = stdin, stdout, stderr
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = usageError
	var each func(cs []*cli.Command)
	each = func(cs []*cli.Command) {
		for _, c := range cs {
			c.OnUsageError = usageError
			c.HideHelpCommand = true
			each(c.Subcommands)
		}
	}
	each(app.Commands)
	return app
}

// usageError keeps a wrong flag to one line instead of a page of help.
func usageError(c *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w; see %s --help", err, c.Command.HelpName)
}
