package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/config"
)

// shippedConf is the configuration file that comes with the program.
//
//go:embed ankisyncd.conf
var shippedConf string

func cmdConfig() *cli.Command {
	return &cli.Command{
		Name:     "config",
		Usage:    "check and show the configuration",
		Category: categoryOperation,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("config: no command %q; see ankisyncd config --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
		Subcommands: []*cli.Command{
			{
				Name:        "check",
				Usage:       "tell what is wrong with the configuration",
				ArgsUsage:   "[CONFIG]",
				Description: "Exits with 1 if the server would not start because of its settings; \"doctor\" looks at folders and ports, too. Warnings are about settings without effect.",
				Flags:       append(settingFlags(), jsonFlag()),
				Action:      configCheck,
			},
			{
				Name:        "print",
				Usage:       "show every value in force and where it comes from",
				ArgsUsage:   "[CONFIG]",
				Description: "Secrets are hidden. The output can be used as a configuration file.",
				Flags: append(settingFlags(),
					jsonFlag(),
					&cli.BoolFlag{Name: "default", Usage: "print the file that comes with the program, which explains every key"},
				),
				Action: configPrint,
			},
		},
	}
}

const categoryOperation = "operation"

func configCheck(c *cli.Context) error {
	o, err := loadOptions(c, c.Args().First())
	if err != nil {
		return err
	}
	cfg, err := config.Load(o)
	var warnings []string
	file := o.Path
	if err == nil {
		warnings, file = cfg.Warnings, cfg.File
		err = errors.Join(cfg.Validate(), checkUsers(cfg), checkCertificate(cfg))
	}
	if c.Bool("json") {
		out := map[string]any{"ok": err == nil, "file": file, "warnings": append([]string{}, warnings...), "errors": messages(err)}
		if werr := writeJSON(c.App.Writer, out); werr != nil {
			return werr
		}
		if err != nil {
			return cli.Exit("", 1)
		}
		return nil
	}
	for _, w := range warnings {
		fmt.Fprintf(c.App.Writer, "warning: %s\n", w)
	}
	for _, m := range messages(err) {
		fmt.Fprintf(c.App.Writer, "error: %s\n", m)
	}
	if err != nil {
		return cli.Exit("", 1)
	}
	if file == "" {
		file = "no configuration file, built-in defaults"
	}
	_, err = fmt.Fprintf(c.App.Writer, "ok: %s\n", file)
	return err
}

// messages takes a joined error apart.
func messages(err error) []string {
	if err == nil {
		return []string{}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the outermost only
		var out []string
		for _, e := range joined.Unwrap() {
			out = append(out, messages(e)...)
		}
		return out
	}
	return []string{err.Error()}
}

func configPrint(c *cli.Context) error {
	if c.Bool("default") {
		_, err := io.WriteString(c.App.Writer, shippedConf)
		return err
	}
	o, err := loadOptions(c, c.Args().First())
	if err != nil {
		return err
	}
	cfg, err := config.Load(o) // not Validate: what is wrong can be shown too
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, map[string]any{"file": cfg.File, "values": cfg.Values(), "warnings": append([]string{}, cfg.Warnings...)})
	}
	return cfg.Print(c.App.Writer)
}
