package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/auth"
)

// A user's folder bears his name, and some file systems take two names for one:
// "Bob" and "bob" on macOS and Windows, "é" as one character or as two on macOS,
// "alice" and "alice." on Windows. To us they are two users. What follows keeps
// the one from the other's cards.

// sharedFolder names the one of others who has the same folder as the user name,
// or is "". On the way it looks at all of their folders.
func sharedFolder(root, name string, others []string) string {
	mine, err := os.Stat(filepath.Join(root, name))
	if err != nil {
		return "" // the folder is not there yet, so it is nobody's
	}
	for _, other := range others {
		if other == name {
			continue
		}
		if theirs, err := os.Stat(filepath.Join(root, other)); err == nil && os.SameFile(mine, theirs) {
			return other
		}
	}
	return ""
}

// mistakenFor is sharedFolder without those who share a folder because somebody
// has made a link of the second name: then both are in the listing of root.
func mistakenFor(root, name string, others []string) (string, error) {
	other := sharedFolder(root, name, others)
	if other == "" {
		return "", nil
	}
	d, err := os.Open(root)
	if err != nil {
		return "", err
	}
	defer d.Close() //nolint:errcheck // a reader
	entries, err := d.Readdirnames(-1)
	if err != nil {
		return "", err
	}
	if slices.Contains(entries, name) {
		others = slices.DeleteFunc(slices.Clone(others), func(o string) bool { return slices.Contains(entries, o) })
	}
	return sharedFolder(root, name, others), nil
}

// alike groups names that some file system may take for one.
func alike(names []string) map[string][]string {
	groups := make(map[string][]string, len(names))
	for _, n := range names {
		groups[foldName(n)] = append(groups[foldName(n)], n)
	}
	return groups
}

func sharedError(root, other string) error {
	return fmt.Errorf("the folder would be that of user %s: in %s the two names mean the same", other, root)
}

// checkStaticFolders refuses users of the environment who would have the folder of
// another user.
func checkStaticFolders(ctx context.Context, root string, static []auth.StaticUser, users *auth.Store) error {
	if len(static) == 0 {
		return nil
	}
	all, err := users.Users(ctx)
	if err != nil {
		return err
	}
	groups := alike(all)
	for _, u := range static {
		other, err := mistakenFor(root, u.Name, groups[foldName(u.Name)])
		if err != nil {
			return err
		}
		if other != "" {
			return fmt.Errorf("user %s of the environment: %w", u.Name, sharedError(root, other))
		}
	}
	return nil
}

// folderGuard keeps users out whose folder is another's too, both of them: whose
// cards are in it is not for the server to guess. Accounts can come from elsewhere
// than our commands, and from a file system where their names were two.
type folderGuard struct {
	root  string
	users func(context.Context) ([]string, error)
	log   *slog.Logger

	mu   sync.RWMutex
	fine map[string]bool // who has a folder of his own
}

// admit is for auth.Options. All accounts are looked at when the first user comes,
// and again when one comes who was not among them; most have a name like nobody
// else's, which costs no look at their folders.
func (g *folderGuard) admit(ctx context.Context, name string) (bool, error) {
	g.mu.RLock()
	fine := g.fine[name]
	g.mu.RUnlock()
	if fine {
		return true, nil
	}
	all, err := g.users(ctx)
	if err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fine == nil {
		g.fine = make(map[string]bool, len(all))
	}
	groups := alike(all)
	for _, names := range groups {
		if len(names) == 1 {
			g.fine[names[0]] = true
		}
	}
	if names := groups[foldName(name)]; len(names) > 1 {
		// Made now, so that of two who come for the first time one finds it.
		if err := os.Mkdir(filepath.Join(g.root, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return false, err
		}
		other, err := mistakenFor(g.root, name, names)
		if err != nil {
			return false, err
		}
		if other != "" {
			g.log.Error("a user is kept out: the file system takes the name for another user's, so both have one folder; deluser one of the two",
				"user", name, "other", other)
			return false, nil
		}
	}
	g.fine[name] = true
	return true, nil
}

// foldName is the same for names that some file system may take for one.
func foldName(name string) string {
	return strings.TrimRight(strings.ToLower(strings.ToUpper(norm.NFC.String(name))), " .")
}
