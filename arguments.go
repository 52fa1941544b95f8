package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// optionsFirst puts the options of each command before its other arguments, where
// alone the flag parser sees them: "deluser alice --config other.conf" would
// delete users named --config and other.conf, of another server. What follows
// "--" is no option. What ankisyncd-rs wrote, "user" with flags, stays as it is.
func optionsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 || args[len(args)-1] == "--generate-bash-completion" {
		return args
	}
	return append(args[:1:1], sortArguments(app.Flags, app.Commands, args[1:])...)
}

// sortArguments is optionsFirst for a command with these flags and subcommands.
func sortArguments(flags []cli.Flag, commands []*cli.Command, args []string) []string {
	var options, rest []string
	for len(args) > 0 {
		var sub *cli.Command
		if len(rest) == 0 {
			sub = namedCommand(commands, args[0])
		}
		switch arg := args[0]; {
		case arg == "--" && len(rest) == 0 && len(args) > 1 && namedCommand(commands, args[1]) != nil:
			args = args[1:]
		case arg == "--":
			return slices.Concat(options, args[:1], rest, args[1:])
		case !isOption(arg) && sub != nil && sub.SkipFlagParsing:
			return slices.Concat(options, args[:1], sortForeign(sub, args[1:]))
		case !isOption(arg) && sub != nil:
			return slices.Concat(options, args[:1], sortArguments(sub.Flags, sub.Subcommands, args[1:]))
		case !isOption(arg):
			rest, args = append(rest, arg), args[1:]
		case slices.Contains(cli.HelpFlag.Names(), strings.TrimLeft(arg, "-")):
			return append(options, arg) // of this command, not of what a name stands for
		default:
			n := optionLength(flags, arg)
			if n > len(args) {
				return append(options, arg) // nothing else may become its value
			}
			options, args = append(options, args[:n]...), args[n:]
		}
	}
	return append(options, rest...)
}

// sortForeign is for a command whose own flags are another program's: settings
// before a subcommand of it become that one's.
func sortForeign(c *cli.Command, args []string) []string {
	known, n := settingFlags(), 0
	for n < len(args) && isOption(args[n]) && takesValue(known, args[n]) != nil {
		n += optionLength(known, args[n])
	}
	if n >= len(args) {
		return args
	}
	sub := namedCommand(c.Subcommands, args[n])
	if sub == nil {
		return args
	}
	return append(args[n:n+1:n+1], sortArguments(sub.Flags, sub.Subcommands, slices.Concat(args[:n], args[n+1:]))...)
}

func namedCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// isOption: a single hyphen is an argument like any other.
func isOption(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// optionLength is how many arguments an option takes with its value.
func optionLength(flags []cli.Flag, arg string) int {
	if takes := takesValue(flags, arg); takes != nil && *takes && !strings.Contains(arg, "=") {
		return 2
	}
	return 1
}

// takesValue says whether the option has a value; nil means that there is no such
// option.
func takesValue(flags []cli.Flag, arg string) *bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for _, f := range flags {
		if d, ok := f.(cli.DocGenerationFlag); ok && slices.Contains(f.Names(), name) {
			takes := d.TakesValue()
			return &takes
		}
	}
	return nil
}
