package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/ankisyncd/ankisyncd/media"
)

func cmdMigrate() *cli.Command {
	return &cli.Command{
		Name:      "migrate",
		Usage:     "copy a data directory, into another server's layout if need be",
		UsageText: "ankisyncd migrate --from DIR --to DIR [--layout python|official|ankiserver] [--dry-run]",
		Description: "No migration is needed to use another server's data: this server opens all of them in place. This is for a move to another disk " +
			"or machine, for a copy to try things on, and for the way back. The old directory stays as it is, and its server must be stopped. " +
			"Databases are copied with what lies in their logs; media files are linked where that is possible, or copied. " +
			"Everything is compared afterwards; without success nothing is left at the new place, which has to be missing or empty.",
		Category: categoryOperation,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "the present `DIR`: with auth.db and collections in it, or with the users' folders", TakesFile: true},
			&cli.StringFlag{Name: "to", Usage: "the new `DIR`", TakesFile: true},
			&cli.StringFlag{Name: "layout", Value: "python", Usage: "`LAYOUT`: python, of this server and the Python servers; official, of Anki's own server, a SYNC_BASE; ankiserver, of AnkiServer 2.0, with --schema11"},
			&cli.StringFlag{Name: "auth-db", Usage: "user database `FILE`, if it is not auth.db in --from", TakesFile: true},
			&cli.StringFlag{Name: "session-db", Usage: "session database `FILE`, if it is not session.db in --from", TakesFile: true},
			&cli.BoolFlag{Name: "schema11", Usage: "write collections in the old format, for Python servers with Anki 2.1.11 or older"},
			&cli.BoolFlag{Name: "copy", Usage: "copy media files even where they could be linked"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "read everything, write nothing, tell what would be done"},
			jsonFlag(),
		},
		Action: migrateAction,
	}
}

// layoutNames are the media.Layouts in words.
var layoutNames = []string{media.Native: "python", media.Official: "official", media.AnkiServer: "ankiserver"}

func migrateAction(c *cli.Context) error {
	m := &migration{
		from: c.String("from"), to: c.String("to"), authDB: c.String("auth-db"), sessionDB: c.String("session-db"),
		schema11: c.Bool("schema11"), copyFiles: c.Bool("copy"), dryRun: c.Bool("dry-run"), progress: &progress{},
	}
	switch layout := c.String("layout"); {
	case c.Args().Present() || m.from == "" || m.to == "":
		return errors.New("migrate: name both directories: --from DIR --to DIR")
	case !slices.Contains(layoutNames, layout):
		return fmt.Errorf("migrate: --layout %s: want python, official or ankiserver", layout)
	default:
		m.layout = media.Layout(slices.Index(layoutNames, layout))
		m.schema11 = m.schema11 || m.layout == media.AnkiServer
	}
	if f, ok := c.App.ErrWriter.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		m.progress.w = f
	}
	ctx, stop := untilSignal(c.Context)
	defer stop()
	report, err := m.run(ctx)
	m.progress.clear()
	if err != nil && ctx.Err() != nil && !errors.Is(err, errLeft) {
		return fmt.Errorf("migrate: interrupted; nothing was left at %s", m.to)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, report)
	}
	return report.print(c.App.Writer)
}

// migrationReport tells what was copied, and that it was found to be the same.
type migrationReport struct {
	From     string         `json:"from"`
	To       string         `json:"to"`
	Layout   string         `json:"layout"`
	DryRun   bool           `json:"dry_run"`
	Accounts []string       `json:"accounts"` // in auth.db; null if there is none
	Devices  int            `json:"devices"`
	Users    []migratedUser `json:"users"`
	// PassedOver are folders beside the users' that look like no user's.
	PassedOver []string `json:"passed_over,omitempty"`
	NextSteps  []string `json:"next_steps"`
}

