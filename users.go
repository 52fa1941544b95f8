package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/config"
)

// authOptions is what the user store gets of the configuration.
func authOptions(cfg *config.Config, log *slog.Logger) auth.Options {
	o := auth.Options{
		AuthDB:                       config.Abs(cfg.AuthDBPath),
		SessionDB:                    config.Abs(cfg.SessionDBPath),
		AllowAnyone:                  cfg.AllowAnyone,
		AcceptRSKeys:                 cfg.AcceptRSKeys,
		KeepLegacyHashes:             cfg.KeepLegacyHashes,
		KeepSessionsOnPasswordChange: cfg.KeepSessionsOnPasswd,
		MaxDevices:                   cfg.MaxDevices,
		Log:                          log,
	}
	for _, u := range cfg.Users {
		if !u.OnlyIfAbsent { // see createAccounts
			o.StaticUsers = append(o.StaticUsers, staticUser(u))
		}
	}
	return o
}

func staticUser(u config.User) auth.StaticUser {
	if u.Hashed {
		return auth.StaticUser{Name: u.Name, PHC: string(u.Secret)}
	}
	return auth.StaticUser{Name: u.Name, Password: string(u.Secret)}
}

// checkUsers reports which users of the configuration nobody could be: by their
// names, or by their hashes.
func checkUsers(cfg *config.Config) error {
	var errs []error
	for _, u := range cfg.Users {
		if err := staticUser(u).Valid(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", u.Source, err))
		}
	}
	return errors.Join(errs...)
}

// createAccounts makes the accounts of the configuration that are to be
// created if absent (ankisyncd-rs), with their folders.
func createAccounts(ctx context.Context, cfg *config.Config) (err error) {
	if !slices.ContainsFunc(cfg.Users, func(u config.User) bool { return u.OnlyIfAbsent }) {
		return nil
	}
	a := &userAdmin{cfg: cfg}
	s, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, u := range cfg.Users {
		if !u.OnlyIfAbsent {
			continue
		}
		if err := a.create(ctx, s, u.Name, string(u.Secret), s.AddUser); err != nil && !errors.Is(err, auth.ErrUserExists) {
			return fmt.Errorf("%s: create user %q: %w", u.Source, u.Name, err)
		}
	}
	return nil
}

// userAdmin is what adduser, deluser, lsuser and passwd do, for all programs
// that have them.
type userAdmin struct {
	cfg    *config.Config
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// prompt is the question for a password; empty means passwordPrompt.
	prompt string
	// asOriginals: a name that nobody has is no failure to deluser and passwd, nor
	// a missing database to lsuser, as in the programs before us (docs/compat.md
	// §4.1).
	asOriginals bool
}

const passwordPrompt = "Enter password for %s: "

// open opens the users; with mustExist it fails with fs.ErrNotExist rather than
// make a database. Without, it makes the data root as the server does, in which
// the database may lie. What root makes is given to the owner of its folder.
func (a *userAdmin) open(ctx context.Context, mustExist bool) (*auth.Store, error) {
	if a.cfg.AuthDBPath == "" {
		return nil, fmt.Errorf("there is no user database, as auth_db_path is empty (%s)", a.cfg.Source("auth_db_path"))
	}
	if !mustExist {
		if err := a.makeRoot(); err != nil {
			return nil, err
		}
	}
	o := authOptions(a.cfg, nil)
	o.MustExist = mustExist
	var made []string
	for _, path := range []string{o.AuthDB, o.SessionDB} {
		if _, err := os.Stat(path); path != "" && err != nil {
			made = append(made, path)
		}
	}
	s, err := auth.Open(ctx, o)
	if err == nil {
		for _, path := range made {
			inheritOwner(filepath.Dir(path), path)
		}
	}
	return s, err
}

// passwords makes the reader of passwords for n users.
func (a *userAdmin) passwords(n int) func(user string) (string, error) {
	p := &passwordReader{stdin: a.stdin, stderr: a.stderr, single: n == 1}
	return func(user string) (string, error) {
		if a.prompt != "" {
			return p.read(a.prompt)
		}
		return p.read(fmt.Sprintf(passwordPrompt, user))
	}
}

// add makes users, asking for a password each, and their folders.
func (a *userAdmin) add(ctx context.Context, names []string) (err error) {
	if len(names) == 0 {
		return errors.New("adduser: name a user")
	}
	for _, name := range names { // before any question is asked
		if err := auth.ValidUserName(name); err != nil {
			return err
		}
	}
	s, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	password := a.passwords(len(names))
	for _, name := range names {
		if has, err := s.HasUser(ctx, name); err != nil || has {
			return errors.Join(err, existsError(name, has))
		}
		if err := a.folderFree(ctx, s, name); err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		secret, err := password(name)
		if err != nil {
			return err
		}
		if err := a.create(ctx, s, name, secret, s.AddUser); err != nil {
			if errors.Is(err, auth.ErrUserExists) {
				return existsError(name, true)
			}
			return err
		}
	}
	return nil
}

