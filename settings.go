package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/config"
)

// flagKeys are the keys that have a flag of their own; all others are set by
// --set KEY=VALUE.
var flagKeys = []struct{ flag, key, usage string }{
	{"host", "host", "address to listen on"},
	{"port", "port", "port to listen on, 0 for any"},
	{"listen", "listen", "addresses to listen on, HOST:PORT or unix:PATH, in place of host and port"},
	{"data-root", "data_root", "folder with one folder per user"},
	{"log-level", "log_level", "debug, info, warn or error"},
	{"log-format", "log_format", "original, text or json"},
}

// settingFlags are the flags that change the configuration.
func settingFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "configuration `FILE`; no other place is looked at", TakesFile: true},
		&cli.StringSliceFlag{Name: "set", Usage: "set any key of the configuration, as `KEY=VALUE`; may be repeated"},
	}
	for _, f := range flagKeys {
		flags = append(flags, &cli.StringFlag{Name: f.flag, Usage: f.usage})
	}
	return flags
}

// hiddenFlags are those of the servers before us that have a subcommand here.
func hiddenFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "version", Aliases: []string{"V"}, Usage: "print the version"},
		&cli.BoolFlag{Name: "default", Aliases: []string{"d"}, Usage: "print the default configuration", Hidden: true},
		&cli.BoolFlag{Name: "healthcheck", Usage: "ask the running server whether it is well", Hidden: true},
	}
}

// loadOptions gathers what the command line says about the configuration, at
// whichever level of commands it was said. path is the positional CONFIG.
func loadOptions(c *cli.Context, path string) (config.LoadOptions, error) {
	o := config.LoadOptions{Path: path, Environ: os.Environ()}
	lineage := c.Lineage()
	for i := len(lineage) - 1; i >= 0; i-- { // the innermost counts most, so comes last
		level := lineage[i]
		if level.Command == nil {
			continue
		}
		local := map[string]bool{}
		for _, name := range level.LocalFlagNames() {
			local[name] = true
		}
		if local["config"] {
			if o.Path != "" && path != "" {
				return o, errors.New("two configuration files are named")
			}
			o.Path = level.String("config")
		}
		for _, f := range flagKeys {
			if local[f.flag] {
				o.Settings = append(o.Settings, config.Setting{Key: f.key, Value: level.String(f.flag), Source: "flag --" + f.flag})
			}
		}
		if !local["set"] {
			continue
		}
		for _, kv := range level.StringSlice("set") {
			key, value, ok := strings.Cut(kv, "=")
			if !ok {
				return o, fmt.Errorf("--set %s: want KEY=VALUE", kv)
			}
			o.Settings = append(o.Settings, config.Setting{Key: key, Value: value, Source: "flag --set"})
		}
	}
	return o, nil
}

// loadConfig reads and checks the configuration.
func loadConfig(c *cli.Context, path string) (*config.Config, error) {
	o, err := loadOptions(c, path)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}