// migratedUser is what a user has at the new place.
type migratedUser struct {
	Name       string         `json:"name"`
	Collection *migratedCol   `json:"collection"` // null if there is none
	Files      []migratedFile `json:"media"`
	Deleted    int            `json:"media_deleted"`
	MediaUSN   int32          `json:"media_usn"`
	Linked     int            `json:"media_linked"` // of the files, that take no space
	Snapshots  int            `json:"snapshots"`
	Remarks    []string       `json:"remarks,omitempty"`
}

type migratedCol struct {
	Schema  int   `json:"schema"`
	Notes   int64 `json:"notes"`
	Cards   int64 `json:"cards"`
	Reviews int64 `json:"reviews"`
	Graves  int64 `json:"graves"`
	USN     int32 `json:"usn"`
	Mod     int64 `json:"mod"`
	SCM     int64 `json:"scm"`
}

type migratedFile struct {
	Name  string `json:"name"`
	SHA1  string `json:"sha1"`
	Bytes int64  `json:"bytes"`
}

func (r *migrationReport) print(w io.Writer) error {
	var b strings.Builder
	verb := "copied and compared"
	if r.DryRun {
		verb = "would be copied"
	}
	files := 0
	for _, u := range r.Users {
		files += len(u.Files)
		fmt.Fprintf(&b, "%s\n", u.Name)
		if c := u.Collection; c != nil {
			fmt.Fprintf(&b, "  collection: schema %d, %s, %s, %s, %s, usn %d, mod %d, scm %d\n", c.Schema,
				plural(int(c.Notes), "note"), plural(int(c.Cards), "card"), plural(int(c.Reviews), "review"), plural(int(c.Graves), "grave"), c.USN, c.Mod, c.SCM)
		} else {
			fmt.Fprintln(&b, "  collection: none yet")
		}
		if len(u.Files)+u.Deleted > 0 {
			fmt.Fprintf(&b, "  media: %s (%d linked), %d deleted, usn %d", plural(len(u.Files), "file"), u.Linked, u.Deleted, u.MediaUSN)
			if !r.DryRun {
				b.WriteString(", every SHA-1 compared")
			}
			b.WriteString("\n")
		}
		if u.Snapshots > 0 {
			fmt.Fprintf(&b, "  snapshots: %d\n", u.Snapshots)
		}
		for _, remark := range u.Remarks {
			fmt.Fprintf(&b, "  note: %s\n", remark)
		}
	}
	if r.Accounts != nil {
		fmt.Fprintf(&b, "accounts: %d, with %s logged in\n", len(r.Accounts), plural(r.Devices, "device"))
	}
	fmt.Fprintf(&b, "%s with %s %s: %s -> %s (%s layout)\n", plural(len(r.Users), "user"), plural(files, "media file"), verb, r.From, r.To, r.Layout)
	if len(r.PassedOver) > 0 {
		fmt.Fprintf(&b, "passed over, as nothing of a user is in there: %s\n", some(r.PassedOver))
	}
	for _, s := range r.NextSteps {
		fmt.Fprintf(&b, "next: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// progress draws a bar at a terminal; without one (w is nil) it does nothing.
type progress struct {
	w           io.Writer
	total, done int
	drawn       time.Time
}

func (p *progress) step(what string) {
	p.done++
	if p.w == nil || time.Since(p.drawn) < 100*time.Millisecond && p.done < p.total {
		return
	}
	p.drawn = time.Now()
	const width = 30
	filled := width
	if p.total > 0 {
		filled = min(width, width*p.done/p.total)
	}
	if len(what) > 30 {
		what = what[:30]
	}
	fmt.Fprintf(p.w, "\r[%s%s] %d/%d %s\x1b[K", strings.Repeat("#", filled), strings.Repeat(" ", width-filled), p.done, p.total, strings.ToValidUTF8(what, ""))
}

// clear removes the bar.
func (p *progress) clear() {
	if p.w != nil && p.done > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
