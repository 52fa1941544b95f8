package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func cmdMan() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "write the manual page",
		Description: "ankisyncd man > /usr/local/share/man/man8/ankisyncd.8",
		Category:    categoryOperation,
		Action: func(c *cli.Context) error {
			_, err := io.WriteString(c.App.Writer, manPage(c.App))
			return err
		},
	}
}

// manPage is the manual page in the macros of man(7). That of the library takes
// <KEY> for markup, gives switches a value, and leaves out what commands take and do.
func manPage(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 8\n.SH NAME\n%[1]s \\- %s\n.SH SYNOPSIS\n.nf\n", app.Name, roff(app.Usage))
	for line := range strings.Lines(app.UsageText) {
		b.WriteString(roff(line))
	}
	fmt.Fprintf(&b, "\n.fi\n.SH DESCRIPTION\n%s\n.SH OPTIONS\n", roff(app.Description))
	settings := map[string]bool{}
	for _, f := range settingFlags() {
		settings[f.Names()[0]] = true
	}
	manFlags(&b, app.VisibleFlags(), nil)
	b.WriteString(".SH COMMANDS\nThe settings above may also stand after each command that reads the configuration.\n")
	manCommands(&b, "", app.Commands, settings)
	b.WriteString(".SH EXIT STATUS\n0 is success, 1 is not, with one line on standard error that says why.\n")
	return b.String()
}

// manCommands describes commands and, after each, those below it. Flags that are
// settings have been described.
func manCommands(b *strings.Builder, above string, commands []*cli.Command, settings map[string]bool) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		name := above + c.Name
		fmt.Fprintf(b, ".SS %s\n%s.\n", roff(strings.TrimSpace(name+" "+c.ArgsUsage)), roff(upperFirst(c.Usage)))
		if c.UsageText != "" {
			fmt.Fprintf(b, ".PP\n.B %s\n", roff(c.UsageText))
		}
		if c.Description != "" {
			fmt.Fprintf(b, ".PP\n%s\n", roff(c.Description))
		}
		manFlags(b, c.VisibleFlags(), settings)
		manCommands(b, name+" ", c.Subcommands, settings)
	}
}

func manFlags(b *strings.Builder, flags []cli.Flag, without map[string]bool) {
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok || without[f.Names()[0]] || f.Names()[0] == cli.HelpFlag.Names()[0] {
			continue
		}
		var names []string
		for _, n := range f.Names() {
			if len(n) > 1 {
				n = "-" + n
			}
			names = append(names, `\fB`+roff("-"+n)+`\fR`)
		}
		value, usage := flagValue(d)
		if value != "" {
			value = ` \fI` + roff(value) + `\fR`
		}
		fmt.Fprintf(b, ".TP\n%s%s\n%s\n", strings.Join(names, ", "), value, roff(usage))
	}
}

// flagValue is the word for a flag's value, "" for a switch, and the flag's text:
// the word stands in it between backquotes, if it is not VALUE.
func flagValue(f cli.DocGenerationFlag) (value, usage string) {
	usage = f.GetUsage()
	if !f.TakesValue() {
		return "", usage
	}
	value = "VALUE"
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		word, after, _ := strings.Cut(rest, "`")
		value, usage = word, before+word+after
	}
	if d := strings.Trim(f.GetDefaultText(), `"`); d != "" {
		usage += " (default: " + d + ")"
	}
	return value, usage
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// roff writes text so that nothing in it is a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
