package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/config"
)

func cmdDoctor() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "look for what is or will be wrong",
		ArgsUsage: "[CONFIG]",
		Description: "Checks the configuration, the machine, the user database, and every user's collection and media. It changes nothing, " +
			"and a running server is not disturbed: what it has open is not checked. Run it as the user that the server runs as. " +
			"Exits with 1 if something failed; warnings alone are 0.",
		Category: categoryOperation,
		Flags: append(settingFlags(), jsonFlag(),
			&cli.BoolFlag{Name: "deep", Usage: "also check every index of every collection and the SHA-1 of every media file; reads everything"}),
		Action: doctorAction,
	}
}

// level is how bad a finding is.
type level string

const (
	levelOK   level = "OK"
	levelWarn level = "WARN"
	levelFail level = "FAIL"
)

// finding is one thing that the doctor has to say.
type finding struct {
	Level level  `json:"level"`
	Check string `json:"check"` // "configuration", "clock", "user alice" …
	Text  string `json:"text"`
	// Advice says what to do; empty if nothing is to be done.
	Advice string `json:"advice,omitempty"`
}

// doctor gathers findings.
type doctor struct {
	cfg      *config.Config
	deep     bool
	tempDir  string // private; for copies
	findings []finding
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{levelOK, check, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(check, advice, format string, args ...any) {
	d.findings = append(d.findings, finding{levelWarn, check, fmt.Sprintf(format, args...), advice})
}

func (d *doctor) fail(check, advice, format string, args ...any) {
	d.findings = append(d.findings, finding{levelFail, check, fmt.Sprintf(format, args...), advice})
}

func (d *doctor) count(l level) (n int) {
	for _, f := range d.findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

func doctorAction(c *cli.Context) error {
	o, err := loadOptions(c, c.Args().First())
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(c.Context)
	defer stop()
	d := &doctor{deep: c.Bool("deep")}
	d.run(ctx, o)
	if ctx.Err() != nil {
		return errors.New("doctor: interrupted")
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, map[string]any{"ok": d.count(levelFail) == 0, "findings": d.findings})
	} else {
		err = d.print(c.App.Writer)
	}
	if err == nil && d.count(levelFail) > 0 {
		return cli.Exit("", 1)
	}
	return err
}

// run runs all checks, as far as they make sense.
func (d *doctor) run(ctx context.Context, o config.LoadOptions) {
	d.ok("version", "ankisyncd %s, %s, %s/%s", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	cfg, err := config.Load(o)
	if err == nil {
		d.cfg, err = cfg, errors.Join(cfg.Validate(), checkUsers(cfg))
	}
	const repair = "\"ankisyncd config check\" and docs/configuration.md"
	for _, m := range messages(err) {
		d.fail("configuration", repair, "%s", m)
	}
	if d.cfg == nil {
		return
	}
	for _, w := range d.cfg.Warnings {
		d.warn("configuration", repair, "%s", w)
	}
	if err == nil {
		file := d.cfg.File
		if file == "" {
			file = "no file, built-in defaults and the environment"
		}
		d.ok("configuration", "%s", file)
	}
	d.machine(ctx)
	if d.tempDir, err = privateFolder(filepath.Dir(d.cfg.AuthDBPath), ".ankisyncd-doctor-*"); err != nil {
		d.fail("temporary folder", setTempDir, "%v", err)
		return
	}
	defer os.RemoveAll(d.tempDir) //nolint:errcheck // temporary
	d.data(ctx)
}

// print writes a line for each finding and, indented, what to do about it.
func (d *doctor) print(w io.Writer) error {
	var b strings.Builder
	for _, f := range d.findings {
		fmt.Fprintf(&b, "%-4s  %s: %s\n", f.Level, f.Check, f.Text)
		if f.Advice != "" {
			fmt.Fprintf(&b, "      -> %s\n", f.Advice)
		}
	}
	fmt.Fprintf(&b, "%d ok, %d to look at, %d failed\n", d.count(levelOK), d.count(levelWarn), d.count(levelFail))
	_, err := io.WriteString(w, b.String())
	return err
}
