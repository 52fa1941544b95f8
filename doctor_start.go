package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/config"
)

// What keeps the server from starting though its configuration is well-formed.

// databaseFolders looks for the folders of the user and session databases. The
// server makes the data root, but no folder of these.
func (d *doctor) databaseFolders() {
	root := config.Abs(d.cfg.DataRoot)
	for _, db := range []struct{ check, key, path string }{
		{"auth.db", "auth_db_path", d.cfg.AuthDBPath}, {"session.db", "session_db_path", d.cfg.SessionDBPath},
	} {
		if db.path == "" {
			continue
		}
		path := config.Abs(db.path)
		dir := filepath.Dir(path)
		fi, err := os.Stat(dir)
		switch {
		case isDir(path):
			d.fail(db.check, "name a file in "+db.key, "%s is a folder", path)
		case errors.Is(err, fs.ErrNotExist) && liesWithin(root, dir):
			// Made along with the data root.
		case err != nil:
			d.fail(db.check, "make the folder, or look at "+db.key+" and the working directory", "the server cannot start without the folder of %s: %v", path, err)
		case !fi.IsDir():
			d.fail(db.check, "name a file in a folder in "+db.key, "%s is no folder", dir)
		default:
			if err := writable(dir); err != nil {
				d.fail(db.check, "give it to the user that the server runs as (chown)", "the server writes into the folder of %s: %v", path, err)
			}
		}
	}
}

// userFiles looks for users whose folder is something else; it lists the others.
func (d *doctor) userFiles(root string, users []string) (fine []string) {
	for _, name := range users {
		path := filepath.Join(root, name)
		if _, err := os.Lstat(path); err == nil && !isDir(path) {
			d.fail("user "+name, "move it away, or if it is a link, make what it leads to (is its disk mounted?)", "%s is no folder", path)
			continue
		}
		fine = append(fine, name)
	}
	return fine
}

// listeners tries whether the server could listen. Where it cannot because it
// does already, all is well.
func (d *doctor) listeners(ctx context.Context) {
	addresses := d.cfg.Addresses()
	if d.cfg.MetricsPort != 0 {
		addresses = append(addresses, net.JoinHostPort(d.cfg.MetricsHost, strconv.Itoa(d.cfg.MetricsPort)))
	}
	if d.cfg.RestPort != 0 && !restShared(d.cfg) {
		addresses = append(addresses, net.JoinHostPort(d.cfg.RestHost, strconv.Itoa(d.cfg.RestPort)))
	}
	running := false
	for _, a := range addresses {
		err := tryListen(ctx, a)
		if err == nil {
			continue
		}
		if running = running || checkHealth(ctx, d.cfg, "") == nil; running {
			return
		}
		if errors.Is(err, fs.ErrPermission) && !strings.HasPrefix(a, "unix:") {
			d.ok("listen", "this account may not listen on %s; the server's has to (deploy/systemd/ankisyncd.socket), or set a port above 1023", a)
			continue
		}
		d.fail("listen", "end the other program that listens there (\"ss -ltnp\" names it), or set another port; an address has to be one of this machine's",
			"the server cannot listen on %s: %v", a, err)
	}
}

// tryListen reports whether listen would fail. It makes no file, and removes none.
func tryListen(ctx context.Context, address string) error {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		ln, err := listen(ctx, address, 0)
		if err != nil {
			return err
		}
		return ln.Close()
	}
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case fi.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file that is no socket")
	default:
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path); err == nil {
			return errors.Join(errors.New("another process listens there"), conn.Close())
		}
	}
	if dir := filepath.Dir(path); !isDir(dir) {
		return fmt.Errorf("there is no folder %s", dir)
	}
	return writable(filepath.Dir(path))
}
