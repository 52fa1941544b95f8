package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/config"
)

// cmdUserImport does not take devices' keys over. With the official server they are
// sha1("name:password"): stored, in whatever form is quick to look up, they would
// betray passwords that the user database keeps in a form that is hard to guess.
func cmdUserImport() *cli.Command {
	return &cli.Command{
		Name:  "import",
		Usage: "take the users of the official server over",
		Description: "Puts the users of SYNC_USER1, SYNC_USER2 ... (PASSWORDS_HASHED as there) into the user database, so that these " +
			"variables are no longer needed. Users who are there already stay as they are. Devices have to log in again " +
			"once the variables are gone.",
		Flags: settingFlags(),
		Action: func(c *cli.Context) (err error) {
			a, err := newUserAdmin(c)
			if err != nil {
				return err
			}
			users := slices.DeleteFunc(slices.Clone(a.cfg.Users), func(u config.User) bool { return u.OnlyIfAbsent })
			if len(users) == 0 {
				return errors.New("user import: neither SYNC_USER1 nor SYNC_USER1_FILE is set")
			}
			a.cfg.Users = nil // else they would count as users whom only the environment can change
			s, err := a.open(c.Context, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			for _, u := range users {
				add := s.AddUser
				if u.Hashed {
					add = s.ImportUser
				}
				switch err := a.create(c.Context, s, u.Name, string(u.Secret), add); {
				case errors.Is(err, auth.ErrUserExists):
					fmt.Fprintf(c.App.Writer, "%s: exists already, unchanged\n", u.Name)
					continue
				case err != nil:
					return fmt.Errorf("%s: user %s: %w", u.Source, u.Name, err)
				}
				fmt.Fprintf(c.App.Writer, "%s: imported\n", u.Name)
			}
			return nil
		},
	}
}