// create makes a user by add, with his folder.
func (a *userAdmin) create(ctx context.Context, s *auth.Store, name, secret string, add func(ctx context.Context, name, secret string) error) error {
	has, err := s.HasUser(ctx, name)
	if err != nil {
		return err
	}
	if has {
		return auth.ErrUserExists
	}
	if err := a.folderFree(ctx, s, name); err != nil {
		return err
	}
	if err := add(ctx, name, secret); err != nil {
		return err
	}
	return a.makeFolder(name)
}

// folderFree refuses a new name that the file system takes for another user's.
func (a *userAdmin) folderFree(ctx context.Context, s *auth.Store, name string) error {
	if err := auth.ValidUserName(name); err != nil {
		return err
	}
	names, err := s.Users(ctx)
	if err != nil {
		return err
	}
	root := config.Abs(a.cfg.DataRoot)
	other, err := mistakenFor(root, name, alike(names)[foldName(name)])
	if err != nil {
		return err
	}
	if other != "" {
		return sharedError(root, other)
	}
	return nil
}

func existsError(name string, has bool) error {
	if !has {
		return nil
	}
	return fmt.Errorf("user %s exists already", name)
}

// makeRoot makes the data root if it is missing.
func (a *userAdmin) makeRoot() error {
	root := config.Abs(a.cfg.DataRoot)
	if isDir(root) {
		return nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	inheritOwner(filepath.Dir(root), root)
	return nil
}

// makeFolder makes a user's folder. Made by root for a server that runs as
// another user, it is given to the owner of the folder it lies in.
func (a *userAdmin) makeFolder(name string) error {
	root := config.Abs(a.cfg.DataRoot)
	dir := filepath.Join(root, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("user %s is made, but has no folder: %w", name, err)
	}
	inheritOwner(root, dir)
	return nil
}

// delete deletes users; their folders stay. That some are unknown keeps nobody
// from being deleted, and is an error at the end.
func (a *userAdmin) delete(ctx context.Context, names []string) (err error) {
	if len(names) == 0 {
		return errors.New("deluser: name a user")
	}
	s, err := a.open(ctx, true)
	if errors.Is(err, fs.ErrNotExist) {
		if !a.asOriginals {
			return fmt.Errorf("could not delete %s: Auth DB %s doesn't exist", strings.Join(names, ", "), a.cfg.AuthDBPath)
		}
		for _, name := range names {
			fmt.Fprintf(a.stderr, "Could not delete user %s: Auth DB %s doesn't exist\n", name, a.cfg.AuthDBPath)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var unknown []string
	for _, name := range names {
		existed, err := s.DeleteUser(ctx, name)
		if err != nil {
			return staticError(name, err)
		}
		if !existed {
			unknown = append(unknown, name)
		}
	}
	if a.asOriginals {
		return nil
	}
	return unknownError(unknown)
}

// unknownError is nil if nobody is unknown.
func unknownError(names []string) error {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("user %s doesn't exist", names[0])
	}
	return fmt.Errorf("users %s don't exist", strings.Join(names, ", "))
}

// staticError names the remedy where a user stands in the environment.
func staticError(name string, err error) error {
	if errors.Is(err, auth.ErrStaticUser) {
		return fmt.Errorf("user %s is set by the environment (SYNC_USER…) and can only be changed there", name)
	}
	return err
}

// list returns the names in byte order.
func (a *userAdmin) list(ctx context.Context) (names []string, err error) {
	s, err := a.open(ctx, true)
	if o := authOptions(a.cfg, nil); errors.Is(err, fs.ErrNotExist) && len(o.StaticUsers) > 0 {
		o.AuthDB = "" // those of the environment are all that there are
		s, err = auth.Open(ctx, o)
	}
	if errors.Is(err, fs.ErrNotExist) && !a.asOriginals {
		return nil, fmt.Errorf("could not list users: Auth DB %s doesn't exist", a.cfg.AuthDBPath)
	}
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(a.stderr, "Could not list users: Auth DB %s doesn't exist\n", a.cfg.AuthDBPath)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Users(ctx)
}

// passwd sets new passwords. The originals say on standard output, with
// success, that a user is unknown, and go on with the next; otherwise nothing is
// changed then, since which line of standard input is whose would be a guess.
func (a *userAdmin) passwd(ctx context.Context, names []string) (err error) {
	if len(names) == 0 {
		return errors.New("passwd: name a user")
	}
	s, err := a.open(ctx, true)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("could not set a password: Auth DB %s doesn't exist", a.cfg.AuthDBPath)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var known, unknown []string
	for _, name := range names {
		has, err := s.HasUser(ctx, name)
		switch {
		case err != nil:
			return err
		case has:
			known = append(known, name)
		case a.asOriginals:
			fmt.Fprintf(a.stdout, "User %s doesn't exist\n", name)
		default:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return unknownError(unknown)
	}
	password := a.passwords(len(names))
	for _, name := range known {
		secret, err := password(name)
		if err != nil {
			return err
		}
		if err := s.SetPassword(ctx, name, secret); err != nil {
			return staticError(name, err)
		}
	}
	return nil
}
