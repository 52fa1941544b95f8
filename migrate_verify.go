package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// verify compares the copy in dir with what the source was found to hold.
func (m *migration) verify(ctx context.Context, u *sourceUser, dir string) (*migratedUser, error) {
	done := u.planned(m.layout)
	if u.col != nil {
		got, err := collection.Inspect(ctx, filepath.Join(dir, collection.FileName), dir, collection.CheckFull)
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		if len(got.Problems) > 0 {
			return nil, fmt.Errorf("compare: the copy is damaged: %s", strings.Join(got.Problems, "; "))
		}
		want := *u.col
		if m.schema11 {
			want.Schema = 11
		}
		if got.Schema != want.Schema || got.Counts != want.Counts || got.USN != want.USN || got.Mod != want.Mod || got.SCM != want.SCM {
			return nil, fmt.Errorf("compare: the collection %+v became %+v", want, got)
		}
		done.Collection = describeCollection(&got)
	}
	got, err := media.Inspect(ctx, dir, dir)
	if err != nil {
		return nil, err
	}
	if err := sameMedia(u.media, got, m.layout); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	done.MediaUSN = got.LastUSN
	damaged, err := got.Verify(ctx, dir, func() { m.progress.step(u.name) })
	if err != nil {
		return nil, err
	}
	if len(damaged) > 0 {
		before, err := u.media.Verify(ctx, u.dir, nil)
		if err != nil {
			return nil, err
		}
		if spoilt := without(damaged, before); len(spoilt) > 0 {
			return nil, fmt.Errorf("compare: media files with another content than before: %s", some(spoilt))
		}
		done.Remarks = append(done.Remarks, plural(len(damaged), "media file")+" with other content than the database says, already so before: "+some(damaged))
	}
	return &done, nil
}

// sameMedia compares the rows of two media databases.
func sameMedia(want, got *media.Report, layout media.Layout) error {
	// After a crash of the machine opening leaves a gap in the usns.
	if got.LastUSN != want.LastUSN && !(want.Unclean && got.LastUSN > want.LastUSN) {
		return fmt.Errorf("the media usn %d became %d", want.LastUSN, got.LastUSN)
	}
	rows := func(r *media.Report) (list []media.Change) {
		for _, row := range r.Rows {
			if layout == media.AnkiServer {
				row.USN = 0 // there is one for all
			}
			if row.Sum == "" || row.Path != "" || layout == media.Native {
				list = append(list, row.Change)
			}
		}
		slices.SortFunc(list, func(a, b media.Change) int { return strings.Compare(a.Name, b.Name) })
		return list
	}
	a, b := rows(want), rows(got)
	if len(a) != len(b) {
		return fmt.Errorf("%d rows of the media database became %d", len(a), len(b))
	}
	for i := range a {
		if !strings.EqualFold(a[i].Sum, b[i].Sum) || a[i].Name != b[i].Name || a[i].USN != b[i].USN {
			return fmt.Errorf("the media row %+v became %+v", a[i], b[i])
		}
	}
	return nil
}

// unchanged looks at the source once more: a server that ran meanwhile may have
// written what the copy lacks.
func (m *migration) unchanged(ctx context.Context) error {
	for _, u := range m.users {
		now, err := m.inspectUser(ctx, u.name, u.dir)
		if err != nil {
			return fmt.Errorf("user %s: %w", u.name, liveError(err))
		}
		same := (now.col == nil) == (u.col == nil) && now.media.LastUSN == u.media.LastUSN && len(now.media.Rows) == len(u.media.Rows)
		if same && now.col != nil {
			same = now.col.Mod == u.col.Mod && now.col.USN == u.col.USN && now.col.SCM == u.col.SCM && now.col.Counts == u.col.Counts
		}
		if !same {
			return fmt.Errorf("user %s synced meanwhile: %w", u.name, errLive)
		}
	}
	return nil
}

func describeCollection(info *collection.Info) *migratedCol {
	c := info.Counts
	return &migratedCol{
		Schema: info.Schema, Notes: c.Notes, Cards: c.Cards, Reviews: c.Revlog, Graves: c.Graves,
		USN: int32(info.USN), Mod: info.Mod, SCM: info.SCM,
	}
}

// planned describes a user as the source has it.
func (u *sourceUser) planned(layout media.Layout) migratedUser {
	done := migratedUser{Name: u.name, Files: []migratedFile{}, MediaUSN: u.media.LastUSN, Snapshots: len(u.snapshots)}
	if u.col != nil {
		done.Collection = describeCollection(u.col)
	}
	for _, row := range u.media.Rows {
		switch {
		case row.Sum == "":
			done.Deleted++
		case row.Path != "":
			done.Files = append(done.Files, migratedFile{row.Name, strings.ToLower(row.Sum), row.Size})
		}
	}
	if missing := u.media.Missing(); len(missing) > 0 {
		text := plural(len(missing), "row") + " of the media database without a file: " + some(missing)
		if layout != media.Native {
			text += ", left out"
		}
		done.Remarks = append(done.Remarks, text)
		if layout == media.Native && u.media.Away() {
			done.Remarks = append(done.Remarks, "no media file is there at all: is its disk mounted? Media will not sync until there is one in the folder")
		}
	}
	if len(u.media.Stray) > 0 {
		done.Remarks = append(done.Remarks, plural(len(u.media.Stray), "file")+" that the media database does not know, taken along: "+some(u.media.Stray))
	}
	if len(u.other) > 0 {
		done.Remarks = append(done.Remarks, "left behind: "+some(u.other))
	}
	return done
}

// nextSteps says what makes the copy work.
func (m *migration) nextSteps() (steps []string) {
	if m.layout == media.Official {
		steps = append(steps, "start the official server with SYNC_BASE="+m.to+" and a SYNC_USERn=name:password for each user: it keeps no passwords. Devices that logged in to this server for the first time have to log in; those that had synced with the official one, "+
			"under the same name and password, go on")
		if m.authDB != "" {
			steps = append(steps, "auth.db and session.db are there for the way back; the official server does not look at them")
		}
		return steps
	}
	if m.layout == media.AnkiServer {
		return append(steps, "start AnkiServer in "+m.to+", with a production.ini that names auth.db, session.db and collections there. "+
			"Devices that logged in to this server for the first time log in again; "+
			"if those that had synced with AnkiServer before should use this folder and not their old one, delete session.db, and they log in again, too",
			"a password that was set or used with this server, without keep_legacy_hashes, has to be set anew by ankiserverctl.py")
	}
	steps = append(steps, "set data_root = "+filepath.Join(m.to, "collections"))
	if m.authDB == "" {
		return append(steps, "there are no accounts in this directory: keep SYNC_USERn in the environment (devices stay logged in), or take them over by \"ankisyncd user import\" "+
			"or make them by \"ankisyncd adduser\" (then each device has to log in again)")
	}
	if isFile(filepath.Join(m.from, "ankisyncd.toml")) {
		steps = append(steps, "set accept_rs_keys = yes, so that devices that logged in to ankisyncd-rs stay logged in")
	}
	steps = append(steps, "set auth_db_path = "+filepath.Join(m.to, "auth.db"))
	if m.sessionDB != "" {
		steps = append(steps, "set session_db_path = "+filepath.Join(m.to, "session.db")+" (a Python server goes on to use the old folder of devices that are logged in: there delete session.db, and log in again)")
	}
	return steps
}
